//! Fetches an execution's history and status through Step Functions' API.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_sfn::Client;
use aws_sdk_sfn::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sfn::types::{ExecutionStatus, HistoryEvent, HistoryEventType};
use serde_json::Value;

use crate::history::{Event, History, What};

/// Events of a page, the newest first: more than happen between two calls, so that one page is enough.
const NEWEST: i32 = 25;
/// Events of a page where nothing was read yet.
const FIRST: i32 = 1_000;

/// An execution that is followed.
#[derive(Debug)]
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
    /// The error code.
    pub error: Option<String>,
    /// Its cause.
    pub cause: Option<String>,
    /// When it was started, in epoch seconds.
    pub started: f64,
    /// From its start to its end, or until now, in seconds.
    pub seconds: f64,
}

impl Standing {
    /// It will not change any more.
    pub fn is_over(&self) -> bool {
        self.status != ExecutionStatus::Running
    }
}

/// Why nothing was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unread {
    /// Step Functions cannot be reached, is throttling or has a fault of its own: a later attempt may succeed.
    Lost(String),
    /// It refuses the call.
    Refused(String),
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Unread::Lost(why) | Unread::Refused(why)) = self;
        f.write_str(why)
    }
}

impl std::error::Error for Unread {}

impl Execution {
    /// Follow an execution from its beginning.
    pub fn new(client: Client, arn: &str) -> Self {
        Self { client, arn: arn.to_owned(), history: History::default() }
    }

    /// Its ARN.
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// Read what has happened since the last call, and answer how the execution stands. Nothing is lost by an error: the
    /// next call reads on.
    ///
    /// # Errors
    /// Step Functions cannot be reached, or refuses the calls.
    pub async fn read(&mut self) -> Result<Standing, Unread> {
        // Before the history, so that the history of an execution that is over is read to its end.
        let standing = self.standing().await?;
        self.read_on().await?;
        Ok(standing)
    }

    async fn standing(&self) -> Result<Standing, Unread> {
        let describe = self.client.describe_execution().execution_arn(&self.arn);
        let answer = describe.send().await.map_err(|error| unread("describe the execution", &error))?;
        let started = answer.start_date().as_secs_f64();
        Ok(Standing {
            status: answer.status().clone(),
            error: answer.error().map(str::to_owned),
            cause: answer.cause().map(str::to_owned),
            started,
            seconds: answer.stop_date().map_or_else(now, |end| end.as_secs_f64()) - started,
        })
    }

    async fn read_on(&mut self) -> Result<(), Unread> {
        let page = if self.history.last_id() == 0 { FIRST } else { NEWEST };
        let history = self.client.get_execution_history().execution_arn(&self.arn);
        let history = history.reverse_order(true).include_execution_data(true).max_results(page);
        let mut pages = history.into_paginator().send();
        let mut news = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| unread("read the execution's history", &error))?;
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
}

/// By the status of the answer: what AWS refuses with a status below 500 it refuses again, but for throttling.
fn unread<E: ProvideErrorMetadata>(doing: &str, error: &SdkError<E>) -> Unread {
    let code = error.code().unwrap_or_default();
    let status = error.raw_response().map(|response| response.status().as_u16());
    let text = match (error, error.message()) {
        (SdkError::ServiceError(_), Some(message)) => format!("{doing}: {message} ({code})"),
        (SdkError::ServiceError(_), None) => format!("{doing}: {code}"),
        (SdkError::TimeoutError(_), _) => format!("{doing}: no answer in time"),
        (SdkError::DispatchFailure(failure), _) if failure.is_user() => {
            // Without credentials no request was made.
            return Unread::Refused(format!(
                "{doing}: the request cannot be made; are there credentials and a Region?"
            ));
        }
        _ => format!("{doing}: no connection"),
    };
    match (error, status) {
        (SdkError::ConstructionFailure(_), _) => Unread::Refused(text),
        (SdkError::ServiceError(_), Some(400..500)) if !code.contains("Throttling") => Unread::Refused(text),
        _ => Unread::Lost(text),
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
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
        if *event.r#type() == HistoryEventType::ParallelStateExited {
            return What::ExitedParallel(details.name().to_owned());
        }
        let output = details.output().and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null);
        return What::Exited(details.name().to_owned(), output);
    }
    if let Some(details) = event.task_scheduled_event_details() {
        let parameters: Value = serde_json::from_str(details.parameters()).unwrap_or(Value::Null);
        return What::Scheduled(parameters.get("Payload").cloned().unwrap_or(Value::Null));
    }
    if let Some(details) = event.task_failed_event_details() {
        let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
        return What::Failed(text(details.error()), text(details.cause()));
    }
    What::Other
}
