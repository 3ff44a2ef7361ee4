//! From a group to the settings of a real server.

use std::collections::BTreeMap;

use local_aws_postgres::Setting;

use super::catalog::Catalog;
pub(crate) use super::formula::Machine;
use super::formula::evaluate;
use super::groups::UserValue;

/// Parameters and computed values.
pub(crate) type Values = BTreeMap<String, String>;

/// The server's own files, addresses, logs and safety belong to the stand-in, not to a parameter group.
const NOT_APPLIED: &[&str] = &[
    "huge_pages",
    "log_destination",
    "log_filename",
    "log_line_prefix",
    "log_rotation_age",
    "log_rotation_size",
    "log_truncate_on_rotation",
    "wal_level",
];

/// Libraries that the installed servers can load. RDS has more; a server told to load one of them would not start.
const LOADABLE: &[&str] = &["auto_explain", "pg_prewarm", "pg_stat_statements"];

/// A developer's computer is smaller than an instance: these are kept below what it can stand.
const CEILINGS: &[(&str, u64)] = &[("max_connections", 400), ("shared_buffers", 16_384)];

/// What logical replication needs at least.
const LOGICAL_MINIMUMS: &[(&str, u64)] = &[("max_replication_slots", 10), ("max_wal_senders", 10)];

/// The values that a group gives to an instance of this size: RDS's own, then the user's.
pub(crate) fn values_of(catalog: &Catalog, user: &BTreeMap<String, UserValue>, machine: &Machine) -> Values {
    let system = catalog.parameters.values().filter_map(|parameter| {
        parameter.system_value.as_ref().map(|value| (parameter.name.clone(), evaluate(value, machine)))
    });
    let user = user.iter().map(|(name, set)| (name.clone(), evaluate(&set.value, machine)));
    system.chain(user).collect()
}

/// Whether clients without TLS are turned away.
pub(crate) fn forces_tls(values: &Values) -> bool {
    values.get("rds.force_ssl").is_some_and(|value| value == "1")
}

/// The lines of postgresql.conf for these values.
pub(crate) fn server_settings(values: &Values) -> Vec<Setting> {
    let is_logical = values.get("rds.logical_replication").is_some_and(|value| value == "1");
    let mut settings = vec![Setting::new("wal_level", if is_logical { "logical" } else { "replica" })];
    for (name, value) in values {
        if NOT_APPLIED.contains(&name.as_str()) {
            continue;
        }
        settings.push(Setting::new(name, told_to_the_server(name, value, is_logical)));
    }
    settings
}

/// How many objects one transaction may lock: the product of these. An upgrade needs as many as there are tables.
const LOCK_ROOM: &[&str] = &["max_connections", "max_locks_per_transaction", "max_prepared_transactions"];

/// What the server of an instance is told of the room for locks.
pub(crate) fn lock_settings(values: &Values) -> Vec<Setting> {
    server_settings(values).into_iter().filter(|setting| LOCK_ROOM.contains(&setting.name.as_str())).collect()
}

fn told_to_the_server(name: &str, value: &str, is_logical: bool) -> String {
    if name == "shared_preload_libraries" {
        let wanted = value.split(',').map(str::trim).filter(|library| LOADABLE.contains(library));
        return wanted.collect::<Vec<_>>().join(",");
    }
    // RDS shows its own switches as `on` and `off`; to the server here they are free text.
    if name.starts_with("rds.") && matches!(value, "0" | "1") && name != "rds.rds_superuser_reserved_connections" {
        return if value == "1" { "on" } else { "off" }.to_owned();
    }
    let number = value.parse::<u64>().ok();
    let bound = |bounds: &[(&str, u64)]| bounds.iter().find(|(bounded, _)| *bounded == name).map(|(_, bound)| *bound);
    match (number, bound(CEILINGS), bound(LOGICAL_MINIMUMS)) {
        (Some(number), Some(ceiling), _) => number.min(ceiling).to_string(),
        (Some(number), _, Some(minimum)) if is_logical => number.max(minimum).to_string(),
        _ => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(values: &[(&str, &str)], name: &str) -> Option<String> {
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let settings = server_settings(&values);
        settings.into_iter().rev().find(|setting| setting.name == name).map(|setting| setting.value)
    }

    #[test]
    fn logical_replication_brings_what_it_needs() {
        let values = [("rds.logical_replication", "1"), ("max_replication_slots", "3"), ("max_wal_senders", "20")];

        assert_eq!(setting(&values, "wal_level").as_deref(), Some("logical"));
        assert_eq!(setting(&values, "max_replication_slots").as_deref(), Some("10"));
        assert_eq!(setting(&values, "max_wal_senders").as_deref(), Some("20"));
        assert_eq!(setting(&values, "rds.logical_replication").as_deref(), Some("on"));
    }

    #[test]
    fn what_this_computer_cannot_stand_or_load_is_left_out() {
        let values = [("shared_preload_libraries", "pg_stat_statements, pg_cron"), ("max_connections", "5000")];

        assert_eq!(setting(&values, "shared_preload_libraries").as_deref(), Some("pg_stat_statements"));
        assert_eq!(setting(&values, "max_connections").as_deref(), Some("400"));
        assert_eq!(setting(&values, "wal_level").as_deref(), Some("replica"));
    }
}
