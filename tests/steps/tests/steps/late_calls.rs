//! What a call does that arrives after the cutover was decided, and what gets past a fence by other doors than the lists.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use pgleap_contract::steps::{CleanDatabasesInput, UnderFence, UnfenceSourceInput};
use pgleap_contract::{ErrorCode, Generation, Outcome, Run, Server};
use pgleap_mark::State;
use pgleap_pg::{Session, access, sequences};
use pgleap_step_kit::StepError;
use step_tests::{OWNER, SOURCE, TARGET, World, cutover_in};

const APPLICATION: &str = "
    CREATE ROLE app LOGIN PASSWORD 'app-password';
    CREATE TABLE public.t (id int PRIMARY KEY);
    CREATE SEQUENCE public.numbers;
    GRANT ALL ON public.t TO app;";

/// A source with a copy of it, both prepared, the cutover armed.
pub(crate) struct Armed {
    pub(crate) world: World,
    pub(crate) target: Server,
}

impl Armed {
    pub(crate) async fn start(major: u16) -> Result<Self> {
        let world = World::start(major).await?;
        world.owner().await?.run("make an application", APPLICATION).await?;
        world.prepare_source().await?;
        let target = world.make_copy().await?;
        for server in [&world.source, &target] {
            let owner = world.ctx.as_owner(&world.run, server).await?;
            sequences::install(&owner, &world.run.names().work_login()).await?;
        }
        world.arm().await?;
        Ok(Self { world, target })
    }

    pub(crate) fn under_fence(&self) -> UnderFence {
        let run = self.world.run.clone();
        UnderFence { run, source: self.world.source.clone(), target: self.target.clone(), cutover: cutover_in(60) }
    }

    pub(crate) async fn fence(&self) -> Result<(), StepError> {
        fence_source::run(self.world.as_step("fence-source"), self.under_fence()).await.map(drop)
    }

    pub(crate) async fn drain(&self) -> Result<()> {
        let work = self.world.ctx.as_work(&self.world.run, &self.target).await?;
        access::shut(&work, &cutover_in(60), &[&self.world.run.names().work_login()]).await?;
        let sql = "INSERT INTO pgleap.marker (id, kind) VALUES (gen_random_uuid(), 'drained-1')";
        Ok(work.run("note that the source is drained", sql).await?)
    }

    pub(crate) async fn open(&self) -> Result<Outcome, StepError> {
        open_target::run(self.world.as_step("open-target"), self.under_fence()).await.map(|answer| answer.outcome)
    }

    pub(crate) async fn unfence(&self) -> Result<Outcome, StepError> {
        self.unfence_with(Some(self.target.clone())).await
    }

    pub(crate) async fn unfence_with(&self, target: Option<Server>) -> Result<Outcome, StepError> {
        let (run, source) = (self.world.run.clone(), self.world.source.clone());
        let input = UnfenceSourceInput { run, source, target, generation: Generation::FORWARD };
        unfence_source::run(self.world.as_step("unfence-source"), input).await.map(|answer| answer.outcome)
    }

    /// The same run id, for an execution that has armed nothing: it sees no mark.
    pub(crate) fn another_run(&self) -> Run {
        let mut run = self.world.run.clone();
        run.execution_arn.push_str("-2");
        run
    }

    pub(crate) async fn unfence_of_another_execution(&self) -> Result<Outcome, StepError> {
        let input = UnfenceSourceInput {
            run: self.another_run(),
            source: self.world.source.clone(),
            target: Some(self.target.clone()),
            generation: Generation::FORWARD,
        };
        unfence_source::run(self.world.as_step("unfence-source"), input).await.map(|answer| answer.outcome)
    }

    pub(crate) async fn clean(&self, outcome: Outcome, target: Option<Server>) -> Result<bool, StepError> {
        let (run, source) = (self.world.run.clone(), self.world.source.clone());
        let input = CleanDatabasesInput { run, source, target, outcome, generation: Generation::FORWARD };
        clean_databases::run(self.world.as_step("clean-databases"), input).await.map(|polled| polled.done().is_some())
    }

    pub(crate) async fn gets_in(&self, server: &Server, user: &str) -> bool {
        let password = if user == OWNER { self.world.owner_password() } else { "app-password" };
        self.world.session(server, user, password).await.is_ok()
    }

    pub(crate) async fn next_number(&self, server: &Server) -> Result<i64> {
        let owner = self.world.ctx.as_owner(&self.world.run, server).await?;
        Ok(owner.row("take a number", "SELECT nextval('public.numbers')", &[]).await?.get(0))
    }

    /// A session of the working login, as a call that was frozen afterwards had opened it.
    pub(crate) async fn frozen(&self, server: &Server) -> Result<Session> {
        Ok(self.world.ctx.as_work(&self.world.run, server).await?)
    }
}

#[tokio::test]
async fn a_call_that_arrives_after_open_shuts_nothing_and_moves_no_sequence() -> Result<()> {
    let armed = Armed::start(16).await?;
    for _number in 0..50 {
        armed.next_number(&armed.world.source).await?;
    }
    armed.fence().await?;
    let (source, target) = (armed.frozen(&armed.world.source).await?, armed.frozen(&armed.target).await?);
    let values = sequences::read(&source).await?;
    armed.drain().await?;
    sequences::set(&target, &cutover_in(60), &values).await?;
    assert_eq!(armed.open().await?, Outcome::Open);
    let given = armed.next_number(&armed.target).await?;

    let keep = armed.world.run.names().work_login();
    let shut = access::shut(&target, &cutover_in(60), &[&keep]).await.map_err(StepError::from);
    assert_eq!(shut.expect_err("the cutover is decided").code, ErrorCode::AlreadyBack);
    let set = sequences::set(&target, &cutover_in(60), &values).await.map_err(StepError::from);
    assert_eq!(set.expect_err("the cutover is decided").code, ErrorCode::AlreadyBack);
    assert_eq!(armed.fence().await.expect_err("the mark says open").code, ErrorCode::AlreadyBack);

    assert!(armed.gets_in(&armed.target, "app").await && armed.gets_in(&armed.target, OWNER).await);
    assert_eq!(armed.next_number(&armed.target).await?, given + 1, "a number is given twice");
    Ok(())
}

#[tokio::test]
async fn a_sequence_is_never_set_back() -> Result<()> {
    let armed = Armed::start(15).await?;
    let (source, target) = (armed.frozen(&armed.world.source).await?, armed.frozen(&armed.target).await?);
    armed.next_number(&armed.world.source).await?;
    let values = sequences::read(&source).await?;
    sequences::set(&target, &cutover_in(60), &values).await?;
    let mut given = armed.next_number(&armed.target).await?;
    for _number in 0..150 {
        given = armed.next_number(&armed.target).await?;
    }

    sequences::set(&target, &cutover_in(60), &values).await?;

    assert!(armed.next_number(&armed.target).await? > given);
    Ok(())
}

#[tokio::test]
async fn a_fence_that_arrives_after_the_rollback_shuts_nothing() -> Result<()> {
    let armed = Armed::start(15).await?;
    let late = armed.frozen(&armed.world.source).await?;
    armed.fence().await?;

    assert_eq!(armed.unfence().await?, Outcome::Back);

    // The unfence ended the session that the late call had; one that it opens anew is refused by the outcome.
    assert!(late.run("go on", "SELECT 1").await.is_err(), "a session of a late call outlived the rollback");
    let anew = armed.frozen(&armed.world.source).await?;
    let keep = armed.world.run.names().work_login();
    let shut = access::shut(&anew, &cutover_in(60), &[&keep]).await.map_err(StepError::from);
    assert_eq!(shut.expect_err("the cutover is decided").code, ErrorCode::AlreadyBack);
    assert!(armed.gets_in(&armed.world.source, "app").await);
    Ok(())
}

#[tokio::test]
async fn a_door_is_shut_before_the_deadline_or_not_at_all() -> Result<()> {
    let armed = Armed::start(15).await?;
    let late = armed.frozen(&armed.world.source).await?;
    let keep = armed.world.run.names().work_login();

    let shut = access::shut(&late, &cutover_in(-1), &[&keep]).await.map_err(StepError::from);

    assert_eq!(shut.expect_err("it is late").code, ErrorCode::DeadlinePassed);
    assert!(armed.gets_in(&armed.world.source, "app").await);
    Ok(())
}

/// A stranger's open GRANT holds the database's row.
#[tokio::test]
async fn a_lock_on_the_database_delays_a_fence_by_a_second_and_the_decision_not_at_all() -> Result<()> {
    let armed = Armed::start(15).await?;
    let stranger = armed.world.owner().await?;
    stranger.run("hold the row", "BEGIN; GRANT CONNECT ON DATABASE orders TO app").await?;
    let began = Instant::now();

    assert_eq!(armed.fence().await.expect_err("the row is locked").code, ErrorCode::ResourceBusy);
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    assert!(armed.gets_in(&armed.world.source, "app").await, "nothing of a refused fence stays");

    let work = armed.frozen(&armed.world.source).await?;
    let began = Instant::now();
    access::claim(&work, Generation::FORWARD, Outcome::Back).await?;
    assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
    Ok(())
}

#[tokio::test]
async fn without_a_mark_nothing_is_fenced_and_nothing_is_rolled_back() -> Result<()> {
    let armed = Armed::start(15).await?;
    let world = &armed.world;

    let input = UnderFence { run: armed.another_run(), ..armed.under_fence() };
    assert!(fence_source::run(world.as_step("fence-source"), input).await.is_err(), "another execution armed it");
    assert!(armed.gets_in(&world.source, "app").await);
    // Another execution's rollback leaves this one's outcome alone.
    assert_eq!(armed.unfence_of_another_execution().await?, Outcome::Back);
    armed.fence().await?;
    armed.drain().await?;
    assert_eq!(armed.open().await?, Outcome::Open);
    Ok(())
}

/// Secrets Manager is eventually consistent.
#[tokio::test]
async fn a_source_that_is_shut_is_not_taken_for_one_that_was_never_fenced() -> Result<()> {
    let armed = Armed::start(15).await?;
    assert_eq!(armed.unfence_of_another_execution().await?, Outcome::Back);
    armed.fence().await?;

    let refused = armed.unfence_of_another_execution().await.expect_err("it sees no mark, and the source is shut");

    assert_eq!(refused.code, ErrorCode::ServiceUnavailable);
    Ok(())
}

/// The trial `stop-clean`: target cleaned, source cleaned, answers lost in between, the recovery comes late.
#[tokio::test]
async fn after_open_every_prefix_of_the_clean_up_is_known_to_be_open() -> Result<()> {
    let armed = Armed::start(15).await?;
    armed.fence().await?;
    armed.drain().await?;
    assert_eq!(armed.open().await?, Outcome::Open);
    let target = Some(armed.target.clone());
    let unreachable = Server { port: 1, ..armed.target.clone() };

    // The target is down for days: the source is cleaned, and the rest is finished later.
    assert!(armed.clean(Outcome::Open, Some(unreachable.clone())).await.is_err());
    for silent in [target.clone(), Some(unreachable), None] {
        assert_eq!(armed.unfence_with(silent).await?, Outcome::Open, "source cleaned");
    }
    assert_eq!(armed.clean(Outcome::Back, target.clone()).await.expect_err("open").code, ErrorCode::UnfenceUnsafe);
    assert!(armed.clean(Outcome::Open, target.clone()).await?);
    assert!(armed.clean(Outcome::Open, target.clone()).await?, "cleaned twice");
    for silent in [target, None] {
        assert_eq!(armed.unfence_with(silent).await?, Outcome::Open, "both cleaned");
    }

    assert!(!armed.gets_in(&armed.world.source, "app").await, "the source is retired");
    assert!(armed.gets_in(&armed.target, "app").await);
    Ok(())
}

#[tokio::test]
async fn a_silent_target_proves_nothing_and_is_asked_again_when_it_answers() -> Result<()> {
    let armed = Armed::start(15).await?;
    armed.fence().await?;

    assert_eq!(armed.unfence_with(None).await?, Outcome::Back, "OPEN was never sent");
    assert_eq!(armed.world.mark().await?, Some(State::Back { target_holds_back: false }));
    assert!(armed.gets_in(&armed.world.source, "app").await);
    assert!(armed.open().await.is_err(), "the rollback was claimed on the source");

    assert_eq!(armed.unfence().await?, Outcome::Back);
    assert_eq!(armed.world.mark().await?, Some(State::Back { target_holds_back: true }));
    Ok(())
}

#[tokio::test]
async fn where_open_was_sent_a_silent_target_is_for_a_person() -> Result<()> {
    let armed = Armed::start(15).await?;
    armed.fence().await?;
    let source = armed.frozen(&armed.world.source).await?;
    access::claim(&source, Generation::FORWARD, Outcome::Open).await?;
    drop(source);

    let refused = armed.unfence_with(None).await.expect_err("it may be open");

    assert_eq!(refused.code, ErrorCode::UnfenceUnsafe);
    assert!(!armed.gets_in(&armed.world.source, "app").await);
    assert_eq!(armed.unfence().await?, Outcome::Back, "the target answers that it is not");
    assert!(armed.gets_in(&armed.world.source, "app").await);
    Ok(())
}

/// Vault drops the roles of its leases under open sessions.
#[tokio::test]
async fn a_session_whose_role_was_dropped_is_ended_and_a_dropped_grantee_does_not_hold_up_the_rollback() -> Result<()> {
    let armed = Armed::start(15).await?;
    let owner = armed.world.owner().await?;
    let lease = "CREATE ROLE lease_7 LOGIN PASSWORD 'app-password'; GRANT CONNECT ON DATABASE orders TO lease_7;
                 GRANT ALL ON public.t TO PUBLIC";
    owner.run("lease a login", lease).await?;
    let session = armed.world.session(&armed.world.source, "lease_7", "app-password").await?;
    session.run("begin to write", "BEGIN; INSERT INTO public.t VALUES (1)").await?;
    owner.run("end the lease", "REVOKE CONNECT ON DATABASE orders FROM lease_7; DROP ROLE lease_7").await?;
    owner.run("lease another", &lease.replace("lease_7", "lease_8")).await?;

    armed.fence().await?;

    assert!(session.run("commit", "COMMIT").await.is_err(), "a session of a dropped role outlived the fence");
    let admin = armed.world.rdsadmin(SOURCE, "postgres").await?;
    admin.batch_execute("DROP ROLE lease_8").await?;
    assert_eq!(armed.unfence().await?, Outcome::Back);
    assert!(armed.gets_in(&armed.world.source, "app").await);
    Ok(())
}

#[tokio::test]
async fn an_owner_who_inherits_the_runs_logins_does_not_pass_the_fence() -> Result<()> {
    let world = World::start(17).await?;
    let admin = world.rdsadmin(SOURCE, "postgres").await?;
    admin.batch_execute(&format!("ALTER ROLE {OWNER} SET createrole_self_grant = 'set, inherit'")).await?;
    world.owner().await?.run("make an application", APPLICATION).await?;
    world.prepare_source().await?;
    let target = world.make_copy().await?;
    world.arm().await?;
    let armed = Armed { world, target };

    armed.fence().await?;
    assert!(!armed.gets_in(&armed.world.source, OWNER).await, "the owner is a member of the working login");
    assert_eq!(armed.unfence().await?, Outcome::Back);

    // A member that somebody made by hand is seen, and whoever is a member of it in turn: the owner is, by that setting.
    // (The source was restarted since.)
    let admin = armed.world.rdsadmin(SOURCE, "postgres").await?;
    let work = armed.world.run.names().work_login();
    admin.batch_execute(&format!("GRANT {work} TO app WITH INHERIT TRUE")).await?;
    let session = armed.world.ctx.as_work(&armed.world.run, &armed.world.source).await?;
    assert_eq!(access::members_of(&session, &[&work]).await?, ["app", OWNER]);
    let keep = [work.as_str()];
    let doors = access::others(&session, &keep).await?.doors;
    assert!(doors.iter().any(|door| door.ends_with(": app")), "{doors:?}");
    Ok(())
}

#[tokio::test]
async fn a_commit_of_the_run_outlives_a_crash_whatever_the_operator_set() -> Result<()> {
    let armed = Armed::start(15).await?;
    let admin = armed.world.rdsadmin(TARGET, "postgres").await?;
    admin.batch_execute("ALTER DATABASE orders SET synchronous_commit = off").await?;

    let work = armed.frozen(&armed.target).await?;

    let row = work.row("read the setting", "SHOW synchronous_commit", &[]).await.context("SHOW")?;
    assert_eq!(row.get::<_, &str>(0), "on");
    Ok(())
}
