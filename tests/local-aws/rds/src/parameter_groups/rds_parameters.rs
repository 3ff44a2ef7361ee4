//! What RDS adds to the engine's parameters: its own ones, its values, and those it does not let anybody set.

use super::catalog::Parameter;

/// Set by RDS alone.
pub(super) const NOT_MODIFIABLE: &[&str] = &[
    "allow_system_table_mods",
    "archive_cleanup_command",
    "archive_command",
    "archive_library",
    "archive_mode",
    "bonjour",
    "bonjour_name",
    "cluster_name",
    "config_file",
    "data_directory",
    "data_sync_retry",
    "dynamic_library_path",
    "dynamic_shared_memory_type",
    "external_pid_file",
    "fsync",
    "full_page_writes",
    "hba_file",
    "ident_file",
    "krb_server_keyfile",
    "listen_addresses",
    "local_preload_libraries",
    "log_directory",
    "log_file_mode",
    "log_timezone",
    "logging_collector",
    "port",
    "primary_conninfo",
    "primary_slot_name",
    "recovery_target",
    "recovery_target_action",
    "recovery_target_lsn",
    "recovery_target_name",
    "recovery_target_time",
    "recovery_target_timeline",
    "recovery_target_xid",
    "restore_command",
    "shared_memory_type",
    "ssl",
    "ssl_ca_file",
    "ssl_cert_file",
    "ssl_crl_dir",
    "ssl_crl_file",
    "ssl_key_file",
    "ssl_passphrase_command",
    "superuser_reserved_connections",
    "synchronous_standby_names",
    "syslog_facility",
    "syslog_ident",
    "unix_socket_directories",
    "unix_socket_group",
    "unix_socket_permissions",
    "wal_level",
    "wal_sync_method",
    "zero_damaged_pages",
];

/// Bounds that are narrower than the engine's.
pub(super) const NARROWER_BOUNDS: &[(&str, &str)] =
    &[("max_replication_slots", "5-262143"), ("max_wal_senders", "5-262143")];

/// Values that RDS sets where the user sets none.
pub(super) fn system_values() -> impl Iterator<Item = (&'static str, &'static str)> {
    [
        ("idle_in_transaction_session_timeout", "86400000"),
        ("max_connections", "LEAST({DBInstanceClassMemory/9531392},5000)"),
        ("max_prepared_transactions", "0"),
        ("max_replication_slots", "10"),
        ("max_wal_senders", "10"),
        ("max_worker_processes", "GREATEST({DBInstanceVCPU*2},8)"),
        ("shared_buffers", "{DBInstanceClassMemory/32768}"),
        ("shared_preload_libraries", "pg_stat_statements"),
        ("wal_level", "replica"),
        ("wal_receiver_timeout", "30000"),
        ("wal_sender_timeout", "30000"),
    ]
    .into_iter()
}

/// Parameters that only RDS knows.
pub(super) fn own_parameters(major: u16) -> impl Iterator<Item = Parameter> {
    let force_tls = if major >= 15 { "1" } else { "0" };
    [
        boolean("rds.logical_replication", Static, "0", "Enables logical decoding."),
        boolean("rds.force_ssl", Dynamic, force_tls, "Force SSL connections."),
        boolean("rds.adaptive_autovacuum", Dynamic, "1", "RDS parameter to enable/disable adaptive autovacuum."),
        boolean("rds.iam_auth_for_replication", Dynamic, "0", "Allow IAM authentication for replication connections."),
        boolean(
            "rds.restrict_password_commands",
            Static,
            "0",
            "restricts password-related commands to members of rds_password",
        ),
        // pg_cron's own, which RDS knows wherever it offers the extension. The servers here cannot load it.
        own("cron.launch_active_jobs", "boolean", "on,off", Dynamic, "on", "Launch jobs that are defined as active."),
        integer(
            "rds.log_retention_period",
            Dynamic,
            "4320",
            "1440-10080",
            "Amazon RDS will delete PostgreSQL log that are older than N minutes.",
        ),
        integer(
            "rds.rds_superuser_reserved_connections",
            Static,
            "2",
            "0-8388607",
            "Sets the number of connection slots reserved for rds_superusers.",
        ),
    ]
    .into_iter()
}

#[derive(Clone, Copy, PartialEq)]
enum Apply {
    Static,
    Dynamic,
}
use Apply::{Dynamic, Static};

fn boolean(name: &str, apply: Apply, value: &str, description: &str) -> Parameter {
    own(name, "boolean", "0,1", apply, value, description)
}

fn integer(name: &str, apply: Apply, value: &str, allowed: &str, description: &str) -> Parameter {
    own(name, "integer", allowed, apply, value, description)
}

fn own(name: &str, data_type: &'static str, allowed: &str, apply: Apply, value: &str, description: &str) -> Parameter {
    Parameter {
        name: name.to_owned(),
        description: description.to_owned(),
        data_type,
        is_static: apply == Static,
        allowed_values: Some(allowed.to_owned()),
        is_modifiable: true,
        system_value: Some(value.to_owned()),
    }
}
