//! The source has room for one subscription: a worker that applies, a process for it, and a replication origin.
//! Source: PostgreSQL documentation, "Logical Replication", "Configuration Settings", subscribers; up to 17, max_replication_slots also
//! limits the origins.

use pgleap_contract::Finding;

use crate::facts::Facts;

const ID: &str = "fail-back-no-room";

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let server = &facts.server;
    let origins = if facts.major >= 18 { "max_active_replication_origins" } else { "max_replication_slots" };
    let limits = [
        ("max_logical_replication_workers", server.max_logical_replication_workers, server.all_subscriptions),
        ("max_worker_processes", server.max_worker_processes, server.background_workers),
        (origins, server.max_origins, server.all_subscriptions),
    ];
    let full = limits.into_iter().filter(|(_, limit, used)| limit - used < 1);
    let finding = |(name, limit, used): (&str, i64, i64)| {
        let found = format!("{name} of the source is {limit}, {used} of them are in use, and failBack needs 1 more");
        Finding::blocker(ID, found, format!("raise {name} (a static parameter, which takes effect at a reboot)"))
    };
    full.map(finding).collect()
}

#[cfg(test)]
mod tests {
    use crate::checks::tests::assert_found_with_fail_back;

    #[test]
    fn a_source_without_room_for_a_subscription_is_found() {
        let no_room = &["b fail-back-no-room"];
        assert_found_with_fail_back(|_| (), &[]);
        assert_found_with_fail_back(|facts| facts.server.max_logical_replication_workers = 0, no_room);
        assert_found_with_fail_back(|facts| facts.server.background_workers = 8, no_room);
        assert_found_with_fail_back(|facts| facts.server.max_origins = 0, no_room);
        assert_found_with_fail_back(|facts| facts.server.all_subscriptions = 3, &[]);
        assert_found_with_fail_back(
            |facts| facts.server.all_subscriptions = 10,
            &["b fail-back-no-room", "b fail-back-no-room"],
        );
    }
}
