//! Chores on a real server: each runs once, whoever dies, and what fails is told.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::time::{Duration, Instant};

use local_aws_postgres::{CertificateAuthority, Cluster, Encryption, Listen, ServerFiles, Servers, free_port};
use pgleap_contract::Server;
use pgleap_pg::chores::{self, Phase, Progress};
use pgleap_pg::{Environment, Login, Session, connect};

const WORKER: &str = "pgleap/test/rebuild";

struct World {
    _folder: tempfile::TempDir,
    _cluster: Cluster,
    environment: Environment,
    server: Server,
}

impl World {
    async fn start(name: &str) -> Self {
        let servers = Servers::for_tests();
        let folder = tempfile::tempdir().unwrap();
        let authority = CertificateAuthority::create(folder.path()).unwrap();
        let port = free_port().unwrap();
        let address = servers.addresses().take(port).unwrap();
        let cluster = servers.create_cluster(18, name).await.unwrap();
        let files = ServerFiles {
            listen: Listen { address, port },
            encryption: Encryption::Offered(authority.issue(&address.to_string()).unwrap()),
            closed_databases: vec![],
            peer: None,
            settings: vec![],
        };
        cluster.start(files).await.unwrap();
        let roles = "CREATE ROLE owner LOGIN PASSWORD 'owner'; CREATE ROLE work LOGIN PASSWORD 'work'; CREATE DATABASE orders OWNER owner";
        for statement in roles.split(';') {
            cluster.admin("postgres").await.unwrap().batch_execute(statement).await.unwrap();
        }
        let environment = Environment { nameserver: None, ca_file: Some(authority.certificate_path().to_owned()) };
        let server = Server { host: address.to_string(), port, database: "orders".to_owned(), storage_gib: None };
        let world = Self { _folder: folder, _cluster: cluster, environment, server };
        let owner = world.owner().await;
        owner
            .run(
                "make a place",
                "CREATE SCHEMA pgleap; CREATE TABLE public.log (n int, place bigint GENERATED ALWAYS AS IDENTITY); CREATE TABLE public.held (n int)",
            )
            .await
            .unwrap();
        chores::install(&owner, "work").await.unwrap();
        chores::install(&owner, "work").await.unwrap();
        world
    }

    async fn as_role(&self, role: &str) -> Session {
        let login = Login { username: role.to_owned(), password: role.to_owned() };
        connect(&self.environment, &self.server, &login, "pgleap/test/step").await.unwrap()
    }

    async fn owner(&self) -> Session {
        self.as_role("owner").await
    }

    async fn add(&self, rank: i32, statement: &str) {
        let sql = "INSERT INTO pgleap.chore (phase, rank, object, statements) VALUES ('rebuild', $1, $2, ARRAY[$2])";
        self.owner().await.rows("add a chore", sql, &[&rank, &statement]).await.unwrap();
    }

    async fn leave_worker(&self) {
        chores::leave_worker(self.owner().await, Phase::Rebuild, WORKER).await.unwrap();
    }

    async fn look(&self) -> Progress {
        chores::look(&self.owner().await, Phase::Rebuild, WORKER).await.unwrap()
    }

    async fn wait_until(&self, what: &str, condition: impl Fn(&Progress) -> bool) -> Progress {
        let began = Instant::now();
        loop {
            let progress = self.look().await;
            if condition(&progress) {
                return progress;
            }
            assert!(began.elapsed() < Duration::from_secs(30), "waited 30 s until {what}: {progress:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn logged(&self) -> Vec<i32> {
        let rows =
            self.owner().await.rows("read the log", "SELECT n FROM public.log ORDER BY place", &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }
}

#[tokio::test]
async fn ranks_are_done_in_order_and_each_chore_once_by_many_workers() {
    let world = World::start("once").await;
    for n in 0..60 {
        world.add(3 - n / 20, &format!("INSERT INTO public.log VALUES ({})", n / 20)).await;
    }

    tokio::join!(world.leave_worker(), world.leave_worker(), world.leave_worker());
    world.wait_until("all is done", |progress| progress.left == 0 && progress.workers == 0).await;

    let logged = world.logged().await;
    assert_eq!(logged.len(), 60);
    assert!(logged.is_sorted_by(|a, b| a >= b), "{logged:?}");
}

#[tokio::test]
async fn a_worker_goes_on_when_the_one_who_started_it_is_gone() {
    let world = World::start("alone").await;
    world.add(1, "SELECT pg_sleep(1)").await;
    world.add(2, "INSERT INTO public.log VALUES (1)").await;

    world.leave_worker().await;
    let at_work = world.look().await;

    assert_eq!((at_work.left, at_work.workers), (2, 1), "{at_work:?}");
    assert!(at_work.at.starts_with("pgleap/test/rebuild: SELECT pg_sleep"), "{at_work:?}");
    world.wait_until("all is done", |progress| progress.left == 0).await;
    assert_eq!(world.logged().await, [1]);
}

#[tokio::test]
async fn what_fails_is_told_with_the_servers_words_and_holds_up_only_what_comes_after() {
    let world = World::start("fails").await;
    world.add(1, "SELECT 1 / 0").await;
    world.add(1, "INSERT INTO public.log VALUES (1)").await;
    world.add(2, "INSERT INTO public.log VALUES (2)").await;

    world.leave_worker().await;
    let end = world.wait_until("the worker is gone", |progress| progress.workers == 0 && progress.left < 3).await;

    assert_eq!(end.failed.as_deref(), Some("SELECT 1 / 0: division by zero"));
    assert_eq!((end.left, end.free), (2, 0));
    assert_eq!(world.logged().await, [1]);
}

#[tokio::test]
async fn after_open_a_failure_holds_up_its_own_object_alone_and_is_named_with_its_sql() {
    let world = World::start("settle").await;
    let owner = world.owner().await;
    let tables = "CREATE TABLE public.o1 (id int PRIMARY KEY); CREATE TABLE public.o2 (o1 int); INSERT INTO public.o2 VALUES (7);
                  ALTER TABLE public.o2 ADD CONSTRAINT o2_o1 FOREIGN KEY (o1) REFERENCES public.o1 NOT VALID";
    owner.run("make orphans", tables).await.unwrap();
    for (rank, object, statement) in [
        (0, "materialized view public.v", "SELECT 1 / 0"),
        (1000, "foreign key public.o2: o2_o1", "ALTER TABLE public.o2 VALIDATE CONSTRAINT o2_o1"),
        (1010, "foreign key public.o2: o2_o1", "INSERT INTO public.log VALUES (1010)"),
        (1030, "replica identity", "INSERT INTO public.log VALUES (1030)"),
    ] {
        let sql = "INSERT INTO pgleap.chore (phase, rank, object, statements) VALUES ('settle', $1, $2, ARRAY[$3])";
        owner.rows("add a chore", sql, &[&rank, &object, &statement]).await.unwrap();
    }

    chores::leave_worker(world.owner().await, Phase::Settle, WORKER).await.unwrap();
    let began = Instant::now();
    let end = loop {
        let progress = chores::look(&owner, Phase::Settle, WORKER).await.unwrap();
        if progress.possible == 0 && progress.workers == 0 {
            break progress;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{progress:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };

    assert_eq!(end.left, 3, "{end:?}");
    assert_eq!(world.logged().await, [1030], "what comes after a failure of another object is done");
    let warnings = chores::unfinished(&owner).await.unwrap();
    assert_eq!(warnings.count, 2);
    assert_eq!(warnings.named[0].reason, "division by zero");
    let key = &warnings.named[1];
    assert_eq!(key.object, "foreign key public.o2: o2_o1");
    assert!(key.reason.contains("violates foreign key constraint \"o2_o1\""), "{key:?}");
    assert_eq!(key.statements, "ALTER TABLE public.o2 VALIDATE CONSTRAINT o2_o1; INSERT INTO public.log VALUES (1010)");
}

#[tokio::test]
async fn what_waits_for_ever_is_given_up_and_its_worker_ended() {
    let world = World::start("give_up").await;
    let owner = world.owner().await;
    let sql = "INSERT INTO pgleap.chore (phase, rank, object, statements) VALUES ('settle', 1, 'slow', ARRAY['SELECT pg_sleep(600)'])";
    owner.run("add a chore", sql).await.unwrap();
    assert!(chores::seconds_since_begun(&owner, Phase::Settle).await.unwrap() < 5.0);
    chores::leave_worker(world.owner().await, Phase::Settle, WORKER).await.unwrap();

    chores::give_up(&owner, Phase::Settle, WORKER, "not finished in time").await.unwrap();

    let end = chores::look(&owner, Phase::Settle, WORKER).await.unwrap();
    assert_eq!((end.left, end.possible, end.workers), (1, 0, 0), "{end:?}");
    let warnings = chores::unfinished(&owner).await.unwrap();
    assert_eq!((warnings.count, warnings.named[0].reason.as_str()), (1, "not finished in time"));
}

#[tokio::test]
async fn many_unfinished_objects_are_named_up_to_a_bound_and_counted() {
    let world = World::start("many").await;
    let owner = world.owner().await;
    let sql = "INSERT INTO pgleap.chore (phase, rank, object, statements, attempts, failure)
               SELECT 'settle', 1, 'object ' || n, ARRAY[repeat('x', 5000)], 3, repeat('y', 5000) FROM generate_series(1, 1000) AS n";
    owner.run("add chores", sql).await.unwrap();

    let warnings = chores::unfinished(&owner).await.unwrap();

    assert_eq!((warnings.count, warnings.named.len()), (1_000, 20));
    assert!(serde_json::to_string(&warnings).unwrap().len() < 30_000);
    assert!(warnings.named[0].statements.ends_with(" …"), "a cut statement shows that it is cut");
}

#[tokio::test]
async fn what_is_optional_may_fail_and_is_named() {
    let world = World::start("optional").await;
    world.add(1, "SELECT 1 / 0").await;
    world.add(2, "INSERT INTO public.log VALUES (2)").await;
    let owner = world.owner().await;
    owner.run("make it optional", "UPDATE pgleap.chore SET optional = true WHERE rank = 1").await.unwrap();

    world.leave_worker().await;
    world.wait_until("all is done", |progress| progress.left == 0).await;

    assert_eq!(chores::given_up(&owner, Phase::Rebuild).await.unwrap(), ["SELECT 1 / 0: division by zero"]);
    assert_eq!(world.logged().await, [2]);
}

#[tokio::test]
async fn a_lock_that_somebody_holds_is_waited_for() {
    let world = World::start("locked").await;
    let holder = world.owner().await;
    holder.run("hold a lock", "BEGIN; LOCK TABLE public.held").await.unwrap();
    world.add(1, "ALTER TABLE public.held ADD COLUMN m int").await;

    world.leave_worker().await;
    let held_up = world
        .wait_until("the worker has given way", |progress| {
            progress.workers == 0 && progress.at.contains("lock timeout")
        })
        .await;

    assert_eq!((held_up.failed, held_up.left), (None, 1));
    holder.run("let go", "COMMIT").await.unwrap();
    world.wait_until("it may come again", |progress| progress.free == 1).await;
    world.leave_worker().await;
    world.wait_until("all is done", |progress| progress.left == 0).await;
}

#[tokio::test]
async fn the_working_login_completes_and_does_nothing_else() {
    let world = World::start("complete").await;
    let owner = world.owner().await;
    let sql = "INSERT INTO pgleap.chore (phase, rank, object, statements)
               SELECT 'complete', n, 'chore ' || n, ARRAY[format('INSERT INTO public.log VALUES (%s)', n)] FROM generate_series(1, 5) AS n";
    owner.run("add chores", &format!("{sql}; GRANT USAGE ON SCHEMA pgleap TO work")).await.unwrap();
    let work = world.as_role("work").await;

    let steps = [
        chores::complete(&work, Phase::Complete, 3).await.unwrap(),
        chores::complete(&work, Phase::Complete, 3).await.unwrap(),
    ];
    let refused = chores::complete(&work, Phase::Settle, 3).await.unwrap_err();
    let worker = work.run("work off", "CALL pgleap.work_off('complete')").await.unwrap_err();
    let table = work.run("write a chore", "DELETE FROM pgleap.chore").await.unwrap_err();

    assert_eq!(steps, [(3, 2), (2, 0)]);
    assert_eq!(world.logged().await, [1, 2, 3, 4, 5], "with the owner's rights");
    assert!(refused.reason.contains("phase settle is not for the working login"), "{refused}");
    assert!(worker.reason.contains("permission denied for procedure work_off"), "{worker}");
    assert!(table.reason.contains("permission denied for table chore"), "{table}");
}
