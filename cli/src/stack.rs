//! The state machines of a stack and their executions.

use anyhow::{Context, Result, bail};
use aws_sdk_sfn::Client;
use serde_json::Value;

/// The alias through which runs are started: it names the version that was deployed last.
const ALIAS: &str = "live";

/// A stack, by its name.
#[derive(Debug, Clone)]
pub struct Stack {
    client: Client,
    name: String,
}

impl Stack {
    /// With a client of the stack's Region.
    pub fn new(client: Client, name: &str) -> Self {
        Self { client, name: name.to_owned() }
    }

    /// The ARN of one of its state machines, `upgrade` or `recover`.
    ///
    /// # Errors
    /// The Region has no such state machine; Step Functions refuses the call or cannot be reached.
    pub async fn machine(&self, which: &str) -> Result<String> {
        let name = format!("{}-{which}", self.name);
        let mut pages = self.client.list_state_machines().into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.context("list the state machines")?;
            if let Some(found) = page.state_machines().iter().find(|machine| machine.name() == name) {
                return Ok(found.state_machine_arn().to_owned());
            }
        }
        bail!(
            "this account and Region have no state machine {name}; check the stack's name, AWS_PROFILE and AWS_REGION"
        )
    }

    /// The newest execution of a state machine; none if it was never started.
    ///
    /// # Errors
    /// Step Functions refuses the call or cannot be reached.
    pub async fn newest(&self, machine: &str) -> Result<Option<String>> {
        let list = self.client.list_executions().state_machine_arn(machine).max_results(1);
        let page = list.send().await.context("list the executions")?;
        Ok(page.executions().first().map(|execution| execution.execution_arn().to_owned()))
    }

    /// Start the upgrade with this input. Answers with the execution's ARN.
    ///
    /// # Errors
    /// Step Functions refuses the call or cannot be reached.
    pub async fn start(&self, input: &Value) -> Result<String> {
        let machine = self.started_by(&self.machine("upgrade").await?).await;
        let start = self.client.start_execution().state_machine_arn(machine).input(input.to_string());
        Ok(start.send().await.context("start the execution")?.execution_arn().to_owned())
    }

    /// The alias, or the machine itself where it has none or aliases may not be listed.
    async fn started_by(&self, machine: &str) -> String {
        let list = self.client.list_state_machine_aliases().state_machine_arn(machine).send().await;
        let aliases = list.map(|page| page.state_machine_aliases).unwrap_or_default();
        let alias = aliases.into_iter().map(|alias| alias.state_machine_alias_arn);
        let live = alias.into_iter().find(|arn| arn.ends_with(&format!(":{ALIAS}")));
        live.unwrap_or_else(|| machine.to_owned())
    }
}
