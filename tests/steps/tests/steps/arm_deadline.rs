//! `arm-deadline` against the local Scheduler.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use arm_deadline::Recovery;
use local_aws::{Config, LocalAws};
use pgleap_contract::steps::{ArmDeadlineInput, Arming};
use pgleap_contract::{ErrorCode, Generation, Names, Run, Server};
use pgleap_step_kit::Ctx;
use serde_json::json;
use step_tests::as_step;

fn a_run(execution: &str, cutover_seconds: u32) -> Result<Run> {
    Ok(serde_json::from_value(json!({
        "id": "orders-18", "executionArn": format!("arn:aws:states:eu-west-1:123456789012:execution:upgrade:{execution}"),
        "mode": "upgrade", "copy": {}, "choices": {}, "limits": { "cutoverSeconds": cutover_seconds },
        "source": { "instance": "orders", "loginSecret": "secret" },
        "target": { "version": "18", "instance": "orders-v18" },
        "record": { "zoneId": "Z", "name": "orders-db.example.internal" },
    }))?)
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    i64::try_from(since.as_millis()).expect("a clock before the end of time")
}

fn recovery() -> Recovery {
    Recovery {
        machine_arn: "arn:aws:states:eu-west-1:123456789012:stateMachine:pgleap-recover".to_owned(),
        role_arn: "arn:aws:iam::111122223333:role/DeadlineRole".to_owned(),
    }
}

/// A local AWS in which the target is being made.
async fn start() -> Result<(LocalAws, Ctx)> {
    let aws = LocalAws::start(Config { step_functions: false, ..Config::default() }).await?;
    let ctx = as_step(&aws, "arm-deadline", &a_run("one", 60)?).await?;
    let tag = |key: &str| aws_sdk_rds::types::Tag::builder().key(key).value("orders-18").build();
    let target = rds(&aws).await.create_db_instance().db_instance_identifier("orders-v18").engine("postgres");
    let target = target.db_instance_class("db.t3.medium").allocated_storage(20).master_username("somebody");
    let target = target.master_user_password("a-password").tags(tag(Names::TAG)).tags(tag(Names::DELETABLE_TAG));
    target.send().await?;
    Ok((aws, ctx))
}

async fn rds(aws: &LocalAws) -> aws_sdk_rds::Client {
    let settings = aws_config::defaults(aws_config::BehaviorVersion::latest()).endpoint_url(aws.url());
    aws_sdk_rds::Client::new(&settings.region("eu-west-1").test_credentials().load().await)
}

async fn tags_of_target(aws: &LocalAws) -> Result<Vec<String>> {
    let found = rds(aws).await.describe_db_instances().db_instance_identifier("orders-v18").send().await?;
    let target = found.db_instances().first().context("no target")?;
    Ok(target.tag_list().iter().filter_map(|tag| tag.key().map(str::to_owned)).collect())
}

fn input(run: Run) -> ArmDeadlineInput {
    let server = |host: &str| Server { host: host.to_owned(), port: 5432, database: "o".to_owned(), storage_gib: None };
    let (part, switch) = (Arming::Fence, None);
    let (source, target) = (server("source"), server("target"));
    ArmDeadlineInput { run, source, target, generation: Generation::FORWARD, part, switch }
}

#[tokio::test]
async fn a_deadline_is_armed_once_and_a_repeated_call_or_a_lost_answer_does_not_move_it() -> Result<()> {
    let (aws, ctx) = start().await?;
    aws.faults().plan("scheduler:CreateSchedule:1:lose-answer".parse()?);
    let before = now_ms();

    let first = arm_deadline::run_with(&ctx, input(a_run("one", 60)?), recovery()).await?;
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    let second = arm_deadline::run_with(&ctx, input(a_run("one", 60)?), recovery()).await?;

    assert_eq!(first, second);
    let seconds = (first.cutover.deadline_epoch_ms - before) as f64 / 1_000.0;
    assert!((64.0..=68.0).contains(&seconds), "{seconds} s");
    assert_eq!(aws.scheduler().names(), ["pgleap-orders-18-deadline"]);
    assert_eq!(aws.secrets().names(), ["pgleap/orders-18/cutover-1"]);
    assert_eq!(tags_of_target(&aws).await?, [Names::TAG], "nothing may delete the target any more");
    aws.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_record_that_changes_first_has_a_deadline_of_its_own_until_the_fence_is_armed() -> Result<()> {
    let (aws, ctx) = start().await?;
    let before = now_ms();
    let first = ArmDeadlineInput { part: Arming::Switch, ..input(a_run("one", 60)?) };

    let switch = arm_deadline::run_with(&ctx, first.clone(), recovery()).await?.cutover;
    let repeated = arm_deadline::run_with(&ctx, first, recovery()).await?.cutover;

    assert_eq!(switch, repeated);
    let seconds = (switch.deadline_epoch_ms - before) as f64 / 1_000.0;
    assert!((184.0..=188.0).contains(&seconds), "{seconds} s, limits.switchSeconds is 180");
    assert_eq!(aws.scheduler().names(), ["pgleap-orders-18-switch"]);
    assert_eq!(aws.secrets().names(), ["pgleap/orders-18/cutover-1"], "the mark is there before the record changes");

    let passed = pgleap_contract::Cutover { deadline_epoch_ms: before, ..switch };
    let late = ArmDeadlineInput { switch: Some(passed), ..input(a_run("one", 60)?) };
    let refused = arm_deadline::run_with(&ctx, late, recovery()).await.expect_err("the time of the change is over");
    assert_eq!(refused.code, ErrorCode::DeadlinePassed);
    assert_eq!(aws.scheduler().names(), ["pgleap-orders-18-switch"]);

    let fence = ArmDeadlineInput { switch: Some(switch), ..input(a_run("one", 60)?) };
    aws.faults().plan("scheduler:DeleteSchedule:1:lose-answer".parse()?);
    arm_deadline::run_with(&ctx, fence.clone(), recovery()).await?;
    arm_deadline::run_with(&ctx, fence, recovery()).await?;
    assert_eq!(aws.scheduler().names(), ["pgleap-orders-18-deadline"]);
    aws.stop().await;
    Ok(())
}

#[tokio::test]
async fn without_the_mark_or_with_a_target_that_may_be_deleted_nothing_is_armed() -> Result<()> {
    for (denied, code) in
        [("secretsmanager:CreateSecret", "AccessDeniedException"), ("rds:RemoveTagsFromResource", "AccessDenied")]
    {
        let (aws, ctx) = start().await?;
        aws.faults().plan(format!("{denied}:*:error={code},403,by a policy of the organisation").parse()?);

        let refused = arm_deadline::run_with(&ctx, input(a_run("one", 60)?), recovery()).await.expect_err(denied);

        assert_eq!(refused.code, ErrorCode::AccessDenied, "{refused}");
        assert!(aws.scheduler().names().is_empty(), "{denied}: a deadline was armed");
        aws.stop().await;
    }
    Ok(())
}

#[tokio::test]
async fn the_deadline_of_another_execution_is_not_taken_over() -> Result<()> {
    let (aws, ctx) = start().await?;
    arm_deadline::run_with(&ctx, input(a_run("one", 60)?), recovery()).await?;

    let refused =
        arm_deadline::run_with(&ctx, input(a_run("two", 60)?), recovery()).await.expect_err("it is another's");

    assert_eq!(refused.code, ErrorCode::BadInput);
    assert!(refused.message.contains("runId"), "{}", refused.message);
    aws.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_cutover_is_not_armed_outside_its_window() -> Result<()> {
    let (aws, ctx) = start().await?;
    let now = now_ms() / 1_000;
    let in_hours = |hours: i64| pgleap_window::text(now + hours * 3_600)[11..16].to_owned();
    let with_window = |start: i64, end: i64| -> Result<Run> {
        let mut run = a_run("one", 60)?;
        run.window =
            serde_json::from_value(json!({"start": in_hours(start), "end": in_hours(end), "timeZone": "UTC"}))?;
        Ok(run)
    };

    let early = arm_deadline::run_with(&ctx, input(with_window(6, 8)?), recovery()).await;
    assert_eq!(early.expect_err("the window is closed").code, ErrorCode::WindowOver);
    assert!(aws.scheduler().names().is_empty() && aws.secrets().names().is_empty(), "nothing was armed");

    arm_deadline::run_with(&ctx, input(with_window(-1, 2)?), recovery()).await?;
    assert_eq!(aws.scheduler().names(), ["pgleap-orders-18-deadline"]);
    aws.stop().await;
    Ok(())
}
