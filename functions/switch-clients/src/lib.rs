//! Switch the clients that do not follow the record: the secrets that applications read name the target from now on, and the
//! operator's hooks are called.
//!
//! Changes:      of each secret a new version, and the label AWSCURRENT; whatever a hook changes
//! Repeatable:   yes; a secret that names the target already is left alone, and a version is stored once; a hook must be repeatable
//! If it dies:   a version may be stored that nobody reads; the next call makes it current, or the rollback forgets it
//!
//! Called under the fence, beside the drain. The target admits nobody before OPEN, so clients that follow early are refused and
//! try again.
//!
//! A call that arrives late changes nothing. The mark is read before AWSCURRENT is moved: a rollback before that is seen there.
//! A rollback after it makes a new current version of every secret, whether or not it was switched, and the late call moves
//! AWSCURRENT only from the version that was current before (docs/decisions/0082-clients-that-read-a-secret.md).

mod hook;
mod secret;

use std::time::Instant;

use futures_util::future::try_join_all;
use pgleap_clients::{Hooks, Secrets, Way};
use pgleap_contract::steps::{SwitchClientsOutput, UnderFence};
use pgleap_step_kit::{Deadline, prelude::*};

/// All at once, until the deadline.
pub async fn run(ctx: &Ctx, input: UnderFence) -> StepResult<SwitchClientsOutput> {
    let began = Instant::now();
    let deadline = Deadline::of(input.cutover);
    deadline.check("switch clients")?;
    let clients = input.run.clients.clone().unwrap_or_default();
    let secrets = Secrets::new(ctx);
    let switches = clients.secrets.iter().map(|named| {
        let way = Way::forward(&input.run, named, &input.source, &input.target, input.cutover.generation);
        secret::switch(ctx, &input, &secrets, way)
    });
    let hooks = Hooks::new(ctx);
    let calls = clients.hooks.iter().map(|named| hook::call(ctx, &input, &hooks, named));
    let all = async { tokio::try_join!(try_join_all(switches), try_join_all(calls)) };
    let (switched, called) = deadline.bound("switch clients", all).await?;
    Ok(SwitchClientsOutput {
        secrets: count(switched.len()),
        hooks: count(called.len()),
        milliseconds: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
    })
}

/// Only for a cutover that is armed, undecided and in time.
async fn may_move(ctx: &Ctx, input: &UnderFence) -> StepResult<()> {
    pgleap_mark::prove_armed(ctx, &input.run, input.cutover.generation).await?;
    Deadline::of(input.cutover).check("switch clients")
}

fn count(things: usize) -> u64 {
    u64::try_from(things).unwrap_or(u64::MAX)
}
