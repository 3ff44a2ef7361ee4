//! Watch the applications' sessions on the source while the record changes before the fence. Clients that lose their
//! session now are refused by the target, so the run does not go on waiting for the record if most of them are gone.
//!
//! Changes:      nothing
//! Repeatable:   yes; the machine calls it until the record is switched
//! If it dies:   called again

use pgleap_contract::steps::{NoOutput, WatchClientsInput};
use pgleap_forecast::{Lost, when_lost};
use pgleap_pg::clients;
use pgleap_step_kit::{Deadline, prelude::*};

/// Done once the fence should begin at once.
pub async fn run(ctx: &Ctx, input: WatchClientsInput) -> StepResult<Polled<NoOutput>> {
    let deadline = Deadline::of(input.cutover);
    deadline.check("watch the source's sessions")?;
    let [source] = ctx.as_work_until(&input.run, [&input.source], &deadline).await?;
    let before = &input.before;
    let look = clients::look(&source?, Some(before.at_epoch_ms)).await?;
    let elapsed = (look.at_epoch_ms - before.at_epoch_ms) as f64;
    let seen = format!("{} of {} sessions are left on the source", look.old, before.sessions);
    Ok(match when_lost(before.sessions, look.old, look.restarted, elapsed, &input.forecast) {
        Lost::Kept => Polled::Waiting(format!("{seen}; Route 53 is propagating the change of the record")),
        Lost::Fence => {
            tracing::warn!(seen, restarted = look.restarted, "the run fences at once");
            Polled::Done(NoOutput {})
        }
        Lost::PutBack => {
            let message = format!(
                "watch the source's sessions while the record changes: {seen}, so the run puts the record back"
            );
            return Err(StepError::new(ErrorCode::CutoverNotSafe, message));
        }
    })
}
