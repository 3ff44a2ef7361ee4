//! What DMS notes in its control tables on the target: suspended tables, changes that it could not apply.
//!
//! The tables belong to the copy login and exist from the task's start on; empty-target lets the working login read them
//! (`show_to`). Their columns are as DMS makes them
//! (quoted upper case in `awsdms_apply_exceptions`, lower case elsewhere). Notes of a task that another one has taken the
//! place of say nothing any more: the one at work is the one that wrote its status last.

use pgleap_contract::redact;
use pgleap_contract::steps::TableName;

use pgleap_pg::{PgError, Session, ident, without_values};

/// How many notes are read; more would say nothing new.
const LISTED: usize = 20;

const SUSPENDED: &str = "SELECT format('table %s.%s is suspended: %s', table_owner, table_name, suspend_reason)
                         FROM pgleap_copy.awsdms_suspended_tables WHERE $1::text IS NULL OR task_name = $1 LIMIT 20";
// Neither the statement nor its values: they are row data.
const EXCEPTIONS: &str = r#"SELECT format('a change of table %s.%s was not applied, %s times', "TABLE_OWNER", "TABLE_NAME", count(*))
                            FROM pgleap_copy.awsdms_apply_exceptions WHERE $1::text IS NULL OR "TASK_NAME" = $1
                            GROUP BY "TABLE_OWNER", "TABLE_NAME" LIMIT 20"#;
/// The newest error of each table: those of the load and those of changes have the same columns.
const ERRORS: &str = r#"SELECT DISTINCT ON (1) format('%s.%s', "TABLE_OWNER", "TABLE_NAME"), "ERROR" FROM {table}
                        WHERE $1::text IS NULL OR "TASK_NAME" = $1 ORDER BY 1, "ERROR_TIME" DESC LIMIT 5"#;
const AT_WORK: &str = "SELECT task_name FROM pgleap_copy.awsdms_status ORDER BY status_time DESC LIMIT 1";

/// Notes of trouble; none is good.
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

/// DMS's own words about the tables in error, without values of rows: `app.t: <error>`, of five tables at the most; none is no
/// news.
pub async fn said(dms: &Session) -> Result<Vec<String>, PgError> {
    let mut said = Vec::new();
    let at_work = at_work(dms).await?;
    for table in ["awsdms_full_load_exceptions", "awsdms_apply_exceptions"] {
        if exists(dms, table).await? {
            let sql = ERRORS.replace("{table}", &format!("pgleap_copy.{table}"));
            let rows = dms.rows("read errors of tables", &sql, &[&at_work]).await?;
            said.extend(rows.iter().map(|row| {
                let (table, error): (String, String) = (row.get(0), row.get(1));
                format!("{table}: {}", without_values(&redact(&error)))
            }));
        }
    }
    Ok(said)
}

/// Forget the notes about these tables, which were loaded again: what was not applied then is in the rows now. As the copy
/// login.
pub async fn forget(dms: &Session, tables: &[TableName]) -> Result<(), PgError> {
    let schemas: Vec<&str> = tables.iter().map(|table| table.schema.as_str()).collect();
    let names: Vec<&str> = tables.iter().map(|table| table.table.as_str()).collect();
    for (table, sql) in [
        (
            "awsdms_suspended_tables",
            "DELETE FROM pgleap_copy.awsdms_suspended_tables
             WHERE (table_owner, table_name) IN (SELECT * FROM unnest($1::text[], $2::text[]))",
        ),
        (
            "awsdms_apply_exceptions",
            r#"DELETE FROM pgleap_copy.awsdms_apply_exceptions
               WHERE ("TABLE_OWNER", "TABLE_NAME") IN (SELECT * FROM unnest($1::text[], $2::text[]))"#,
        ),
    ] {
        if exists(dms, table).await? {
            dms.rows("delete the notes of tables", sql, &[&schemas, &names]).await?;
        }
    }
    Ok(())
}

/// Let these logins read the control tables, those too that DMS has not made yet. As the copy login, which owns them.
pub async fn show_to(dms: &Session, logins: &[&str]) -> Result<(), PgError> {
    let logins = logins.iter().map(|login| ident(login)).collect::<Vec<_>>().join(", ");
    let sql = format!(
        "GRANT USAGE ON SCHEMA pgleap_copy TO {logins}; GRANT SELECT ON ALL TABLES IN SCHEMA pgleap_copy TO {logins};
         ALTER DEFAULT PRIVILEGES IN SCHEMA pgleap_copy GRANT SELECT ON TABLES TO {logins}"
    );
    dms.run("show the control tables to the run", &sql).await
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
    let sql = "SELECT to_regclass('pgleap_copy.' || $1) IS NOT NULL";
    Ok(dms.row("look for control tables", sql, &[&table]).await?.get(0))
}
