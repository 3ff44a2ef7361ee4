//! What a status of an RDS instance or snapshot means for a step that waits for it. One table, because the model calls it
//! a free string and the SDK's waiters miss several final ones (`upgrade_failed`, `storage-full`, ..).

/// What a step can do about a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The server works. RDS may still refuse a change for the moment.
    Usable,
    /// It changes by itself: look again. A status that we do not know passes too, until the machine's bound.
    Passing,
    /// No waiting mends it.
    Broken,
}

/// Of an instance's `DBInstanceStatus`.
/// Source: Amazon RDS user guide, "Viewing Amazon RDS DB instance status".
pub fn of_instance(status: &str) -> Standing {
    match status {
        // While blocks of a restored volume come from S3 the instance "remains available for operations".
        "available" | "storage-optimization" | "storage-initialization" => Standing::Usable,
        "stopped"
        | "storage-full"
        | "upgrade_failed"
        | "insufficient-capacity"
        | "restore-error"
        | "failed"
        | "inaccessible-encryption-credentials"
        | "inaccessible-encryption-credentials-recoverable"
        | "deleting"
        | "deleted"
        | "delete-precheck" => Standing::Broken,
        _ if status.starts_with("incompatible-") => Standing::Broken,
        _ => Standing::Passing,
    }
}

/// Of a snapshot's `Status`.
/// Source: Amazon RDS service model, waiter DBSnapshotAvailable.
pub fn of_snapshot(status: &str) -> Standing {
    match status {
        "available" => Standing::Usable,
        "failed" | "deleting" | "deleted" | "unavailable" => Standing::Broken,
        _ if status.starts_with("incompatible-") => Standing::Broken,
        _ => Standing::Passing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_sort() {
        let cases = [
            ("available", Standing::Usable),
            ("storage-optimization", Standing::Usable),
            ("storage-initialization", Standing::Usable),
            ("rebooting", Standing::Passing),
            ("configuring-log-exports", Standing::Passing),
            ("never-heard-of", Standing::Passing),
            ("upgrade_failed", Standing::Broken),
            ("incompatible-parameters", Standing::Broken),
            ("incompatible-something-new", Standing::Broken),
            ("stopped", Standing::Broken),
        ];
        for (status, standing) in cases {
            assert_eq!(of_instance(status), standing, "{status}");
        }
        assert_eq!(of_snapshot("creating"), Standing::Passing);
        assert_eq!(of_snapshot("failed"), Standing::Broken);
    }
}
