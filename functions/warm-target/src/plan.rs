//! What is to be read and checked.

use pgleap_contract::Run;
use pgleap_pg::{PgErrorKind, Session, chores, ident};
use pgleap_step_kit::StepResult;

const DOING: &str = "plan what the run reads before the cutover";

/// The extensions that read and check, with what is called of them. Those that the run creates go with the schema that it
/// creates them in.
const READS: (&str, &str) = ("pg_prewarm", "pg_prewarm");
const CHECKS: (&str, &str) = ("amcheck", "bt_index_check");

/// Make the plan if there is none.
pub(crate) async fn make(owner: &Session, run: &Run) -> StepResult<()> {
    let (reads, checks) = (schema_of(owner, READS).await?, schema_of(owner, CHECKS).await?);
    let schema = |found: &Option<String>| found.as_deref().map_or_else(|| "pg_catalog".to_owned(), ident);
    let functions = include_str!("functions.sql")
        .replace("{prewarm}", &schema(&reads))
        .replace("{amcheck}", &schema(&checks))
        .replace("{work_login}", &ident(&run.names().work_login()));
    if chores::begin_plan(owner, "warm", &functions).await? {
        let everything = run.copy.engine.traits().keeps_rows_of_snapshot;
        let schemas = &run.choices.as_of_snapshot_schemas;
        let plan = include_str!("plan.sql");
        owner.rows(DOING, plan, &[&everything, schemas, &reads.is_some(), &checks.is_some()]).await?;
    }
    Ok(owner.run(DOING, "COMMIT").await?)
}

/// Where the extension is, created if need be; none where the server does not let the owner have or use it.
async fn schema_of(owner: &Session, (extension, function): (&str, &str)) -> StepResult<Option<String>> {
    let create = format!("CREATE EXTENSION IF NOT EXISTS {} SCHEMA pgleap", ident(extension));
    match owner.run(DOING, &create).await {
        Err(error) if error.kind == PgErrorKind::Unreachable => return Err(error.into()),
        Err(error) => tracing::warn!(%error, extension, "the run cannot read or check the target with this extension"),
        Ok(()) => {}
    }
    let find = "SELECT n.nspname::text FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
                JOIN pg_proc p ON p.pronamespace = n.oid AND p.proname = $2
                WHERE e.extname = $1 AND has_function_privilege(p.oid, 'EXECUTE')";
    Ok(owner.rows(DOING, find, &[&extension, &function]).await?.first().map(|row| row.get(0)))
}
