//! The execution's own history, page by page.

use aws_sdk_sfn::Client;
use aws_sdk_sfn::types::{HistoryEvent, HistoryEventType};
use pgleap_step_kit::prelude::*;
use serde_json::Value;

use crate::tally::{Event, Tally, What};

/// With the events' data, which names the functions; a page of these is a megabyte or two.
const PAGE: i32 = 250;

pub(crate) async fn read(client: &Client, execution: &str) -> StepResult<Tally> {
    let mut tally = Tally::default();
    let request =
        client.get_execution_history().execution_arn(execution).include_execution_data(true).max_results(PAGE);
    let mut pages = request.into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.doing("read the run's history")?;
        page.events().iter().map(reduce).for_each(|event| tally.take(event));
    }
    Ok(tally)
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
