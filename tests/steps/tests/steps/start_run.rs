//! `start-run` where only the execution's ARN is known: Step Functions is asked for its input.

use anyhow::{Context, Result};
use aws_sdk_sfn::types::ExecutionStatus;
use local_aws::{Config, LocalAws};
use pgleap_contract::ErrorCode;
use pgleap_contract::steps::StartRunInput;
use pgleap_pg::Environment;
use pgleap_step_kit::Ctx;
use serde_json::json;
use step_tests::{SOURCE, World, as_step, until_done, wait_for};

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

/// A run that ended in preflight calls nobody, whatever is wrong with its secret or its network.
#[tokio::test]
async fn an_execution_that_ended_before_its_first_change_has_nothing_to_recover() -> Result<()> {
    let world = World::start_with_states(15).await?;
    let client = aws_sdk_sfn::Client::new(world.ctx.aws());
    let ended_in = async |state: &str| {
        let definition =
            json!({ "StartAt": "A", "States": { "A": { "Type": "Pass", "Next": state }, state: { "Type": "Fail" } } });
        let role = "arn:aws:iam::123456789012:role/r";
        let machine = format!("pgleap-{state}-upgrade");
        let machine = client.create_state_machine().name(machine).definition(definition.to_string()).role_arn(role);
        let machine = machine.send().await?.state_machine_arn;
        let start = client.start_execution().state_machine_arn(machine).input(request("orders").to_string());
        let input = StartRunInput { execution_arn: start.send().await?.execution_arn, request: None };
        wait_for("its end", async || {
            let asked = start_run::run(world.as_step("start-run"), input.clone()).await?;
            let seen = client.describe_execution().execution_arn(&input.execution_arn).send().await?;
            Ok((*seen.status() == ExecutionStatus::Failed).then_some(asked.has_changed_something))
        })
        .await
    };

    assert!(!ended_in("PreflightBlocked").await?);
    assert!(ended_in(start_run::changes::FIRST_CHANGE).await?);
    world.aws.stop().await;
    Ok(())
}

const WAIT: &str =
    r#"{"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Timestamp": "2999-01-01T00:00:00Z", "End": true}}}"#;

fn request(instance: &str) -> serde_json::Value {
    json!({
        "source": {"instance": instance, "loginSecret": "arn"}, "target": {"version": "18"},
        "record": {"zoneId": "Z1", "name": "db.example.com"}
    })
}

#[tokio::test]
async fn a_second_run_of_a_source_is_refused_with_the_first_ones_execution() -> Result<()> {
    let aws = LocalAws::start(Config::default()).await?;
    let loader = aws_config::defaults(aws_config::BehaviorVersion::latest())
        .endpoint_url(aws.url())
        .region(aws_config::Region::new("eu-west-1"))
        .test_credentials();
    let ctx = Ctx::new(loader, Environment::default()).await;
    let client = aws_sdk_sfn::Client::new(ctx.aws());
    let mut machines = Vec::new();
    for name in ["orders-upgrade", "orders-recover"] {
        let machine =
            client.create_state_machine().name(name).definition(WAIT).role_arn("arn:aws:iam::123456789012:role/r");
        machines.push(machine.send().await?.state_machine_arn);
    }
    let start = async |machine: usize, name: &str, input: serde_json::Value| {
        let start = client.start_execution().state_machine_arn(&machines[machine]).name(name).input(input.to_string());
        anyhow::Ok(start.send().await?.execution_arn)
    };
    let begin = async |arn: &str, request: serde_json::Value| {
        start_run::run(&ctx, StartRunInput { execution_arn: arn.to_owned(), request: Some(request) }).await
    };

    let first = start(0, "first", request("orders")).await?;
    let second = start(0, "second", request("Orders")).await?;
    let another = start(0, "another", request("invoices")).await?;
    let mut plan = request("orders");
    plan["mode"] = json!("plan");
    let looks = start(0, "looks", plan.clone()).await?;

    begin(&first, request("orders")).await?;
    begin(&another, request("invoices")).await?;
    begin(&looks, plan).await?;
    let refused = begin(&second, request("Orders")).await.err().context("refused")?;
    assert_eq!(refused.code, ErrorCode::AnotherRun);
    assert!(refused.message.contains(&first), "{}", refused.message);

    let recover =
        async |arn: &str| start_run::run(&ctx, StartRunInput { execution_arn: arn.to_owned(), request: None }).await;
    let refused = recover(&second).await.err().context("nothing to recover")?;
    assert_eq!(refused.code, ErrorCode::AnotherRun, "its recovery would undo the first one");
    assert!(recover(&first).await.is_ok(), "the deadline of a run that goes on may come");

    client.stop_execution().execution_arn(&first).send().await?;
    assert!(recover(&first).await.is_ok());
    let recovery = start(1, "r", json!({"executionArn": first, "reason": "ended"})).await?;
    let refused = begin(&second, request("Orders")).await.err().context("refused")?;
    assert!(refused.message.contains(&recovery), "{}", refused.message);

    client.stop_execution().execution_arn(&recovery).send().await?;
    begin(&second, request("Orders")).await?;
    aws.stop().await;
    Ok(())
}

/// The tags of what a run makes of its source name its execution: first on its parameter group, then on its snapshot.
#[tokio::test]
async fn a_run_of_another_stack_is_met_by_its_tags_while_it_is_under_way() -> Result<()> {
    let mut world = World::start_with_states(15).await?;
    let client = aws_sdk_sfn::Client::new(world.ctx.aws());
    let start = async |machine: &str, name: &str| {
        let role = "arn:aws:iam::123456789012:role/r";
        let machine = client.create_state_machine().name(machine).definition(WAIT).role_arn(role).send().await?;
        let start = client.start_execution().state_machine_arn(machine.state_machine_arn).name(name);
        anyhow::Ok(start.input(request(SOURCE).to_string()).send().await?.execution_arn)
    };
    let (theirs, ours) = (start("people-upgrade", "first").await?, start("pgleap-upgrade", "second").await?);
    world.run.execution_arn = theirs.clone();
    let begin = async || {
        let input = StartRunInput { execution_arn: ours.clone(), request: Some(request(SOURCE)) };
        start_run::run(world.as_step("start-run"), input).await
    };

    begin().await?;
    world.configure_source().await?;
    let by_group = begin().await.err().context("the group's tag")?;
    until_done("snapshot-source", async || {
        snapshot_source::run(world.as_step("snapshot-source"), world.run_only()).await
    })
    .await?;
    let by_snapshot = begin().await.err().context("the snapshot's tag")?;
    for refused in [by_group, by_snapshot] {
        assert_eq!(refused.code, ErrorCode::AnotherRun);
        assert!(refused.message.contains(&theirs), "{}", refused.message);
    }

    client.stop_execution().execution_arn(&theirs).send().await?;
    begin().await.context("what a dead run left stops nobody")?;
    world.aws.stop().await;
    Ok(())
}
