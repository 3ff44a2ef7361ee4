//! What a replication instance's status means for a step that needs it.

/// What a step can do about a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Calls are taken.
    Usable,
    /// It changes by itself. A status that nobody knows passes too, until the machine's bound.
    Passing,
    /// No waiting mends it.
    Broken,
}

impl Standing {
    /// Of `ReplicationInstanceStatus`.
    /// Source: its values in the model of DescribeReplicationInstances; the published waiter does not end on all bad ones.
    pub fn of(status: &str) -> Self {
        match status {
            "available" => Self::Usable,
            "failed"
            | "deleted"
            | "deleting"
            | "storage-full"
            | "incompatible-credentials"
            | "incompatible-network"
            | "inaccessible-encryption-credentials" => Self::Broken,
            _ => Self::Passing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_that_no_waiting_mends_are_broken() {
        let cases = [
            ("available", Standing::Usable),
            ("creating", Standing::Passing),
            ("modifying", Standing::Passing),
            ("maintenance", Standing::Passing),
            ("napping", Standing::Passing),
            ("failed", Standing::Broken),
            ("incompatible-network", Standing::Broken),
            ("storage-full", Standing::Broken),
        ];
        for (status, expected) in cases {
            assert_eq!(Standing::of(status), expected, "{status}");
        }
    }
}
