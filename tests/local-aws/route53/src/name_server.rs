//! One of the name servers of a zone: it answers what has reached it, and never goes back to older records.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use crate::record_set::Records;

/// One name server's copy of a zone.
#[derive(Debug, Clone)]
pub(crate) struct NameServer {
    answered: Arc<Records>,
    /// What is on its way, in the order of its arrival, which is also the order in which it was submitted.
    under_way: VecDeque<(Instant, Arc<Records>)>,
}

impl NameServer {
    /// Answers these records from its first moment on.
    pub(crate) fn answering(records: Arc<Records>) -> Self {
        Self { answered: records, under_way: VecDeque::new() }
    }

    /// The zone's newest records will be here at this moment.
    pub(crate) fn send(&mut self, arrives: Instant, records: Arc<Records>) {
        // They contain every earlier change. An earlier change that would arrive later is older than they are.
        self.under_way.retain(|(earlier, _)| *earlier < arrives);
        self.under_way.push_back((arrives, records));
    }

    /// What it answers at this moment.
    pub(crate) fn answered(&mut self, now: Instant) -> Arc<Records> {
        while self.under_way.front().is_some_and(|(arrives, _)| *arrives <= now) {
            if let Some((_, records)) = self.under_way.pop_front() {
                self.answered = records;
            }
        }
        self.answered.clone()
    }
}
