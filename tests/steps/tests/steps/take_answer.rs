//! `ask-approval`'s link and `take-answer` against an execution that waits.

use std::time::Duration;

use anyhow::{Context, Result};
use local_aws::{Config, LocalAws};
use local_aws_lambda::FunctionConfig;
use pgleap_contract::Run;
use pgleap_step_kit::Ctx;
use serde_json::{Value, json};
use step_tests::{as_step, wait_for};
use take_answer::{Page, PageRequest};

/// As the template names them here.
const TOPIC: &str = "arn:aws:sns:eu-west-1:111122223333:pgleap-people";
const KEY: &str = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:AnswerKey-deploy";
/// Asks, and waits.
const WAIT: &str = r#"{"QueryLanguage": "JSONata", "StartAt": "Wait", "States": {"Wait": {
    "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "End": true, "TimeoutSeconds": 60,
    "Arguments": {
        "FunctionName": "arn:aws:lambda:eu-west-1:111122223333:function:pgleap-ask-approval",
        "Payload": "{% $merge([$states.input, {'token': $states.context.Task.Token}]) %}"
    }
}}}"#;

/// A stack with a question that waits, and the link that was sent.
struct Asked {
    aws: LocalAws,
    ctx: Ctx,
    execution: String,
    query: Value,
}

impl Asked {
    async fn start(wait_seconds: u32) -> Result<Self> {
        let aws = LocalAws::start(Config::default()).await?;
        aws.sns().add_topic(TOPIC);
        aws.secrets().deploy("AnswerKey", KEY, &"k".repeat(64))?;
        aws.lambda().register(asking_function());
        let run = a_run(wait_seconds)?;
        let ctx = as_step(&aws, "take-answer", &run).await?;
        let states = aws.states().context("no Step Functions")?;
        let machine =
            json!({"name": "pgleap-upgrade", "definition": WAIT, "roleArn": "arn:aws:iam::111122223333:role/r"});
        let machine = states.call("CreateStateMachine", &machine).await?["stateMachineArn"].take();
        let start = json!({"stateMachineArn": machine, "input": question(&run).to_string()});
        let execution = states.call("StartExecution", &start).await?;
        let execution = execution["executionArn"].as_str().context("no ARN")?.to_owned();
        let query =
            wait_for("the question", async || Ok(aws.sns().messages().first().map(|one| query(&one.text)))).await?;
        Ok(Self { aws, ctx, execution, query: query.context("no link")? })
    }

    async fn send(&self, method: &str, body: &str) -> Result<Page> {
        self.send_to(&self.query, method, body).await
    }

    async fn send_to(&self, query: &Value, method: &str, body: &str) -> Result<Page> {
        let event = json!({
            "queryStringParameters": query, "body": body,
            "requestContext": {"http": {"method": method, "sourceIp": "192.0.2.7"}},
        });
        let request: PageRequest = serde_json::from_value(event)?;
        Ok(take_answer::run_with(&self.ctx, request, KEY).await?)
    }

    async fn described(&self) -> Result<Value> {
        let states = self.aws.states().context("no Step Functions")?;
        Ok(states.call("DescribeExecution", &json!({"executionArn": self.execution})).await?)
    }

    async fn ended(&self) -> Result<Value> {
        wait_for("the execution", async || {
            let seen = self.described().await?;
            Ok((seen["status"] != "RUNNING").then_some(seen))
        })
        .await
    }
}

/// As the template has it.
fn asking_function() -> FunctionConfig {
    let mut function = FunctionConfig::new("pgleap-ask-approval", env!("CARGO_BIN_EXE_asking-function"));
    let environment =
        [("PGLEAP_TOPIC_ARN", TOPIC), ("PGLEAP_ANSWER_URL", "https://answers.example/"), ("PGLEAP_ANSWER_KEY", KEY)];
    function.environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    function.timeout = Duration::from_secs(30);
    function
}

fn a_run(wait_seconds: u32) -> Result<Run> {
    Ok(serde_json::from_value(json!({
        "id": "orders-18", "executionArn": "arn:aws:states:eu-west-1:111122223333:execution:pgleap-upgrade:orders-18",
        "mode": "upgrade", "copy": {}, "choices": {}, "limits": {},
        "source": { "instance": "orders", "loginSecret": "secret" },
        "target": { "version": "18", "instance": "orders-v18" },
        "record": { "zoneId": "Z", "name": "orders-db.example.internal" },
        "approval": { "cutover": true, "waitSeconds": wait_seconds },
    }))?)
}

fn question(run: &Run) -> Value {
    json!({
        "run": run, "question": "cutover", "asked": 0, "repairs": [], "instance": [], "database": [],
        "outage": {"milliseconds": 2_000.0, "parts": [], "deadlineSeconds": 60, "rebootSeconds": null},
    })
}

/// The link's part behind the question mark, as a function URL hands it over.
fn query(message: &str) -> Option<Value> {
    let link = message.lines().find_map(|line| line.strip_prefix("https://answers.example/?"))?;
    let parts = link.split('&').filter_map(|pair| pair.split_once('='));
    Some(parts.map(|(name, value)| (name.to_owned(), Value::from(value))).collect::<serde_json::Map<_, _>>().into())
}

#[tokio::test]
async fn a_link_shows_the_question_and_takes_one_yes() -> Result<()> {
    let asked = Asked::start(3_600).await?;

    let shown = asked.send("GET", "").await?;
    assert_eq!(shown.status_code, 200);
    assert!(shown.body.contains("May the applications of <code>orders</code> move"), "{}", shown.body);
    let unclear = asked.send("POST", "answer=maybe").await?;
    assert_eq!(unclear.status_code, 400);
    assert_eq!(asked.described().await?["status"], "RUNNING", "neither a look nor nonsense answers");

    let thanks = asked.send("POST", "answer=yes").await?;
    assert_eq!(thanks.status_code, 200, "{}", thanks.body);
    let ended = asked.ended().await?;
    assert_eq!((&ended["status"], &ended["output"]), (&json!("SUCCEEDED"), &json!("{\"approved\":true}")), "{ended}");

    for late in ["answer=yes", "answer=no"] {
        let page = asked.send("POST", late).await?;
        assert_eq!(page.status_code, 410, "{}", page.body);
    }
    asked.aws.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_no_by_the_link_ends_the_wait_with_not_approved() -> Result<()> {
    let asked = Asked::start(3_600).await?;

    asked.send("POST", "answer=no").await?;

    let ended = asked.ended().await?;
    assert_eq!((&ended["status"], &ended["error"]), (&json!("FAILED"), &json!("NotApproved")), "{ended}");
    asked.aws.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_link_that_was_changed_or_expired_or_sealed_with_an_older_key_answers_nothing() -> Result<()> {
    let asked = Asked::start(0).await?; // nobody waits longer than that
    let mut changed = asked.query.clone();
    changed["s"] = "AAAA".into();
    let cases = [(asked.query.clone(), 410), (changed, 403), (json!({}), 403)];
    for (query, status) in cases {
        for (method, body) in [("GET", ""), ("POST", "answer=yes")] {
            assert_eq!(asked.send_to(&query, method, body).await?.status_code, status, "{method}");
        }
    }

    asked.aws.secrets().deploy("AnswerKey", KEY, &"n".repeat(64))?;
    assert_eq!(asked.send("POST", "answer=yes").await?.status_code, 403, "the key was changed");
    asked.aws.secrets().forget(KEY);
    assert_eq!(asked.send("POST", "answer=yes").await?.status_code, 500, "there is no key");
    assert_eq!(asked.described().await?["status"], "RUNNING");
    asked.aws.stop().await;
    Ok(())
}
