//! Checks for a copy by DMS: the types, values and keys that DMS does not carry, and what else it needs.

mod columns;
mod database_settings;
mod deferred_constraints;
mod generated_keys;
mod inheritance;
mod keeping_up;
mod keyless_tables;
mod leftovers;
mod list_lengths;
mod lob_not_null;
mod lob_partition_key;
mod lob_unique;
mod lob_without_key;
mod longest;
mod names_by_case;
pub(crate) mod nulls;
mod replica_role;
mod row_comparable;
mod row_security;
mod unique_over_coalesce;
mod values;

use pgleap_contract::steps::LongValue;
use pgleap_contract::{DmsSettings, Finding};
use pgleap_pg::Session;
use pgleap_step_kit::StepResult;

use crate::checks::Check;
use crate::or_unseen;
use crate::query::Asked;

/// In the order in which an operator would ask.
pub(crate) const CHECKS: &[Check] = &[
    Check::Facts(replica_role::check),
    Check::Query(&leftovers::CHECK),
    Check::Query(&database_settings::CHECK),
    Check::Facts(list_lengths::check),
    Check::Query(&keyless_tables::CHECK),
    Check::Query(&generated_keys::CHECK),
    Check::Query(&lob_without_key::CHECK),
    Check::Query(&lob_not_null::CHECK),
    Check::Query(&lob_unique::CHECK),
    Check::Query(&lob_partition_key::CHECK),
    Check::Query(&row_comparable::CHECK),
    Check::Query(&row_security::CHECK),
    Check::Query(&inheritance::CHECK),
    Check::Query(&names_by_case::CHECK),
    Check::Query(&deferred_constraints::CHECK),
    Check::Query(&unique_over_coalesce::CHECK),
];

/// What more than a query finds out, with the longest values that travel apart from their row.
pub(crate) async fn look(
    session: &Session,
    asked: &Asked,
    settings: &DmsSettings,
) -> StepResult<(Vec<Finding>, Vec<LongValue>)> {
    let began = keeping_up::mark(session, asked).await;
    let mut findings = or_unseen(columns::ID, columns::check(session, asked).await)?;
    findings.extend(or_unseen(values::ID, values::check(session, asked).await)?);
    let longest = match longest::measure(session, asked).await {
        Ok(longest) => longest,
        Err(error) => {
            findings.extend(or_unseen(longest::ID, Err(error))?);
            Vec::new()
        }
    };
    findings.extend(longest::judge(&longest));
    let changes = match began {
        Ok(began) => keeping_up::check(session, asked, &began, settings.look_ups_per_second).await,
        Err(error) => Err(error),
    };
    findings.extend(or_unseen(keeping_up::ID, changes)?);
    Ok((findings, longest))
}
