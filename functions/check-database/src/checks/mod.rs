//! The checks, whichever engine copies. Each is a file with a query or a pure function; a new one is a file and a line in [`ALL`].
//! Those of an engine are in a folder of its name, those of `failBack` in `fail_back`.

mod catalog_views;
mod closed_databases;
mod collation_versions;
mod create_role;
mod database_names;
mod database_owner;
mod encoding_conversions;
mod event_triggers;
mod extension_replication;
mod extension_tables;
mod extensions_in_the_way;
mod forced_row_security;
mod foreign_servers;
mod foreign_tables;
mod gone_columns;
mod iam_logins;
mod invalid_indexes;
mod large_objects;
mod lock_room;
mod long_transactions;
mod names_free;
mod not_null_inheritance;
mod other_databases;
mod outdated_extensions;
mod owner_sessions;
mod polymorphic_functions;
mod postfix_operators;
mod prepared_transactions;
mod read_only_database;
mod replication_neighbours;
mod role_names;
mod scheduled_jobs;
mod schema_owner;
mod sequences_near_end;
mod sessions;
mod short_lived_roles;
mod slots;
mod table_owner;
mod table_privileges;
mod types_in_the_way;
mod unknown_settings;
mod unlogged_tables;
mod workers;
mod wraparound_age;

use pgleap_contract::Finding;

use crate::facts::Facts;
use crate::query::Query;

/// One check.
pub(crate) enum Check {
    /// A judgement over facts that were gathered beforehand.
    Facts(fn(&Facts) -> Vec<Finding>),
    /// A query that answers with one row for each offender.
    Query(&'static Query),
    /// The same, answered in one finding for all offenders.
    List(&'static Query),
}

/// In the order in which an operator would ask: who may, what is around, what the tables are like.
pub(crate) const ALL: &[Check] = &[
    // Who the login is and what it may.
    Check::Facts(database_owner::check),
    Check::Query(&table_owner::CHECK),
    Check::Query(&schema_owner::CHECK),
    Check::Query(&table_privileges::CHECK),
    Check::Facts(create_role::check),
    Check::Facts(sessions::check),
    // What an earlier run or task left.
    Check::Facts(names_free::check),
    Check::Query(&read_only_database::CHECK),
    // The server, and what else happens on it.
    Check::Facts(other_databases::check),
    Check::Facts(replication_neighbours::check),
    Check::Facts(slots::check),
    Check::Facts(workers::check),
    Check::Facts(lock_room::check),
    Check::Facts(prepared_transactions::check),
    Check::Query(&long_transactions::CHECK),
    Check::Query(&wraparound_age::CHECK),
    Check::Query(&extension_replication::CHECK),
    Check::Query(&scheduled_jobs::CHECK),
    Check::Facts(event_triggers::check),
    Check::Query(&owner_sessions::CHECK),
    Check::Query(&iam_logins::CHECK),
    Check::Facts(short_lived_roles::check),
    // What stops the upgrade of the copy.
    Check::Query(&closed_databases::CHECK),
    Check::Query(&database_names::CHECK),
    Check::Query(&role_names::CHECK),
    Check::Query(&extensions_in_the_way::CHECK),
    Check::Query(&outdated_extensions::CHECK),
    Check::Query(&types_in_the_way::CHECK),
    Check::Query(&gone_columns::CHECK),
    Check::Query(&catalog_views::CHECK),
    Check::Query(&unknown_settings::CHECK),
    Check::Query(&postfix_operators::CHECK),
    Check::Query(&polymorphic_functions::CHECK),
    Check::Query(&encoding_conversions::CHECK),
    Check::Query(&not_null_inheritance::CHECK),
    // What no copy carries, or nobody could compare.
    Check::Facts(large_objects::check),
    Check::Query(&forced_row_security::CHECK),
    Check::Query(&unlogged_tables::CHECK),
    Check::Query(&foreign_tables::CHECK),
    Check::Query(&foreign_servers::CHECK),
    Check::Query(&extension_tables::CHECK),
    // What the target would inherit.
    Check::Query(&invalid_indexes::CHECK),
    Check::Query(&collation_versions::CHECK),
    Check::Query(&sequences_near_end::CHECK),
];

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::HashSet;

    use pgleap_contract::Severity;
    use serde_json::json;

    use super::*;
    use crate::facts::{Lists, LoginRights, ServerLimits};

    /// A world in which nothing is wrong: a case changes one thing.
    fn good() -> Facts {
        let run = serde_json::from_value(json!({
            "id": "r", "executionArn": "arn", "mode": "upgrade", "copy": {}, "choices": {}, "limits": {},
            "source": {"instance": "orders", "loginSecret": "s"}, "target": {"version": "18", "instance": "orders-v18"},
            "record": {"zoneId": "Z", "name": "db.example.com"}
        }));
        Facts {
            run: run.expect("a run"),
            major: 15,
            database: "orders".to_owned(),
            login: LoginRights {
                name: "master".to_owned(),
                owns_database: true,
                database_owner: "master".to_owned(),
                may_create_schema: true,
                may_create_roles: true,
                may_end_sessions: true,
                may_see_sessions: true,
                may_set_passwords: true,
                may_grant_replication: true,
                may_grant_replica_role: true,
                may_subscribe: true,
                may_grant_superuser: true,
            },
            server: ServerLimits {
                wal_level: "replica".to_owned(),
                max_replication_slots: 10,
                slots_used: 0,
                max_wal_senders: 10,
                senders_used: 0,
                max_slot_wal_keep_size: -1,
                idle_slot_seconds: 0,
                max_worker_processes: 8,
                background_workers: 1,
                max_logical_replication_workers: 4,
                max_origins: 10,
                all_subscriptions: 0,
                lock_room: 28_800,
                tables_to_lock: 100,
            },
            others: Vec::new(),
            schemas: vec!["public".to_owned()],
            size: Default::default(),
            lists: Lists::default(),
            large_objects: 0,
            prepared_transactions: 0,
            event_triggers: Vec::new(),
            publications: Vec::new(),
            subscriptions: Vec::new(),
            slots: Vec::new(),
            leftovers: Vec::new(),
            short_lived_roles: Vec::new(),
        }
    }

    /// Every engine's too.
    fn all() -> impl Iterator<Item = &'static Check> {
        ALL.iter().chain(crate::dms::CHECKS).chain(crate::native::CHECKS).chain(crate::fail_back::CHECKS)
    }

    /// Asserts what a change of the good world is found as, where DMS copies: `b` or `w`, then the id.
    pub(crate) fn assert_found(change: impl FnOnce(&mut Facts), expected: &[&str]) {
        assert_found_by(ALL.iter().chain(crate::dms::CHECKS), change, expected);
    }

    /// The same where the native engine does.
    pub(crate) fn assert_found_natively(change: impl FnOnce(&mut Facts), expected: &[&str]) {
        assert_found_by(ALL.iter().chain(crate::native::CHECKS), change, expected);
    }

    /// The same where DMS copies and the source is to follow the target.
    pub(crate) fn assert_found_with_fail_back(change: impl FnOnce(&mut Facts), expected: &[&str]) {
        assert_found_by(ALL.iter().chain(crate::dms::CHECKS).chain(crate::fail_back::CHECKS), change, expected);
    }

    fn assert_found_by(
        checks: impl Iterator<Item = &'static Check>,
        change: impl FnOnce(&mut Facts),
        expected: &[&str],
    ) {
        let mut facts = good();
        change(&mut facts);
        let word = |finding: &Finding| match finding.severity {
            Severity::Blocker => format!("b {}", finding.check),
            Severity::Warning => format!("w {}", finding.check),
        };
        let judged = checks.filter_map(|check| match check {
            Check::Facts(judge) => Some(judge(&facts)),
            Check::Query(_) | Check::List(_) => None,
        });
        let found: Vec<_> = judged.flatten().map(|finding| word(&finding)).collect();
        assert_eq!(found, expected, "{facts:#?}");
    }

    #[test]
    fn nothing_is_found_where_nothing_is_wrong() {
        assert_found(|_| (), &[]);
    }

    #[test]
    fn every_query_has_an_id_of_its_own() {
        let ids: Vec<_> = all()
            .filter_map(|check| match check {
                Check::Query(query) | Check::List(query) => Some(query.id),
                Check::Facts(_) => None,
            })
            .collect();

        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
    }
}
