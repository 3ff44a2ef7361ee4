//! Tables whose old rows cannot be told apart by a primary key: their updates and deletes are lost to a copy unless the whole
//! old row is logged.

use pgleap_contract::CopyEngine;
use pgleap_pg::{Session, qualified};
use pgleap_step_kit::prelude::*;

/// Each of them, with what it logs now and what it shall log: the primary key where there is one, else the whole row.
const TABLES: &str = include_str!("keyless.sql");

/// How long one table may keep us waiting for its lock, in milliseconds: everybody else queues behind us.
const LOCK_TIMEOUT_MS: u32 = 2_000;

/// Save and change, table by table.
///
/// Native replication publishes changes of partitions as their root's. It finds rows by the index of a replica identity, so such
/// a table stays as it is: logged whole, a column without equality would stop the apply worker at the first update.
pub(crate) async fn log_whole_rows(owner: &Session, run: &Run) -> StepResult<()> {
    let (skipped, is_native) = (&run.choices.as_of_snapshot_schemas, run.copy.engine == CopyEngine::Native);
    for row in owner.rows("list tables without a key", TABLES, &[skipped, &is_native]).await? {
        let table = qualified(row.get(0), row.get(1));
        let (has_key, relation): (bool, u32) = (row.get(2), row.get(3));
        let identity = if has_key { "DEFAULT" } else { "FULL" };
        let sql = format!(
            "BEGIN; SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS};
             INSERT INTO pgleap.replica_identity_before (schema_name, table_name, identity, index_name)
             SELECT n.nspname, c.relname, c.relreplident, (SELECT x.relname FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
                                                           WHERE i.indrelid = c.oid AND i.indisreplident)
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = {relation}
             ON CONFLICT DO NOTHING;
             ALTER TABLE {table} REPLICA IDENTITY {identity}; COMMIT"
        );
        owner.run(&format!("log whole rows of {table}"), &sql).await?;
    }
    Ok(())
}
