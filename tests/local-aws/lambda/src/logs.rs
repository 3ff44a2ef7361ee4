//! What functions print: a file each, and the last lines in memory for messages of failed tests.

use std::collections::{HashMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// Lines kept in memory for each function.
const TAIL: usize = 200;

/// The logs of a host.
#[derive(Debug)]
pub(crate) struct Logs {
    folder: PathBuf,
    functions: Mutex<HashMap<String, FunctionLog>>,
}

#[derive(Debug, Default)]
struct FunctionLog {
    file: Option<File>,
    tail: VecDeque<String>,
}

impl Logs {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder, functions: Mutex::default() }
    }

    /// Add a line, as CloudWatch would show it: with the request it belongs to.
    pub(crate) fn add(&self, function: &str, request_id: &str, line: &str) {
        let mut functions = self.functions.lock().unwrap_or_else(PoisonError::into_inner);
        let log = functions
            .entry(function.to_owned())
            .or_insert_with(|| FunctionLog { file: self.open(function), tail: VecDeque::new() });
        let line = format!("{request_id} {line}");
        if let Some(file) = &mut log.file {
            // A full disk must not fail an invocation; the tail still has the line.
            let _full_disk = writeln!(file, "{line}");
        }
        if log.tail.len() == TAIL {
            log.tail.pop_front();
        }
        log.tail.push_back(line);
    }

    /// The last lines of a function, oldest first.
    pub(crate) fn tail(&self, function: &str) -> Vec<String> {
        let functions = self.functions.lock().unwrap_or_else(PoisonError::into_inner);
        functions.get(function).map(|log| log.tail.iter().cloned().collect()).unwrap_or_default()
    }

    fn open(&self, function: &str) -> Option<File> {
        let path = self.folder.join(format!("{function}.log"));
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .inspect_err(|error| {
                tracing::warn!(path = %path.display(), %error, "open a function's log");
            })
            .ok()
    }
}
