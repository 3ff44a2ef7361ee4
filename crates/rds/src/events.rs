//! What RDS says happened to an instance or a snapshot.

use aws_sdk_rds::types::{Event as Told, SourceType};
use pgleap_contract::{ErrorCode, redact};
use pgleap_step_kit::StepError;
use pgleap_step_kit::aws::{AwsError, Doing};

use crate::Rds;

/// DescribeEvents looks back an hour by default, and two weeks at most, in minutes.
/// Source: Amazon RDS API reference, DescribeEvents, Duration.
const TWO_WEEKS: i32 = 20_160;
/// How far back events of a snapshot are read, in minutes.
const A_DAY: i32 = 1_440;

/// Longest text of events in an error, in bytes.
const LONGEST_EVENTS: usize = 3_000;

/// An event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    /// RDS's words.
    pub message: Option<String>,
    /// When, in milliseconds since the epoch.
    pub at: Option<i64>,
}

impl Event {
    fn of(told: Told) -> Self {
        Self { at: told.date.and_then(|date| date.to_millis().ok()), message: told.message }
    }
}

/// The last of the events, as text for an error.
pub fn text_of(events: &[Event]) -> String {
    let mut lines: Vec<&str> = Vec::new();
    let mut length = 0;
    for message in events.iter().rev().filter_map(|event| event.message.as_deref()) {
        length += message.len() + 2;
        if length > LONGEST_EVENTS {
            break;
        }
        lines.push(message);
    }
    lines.reverse();
    redact(&lines.join("; "))
}

impl Rds {
    /// What happened to an instance after a moment in milliseconds since the epoch (all of two weeks if none is given),
    /// oldest first.
    pub async fn events(&self, name: &str, after: Option<i64>) -> Result<Vec<Event>, AwsError> {
        let request = self.client.describe_events().source_type(SourceType::DbInstance).source_identifier(name);
        let mut pages = request.duration(TWO_WEEKS).into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.doing(format!("describe events of instance {name}"))?;
            found.extend(page.events.unwrap_or_default().into_iter().map(Event::of));
        }
        found.retain(|event| match (event.at, after) {
            (Some(at), Some(after)) => at > after,
            _ => after.is_none(),
        });
        Ok(found)
    }

    /// The error for an instance that no waiting mends, with RDS's own words. `doing`: verb and kind of thing.
    pub async fn failed(&self, name: &str, doing: &str, reason: &str) -> StepError {
        failure(name, doing, reason, self.events(name, None).await)
    }

    /// The same for a snapshot.
    pub async fn failed_snapshot(&self, name: &str, doing: &str, reason: &str) -> StepError {
        let request = self.client.describe_events().source_type(SourceType::DbSnapshot).source_identifier(name);
        let answer = request.duration(A_DAY).send().await.doing(format!("describe events of snapshot {name}"));
        let events = answer.map(|answer| answer.events.unwrap_or_default().into_iter().map(Event::of).collect());
        failure(name, doing, reason, events)
    }
}

fn failure(name: &str, doing: &str, reason: &str, events: Result<Vec<Event>, AwsError>) -> StepError {
    let said = match events {
        Ok(events) => text_of(&events),
        Err(error) => format!("its events cannot be read: {error}"),
    };
    StepError::new(ErrorCode::InstanceFailed, format!("{doing} {name}: {reason}; events: {said}"))
}
