//! The event bus: services publish, EventBridge's rules and tests listen.

use serde_json::Value;
use tokio::sync::broadcast;

/// An event as EventBridge shapes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// `aws.rds`, `aws.dms`, `aws.states`, ..
    pub source: String,
    /// e.g. `Step Functions Execution Status Change`.
    pub detail_type: String,
    /// ARNs that the event is about.
    pub resources: Vec<String>,
    /// The body.
    pub detail: Value,
}

/// Best effort and unordered on AWS; here in order, to whoever listens at that moment.
#[derive(Debug, Clone)]
pub struct EventBus {
    sender: broadcast::Sender<Event>,
}

impl Default for EventBus {
    fn default() -> Self {
        Self { sender: broadcast::channel(1024).0 }
    }
}

impl EventBus {
    /// Tell everybody who listens; nobody listening is fine.
    pub fn publish(&self, event: Event) {
        let _nobody_listens = self.sender.send(event);
    }

    /// Events from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.sender.subscribe()
    }
}
