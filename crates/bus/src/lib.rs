//! The account's event bus (EventBridge): programs listen there where people read messages.

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use pgleap_step_kit::prelude::*;

/// An event for the default bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event<'a> {
    /// Who tells it; rules match it.
    pub source: &'a str,
    /// What kind of event it is; rules match it too.
    pub kind: &'a str,
    /// ARN of what it is about.
    pub about: &'a str,
    /// Everything else, as JSON.
    pub detail: String,
}

/// Put one event on the bus.
///
/// # Errors
/// The call failed, or the bus refused the event.
pub async fn put(ctx: &Ctx, event: Event<'_>) -> StepResult<()> {
    let entry = PutEventsRequestEntry::builder()
        .source(event.source)
        .detail_type(event.kind)
        .resources(event.about)
        .detail(event.detail)
        .build();
    let answer = Client::new(ctx.aws()).put_events().entries(entry).send().await.doing("put an event on the bus")?;
    match answer.entries().iter().find(|entry| entry.error_code().is_some()) {
        Some(refused) => Err(StepError::bug(format!(
            "put an event on the bus: {}: {}",
            refused.error_code().unwrap_or_default(),
            refused.error_message().unwrap_or_default()
        ))),
        None => Ok(()),
    }
}
