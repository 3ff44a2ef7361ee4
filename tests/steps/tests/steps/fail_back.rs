//! The fail-back path against real servers: kept open, checked, used, closed, and calls that arrive twice or late.

use anyhow::{Context, Result};
use local_aws_rds::PlannedFault;
use pgleap_contract::steps::{
    BeginFailBackInput, CheckFailBackInput, CheckFailBackOutput, CleanDatabasesInput, FindFailBackInput, NoOutput,
    OnBoth, UnderFence, UnfenceSourceInput,
};
use pgleap_contract::{Cutover, ErrorCode, FailBack, Generation, Outcome, Run};
use pgleap_pg::{access, fail_back};
use pgleap_step_kit::{Polled, StepResult};
use schedule_checks::Machines;
use serde_json::json;
use step_tests::{SOURCE, TARGET, World, cutover_in, until_done, wait_for};

use crate::native::{Native, await_restart, left, publish, unpublished};

const EXECUTION: &str = "arn:aws:states:eu-west-1:111122223333:execution:pgleap-fail-back:back";

/// The trigger counts what is inserted, here and wherever an insert is applied.
const SHOP: &str = "
    CREATE TABLE public.orders (id int PRIMARY KEY, said text);
    CREATE TABLE public.keyless (n int);
    CREATE TABLE public.counted (n int PRIMARY KEY);
    CREATE SEQUENCE public.numbers;
    CREATE FUNCTION public.count() RETURNS trigger LANGUAGE plpgsql AS
        $f$ BEGIN INSERT INTO public.counted VALUES (NEW.id); RETURN NEW; END $f$;
    CREATE TRIGGER count AFTER INSERT ON public.orders FOR EACH ROW EXECUTE FUNCTION public.count();
    ALTER TABLE public.orders ENABLE ALWAYS TRIGGER count;
    INSERT INTO public.orders SELECT n, 'before' FROM generate_series(1, 100) n;
    INSERT INTO public.keyless SELECT n % 10 FROM generate_series(1, 100) n;";

/// What applications do to the side that serves, from a number on that is free.
fn writes(from: i32) -> String {
    format!(
        "INSERT INTO public.orders SELECT n, 'new' FROM generate_series({from}, {from} + 9) n;
         UPDATE public.orders SET said = said || '+' WHERE id % 7 = 0; DELETE FROM public.orders WHERE id = {from} + 1;
         INSERT INTO public.keyless VALUES (3), (3); DELETE FROM public.keyless WHERE ctid = (SELECT min(ctid) FROM public.keyless WHERE n = 3);
         SELECT nextval('public.numbers') FROM generate_series(1, 5);"
    )
}

struct Kept {
    native: Native,
}

impl Kept {
    /// Upgraded, with a path that was prepared; nothing is fenced yet.
    async fn prepared() -> Result<Self> {
        let mut world = unpublished(SHOP).await?;
        world.run.fail_back = Some(FailBack { keep_hours: 72 });
        world.run.limits.max_retained_wal_gb = 1;
        world.prepare_source().await?;
        publish(&world).await?;
        let native = Box::pin(Native::on(world)).await?;
        native.subscribe().await?;
        native.catch_up().await?;
        let kept = Self { native };
        kept.prepare().await?;
        Ok(kept)
    }

    /// The target serves, and the source follows it.
    async fn open() -> Result<Self> {
        let kept = Box::pin(Self::prepared()).await?;
        let forward = kept.under_fence(None);
        Box::pin(kept.cut_over(&forward)).await?;
        kept.follow().await?;
        Ok(kept)
    }

    async fn prepare(&self) -> Result<()> {
        let world = &self.native.world;
        let prepare = async || prepare_fail_back::run(world.as_step("prepare-fail-back"), self.native.both()).await;
        until_done("prepare-fail-back", prepare).await?;
        Ok(())
    }

    async fn follow(&self) -> Result<()> {
        let world = &self.native.world;
        let follow = async || follow_target::run(world.as_step("follow-target"), self.native.both()).await;
        until_done("follow-target", follow).await?;
        Ok(())
    }

    fn back(&self) -> OnBoth {
        let OnBoth { run, source, target } = self.native.both();
        OnBoth { run: run.failing_back(EXECUTION), source: target, target: source }
    }

    /// Of the upgrade, or of the cutover back.
    fn under_fence(&self, generation: Option<Generation>) -> UnderFence {
        let OnBoth { run, source, target } = if generation.is_some() { self.back() } else { self.native.both() };
        let cutover = Cutover { generation: generation.unwrap_or(Generation::FORWARD), ..cutover_in(120) };
        UnderFence { run, source, target, cutover }
    }

    async fn arm(&self, run: &Run, generation: Generation) -> Result<()> {
        Ok(pgleap_mark::arm(self.native.world.as_step("arm-deadline"), run, generation).await?)
    }

    async fn drain(&self, input: &UnderFence) -> Result<()> {
        let world = &self.native.world;
        self.arm(&input.run, input.cutover.generation).await?;
        Box::pin(fence_source::run(world.as_step("fence-source"), input.clone())).await?;
        Box::pin(drain_source::run(world.as_step("drain-source"), input.clone())).await?;
        Ok(())
    }

    async fn cut_over(&self, input: &UnderFence) -> Result<()> {
        let world = &self.native.world;
        self.drain(input).await?;
        Box::pin(complete_target::run(world.as_step("complete-target"), input.clone())).await?;
        Box::pin(open_target::run(world.as_step("open-target"), input.clone())).await?;
        Ok(())
    }

    async fn write(&self, instance: &str, sql: &str) -> Result<()> {
        // As applications do, by a login of their own: the owner's is shut out on one side.
        let client = self.native.world.rdsadmin(instance, &self.native.target.database).await?;
        client.batch_execute(sql).await.with_context(|| format!("write to {instance}"))
    }

    async fn content(&self, instance: &str) -> Result<String> {
        let client = self.native.world.rdsadmin(instance, &self.native.target.database).await?;
        let sql = "SELECT concat_ws(' ', (SELECT md5(string_agg(o::text, ',' ORDER BY o::text)) FROM public.orders o),
                (SELECT md5(string_agg(k::text, ',' ORDER BY k::text)) FROM public.keyless k),
                (SELECT count(*) FROM public.orders), (SELECT count(*) FROM public.keyless), (SELECT count(*) FROM public.counted))";
        Ok(client.query_one(sql, &[]).await?.get(0))
    }

    async fn check(&self, accept: &[&str]) -> StepResult<CheckFailBackOutput> {
        let OnBoth { run, source, target } = self.back();
        let accept = accept.iter().map(ToString::to_string).collect();
        let input = CheckFailBackInput { run, source, target, accept, told: None };
        check_fail_back::run(self.native.world.as_step("check-fail-back"), input).await
    }

    /// The check's words once they are these.
    async fn checked(&self, words: &str) -> Result<()> {
        wait_for(&format!("the check to say {words:?}"), async || {
            let text = self.check(&[]).await?.text;
            Ok((text.contains(words) && text.is_empty() == words.is_empty()).then_some(()))
        })
        .await
    }

    async fn begin(&self, execution: &str) -> StepResult<Option<Generation>> {
        let OnBoth { run, source, target } = self.back();
        let run = Run { execution_arn: execution.to_owned(), ..run };
        let input = BeginFailBackInput { run, source, target, only_find: false, accept: Vec::new() };
        Ok(begin_fail_back::run(self.native.world.as_step("begin-fail-back"), input).await?.generation)
    }

    async fn clean(&self, both: OnBoth, outcome: Outcome, generation: Generation) -> StepResult<Polled<NoOutput>> {
        let OnBoth { run, source, target } = both;
        let input = CleanDatabasesInput { run, source, target: Some(target), outcome, generation };
        clean_databases::run(self.native.world.as_step("clean-databases"), input).await
    }

    async fn clean_all(&self, back: bool, outcome: Outcome, generation: Generation) -> Result<()> {
        let both = || if back { self.back() } else { self.native.both() };
        until_done("clean-databases", async || self.clean(both(), outcome, generation).await).await?;
        Ok(())
    }

    async fn close(&self) -> StepResult<NoOutput> {
        close_fail_back::run(self.native.world.as_step("close-fail-back"), self.native.both()).await
    }

    async fn nothing_is_left(&self) -> Result<()> {
        let world = &self.native.world;
        assert_eq!((left(world, SOURCE).await?, left(world, TARGET).await?), (vec![], vec![]));
        let roles = "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'pgleap%'";
        for instance in [SOURCE, TARGET] {
            let client = world.rdsadmin(instance, &world.source.database).await?;
            assert_eq!(client.query_one(roles, &[]).await?.get::<_, i64>(0), 0, "{instance}");
        }
        Ok(())
    }
}

#[tokio::test]
async fn everybody_returns_to_the_old_server_and_nothing_is_missing() -> Result<()> {
    let kept = Box::pin(Kept::open()).await?;
    kept.write(TARGET, &writes(1_000)).await?;
    kept.write(TARGET, "TRUNCATE public.keyless; INSERT INTO public.keyless VALUES (7), (7)").await?;
    kept.write(TARGET, &writes(2_000)).await?;
    kept.checked("").await?;

    let generation = kept.begin(EXECUTION).await?.context("nothing was begun")?;
    Box::pin(kept.cut_over(&kept.under_fence(Some(generation)))).await?;

    assert_eq!(generation, Generation::FORWARD.next());
    assert_eq!(kept.content(SOURCE).await?, kept.content(TARGET).await?);
    // The trigger acts again, and the sequence is past what was handed out on the other side.
    kept.write(SOURCE, "INSERT INTO public.orders VALUES (5000, 'back')").await?;
    let source = kept.native.world.rdsadmin(SOURCE, &kept.native.target.database).await?;
    let counted = "SELECT (SELECT count(*) FROM public.counted WHERE n = 5000), nextval('public.numbers') > 10";
    let row = source.query_one(counted, &[]).await?;
    assert_eq!((row.get::<_, i64>(0), row.get::<_, bool>(1)), (1, true));
    kept.clean_all(true, Outcome::Open, generation).await?;
    kept.nothing_is_left().await
}

#[tokio::test]
async fn a_crash_of_the_target_after_open_sends_nothing_twice() -> Result<()> {
    let kept = Box::pin(Kept::prepared()).await?;
    kept.write(SOURCE, &writes(1_000)).await?;
    Box::pin(kept.cut_over(&kept.under_fence(None))).await?;
    kept.write(TARGET, &writes(2_000)).await?;

    kept.native.world.aws.rds().plan(TARGET, PlannedFault::Restart).await?;
    await_restart(&kept.native.world, &kept.native.target).await?;
    kept.follow().await?;
    kept.write(TARGET, &writes(3_000)).await?;

    kept.checked("").await?;
    assert_eq!(kept.content(SOURCE).await?, kept.content(TARGET).await?);
    Ok(())
}

#[tokio::test]
async fn a_late_call_does_not_move_the_start_and_open_requires_it() -> Result<()> {
    let kept = Box::pin(Kept::prepared()).await?;
    let (world, names) = (&kept.native.world, kept.native.world.run.names());
    let forward = kept.under_fence(None);
    kept.arm(&forward.run, Generation::FORWARD).await?;
    fence_source::run(world.as_step("fence-source"), forward.clone()).await?;
    let work = world.ctx.as_work(&world.run, &kept.native.target).await?;
    assert!(access::open(&work, &forward.cutover, &[&names.work_login()], &[]).await.is_err(), "not drained");
    drain_source::run(world.as_step("drain-source"), forward.clone()).await?;
    let start = fail_back::look(&work).await?.and_then(|kept| kept.start).context("no start")?;
    drain_source::run(world.as_step("drain-source"), forward.clone()).await?;
    assert_eq!(fail_back::look(&work).await?.and_then(|kept| kept.start), Some(start), "a second call");
    complete_target::run(world.as_step("complete-target"), forward.clone()).await?;
    open_target::run(world.as_step("open-target"), forward.clone()).await?;
    kept.write(TARGET, &writes(1_000)).await?;

    let position = "SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = $1::text::name";
    let before: String = work.row("read the slot", position, &[&names.back_login()]).await?.get(0);
    let late = fail_back::seal(&work, &forward.cutover, "another", &names.back_seed()).await;
    let kept_up = fail_back::keep_up(&work, &names.back_seed()).await;

    assert!(late.is_err() && kept_up.is_ok(), "{late:?} {kept_up:?}");
    assert_eq!(work.row("read the slot", position, &[&names.back_login()]).await?.get::<_, &str>(0), before);
    assert_eq!(before, start.to_string());
    kept.follow().await?;
    kept.checked("").await?;
    assert_eq!(kept.content(SOURCE).await?, kept.content(TARGET).await?);
    Ok(())
}

#[tokio::test]
async fn a_rollback_before_open_leaves_nothing_of_it_and_a_late_call_starts_nothing() -> Result<()> {
    let kept = Box::pin(Kept::prepared()).await?;
    let world = &kept.native.world;
    kept.drain(&kept.under_fence(None)).await?;
    let OnBoth { run, source, target } = kept.native.both();
    let input = UnfenceSourceInput { run, source, target: Some(target), generation: Generation::FORWARD };
    let outcome = unfence_source::run(world.as_step("unfence-source"), input).await?.outcome;

    let late = follow_target::run(world.as_step("follow-target"), kept.native.both()).await;
    assert_eq!(outcome, Outcome::Back);
    assert!(late.is_err(), "{late:?}");
    assert!(!left(world, SOURCE).await?.iter().any(|what| what.starts_with("subscription")), "it could write");
    kept.write(SOURCE, &writes(1_000)).await?;
    kept.clean_all(false, Outcome::Back, Generation::FORWARD).await?;

    assert_eq!(left(world, SOURCE).await?, Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn the_old_server_follows_again_when_failing_back_has_failed() -> Result<()> {
    let kept = Box::pin(Kept::open()).await?;
    let world = &kept.native.world;
    kept.write(TARGET, &writes(1_000)).await?;
    let first = kept.begin(EXECUTION).await?.context("nothing was begun")?;
    assert_eq!(kept.begin("another").await.expect_err("two at once").code, ErrorCode::AlreadyBack);
    assert_eq!(kept.close().await.expect_err("it is used").code, ErrorCode::AlreadyBack);
    kept.drain(&kept.under_fence(Some(first))).await?;
    let OnBoth { run, source, target } = kept.back();
    let input = UnfenceSourceInput { run, source, target: Some(target), generation: first };
    assert_eq!(unfence_source::run(world.as_step("unfence-source"), input).await?.outcome, Outcome::Back);
    kept.clean_all(true, Outcome::Back, first).await?;
    kept.write(TARGET, &writes(2_000)).await?;

    kept.checked("").await?;
    let second = kept.begin("another").await?.context("nothing was begun")?;
    Box::pin(kept.cut_over(&UnderFence { run: kept.back().run, ..kept.under_fence(Some(second)) })).await?;

    assert_eq!(second, first.next());
    assert_eq!(kept.content(SOURCE).await?, kept.content(TARGET).await?);
    Ok(())
}

#[tokio::test]
async fn what_the_old_server_does_not_receive_is_named_and_may_be_accepted_or_healed() -> Result<()> {
    let kept = Box::pin(Kept::open()).await?;
    kept.checked("").await?;
    kept.write(TARGET, "CREATE TABLE public.later (n int PRIMARY KEY)").await?;
    kept.checked("table public.later: new").await?;
    let text = kept.check(&[]).await?.text;
    assert!(text.contains("constraint public.later.later_pkey: new"), "{text}");
    let accept = ["table public.later: new", "constraint public.later.later_pkey: new", "index public.later_pkey: new"];
    assert_eq!(kept.check(&accept).await?.text, "");
    kept.write(TARGET, "DROP TABLE public.later").await?;
    kept.checked("").await?;

    let change = "ALTER TABLE public.orders ADD COLUMN more int";
    kept.write(TARGET, change).await?;
    kept.write(TARGET, "UPDATE public.orders SET more = 1 WHERE id = 1").await?;
    kept.checked("table public.orders: changed").await?;
    kept.write(SOURCE, change).await?;
    kept.checked("").await?;

    for (change, named, undo) in [
        ("SELECT lo_create(77)", "large objects all: new", "SELECT lo_unlink(77)"),
        (
            "CREATE SEQUENCE public.more_numbers",
            "sequence public.more_numbers: new",
            "DROP SEQUENCE public.more_numbers",
        ),
        ("CREATE ROLE reporting", "role reporting: new", "DROP ROLE reporting"),
        (
            "GRANT SELECT ON public.counted TO pg_monitor",
            "table public.counted: changed",
            "REVOKE SELECT ON public.counted FROM pg_monitor",
        ),
    ] {
        kept.write(TARGET, change).await?;
        kept.checked(named).await?;
        kept.write(TARGET, undo).await?;
        kept.checked("").await?;
    }
    kept.write(
        TARGET,
        &format!(
            "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots; SELECT pg_drop_replication_slot('{}')",
            kept.native.world.run.names().back_login()
        ),
    )
    .await?;
    kept.checked("no longer exists").await
}

#[tokio::test]
async fn a_slot_that_keeps_more_than_it_may_cost_is_dropped_and_the_loss_is_named() -> Result<()> {
    let mut kept = Box::pin(Kept::open()).await?;
    kept.checked("").await?;
    kept.write(TARGET, &writes(1_000)).await?;
    kept.native.world.run.limits.max_retained_wal_gb = 0;

    let text = kept.check(&[]).await?.text;

    assert!(text.contains("dropped the slot from which the old server follows"), "{text}");
    assert!(!left(&kept.native.world, TARGET).await?.iter().any(|what| what.starts_with("slot")), "{text}");
    kept.checked("no longer exists").await?;
    kept.write(TARGET, &writes(2_000)).await
}

#[tokio::test]
async fn a_path_that_is_closed_stays_closed_and_both_sides_are_cleaned() -> Result<()> {
    let kept = Box::pin(Kept::open()).await?;
    kept.write(TARGET, &writes(1_000)).await?;
    let early = kept.clean(kept.native.both(), Outcome::Open, Generation::FORWARD).await;
    assert_eq!(early.expect_err("it is open").code, ErrorCode::AlreadyBack);

    for _time in ["once", "twice"] {
        kept.close().await?;
    }

    assert_eq!(kept.begin(EXECUTION).await.expect_err("closed").code, ErrorCode::AlreadyBack);
    assert!(follow_target::run(kept.native.world.as_step("follow-target"), kept.native.both()).await.is_err());
    kept.clean_all(false, Outcome::Open, Generation::FORWARD).await?;
    kept.nothing_is_left().await
}

#[tokio::test]
async fn the_schedules_carry_all_that_failing_back_needs_and_keep_their_end() -> Result<()> {
    let mut world = World::start_with_states(15).await?;
    world.run.fail_back = Some(FailBack { keep_hours: 72 });
    let machine = |name: &str| format!("arn:aws:states:eu-west-1:111122223333:stateMachine:pgleap-{name}");
    let machines = Machines {
        watch: machine("watch-fail-back"),
        recover: machine("recover"),
        role: "arn:aws:iam::111122223333:role/DeadlineRole".to_owned(),
    };
    let both = || OnBoth { run: world.run.clone(), source: world.source.clone(), target: world.source.clone() };
    let schedule = async || schedule_checks::run_with(world.as_step("schedule-checks"), both(), &machines).await;

    let (first, second) = (schedule().await?.closes, schedule().await?.closes);

    assert_eq!(first, second);
    let find = |request| FindFailBackInput { execution_arn: EXECUTION.to_owned(), request: Some(request) };
    let found = find_fail_back::run(world.as_step("find-fail-back"), find(json!({"runId": world.run.id}))).await?;
    assert_eq!(found.run, world.run.failing_back(EXECUTION));
    let unknown = find_fail_back::run(world.as_step("find-fail-back"), find(json!({"runId": "another"}))).await;
    let unknown = unknown.expect_err("no such run");
    assert_eq!(unknown.code, ErrorCode::BadInput);
    assert!(unknown.message.contains("has no fail-back path that is open"), "{unknown}");
    // The recovery knows only the execution.
    let states = aws_sdk_sfn::Client::new(world.ctx.aws());
    let pass = r#"{"StartAt": "Pass", "States": {"Pass": {"Type": "Pass", "End": true}}}"#;
    let role = "arn:aws:iam::123456789012:role/r";
    let machine = states.create_state_machine().name("pgleap-fail-back").definition(pass).role_arn(role).send().await?;
    let start = states.start_execution().state_machine_arn(machine.state_machine_arn);
    let execution_arn = start.input(json!({"runId": world.run.id}).to_string()).send().await?.execution_arn;
    let asked = FindFailBackInput { execution_arn: execution_arn.clone(), request: None };
    let asked = find_fail_back::run(world.as_step("find-fail-back"), asked).await?;
    assert_eq!(asked.run, world.run.failing_back(&execution_arn));
    Ok(())
}
