//! What AWS says about a copy by DMS: an engine that takes both majors, a network that it accepts, names that are free.

mod engine;
mod names;
mod network;
mod offers;
mod version;

use aws_sdk_databasemigration::Client;
use pgleap_contract::{Finding, Run};
use pgleap_step_kit::prelude::*;

use crate::facts::{Facts, Taken};
use crate::observe::Eyes;
pub(crate) use engine::pick;
pub(crate) use version::DmsVersion;

/// In the order in which an operator would ask.
pub(crate) const CHECKS: &[fn(&Facts) -> Vec<Finding>] = &[engine::check, network::check];

/// An engine that can be ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) version: DmsVersion,
    pub(crate) class: String,
}

/// What DMS offers, and the run's names that are taken.
pub(crate) async fn observe(ctx: &Ctx, eyes: &mut Eyes, run: &Run) -> StepResult<(Vec<Offer>, Vec<Taken>)> {
    let client = Client::new(ctx.aws());
    let offers = eyes.list(offers::offers(&client).await)?;
    let taken = eyes.all(names::taken(&client, run).await)?;
    Ok((offers, taken))
}
