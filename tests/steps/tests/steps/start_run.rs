//! `start-run` where only the execution's ARN is known: Step Functions is asked for its input.

use anyhow::{Context, Result};
use local_aws::{Config, LocalAws};
use pgleap_contract::ErrorCode;
use pgleap_contract::steps::StartRunInput;
use pgleap_pg::Environment;
use pgleap_step_kit::Ctx;
use serde_json::json;
use step_tests::as_step;

const PASS: &str = r#"{"StartAt": "Pass", "States": {"Pass": {"Type": "Pass", "End": true}}}"#;

#[tokio::test]
async fn the_run_of_an_execution_is_the_same_whoever_asks() -> Result<()> {
    let aws = LocalAws::start(Config::default()).await?;
    let loader = aws_config::defaults(aws_config::BehaviorVersion::latest())
        .endpoint_url(aws.url())
        .region(aws_config::Region::new("eu-west-1"))
        .test_credentials();
    let ctx = Ctx::new(loader, Environment::default()).await;
    let request = json!({
        "source": {"instance": "orders", "loginSecret": "arn"}, "target": {"version": "18"},
        "record": {"zoneId": "Z1", "name": "db.example.com"}
    });
    let client = aws_sdk_sfn::Client::new(ctx.aws());
    let machine = client
        .create_state_machine()
        .name("pgleap-upgrade")
        .definition(PASS)
        .role_arn("arn:aws:iam::123456789012:role/r");
    let machine = machine.send().await?.state_machine_arn;
    let start = client.start_execution().state_machine_arn(machine).name("Orders-18").input(request.to_string());
    let arn = start.send().await?.execution_arn;

    let run =
        start_run::run(&ctx, StartRunInput { execution_arn: arn.clone(), request: Some(request.clone()) }).await?.run;
    let ctx = as_step(&aws, "start-run", &run).await?;

    let told = start_run::run(&ctx, StartRunInput { execution_arn: arn.clone(), request: Some(request) }).await?;
    let asked = start_run::run(&ctx, StartRunInput { execution_arn: arn.clone(), request: None }).await?;

    assert_eq!(told, asked);
    assert!(told.run.id.as_str().starts_with("orders-18-"), "{}", told.run.id);
    let nobodys = arn.replace("Orders-18", "no-such");
    let error =
        start_run::run(&ctx, StartRunInput { execution_arn: nobodys, request: None }).await.err().context("found")?;
    assert_eq!(error.code, ErrorCode::BadInput);
    aws.stop().await;
    Ok(())
}
