//! The plan that every copy engine needs: which tables are carried, and statements that wait for the cutover or for what comes
//! after it.

use pgleap_contract::Run;
use pgleap_pg::{Session, chores};
use pgleap_step_kit::StepResult;

/// The functions that plan, by subject.
const FUNCTIONS: [&str; 7] = [
    include_str!("plan/tables.sql"),
    include_str!("plan/triggers.sql"),
    include_str!("plan/rights.sql"),
    include_str!("plan/row_security.sql"),
    include_str!("plan/autovacuum.sql"),
    include_str!("plan/replica_identities.sql"),
    include_str!("plan/views.sql"),
];

/// Make the plan if there is none.
pub async fn make(target: &Session, run: &Run) -> StepResult<()> {
    let doing = "plan the target";
    let engine = run.copy.engine.traits();
    let left = &run.choices.as_of_snapshot_schemas;
    if chores::begin_plan(target, "target", &FUNCTIONS.concat()).await? {
        target.rows(doing, "SELECT pgleap.plan_tables($1)", &[left]).await?;
        target.rows(doing, "SELECT pgleap.plan_triggers($1)", &[&engine.sets_off_triggers]).await?;
        target.rows(doing, "SELECT pgleap.plan_rights($1::text::name)", &[&run.names().copy_login()]).await?;
        target.rows(doing, "SELECT pgleap.plan_row_security()", &[]).await?;
        target.rows(doing, "SELECT pgleap.plan_autovacuum()", &[]).await?;
        if !run.keeps_fail_back() {
            // Else clean-databases restores them, once the target publishes nothing any more.
            target.rows(doing, "SELECT pgleap.plan_replica_identities()", &[]).await?;
        }
        target.rows(doing, "SELECT pgleap.plan_views($1)", &[left]).await?;
    }
    target.run(doing, "COMMIT").await?;
    Ok(())
}
