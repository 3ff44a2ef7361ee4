//! Counts the events that a run puts on the bus.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use local_aws_core::EventBus;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinHandle;

/// Source of the run's events.
const SOURCE: &str = "pgleap";

/// Listens until it is dropped.
pub struct EventCount {
    seen: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl EventCount {
    /// From now on.
    pub fn start(bus: &EventBus) -> Self {
        let (seen, mut events) = (Arc::<AtomicUsize>::default(), bus.subscribe());
        let counter = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            loop {
                match events.recv().await {
                    Ok(event) => counter.fetch_add(usize::from(event.source == SOURCE), Ordering::AcqRel),
                    // Others than the run's fill the bus too; what this task was too slow for is lost to it, and it goes on.
                    Err(RecvError::Lagged(_)) => continue,
                    Err(RecvError::Closed) => return,
                };
            }
        });
        Self { seen, task }
    }

    /// So many until now.
    pub fn count(&self) -> usize {
        self.seen.load(Ordering::Acquire)
    }
}

impl Drop for EventCount {
    fn drop(&mut self) {
        self.task.abort();
    }
}
