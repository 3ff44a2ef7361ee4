//! What a function is given and what it may take.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use local_aws_core::Clock;

/// A function as the template declares it.
#[derive(Debug, Clone, PartialEq)]
pub struct FunctionConfig {
    /// `FunctionName`.
    pub name: String,
    /// The program that `bootstrap` would be.
    pub binary: PathBuf,
    /// `MemorySize` in MiB: a process that holds more is killed.
    pub memory_mib: u64,
    /// `Timeout`: an invocation that takes longer is killed.
    pub timeout: Duration,
    /// `Environment.Variables`.
    pub environment: BTreeMap<String, String>,
    /// `ReservedConcurrentExecutions`: more invocations at once are throttled.
    pub reserved_concurrency: Option<usize>,
    /// Versions and aliases beside `$LATEST` that may be invoked; all run the same binary.
    pub qualifiers: Vec<String>,
    /// `FunctionUrlConfig` without a login: browsers may call it.
    pub has_url: bool,
}

impl FunctionConfig {
    /// A function with AWS's defaults: 128 MiB, 3 seconds, no reserved concurrency.
    pub fn new(name: &str, binary: impl Into<PathBuf>) -> Self {
        Self {
            name: name.to_owned(),
            binary: binary.into(),
            memory_mib: 128,
            timeout: Duration::from_secs(3),
            environment: BTreeMap::new(),
            reserved_concurrency: None,
            qualifiers: Vec::new(),
            has_url: false,
        }
    }
}

/// What all functions of a host share.
#[derive(Debug, Clone)]
pub struct HostConfig {
    /// Where each function's log goes, as `<function>.log`. Sandboxes work in it, so that whoever clears it of
    /// processes finds them even when the host could not end them.
    pub log_folder: PathBuf,
    /// Scales the pauses between the attempts of an asynchronous invocation.
    pub clock: Clock,
}
