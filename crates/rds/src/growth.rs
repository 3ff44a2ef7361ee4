//! The limit up to which an instance's storage grows by itself.
//!
//! RDS takes only a limit of at least 110 % of the storage that is allocated, and a source that has grown to its limit has less.
//! Source: Amazon RDS user guide, "Managing capacity automatically with Amazon RDS storage autoscaling"; refusals as reported:
//! ministryofjustice/cloud-platform-environments pull requests 7483 and 13657.

use crate::Instance;

/// What of the source's limit is left to set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Growth {
    /// Nothing: the source has none, or the target has it.
    Settled,
    /// This limit, in GiB.
    Set(i32),
    /// RDS would refuse it.
    TooNear {
        /// The source's, in GiB.
        limit: i32,
        /// What the target has, in GiB.
        allocated: i32,
    },
}

/// What of the source's limit the target lacks.
pub fn left(source: &Instance, target: &Instance) -> Growth {
    let Some(limit) = source.grows_to_gib.filter(|limit| target.grows_to_gib != Some(*limit)) else {
        return Growth::Settled;
    };
    let allocated = target.storage_gib.unwrap_or(0);
    if i64::from(limit) * 10 < i64::from(allocated) * 11 {
        return Growth::TooNear { limit, allocated };
    }
    Growth::Set(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_below_110_percent_is_not_asked_for() {
        let cases = [
            (None, 100, None, Growth::Settled),
            (Some(1_000), 100, Some(1_000), Growth::Settled),
            (Some(1_000), 100, None, Growth::Set(1_000)),
            (Some(1_000), 100, Some(500), Growth::Set(1_000)),
            (Some(110), 100, None, Growth::Set(110)),
            (Some(109), 100, None, Growth::TooNear { limit: 109, allocated: 100 }),
            (Some(100), 100, None, Growth::TooNear { limit: 100, allocated: 100 }),
        ];
        for (limit, allocated, has, expected) in cases {
            let source = Instance { grows_to_gib: limit, ..Instance::default() };
            let target = Instance { storage_gib: Some(allocated), grows_to_gib: has, ..Instance::default() };
            assert_eq!(left(&source, &target), expected, "{limit:?} of {allocated}, {has:?}");
        }
    }
}
