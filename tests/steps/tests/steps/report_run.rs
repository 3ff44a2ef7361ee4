//! `report-run` against the interpreter's own history.

use anyhow::{Context, Result};
use local_aws::{Config, LocalAws};
use pgleap_contract::Run;
use pgleap_contract::steps::{DatabaseSize, ReportRunInput};
use serde_json::json;
use step_tests::{as_step, wait_for};

const PASS: &str = r#"{"StartAt": "Pass", "States": {"Pass": {"Type": "Pass", "End": true}}}"#;

fn a_run(execution: &str) -> Result<Run> {
    Ok(serde_json::from_value(json!({
        "id": "orders-18", "executionArn": execution, "mode": "upgrade", "copy": {}, "choices": {}, "limits": {},
        "source": { "instance": "orders", "loginSecret": "secret" },
        "target": { "version": "18", "instance": "orders-v18" },
        "record": { "zoneId": "Z", "name": "orders-db.example.internal" },
    }))?)
}

#[tokio::test]
async fn an_execution_is_counted_by_its_history() -> Result<()> {
    let aws = LocalAws::start(Config::default()).await?;
    let states = aws.states().context("no Step Functions")?;
    let machine = json!({"name": "pgleap-upgrade", "definition": PASS, "roleArn": "arn:aws:iam::111122223333:role/r"});
    let machine = states.call("CreateStateMachine", &machine).await?["stateMachineArn"].take();
    let execution = states.call("StartExecution", &json!({"stateMachineArn": machine, "input": "{}"})).await?;
    let run = a_run(execution["executionArn"].as_str().context("no ARN")?)?;
    let ctx = as_step(&aws, "report-run", &run).await?;

    // Its one state, and the one that ends a run.
    wait_for("report-run", async || {
        let size = DatabaseSize { tables: 1, bytes: 1, sequences: 0 };
        let input = ReportRunInput {
            run: run.clone(),
            shape: None,
            size,
            repairs: Vec::new(),
            warnings: None,
            kept: Vec::new(),
        };
        let report = report_run::run(&ctx, input).await?;
        assert_eq!((report.invocations, report.cost.usd), (0, 0.0));
        Ok((report.transitions == 2).then_some(()))
    })
    .await?;
    aws.stop().await;
    Ok(())
}
