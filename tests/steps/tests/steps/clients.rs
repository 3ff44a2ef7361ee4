//! `check-clients`, `switch-clients` and `restore-clients` against the local Secrets Manager.

use anyhow::{Context, Result};
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::primitives::Blob;
use local_aws::{Config, LocalAws};
use pgleap_clients::{Moved, Secrets, Way};
use pgleap_contract::steps::{
    CheckClientsInput, RestoreClientsInput, RestoreClientsOutput, SwitchClientsOutput, UnderFence,
};
use pgleap_contract::{ClientSecret, Clients, ErrorCode, Findings, Generation, Outcome, Run, Server};
use pgleap_mark::State;
use pgleap_step_kit::{Ctx, StepResult};
use serde_json::json;
use step_tests::{as_step, cutover_in};

pub(crate) const BACK: State = State::Back { target_holds_back: true };
pub(crate) const SOURCE: &str = "orders.c9x.eu-west-1.rds.amazonaws.com";
pub(crate) const TARGET: &str = "orders-v18.c9x.eu-west-1.rds.amazonaws.com";

/// As a person wrote it: nothing of it may change but the host.
fn value(host: &str, password: &str) -> String {
    format!(
        "{{\n  \"username\": \"app\", \"password\":\"{password}\",\n  \"host\" : \"{host}\",\"port\":5432.0, \"a\":{{\"host\":\"x\"}}\n}}\n"
    )
}

/// A run with one secret that applications read.
struct World {
    aws: LocalAws,
    secrets: Client,
    run: Run,
    /// To whom everything is allowed.
    ctx: Ctx,
    checks: Ctx,
    switches: Ctx,
    restores: Ctx,
    seconds_left: i64,
}

impl World {
    async fn start() -> Result<Self> {
        let aws = LocalAws::start(Config { step_functions: false, ..Config::default() }).await?;
        let settings = || {
            aws_config::defaults(aws_config::BehaviorVersion::latest())
                .endpoint_url(aws.url())
                .region(aws_config::Region::new("eu-west-1"))
                .test_credentials()
        };
        let secrets = Client::new(&settings().load().await);
        let made = secrets.create_secret().name("app").secret_string(value(SOURCE, "one")).send().await?;
        let named = named(&made.arn.context("an ARN")?);
        let run = a_run(&Clients { secrets: vec![named], hooks: Vec::new() })?;
        let ctx = Ctx::new(settings(), pgleap_pg::Environment::default()).await;
        let checks = as_step(&aws, "check-clients", &run).await?;
        let switches = as_step(&aws, "switch-clients", &run).await?;
        let restores = as_step(&aws, "restore-clients", &run).await?;
        Ok(Self { aws, secrets, run, ctx, checks, switches, restores, seconds_left: 60 })
    }

    /// The same, armed.
    async fn armed() -> Result<Self> {
        let world = Self::start().await?;
        pgleap_mark::arm(&world.ctx, &world.run, Generation::FORWARD).await?;
        Ok(world)
    }

    fn secret(&self) -> &ClientSecret {
        &self.run.clients.as_ref().expect("it has clients").secrets[0]
    }

    async fn check(&self) -> StepResult<Findings> {
        check(&self.checks, &self.run).await
    }

    async fn switch(&self) -> StepResult<SwitchClientsOutput> {
        switch(&self.switches, &self.run, self.seconds_left).await
    }

    async fn restore(&self, outcome: Outcome) -> StepResult<RestoreClientsOutput> {
        let input = RestoreClientsInput {
            run: self.run.clone(),
            source: server(SOURCE),
            target: None,
            outcome,
            generation: Generation::FORWARD,
        };
        restore_clients::run(&self.restores, input).await
    }

    /// As `open-target` or `unfence-source` leaves the mark.
    async fn decide(&self, state: State) -> Result<()> {
        Ok(pgleap_mark::decide(&self.ctx, &self.run, Generation::FORWARD, state).await?)
    }

    /// What an application reads.
    async fn read(&self) -> Result<String> {
        let read = self.secrets.get_secret_value().secret_id(&self.secret().secret_id).send().await?;
        read.secret_string.context("a text")
    }

    /// Versions with their labels, sorted.
    async fn labels(&self) -> Result<Vec<Vec<String>>> {
        let found = self.secrets.describe_secret().secret_id(&self.secret().secret_id).send().await?;
        let mut labels: Vec<_> = found.version_ids_to_stages.unwrap_or_default().into_values().collect();
        labels.sort();
        Ok(labels)
    }

    /// As a rotation, or a person, changes the value.
    async fn put(&self, text: String) -> Result<()> {
        self.secrets.put_secret_value().secret_id(&self.secret().secret_id).secret_string(text).send().await?;
        Ok(())
    }

    /// How many calls of an operation were carried out.
    fn carried_out(&self, operation: &str) -> usize {
        let log = self.aws.calls().since(0);
        log.iter()
            .filter(|call| call.operation == operation && call.outcome == local_aws_core::Outcome::Answered)
            .count()
    }
}

/// Preflight, and once more before the fence.
pub(crate) async fn check(ctx: &Ctx, run: &Run) -> StepResult<Findings> {
    let input = CheckClientsInput { run: run.clone(), source: server(SOURCE), findings: Findings::default() };
    Ok(check_clients::run(ctx, input).await?.findings)
}

/// Beside the drain, with so many seconds left.
pub(crate) async fn switch(ctx: &Ctx, run: &Run, seconds_left: i64) -> StepResult<SwitchClientsOutput> {
    let cutover = cutover_in(seconds_left);
    let input = UnderFence { run: run.clone(), source: server(SOURCE), target: server(TARGET), cutover };
    switch_clients::run(ctx, input).await
}

/// A run with these clients beside those of its record.
pub(crate) fn a_run(clients: &Clients) -> Result<Run> {
    Ok(serde_json::from_value(json!({
        "id": "orders-18", "executionArn": "arn:aws:states:eu-west-1:123456789012:execution:upgrade:orders-18",
        "mode": "upgrade", "copy": {}, "choices": {}, "limits": {},
        "source": { "instance": "orders", "loginSecret": "secret" },
        "target": { "version": "18", "instance": "orders-v18" },
        "record": { "zoneId": "Z", "name": "orders-db.example.internal" },
        "clients": clients,
    }))?)
}

fn named(secret: &str) -> ClientSecret {
    ClientSecret { secret_id: secret.to_owned(), from: None, host: None }
}

pub(crate) fn server(host: &str) -> Server {
    Server { host: host.to_owned(), port: 5432, database: "orders".to_owned(), storage_gib: None }
}

#[tokio::test]
async fn a_secret_is_switched_and_moved_back_and_each_twice_changes_nothing_more() -> Result<()> {
    let world = World::armed().await?;

    assert_eq!(world.switch().await?.secrets, 1);
    assert_eq!(world.read().await?, value(TARGET, "one"));
    assert_eq!(world.labels().await?, [["AWSCURRENT"], ["AWSPREVIOUS"]], "the run's label has gone");
    assert_eq!(world.switch().await?.secrets, 1);
    let switched = world.carried_out("PutSecretValue");
    world.decide(BACK).await?;
    let marked = world.carried_out("PutSecretValue");
    assert_eq!(world.restore(Outcome::Back).await?, RestoreClientsOutput { secrets: 1, left: 0, hooks: 0 });
    assert_eq!(world.read().await?, value(SOURCE, "one"));
    assert_eq!(world.restore(Outcome::Back).await?.secrets, 1);

    assert_eq!((switched, world.carried_out("PutSecretValue") - marked), (1, 1), "one version each");
    assert_eq!(world.labels().await?, [["AWSCURRENT"], ["AWSPREVIOUS"]]);
    world.aws.stop().await;
    Ok(())
}

#[tokio::test]
async fn hosts_that_the_input_names_are_the_ones_that_change() -> Result<()> {
    let mut world = World::armed().await?;
    let (first, second) = ("proxy.proxy-c9x.rds.amazonaws.com", "proxy-18.proxy-c9x.rds.amazonaws.com");
    world.put(value(first, "one")).await?;
    let clients = world.run.clients.as_mut().context("clients")?;
    (clients.secrets[0].from, clients.secrets[0].host) = (Some(first.to_owned()), Some(second.to_owned()));

    assert_eq!(world.check().await?, Findings::default());
    world.switch().await?;
    assert_eq!(world.read().await?, value(second, "one"));
    world.decide(BACK).await?;
    world.restore(Outcome::Back).await?;

    assert_eq!(world.read().await?, value(first, "one"));
    world.aws.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_lost_answer_of_each_call_is_found_by_the_next_one() -> Result<()> {
    for operation in ["GetSecretValue", "DescribeSecret", "PutSecretValue", "UpdateSecretVersionStage"] {
        let world = World::armed().await?;
        let lose =
            || world.aws.faults().plan(format!("secretsmanager:{operation}:1:lose-answer").parse().expect("a fault"));

        lose();
        if world.switch().await.is_err() {
            world.switch().await?;
        }
        assert_eq!(world.read().await?, value(TARGET, "one"), "{operation}");
        world.decide(BACK).await?;
        lose();
        if world.restore(Outcome::Back).await.is_err() {
            world.restore(Outcome::Back).await?;
        }

        assert_eq!(world.read().await?, value(SOURCE, "one"), "{operation}");
        world.aws.stop().await;
    }
    Ok(())
}

#[tokio::test]
async fn a_rotation_in_between_is_never_undone() -> Result<()> {
    let world = World::armed().await?;
    let secrets = Secrets::new(&world.ctx);
    let (source, target) = (server(SOURCE), server(TARGET));
    let way = Way::forward(&world.run, world.secret(), &source, &target, Generation::FORWARD);
    let read = secrets.current(world.secret()).await?;
    world.put(value(SOURCE, "two")).await?;

    let staged = secrets.stage(&way, &read).await?;
    assert_eq!(secrets.make_current(&way, &read, &staged).await?, Moved::Changed);
    assert_eq!(world.read().await?, value(SOURCE, "two"));
    world.switch().await?;
    assert_eq!(world.read().await?, value(TARGET, "two"));
    world.put(value(TARGET, "three")).await?;
    world.decide(BACK).await?;
    world.restore(Outcome::Back).await?;

    assert_eq!(world.read().await?, value(SOURCE, "three"));
    world.aws.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_secret_that_somebody_else_moved_is_left() -> Result<()> {
    let world = World::armed().await?;
    world.put(value("elsewhere.example.internal", "one")).await?;

    let refused = world.switch().await.expect_err("it names neither");
    world.decide(BACK).await?;
    let restored = world.restore(Outcome::Back).await?;

    assert_eq!(refused.code, ErrorCode::RecordChanged);
    assert!(!refused.message.contains("elsewhere"), "no value is quoted: {refused}");
    assert_eq!(restored, RestoreClientsOutput { secrets: 0, left: 1, hooks: 0 });
    assert_eq!(world.read().await?, value("elsewhere.example.internal", "one"));
    world.aws.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_secret_that_is_being_rotated_is_not_switched() -> Result<()> {
    let world = World::armed().await?;
    let id = &world.secret().secret_id;
    let pending = world.secrets.put_secret_value().secret_id(id).secret_string(value(SOURCE, "two"));
    pending.version_stages("AWSPENDING").send().await?;

    let refused = world.switch().await.expect_err("the rotation would end after the switch");

    assert_eq!(refused.code, ErrorCode::RecordChanged);
    assert_eq!(world.read().await?, value(SOURCE, "one"));
    world.aws.stop().await;
    Ok(())
}

/// A call of the step that was frozen after each of its calls, in every order with a switch of another attempt and the rollback.
#[tokio::test]
async fn a_switch_that_arrives_after_the_rollback_changes_nothing() -> Result<()> {
    for switched_by_another_attempt in [false, true] {
        for staged_before in [false, true] {
            let world = World::armed().await?;
            let secrets = Secrets::new(&world.ctx);
            let (source, target) = (server(SOURCE), server(TARGET));
            let way = Way::forward(&world.run, world.secret(), &source, &target, Generation::FORWARD);
            let read = secrets.current(world.secret()).await?;
            let mut staged = None;
            if staged_before {
                staged = Some(secrets.stage(&way, &read).await?);
            }
            if switched_by_another_attempt {
                world.switch().await?;
            }
            world.decide(BACK).await?;
            world.restore(Outcome::Back).await?;

            let late = match staged {
                Some(staged) => staged,
                None => secrets.stage(&way, &read).await?,
            };
            let moved = secrets.make_current(&way, &read, &late).await?;
            let whole = world.switch().await.expect_err("the rollback is decided");

            let case = format!("switched {switched_by_another_attempt}, staged {staged_before}");
            assert_eq!((moved, whole.code), (Moved::Changed, ErrorCode::AlreadyBack), "{case}");
            assert_eq!(world.read().await?, value(SOURCE, "one"), "{case}");
            world.restore(Outcome::Back).await?;
            assert_eq!(world.read().await?, value(SOURCE, "one"), "{case}");
            assert_eq!(world.labels().await?, [["AWSCURRENT"], ["AWSPREVIOUS"]], "{case}: a label of the run is left");
            world.aws.stop().await;
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_secret_is_switched_only_for_a_cutover_that_is_armed_and_in_time() -> Result<()> {
    let mut world = World::start().await?;

    assert_eq!(world.switch().await.expect_err("never armed").code, ErrorCode::Bug);
    pgleap_mark::arm(&world.ctx, &world.run, Generation::FORWARD).await?;
    world.seconds_left = -1;
    assert_eq!(world.switch().await.expect_err("late").code, ErrorCode::DeadlinePassed);

    assert_eq!(world.read().await?, value(SOURCE, "one"));
    world.aws.stop().await;
    Ok(())
}

#[tokio::test]
async fn nothing_is_moved_back_without_a_mark_or_after_open() -> Result<()> {
    let nothing = RestoreClientsOutput { secrets: 0, left: 0, hooks: 0 };
    let world = World::start().await?;
    assert_eq!(world.restore(Outcome::Back).await?, nothing);
    pgleap_mark::arm(&world.ctx, &world.run, Generation::FORWARD).await?;
    let early = world.restore(Outcome::Back).await.expect_err("the source is not unfenced");
    world.switch().await?;
    world.decide(State::Open).await?;

    let late = world.restore(Outcome::Back).await.expect_err("the target is open");
    assert_eq!(world.restore(Outcome::Open).await?, nothing);

    assert_eq!((early.code, late.code), (ErrorCode::UnfenceUnsafe, ErrorCode::UnfenceUnsafe));
    assert_eq!(world.read().await?, value(TARGET, "one"));
    world.aws.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_secret_that_the_cutover_could_not_move_is_a_blocker() -> Result<()> {
    let world = World::start().await?;
    assert_eq!(world.check().await?, Findings::default());
    let id = world.secret().secret_id.clone();
    let found = async || -> Result<String> {
        let findings = world.check().await?;
        assert!(!findings.text.contains("hunter2"), "{}", findings.text);
        assert_eq!(findings.blockers, findings.list.len());
        Ok(findings.list.into_iter().map(|finding| format!("{}: {}\n", finding.check, finding.found)).collect())
    };

    let texts = [
        ("hunter2", "client-secret: "),
        (r#"{"password":"hunter2"}"#, "client-secret: "),
        (r#"{"host":5,"password":"hunter2"}"#, "client-secret: "),
        (r#"{"host":"hunter2"}"#, "client-secret-host: "),
    ];
    for (text, expected) in texts {
        world.put(text.to_owned()).await?;
        assert!(found().await?.starts_with(expected), "{text}");
    }
    world.secrets.put_secret_value().secret_id(&id).secret_binary(Blob::new("hunter2")).send().await?;
    assert!(found().await?.contains("its value is binary"));
    world.put(value(SOURCE, "one")).await?;
    let pending = world.secrets.put_secret_value().secret_id(&id).secret_string(value(SOURCE, "two"));
    pending.version_stages("AWSPENDING").send().await?;
    assert!(found().await?.contains("under way"));
    world.put(value(SOURCE, "one")).await?;
    world.aws.secrets().announce_rotation(&id, 1.0).expect("the secret");
    assert!(found().await?.contains("client-secret-rotates"));
    world.secrets.delete_secret().secret_id(&id).force_delete_without_recovery(true).send().await?;
    assert!(found().await?.contains("it does not exist"));
    world.aws.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_secret_of_rds_and_one_that_the_stack_may_not_read_are_blockers() -> Result<()> {
    let mut world = World::start().await?;
    let managed = world.aws.secrets().keep("rds!db-1", &value(SOURCE, "one")).expect("a secret");
    world.run.clients.as_mut().context("clients")?.secrets[0].secret_id = managed;

    world.checks = as_step(&world.aws, "check-clients", &world.run).await?;
    for operation in ["DescribeSecret", "GetSecretValue"] {
        let denied = format!("secretsmanager:{operation}:1:error=AccessDeniedException,400,not authorized");
        world.aws.faults().plan(denied.parse()?);
    }
    let denied = world.check().await?;
    let found = world.check().await?;

    assert_eq!(denied.blockers, 1);
    assert!(denied.text.contains("ClientSecretArns"), "{}", denied.text);
    assert_eq!(found.blockers, 1);
    assert!(found.text.contains("managed by rds"), "{}", found.text);
    world.aws.stop().await;
    Ok(())
}
