//! A major upgrade of the source itself, with its clients writing.

use anyhow::Result;

use super::by_hand::Hands;
use super::scene::Scene;
use crate::stage::SOURCE;

/// Clients stay at the same address, so there is no target.
pub(super) async fn drive(scene: &Scene) -> Result<Option<String>> {
    Hands::of(scene).upgrade(SOURCE).await?;
    Ok(None)
}
