//! What AWS says about a copy by DMS: an engine that takes both majors, a network that it accepts, names that are free.

mod engine;
mod names;
mod network;
mod quotas;
mod version;

use pgleap_contract::{Finding, Run};
use pgleap_dms::Dms;
use pgleap_step_kit::prelude::*;

use crate::facts::{Facts, Quota, Taken};
use crate::observe::Eyes;
pub(crate) use engine::pick;
pub(crate) use version::DmsVersion;

/// In the order in which an operator would ask.
pub(crate) const CHECKS: &[fn(&Facts) -> Vec<Finding>] = &[engine::check, network::check, quotas::check];

/// An engine that can be ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) version: DmsVersion,
    pub(crate) class: String,
}

impl Offer {
    /// A release, not a preview.
    fn of(offer: pgleap_dms::Offer) -> Option<Self> {
        let version = DmsVersion::parse(&offer.engine_version?).filter(|_| !offer.is_preview)?;
        Some(Self { version, class: offer.class })
    }
}

/// What DMS says.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// What can be ordered.
    pub(crate) offers: Vec<Offer>,
    /// The run's names that are taken.
    pub(crate) taken: Vec<Taken>,
    /// Quotas of the account.
    pub(crate) quotas: Vec<Quota>,
}

/// Look at everything in DMS.
pub(crate) async fn observe(ctx: &Ctx, eyes: &mut Eyes, run: &Run) -> StepResult<Seen> {
    let dms = Dms::new(ctx);
    let offers = eyes.list(dms.offers().await)?.into_iter().filter_map(Offer::of).collect();
    let taken = eyes.all(names::taken(&dms, run).await)?;
    let quotas = eyes.list(dms.quotas().await)?.into_iter().map(|quota| Quota::of("DMS", quota)).collect();
    Ok(Seen { offers, taken, quotas })
}
