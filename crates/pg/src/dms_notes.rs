//! What DMS notes in its control tables on the target: suspended tables, changes that it could not apply.
//!
//! The tables belong to DMS's own login and exist from the task's start on; their columns are as DMS makes them
//! (quoted upper case in `awsdms_apply_exceptions`, lower case elsewhere). Notes of a task that another one has taken the
//! place of say nothing any more: the one at work is the one that wrote its status last.

use pgleap_contract::redact;
use pgleap_contract::steps::TableName;

use crate::{PgError, Session, ident};

/// How many notes are read; more would say nothing new.
const LISTED: usize = 20;

const SUSPENDED: &str = "SELECT format('table %s.%s is suspended: %s', table_owner, table_name, suspend_reason)
                         FROM pgleap_dms.awsdms_suspended_tables WHERE $1::text IS NULL OR task_name = $1 LIMIT 20";
// Neither the statement nor its values: they are row data.
const EXCEPTIONS: &str = r#"SELECT format('a change of table %s.%s was not applied, %s times', "TABLE_OWNER", "TABLE_NAME", count(*))
                            FROM pgleap_dms.awsdms_apply_exceptions WHERE $1::text IS NULL OR "TASK_NAME" = $1
                            GROUP BY "TABLE_OWNER", "TABLE_NAME" LIMIT 20"#;
/// The newest error of each table: those of the load and those of changes have the same columns.
const ERRORS: &str = r#"SELECT DISTINCT ON (1) format('%s.%s', "TABLE_OWNER", "TABLE_NAME"), "ERROR" FROM {table}
                        WHERE $1::text IS NULL OR "TASK_NAME" = $1 ORDER BY 1, "ERROR_TIME" DESC LIMIT 5"#;
/// Longest text of one error, in characters.
const LONGEST: usize = 300;

const AT_WORK: &str = "SELECT task_name FROM pgleap_dms.awsdms_status ORDER BY status_time DESC LIMIT 1";

/// Notes of trouble, as the DMS login may read them; none is good.
pub async fn read(dms: &Session) -> Result<Vec<String>, PgError> {
    let at_work = at_work(dms).await?;
    let (suspended, exceptions) = tokio::try_join!(
        noted(dms, "awsdms_suspended_tables", SUSPENDED, &at_work),
        noted(dms, "awsdms_apply_exceptions", EXCEPTIONS, &at_work)
    )?;
    let mut notes = suspended;
    notes.extend(exceptions);
    notes.truncate(LISTED);
    Ok(notes)
}

async fn noted(dms: &Session, table: &str, sql: &str, at_work: &Option<String>) -> Result<Vec<String>, PgError> {
    if !exists(dms, table).await? {
        return Ok(Vec::new());
    }
    let rows = dms.rows("read control tables", sql, &[at_work]).await?;
    Ok(rows.iter().map(|row| redact(row.get(0))).collect())
}

/// DMS's own words about the tables in error, without values of rows: `app.t: <error>`, of five tables at the most. As the DMS
/// login may read them; none is no news.
pub async fn said(dms: &Session) -> Result<Vec<String>, PgError> {
    let mut said = Vec::new();
    let at_work = at_work(dms).await?;
    for table in ["awsdms_full_load_exceptions", "awsdms_apply_exceptions"] {
        if exists(dms, table).await? {
            let sql = ERRORS.replace("{table}", &format!("pgleap_dms.{table}"));
            let rows = dms.rows("read errors of tables", &sql, &[&at_work]).await?;
            said.extend(rows.iter().map(|row| {
                let (table, error): (String, String) = (row.get(0), row.get(1));
                format!("{table}: {}", without_values(&redact(&error)))
            }));
        }
    }
    Ok(said)
}

/// The first line of an error, with what PostgreSQL quotes from a row left out: its other lines (DETAIL, CONTEXT) show rows
/// too, its first one a value only behind a colon or the word `value`.
pub fn without_values(error: &str) -> String {
    let mut line = error.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("no reason").to_owned();
    for before in [": \"", "value \""] {
        while let Some(start) = line.find(before).map(|at| at + before.len() - 1) {
            let end = line[start + 1..].rfind('"').map_or(line.len(), |end| start + 1 + end + 1);
            line.replace_range(start..end, "(a value)");
        }
    }
    line.chars().take(LONGEST).collect()
}

/// Forget the notes about these tables, which were loaded again: what was not applied then is in the rows now.
pub async fn forget(dms: &Session, tables: &[TableName]) -> Result<(), PgError> {
    let schemas: Vec<&str> = tables.iter().map(|table| table.schema.as_str()).collect();
    let names: Vec<&str> = tables.iter().map(|table| table.table.as_str()).collect();
    for (table, sql) in [
        (
            "awsdms_suspended_tables",
            "DELETE FROM pgleap_dms.awsdms_suspended_tables
             WHERE (table_owner, table_name) IN (SELECT * FROM unnest($1::text[], $2::text[]))",
        ),
        (
            "awsdms_apply_exceptions",
            r#"DELETE FROM pgleap_dms.awsdms_apply_exceptions
               WHERE ("TABLE_OWNER", "TABLE_NAME") IN (SELECT * FROM unnest($1::text[], $2::text[]))"#,
        ),
    ] {
        if exists(dms, table).await? {
            dms.rows("forget notes of tables", sql, &[&schemas, &names]).await?;
        }
    }
    Ok(())
}

/// Let another login read the control tables, as the DMS login, which owns them.
pub async fn show_to(dms: &Session, login: &str) -> Result<(), PgError> {
    let login = ident(login);
    let sql = format!(
        "GRANT USAGE ON SCHEMA pgleap_dms TO {login}; GRANT SELECT ON ALL TABLES IN SCHEMA pgleap_dms TO {login}"
    );
    dms.run("show the control tables to the working login", &sql).await
}

/// The task at work by DMS's own name for it; none if no task has written its status yet.
async fn at_work(dms: &Session) -> Result<Option<String>, PgError> {
    if !exists(dms, "awsdms_status").await? {
        return Ok(None);
    }
    let rows = dms.rows("read the status of tasks", AT_WORK, &[]).await?;
    Ok(rows.first().map(|row| row.get(0)))
}

async fn exists(dms: &Session, table: &str) -> Result<bool, PgError> {
    let sql = "SELECT to_regclass('pgleap_dms.' || $1) IS NOT NULL";
    Ok(dms.row("look for control tables", sql, &[&table]).await?.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_without_values_of_rows() {
        let cases = [
            ("permission denied for table t", "permission denied for table t"),
            ("relation \"app.t\" does not exist", "relation \"app.t\" does not exist"),
            ("invalid input syntax for type integer: \"se\"cret\"", "invalid input syntax for type integer: (a value)"),
            ("value \"99999\" is out of range for type smallint", "value (a value) is out of range for type smallint"),
            ("duplicate key violates \"t_pkey\"\nDETAIL:  Key (id)=(5) exists.", "duplicate key violates \"t_pkey\""),
            ("\n  RetCode: SQL_ERROR  SqlState: 42501\nx", "RetCode: SQL_ERROR  SqlState: 42501"),
            ("", "no reason"),
        ];
        for (error, expected) in cases {
            assert_eq!(without_values(error), expected, "{error}");
        }
        assert_eq!(without_values(&"x".repeat(900)).len(), LONGEST);
    }
}
