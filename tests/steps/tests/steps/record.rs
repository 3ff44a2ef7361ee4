//! `lower-ttl`, `swap-record`, `restore-record` against the local Route 53: one story, because each begins where the
//! one before ended.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use aws_sdk_route53::Client;
use aws_sdk_route53::types::{Change, ChangeAction, ChangeBatch, ResourceRecord, ResourceRecordSet, RrType};
use local_aws::{Config, LocalAws};
use pgleap_contract::steps::{LowerTtlOutput, RecordOutput, RestoreRecordInput, RunOnly, SwapRecordInput};
use pgleap_contract::{Cutover, ErrorCode, Generation, Outcome, Run};
use pgleap_mark::State;
use pgleap_record::Records;
use pgleap_step_kit::{Ctx, Polled, StepResult};
use serde_json::json;
use step_tests::{as_step, cutover_in, until_done};

const BACK: State = State::Back { target_holds_back: true };
const NAME: &str = "orders-db.example.internal";
const SOURCE: &str = "orders.c9x.eu-west-1.rds.amazonaws.com";
const TARGET: &str = "orders-v18.c9x.eu-west-1.rds.amazonaws.com";
/// Under the fence a swap is done at once.
const SUBMITTED: Polled<RecordOutput> = Polled::Done(RecordOutput { in_sync: false });

/// A zone with the clients' record in it.
struct World {
    aws: LocalAws,
    route53: Client,
    run: Run,
    lowers: Ctx,
    swaps: Ctx,
    restores: Ctx,
    /// To whom everything is allowed.
    ctx: Ctx,
    seconds_left: i64,
}

/// Members of the record: set identifier, value, TTL.
type Members = Vec<(Option<String>, String, i64)>;

impl World {
    async fn with(members: &[(Option<&str>, &str, i64)]) -> Result<Self> {
        let config =
            Config { step_functions: false, propagation: Duration::from_millis(200).into(), ..Config::default() };
        let aws = LocalAws::start(config).await?;
        let route53 = Client::new(&settings(&aws).load().await);
        let zone = route53.create_hosted_zone().name("example.internal").caller_reference("test").send().await?;
        let zone_id = zone.hosted_zone.context("no zone")?.id;
        let zone_id = zone_id.trim_start_matches("/hostedzone/").to_owned();
        let run = a_run(&zone_id)?;
        let lowers = as_step(&aws, "lower-ttl", &run).await?;
        let swaps = as_step(&aws, "swap-record", &run).await?;
        let restores = as_step(&aws, "restore-record", &run).await?;
        let ctx = Ctx::new(settings(&aws), pgleap_pg::Environment::default()).await;
        let world = Self { aws, route53, run, lowers, swaps, restores, ctx, seconds_left: 60 };
        let creations =
            members.iter().map(|member| change(ChangeAction::Create, member)).collect::<Result<Vec<_>>>()?;
        world.change(creations).await?;
        Ok(world)
    }

    async fn change(&self, changes: Vec<Change>) -> Result<()> {
        let batch = ChangeBatch::builder().set_changes(Some(changes)).build()?;
        let zone = &self.run.record.zone_id;
        self.route53.change_resource_record_sets().hosted_zone_id(zone).change_batch(batch).send().await?;
        Ok(())
    }

    async fn members(&self) -> Result<Members> {
        let found = Records::new(&self.ctx).members(&self.run.record).await?;
        let plain = |m: &pgleap_record::Member| {
            let identifier = m.set_identifier().map(str::to_owned);
            (identifier, m.value().unwrap_or_default().to_owned(), i64::from(m.ttl().unwrap_or_default()))
        };
        Ok(found.iter().map(plain).collect())
    }

    async fn lower(&self) -> StepResult<Polled<LowerTtlOutput>> {
        lower_ttl::run(&self.lowers, RunOnly { run: self.run.clone() }).await
    }

    async fn lower_until_done(&self) -> Result<LowerTtlOutput> {
        let began = Instant::now();
        loop {
            match self.lower().await? {
                Polled::Done(output) => return Ok(output),
                Polled::Waiting(waiting_for) if began.elapsed() > Duration::from_secs(20) => {
                    bail!("lower-ttl is not done after 20 s: {waiting_for}");
                }
                Polled::Waiting(_) => {}
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn swap(&self, await_sync: bool) -> StepResult<Polled<RecordOutput>> {
        let cutover = (!await_sync).then(|| cutover_in(self.seconds_left));
        self.swap_with(await_sync, cutover).await
    }

    /// As the state that waits for the name servers before the fence.
    async fn await_switch(&self) -> StepResult<Polled<RecordOutput>> {
        self.swap_with(true, Some(cutover_in(self.seconds_left))).await
    }

    async fn swap_with(&self, await_sync: bool, cutover: Option<Cutover>) -> StepResult<Polled<RecordOutput>> {
        let server = |host: &str| json!({ "host": host, "port": 5432, "database": "orders" });
        let (source, target) = (server(SOURCE), server(TARGET));
        let input =
            json!({ "run": self.run, "source": source, "target": target, "cutover": cutover, "awaitSync": await_sync });
        let input: SwapRecordInput = serde_json::from_value(input).expect("input");
        swap_record::run(&self.swaps, input).await
    }

    async fn restore(&self, outcome: Outcome) -> StepResult<RecordOutput> {
        let source = json!({ "host": SOURCE, "port": 5432, "database": "orders" });
        let source = serde_json::from_value(source).expect("server");
        restore_record::run(
            &self.restores,
            RestoreRecordInput { run: self.run.clone(), source, outcome, generation: Generation::FORWARD },
        )
        .await
    }

    async fn arm(&self) -> Result<()> {
        Ok(pgleap_mark::arm(&self.ctx, &self.run, Generation::FORWARD).await?)
    }

    /// As `open-target` or `unfence-source` leaves the mark.
    async fn decide(&self, state: State) -> Result<()> {
        Ok(pgleap_mark::decide(&self.ctx, &self.run, Generation::FORWARD, state).await?)
    }

    /// How many batches were carried out.
    fn batches(&self) -> usize {
        let log = self.aws.calls().since(0);
        log.iter()
            .filter(|call| call.operation == "ChangeResourceRecordSets")
            .filter(|call| call.outcome == local_aws_core::Outcome::Answered)
            .count()
    }
}

fn settings(aws: &LocalAws) -> aws_config::ConfigLoader {
    aws_config::defaults(aws_config::BehaviorVersion::latest())
        .endpoint_url(aws.url())
        .region(aws_config::Region::new("eu-west-1"))
        .test_credentials()
}

fn a_run(zone_id: &str) -> Result<Run> {
    Ok(serde_json::from_value(json!({
        "id": "orders-18", "executionArn": "arn:aws:states:eu-west-1:123456789012:execution:upgrade:orders-18",
        "mode": "upgrade", "copy": {}, "choices": {}, "limits": {},
        "source": { "instance": "orders", "loginSecret": "secret" },
        "target": { "version": "18", "instance": "orders-v18" },
        "record": { "zoneId": zone_id, "name": NAME, "cutoverTtlSeconds": 1 },
    }))?)
}

fn change(action: ChangeAction, (identifier, value, ttl): &(Option<&str>, &str, i64)) -> Result<Change> {
    let set = ResourceRecordSet::builder()
        .name(NAME)
        .r#type(RrType::Cname)
        .set_set_identifier(identifier.map(str::to_owned))
        .set_weight(identifier.map(|_| 100))
        .ttl(*ttl)
        .resource_records(ResourceRecord::builder().value(*value).build()?)
        .build()?;
    Ok(Change::builder().action(action).resource_record_set(set).build()?)
}

fn simple(value: &str, ttl: i64) -> Members {
    vec![(None, value.to_owned(), ttl)]
}

#[tokio::test]
async fn a_record_is_lowered_swapped_and_put_back_and_each_twice_changes_nothing_more() -> Result<()> {
    let world = World::with(&[(None, SOURCE, 300)]).await?;

    let lowered = world.lower_until_done().await?;
    assert_eq!(lowered.old_ttl_seconds, 300);
    assert_eq!(world.members().await?, simple(SOURCE, 1));
    assert_eq!(world.lower_until_done().await?.old_ttl_seconds, 300);

    world.arm().await?;
    assert_eq!(world.swap(false).await?, SUBMITTED);
    assert_eq!(world.members().await?, simple(TARGET, 1));
    assert_eq!(world.swap(false).await?, SUBMITTED);
    let before = world.batches();

    world.decide(BACK).await?;
    world.restore(Outcome::Back).await?;
    assert_eq!(world.members().await?, simple(SOURCE, 300));
    world.restore(Outcome::Back).await?;

    assert_eq!((before, world.batches()), (3, 4), "one batch each: made, lowered, swapped, put back");
    world.aws.stop().await;
    Ok(())
}

#[tokio::test]
async fn after_open_only_the_ttl_goes_back_and_the_sync_of_the_swap_is_awaited() -> Result<()> {
    let world = World::with(&[(None, SOURCE, 300)]).await?;
    world.lower_until_done().await?;
    world.arm().await?;
    assert_eq!(world.swap(false).await?, SUBMITTED);
    world.decide(State::Open).await?;

    assert!(until_done("swap-record", async || world.swap(true).await).await?.in_sync);
    world.restore(Outcome::Open).await?;

    assert_eq!(world.members().await?, simple(TARGET, 300));
    let refused = world.restore(Outcome::Back).await.expect_err("the target is open, whatever a payload says");
    assert_eq!(refused.code, ErrorCode::UnfenceUnsafe);
    assert_eq!(world.members().await?, simple(TARGET, 300));
    world.aws.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_weighted_group_changes_as_one_and_keeps_its_other_members() -> Result<()> {
    let elsewhere = "maintenance.example.internal";
    let world = World::with(&[(Some("live"), SOURCE, 60), (Some("page"), elsewhere, 60)]).await?;

    world.lower_until_done().await?;
    world.arm().await?;
    assert_eq!(world.swap(false).await?, SUBMITTED);
    let member = |name: &str, value: &str, ttl| (Some(name.to_owned()), value.to_owned(), ttl);
    assert_eq!(world.members().await?, [member("live", TARGET, 1), member("page", elsewhere, 1)]);
    world.decide(BACK).await?;
    world.restore(Outcome::Back).await?;

    assert_eq!(world.members().await?, [member("live", SOURCE, 60), member("page", elsewhere, 60)]);
    world.aws.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_lost_answer_of_each_change_is_found_by_the_next_call() -> Result<()> {
    let world = World::with(&[(None, SOURCE, 300)]).await?;
    let lose = "route53:ChangeResourceRecordSets:1:lose-answer";

    world.aws.faults().plan(lose.parse()?);
    assert_eq!(world.lower_until_done().await?.old_ttl_seconds, 300);
    assert_eq!(world.members().await?, simple(SOURCE, 1));
    world.arm().await?;
    world.aws.faults().plan(lose.parse()?);
    assert_eq!(world.swap(false).await?, SUBMITTED);
    assert_eq!(world.members().await?, simple(TARGET, 1));
    world.decide(BACK).await?;
    world.aws.faults().plan(lose.parse()?);
    let first = world.restore(Outcome::Back).await;
    assert!(first.as_ref().err().is_none_or(|error| error.code == ErrorCode::ResourceBusy), "{first:?}");
    world.restore(Outcome::Back).await?;

    assert_eq!(world.members().await?, simple(SOURCE, 300));
    world.aws.stop().await;
    Ok(())
}

#[tokio::test]
async fn what_somebody_else_put_there_is_named_and_left() -> Result<()> {
    let world = World::with(&[(None, SOURCE, 300)]).await?;
    world.lower_until_done().await?;
    let elsewhere = "elsewhere.example.internal";
    world.change(vec![change(ChangeAction::Upsert, &(None, elsewhere, 30))?]).await?;
    world.arm().await?;

    let refused = world.swap(false).await.expect_err("it names neither");
    world.decide(BACK).await?;
    world.restore(Outcome::Back).await?;

    assert_eq!(refused.code, ErrorCode::RecordChanged);
    assert!(refused.message.contains(elsewhere), "{}", refused.message);
    assert_eq!(world.members().await?, simple(elsewhere, 30));
    world.aws.stop().await;
    Ok(())
}

#[tokio::test]
async fn the_time_that_a_change_takes_is_measured_once() -> Result<()> {
    let world = World::with(&[(None, SOURCE, 300)]).await?;

    let first = world.lower_until_done().await?.propagation_milliseconds.context("not measured")?;
    tokio::time::sleep(Duration::from_millis(300)).await;

    assert!((200..2_000).contains(&first), "{first} ms, the stand-in's propagation is 200");
    assert_eq!(world.lower_until_done().await?.propagation_milliseconds, Some(first), "a later call measures itself");
    world.aws.stop().await;
    Ok(())
}

#[tokio::test]
async fn before_the_fence_the_record_is_awaited_until_its_deadline_and_never_switched_twice() -> Result<()> {
    let mut world = World::with(&[(None, SOURCE, 300)]).await?;
    world.lower_until_done().await?;
    world.arm().await?;
    assert_eq!(world.swap(false).await?, SUBMITTED);

    assert!(until_done("swap-record", async || world.await_switch().await).await?.in_sync);
    world.seconds_left = -1;
    assert_eq!(world.await_switch().await.expect_err("late").code, ErrorCode::DeadlinePassed);
    world.seconds_left = 60;
    world.change(vec![change(ChangeAction::Upsert, &(None, SOURCE, 1))?]).await?;
    let refused = world.await_switch().await.expect_err("somebody put the record back");

    assert_eq!(refused.code, ErrorCode::RecordChanged, "{refused}");
    assert_eq!(world.members().await?, simple(SOURCE, 1));
    world.aws.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_swap_that_comes_after_the_rollback_is_refused() -> Result<()> {
    for ttl in [300, 1, 0] {
        let world = World::with(&[(None, SOURCE, ttl)]).await?;
        world.lower_until_done().await?;
        world.arm().await?;
        world.decide(BACK).await?;

        let before = world.swap(false).await.expect_err("the rollback is decided");
        world.restore(Outcome::Back).await?;
        let after = world.swap(false).await.expect_err("the record was put back");

        assert_eq!((before.code, after.code), (ErrorCode::AlreadyBack, ErrorCode::RecordChanged), "{before}, {after}");
        assert_eq!(world.members().await?, simple(SOURCE, ttl));
        world.aws.stop().await;
    }
    Ok(())
}

/// Whatever the record's own TTL is: what a call that was frozen in between had read matches nothing any more.
#[tokio::test]
async fn a_batch_that_was_made_before_the_rollback_matches_nothing_after_it() -> Result<()> {
    for ttl in [300, 1, 0] {
        let world = World::with(&[(None, SOURCE, ttl)]).await?;
        world.lower_until_done().await?;
        world.arm().await?;
        let records = Records::new(&world.ctx);
        let frozen = records.members(&world.run.record).await?;
        world.decide(BACK).await?;
        world.restore(Outcome::Back).await?;

        let batch = pgleap_record::plan(&frozen, |member| (TARGET.to_owned(), member.ttl().unwrap_or_default()));
        let late = records.submit(&world.run.record, "late".to_owned(), batch).await;

        assert!(late.is_err(), "TTL {ttl}: {late:?}");
        assert_eq!(world.members().await?, simple(SOURCE, ttl));
        world.aws.stop().await;
    }
    Ok(())
}

#[tokio::test]
async fn a_swap_after_the_deadline_or_of_a_cutover_that_was_never_armed_changes_nothing() -> Result<()> {
    let mut world = World::with(&[(None, SOURCE, 300)]).await?;
    world.lower_until_done().await?;

    assert!(world.swap(false).await.is_err(), "no cutover was armed");
    world.arm().await?;
    world.seconds_left = -1;
    assert_eq!(world.swap(false).await.expect_err("late").code, ErrorCode::DeadlinePassed);

    assert_eq!(world.members().await?, simple(SOURCE, 1));
    world.aws.stop().await;
    Ok(())
}

/// Without a mark the run has not moved anybody: a person has.
#[tokio::test]
async fn a_run_that_armed_no_cutover_puts_only_the_ttl_back() -> Result<()> {
    let world = World::with(&[(None, SOURCE, 300)]).await?;
    world.lower_until_done().await?;
    world.change(vec![change(ChangeAction::Upsert, &(None, TARGET, 1))?]).await?;

    world.restore(Outcome::Back).await?;

    assert_eq!(world.members().await?, simple(TARGET, 300));
    world.aws.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_run_that_never_touched_the_record_puts_nothing_back() -> Result<()> {
    let world = World::with(&[(None, SOURCE, 300)]).await?;

    let output = world.restore(Outcome::Back).await?;

    assert!(output.in_sync);
    assert_eq!(world.batches(), 1);
    world.aws.stop().await;
    Ok(())
}
