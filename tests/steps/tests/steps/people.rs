//! `ask-approval` and `tell-people` against the local SNS and EventBridge.

use anyhow::Result;
use local_aws_core::EventBus;
use pgleap_contract::ErrorCode;
use pgleap_contract::steps::{AskApprovalInput, TellPeopleOutput};
use pgleap_notify::{Runbook, Topic};
use serde_json::{Value, json};
use step_tests::World;

/// As the template names it.
const TOPIC: &str = "arn:aws:sns:eu-west-1:111122223333:pgleap-people";

fn question(world: &World) -> Result<AskApprovalInput> {
    Ok(serde_json::from_value(json!({
        "run": world.run, "token": "AQCEAAAAKgAAAAM=", "question": "cutover", "asked": 0, "repairs": [],
        "outage": {"milliseconds": 2_000.0, "parts": [], "deadlineSeconds": 60, "rebootSeconds": null},
        "instance": [], "database": [{"check": "long-transactions", "severity": "warning", "found": "one of 3 h", "remedy": "end it"}],
    }))?)
}

async fn tell(world: &World, news: Value) -> Result<TellPeopleOutput> {
    let input = json!({"executionArn": world.run.execution_arn, "run": world.run, "news": news});
    let (topic, runbook) = (Topic::of(TOPIC), Runbook::at("https://pages.example/runbook"));
    Ok(tell_people::run_with(world.as_step("tell-people"), serde_json::from_value(input)?, topic, runbook).await?)
}

async fn next_event(events: &mut tokio::sync::broadcast::Receiver<local_aws_core::Event>) -> Result<serde_json::Value> {
    loop {
        let event = events.recv().await?;
        if event.source == "pgleap" {
            return Ok(json!({"kind": event.detail_type, "detail": event.detail}));
        }
    }
}

#[tokio::test]
async fn people_are_asked_and_told_by_message_and_event_and_a_closed_way_does_not_close_the_other() -> Result<()> {
    let world = World::start(13).await?;
    let bus: &EventBus = world.aws.events();
    let mut events = bus.subscribe();

    let refused =
        ask_approval::run_with(world.as_step("ask-approval"), question(&world)?, Topic::of(TOPIC), None).await;
    assert!(refused.is_err(), "there is no such topic yet");
    let alone = tell(&world, json!({"phase": "load"})).await?;
    assert_eq!(alone.messages, 1, "the bus was told");
    assert_eq!(next_event(&mut events).await?["detail"]["phase"], "load");

    world.aws.sns().add_topic(TOPIC);
    ask_approval::run_with(world.as_step("ask-approval"), question(&world)?, Topic::of(TOPIC), None).await?;
    let went_back = json!({"wentBack": {"error": "TooMuchWal", "cause": "60 GB are kept"}});
    tell(&world, went_back).await?;

    let messages = world.aws.sns().messages();
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[0].subject, "pgleap asks about orders: approve the cutover (run orders-run)?");
    assert!(messages[0].text.contains("--task-token 'AQCEAAAAKgAAAAM='"), "{}", messages[0].text);
    assert!(messages[0].text.contains("long-transactions: one of 3 h"), "{}", messages[0].text);
    assert_eq!(messages[1].subject, "pgleap orders: rolled back (TooMuchWal)");
    let event = next_event(&mut events).await?;
    assert_eq!((event["kind"].as_str(), event["detail"]["error"].as_str()), (Some("Went Back"), Some("TooMuchWal")));
    let page = "https://pages.example/runbook/TooMuchWal.md";
    assert_eq!(event["detail"]["runbook"], page);
    assert!(messages[1].text.contains(&format!("What to do: {page}\n")), "{}", messages[1].text);
    Ok(())
}

#[tokio::test]
async fn a_question_that_the_policy_does_not_allow_is_refused() -> Result<()> {
    let world = World::start(13).await?;
    let other = "arn:aws:sns:eu-west-1:111122223333:somebody-elses";
    world.aws.sns().add_topic(other);
    world.aws.expect_refusal("sns:Publish");

    let refused =
        ask_approval::run_with(world.as_step("ask-approval"), question(&world)?, Topic::of(other), None).await;

    assert_eq!(refused.expect_err("not allowed").code, ErrorCode::AccessDenied);
    assert_eq!(world.aws.sns().messages(), []);
    Ok(())
}
