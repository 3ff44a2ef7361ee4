//! One hook: called with both hosts and the deadline of the cutover.

use pgleap_clients::{Direction, Event, Hooks};
use pgleap_contract::Hook;
use pgleap_contract::steps::UnderFence;
use pgleap_step_kit::prelude::*;

use crate::may_move;

/// Call it. A hook whose call arrives after a rollback refuses it: it has seen `back` of this generation.
pub(crate) async fn call(ctx: &Ctx, input: &UnderFence, hooks: &Hooks, hook: &Hook) -> StepResult<()> {
    may_move(ctx, input).await?;
    let hosts = (Some(input.source.host.as_str()), input.target.host.as_str());
    let cutover = input.cutover;
    let event = Event::new(&input.run, Direction::Forward, cutover.generation, hosts, cutover.deadline_epoch_ms);
    hooks.call(hook, &event).await
}
