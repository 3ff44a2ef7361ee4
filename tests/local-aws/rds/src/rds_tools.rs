//! The answer of the extension `rds_tools`. scripts/setup-postgres.py installs its files beside those of the servers' own
//! extensions. Its function reads a setting, which the stand-in writes into postgresql.conf.

use local_aws_postgres::{Cluster, Error, Result, Setting};

use crate::state::Seed;

/// Read by `rds_tools.logical_seed_lsn()`.
const SEED_SETTING: &str = "rdsadmin.seed_lsn";
/// Read by the script of CREATE EXTENSION.
const OFFERED_SETTING: &str = "rdsadmin.rds_tools";

/// The server's setting for this answer.
pub(crate) fn setting(seed: &Seed) -> Option<Setting> {
    match seed {
        Seed::Unknown => None,
        Seed::At(position) => Some(Setting::new(SEED_SETTING, position)),
        Seed::NoFunction => Some(Setting::new(OFFERED_SETTING, "off")),
    }
}

/// Where the recovery ended that this start of the server began with; `None` after a clean stop.
pub(crate) async fn end_of_recovery(cluster: &Cluster) -> Result<Option<String>> {
    let admin = cluster.admin("postgres").await?;
    let failed = |source| Error::Sql { what: "read where the recovery ended".to_owned(), source };
    let row = admin.query_one("SELECT pg_last_wal_replay_lsn()::text", &[]).await.map_err(failed)?;
    Ok(row.get(0))
}
