//! Shut the target before the record leads to it: clients that follow the record early must be refused, not served.
//!
//! Changes:      target (CONNECT of everybody but the run's logins, saved first; their sessions)
//! Repeatable:   yes, while the cutover is undecided; what was saved first stays saved
//! If it dies:   called again; the run's copy serves nobody yet
//!
//! The source is only looked at: how many sessions of applications it has, to know later whether they are still there.

use pgleap_contract::steps::{SessionsBefore, UnderFence};
use pgleap_pg::{access, clients};
use pgleap_step_kit::{Deadline, prelude::*};

/// Prove the mark, shut the target, count the source's sessions.
pub async fn run(ctx: &Ctx, input: UnderFence) -> StepResult<SessionsBefore> {
    let (run, cutover) = (&input.run, &input.cutover);
    let deadline = Deadline::of(*cutover);
    let names = run.names();
    let (work, copy) = (names.work_login(), names.copy_login());
    let keep = [work.as_str(), copy.as_str()];
    let ((), [source, target]) = tokio::try_join!(
        pgleap_mark::prove_armed(ctx, run, cutover.generation),
        ctx.as_work_until(run, [&input.source, &input.target], &deadline)
    )?;
    let (source, target) = (source?, target?);
    access::shut(&target, cutover, &keep).await?;
    access::end_others(&target, &keep).await?; // that nobody is left is proven before OPEN
    let look = clients::look(&source, None).await?;
    Ok(SessionsBefore { sessions: look.connected, at_epoch_ms: look.at_epoch_ms })
}
