//! One secret: read, stored with the target's host, and made current.

use pgleap_clients::{LeadsTo, Moved, Secrets, Way};
use pgleap_contract::steps::UnderFence;
use pgleap_step_kit::prelude::*;

use crate::may_move;

/// How often a secret is read again that somebody else changed meanwhile.
const ATTEMPTS: usize = 3;

/// Move it, unless it is moved.
pub(crate) async fn switch(ctx: &Ctx, input: &UnderFence, secrets: &Secrets, way: Way<'_>) -> StepResult<()> {
    for _attempt in 0..ATTEMPTS {
        let (current, described) = tokio::join!(secrets.current(way.secret()), secrets.describe(way.secret()));
        let current = current?;
        match decide(way.leads(&current.host(way.secret())?), described?.is_being_rotated) {
            Verdict::Switched => {
                secrets.forget_label(&way).await;
                return Ok(());
            }
            Verdict::Refuse(reason) => return Err(changed(&way, reason)),
            Verdict::Switch => {}
        }
        let staged = secrets.stage(&way, &current).await?;
        may_move(ctx, input).await?;
        if secrets.make_current(&way, &current, &staged).await? == Moved::Done {
            secrets.forget_label(&way).await;
            return Ok(());
        }
    }
    let id = &way.secret().secret_id;
    Err(StepError::new(
        ErrorCode::ResourceBusy,
        format!("switch secret {id}: its current version changes all the time"),
    ))
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Switch,
    Switched,
    Refuse(&'static str),
}

/// A rotation that began before the switch ends after it, and would make the old host current again.
fn decide(leads: LeadsTo, is_being_rotated: bool) -> Verdict {
    match leads {
        _ if is_being_rotated => Verdict::Refuse("a rotation of it is under way"),
        LeadsTo::Source => Verdict::Switch,
        LeadsTo::Target => Verdict::Switched,
        LeadsTo::Elsewhere => Verdict::Refuse("its host is neither the one before the cutover nor the one after it"),
    }
}

fn changed(way: &Way<'_>, reason: &str) -> StepError {
    StepError::new(ErrorCode::RecordChanged, format!("switch secret {}: {reason}", way.secret().secret_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_secret_that_leads_to_the_source_and_rests_is_switched() {
        let cases = [
            (LeadsTo::Source, false, "switch"),
            (LeadsTo::Target, false, "switched"),
            (LeadsTo::Elsewhere, false, "refuse"),
            (LeadsTo::Source, true, "refuse"),
            (LeadsTo::Target, true, "refuse"),
        ];
        for (leads, is_being_rotated, expected) in cases {
            let said = match decide(leads, is_being_rotated) {
                Verdict::Switch => "switch",
                Verdict::Switched => "switched",
                Verdict::Refuse(_) => "refuse",
            };
            assert_eq!(said, expected, "{leads:?} {is_being_rotated}");
        }
    }
}
