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
        }
    }
}

/// What all functions of a host share.
#[derive(Debug, Clone)]
pub struct HostConfig {
    /// Where each function's log goes, as `<function>.log`.
    pub log_folder: PathBuf,
    /// Scales the pauses between the attempts of an asynchronous invocation.
    pub clock: Clock,
}

/// The access key id of a function's sandbox; the gateway sees by it who calls.
pub(crate) fn access_key_id(function: &str, sandbox: u64) -> String {
    format!("AKIA.{function}.{sandbox}")
}

/// The function behind an access key id, if it is a function's: policies and call logs go by it.
pub fn function_of(access_key_id: &str) -> Option<&str> {
    Some(access_key_id.strip_prefix("AKIA.")?.rsplit_once('.')?.0)
}

/// The sandbox behind an access key id.
pub(crate) fn sandbox_of(access_key_id: &str) -> Option<u64> {
    access_key_id.strip_prefix("AKIA.")?.rsplit_once('.')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_access_key_id_names_its_function() {
        let key = access_key_id("pgleap-fence-source", 7);

        assert_eq!(function_of(&key), Some("pgleap-fence-source"));
        assert_eq!(sandbox_of(&key), Some(7));
        assert_eq!(function_of("operator"), None);
    }
}
