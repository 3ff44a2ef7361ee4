//! The native copy engine against real servers: `prepare-publication`, `find-start`, `subscribe-target`, `catch-up`, and calls of
//! them that arrive twice or late.

use std::time::Duration;

use anyhow::{Context, Result};
use local_aws_rds::PlannedFault;
use pgleap_contract::steps::{
    CatchUpInput, CatchUpOutput, CheckInstanceOutput, CleanDatabasesInput, FindStartOutput, NoOutput, OnBoth,
    RestoreTargetInput, SettleTargetInput, SubscribeTargetInput, UnderFence, UpgradeTargetInput,
};
use pgleap_contract::{CopyEngine, ErrorCode, Generation, KeylessTables, Outcome, Server};
use pgleap_pg::{Session, access, slot};
use pgleap_step_kit::{Polled, StepError, StepResult};
use step_tests::{SOURCE, TARGET, World, cutover_in, until_done, wait_for};

const SHOP: &str = "
    CREATE TABLE public.orders (id int PRIMARY KEY, said text);
    INSERT INTO public.orders SELECT n, 'before' FROM generate_series(1, 100) n;";

/// A source and a copy that was upgraded, as `subscribe-target` finds them.
pub(crate) struct Native {
    pub(crate) world: World,
    pub(crate) target: Server,
    start: FindStartOutput,
}

impl Native {
    async fn of(schema: &str) -> Result<Self> {
        Self::on(published(schema).await?).await
    }

    pub(crate) async fn on(world: World) -> Result<Self> {
        let target = restored(&world).await?;
        let start = found(&world, &target).await?;
        let native = Self { world, target, start };
        native.upgrade().await?;
        Ok(native)
    }

    pub(crate) fn both(&self) -> OnBoth {
        on_both(&self.world, &self.target)
    }

    async fn upgrade(&self) -> Result<()> {
        let (world, run) = (&self.world, &self.world.run);
        let isolate = async || isolate_target::run(world.as_step("isolate-target"), self.both()).await;
        until_done("isolate-target", isolate).await?;
        let checked: CheckInstanceOutput =
            check_instance::run(world.as_step("check-instance"), world.run_only()).await?;
        let way = checked.way.with_context(|| format!("no way: {}", checked.findings.text))?;
        let upgrade = || UpgradeTargetInput { run: run.clone(), way: way.clone() };
        until_done("upgrade-target", async || upgrade_target::run(world.as_step("upgrade-target"), upgrade()).await)
            .await?;
        let prepare = async || prepare_target::run(world.as_step("prepare-target"), self.both()).await;
        until_done("prepare-target", prepare).await?;
        Ok(())
    }

    async fn subscribe_once(&self) -> StepResult<Polled<NoOutput>> {
        let (run, source) = (self.world.run.clone(), self.world.source.clone());
        self.subscribe_to(SubscribeTargetInput {
            run,
            source,
            target: self.target.clone(),
            start: self.start.start.clone(),
        })
        .await
    }

    async fn subscribe_to(&self, input: SubscribeTargetInput) -> StepResult<Polled<NoOutput>> {
        subscribe_target::run(self.world.as_step("subscribe-target"), input).await
    }

    pub(crate) async fn subscribe(&self) -> Result<()> {
        until_done("subscribe-target", async || self.subscribe_once().await).await?;
        Ok(())
    }

    /// What it ends with once it has nothing to wait for.
    async fn refused(&self) -> Result<StepError> {
        wait_for("the refusal", async || Ok(self.subscribe_once().await.err())).await
    }

    pub(crate) async fn catch_up(&self) -> Result<()> {
        let (run, source, target) = (self.world.run.clone(), self.world.source.clone(), self.target.clone());
        let input = || CatchUpInput { run: run.clone(), source: source.clone(), target: target.clone(), earlier: None };
        wait_for("the subscription to catch up", async || {
            let CatchUpOutput { done, .. } = catch_up::run(self.world.as_step("catch-up"), input()).await?;
            Ok(done.then_some(()))
        })
        .await
    }

    /// As the drain does. A call of `catch-up` that arrives later starts nothing.
    async fn stop(&self) -> Result<()> {
        let work = self.world.ctx.as_work(&self.world.run, &self.target).await?;
        work.rows("stop", "SELECT pgleap_copy.stop_subscription()", &[]).await?;
        work.rows("stop again", "SELECT pgleap_copy.stop_subscription()", &[]).await?;
        let late = work.rows("start", "SELECT pgleap_copy.start_subscription()", &[]).await;
        assert!(late.is_err(), "a subscription that was stopped for good was started");
        Ok(())
    }

    pub(crate) async fn owner(&self, server: &Server) -> Result<Session> {
        Ok(self.world.ctx.as_target_owner(&self.world.run, server).await?)
    }

    async fn clean(&self, outcome: Outcome) -> Result<()> {
        clean(&self.world, Some(self.target.clone()), outcome).await
    }

    /// Everything of a subscription, and where it stands.
    async fn subscription(&self) -> Result<Option<String>> {
        let admin = self.world.rdsadmin(TARGET, &self.target.database).await?;
        let sql = "SELECT string_agg(s.xmin || s::text || s.subconninfo || coalesce(o.remote_lsn::text, ''), ',')
                   FROM pg_subscription s LEFT JOIN pg_replication_origin_status o ON o.external_id = 'pg_' || s.oid";
        Ok(admin.query_one(sql, &[]).await?.get(0))
    }

    async fn password(&self) -> Result<String> {
        Ok(self.world.ctx.login(&self.world.run.names().copy_source_secret()).await?.password)
    }

    async fn log_of_target(&self) -> Result<String> {
        let rds = self.world.rds();
        let files = rds.describe_db_log_files().db_instance_identifier(TARGET).send().await?;
        let mut text = String::new();
        for file in files.describe_db_log_files() {
            let name = file.log_file_name().context("a file without a name")?;
            let mut marker = "0".to_owned();
            loop {
                let page = rds.download_db_log_file_portion().db_instance_identifier(TARGET).log_file_name(name);
                let page = page.marker(&marker).send().await?;
                text.push_str(page.log_file_data().unwrap_or_default());
                marker = page.marker().unwrap_or_default().to_owned();
                if page.additional_data_pending() != Some(true) {
                    break;
                }
            }
        }
        Ok(text)
    }
}

/// A source from which publication and slot send changes.
pub(crate) async fn published(schema: &str) -> Result<World> {
    let world = unpublished(schema).await?;
    world.prepare_source().await?;
    publish(&world).await?;
    Ok(world)
}

pub(crate) async fn unpublished(schema: &str) -> Result<World> {
    let mut world = World::start_to(15, "17").await?;
    world.run.copy.engine = CopyEngine::Native;
    world.run.choices.keyless_tables = KeylessTables::ReplicaIdentityFull;
    world.owner().await?.run("make the schema", schema).await?;
    Ok(world)
}

pub(crate) async fn publish(world: &World) -> Result<()> {
    let publish = async || prepare_publication::run(world.as_step("prepare-publication"), world.on_source()).await;
    until_done("prepare-publication", publish).await?;
    Ok(())
}

async fn restored(world: &World) -> Result<Server> {
    let snapshot = async || snapshot_source::run(world.as_step("snapshot-source"), world.run_only()).await;
    until_done("snapshot-source", snapshot).await?;
    let restore = || RestoreTargetInput { run: world.run.clone(), source: world.source.clone() };
    let restore = async || restore_target::run(world.as_step("restore-target"), restore()).await;
    Ok(until_done("restore-target", restore).await?.target)
}

fn on_both(world: &World, target: &Server) -> OnBoth {
    OnBoth { run: world.run.clone(), source: world.source.clone(), target: target.clone() }
}

async fn found(world: &World, target: &Server) -> Result<FindStartOutput> {
    let find = async || find_start::run(world.as_step("find-start"), on_both(world, target)).await;
    until_done("find-start", find).await
}

async fn clean(world: &World, target: Option<Server>, outcome: Outcome) -> Result<()> {
    let input = || {
        let (run, source, target) = (world.run.clone(), world.source.clone(), target.clone());
        CleanDatabasesInput { run, source, target, outcome, generation: Generation::FORWARD }
    };
    until_done("clean-databases", async || clean_databases::run(world.as_step("clean-databases"), input()).await)
        .await?;
    Ok(())
}

/// What anybody left of the run in a database.
pub(crate) async fn left(world: &World, instance: &str) -> Result<Vec<String>> {
    let sql = "SELECT 'subscription ' || subname FROM pg_subscription
               UNION ALL SELECT 'publication ' || pubname FROM pg_publication
               UNION ALL SELECT 'slot ' || slot_name FROM pg_replication_slots WHERE slot_type = 'logical'
               UNION ALL SELECT 'origin ' || roname FROM pg_replication_origin
               UNION ALL SELECT 'schema ' || nspname FROM pg_namespace WHERE nspname LIKE 'pgleap%'";
    let rows = world.rdsadmin(instance, &world.source.database).await?.query(sql, &[]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// The slot is there from before the snapshot, and hours may pass until something reads it.
#[tokio::test]
async fn wal_that_piles_up_while_the_copy_is_made_ends_the_run() -> Result<()> {
    let mut world = published(SHOP).await?;
    let watch = async |world: &World| watch_wal::run(world.as_step("watch-wal"), world.on_source()).await;
    let polled = watch(&world).await?;
    assert!(matches!(&polled, Polled::Waiting(what) if what.contains("GB of WAL")), "{polled:?}");
    let admin = world.rdsadmin(SOURCE, &world.source.database).await?;
    for _segment in 0..70 {
        admin.batch_execute("SELECT pg_logical_emit_message(false, 'x', 'x'), pg_switch_wal()").await?;
    }

    world.run.limits.max_retained_wal_gb = 1;
    let error = watch(&world).await.expect_err("too much");

    assert_eq!(error.code, ErrorCode::TooMuchWal);
    assert!(error.message.contains("limits.maxRetainedWalGb (1)"), "{}", error.message);
    Ok(())
}

#[tokio::test]
async fn a_call_that_subscribes_after_the_outcome_is_decided_creates_nothing() -> Result<()> {
    let native = Native::of(SHOP).await?;
    let before = left(&native.world, TARGET).await?;
    let work = native.world.ctx.as_work(&native.world.run, &native.target).await?;
    access::claim(&work, Generation::FORWARD, Outcome::Back).await?;

    let refused = native.refused().await?;

    assert_eq!(refused.code, ErrorCode::AlreadyBack, "{refused}");
    assert_eq!(left(&native.world, TARGET).await?, before);
    Ok(())
}

#[tokio::test]
async fn calls_that_arrive_after_the_databases_were_cleaned_create_nothing() -> Result<()> {
    let native = Native::of(SHOP).await?;
    native.subscribe().await?;
    for server in [&native.world.source, &native.target] {
        let work = native.world.ctx.as_work(&native.world.run, server).await?;
        access::claim(&work, Generation::FORWARD, Outcome::Open).await?;
    }
    native.clean(Outcome::Open).await?;
    assert_eq!((left(&native.world, SOURCE).await?, left(&native.world, TARGET).await?), (vec![], vec![]));

    assert!(native.subscribe_once().await.is_err());
    assert!(publish_once(&native.world).await.is_err());
    assert!(make_slot(&native).await.is_err());

    assert_eq!((left(&native.world, SOURCE).await?, left(&native.world, TARGET).await?), (vec![], vec![]));
    Ok(())
}

async fn publish_once(world: &World) -> StepResult<Polled<NoOutput>> {
    prepare_publication::run(world.as_step("prepare-publication"), world.on_source()).await
}

/// As a call that had looked for the publication before it went.
async fn make_slot(native: &Native) -> StepResult<()> {
    let owner = native.world.ctx.as_owner(&native.world.run, &native.world.source).await?;
    slot::make(owner, &native.world.run.names().copy_stream(), "pgoutput").await?;
    tokio::time::sleep(Duration::from_millis(300)).await;
    Ok(())
}

#[tokio::test]
async fn a_publication_that_is_asked_for_after_the_rollback_is_not_created_and_identities_are_as_before() -> Result<()>
{
    let identities = "SELECT string_agg(relname || relreplident::text, ',' ORDER BY relname) FROM pg_class
                      WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'";
    // The index of the last one was dropped, which left nothing to log.
    let schema = "CREATE TABLE public.keyless (a int); CREATE TABLE public.keyed (a int PRIMARY KEY);
        CREATE TABLE public.by_index (a int NOT NULL UNIQUE, b int);
        CREATE TABLE public.lost (a int NOT NULL UNIQUE, b int NOT NULL UNIQUE);
        ALTER TABLE public.lost REPLICA IDENTITY USING INDEX lost_b_key; ALTER TABLE public.lost DROP CONSTRAINT lost_b_key";
    let world = published(schema).await?;
    let during: String = world.owner().await?.row("read identities", identities, &[]).await?.get(0);

    clean(&world, None, Outcome::Back).await?;
    let late = publish_once(&world).await;

    assert!(late.is_err(), "{late:?}");
    assert_eq!(left(&world, SOURCE).await?, Vec::<String>::new());
    let owner = world.owner().await?;
    assert_eq!(during, "by_indexi,keyedd,keylessf,losti");
    assert_eq!(
        owner.row("read identities", identities, &[]).await?.get::<_, &str>(0),
        "by_indexd,keyedd,keylessd,lostn"
    );
    owner.run("update", "INSERT INTO public.keyless VALUES (1); UPDATE public.keyless SET a = 2").await?;
    Ok(())
}

#[tokio::test]
async fn a_second_call_finds_the_same_start_and_the_same_subscription() -> Result<()> {
    let world = published(SHOP).await?;
    let target = restored(&world).await?;
    let first = found(&world, &target).await?;
    world.owner().await?.run("go on writing", "INSERT INTO public.orders VALUES (101, 'after')").await?;
    assert_eq!(found(&world, &target).await?, first);
    world.rds().reboot_db_instance().db_instance_identifier(TARGET).send().await?;
    await_restart(&world, &target).await?;
    assert_eq!(found(&world, &target).await?.start, first.start, "after a restart");
    world.aws.rds().plan(TARGET, PlannedFault::Restart).await?;
    await_restart(&world, &target).await?;
    assert_eq!(found(&world, &target).await?.start, first.start, "after a crash");

    let native = Native { world, target, start: first };
    native.upgrade().await?;
    native.subscribe().await?;
    let (made, changes) = (native.subscription().await?, native.world.changes());
    native.subscribe().await?;
    assert_eq!((native.subscription().await?, native.world.changes()), (made, changes));
    native.catch_up().await?;
    let there = native.owner(&native.target).await?;
    let sql = "SELECT count(*), count(DISTINCT id) FROM public.orders WHERE said = 'after' OR id <= 100";
    let row = there.row("count", sql, &[]).await?;
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (101, 101));
    // The subscription stands elsewhere now, and a call that is late leaves it there.
    let enabled = native.subscription().await?;
    native.subscribe().await?;
    assert!(native.subscription().await?.is_some() && enabled.is_some());
    Ok(())
}

/// A restart is over when the instance says so and somebody got in.
pub(crate) async fn await_restart(world: &World, target: &Server) -> Result<()> {
    wait_for("the restart", async || {
        let answer = world.rds().describe_db_instances().db_instance_identifier(TARGET).send().await?;
        let instance = answer.db_instances().first().context("the target is gone")?;
        let is_up = instance.db_instance_status() == Some("available");
        Ok((is_up && world.ctx.as_work(&world.run, target).await.is_ok()).then_some(()))
    })
    .await
}

#[tokio::test]
async fn a_slot_that_was_moved_behind_the_start_is_refused() -> Result<()> {
    let native = Native::of(SHOP).await?;
    native.world.owner().await?.run("go on writing", "INSERT INTO public.orders VALUES (101, 'lost')").await?;
    let advance = "SELECT pg_replication_slot_advance(slot_name, pg_current_wal_lsn()) FROM pg_replication_slots";
    native.world.rdsadmin(SOURCE, &native.world.source.database).await?.batch_execute(advance).await?;

    let refused = native.refused().await?;

    assert_eq!(refused.code, ErrorCode::ReplicationFailed, "{refused}");
    assert!(refused.message.contains("replication slot is at"), "{refused}");
    Ok(())
}

#[tokio::test]
async fn the_password_of_a_subscription_stands_in_no_log_and_no_statistics() -> Result<()> {
    let native = Native::of(SHOP).await?;
    let admin = native.world.rdsadmin(TARGET, &native.target.database).await?;
    admin.batch_execute("ALTER SYSTEM SET log_statement = 'ddl'").await?;
    let settings = "SELECT pg_reload_conf(); CREATE EXTENSION IF NOT EXISTS pg_stat_statements";
    for statement in settings.split(';') {
        admin.batch_execute(statement).await?;
    }
    let (run, target) = (native.world.run.clone(), native.target.clone());
    let source = Server { port: 1, ..native.world.source.clone() };
    let owner = native.owner(&target).await?;
    until_chores_are_done(&native).await?;
    let login = native.world.ctx.login(&run.names().copy_source_secret()).await?;
    native_databases::subscription::install(&owner, &run).await?;
    let start = Some(native.start.start.parse()?);
    let unreachable = native_databases::subscription::create(&owner, &run, &source, &login, start).await.err();
    native.subscribe().await?;

    let unreachable = unreachable.context("port 1 answers")?;
    assert_eq!(unreachable.code, ErrorCode::NetworkBlocked, "{unreachable}");
    let password = native.password().await?;
    let log = native.log_of_target().await?;
    assert!(log.contains("pgleap.subscribe") && log.contains("could not connect to the publisher"), "{log}");
    assert!(!unreachable.message.contains(&password) && !log.contains(&password), "the password is told");
    let seen =
        "SELECT count(*) FILTER (WHERE query LIKE '%pgleap.subscribe(%'), count(*) FILTER (WHERE strpos(query, $1) > 0)
                FROM pg_stat_statements";
    let row = admin.query_one(seen, &[&password]).await?;
    assert!(row.get::<_, i64>(0) > 0, "its statements are counted");
    assert_eq!(row.get::<_, i64>(1), 0, "the password is in the statistics");
    Ok(())
}

/// What `subscribe-target` sets aside before it subscribes: a source that cannot be reached comes after that.
async fn until_chores_are_done(native: &Native) -> Result<()> {
    wait_for("what is set aside", async || {
        let input = SubscribeTargetInput {
            run: native.world.run.clone(),
            source: Server { port: 1, ..native.world.source.clone() },
            target: native.target.clone(),
            start: native.start.start.clone(),
        };
        let refused = native.subscribe_to(input).await;
        Ok(refused.is_err_and(|error| error.code == ErrorCode::DatabaseUnreachable).then_some(()))
    })
    .await
}

/// Whatever a catalog can say of a table that PostgreSQL applies changes to.
const ODD: &str = "
    CREATE TABLE public.leaves (region text, id int, said text) PARTITION BY LIST (region);
    CREATE TABLE public.leaves_eu PARTITION OF public.leaves (PRIMARY KEY (id)) FOR VALUES IN ('eu');
    CREATE TABLE public.leaves_us PARTITION OF public.leaves FOR VALUES IN ('us');
    CREATE TABLE public.parent (id int PRIMARY KEY, said text);
    CREATE TABLE public.child (more int) INHERITS (public.parent);
    CREATE TABLE public.deferred (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, said text);
    CREATE TABLE public.keyless (a int, b text);
    CREATE TABLE public.by_unique (a int NOT NULL, b int NOT NULL, doc json, UNIQUE (b, a));
    CREATE TABLE public.by_day (id int NOT NULL, day date NOT NULL, doc json) PARTITION BY RANGE (day);
    CREATE UNIQUE INDEX by_day_of_root ON public.by_day (id, day);
    CREATE TABLE public.by_day_1 PARTITION OF public.by_day FOR VALUES FROM ('2026-01-01') TO ('2026-01-05');
    CREATE TABLE public.by_day_2 PARTITION OF public.by_day DEFAULT;
    CREATE UNIQUE INDEX a_narrower_one ON public.by_day_2 (day, id) WHERE id < 0;
    CREATE TABLE public.secured (id int PRIMARY KEY, said text);
    ALTER TABLE public.secured ENABLE ROW LEVEL SECURITY;
    CREATE POLICY nobody ON public.secured USING (false);
    CREATE TABLE public.audit (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, said text);
    CREATE TABLE public.noisy (id int PRIMARY KEY, said text);
    CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS
        $f$ BEGIN INSERT INTO public.audit (said) VALUES (TG_NAME || NEW.id); RETURN NEW; END $f$;
    CREATE TRIGGER usual AFTER INSERT ON public.noisy FOR EACH ROW EXECUTE FUNCTION public.note();
    CREATE TRIGGER always AFTER INSERT ON public.noisy FOR EACH ROW EXECUTE FUNCTION public.note();
    CREATE TRIGGER replica AFTER INSERT ON public.noisy FOR EACH ROW EXECUTE FUNCTION public.note();
    CREATE TRIGGER never AFTER INSERT ON public.noisy FOR EACH ROW EXECUTE FUNCTION public.note();
    ALTER TABLE public.noisy ENABLE ALWAYS TRIGGER always;
    ALTER TABLE public.noisy ENABLE REPLICA TRIGGER replica;
    ALTER TABLE public.noisy DISABLE TRIGGER never;";

/// A round of writes to all of them.
fn round(n: i32) -> String {
    format!(
        "INSERT INTO leaves SELECT CASE WHEN i % 2 = 0 THEN 'eu' ELSE 'us' END, i, 'x' FROM generate_series({n}, {n} + 20) i;
         UPDATE leaves SET said = 'y' WHERE id % 3 = 0; DELETE FROM leaves WHERE id % 7 = 0;
         UPDATE leaves SET region = 'us' WHERE id = {n} + 2;
         INSERT INTO parent SELECT i, 'x' FROM generate_series({n}, {n} + 20) i;
         INSERT INTO child SELECT 100000 + i, 'x', i FROM generate_series({n}, {n} + 20) i;
         UPDATE parent SET said = 'y' WHERE id % 3 = 0; DELETE FROM parent WHERE id % 7 = 0;
         INSERT INTO deferred SELECT i, 'x' FROM generate_series({n}, {n} + 20) i;
         UPDATE deferred SET id = -id; DELETE FROM deferred WHERE id % 7 = 0;
         INSERT INTO keyless SELECT i % 4, 'x' FROM generate_series({n}, {n} + 20) i;
         UPDATE keyless SET b = NULL WHERE a = 1; DELETE FROM keyless WHERE ctid IN (SELECT min(ctid) FROM keyless);
         INSERT INTO by_unique SELECT i, i, '{{}}' FROM generate_series({n}, {n} + 20) i;
         UPDATE by_unique SET b = b + 1000000 WHERE a % 3 = 0 AND b < 1000000; UPDATE by_unique SET doc = '[1]' WHERE a % 5 = 0;
         DELETE FROM by_unique WHERE a % 7 = 0;
         INSERT INTO by_day SELECT i, date '2026-01-01' + i % 10, '{{}}' FROM generate_series({n}, {n} + 20) i;
         UPDATE by_day SET doc = '[1]' WHERE id % 3 = 0; UPDATE by_day SET day = '2026-01-02' WHERE id % 5 = 0;
         DELETE FROM by_day WHERE id % 7 = 0;
         INSERT INTO secured SELECT i, 'x' FROM generate_series({n}, {n} + 20) i;
         UPDATE secured SET said = 'y' WHERE id % 3 = 0; DELETE FROM secured WHERE id % 7 = 0;
         INSERT INTO noisy SELECT i, 'x' FROM generate_series({n}, {n} + 20) i"
    )
}

/// Partitions with keys of their own: a second one has its root's column in it.
const PARTITIONED: &str = "
    CREATE TABLE public.leaves (region text, id int) PARTITION BY LIST (region);
    CREATE TABLE public.leaves_eu PARTITION OF public.leaves (PRIMARY KEY (id)) FOR VALUES IN ('eu');
    CREATE TABLE public.leaves_us PARTITION OF public.leaves (PRIMARY KEY (id, region)) FOR VALUES IN ('us');
    CREATE TABLE public.whole (region text, id int, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
    CREATE TABLE public.whole_eu PARTITION OF public.whole FOR VALUES IN ('eu');";

#[tokio::test]
async fn a_partition_whose_key_does_not_say_where_it_belongs_is_found() -> Result<()> {
    let mut world = unpublished(PARTITIONED).await?;
    world.run.choices.keyless_tables = KeylessTables::Refuse;
    world.configure_source().await?;

    let found = check_database::run(world.as_step("check-database"), world.on_source()).await?;
    world.prepare_source().await?;
    let refused = publish_once(&world).await;

    let text = found.findings.text;
    let lines: Vec<_> = text.lines().filter(|line| line.contains("table-without-identity")).collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(
        text.contains("table public.leaves has no primary key: once it is published, PostgreSQL refuses"),
        "{text}"
    );
    assert!(
        text.contains(
            "table public.leaves_eu has a key that does not contain all partition columns (public.leaves_eu_pkey)"
        ),
        "{text}"
    );
    let refused = refused.err().context("published")?;
    assert_eq!(refused.code, ErrorCode::PreflightBlocked);
    assert!(refused.message.ends_with(": public.leaves, public.leaves_eu"), "{refused}");
    assert!(!left(&world, SOURCE).await?.iter().any(|what| what.starts_with("publication")));
    Ok(())
}

const TABLES: [&str; 14] = [
    "by_unique",
    "by_day",
    "by_day_1",
    "by_day_2",
    "leaves",
    "leaves_eu",
    "leaves_us",
    "ONLY parent",
    "child",
    "deferred",
    "keyless",
    "secured",
    "audit",
    "noisy",
];

const STATES: &str = "
    SELECT 'trigger ' || tgname || tgenabled::text AS line FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT 'table ' || relname || relrowsecurity || relforcerowsecurity || relreplident::text || coalesce(reloptions::text, '')
              FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
    UNION ALL SELECT 'constraint ' || conname || condeferrable || condeferred FROM pg_constraint
              WHERE connamespace = 'public'::regnamespace AND contype IN ('p', 'u', 'f', 'c')
    ORDER BY 1";

#[tokio::test]
async fn tables_of_every_kind_are_equal_and_states_as_before() -> Result<()> {
    let world = unpublished(&format!("SET search_path = public; {ODD} {}", round(1))).await?;
    let before = states(&world.rdsadmin(SOURCE, &world.source.database).await?).await?;
    world.prepare_source().await?;
    publish(&world).await?;
    let native = Native::on(world).await?;
    let source = native.owner(&native.world.source).await?;
    source.run("find tables without their schema", "SET search_path = public").await?;
    source.run("write", &round(101)).await?;
    native.subscribe().await?;
    source.run("write", &round(201)).await?;
    native.catch_up().await?;
    source.run("write", &round(301)).await?;
    source.run("truncate", "TRUNCATE keyless; INSERT INTO keyless VALUES (7, 'last')").await?;
    // Once more: a marker that arrives says that what was committed before it was applied.
    native.catch_up().await?;

    let there = native.world.rdsadmin(TARGET, &native.target.database).await?;
    let here = native.world.rdsadmin(SOURCE, &native.world.source.database).await?;
    for table in TABLES {
        let sql = format!("SELECT count(*), md5(string_agg(t::text, ',' ORDER BY t::text)) FROM {table} t");
        let (on_source, on_target) = (here.query_one(&sql, &[]).await?, there.query_one(&sql, &[]).await?);
        let of = |row: &tokio_postgres::Row| (row.get::<_, i64>(0), row.get::<_, Option<String>>(1));
        assert_eq!(of(&on_source), of(&on_target), "{table}");
        assert!(on_source.get::<_, i64>(0) > 0, "{table} is empty");
    }
    native.stop().await?;
    complete(&native).await?;
    assert_eq!(states(&there).await?, before);
    Ok(())
}

async fn states(client: &tokio_postgres::Client) -> Result<Vec<String>> {
    Ok(client.query(STATES, &[]).await?.iter().map(|row| row.get(0)).collect())
}

/// Under the fence, and after OPEN.
async fn complete(native: &Native) -> Result<()> {
    let (run, source, target) = (native.world.run.clone(), native.world.source.clone(), native.target.clone());
    let input = UnderFence { run, source, target, cutover: cutover_in(60) };
    complete_target::run(native.world.as_step("complete-target"), input).await?;
    let settle = || SettleTargetInput {
        run: native.world.run.clone(),
        source: native.world.source.clone(),
        target: native.target.clone(),
        unset: Vec::new(),
    };
    until_done("settle-target", async || settle_target::run(native.world.as_step("settle-target"), settle()).await)
        .await?;
    Ok(())
}
