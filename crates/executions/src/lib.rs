//! Executions of the state machines, as Step Functions knows them.
//!
//! `Executions` asks and answers; what it finds are plain values. Moments are seconds since the epoch.

mod answer;
mod history;

use aws_sdk_sfn::Client;
use aws_sdk_sfn::types::ExecutionStatus;
use pgleap_step_kit::Ctx;
use pgleap_step_kit::aws::{AwsError, Doing, Optional};

pub use answer::{Answer, Taken};
pub use history::{Event, What};

/// Step Functions, for one step.
#[derive(Debug, Clone)]
pub struct Executions {
    client: Client,
}

/// An execution, running or ended.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Execution {
    /// What it was started with, as JSON; none if Step Functions does not show it.
    pub input: Option<String>,
    /// What it ended with, as JSON; none unless it succeeded.
    pub output: Option<String>,
    /// `RUNNING`, `SUCCEEDED`, `FAILED`, `TIMED_OUT`, `ABORTED`, `PENDING_REDRIVE`.
    pub status: String,
    /// In seconds since the epoch.
    pub started: f64,
    /// The error code, if it failed with one.
    pub error: String,
    /// The error's message, if it failed with one.
    pub cause: String,
}

impl Execution {
    /// Whether it is under way.
    pub fn is_running(&self) -> bool {
        self.status == ExecutionStatus::Running.as_str()
    }
}

/// An execution in the list of those that run.
#[derive(Debug, Clone, PartialEq)]
pub struct Running {
    /// Its ARN.
    pub arn: String,
    /// In seconds since the epoch.
    pub started: f64,
}

impl Executions {
    /// With the step's configuration.
    pub fn new(ctx: &Ctx) -> Self {
        Self { client: Client::new(ctx.aws()) }
    }

    /// An execution by its ARN.
    ///
    /// # Errors
    /// `Class::NotFound`: there is none, or Step Functions has forgotten it.
    pub async fn describe(&self, arn: &str) -> Result<Execution, AwsError> {
        let answer = self.client.describe_execution().execution_arn(arn).send().await;
        let found = answer.doing(format!("describe execution {arn}"))?;
        Ok(Execution {
            status: found.status.as_str().to_owned(),
            started: found.start_date.as_secs_f64(),
            input: found.input,
            output: found.output,
            error: found.error.unwrap_or_default(),
            cause: found.cause.unwrap_or_default(),
        })
    }

    /// The executions of a machine that are under way; none if there is no such machine.
    pub async fn running(&self, machine_arn: &str) -> Result<Vec<Running>, AwsError> {
        let request = self.client.list_executions().state_machine_arn(machine_arn);
        let mut pages = request.status_filter(ExecutionStatus::Running).into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let Some(page) = page.doing(format!("list executions of {machine_arn}")).optional()? else { break };
            let listed = page.executions.into_iter();
            found.extend(listed.map(|one| Running { arn: one.execution_arn, started: one.start_date.as_secs_f64() }));
        }
        Ok(found)
    }
}
