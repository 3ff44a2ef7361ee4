//! Checks for a run with `failBack`: after OPEN, the target publishes its changes, and the source subscribes to them. This asks of the
//! tables what a copy by logical replication asks, whichever engine copies, and of the source what it otherwise asks of the target.
//!
//! That the login may grant the subscription's owner INSERT, UPDATE, DELETE and TRUNCATE follows from `table-owner`, which holds for
//! every run. Rules, statement triggers and foreign keys do nothing while changes are applied (tried on 13 and 18).

mod equality;
mod identity;
mod logged_password;
mod not_followed;
mod room;
mod row_security;
mod search_path;
mod subscription_right;
mod whole_table_read;

use pgleap_contract::Finding;
use pgleap_pg::Session;
use pgleap_step_kit::StepResult;

use crate::checks::Check;
use crate::facts::Facts;
use crate::query::Asked;
use crate::{ask, or_unseen};

/// In the order in which an operator would ask.
pub(crate) const CHECKS: &[Check] = &[
    Check::Facts(subscription_right::check),
    Check::Facts(room::check),
    Check::Query(&identity::CHECK),
    Check::Query(&equality::CHECK),
    Check::Query(&row_security::CHECK),
    Check::List(&whole_table_read::CHECK),
    Check::Facts(not_followed::check),
    Check::Query(&logged_password::CHECK),
];

/// Findings of the run itself, and of no engine. Each says that the run could do without.
pub(crate) async fn look(session: &Session, facts: &Facts, asked: &Asked) -> StepResult<Vec<Finding>> {
    let mut findings = ask(session, facts, asked, CHECKS).await?;
    findings.extend(or_unseen(search_path::ID, search_path::check(session, asked).await)?);
    findings.iter_mut().for_each(offer_without);
    Ok(findings)
}

fn offer_without(finding: &mut Finding) {
    // One that only lists the rest of its check has no remedy of its own.
    if !finding.remedy.is_empty() {
        finding.remedy.push_str("; or start the run without failBack, which does not need this");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_says_that_the_run_could_do_without_what_needs_it() {
        let mut findings =
            [Finding::blocker("fail-back-x", "x", "do y"), Finding::blocker("fail-back-x", "3 more", "")];

        findings.iter_mut().for_each(offer_without);

        assert_eq!(findings[0].remedy, "do y; or start the run without failBack, which does not need this");
        assert_eq!(findings[1].remedy, "");
    }
}
