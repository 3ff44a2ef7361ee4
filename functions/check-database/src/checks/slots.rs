//! A logical slot feeds changes to a consumer, and it does not exist on the target. There must also be room for the slots of DMS and of the run.
//! Source: AWS DMS user guide, "Using a PostgreSQL database as an AWS DMS source": max_replication_slots, max_slot_wal_keep_size; PostgreSQL
//! documentation, idle_replication_slot_timeout (18).

use pgleap_contract::Finding;

use crate::facts::Facts;

const ID: &str = "slot-in-use";
const ROOM: &str = "no-room-for-slot";
const KEEP: &str = "slot-may-be-lost";

/// The slot of DMS, and the one with which the run watches the source's changes.
const SLOTS: i64 = 2;

/// The WAL senders of DMS: one for the task, one more while it reconnects.
const SENDERS: i64 = 2;

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let server = &facts.server;
    let mut findings = Vec::new();
    for slot in &facts.slots {
        let found =
            format!("logical slot {slot} feeds a consumer that would receive no more changes after the cutover");
        findings.push(Finding::blocker(ID, found, "move that consumer first, or drop the slot if nobody uses it"));
    }
    if server.max_replication_slots - server.slots_used < SLOTS {
        let found = format!(
            "{} of {} replication slots are in use, and the run needs {SLOTS} more",
            server.slots_used, server.max_replication_slots
        );
        findings.push(Finding::blocker(
            ROOM,
            found,
            "raise max_replication_slots (a static parameter, which takes effect at a reboot)",
        ));
    }
    if server.max_wal_senders - server.senders_used < SENDERS {
        let found = format!(
            "{} of {} WAL senders are in use, and the run needs {SENDERS} more",
            server.senders_used, server.max_wal_senders
        );
        findings.push(Finding::blocker(
            ROOM,
            found,
            "raise max_wal_senders (a static parameter, which takes effect at a reboot)",
        ));
    }
    if server.max_slot_wal_keep_size >= 0 {
        let found = format!(
            "max_slot_wal_keep_size is {} MB: a copy that falls further behind loses its slot",
            server.max_slot_wal_keep_size
        );
        findings.push(Finding::warning(KEEP, found, "set it to -1 for the duration of the run"));
    }
    if server.idle_slot_seconds > 0 {
        let found = format!(
            "idle_replication_slot_timeout is {} s: a copy that is stopped for longer loses its slot",
            server.idle_slot_seconds
        );
        findings.push(Finding::warning(KEEP, found, "set it to 0 for the duration of the run"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use crate::checks::tests::assert_found;

    #[test]
    fn slots_of_others_and_want_of_room_are_found() {
        assert_found(|facts| facts.slots = vec!["debezium (pgoutput)".to_owned()], &["b slot-in-use"]);
        assert_found(|facts| facts.server.slots_used = 9, &["b no-room-for-slot"]);
        assert_found(|facts| facts.server.senders_used = 9, &["b no-room-for-slot"]);
        assert_found(|facts| facts.server.max_slot_wal_keep_size = 1_000, &["w slot-may-be-lost"]);
        assert_found(|facts| facts.server.idle_slot_seconds = 3_600, &["w slot-may-be-lost"]);
    }
}
