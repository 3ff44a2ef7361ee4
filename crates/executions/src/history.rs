//! An execution's history, page by page, reduced to what steps count and look for.

use aws_sdk_sfn::types::{HistoryEvent, HistoryEventType};
use pgleap_step_kit::aws::{AwsError, Doing};
use serde_json::Value;

use crate::Executions;

/// Events a page without their data: as many as Step Functions gives.
/// Source: AWS Step Functions API reference, GetExecutionHistory, maxResults.
const PAGE: i32 = 1_000;
/// With the events' data, which names the functions; a page of these is a megabyte or two.
const PAGE_WITH_DATA: i32 = 250;

/// An event of the history.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its place in the history, from 1.
    pub id: i64,
    /// The event that led to it.
    pub previous: i64,
    /// In seconds since the epoch.
    pub at: f64,
    /// What happened.
    pub what: What,
}

/// What an event says.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// A state was entered.
    Entered {
        /// The state's name.
        state: String,
        /// Whether it is a Task state.
        is_task: bool,
    },
    /// The state of this name was left.
    Exited(String),
    /// A task was handed to its service; the function, by name or ARN, if it is one.
    Scheduled(Option<String>),
    /// A task began, or began to fail.
    Began,
    /// A task ended, however it did.
    Ended,
    /// Anything else.
    Other,
}

impl Executions {
    /// Every event of the execution so far, in order.
    pub async fn history(&self, execution_arn: &str, mut take: impl FnMut(Event)) -> Result<(), AwsError> {
        let request = self.client.get_execution_history().execution_arn(execution_arn);
        let mut pages = request.include_execution_data(true).max_results(PAGE_WITH_DATA).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.doing("read the execution's history")?;
            page.events().iter().map(reduce).for_each(&mut take);
        }
        Ok(())
    }

    /// Whether the execution has entered the state of this name. Read without the events' data, and no further than
    /// that state.
    pub async fn has_entered(&self, execution_arn: &str, state: &str) -> Result<bool, AwsError> {
        let request = self.client.get_execution_history().execution_arn(execution_arn);
        let mut pages = request.include_execution_data(false).max_results(PAGE).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.doing(format!("read the history of execution {execution_arn}"))?;
            let mut entered = page.events().iter().filter_map(HistoryEvent::state_entered_event_details);
            if entered.any(|details| details.name() == state) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn reduce(event: &HistoryEvent) -> Event {
    Event {
        id: event.id(),
        previous: event.previous_event_id(),
        at: event.timestamp().as_secs_f64(),
        what: what(event),
    }
}

fn what(event: &HistoryEvent) -> What {
    if let Some(details) = event.state_entered_event_details() {
        let is_task = *event.r#type() == HistoryEventType::TaskStateEntered;
        return What::Entered { state: details.name().to_owned(), is_task };
    }
    if let Some(details) = event.state_exited_event_details() {
        return What::Exited(details.name().to_owned());
    }
    if let Some(details) = event.task_scheduled_event_details() {
        let parameters: Value = serde_json::from_str(details.parameters()).unwrap_or_default();
        return What::Scheduled(parameters["FunctionName"].as_str().map(str::to_owned));
    }
    match event.r#type() {
        HistoryEventType::TaskStarted => What::Began,
        HistoryEventType::TaskSucceeded | HistoryEventType::TaskFailed | HistoryEventType::TaskTimedOut => What::Ended,
        _ => What::Other,
    }
}
