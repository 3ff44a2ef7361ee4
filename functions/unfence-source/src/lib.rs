//! Unfence the source: clients may write to it again. Claims the way back first, and does nothing if OPEN was there first.
//!
//! Changes:      target (the run's one row: `back`); source (the same, CONNECT as it was saved)
//! Repeatable:   yes, any number of times, by the machine, the schedule and an operator at once
//! Undo:         none; a later run fences again
//! If it dies:   called again; the claim stays, and giving CONNECT back is one transaction
//! Fails with:   UnfenceUnsafe (the target cannot be asked, and OPEN was sent to it: a person decides)

use pgleap_contract::Outcome;
use pgleap_contract::steps::{OutcomeOutput, UnfenceSourceInput};
use pgleap_pg::{Session, access};
use pgleap_step_kit::prelude::*;

/// What the target says about the way back.
#[derive(Debug, PartialEq)]
enum TargetSays {
    /// There is no target, or nothing in it with which it could have been opened.
    NothingToOpen,
    /// Who holds the row.
    Holder(Outcome),
    /// It cannot be asked now.
    Silent(String),
}

/// Ask the target, then the source, then give CONNECT back.
pub async fn run(ctx: &Ctx, input: UnfenceSourceInput) -> StepResult<OutcomeOutput> {
    let target_says = ask_target(ctx, &input).await?;
    if target_says == TargetSays::Holder(Outcome::Open) {
        return Ok(OutcomeOutput { outcome: Outcome::Open });
    }
    let Some(source) = enter_source(ctx, &input).await? else {
        return Ok(OutcomeOutput { outcome: Outcome::Back }); // the run never got as far as a fence
    };
    let source_says = access::claim(&source, Outcome::Back).await?;
    if let Err(reason) = decide(&target_says, source_says) {
        return Err(StepError::new(ErrorCode::UnfenceUnsafe, reason));
    }
    access::admit(&source, &[]).await?;
    Ok(OutcomeOutput { outcome: Outcome::Back })
}

/// Whether the source may serve again. Only a silent target makes the source's row count: `open` there means that OPEN
/// was sent and may have arrived; `back` means that it never was and never will be.
fn decide(target: &TargetSays, source: Outcome) -> Result<(), String> {
    match (target, source) {
        (TargetSays::Silent(reason), Outcome::Open) => {
            Err(format!("ask the target whether it is open: {reason}; OPEN was sent to it"))
        }
        _ => Ok(()),
    }
}

async fn ask_target(ctx: &Ctx, input: &UnfenceSourceInput) -> StepResult<TargetSays> {
    let Some(server) = &input.target else { return Ok(TargetSays::NothingToOpen) };
    let target = match ctx.as_work(&input.run, server).await {
        Ok(target) => target,
        // Without the working login nothing can open the target: the secret comes before everything else.
        Err(error) if error.code == ErrorCode::SecretUnusable => return Ok(TargetSays::NothingToOpen),
        Err(error) => return Ok(TargetSays::Silent(error.message)),
    };
    if !is_installed(&target).await? {
        return Ok(TargetSays::NothingToOpen);
    }
    match access::claim(&target, Outcome::Back).await {
        Ok(holder) => Ok(TargetSays::Holder(holder)),
        Err(error) => Ok(TargetSays::Silent(error.to_string())),
    }
}

/// The working login's session on the source, if the run got as far as installing the fence. An owner who still gets
/// in is proof that there is none.
async fn enter_source(ctx: &Ctx, input: &UnfenceSourceInput) -> StepResult<Option<Session>> {
    match ctx.as_work(&input.run, &input.source).await {
        Ok(source) => Ok(is_installed(&source).await?.then_some(source)),
        Err(work_refused) => {
            let Ok(owner) = ctx.as_owner(&input.run, &input.source).await else { return Err(work_refused) };
            Ok(is_installed(&owner).await?.then_some(owner))
        }
    }
}

async fn is_installed(session: &Session) -> StepResult<bool> {
    let sql = "SELECT to_regprocedure('pgleap.admit(name[])') IS NOT NULL";
    Ok(session.row("look for the functions of the fence", sql, &[]).await?.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_serves_again_unless_the_target_may_be_open() {
        let silent = || TargetSays::Silent("time-out".to_owned());
        let cases = [
            (TargetSays::NothingToOpen, Outcome::Back, true),
            (TargetSays::NothingToOpen, Outcome::Open, true),
            (TargetSays::Holder(Outcome::Back), Outcome::Back, true),
            (TargetSays::Holder(Outcome::Back), Outcome::Open, true),
            (silent(), Outcome::Back, true),
            (silent(), Outcome::Open, false),
        ];
        for (target, source, may) in cases {
            assert_eq!(decide(&target, source).is_ok(), may, "{target:?} {source:?}");
        }
    }
}
