//! Every value that was ever kept, for whoever proves that none of them was seen anywhere else.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// Names of secrets and their values, those of deleted secrets and old versions too.
#[derive(Default)]
pub(super) struct Ever(Mutex<BTreeSet<(String, String)>>);

impl std::fmt::Debug for Ever {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Ever(..)")
    }
}

impl Ever {
    pub(super) fn note(&self, name: &str, value: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert((name.to_owned(), value.to_owned()));
    }

    pub(super) fn all(&self) -> Vec<(String, String)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}
