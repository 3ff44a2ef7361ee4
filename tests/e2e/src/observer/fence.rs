//! When applications were shut out of the source and let into the target: seen in the databases' own privileges.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_postgres::Client;

use super::{Access, connect};
use crate::clients::now;

/// A time in which applications could connect to neither side, in epoch seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LockOut {
    /// When it was first seen.
    pub began: f64,
    /// When one side was seen open again; absent while it lasts.
    pub ended: Option<f64>,
}

/// What was seen, in epoch seconds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FenceTimes {
    /// The application's role lost CONNECT on the source (the first time).
    pub fenced: Option<f64>,
    /// It had it again on the source.
    pub unfenced: Option<f64>,
    /// It had it on the target, after the fence.
    pub opened: Option<f64>,
    /// Every time that it could connect to neither, in order. A run may cause one.
    pub lock_outs: Vec<LockOut>,
    /// The grants on the source's database when it could connect for the last time before the fence.
    pub grants_before: Option<String>,
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
        self.see_lock_out(source_open, target_open, at);
    }

    /// A side that does not answer is neither open nor shut: a restart is no lock-out, and does not end one.
    fn see_lock_out(&mut self, source_open: Option<bool>, target_open: Option<bool>, at: f64) {
        let running = self.lock_outs.last_mut().filter(|last| last.ended.is_none());
        let some_open = source_open == Some(true) || (self.fenced.is_some() && target_open == Some(true));
        // While no target answers, the source alone counts, until the target was open once.
        let target_shut = target_open == Some(false) || (target_open.is_none() && self.opened.is_none());
        match running {
            Some(last) if some_open => last.ended = Some(at),
            None if source_open == Some(false) && target_shut => {
                self.lock_outs.push(LockOut { began: at, ended: None });
            }
            Some(_) | None => {}
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
                let (source, target) = tokio::join!(on_source.look(&role), on_target.look(&role));
                tell.send_modify(|times| {
                    times.see(source.as_ref().map(|seen| seen.open), target.map(|seen| seen.open), now());
                    if let Some(seen) = source.filter(|seen| seen.open)
                        && times.fenced.is_none()
                    {
                        times.grants_before = Some(seen.grants);
                    }
                });
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
        self.seen.borrow().clone()
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

    async fn look(&mut self, role: &str) -> Option<Seen> {
        if self.client.as_ref().is_none_or(Client::is_closed) {
            self.client = connect(&self.access).await.ok();
        }
        let row = self.client.as_ref()?.query_one(LOOK, &[&role]).await.ok()?;
        Some(Seen { open: row.get(0), grants: row.get(1) })
    }
}

struct Seen {
    open: bool,
    grants: String,
}

/// Whether a role may connect, and who else may do what: the text is that of the catalogs' comparison.
const LOOK: &str = "
    SELECT has_database_privilege(r.oid, d.oid, 'CONNECT'),
           (SELECT coalesce(string_agg(format('%s=%s%s by %s', CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END,
                                              privilege_type, CASE WHEN is_grantable THEN '*' ELSE '' END, grantor::regrole), ', '), '')
            FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))))
    FROM pg_roles r, pg_database d WHERE r.rolname = $1 AND d.datname = current_database()";

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

    /// Looks at source and target, a second apart, to the lock-outs that they show.
    fn lock_outs(looks: &[(Option<bool>, Option<bool>)]) -> Vec<(f64, Option<f64>)> {
        let mut times = FenceTimes::default();
        for (second, (source, target)) in looks.iter().enumerate() {
            times.see(*source, *target, second as f64);
        }
        times.lock_outs.iter().map(|lock_out| (lock_out.began, lock_out.ended)).collect()
    }

    #[test]
    fn a_second_lock_out_is_seen_whichever_side_is_shut_again() {
        const OPEN: Option<bool> = Some(true);
        const SHUT: Option<bool> = Some(false);
        let forward =
            [(OPEN, None), (OPEN, OPEN), (OPEN, SHUT), (SHUT, SHUT), (SHUT, None), (SHUT, OPEN), (SHUT, OPEN)];
        assert_eq!(lock_outs(&forward), [(3.0, Some(5.0))]);
        let no_target_yet = [(OPEN, None), (SHUT, None), (OPEN, None)];
        assert_eq!(lock_outs(&no_target_yet), [(1.0, Some(2.0))]);
        let fenced_again = [(OPEN, SHUT), (SHUT, SHUT), (OPEN, SHUT), (SHUT, SHUT), (SHUT, SHUT), (OPEN, None)];
        assert_eq!(lock_outs(&fenced_again), [(1.0, Some(2.0)), (3.0, Some(5.0))]);
        let target_shut_again = [(SHUT, SHUT), (SHUT, OPEN), (SHUT, SHUT), (SHUT, SHUT)];
        assert_eq!(lock_outs(&target_shut_again), [(0.0, Some(1.0)), (2.0, None)]);
        // The open target restarts, the source before the fence too: nobody was shut out on purpose.
        let restarts =
            [(OPEN, None), (None, None), (OPEN, SHUT), (SHUT, SHUT), (SHUT, OPEN), (SHUT, None), (SHUT, OPEN)];
        assert_eq!(lock_outs(&restarts), [(3.0, Some(4.0))]);
    }
}
