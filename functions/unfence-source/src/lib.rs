//! Unfence the source: clients may write to it again. Does nothing if the target is open.
//!
//! Changes:      target (the outcome: `back`; other sessions of the working login end); source (the same, CONNECT as it was
//!               saved); the mark of the cutover
//! Repeatable:   yes, any number of times, by the machine, the schedule and an operator at once
//! If it dies:   called again; the claim stays, and giving CONNECT back is one transaction
//!
//! "Back" is concluded from positive evidence only (`evidence.rs`): there is no mark, so no fence was possible; or the
//! target's own outcome says so; or the source's says that OPEN was never sent. A login that is refused, a schema that is
//! missing and an instance that is gone or does not answer are all the same here: the target is silent.

mod evidence;

use std::time::Duration;

use pgleap_contract::Outcome;
use pgleap_contract::steps::{OutcomeOutput, UnfenceSourceInput};
use pgleap_mark::{self as mark, State};
use pgleap_pg::{Session, access};
use pgleap_step_kit::prelude::*;

use evidence::{Known, TargetSays, Verdict};

/// How long the other sessions of the working login have to end.
const PATIENCE: Duration = Duration::from_secs(3);

/// Ask the mark and the target, then the source; give CONNECT back; note how it ended.
pub async fn run(ctx: &Ctx, input: UnfenceSourceInput) -> StepResult<OutcomeOutput> {
    let known = match mark::read(ctx, &input.run, input.generation).await {
        Ok(None) => {
            refuse_fence_without_mark(ctx, &input).await?;
            return Ok(OutcomeOutput { outcome: Outcome::Back }); // no fence was possible
        }
        Ok(Some(mark)) => Known::from(mark.state),
        // The databases may still answer, and clients wait for that.
        Err(error) => Known::Nothing(error),
    };
    let target_says = match known {
        Known::Open => return Ok(OutcomeOutput { outcome: Outcome::Open }),
        _ => ask_target(ctx, &input).await,
    };
    let outcome = match evidence::before_the_source(&known, &target_says) {
        Verdict::Open => Outcome::Open,
        Verdict::Back => Outcome::Back, // unfenced before, and that was noted
        Verdict::Unfence => {
            let source = ctx.as_rollback(&input.run, &input.source).await?;
            unfence(&source, &input, &target_says).await?;
            Outcome::Back
        }
    };
    // The source serves by now; what follows needs the note.
    mark::decide(ctx, &input.run, input.generation, state(outcome, &target_says)).await?;
    Ok(OutcomeOutput { outcome })
}

/// Secrets Manager may be slow to show what was written. The fence was possible only because the mark was read, so a source
/// that is shut has one: it is looked for again. Whatever is missing here (the secret, the login, the schema) is missing
/// because the run came no further.
async fn refuse_fence_without_mark(ctx: &Ctx, input: &UnfenceSourceInput) -> StepResult<()> {
    if ctx.find_secret(&input.run.names().work_secret()).await?.is_none() {
        return Ok(());
    }
    let source = match ctx.as_rollback(&input.run, &input.source).await {
        Ok(source) => source,
        Err(error) if [ErrorCode::DatabaseDenied, ErrorCode::SecretUnusable].contains(&error.code) => return Ok(()),
        Err(error) => return Err(error),
    };
    if access::is_shut(&source).await? {
        let message = "read the mark of the cutover: there is none, although the source is closed".to_owned();
        return Err(StepError::new(ErrorCode::ServiceUnavailable, message));
    }
    Ok(())
}

/// What a late call may still do ends before the outcome is claimed, on each side.
async fn unfence(source: &Session, input: &UnfenceSourceInput, target_says: &TargetSays) -> StepResult<()> {
    end_own(source).await?;
    let source_says = access::claim(source, input.generation, Outcome::Back).await?;
    evidence::after_the_source(target_says, source_says)
        .map_err(|reason| StepError::new(ErrorCode::UnfenceUnsafe, reason))?;
    if input.run.keeps_fail_back() {
        // It is disabled, and the outcome keeps it so. Clients are not kept waiting because it cannot be dropped; the clean-up
        // drops it.
        if let Err(error) = native_databases::following::forget(source).await {
            tracing::warn!(error = error.to_string(), "the subscription of the fail-back path stays for now");
        }
    }
    Ok(access::admit(source, input.generation, &[]).await?)
}

async fn ask_target(ctx: &Ctx, input: &UnfenceSourceInput) -> TargetSays {
    let Some(server) = &input.target else { return TargetSays::Silent("there is no such instance".to_owned()) };
    let asked = async {
        let target = ctx.as_rollback(&input.run, server).await?;
        if access::outcome(&target, input.generation).await? == Some(Outcome::Open) {
            return Ok(Outcome::Open); // nobody's session is ended on a target that serves
        }
        end_own(&target).await?;
        StepResult::Ok(access::claim(&target, input.generation, Outcome::Back).await?)
    };
    match asked.await {
        Ok(holder) => TargetSays::Holder(holder),
        Err(error) => TargetSays::Silent(error.message),
    }
}

async fn end_own(session: &Session) -> StepResult<()> {
    let own = session.row("read the session's name", "SELECT current_setting('application_name')", &[]).await?;
    match access::end_own(session, own.get(0), PATIENCE).await? {
        0 => Ok(()),
        left => {
            let message = format!("end the run's other sessions: {left} are left");
            Err(StepError::new(ErrorCode::ResourceBusy, message))
        }
    }
}

fn state(outcome: Outcome, target_says: &TargetSays) -> State {
    match outcome {
        Outcome::Open => State::Open,
        Outcome::Back => State::Back { target_holds_back: *target_says == TargetSays::Holder(Outcome::Back) },
    }
}
