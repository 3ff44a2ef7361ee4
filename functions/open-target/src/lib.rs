//! Open the target: applications may connect to it. This is the point of no return.
//!
//! Changes:      source (its outcome says that OPEN was sent); target (CONNECT as it was saved, and the outcome that says
//!               so, in one transaction); the mark of the cutover
//! Repeatable:   yes; an open target stays open, and the answer is the same
//! If it dies:   before the transaction committed, unfence-source wins the outcome; after it, unfence-source learns that
//!               the target is open, and writes the mark

use pgleap_contract::Outcome;
use pgleap_contract::steps::{OutcomeOutput, UnderFence};
use pgleap_mark::State;
use pgleap_pg::{Session, access};
use pgleap_step_kit::{Deadline, WarmUp, prelude::*};

/// Open the sessions.
pub async fn prepare(ctx: &Ctx, cutover: WarmUp) -> StepResult<()> {
    let WarmUp { run, source, target, generation } = &cutover;
    let [on_source, on_target] = ctx.open_ahead(run, [source, target]).await?;
    access::outcome(&on_target, *generation).await?;
    ctx.keep_sessions(run, [(source, on_source), (target, on_target)]);
    Ok(())
}

/// Open unless it is open, then note it. The note is written while clients are served already.
pub async fn run(ctx: &Ctx, input: UnderFence) -> StepResult<OutcomeOutput> {
    let (run, generation) = (&input.run, input.cutover.generation);
    let deadline = Deadline::of(input.cutover);
    let [source, target] = ctx.as_work_until(run, [&input.source, &input.target], &deadline).await?;
    let target = target?;
    // It may be an earlier answer that was lost, found after the deadline or with a source that is gone.
    if access::outcome(&target, generation).await? != Some(Outcome::Open) {
        deadline.bound("open the target", open(&input, &source?, &target, &deadline)).await?;
    }
    pgleap_mark::decide(ctx, run, generation, State::Open).await?;
    Ok(OutcomeOutput { outcome: Outcome::Open })
}

/// Say on the source that OPEN is sent, then open.
async fn open(input: &UnderFence, source: &Session, target: &Session, deadline: &Deadline) -> StepResult<()> {
    deadline.check("open the target")?;
    // Where the target cannot be asked later, this row says whether OPEN may have reached it.
    refuse_back(access::claim(source, input.cutover.generation, Outcome::Open).await?)?;
    // The server itself refuses at the deadline, so that no OPEN commits after it.
    let names = input.run.names();
    let (work, copy) = (names.work_login(), names.copy_login());
    Ok(access::open(target, &input.cutover, &[&work], &[&copy]).await?)
}

fn refuse_back(holder: Outcome) -> StepResult<()> {
    match holder {
        Outcome::Open => Ok(()),
        Outcome::Back => Err(StepError::new(ErrorCode::AlreadyBack, "open the target: the rollback was claimed first")),
    }
}
