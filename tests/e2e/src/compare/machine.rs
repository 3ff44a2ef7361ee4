//! The computer, as far as a reader of figures must know it.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// What it has, and how busy it was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Machine {
    pub(super) cores: usize,
    pub(super) memory_gib: u64,
    /// Processes that could run, on average over the minute before.
    pub(super) load: f64,
}

impl Machine {
    /// This computer, now.
    pub(super) fn read() -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        Self {
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_gib: gib(&read("/proc/meminfo")),
            load: read("/proc/loadavg")
                .split_whitespace()
                .next()
                .and_then(|load| load.parse().ok())
                .unwrap_or_default(),
        }
    }
}

fn gib(meminfo: &str) -> u64 {
    let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = total.and_then(|total| total.split_whitespace().next()?.parse::<u64>().ok());
    kib.map_or(0, |kib| (kib + 512 * 1024) / (1024 * 1024))
}

/// The day, in UTC.
pub(super) fn today() -> String {
    OffsetDateTime::now_utc().date().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_rounded_to_gib() {
        assert_eq!(gib("MemTotal:       24617168 kB\nMemFree: 1 kB\n"), 23);
        assert_eq!(gib(""), 0);
    }
}
