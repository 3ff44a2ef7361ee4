//! Switch the clients that do not follow the record: the secrets that applications read name the target from now on.
//!
//! Changes:      of each secret a new version, and the label AWSCURRENT
//! Repeatable:   yes; a secret that names the target already is left alone, and a version is stored once
//! If it dies:   a version may be stored that nobody reads; the next call makes it current, or the rollback forgets it
//!
//! Called under the fence, beside the drain. The target admits nobody before OPEN, so clients that follow early are refused and
//! try again.
//!
//! A call that arrives late changes nothing. The mark is read before AWSCURRENT is moved: a rollback before that is seen there.
//! A rollback after it makes a new current version of every secret, whether or not it was switched, and the late call moves
//! AWSCURRENT only from the version that was current before (docs/decisions/0082-clients-that-read-a-secret.md).

mod secret;

use std::time::Instant;

use futures_util::future::try_join_all;
use pgleap_clients::{Secrets, Way};
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
    let switched = deadline.bound("switch clients", try_join_all(switches)).await?;
    Ok(SwitchClientsOutput {
        secrets: count(switched.len()),
        hooks: 0,
        milliseconds: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
    })
}

fn count(things: usize) -> u64 {
    u64::try_from(things).unwrap_or(u64::MAX)
}
