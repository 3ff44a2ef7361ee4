//! What was called, by whom, with what outcome: tests read it, and so does the proof that a step's policy is enough.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;

use crate::Effect;

/// One call as the gateway saw it, written down when it was over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedCall {
    /// Counts all calls of this stand-in from 0.
    pub number: u64,
    /// Access key id.
    pub caller: String,
    /// e.g. `dms`.
    pub service: String,
    /// e.g. `StartReplicationTask`.
    pub operation: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The planned fault that struck it.
    pub fault: Option<Effect>,
    /// When it came.
    pub at: SystemTime,
    /// How long it took.
    pub took: Duration,
}

/// How a call ended for the service; the caller may have seen less (see [`LoggedCall::fault`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Carried out.
    Answered,
    /// Refused.
    Refused {
        /// HTTP status.
        status: u16,
        /// Code on the wire.
        code: String,
        /// Whether the model lists this error for this operation; common errors of AWS are not listed.
        listed: bool,
    },
    /// Never reached the service.
    NotCarriedOut,
}

/// The last calls of one stand-in, in the order in which they ended; clones share it.
#[derive(Debug, Clone)]
pub struct CallLog {
    calls: Arc<Mutex<Calls>>,
    total: watch::Sender<u64>,
}

#[derive(Debug)]
struct Calls {
    kept: VecDeque<LoggedCall>,
    limit: usize,
    next: u64,
}

/// About what a long rehearsal makes; older calls are forgotten first.
const KEPT_CALLS: usize = 50_000;

impl Default for CallLog {
    fn default() -> Self {
        Self::keeping(KEPT_CALLS)
    }
}

impl CallLog {
    /// A log that keeps the last `limit` calls.
    pub fn keeping(limit: usize) -> Self {
        let calls = Calls { kept: VecDeque::new(), limit, next: 0 };
        Self { calls: Arc::new(Mutex::new(calls)), total: watch::Sender::new(0) }
    }

    /// The kept calls from this number on; `since(0)` is all of them.
    pub fn since(&self, number: u64) -> Vec<LoggedCall> {
        self.lock().kept.iter().filter(|call| call.number >= number).cloned().collect()
    }

    /// The number that the next call will get.
    pub fn next(&self) -> u64 {
        self.lock().next
    }

    /// Changes whenever a call is logged; holds the number of calls so far.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.total.subscribe()
    }

    /// Write a call down; its number is given here.
    pub(crate) fn push(&self, mut call: LoggedCall) {
        let mut calls = self.lock();
        call.number = calls.next;
        calls.next += 1;
        if calls.kept.len() == calls.limit {
            calls.kept.pop_front();
        }
        calls.kept.push_back(call);
        self.total.send_replace(calls.next);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(operation: &str) -> LoggedCall {
        LoggedCall {
            number: 0,
            caller: "A".to_owned(),
            service: "rds".to_owned(),
            operation: operation.to_owned(),
            outcome: Outcome::Answered,
            fault: None,
            at: SystemTime::UNIX_EPOCH,
            took: Duration::ZERO,
        }
    }

    #[test]
    fn calls_are_numbered_in_order_and_old_ones_forgotten() {
        let log = CallLog::keeping(2);
        let seen = log.subscribe();

        for operation in ["A", "B", "C"] {
            log.push(call(operation));
        }

        let kept: Vec<_> = log.since(0).into_iter().map(|call| (call.number, call.operation)).collect();
        assert_eq!(kept, [(1, "B".to_owned()), (2, "C".to_owned())]);
        assert_eq!(log.since(2).len(), 1);
        assert_eq!((log.next(), *seen.borrow()), (3, 3));
    }
}
