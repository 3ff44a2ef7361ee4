//! Fetches an execution's history and status through Step Functions' API.

use anyhow::{Context, Result};
use aws_sdk_sfn::Client;
use aws_sdk_sfn::types::{ExecutionStatus, HistoryEvent, HistoryEventType};
use serde_json::Value;

use crate::clients::now;
use crate::history::{Event, History, What};

/// Events of a page, the newest first: more than happen between two calls, so that one page is enough.
const NEWEST: i32 = 25;

/// An execution that is followed.
pub struct Execution {
    client: Client,
    arn: String,
    /// What was read so far.
    pub history: History,
}

/// How an execution stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// `RUNNING`, `SUCCEEDED`, `FAILED`, `TIMED_OUT`, `ABORTED`.
    pub status: ExecutionStatus,
    /// The error's word.
    pub error: Option<String>,
    /// Its cause.
    pub cause: Option<String>,
    /// From its start to its end, or until now, in seconds.
    pub seconds: f64,
}

impl Standing {
    /// It will not change any more.
    pub fn is_over(&self) -> bool {
        self.status != ExecutionStatus::Running
    }
}

impl Execution {
    /// Follow an execution from its beginning.
    pub fn new(client: Client, arn: &str) -> Self {
        Self { client, arn: arn.to_owned(), history: History::default() }
    }

    /// Its ARN.
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// How it stands.
    pub async fn standing(&self) -> Result<Standing> {
        let answer =
            self.client.describe_execution().execution_arn(&self.arn).send().await.context("describe the execution")?;
        Ok(Standing {
            status: answer.status().clone(),
            error: answer.error().map(str::to_owned),
            cause: answer.cause().map(str::to_owned),
            seconds: answer.stop_date().map_or_else(now, |end| end.as_secs_f64()) - answer.start_date().as_secs_f64(),
        })
    }

    /// Read what has happened since the last call.
    pub async fn read_on(&mut self) -> Result<()> {
        let mut pages = self
            .client
            .get_execution_history()
            .execution_arn(&self.arn)
            .reverse_order(true)
            .include_execution_data(true)
            .max_results(NEWEST)
            .into_paginator()
            .send();
        let mut news = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.context("read the execution's history")?;
            let known = page.events().iter().any(|event| event.id() <= self.history.last_id());
            news.extend(page.events().iter().map(reduce));
            if known {
                break;
            }
        }
        news.sort_by_key(|event| event.id);
        news.iter().for_each(|event| self.history.read(event));
        Ok(())
    }

    /// Stop it from outside, as a person in the console would.
    pub async fn stop(&self) -> Result<()> {
        let stop = self.client.stop_execution().execution_arn(&self.arn);
        stop.error("StoppedByThePerson")
            .cause("the rehearsal was told to")
            .send()
            .await
            .context("stop the execution")?;
        Ok(())
    }
}

fn reduce(event: &HistoryEvent) -> Event {
    Event { id: event.id(), at: event.timestamp().as_secs_f64(), what: what(event) }
}

fn what(event: &HistoryEvent) -> What {
    if let Some(details) = event.state_entered_event_details() {
        let is_task = *event.r#type() == HistoryEventType::TaskStateEntered;
        return What::Entered { state: details.name().to_owned(), is_task };
    }
    if let Some(details) = event.state_exited_event_details() {
        let output = details.output().and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null);
        return What::Exited(details.name().to_owned(), output);
    }
    if event.task_scheduled_event_details().is_some() {
        return What::Scheduled;
    }
    if let Some(details) = event.task_failed_event_details() {
        let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
        return What::Failed(text(details.error()), text(details.cause()));
    }
    What::Other
}
