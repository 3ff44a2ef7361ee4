//! The upgrade of the copy locks every table of a database in one transaction.
//! Source: PostgreSQL documentation, max_locks_per_transaction; pg_upgrade dumps a schema by pg_dump, which locks its tables.

use pgleap_contract::Finding;

use crate::facts::Facts;

const ID: &str = "lock-room";

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let server = &facts.server;
    if server.tables_to_lock <= server.lock_room {
        return Vec::new();
    }
    let found = format!(
        "the upgrade of the copy locks {} tables in one transaction, and the server has room for {} locks: the upgrade may fail for lack of memory",
        server.tables_to_lock, server.lock_room
    );
    vec![Finding::warning(
        ID,
        found,
        "raise max_locks_per_transaction (a static parameter, which takes effect at the next reboot)",
    )]
}

#[cfg(test)]
mod tests {
    use crate::checks::tests::assert_found;

    #[test]
    fn more_tables_than_the_server_can_lock_are_found() {
        assert_found(|facts| facts.server.tables_to_lock = 30_000, &["w lock-room"]);
        assert_found(|facts| facts.server.tables_to_lock = facts.server.lock_room, &[]);
    }
}
