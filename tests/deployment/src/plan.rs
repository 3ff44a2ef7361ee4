//! A plan on each of the two interpreters: the states that it goes through, and how it ends.
//!
//! Not its output: ministack answers with a Succeed state's input where `Output` says otherwise.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use local_aws::LocalAws;
use serde_json::{Value, json};

use crate::checks::text;
use crate::cloud::Cloud;

/// How long a plan may take.
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK_AGAIN: Duration = Duration::from_millis(200);
const NAME: &str = "a-plan";
/// Functions are woken side by side, which ministack does not note in the history.
const IN_ANY_ORDER: &str = "Wake";

/// What an execution did.
#[derive(Debug, PartialEq)]
pub(crate) struct Trace {
    pub(crate) status: String,
    pub(crate) states: Vec<String>,
}

/// On the stand-in's interpreter (moto's).
pub(crate) async fn on_stand_in(aws: &LocalAws, machine: &str, input: &Value) -> Result<Trace> {
    let states = aws.states().context("Step Functions was not started")?;
    follow(machine, input, async |operation, input| Ok(states.call(operation, &input).await?)).await
}

/// On the one into which the stack was deployed.
pub(crate) async fn on_cloud(cloud: &Cloud, machine: &str, input: &Value) -> Result<Trace> {
    follow(machine, input, async |operation, input| {
        let kebab = contract_tests::machine::kebab(operation);
        cloud.ask(&["stepfunctions", &kebab, "--cli-input-json", &input.to_string()]).await
    })
    .await
}

async fn follow(machine: &str, input: &Value, ask: impl AsyncFn(&str, Value) -> Result<Value>) -> Result<Trace> {
    let start = json!({ "stateMachineArn": machine, "name": NAME, "input": input.to_string() });
    let arn = json!({ "executionArn": ask("StartExecution", start).await?["executionArn"] });
    let began = Instant::now();
    let ended = loop {
        let look = ask("DescribeExecution", arn.clone()).await?;
        if look["status"] != "RUNNING" {
            break look;
        }
        if began.elapsed() > PATIENCE {
            bail!("{machine}: the plan has not ended after {PATIENCE:?}");
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    };
    let (mut states, mut page) = (Vec::new(), arn);
    loop {
        let history = ask("GetExecutionHistory", page.clone()).await?;
        let entered = history["events"].as_array().context("no history")?.iter();
        let names = entered.filter_map(|event| event["stateEnteredEventDetails"]["name"].as_str());
        states.extend(names.filter(|name| !name.starts_with(IN_ANY_ORDER)).map(str::to_owned));
        match history["nextToken"].as_str() {
            Some(token) => page["nextToken"] = json!(token),
            None => return Ok(Trace { status: text(&ended["status"]).to_owned(), states }),
        }
    }
}
