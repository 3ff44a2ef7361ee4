//! What DMS notes in its control tables on the target: suspended tables, changes that it could not apply.
//!
//! The tables belong to DMS's own login and exist from the task's start on; their columns are as DMS makes them
//! (quoted upper case in `awsdms_apply_exceptions`, lower case elsewhere).

use crate::{PgError, Session};

/// How many notes are read; more would say nothing new.
const LISTED: usize = 20;

const SUSPENDED: &str = "SELECT format('table %s.%s is suspended: %s', table_owner, table_name, suspend_reason)
                         FROM pgleap_dms.awsdms_suspended_tables LIMIT 20";
// Neither the statement nor its values: they are row data.
const EXCEPTIONS: &str = r#"SELECT format('a change of table %s.%s was not applied, %s times', "TABLE_OWNER", "TABLE_NAME", count(*))
                            FROM pgleap_dms.awsdms_apply_exceptions GROUP BY "TABLE_OWNER", "TABLE_NAME" LIMIT 20"#;

/// Notes of trouble, as the DMS login may read them; none is good.
pub async fn read(dms: &Session) -> Result<Vec<String>, PgError> {
    let mut notes = Vec::new();
    for (table, sql) in [("awsdms_suspended_tables", SUSPENDED), ("awsdms_apply_exceptions", EXCEPTIONS)] {
        let exists = dms
            .row("look for control tables", "SELECT to_regclass('pgleap_dms.' || $1) IS NOT NULL", &[&table])
            .await?;
        if exists.get(0) {
            let rows = dms.rows("read control tables", sql, &[]).await?;
            notes.extend(rows.iter().map(|row| row.get::<_, String>(0)));
        }
    }
    notes.truncate(LISTED);
    Ok(notes)
}
