//! Open the target: the applications may connect to it. The point of no return.
//!
//! Changes:      source (a row saying that OPEN was sent); target (CONNECT as it was saved, and the row that says so,
//!               in one transaction)
//! Repeatable:   yes; an open target stays open, and the answer is the same
//! Undo:         none, by design: from here the run only goes forward
//! If it dies:   before the transaction committed, unfence-source wins the row; after it, unfence-source learns that
//!               the target is open
//! Fails with:   AlreadyBack (the way back was claimed first), DeadlinePassed

use std::time::Duration;

use pgleap_contract::Outcome;
use pgleap_contract::steps::{OutcomeOutput, UnderFence};
use pgleap_pg::{Session, access};
use pgleap_step_kit::{Deadline, prelude::*};

/// Longest wait for the rehearsal's observer.
const OBSERVER_PATIENCE: Duration = Duration::from_secs(3);

/// Say on the source that OPEN is sent, then open.
pub async fn run(ctx: &Ctx, input: UnderFence) -> StepResult<OutcomeOutput> {
    let deadline = Deadline::of(input.cutover);
    let (source, target) =
        tokio::try_join!(ctx.as_work(&input.run, &input.source), ctx.as_work(&input.run, &input.target))?;
    if access::outcome(&target).await? == Some(Outcome::Open) {
        return Ok(OutcomeOutput { outcome: Outcome::Open }); // an earlier answer was lost
    }
    deadline.check("open the target")?;
    // Where the target cannot be asked later, this row says whether OPEN may have reached it.
    refuse_back(access::claim(&source, Outcome::Open).await?)?;
    if input.run.choices.await_observer {
        await_observer(&target).await?;
    }
    let outcome = open_in_time(&target, &input.run.id.names().dms_login(), &deadline).await?;
    refuse_back(outcome)?;
    Ok(OutcomeOutput { outcome })
}

/// The server itself gives up at the deadline, so that no OPEN commits after it.
async fn open_in_time(target: &Session, dms_login: &str, deadline: &Deadline) -> StepResult<Outcome> {
    deadline.check("open the target")?;
    let milliseconds = deadline.remaining().as_millis().max(1);
    target.run("bound the opening", &format!("SET statement_timeout = {milliseconds}")).await?;
    Ok(access::open(target, &[dms_login]).await?)
}

fn refuse_back(holder: Outcome) -> StepResult<()> {
    match holder {
        Outcome::Open => Ok(()),
        Outcome::Back => Err(StepError::new(ErrorCode::AlreadyBack, "open the target: the way back was claimed first")),
    }
}

/// The rehearsal compares both sides in snapshots taken at this moment: it is told, and holds a lock until it has
/// them. Off in production; nobody holding the lock costs microseconds.
async fn await_observer(target: &Session) -> StepResult<()> {
    target.run("tell the observer", "NOTIFY pgleap_drained").await?;
    let patience = OBSERVER_PATIENCE.as_millis();
    let wait = format!(
        "SET lock_timeout = {patience}; SELECT pg_advisory_lock(hashtext('pgleap observer'));
         SELECT pg_advisory_unlock(hashtext('pgleap observer')); SET lock_timeout = 0"
    );
    Ok(target.run("await the observer", &wait).await?)
}
