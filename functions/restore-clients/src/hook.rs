//! One hook: called to move its clients back.

use std::time::{SystemTime, UNIX_EPOCH};

use pgleap_clients::{Direction, Event, Hooks};
use pgleap_contract::Hook;
use pgleap_contract::steps::RestoreClientsInput;
use pgleap_step_kit::prelude::*;

/// Call it. The cutover's deadline may have passed, so its own timeout counts.
pub(crate) async fn call(input: &RestoreClientsInput, hooks: &Hooks, hook: &Hook) -> StepResult<()> {
    let hosts = (input.target.as_ref().map(|target| target.host.as_str()), input.source.host.as_str());
    let deadline = now_ms() + i64::from(hook.timeout_seconds) * 1_000;
    let event = Event::new(&input.run, Direction::Back, input.generation, hosts, deadline);
    hooks.call(hook, &event).await
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    i64::try_from(since).unwrap_or(i64::MAX)
}
