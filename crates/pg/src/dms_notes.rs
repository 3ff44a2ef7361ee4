//! What DMS notes in its control tables on the target: suspended tables, changes that it could not apply.
//!
//! The tables belong to DMS's own login and exist from the task's start on; their columns are as DMS makes them
//! (quoted upper case in `awsdms_apply_exceptions`, lower case elsewhere). Notes of a task that another one has taken the
//! place of say nothing any more: the one at work is the one that wrote its status last.

use pgleap_contract::steps::TableName;

use crate::{PgError, Session};

/// How many notes are read; more would say nothing new.
const LISTED: usize = 20;

const SUSPENDED: &str = "SELECT format('table %s.%s is suspended: %s', table_owner, table_name, suspend_reason)
                         FROM pgleap_dms.awsdms_suspended_tables WHERE $1::text IS NULL OR task_name = $1 LIMIT 20";
// Neither the statement nor its values: they are row data.
const EXCEPTIONS: &str = r#"SELECT format('a change of table %s.%s was not applied, %s times', "TABLE_OWNER", "TABLE_NAME", count(*))
                            FROM pgleap_dms.awsdms_apply_exceptions WHERE $1::text IS NULL OR "TASK_NAME" = $1
                            GROUP BY "TABLE_OWNER", "TABLE_NAME" LIMIT 20"#;
const AT_WORK: &str = "SELECT task_name FROM pgleap_dms.awsdms_status ORDER BY status_time DESC LIMIT 1";

/// Notes of trouble, as the DMS login may read them; none is good.
pub async fn read(dms: &Session) -> Result<Vec<String>, PgError> {
    let mut notes = Vec::new();
    let at_work = at_work(dms).await?;
    for (table, sql) in [("awsdms_suspended_tables", SUSPENDED), ("awsdms_apply_exceptions", EXCEPTIONS)] {
        if exists(dms, table).await? {
            let rows = dms.rows("read control tables", sql, &[&at_work]).await?;
            notes.extend(rows.iter().map(|row| row.get::<_, String>(0)));
        }
    }
    notes.truncate(LISTED);
    Ok(notes)
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
