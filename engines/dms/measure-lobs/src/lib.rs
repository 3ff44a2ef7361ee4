//! Measure the large values of the tables in error exactly: limited LOB mode truncates values that are longer than its
//! limit, so the limit must come from the data.
//!
//! Changes:      source (the table `pgleap.lob_length`: what was measured)
//! Repeatable:   yes; a table that was measured in this round is not measured again
//! If it dies:   the server goes on measuring; the next look finds the result, or starts the statement again
//!
//! A table of terabytes takes longer to read than a Lambda lives, so the statement writes its result into a table on the
//! server and is left to itself (`start_and_leave`); one table at a time, because each is a scan of the source.

mod length;

use std::time::Duration;

use pgleap_contract::steps::{LobLimit, MeasureLobsInput, MeasureLobsOutput, TableName};
use pgleap_pg::{PgError, Session, qualified};
use pgleap_step_kit::prelude::*;
use pgleap_step_kit::source_watch::{self, Pace};
use pgleap_step_kit::unchanged::refuse_changed_source;
use pgleap_step_kit::wal::refuse_too_much_wal;

use crate::length::{Column, Measured, Verdict, decide, statement};

/// The function lives for 280 s.
const PACE: Pace = Pace::of(Duration::from_secs(270));

/// One look.
pub async fn run(ctx: &Ctx, input: MeasureLobsInput) -> StepResult<Polled<MeasureLobsOutput>> {
    let run = &input.run;
    source_watch::keep_up(ctx, run, &input.source, PACE).await?;
    let source = ctx.as_owner(run, &input.source).await?;
    refuse_too_much_wal(&source, &input.source, &run.limits).await?;
    // A table that was changed under the run is in error for that, and no reload mends it.
    refuse_changed_source(run, &source).await?;
    source.run("create pgleap.lob_length", include_str!("lob_length.sql")).await?;
    let round = i64::from(input.reloads);
    let worker = run.names().application("measure");
    let mut limits = Vec::new();
    for table in &input.tables {
        let columns = lob_columns(&source, table).await?;
        if !columns.is_empty() && measured(&source, round, table).await?.is_empty() {
            if !is_working(&source, &worker).await? {
                let session = ctx.as_owner(run, &input.source).await?;
                let name = "SELECT set_config('application_name', $1, false)";
                session.rows("name the session", name, &[&worker]).await?;
                let is_utf8 = is_utf8(&source).await?;
                let doing = format!("measure table {table}");
                session.start_and_leave(&doing, &statement(round, table, &columns, is_utf8)).await?;
            }
            if measured(&source, round, table).await?.is_empty() {
                return Ok(Polled::Waiting(format!("the run is measuring the longest values of {table}")));
            }
        }
        limits.push(limit(table, &measured(&source, round, table).await?, input.reloads)?);
    }
    Ok(Polled::Done(MeasureLobsOutput { limits }))
}

fn limit(table: &TableName, measured: &[Measured], reloads: u32) -> StepResult<LobLimit> {
    let (schema, name) = (table.schema.clone(), table.table.clone());
    match decide(measured, reloads) {
        Verdict::Limit(kilobytes) => Ok(LobLimit { schema, table: name, kilobytes }),
        Verdict::TooLarge(longest) => Err(StepError::new(
            ErrorCode::TablesInError,
            format!(
                "table {table} is in error in full LOB mode, and column {} has a value that takes {} bytes as DMS counts them \
                 (three times its size), more than limited LOB mode holds ({} KB)",
                longest.column,
                longest.bytes,
                length::MOST_KILOBYTES
            ),
        )),
    }
}

async fn lob_columns(source: &Session, table: &TableName) -> Result<Vec<Column>, PgError> {
    let quoted = qualified(&table.schema, &table.table);
    let rows = source.rows("read columns", include_str!("columns.sql"), &[&quoted]).await?;
    Ok(rows.iter().filter_map(|row| Column::of(row.get(0), row.get(1), row.get(2))).collect())
}

async fn measured(source: &Session, round: i64, table: &TableName) -> Result<Vec<Measured>, PgError> {
    let sql = "SELECT \"column\", bytes FROM pgleap.lob_length WHERE reloads = $1 AND schema = $2 AND name = $3";
    let rows = source.rows("read what was measured", sql, &[&round, &table.schema, &table.table]).await?;
    Ok(rows.iter().map(|row| Measured { column: row.get(0), bytes: row.get(1) }).collect())
}

async fn is_working(source: &Session, worker: &str) -> Result<bool, PgError> {
    let sql = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE usename = current_user AND application_name = $1 AND state = 'active')";
    Ok(source.row("look for the measurement", sql, &[&worker]).await?.get(0))
}

async fn is_utf8(source: &Session) -> Result<bool, PgError> {
    Ok(source.row("read the encoding", "SELECT current_setting('server_encoding') = 'UTF8'", &[]).await?.get(0))
}
