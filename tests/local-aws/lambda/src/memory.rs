//! How much memory a process holds, from `/proc`. Elsewhere than on Linux nothing is measured and no limit is kept.

/// Resident memory of a process in bytes: now, and the most since it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Resident {
    pub(crate) now: u64,
    pub(crate) peak: u64,
}

pub(crate) fn resident(pid: u32) -> Option<Resident> {
    parse(&std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?)
}

fn parse(status: &str) -> Option<Resident> {
    let kib = |name: &str| -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix(" kB")?.trim().parse().ok()
    };
    Some(Resident { now: kib("VmRSS:")? * 1024, peak: kib("VmHWM:")? * 1024 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_a_resident_size_and_a_zombie_has_none() {
        assert_eq!(
            parse("Name:\tx\nVmHWM:\t  2048 kB\nVmRSS:\t  1024 kB\n"),
            Some(Resident { now: 1 << 20, peak: 2 << 20 })
        );
        assert_eq!(parse("Name:\tx\nState:\tZ (zombie)\n"), None);
    }
}
