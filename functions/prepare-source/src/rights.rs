//! What the run's logins may read: the copy login every table that is carried, the working login every sequence.
//!
//! Partitions that come later get nothing: a new table is a change under the run, and stops it.

use pgleap_contract::{CopyEngine, Names};
use pgleap_pg::{Session, ident};
use pgleap_step_kit::prelude::*;

use crate::logins::grant_if_allowed;

/// Schemas that are carried, those of the run aside.
const SCHEMAS: &str = "\
    SELECT n.nspname FROM pg_namespace n \
    WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'pgleap') AND n.nspname <> ALL ($1::text[]) \
    ORDER BY n.nspname";

/// What a login still lacks, after all grants.
const LACKS: &str = "\
    SELECT format('%I.%I', n.nspname, c.relname) \
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'pgleap') AND n.nspname <> ALL ($1::text[]) \
      AND (c.relkind = 'r' AND c.relpersistence = 'p' AND NOT (has_schema_privilege($2, n.oid, 'USAGE') AND has_table_privilege($2, c.oid, 'SELECT')) \
        OR c.relkind = 'S' AND NOT (has_schema_privilege($3, n.oid, 'USAGE') AND has_sequence_privilege($3, c.oid, 'SELECT'))) \
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e') \
    ORDER BY 1 LIMIT 5";

/// Grant, then prove. `pg_read_all_data` (from 14) leaves the user's own grants as they are, so it goes first.
pub(crate) async fn ensure(owner: &Session, run: &Run) -> StepResult<()> {
    let (work, copy) = (run.names().work_login(), run.names().copy_login());
    let skipped = &run.choices.as_of_snapshot_schemas;
    if run.copy.engine == CopyEngine::Dms {
        join_readers(owner, &copy).await?;
    }
    if lacking(owner, skipped, &copy, &work).await?.is_empty() {
        return Ok(());
    }
    for role in [&copy, &work] {
        owner.run("grant pg_read_all_data", &grant_if_allowed("pg_read_all_data", &ident(role))).await?;
    }
    if lacking(owner, skipped, &copy, &work).await?.is_empty() {
        return Ok(());
    }
    for row in owner.rows("list schemas", SCHEMAS, &[skipped]).await? {
        grant_in(owner, &ident(row.get(0)), &ident(&work), &ident(&copy)).await?;
    }
    match lacking(owner, skipped, &copy, &work).await?.as_slice() {
        [] => Ok(()),
        lacking => Err(StepError::new(
            ErrorCode::DatabaseDenied,
            format!("grant the run's logins read access: the owner may not grant it for {}, ..", lacking.join(", ")),
        )),
    }
}

/// Policies show rows to members of that role, where the operator has made it. A grant that fails must not pass in silence: DMS
/// would copy what it sees.
async fn join_readers(owner: &Session, copy: &str) -> StepResult<()> {
    let is_there = "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)";
    if owner.row("look for the readers' role", is_there, &[&Names::READER_ROLE]).await?.get(0) {
        let grant = format!("GRANT {} TO {}", ident(Names::READER_ROLE), ident(copy));
        owner.run("let the copy login read past row security", &grant).await?;
    }
    Ok(())
}

async fn grant_in(owner: &Session, schema: &str, work: &str, copy: &str) -> StepResult<()> {
    let sql = format!(
        "BEGIN; GRANT USAGE ON SCHEMA {schema} TO {work}, {copy}; GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {copy}; \
         GRANT SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {work}; COMMIT"
    );
    Ok(owner.run(&format!("grant read access to schema {schema}"), &sql).await?)
}

async fn lacking(owner: &Session, skipped: &[String], copy: &str, work: &str) -> StepResult<Vec<String>> {
    let rows = owner.rows("list what the run's logins may not read", LACKS, &[&skipped, &copy, &work]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
