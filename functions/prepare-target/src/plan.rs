//! The plan: every statement that sets something aside, and every one that puts it back, written down before the first
//! runs. What comes back later is only known now: a dropped index has no definition.

use pgleap_contract::Run;
use pgleap_contract::data_types::{self, Travel};
use pgleap_pg::{Session, expressions};
use pgleap_step_kit::StepResult;

/// The functions that plan, by subject. In this order they are also called.
const FUNCTIONS: [&str; 7] = [
    include_str!("plan/tables.sql"),
    include_str!("plan/triggers.sql"),
    include_str!("plan/foreign_keys.sql"),
    include_str!("plan/indexes.sql"),
    include_str!("plan/columns.sql"),
    include_str!("plan/domains.sql"),
    include_str!("plan/rows.sql"),
];

const VIEWS: &str = include_str!("plan/views.sql");

/// Make the plan if there is none. Two that make it at once wait for each other, and the second finds it made.
pub async fn make(target: &Session, run: &Run, replica_role: bool) -> StepResult<()> {
    let doing = "plan the target";
    // Arrays and composite types are added by their kind.
    let large: Vec<_> =
        data_types::TABLE.iter().filter(|kind| kind.travel == Travel::Apart).map(|kind| kind.name).collect();
    let left = &run.choices.as_of_snapshot_schemas;
    target
        .run(
            doing,
            &format!(
                "BEGIN; SELECT pg_advisory_xact_lock(hashtext('pgleap plan')); {IS_CHANGEABLE} {} {VIEWS}",
                FUNCTIONS.concat(),
                IS_CHANGEABLE = is_changeable()
            ),
        )
        .await?;
    let planned: bool =
        target.row(doing, "SELECT EXISTS (SELECT FROM pgleap.chore WHERE phase = 'prepare')", &[]).await?.get(0);
    if !planned {
        target.rows(doing, "SELECT pgleap.plan_tables($1)", &[left]).await?;
        target.rows(doing, "SELECT pgleap.plan_triggers()", &[]).await?;
        target.rows(doing, "SELECT pgleap.plan_foreign_keys($1)", &[&replica_role]).await?;
        target.rows(doing, "SELECT pgleap.plan_indexes()", &[]).await?;
        target.rows(doing, "SELECT pgleap.plan_columns($1)", &[&large]).await?;
        target.rows(doing, "SELECT pgleap.plan_domains($1)", &[&large]).await?;
        target.rows(doing, "SELECT pgleap.plan_rows($1::text::name)", &[&run.id.names().dms_login()]).await?;
        target.rows(doing, "SELECT pgleap.plan_autovacuum()", &[]).await?;
        target.rows(doing, "SELECT pgleap.plan_replica_identities()", &[]).await?;
        target.rows(doing, "SELECT pgleap.plan_views($1)", &[left]).await?;
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
