//! What functions were seen to do, kept across processes: which action each called, and whether its policy allowed it.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// The folder of the record; without it nothing is kept.
const FOLDER: &str = "PGLEAP_POLICY_RECORD";

/// A file per process, a line `function action allowed` (or `refused`) for each that is new. Written as it happens, so
/// that a process that is killed has said what it saw.
#[derive(Debug)]
pub(super) struct Record {
    folder: Option<PathBuf>,
    seen: Mutex<BTreeSet<String>>,
    on_purpose: Mutex<BTreeSet<String>>,
}

impl Default for Record {
    fn default() -> Self {
        Self {
            folder: std::env::var_os(FOLDER).map(PathBuf::from),
            seen: Mutex::default(),
            on_purpose: Mutex::default(),
        }
    }
}

impl Record {
    /// A refusal of this action is what a test is about: it says nothing against the policy.
    pub(super) fn expect_refusal(&self, action: &str) {
        self.on_purpose.lock().unwrap_or_else(PoisonError::into_inner).insert(action.to_owned());
    }

    pub(super) fn note(&self, function: &str, action: &str, allowed: bool) {
        let Some(folder) = &self.folder else { return };
        if !allowed && self.on_purpose.lock().unwrap_or_else(PoisonError::into_inner).contains(action) {
            return;
        }
        let line = format!("{function} {action} {}\n", if allowed { "allowed" } else { "refused" });
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if !seen.insert(line.clone()) {
            return;
        }
        let written = std::fs::create_dir_all(folder).and_then(|()| {
            let path = folder.join(std::process::id().to_string());
            std::fs::OpenOptions::new().create(true).append(true).open(path)?.write_all(line.as_bytes())
        });
        if let Err(error) = written {
            tracing::error!(%error, folder = %folder.display(), "the record of calls cannot be written");
        }
    }
}
