//! What native replication counts on: a restored backup holds a prefix of its source's commits, its slots say which, and a
//! subscription goes on from there.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use local_aws_postgres::{Cluster, Listen, ServerFiles, Servers, Setting, Shutdown, free_port};
use tokio::task::JoinSet;
use tokio_postgres::Client;
use tokio_postgres::types::PgLsn;

/// Seconds are enough: dozens of commits a client.
const WARM_UP: u32 = 40;
const CLIENTS: u32 = 4;
const PATIENCE: Duration = Duration::from_secs(60);
/// The slot of a run; nobody reads it.
const KEPT: &str = "kept";
/// The slot of somebody who reads on all the time.
const READ: &str = "read";

const TABLES: &str = "CREATE TABLE ledger (client int, n int, note text, PRIMARY KEY (client, n));
    CREATE TABLE counters (client int PRIMARY KEY, x bigint NOT NULL);
    CREATE TABLE keyless (client int, n int);
    INSERT INTO counters SELECT client, 0 FROM generate_series(0, 9) client;
    CREATE PUBLICATION p FOR TABLE ledger, counters, keyless;
    CREATE ROLE run LOGIN REPLICATION PASSWORD 'secret'; GRANT SELECT ON ledger, counters, keyless TO run";

/// Clients that commit until they are stopped.
struct Load {
    stop: Arc<AtomicBool>,
    rounds: Arc<AtomicU32>,
    clients: JoinSet<()>,
}

impl Load {
    async fn start(cluster: &Cluster) -> Self {
        let (stop, rounds, mut clients) = (Arc::<AtomicBool>::default(), Arc::<AtomicU32>::default(), JoinSet::new());
        for client in 0..CLIENTS {
            let connection = cluster.admin("postgres").await.unwrap();
            clients.spawn(write(connection, client, stop.clone(), rounds.clone()));
        }
        clients.spawn(write_slowly(cluster.admin("postgres").await.unwrap(), stop.clone()));
        let load = Self { stop, rounds, clients };
        load.go_on().await;
        load
    }

    /// Wait until every client has committed a while longer.
    async fn go_on(&self) {
        let wanted = self.rounds.load(Ordering::Acquire) + WARM_UP * CLIENTS;
        wait_until("clients commit", async || self.rounds.load(Ordering::Acquire) >= wanted).await;
    }

    async fn stop(self) {
        self.stop.store(true, Ordering::Release);
        self.clients.join_all().await;
    }
}

/// Plain, asynchronous, large, and partly rolled back transactions.
async fn write(connection: Client, client: u32, stop: Arc<AtomicBool>, rounds: Arc<AtomicU32>) {
    let mut n = 0;
    while !stop.load(Ordering::Acquire) {
        n += 1;
        let insert = format!("INSERT INTO ledger VALUES ({client}, {n}, repeat('x', 300))");
        let count = format!("UPDATE counters SET x = x + 1 WHERE client = {client}");
        let body = match n % 10 {
            1..=3 => format!("SET LOCAL synchronous_commit = off; {insert}; {count}"),
            4 => format!("{insert}; SAVEPOINT a; INSERT INTO keyless VALUES ({client}, -{n}); ROLLBACK TO a; {count}"),
            5 => format!("{insert}; INSERT INTO keyless SELECT {client}, {n} FROM generate_series(1, 100)"),
            6 => format!("SAVEPOINT a; {insert}; RELEASE a; DELETE FROM counters WHERE false"),
            _ => format!("{insert}; {count}; INSERT INTO keyless VALUES ({client}, {n})"),
        };
        connection.batch_execute(&format!("BEGIN; {body}; COMMIT")).await.unwrap();
        rounds.fetch_add(1, Ordering::AcqRel);
    }
}

/// A transaction that is open for longer than a backup takes.
async fn write_slowly(connection: Client, stop: Arc<AtomicBool>) {
    let mut n = 0;
    while !stop.load(Ordering::Acquire) {
        n += 1;
        let sql = format!(
            "BEGIN; INSERT INTO ledger VALUES (9, {n}, 'slow'); SELECT pg_sleep(0.7);
             UPDATE counters SET x = x + 1 WHERE client = 9; COMMIT"
        );
        connection.batch_execute(&sql).await.unwrap();
    }
}

/// A commit as pgoutput tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Commit {
    /// Where its record begins and ends.
    start: PgLsn,
    end: PgLsn,
    time: i64,
    xid: i32,
}

/// The commits with a change that a slot has to tell, up to a position.
async fn commits(client: &Client, slot: &str, upto: Option<PgLsn>) -> Vec<Commit> {
    let sql = "SELECT data FROM pg_logical_slot_peek_binary_changes($1, $2, NULL, 'proto_version', '1',
        'publication_names', 'p')";
    let rows = client.query(sql, &[&slot, &upto]).await.unwrap();
    let number = |data: &[u8], place: usize| i64::from_be_bytes(data[place..place + 8].try_into().unwrap());
    let (mut commits, mut xid, mut changes) = (Vec::new(), 0, 0);
    for row in rows {
        let data: &[u8] = row.get(0);
        match data[0] {
            b'B' => (xid, changes) = (i32::from_be_bytes(data[17..21].try_into().unwrap()), 0),
            b'C' if changes > 0 => {
                let lsn = |place| PgLsn::from(number(data, place) as u64);
                commits.push(Commit { start: lsn(2), end: lsn(10), time: number(data, 18), xid });
            }
            b'I' | b'U' | b'D' | b'T' => changes += 1,
            _ => {}
        }
    }
    commits
}

async fn position(client: &Client, expression: &str) -> PgLsn {
    client.query_one(&format!("SELECT {expression}"), &[]).await.unwrap().get(0)
}

fn logical() -> Vec<Setting> {
    [("wal_level", "logical"), ("max_wal_size", "64MB"), ("min_wal_size", "32MB")]
        .map(|(name, value)| Setting::new(name, value))
        .into()
}

async fn source(major: u16, name: &str) -> (Cluster, Client) {
    let source = Servers::for_tests().start_plain(major, name, logical()).await.unwrap();
    let admin = source.admin("postgres").await.unwrap();
    admin.batch_execute(TABLES).await.unwrap();
    for slot in [KEPT, READ] {
        admin.query("SELECT pg_create_logical_replication_slot($1, 'pgoutput')", &[&slot]).await.unwrap();
    }
    (source, admin)
}

/// Read a slot on, with checkpoints that throw away what it no longer needs.
async fn read_on(client: Client, stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::Acquire) {
        let sql = "SELECT pg_replication_slot_advance('read', pg_current_wal_flush_lsn()); CHECKPOINT";
        client.batch_execute(sql).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A restored backup, started twice, and the position that its first start told.
async fn restored(source: &Cluster, name: &str) -> (Cluster, PgLsn) {
    let servers = Servers::for_tests();
    let folder = servers.scratch_folder().join(format!("backup-{name}"));
    let backup = source.backup(&folder).await.unwrap();
    let copy = servers.restore_cluster(&backup, name).await.unwrap();
    backup.remove().await.unwrap();
    let port = free_port().unwrap();
    let listen = Listen { address: servers.addresses().take(port).unwrap(), port };
    let files = ServerFiles::plain(listen, logical());
    copy.start(files.clone()).await.unwrap();
    let seed = position(&copy.admin("postgres").await.unwrap(), "pg_last_wal_replay_lsn()").await;
    copy.restart(files).await.unwrap();
    (copy, seed)
}

async fn a_copy_holds_a_prefix(major: u16) {
    let (source, admin) = source(major, &format!("prefix-{major}")).await;
    let load = Load::start(&source).await;
    let stop = Arc::<AtomicBool>::default();
    let reader = tokio::spawn(read_on(source.admin("postgres").await.unwrap(), stop.clone()));

    for round in 0..2 {
        let (copy, seed) = restored(&source, &format!("prefix-{major}-{round}")).await;
        load.go_on().await;
        let upto = position(&admin, "pg_current_wal_flush_lsn()").await;
        let all = commits(&admin, KEPT, Some(upto)).await;
        let inside = copy.admin("postgres").await.unwrap();

        let copied = commits(&inside, KEPT, None).await;
        assert!(copied.len() >= 100 && copied.len() < all.len(), "{major}: {} of {}", copied.len(), all.len());
        assert_eq!(copied, all[..copied.len()], "{major}: a prefix");
        let (last, next) = (copied[copied.len() - 1], all[copied.len()]);
        assert!(last.end <= seed && seed <= next.start, "{major}: {last:?}, {seed}, {next:?}");
        let confirmed = "(SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = 'read')";
        let confirmed = position(&inside, confirmed).await;
        let unread: Vec<_> = copied.iter().filter(|commit| commit.start >= confirmed).copied().collect();
        assert_eq!(commits(&inside, READ, None).await, unread, "{major}: the slot that was read on, from {confirmed}");
        copy.remove().await.unwrap();
    }

    stop.store(true, Ordering::Release);
    reader.await.unwrap();
    load.stop().await;
}

#[tokio::test]
async fn a_copy_under_load_holds_a_prefix_of_the_commits_on_13() {
    a_copy_holds_a_prefix(13).await;
}

#[tokio::test]
async fn a_copy_under_load_holds_a_prefix_of_the_commits_on_15() {
    a_copy_holds_a_prefix(15).await;
}

#[tokio::test]
async fn a_copy_under_load_holds_a_prefix_of_the_commits_on_17() {
    a_copy_holds_a_prefix(17).await;
}

/// Rows with their number, so that a double shows; counters, so that an update that is missing shows.
const SUMS: &str = "SELECT concat_ws(' ',
    (SELECT concat(count(*), md5(string_agg(concat_ws(',', client, n, note), ' ' ORDER BY client, n))) FROM ledger),
    (SELECT string_agg(concat_ws(',', client, x), ' ' ORDER BY client) FROM counters),
    (SELECT concat(count(*), md5(string_agg(concat_ws(',', client, n), ' ' ORDER BY client, n))) FROM keyless))";

#[tokio::test]
async fn an_upgraded_copy_goes_on_from_its_seed_without_losing_or_doubling_a_row() {
    let (source, admin) = source(15, "goes-on").await;
    let load = Load::start(&source).await;
    let (copy, seed) = restored(&source, "goes-on-15").await;
    load.go_on().await;
    let files = copy.files().unwrap();
    let inside = copy.admin("postgres").await.unwrap();
    let before: String = inside.query_one(SUMS, &[]).await.unwrap().get(0);
    inside.batch_execute("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots").await.unwrap();
    copy.stop(Shutdown::Fast).await.unwrap();
    let (target, _) = copy.upgrade(17, "goes-on-17", &[]).await.unwrap();
    target.start(files).await.unwrap();
    let inside = target.admin("postgres").await.unwrap();
    let Listen { address, port } = source.files().unwrap().listen;

    let subscribe = format!(
        "BEGIN;
         CREATE SUBSCRIPTION s CONNECTION 'host={address} port={port} dbname=postgres user=run password=secret'
             PUBLICATION p WITH (slot_name = '{KEPT}', create_slot = false, copy_data = false, enabled = false);
         SELECT pg_replication_origin_advance('pg_' || oid, '{seed}') FROM pg_subscription;
         COMMIT;
         ALTER SUBSCRIPTION s ENABLE"
    );
    inside.batch_execute(&subscribe).await.unwrap();
    load.go_on().await;
    load.stop().await;
    let end = position(&admin, "pg_current_wal_insert_lsn()").await;
    let confirmed =
        format!("SELECT confirmed_flush_lsn >= '{end}' FROM pg_replication_slots WHERE slot_name = '{KEPT}'");
    wait_until("all is there", async || admin.query_one(&confirmed, &[]).await.unwrap().get(0)).await;

    let (ours, theirs): (String, String) =
        (inside.query_one(SUMS, &[]).await.unwrap().get(0), admin.query_one(SUMS, &[]).await.unwrap().get(0));
    assert_ne!(before, theirs, "something was left to replicate");
    assert_eq!(ours, theirs);
    let errors = "SELECT apply_error_count FROM pg_stat_subscription_stats";
    assert_eq!(inside.query_one(errors, &[]).await.unwrap().get::<_, i64>(0), 0);
}

async fn wait_until(what: &str, condition: impl AsyncFn() -> bool) {
    let began = Instant::now();
    while !condition().await {
        assert!(began.elapsed() < PATIENCE, "waited a minute until {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
