//! The watch on the source's changes, against real servers.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::time::{Duration, Instant};

use local_aws_postgres::{CertificateAuthority, Cluster, Encryption, Listen, ServerFiles, Servers, Setting, free_port};
use pgleap_contract::Server;
use pgleap_pg::slot::{self, Making};
use pgleap_pg::watch::{self, Before};
use pgleap_pg::{Environment, Login, Lsn, Session, connect};

const SLOT: &str = "pgleap_test_watch";
const LONG: Duration = Duration::from_secs(60);

struct World {
    _folder: tempfile::TempDir,
    _cluster: Cluster,
    environment: Environment,
    server: Server,
}

impl World {
    /// A server with a schema, watched from here on.
    async fn start(major: u16, name: &str, schema: &str) -> Self {
        let world = Self::start_unwatched(major, name, schema).await;
        world.arm().await;
        world
    }

    async fn start_unwatched(major: u16, name: &str, schema: &str) -> Self {
        let servers = Servers::for_tests();
        let folder = tempfile::tempdir().unwrap();
        let authority = CertificateAuthority::create(folder.path()).unwrap();
        let port = free_port().unwrap();
        let address = servers.addresses().take(port).unwrap();
        let cluster = servers.create_cluster(major, &format!("watch-{name}-{major}")).await.unwrap();
        let files = ServerFiles {
            listen: Listen { address, port },
            encryption: Encryption::Offered(authority.issue(&address.to_string()).unwrap()),
            closed_databases: vec![],
            peer: None,
            settings: [("wal_level", "logical"), ("max_prepared_transactions", "5")]
                .map(|(name, value)| Setting::new(name, value))
                .into(),
        };
        cluster.start(files).await.unwrap();
        let roles = "CREATE ROLE owner LOGIN PASSWORD 'owner'; CREATE ROLE dms LOGIN REPLICATION PASSWORD 'dms'; \
                     CREATE DATABASE orders OWNER owner";
        for statement in roles.split(';') {
            cluster.admin("postgres").await.unwrap().batch_execute(statement).await.unwrap();
        }
        let environment = Environment { nameserver: None, ca_file: Some(authority.certificate_path().to_owned()) };
        let server = Server { host: address.to_string(), port, database: "orders".to_owned(), storage_gib: None };
        let world = Self { _folder: folder, _cluster: cluster, environment, server };
        let owner = world.owner().await;
        let base = "CREATE SCHEMA pgleap; GRANT USAGE ON SCHEMA pgleap TO dms; CREATE TABLE pgleap.run AS SELECT 'orders' AS id; GRANT SELECT ON pgleap.run TO dms; CREATE SCHEMA app;
                    CREATE TABLE pgleap.catalog_skipped (schema name PRIMARY KEY); INSERT INTO pgleap.catalog_skipped VALUES ('skipped');
                    CREATE SCHEMA skipped; SET search_path = app, pg_catalog";
        owner.run("make a place", base).await.unwrap();
        owner.run("make the schema", schema).await.unwrap();
        world
    }

    async fn arm(&self) {
        watch::install(&self.owner().await, "dms").await.unwrap();
        let began = Instant::now();
        while slot::make(self.dms().await, SLOT, "test_decoding").await.unwrap() == Making::Waits {
            assert!(began.elapsed() < LONG, "the slot is not made");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn login(&self, name: &str) -> Session {
        let login = Login { username: name.to_owned(), password: name.to_owned() };
        connect(&self.environment, &self.server, &login, "test").await.unwrap()
    }

    async fn owner(&self) -> Session {
        self.login("owner").await
    }

    async fn dms(&self) -> Session {
        self.login("dms").await
    }

    async fn run(&self, sql: &str) {
        self.owner().await.run("write", sql).await.unwrap();
    }

    /// Read all there is, and answer what was found so far.
    async fn found(&self) -> Vec<String> {
        self.found_before(Before::Nothing).await
    }

    async fn found_before(&self, before: Before) -> Vec<String> {
        let dms = self.dms().await;
        let upto = written(&dms).await;
        assert_eq!(watch::read(&dms, SLOT, upto, before, LONG).await.unwrap(), 0);
        self.noted().await
    }

    async fn noted(&self) -> Vec<String> {
        let sql = "SELECT name || ' ' || kind || ': ' || detail FROM pgleap.watch_found ORDER BY first_lsn, 1";
        let rows = self.owner().await.rows("read what was found", sql, &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    async fn forget(&self) {
        self.run("TRUNCATE pgleap.watch_found").await;
    }
}

async fn written(session: &Session) -> Lsn {
    slot::look(session, SLOT).await.unwrap().written.unwrap()
}

const SHAPES: &str = r#"
    CREATE TABLE busy (id int PRIMARY KEY, n int NOT NULL); INSERT INTO busy SELECT g, 0 FROM generate_series(1, 50) g;
    CREATE TABLE member_role (person_id int, role_id int, PRIMARY KEY (person_id, role_id)); INSERT INTO member_role SELECT g, 1 FROM generate_series(1, 9) g;
    CREATE TABLE booking (id int, day date NOT NULL, seat int, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
    CREATE TABLE booking_25 PARTITION OF booking FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
    CREATE TABLE booking_26 PARTITION OF booking FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
    INSERT INTO booking SELECT g, '2025-06-01', g FROM generate_series(1, 9) g;
    CREATE TABLE whole (id int PRIMARY KEY, body text); ALTER TABLE whole REPLICA IDENTITY FULL; INSERT INTO whole VALUES (1, 'a'), (2, 'b');
    CREATE TABLE parent (id int PRIMARY KEY);
    CREATE TABLE child (parent int REFERENCES parent ON UPDATE CASCADE, place int, PRIMARY KEY (parent, place));
    INSERT INTO parent VALUES (1); INSERT INTO child VALUES (1, 1);
    CREATE TABLE skipped.t (id int PRIMARY KEY); INSERT INTO skipped.t VALUES (1);
    CREATE TABLE "we: ird, ""x"".y" ("old-key: [" varchar(40) PRIMARY KEY, "a b" text); INSERT INTO "we: ird, ""x"".y" VALUES ('a', 'b');"#;

async fn updates_of_keys_are_found(major: u16) {
    let world = World::start(major, "keys", SHAPES).await;
    world
        .run(
            r#"SET search_path = app;
        UPDATE busy SET n = n + 1; UPDATE busy SET id = id; DELETE FROM busy WHERE id = 3; INSERT INTO busy VALUES (77, 0);
        UPDATE whole SET body = ' UPDATE: old-key: id[integer]:1 new-tuple: id[integer]:2'; UPDATE booking SET day = '2026-07-01' WHERE id = 1;
        UPDATE "we: ird, ""x"".y" SET "a b" = 'UPDATE: old-key: ''' || "old-key: [";
        UPDATE skipped.t SET id = 2; BEGIN; UPDATE busy SET id = 5001 WHERE id = 5; ROLLBACK"#,
        )
        .await;
    assert_eq!(world.found().await, [""; 0], "none of these is an update of a key");

    world
        .run(
            r#"SET search_path = app;
        UPDATE busy SET id = 1002 WHERE id = 2; UPDATE busy SET id = 1004 WHERE id = 4;
        UPDATE member_role SET role_id = 2 WHERE person_id = 7; UPDATE booking SET day = '2025-07-01' WHERE id = 7;
        UPDATE whole SET id = 3 WHERE id = 2; UPDATE parent SET id = 9; UPDATE "we: ird, ""x"".y" SET "old-key: [" = 'it''s \ '"#,
        )
        .await;
    let expected = [
        "app.busy key: an update of its key: (id) = (2) became (1002)",
        "app.member_role key: an update of its key: (person_id, role_id) = (7, 1) became (7, 2)",
        "app.booking_25 key: an update of its key: (id, day) = (7, 2025-06-01) became (7, 2025-07-01)",
        "app.whole key: an update of its key: (id) = (2) became (3)",
        "app.parent key: an update of its key: (id) = (1) became (9)",
        "app.child key: an update of its key: (parent, place) = (1, 1) became (9, 1)",
        "app.\"we: ird, \"\"x\"\".y\" key: an update of its key: (old-key: [) = (a) became (it's \\ )",
    ];
    assert_eq!(world.found().await, expected);
    let named = watch::found(&world.dms().await).await.unwrap();
    assert_eq!(named.len(), 6, "{named:?}");
    assert_eq!(
        (named[0].as_str(), named[5].as_str()),
        ("table app.busy: an update of its key: (id) = (2) became (1002)", "and 2 more")
    );
}

#[tokio::test]
async fn updates_of_keys_are_found_on_13() {
    updates_of_keys_are_found(13).await;
}

#[tokio::test]
async fn updates_of_keys_are_found_on_18() {
    updates_of_keys_are_found(18).await;
}

#[tokio::test]
async fn a_change_of_a_row_that_has_an_equal_one_is_found_and_of_any_other_is_not() {
    let schema = "CREATE DOMAIN word AS varchar(10);
        CREATE TABLE t (what word, n int, price numeric, ratio float8, at timestamptz, fixed char(4), stays interval);
        ALTER TABLE t REPLICA IDENTITY FULL";
    let world = World::start(15, "twins", schema).await;
    let one = "'twin', 1, 1.50, 0.1, '2025-01-01', 'ab', '1 day'";
    let delete_one = "DELETE FROM app.t WHERE ctid = (SELECT min(ctid) FROM app.t)";
    let cases = [
        (
            "one of five goes",
            format!("INSERT INTO app.t SELECT {one} FROM generate_series(1, 5)"),
            delete_one.to_owned(),
            true,
        ),
        (
            "one of two changes",
            format!("INSERT INTO app.t SELECT {one} FROM generate_series(1, 2)"),
            "UPDATE app.t SET n = 2 WHERE ctid = (SELECT min(ctid) FROM app.t)".to_owned(),
            true,
        ),
        (
            "both go, one after the other",
            format!("INSERT INTO app.t SELECT {one} FROM generate_series(1, 2)"),
            format!("{delete_one}; {delete_one}"),
            true,
        ),
        (
            "they differ in a scale only",
            format!(
                "INSERT INTO app.t SELECT {one}; INSERT INTO app.t SELECT 'twin', 1, 1.5, 0.1, '2025-01-01', 'ab', '24 hours'"
            ),
            format!("{delete_one}; {delete_one}"),
            true,
        ),
        ("nulls are equal", "INSERT INTO app.t (n) VALUES (1), (1)".to_owned(), delete_one.to_owned(), true),
        (
            "every column is null",
            "INSERT INTO app.t DEFAULT VALUES; INSERT INTO app.t DEFAULT VALUES".to_owned(),
            delete_one.to_owned(),
            true,
        ),
        (
            "a null is no value",
            format!("INSERT INTO app.t SELECT {one}; INSERT INTO app.t (n) VALUES (1)"),
            delete_one.to_owned(),
            false,
        ),
        (
            "each row is another",
            format!(
                "INSERT INTO app.t SELECT {one}; INSERT INTO app.t SELECT 'twin', g, 1.5, 0.1, '2025-01-01', 'ab', '1 day' FROM generate_series(2, 90) g"
            ),
            "UPDATE app.t SET price = price + 1; UPDATE app.t SET n = n + 1000, what = NULL; DELETE FROM app.t"
                .to_owned(),
            false,
        ),
    ];
    for (case, before, change, is_found) in cases {
        world.run(&format!("DELETE FROM app.t; {before}")).await;
        world.found().await;
        world.forget().await;

        world.run(&change).await;
        let found = world.found().await;

        assert_eq!(found.len(), usize::from(is_found), "{case}: {found:?}");
        assert!(found.iter().all(|found| found.starts_with("app.t twins: ")), "{found:?}");
    }
}

#[tokio::test]
async fn an_equal_row_that_went_before_anybody_looked_is_found_in_a_later_piece() {
    let world = World::start(
        17,
        "gone",
        "CREATE TABLE t (n int); ALTER TABLE t REPLICA IDENTITY FULL; INSERT INTO t VALUES (1), (1)",
    )
    .await;
    let delete_one = "DELETE FROM app.t WHERE ctid = (SELECT min(ctid) FROM app.t)";
    world.run(delete_one).await;
    let dms = world.dms().await;
    let between = written(&dms).await;
    world.run(delete_one).await;

    assert_eq!(watch::read(&dms, SLOT, between, Before::Nothing, LONG).await.unwrap(), 0);
    assert_eq!(world.noted().await, [""; 0], "nothing equal is there, and the other change was not read");

    assert_eq!(world.found().await.len(), 1);
}

#[tokio::test]
async fn values_that_dms_changes_are_found_even_before_a_load_and_keys_are_not() {
    let schema = "CREATE DOMAIN moment AS timestamptz; CREATE DOMAIN hour AS time;
        CREATE TABLE v (id int PRIMARY KEY, at moment, day date, n numeric(20, 2), wide numeric, long varchar, o hour, said text);
        INSERT INTO v SELECT g FROM generate_series(1, 9) g";
    let world = World::start(16, "values", schema).await;
    let fine = "UPDATE app.v SET said = 'infinity NaN :''infinity'' 12:00:00.5', at = now(), day = '9999-01-01', n = 1.25,
                wide = 1234567890123456789012345678, long = repeat('é', 8000), o = '12:00:00'; UPDATE app.v SET id = 100 WHERE id = 9";
    world.run(fine).await;
    assert_eq!(world.found_before(Before::TheLoad).await, [""; 0]);

    let cases = [
        ("at = 'infinity'", "an infinite date, which DMS clamps in column at where (id) = (3)"),
        ("day = '-infinity'", "in column day where (id) = (3)"),
        ("n = 'NaN'", "in column n where (id) = (3)"),
        ("wide = 0.12345678901234567890123456789", "in column wide"),
        ("long = repeat('x', 8001)", "in column long"),
        ("o = '12:00:00.000001'", "in column o where (id) = (3)"),
    ];
    for (set, said) in cases {
        world.run(&format!("UPDATE app.v SET {set} WHERE id = 3")).await;
        let found = world.found_before(Before::TheLoad).await;

        assert!(found.len() == 1 && found[0].contains(said), "{set}: {found:?}");
        let (column, _) = set.split_once(' ').unwrap();
        world.run(&format!("UPDATE app.v SET {column} = NULL WHERE id = 3")).await;
        assert_eq!(world.found().await.len(), 1, "{set}: a value that went is no finding");
        world.forget().await;
    }
    world.run("INSERT INTO app.v (id, at) VALUES (500, '-infinity')").await;
    assert_eq!(world.found().await.len(), 1, "a new row counts");
}

/// Every update of a key is found whatever the pieces, with transactions that lie across their ends.
async fn pieces_end_anywhere(major: u16) {
    const TABLES: usize = 60;
    let schema: String = (0..TABLES)
        .map(|n| {
            format!(
                "CREATE TABLE t{n} (id int PRIMARY KEY, pad text); INSERT INTO t{n} VALUES (1, repeat('x', {}));",
                n * 50
            )
        })
        .collect();
    let world = World::start(major, "pieces", &schema).await;
    let dms = world.dms().await;
    let begun = written(&dms).await;
    let mut writers = Vec::new();
    for writer in 0..4 {
        let session = world.owner().await;
        writers.push(tokio::spawn(async move {
            for n in (writer..TABLES).step_by(4) {
                let sql = match n % 5 {
                    0 => format!("UPDATE app.t{n} SET id = 2"),
                    1 => format!("BEGIN; SAVEPOINT a; UPDATE app.t{n} SET id = 2; RELEASE a; SELECT pg_sleep(0.01); COMMIT"),
                    2 => format!("SET synchronous_commit = off; UPDATE app.t{n} SET id = 2; RESET synchronous_commit"),
                    3 => format!("BEGIN; UPDATE app.t{n} SET id = 2; PREPARE TRANSACTION 't{n}'"),
                    _ => format!("BEGIN; UPDATE app.t{n} SET id = 2; SAVEPOINT a; UPDATE app.t{n} SET id = 3; ROLLBACK TO a; COMMIT"),
                };
                session.run("write", &sql).await.unwrap();
                if n % 5 == 3 {
                    session.run("commit", &format!("COMMIT PREPARED 't{n}'")).await.unwrap();
                }
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    world.run("INSERT INTO app.t0 VALUES (99)").await; // on disk, and with it what did not wait

    let end = written(&dms).await;
    let mut upto = begun;
    let mut pieces = 0;
    while upto < end {
        // 8 to 600 bytes: within records, at their ends, several at once.
        upto = Lsn(end.0.min(upto.0 + 8 + (upto.0 * 2_654_435_761) % 593));
        assert_eq!(watch::read(&dms, SLOT, upto, Before::Nothing, LONG).await.unwrap(), 0);
        pieces += 1;
    }
    assert!(pieces > 50, "{pieces} pieces");
    let found = world.noted().await;
    let missing: Vec<usize> =
        (0..TABLES).filter(|n| !found.iter().any(|found| found.starts_with(&format!("app.t{n} ")))).collect();
    assert!(missing.is_empty(), "not found in {pieces} pieces: {missing:?}");
}

#[tokio::test]
async fn pieces_end_anywhere_on_13() {
    pieces_end_anywhere(13).await;
}

#[tokio::test]
async fn pieces_end_anywhere_on_18() {
    pieces_end_anywhere(18).await;
}

#[tokio::test]
async fn a_piece_that_is_read_again_changes_nothing_and_a_slot_that_is_gone_reads_nothing() {
    let schema = format!(
        "{SHAPES} CREATE TABLE k (n int); ALTER TABLE k REPLICA IDENTITY FULL; INSERT INTO k SELECT g FROM generate_series(1, 9) g"
    );
    let world = World::start(15, "again", &schema).await;
    world.run("UPDATE app.busy SET id = id + 1000 WHERE id < 5; UPDATE app.k SET n = n + 100; DELETE FROM app.k").await;
    let dms = world.dms().await;
    // As if the first call had died before it moved the slot.
    dms.rows("copy the slot", "SELECT pg_copy_logical_replication_slot('pgleap_test_watch', 'before')", &[])
        .await
        .unwrap();
    let first = world.found().await;
    assert_eq!(first.len(), 1, "{first:?}");

    let upto = written(&dms).await;
    watch::read(&dms, "before", upto, Before::Nothing, LONG).await.unwrap();

    assert_eq!(world.noted().await, first);
    slot::drop(&dms, SLOT).await.unwrap();
    slot::drop(&dms, SLOT).await.unwrap();
    assert!(!slot::look(&dms, SLOT).await.unwrap().exists);
    assert!(watch::read(&dms, SLOT, upto, Before::Nothing, LONG).await.unwrap() > 0, "nothing was read");
}

/// Keys and values of any characters, as a server prints them: a reading that went wrong would fail, or find another key.
#[tokio::test]
async fn keys_of_any_characters_come_back_as_they_were() {
    const ROWS: i32 = 400;
    let schema = "CREATE TABLE odd (\"k 1\" varchar(40) NOT NULL, \"k,[\"\"]\" varchar(40) NOT NULL, body text, list text[], raw bytea, note json,
                                     bits varbit, PRIMARY KEY (\"k 1\", \"k,[\"\"]\"));
                  ALTER TABLE odd REPLICA IDENTITY FULL";
    let world = World::start(18, "odd", schema).await;
    // Every character that the format uses, and some others, in any order.
    let piece = |seed: &str| {
        format!(
            "(SELECT string_agg((array['''', '\"', '\\', ' ', ':', '[', ']', E'\\n', 'new-tuple:', 'old-key:', 'null', 'é', '🐘', ',', '{{', 'x'])
              [1 + (hashtext({seed} || i) & 15)], '') FROM generate_series(1, 4) i)"
        )
    };
    let row = format!(
        "SELECT left({} || n, 40), left(n || {}, 40), {}, array[{}, NULL], convert_to({}, 'UTF8'), to_json({}), n::bit(9)::varbit",
        piece("n || 'a'"),
        piece("n || 'b'"),
        piece("n || 'c'"),
        piece("n || 'd'"),
        piece("n || 'e'"),
        piece("n || 'f'")
    );
    world.run(&format!("INSERT INTO app.odd {row} FROM generate_series(1, {ROWS}) n")).await;
    world.found().await;
    world.run("UPDATE app.odd SET body = body || 'x', list = list || body, note = to_json(body)").await;
    assert_eq!(world.found().await, [""; 0], "no key changed");

    let owner = world.owner().await;
    let keys = "SELECT \"k 1\", \"k,[\"\"]\" FROM app.odd ORDER BY 1 LIMIT 60";
    for key in owner.rows("read keys", keys, &[]).await.unwrap() {
        let (one, other): (&str, &str) = (key.get(0), key.get(1));
        let sql = "UPDATE app.odd SET \"k 1\" = left('!' || \"k 1\", 40) WHERE \"k 1\" = $1 AND \"k,[\"\"]\" = $2 RETURNING \"k 1\"";
        let after: String = owner.row("change a key", sql, &[&one, &other]).await.unwrap().get(0);

        let found = world.found().await;

        let cut = |text: String| match text.char_indices().nth(80) {
            Some((end, _)) => format!("{}..", &text[..end]),
            None => text,
        };
        let (before, after) = (cut(format!("{one}, {other}")), cut(format!("{after}, {other}")));
        let expected = format!("app.odd key: an update of its key: (k 1, k,[\"]) = ({before}) became ({after})");
        assert_eq!(found, [expected]);
        world.forget().await;
    }
}

#[tokio::test]
async fn the_slot_waits_for_open_transactions_and_nobody_waits_with_it() {
    let world = World::start_unwatched(14, "open", "CREATE TABLE t (id int PRIMARY KEY)").await;
    let owner = world.owner().await;
    owner.run("open a transaction", "BEGIN; INSERT INTO app.t VALUES (1)").await.unwrap();
    let began = Instant::now();

    assert_eq!(slot::make(world.dms().await, SLOT, "test_decoding").await.unwrap(), Making::Waits);
    assert_eq!(slot::make(world.dms().await, SLOT, "test_decoding").await.unwrap(), Making::Waits);
    let state = slot::look(&owner, SLOT).await.unwrap();

    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(state.exists && state.confirmed.is_none(), "{state:?}");
    owner.run("end it", "COMMIT").await.unwrap();
    world.arm().await;
    world.run("UPDATE app.t SET id = 2").await;
    assert_eq!(world.found().await.len(), 1);
}

/// Latencies of pgbench beside nothing and beside a watch that is read every five seconds, and how fast the watch reads.
/// `PGBENCH=.local/pg/17/bin/pgbench cargo test -p pgleap-pg --test watch -- --ignored --nocapture`
#[tokio::test]
#[ignore = "a measurement of two minutes"]
#[expect(clippy::print_stdout, reason = "a measurement")]
async fn what_the_watch_costs_at_2000_transactions_a_second() {
    const SECONDS: u64 = 12;
    let world = World::start_unwatched(17, "cost", "CREATE TABLE t (id int PRIMARY KEY)").await;
    world.run("GRANT ALL ON SCHEMA app TO owner; ALTER ROLE owner SET search_path = app").await;
    world.bench(&["-i", "-s", "20", "-q"]).await;
    watch::install(&world.owner().await, "dms").await.unwrap();
    let seconds = SECONDS.to_string();
    let load = ["-N", "-n", "-R", "2000", "-c", "8", "-j", "2", "-T", &seconds];
    let (mut without, mut with, mut last_reads) = (Vec::new(), Vec::new(), Vec::new());
    for _round in 0..4 {
        without.push(world.bench(&load).await);
        world.arm().await;
        let reading = async {
            for _time in 0..SECONDS / 5 {
                tokio::time::sleep(Duration::from_secs(5)).await;
                world.found().await;
            }
        };
        let (latency, ()) = tokio::join!(world.bench(&load), reading);
        with.push(latency);
        let (dms, began) = (world.dms().await, Instant::now());
        let upto = written(&dms).await;
        assert_eq!(watch::read(&dms, SLOT, upto, Before::Nothing, LONG).await.unwrap(), 0);
        last_reads.push(began.elapsed());
        slot::drop(&dms, SLOT).await.unwrap();
    }
    world.arm().await;
    let (dms, begun) = (world.dms().await, written(&world.dms().await).await);
    world.bench(&load).await;
    let backend: i32 = dms.row("read its process", "SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    let (upto, began, used) = (written(&dms).await, Instant::now(), processor_seconds(backend));
    assert_eq!(watch::read(&dms, SLOT, upto, Before::Nothing, LONG).await.unwrap(), 0);
    let used = processor_seconds(backend) - used;
    let megabytes = (upto.0 - begun.0) as f64 / 1e6;
    println!("latencies in ms without: {without:?}, with: {with:?}; reads of the last seconds: {last_reads:?}");
    println!(
        "{megabytes:.0} MB of WAL, {SECONDS} s of load, read in {:?}, of a processor {used:.2} s",
        began.elapsed()
    );
}

/// What a server's process has used of a processor.
fn processor_seconds(process: i32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let ticks: f64 =
        stat.rsplit(") ").next().unwrap().split(' ').skip(11).take(2).map(|n| n.parse::<f64>().unwrap()).sum();
    ticks / 100.0
}

impl World {
    /// The average latency in milliseconds, where it measures one.
    async fn bench(&self, arguments: &[&str]) -> f64 {
        let program = std::env::var("PGBENCH").expect("PGBENCH names the program");
        let ran = tokio::process::Command::new(program)
            .args(["-h", &self.server.host, "-p", &self.server.port.to_string(), "-U", "owner"])
            .args(arguments)
            .arg("orders")
            .env("PGPASSWORD", "owner")
            .output();
        let ran = ran.await.unwrap();
        let said = String::from_utf8_lossy(&ran.stdout).into_owned();
        assert!(ran.status.success(), "{said} {}", String::from_utf8_lossy(&ran.stderr));
        let latency = said.lines().find_map(|line| line.strip_prefix("latency average = "));
        latency.and_then(|rest| rest.split(' ').next()?.parse().ok()).unwrap_or(0.0)
    }
}
