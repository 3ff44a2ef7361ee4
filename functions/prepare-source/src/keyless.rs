//! Tables whose old rows cannot be told apart by a primary key: their updates and deletes are lost to a copy unless another unique
//! index or the whole old row is logged.

use pgleap_contract::{CopyEngine, KeylessTables};
use pgleap_pg::{Session, ident, identifying, qualified};
use pgleap_step_kit::prelude::*;

/// Each of them, with what it may log: the primary key where there is one, a unique index, else the whole row.
const TABLES: &str = include_str!("keyless.sql");

/// How long one table may keep us waiting for its lock, in milliseconds: everybody else queues behind us.
const LOCK_TIMEOUT_MS: u32 = 2_000;

/// Save and change, table by table.
///
/// Native replication publishes changes of partitions as their root's. It finds rows by the index of a replica identity, so a table
/// with one stays as it is, and one that could have one gets it, whatever was chosen: that costs next to nothing, and logged
/// whole, a column without equality would stop the apply worker at the first update.
pub(crate) async fn log_old_rows(owner: &Session, run: &Run) -> StepResult<()> {
    let (skipped, is_native) = (&run.choices.as_of_snapshot_schemas, run.copy.engine == CopyEngine::Native);
    let whole_rows = run.choices.keyless_tables == KeylessTables::ReplicaIdentityFull;
    if !is_native && !whole_rows {
        return Ok(());
    }
    let sql = TABLES.replace("{identifying}", identifying::INDEXES);
    for row in owner.rows("list tables without a key", &sql, &[skipped, &is_native, &whole_rows]).await? {
        let table = qualified(row.get(0), row.get(1));
        let (has_key, relation, index): (bool, u32, Option<&str>) = (row.get(2), row.get(3), row.get(4));
        let identity = match index {
            _ if has_key => "DEFAULT".to_owned(),
            Some(index) => format!("USING INDEX {}", ident(index)),
            None => "FULL".to_owned(),
        };
        let sql = format!(
            "BEGIN; SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS};
             INSERT INTO pgleap.replica_identity_before (schema_name, table_name, identity, index_name)
             SELECT n.nspname, c.relname, c.relreplident, (SELECT x.relname FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
                                                           WHERE i.indrelid = c.oid AND i.indisreplident)
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = {relation}
             ON CONFLICT DO NOTHING;
             ALTER TABLE {table} REPLICA IDENTITY {identity}; COMMIT"
        );
        owner.run(&format!("log old rows of {table}"), &sql).await?;
    }
    Ok(())
}
