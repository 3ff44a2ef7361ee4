//! What DMS is told to carry: only the database knows.

use pgleap_contract::steps::{ColumnName, Selection, TableName};
use pgleap_pg::Session;
use pgleap_step_kit::prelude::*;

/// Schemas with tables that are carried.
const SCHEMAS: &str = "\
    SELECT DISTINCT n.nspname FROM pgleap.carried k JOIN pg_class c ON c.oid = k.relid JOIN pg_namespace n ON n.oid = c.relnamespace \
    ORDER BY 1";

/// Relations of these schemas that DMS would take for tables to carry: partitioned parents (their leaves are carried),
/// unlogged and foreign tables, tables of extensions.
const EXCLUDED: &str = "\
    SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relkind IN ('r', 'p', 'f') AND n.nspname = ANY ($1) \
      AND NOT EXISTS (SELECT FROM pgleap.carried k WHERE k.relid = c.oid AND NOT k.partitioned) \
    ORDER BY 1, 2";

/// Generated columns: neither INSERT nor COPY may write them.
const GENERATED: &str = "\
    SELECT n.nspname, c.relname, a.attname FROM pgleap.carried k \
    JOIN pg_class c ON c.oid = k.relid JOIN pg_namespace n ON n.oid = c.relnamespace \
    JOIN pg_attribute a ON a.attrelid = k.relid AND a.attgenerated <> '' AND NOT a.attisdropped \
    WHERE NOT k.partitioned ORDER BY 1, 2, 3";

/// Read it from the target, whose plan has decided what is carried.
pub(crate) async fn read(target: &Session, replica_role: bool) -> StepResult<Selection> {
    let rows = target.rows("list schemas", SCHEMAS, &[]).await?;
    let schemas: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let rows = target.rows("list tables to leave out", EXCLUDED, &[&schemas]).await?;
    let excluded_tables: Vec<_> = rows.iter().map(|row| TableName { schema: row.get(0), table: row.get(1) }).collect();
    let rows = target.rows("list generated columns", GENERATED, &[]).await?;
    let removed_columns: Vec<_> =
        rows.iter().map(|row| ColumnName { schema: row.get(0), table: row.get(1), column: row.get(2) }).collect();
    for (what, length) in [
        ("schemas to copy", schemas.len()),
        ("tables to leave out", excluded_tables.len()),
        ("generated columns", removed_columns.len()),
    ] {
        bounded(what, length)?;
    }
    Ok(Selection { schemas, excluded_tables, removed_columns, replica_role })
}

fn bounded(what: &str, length: usize) -> StepResult<()> {
    let longest = Selection::LONGEST;
    if length > longest {
        let reason = format!("select tables: {length} {what} are more than {longest}, the limit of a table mapping");
        return Err(StepError::new(ErrorCode::PreflightBlocked, reason));
    }
    Ok(())
}
