//! Real clusters: made, started, copied under load, upgraded, and gone afterwards.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use local_aws_postgres::{
    Binaries, CertificateAuthority, Durability, Encryption, Listen, Scratch, ServerFiles, Servers, Setting, Shutdown,
    connect, connect_over_tls, free_port,
};

/// Servers of one test alone, for tests of what happens at the end.
fn own_servers() -> (Scratch, Servers) {
    let scratch = Scratch::create().unwrap();
    let servers = Servers::new(&scratch, Binaries::find().unwrap(), Durability::UntilPowerFails).unwrap();
    (scratch, servers)
}

#[tokio::test]
async fn every_major_starts_and_serves() {
    let servers = Servers::for_tests();

    for major in servers.majors() {
        let cluster = servers.start_plain(major, &format!("v{major}"), vec![]).await.unwrap();

        let row = cluster.admin("postgres").await.unwrap().query_one("SHOW server_version_num", &[]).await.unwrap();

        let version: String = row.get(0);
        assert!(version.starts_with(&major.to_string()), "{major}: {version}");
        cluster.remove().await.unwrap();
    }
}

#[tokio::test]
async fn a_client_must_use_tls_where_it_is_required_and_may_verify_the_host_name() {
    let servers = Servers::for_tests();
    let authority = CertificateAuthority::create(servers.scratch_folder()).unwrap();
    let host = "db-1.abc123.eu-west-1.rds.amazonaws.com";
    let port = free_port().unwrap();
    let address = servers.addresses().take(port).unwrap();
    let cluster = servers.create_cluster(15, "tls").await.unwrap();
    let files = ServerFiles {
        listen: Listen { address, port },
        encryption: Encryption::Required(authority.issue(host).unwrap()),
        closed_databases: vec!["closed".to_owned()],
        peer: None,
        settings: vec![],
    };
    cluster.start(files).await.unwrap();
    let admin = cluster.admin("postgres").await.unwrap();
    admin.batch_execute("CREATE ROLE app LOGIN PASSWORD 'secret'").await.unwrap();
    admin.batch_execute("CREATE DATABASE closed").await.unwrap();
    let app_at = |host: &str, database: &str| {
        let mut config = tokio_postgres::Config::new();
        config.host(host).hostaddr(address.into()).port(port).user("app").password("secret").dbname(database);
        config
    };
    let (config, ca) = (app_at(host, "postgres"), authority.certificate_path());

    let encrypted = connect_over_tls(&config, ca).await.unwrap();
    let plain = connect(&config).await.unwrap_err().to_string();
    let by_another_name = connect_over_tls(&app_at("db.example.com", "postgres"), ca).await.unwrap_err();
    let closed = connect_over_tls(&app_at(host, "closed"), ca).await.unwrap_err();

    let row = encrypted.query_one("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", &[]).await.unwrap();
    assert!(row.get::<_, bool>(0));
    assert!(plain.contains("no pg_hba.conf entry for host"), "{plain}");
    assert!(by_another_name.to_string().contains("certificate"), "{by_another_name}");
    assert!(closed.to_string().contains("pg_hba.conf rejects connection"), "{closed}");
}

#[tokio::test]
async fn a_setting_takes_hold_by_reload_or_restart() {
    let servers = Servers::for_tests();
    let cluster = servers.start_plain(18, "settings", vec![]).await.unwrap();
    let shown = async |name: &str| {
        let admin = cluster.admin("postgres").await.unwrap();
        admin.query_one(&format!("SHOW {name}"), &[]).await.unwrap().get::<_, String>(0)
    };
    let mut files = files_with(&cluster, vec![Setting::new("work_mem", "7MB"), Setting::new("wal_level", "logical")]);
    files.settings.push(Setting::new("rds.logical_replication", "on"));

    cluster.reload(files.clone()).unwrap();
    wait_until("work_mem is reloaded", async || shown("work_mem").await == "7MB").await;
    assert_eq!(shown("wal_level").await, "replica");

    cluster.restart(files).await.unwrap();
    assert_eq!(shown("wal_level").await, "logical");
    assert_eq!(shown("rds.logical_replication").await, "on");
}

#[tokio::test]
async fn a_server_that_cannot_start_says_why() {
    let servers = Servers::for_tests();
    let cluster = servers.create_cluster(15, "broken").await.unwrap();
    let port = free_port().unwrap();
    let listen = Listen { address: servers.addresses().take(port).unwrap(), port };

    let error = cluster.start(ServerFiles::plain(listen, vec![Setting::new("max_connections", "many")])).await;

    let text = error.unwrap_err().to_string();
    assert!(text.contains("invalid value for parameter \"max_connections\""), "{text}");
}

/// What a backup promises under load: all that was acknowledged before it began, nothing in part, and the slots.
async fn a_backup_under_writes_is_consistent(major: u16) {
    let servers = Servers::for_tests();
    let settings = vec![Setting::new("wal_level", "logical"), Setting::new("max_wal_size", "64MB")];
    let cluster = servers.start_plain(major, &format!("source-{major}"), settings.clone()).await.unwrap();
    let admin = cluster.admin("postgres").await.unwrap();
    let tables = "CREATE TABLE a (id bigint PRIMARY KEY, filler text); CREATE TABLE b (id bigint PRIMARY KEY)";
    admin.batch_execute(tables).await.unwrap();
    admin.batch_execute("SELECT pg_create_logical_replication_slot('dms', 'test_decoding')").await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let acknowledged = Arc::new(AtomicI64::new(0));
    let writer = tokio::spawn(write_pairs(admin, stop.clone(), acknowledged.clone()));
    wait_until("a thousand rows", async || acknowledged.load(Ordering::Acquire) > 1000).await;

    let before = acknowledged.load(Ordering::Acquire);
    let checkpointer = cluster.admin("postgres").await.unwrap();
    let folder = servers.scratch_folder().join(format!("backup-{major}"));
    let (backup, _) = tokio::join!(cluster.backup(&folder), async {
        for _ in 0..5 {
            checkpointer.batch_execute("CHECKPOINT").await.unwrap();
        }
    });
    let after = acknowledged.load(Ordering::Acquire);
    stop.store(true, Ordering::Release);
    writer.await.unwrap();
    let copy = servers.restore_cluster(&backup.unwrap(), &format!("copy-{major}")).await.unwrap();
    let files = files_with(&cluster, settings);
    cluster.stop(Shutdown::Fast).await.unwrap();
    copy.start(files).await.unwrap();

    let copied = copy.admin("postgres").await.unwrap();
    let row = copied
        .query_one(
            "SELECT (SELECT count(*) FROM a), (SELECT max(id) FROM a), (SELECT count(*) FROM b), (SELECT max(id) FROM b),
                    (SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'dms'),
                    (SELECT count(*) FROM pg_replication_slots)",
            &[],
        )
        .await
        .unwrap();
    let [rows_a, last_a, rows_b, last_b, dms_slots, slots]: [i64; 6] = std::array::from_fn(|column| row.get(column));
    assert_eq!((rows_a, rows_b), (last_a, last_b), "no row is missing in between");
    assert_eq!(rows_a, rows_b, "both rows of a transaction or none");
    assert!(rows_a >= before && rows_a <= after + 1, "{before} <= {rows_a} <= {after}");
    assert_eq!((dms_slots, slots), (1, 1), "the source's slot came along, the backup's own did not");
    let decoded = copied.query("SELECT data FROM pg_logical_slot_peek_changes('dms', NULL, NULL)", &[]).await.unwrap();
    assert!(decoded.len() as i64 >= 2 * rows_a, "the copied slot decodes the copied WAL");
}

#[tokio::test]
async fn a_backup_under_writes_is_consistent_on_13() {
    a_backup_under_writes_is_consistent(13).await;
}

#[tokio::test]
async fn a_backup_under_writes_is_consistent_on_18() {
    a_backup_under_writes_is_consistent(18).await;
}

#[tokio::test]
async fn an_upgrade_carries_rows_roles_and_passwords() {
    let servers = Servers::for_tests();
    let old = servers.start_plain(13, "old-13", vec![]).await.unwrap();
    let files = files_with(&old, vec![]);
    old.admin("postgres")
        .await
        .unwrap()
        .batch_execute(
            "CREATE ROLE app LOGIN PASSWORD 'secret'; CREATE TABLE t AS SELECT generate_series(1, 100) AS id",
        )
        .await
        .unwrap();
    old.stop(Shutdown::Fast).await.unwrap();

    let (new, logs) = old.upgrade(18, "new-18", &[]).await.unwrap();
    new.start(files.clone()).await.unwrap();

    assert!(logs.iter().any(|(name, _)| name == "pg_upgrade_internal.log"), "{logs:?}");
    let mut config = tokio_postgres::Config::new();
    config.host(files.listen.address.to_string()).port(files.listen.port);
    let app = connect(config.user("app").password("secret").dbname("postgres")).await.unwrap();
    assert_eq!(app.query_one("SHOW server_version_num", &[]).await.unwrap().get::<_, String>(0), "180006");
    let rows = new.admin("postgres").await.unwrap().query_one("SELECT count(*) FROM t", &[]).await.unwrap();
    assert_eq!(rows.get::<_, i64>(0), 100);
}

#[tokio::test]
async fn a_failed_upgrade_says_why_and_leaves_the_old_cluster() {
    let servers = Servers::for_tests();
    let old = servers.start_plain(16, "old-16", vec![]).await.unwrap();
    let files = files_with(&old, vec![]);
    let admin = old.admin("postgres").await.unwrap();
    admin.batch_execute("CREATE TABLE t AS SELECT 'now'::regproc AS code").await.unwrap();
    old.stop(Shutdown::Fast).await.unwrap();

    let failure = old.upgrade(17, "new-17", &[]).await.unwrap_err();
    old.start(files).await.unwrap();

    let text = failure.to_string();
    assert!(text.contains("reg* data types"), "{text}");
    let kept = old.admin("postgres").await.unwrap().query("SELECT code FROM t", &[]).await.unwrap();
    assert_eq!(kept.len(), 1);
}

#[tokio::test]
async fn dropping_the_scratch_folder_ends_its_servers() {
    let (scratch, servers) = own_servers();
    let cluster = servers.start_plain(15, "left", vec![]).await.unwrap();
    let config = cluster.admin_config();
    let path = scratch.path().to_owned();
    std::mem::forget(cluster);

    drop(scratch);

    assert!(!path.exists());
    assert!(connect(&config).await.is_err(), "the server is gone");
}

/// Run as a child by the next test: starts a server, says where, and never ends by itself.
#[tokio::test]
async fn child_that_is_killed() {
    let Ok(report) = std::env::var("PGLEAP_TEST_REPORT") else { return };
    let (scratch, servers) = own_servers();
    let _cluster = servers.start_plain(15, "orphan", vec![]).await.unwrap();
    let aside = format!("{report}.part");
    std::fs::write(&aside, scratch.path().to_str().unwrap()).unwrap();
    std::fs::rename(aside, report).unwrap();
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_killed_process_leaves_no_server_and_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("scratch");
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_is_killed", "--nocapture"])
        .env("PGLEAP_TEST_REPORT", &report)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("the child's server runs", async || report.exists()).await;
    let scratch = std::fs::read_to_string(&report).unwrap();
    let data = Path::new(&scratch).join("clusters/orphan/data");
    assert!(!processes_in(&data).is_empty());

    child.kill().unwrap();
    child.wait().unwrap();

    wait_until("the servers are gone", async || processes_in(&data).is_empty()).await;
    wait_until("the folder is gone", async || !Path::new(&scratch).exists()).await;
}

fn processes_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let inside =
        |entry: &std::fs::DirEntry| std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd == folder);
    entries.filter(inside).map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// The same listener as a stopped or running cluster, with other settings.
fn files_with(cluster: &local_aws_postgres::Cluster, settings: Vec<Setting>) -> ServerFiles {
    let mut files = cluster.files().expect("the cluster was started");
    files.settings = settings;
    files
}

/// Write row n into both tables in one transaction, for n = 1, 2, ..
async fn write_pairs(client: tokio_postgres::Client, stop: Arc<AtomicBool>, acknowledged: Arc<AtomicI64>) {
    let mut id = 0;
    while !stop.load(Ordering::Acquire) {
        id += 1;
        let pair = format!("BEGIN; INSERT INTO a VALUES ({id}, repeat('x', 500)); INSERT INTO b VALUES ({id}); COMMIT");
        client.batch_execute(&pair).await.unwrap();
        acknowledged.store(id, Ordering::Release);
    }
}

async fn wait_until(what: &str, condition: impl AsyncFn() -> bool) {
    let began = Instant::now();
    while !condition().await {
        assert!(began.elapsed() < Duration::from_secs(60), "waited a minute until {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
