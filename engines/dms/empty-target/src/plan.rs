//! The plan: every statement that sets something aside, and every one that puts it back, written down before the first
//! runs. What comes back later is only known now: a dropped index has no definition.

use pgleap_contract::Run;
use pgleap_contract::data_types::{self, Travel};
use pgleap_pg::{Session, chores, expressions};
use pgleap_step_kit::StepResult;

/// The functions that plan, by subject. In this order they are also called.
const FUNCTIONS: [&str; 5] = [
    include_str!("plan/foreign_keys.sql"),
    include_str!("plan/indexes.sql"),
    include_str!("plan/columns.sql"),
    include_str!("plan/domains.sql"),
    include_str!("plan/rows.sql"),
];

/// Make the plan if there is none.
pub async fn make(target: &Session, run: &Run, replica_role: bool) -> StepResult<()> {
    let doing = "plan the target for DMS";
    // Arrays and composite types are added by their kind.
    let large: Vec<_> =
        data_types::TABLE.iter().filter(|kind| kind.travel == Travel::Apart).map(|kind| kind.name).collect();
    let functions = format!("{} {}", is_changeable(), FUNCTIONS.concat());
    if chores::begin_plan(target, "dms", &functions).await? {
        target.rows(doing, "SELECT pgleap.plan_foreign_keys($1)", &[&replica_role]).await?;
        target.rows(doing, "SELECT pgleap.plan_indexes()", &[]).await?;
        target.rows(doing, "SELECT pgleap.plan_columns($1)", &[&large]).await?;
        target.rows(doing, "SELECT pgleap.plan_domains($1)", &[&large]).await?;
        target.rows(doing, "SELECT pgleap.plan_rows($1::text::name)", &[&run.names().copy_login()]).await?;
    }
    target.run(doing, "COMMIT").await?;
    Ok(())
}

fn is_changeable() -> String {
    format!(
        "CREATE OR REPLACE FUNCTION pgleap.is_changeable(expression text) RETURNS boolean
         LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$ SELECT {} $$;",
        expressions::is_changeable("expression")
    )
}
