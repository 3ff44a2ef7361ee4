//! Sequences, which neither DMS nor logical replication carries.

use anyhow::{Context, Result};
use tokio_postgres::Client;

use super::tables::run_each;

/// Head-room for what the source gives until its last client has left, in steps of the sequence.
const AHEAD: i64 = 10_000;

/// For every sequence: its last value and the head-room, within its bounds. One that cycles gives its values again anyway.
const WITH_HEAD_ROOM: &str = "
    SELECT format('SELECT setval(%L, %s)', format('%I.%I', schemaname, sequencename),
                  greatest(min_value::numeric, least(max_value::numeric, last_value::numeric + $1::bigint * increment_by)))
    FROM pg_sequences WHERE last_value IS NOT NULL AND NOT cycle AND schemaname !~ '^pg_'";

/// For every sequence that a numeric column owns: the column's largest value.
const OWNED: &str = "
    SELECT format('SELECT setval(%L, coalesce(max(%I), 1)) FROM %s', d.objid::regclass, a.attname, d.refobjid::regclass)
    FROM pg_depend d
    JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
    JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    JOIN pg_type t ON t.oid = a.atttypid AND t.typcategory = 'N'
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')";

/// Set the target's sequences ahead of the source's.
pub(super) async fn set_ahead(source: &Client, target: &Client) -> Result<()> {
    let rows = source.query(WITH_HEAD_ROOM, &[&AHEAD]).await.context("read the sequences")?;
    run_each(target, rows.iter().map(|row| row.get(0))).await
}

/// Set the target's sequences by the rows that it has: those that a column owns, and no others.
pub(super) async fn refresh_owned(target: &Client) -> Result<()> {
    let rows = target.query(OWNED, &[]).await.context("list the sequences")?;
    run_each(target, rows.iter().map(|row| row.get(0))).await
}
