//! Hooks of the operator's: checked, called at the switch, called in a rollback, in the local Lambda.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Result;
use local_aws::{Config, LocalAws};
use local_aws_lambda::{LambdaHost, OutsideFunction};
use pgleap_contract::steps::{RestoreClientsInput, RestoreClientsOutput, SwitchClientsOutput};
use pgleap_contract::{Clients, ErrorCode, Findings, Generation, Hook, Outcome, Run};
use pgleap_mark::State;
use pgleap_step_kit::{Ctx, StepResult};
use serde_json::{Value, json};
use step_tests::as_step;

use crate::clients::{BACK, SOURCE, TARGET, a_run, check, server, switch};

/// A run with one hook, which keeps what it was called with.
struct World {
    aws: LocalAws,
    run: Run,
    ctx: Ctx,
    checks: Ctx,
    switches: Ctx,
    restores: Ctx,
    seen: Arc<Mutex<Vec<Value>>>,
    seconds_left: i64,
}

impl World {
    async fn armed() -> Result<Self> {
        let aws = LocalAws::start(Config { step_functions: false, ..Config::default() }).await?;
        let settings = aws_config::defaults(aws_config::BehaviorVersion::latest())
            .endpoint_url(aws.url())
            .region(aws_config::Region::new("eu-west-1"))
            .test_credentials();
        let ctx = Ctx::new(settings, pgleap_pg::Environment::default()).await;
        let hook = Hook { function_arn: LambdaHost::arn("move"), timeout_seconds: 3 };
        let run = a_run(&Clients { secrets: Vec::new(), hooks: vec![hook] })?;
        let checks = as_step(&aws, "check-clients", &run).await?;
        let switches = as_step(&aws, "switch-clients", &run).await?;
        let restores = as_step(&aws, "restore-clients", &run).await?;
        pgleap_mark::arm(&ctx, &run, Generation::FORWARD).await?;
        let world = Self { aws, run, ctx, checks, switches, restores, seen: Arc::default(), seconds_left: 60 };
        world.hook(Duration::from_secs(2), "Active", Duration::ZERO, None);
        Ok(world)
    }

    /// The operator's function: with this timeout, in this state, so slow, and failing with these words.
    fn hook(&self, timeout: Duration, state: &'static str, takes: Duration, fails: Option<&'static str>) {
        let seen = Arc::clone(&self.seen);
        let handler = Arc::new(move |event: Value| {
            let seen = Arc::clone(&seen);
            let answer: local_aws_core::BoxFuture<'static, Result<Value, String>> = Box::pin(async move {
                tokio::time::sleep(takes).await;
                seen.lock().expect("not poisoned").push(event);
                fails.map_or(Ok(json!({})), |words| Err(words.to_owned()))
            });
            answer
        });
        self.aws.lambda().register_outside("move", OutsideFunction { timeout, state, handler });
    }

    fn seen(&self) -> Vec<Value> {
        self.seen.lock().expect("not poisoned").clone()
    }

    async fn check(&self) -> StepResult<Findings> {
        check(&self.checks, &self.run).await
    }

    async fn switch(&self) -> StepResult<SwitchClientsOutput> {
        switch(&self.switches, &self.run, self.seconds_left).await
    }

    async fn restore(&self) -> StepResult<RestoreClientsOutput> {
        let (run, source, target) = (self.run.clone(), server(SOURCE), Some(server(TARGET)));
        let input =
            RestoreClientsInput { run, source, target, outcome: Outcome::Back, generation: Generation::FORWARD };
        restore_clients::run(&self.restores, input).await
    }

    async fn decide(&self, state: State) -> Result<()> {
        Ok(pgleap_mark::decide(&self.ctx, &self.run, Generation::FORWARD, state).await?)
    }
}

#[tokio::test]
async fn a_hook_is_told_both_hosts_the_direction_and_a_deadline() -> Result<()> {
    let world = World::armed().await?;

    assert_eq!(world.switch().await?.hooks, 1);
    world.decide(BACK).await?;
    assert_eq!(world.restore().await?.hooks, 1);

    let plain = |event: &Value| {
        let mut event = event.clone();
        let deadline = event.as_object_mut().and_then(|members| members.remove("deadline"));
        assert!(deadline.is_some_and(|text| text.as_str().is_some_and(|text| text.ends_with('Z'))), "{event}");
        event
    };
    let expected = |direction: &str, from: &str, to: &str| json!({"pgleap": 1, "runId": "orders-18", "direction": direction, "generation": 1, "from": from, "to": to});
    let seen: Vec<_> = world.seen().iter().map(plain).collect();
    assert_eq!(seen, [expected("forward", SOURCE, TARGET), expected("back", TARGET, SOURCE)]);
    world.aws.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_hook_that_fails_fails_the_step_with_its_words() -> Result<()> {
    let world = World::armed().await?;
    world.hook(Duration::from_secs(2), "Active", Duration::ZERO, Some("no such parameter"));

    let switched = world.switch().await.expect_err("the hook failed");
    world.decide(BACK).await?;
    let restored = world.restore().await.expect_err("the hook failed");

    for error in [switched, restored] {
        assert_eq!(error.code, ErrorCode::HookFailed);
        assert!(error.message.contains("no such parameter"), "{error}");
    }
    world.aws.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_hook_that_does_not_answer_ends_at_its_timeout_or_at_the_deadline() -> Result<()> {
    let mut world = World::armed().await?;
    world.hook(Duration::from_secs(1), "Active", Duration::from_secs(30), None);

    assert_eq!(world.switch().await.expect_err("it timed out").code, ErrorCode::HookFailed);
    world.hook(Duration::from_secs(20), "Active", Duration::from_secs(30), None);
    world.seconds_left = 1;
    assert_eq!(world.switch().await.expect_err("the deadline").code, ErrorCode::DeadlinePassed);

    world.aws.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_hook_is_called_only_for_a_cutover_that_is_armed_and_in_time() -> Result<()> {
    let mut world = World::armed().await?;
    world.seconds_left = -1;
    assert_eq!(world.switch().await.expect_err("late").code, ErrorCode::DeadlinePassed);
    world.seconds_left = 60;
    world.decide(BACK).await?;

    assert_eq!(world.switch().await.expect_err("the rollback is decided").code, ErrorCode::AlreadyBack);

    assert_eq!(world.seen(), [json!(null); 0]);
    world.aws.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_lost_answer_of_a_hook_is_repeated_by_the_next_call() -> Result<()> {
    let world = World::armed().await?;
    world.aws.faults().plan("lambda:Invoke:1:lose-answer".parse()?);

    let first = world.switch().await.expect_err("its answer is lost");
    world.switch().await?;

    assert_eq!((first.code, world.seen().len()), (ErrorCode::ServiceUnavailable, 2));
    world.aws.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_hook_that_the_cutover_could_not_call_is_a_blocker() -> Result<()> {
    let mut world = World::armed().await?;
    assert_eq!(world.check().await?, Findings::default());

    world.hook(Duration::from_secs(4), "Active", Duration::ZERO, None);
    assert!(world.check().await?.text.contains("timeout of 4 s"));
    world.hook(Duration::from_secs(3), "Inactive", Duration::ZERO, None);
    assert!(world.check().await?.text.contains("not active"));
    if let Some(clients) = &mut world.run.clients {
        clients.hooks[0].function_arn = LambdaHost::arn("other");
    }
    world.checks = as_step(&world.aws, "check-clients", &world.run).await?;
    let denied = "lambda:GetFunctionConfiguration:1:error=AccessDeniedException,403,not authorized";
    world.aws.faults().plan(denied.parse()?);
    let denied = world.check().await?;
    let missing = world.check().await?;

    assert!(denied.blockers == 1 && denied.text.contains("HookFunctionArns"), "{}", denied.text);
    assert!(missing.blockers == 1 && missing.text.contains("Function not found"), "{}", missing.text);
    world.aws.stop().await;
    Ok(())
}
