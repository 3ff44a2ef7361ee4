//! When applications were shut out of the source and let into the target: seen in the databases' own privileges.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_postgres::Client;

use super::{Access, connect};
use crate::clients::now;

/// What was seen, in epoch seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct FenceTimes {
    /// The application's role lost CONNECT on the source (the first time).
    pub fenced: Option<f64>,
    /// It had it again on the source.
    pub unfenced: Option<f64>,
    /// It had it on the target, after the fence.
    pub opened: Option<f64>,
}

impl FenceTimes {
    /// From the fence to its end on either side, in seconds.
    pub fn seconds(&self) -> Option<f64> {
        let end = match (self.opened, self.unfenced) {
            (Some(opened), Some(unfenced)) => opened.min(unfenced),
            (opened, unfenced) => opened.or(unfenced)?,
        };
        Some(end - self.fenced?)
    }

    fn see(&mut self, source_open: Option<bool>, target_open: Option<bool>, at: f64) {
        match source_open {
            Some(false) => {
                self.fenced.get_or_insert(at);
            }
            Some(true) if self.fenced.is_some() => {
                self.unfenced.get_or_insert(at);
            }
            Some(true) | None => {}
        }
        if self.fenced.is_some() && target_open == Some(true) {
            self.opened.get_or_insert(at);
        }
    }
}

/// Polls both databases for the right to connect.
pub struct FenceWatch {
    closely: Arc<AtomicBool>,
    seen: watch::Receiver<FenceTimes>,
    task: JoinHandle<()>,
}

const FROM_AFAR: Duration = Duration::from_millis(400);
/// The resolution of the fence's seconds.
const CLOSELY: Duration = Duration::from_millis(15);

impl FenceWatch {
    /// Begin, for one role that is not the run's.
    pub fn start(source: Access, target: Access, role: String) -> Self {
        let closely = Arc::new(AtomicBool::new(false));
        let (tell, seen) = watch::channel(FenceTimes::default());
        let look_closely = Arc::clone(&closely);
        let task = tokio::spawn(async move {
            let (mut on_source, mut on_target) = (Side::new(source), Side::new(target));
            loop {
                let (source_open, target_open) = tokio::join!(on_source.open_to(&role), on_target.open_to(&role));
                tell.send_modify(|times| times.see(source_open, target_open, now()));
                tokio::time::sleep(if look_closely.load(Ordering::Relaxed) { CLOSELY } else { FROM_AFAR }).await;
            }
        });
        Self { closely, seen, task }
    }

    /// Look often from now on, because the cutover is near; or seldom again.
    pub fn look_closely(&self, closely: bool) {
        self.closely.store(closely, Ordering::Relaxed);
    }

    /// What was seen so far.
    pub fn times(&self) -> FenceTimes {
        *self.seen.borrow()
    }
}

impl Drop for FenceWatch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Side {
    access: Access,
    client: Option<Client>,
}

impl Side {
    fn new(access: Access) -> Self {
        Self { access, client: None }
    }

    async fn open_to(&mut self, role: &str) -> Option<bool> {
        if self.client.as_ref().is_none_or(Client::is_closed) {
            self.client = connect(&self.access).await.ok();
        }
        let sql = "SELECT has_database_privilege(oid, current_database(), 'CONNECT') FROM pg_roles WHERE rolname = $1";
        let row = self.client.as_ref()?.query_one(sql, &[&role]).await.ok()?;
        row.get(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fence_lasts_until_one_side_is_open() {
        let mut forward = FenceTimes::default();
        forward.see(Some(true), None, 1.0);
        forward.see(Some(true), Some(true), 2.0); // the restored copy before it was isolated
        forward.see(Some(false), Some(false), 3.0);
        forward.see(Some(false), None, 4.0);
        forward.see(Some(false), Some(true), 5.5);
        assert_eq!(forward.seconds(), Some(2.5));

        let mut back = FenceTimes::default();
        back.see(Some(false), Some(false), 3.0);
        assert_eq!(back.seconds(), None);
        back.see(Some(true), Some(false), 7.0);
        assert_eq!((back.seconds(), back.opened), (Some(4.0), None));
    }
}
