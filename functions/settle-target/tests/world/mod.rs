//! Two servers, and what other steps do with them.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use local_aws_postgres::{
    CertificateAuthority, Cluster, Encryption, Listen, Scratch, ServerFiles, Servers, Setting, Shutdown, free_port,
};
use pgleap_contract::{Cutover, Generation, Run, Server};
use pgleap_pg::chores::{self, Phase};
use pgleap_pg::{Environment, Login, Session, connect, sequences};
use tokio_postgres::Client;

pub(crate) const SCHEMA: [&str; 11] = [
    include_str!("../../../../tests/e2e/schema/01-roles.sql"),
    include_str!("../../../../tests/e2e/schema/02-pgbench.sql"),
    include_str!("../../../../tests/e2e/schema/03-shop.sql"),
    include_str!("../../../../tests/e2e/schema/04-documents.sql"),
    include_str!("../../../../tests/e2e/schema/05-partitions.sql"),
    include_str!("../../../../tests/e2e/schema/06-keys.sql"),
    include_str!("../../../../tests/e2e/schema/07-odd-names.sql"),
    include_str!("../../../../tests/e2e/schema/08-logic.sql"),
    include_str!("../../../../tests/e2e/schema/09-properties.sql"),
    include_str!("../../../../tests/e2e/schema/10-grants.sql"),
    include_str!("../../../../tests/e2e/schema/11-finish.sql"),
];
pub(crate) const SIZES: &str = "SET rehearsal.branches = 4; SET rehearsal.accounts = 400; SET rehearsal.customers = 300; SET rehearsal.orders = 300;
                     SET rehearsal.documents = 20; SET rehearsal.measurements = 600";
pub(crate) const CATALOG: [&str; 10] = [
    include_str!("../../../../tests/e2e/src/catalog/queries/columns.sql"),
    include_str!("../../../../tests/e2e/src/catalog/queries/comments.sql"),
    include_str!("../../../../tests/e2e/src/catalog/queries/constraints.sql"),
    include_str!("../../../../tests/e2e/src/catalog/queries/indexes.sql"),
    include_str!("../../../../tests/e2e/src/catalog/queries/routines.sql"),
    include_str!("../../../../tests/e2e/src/catalog/queries/schemas.sql"),
    include_str!("../../../../tests/e2e/src/catalog/queries/sequences.sql"),
    include_str!("../../../../tests/e2e/src/catalog/queries/statistics.sql"),
    include_str!("../../../../tests/e2e/src/catalog/queries/tables.sql"),
    include_str!("../../../../tests/e2e/src/catalog/queries/triggers.sql"),
];
pub(crate) const PRELUDE: &str = include_str!("../../../../tests/e2e/src/catalog/queries/prelude.sql");

/// Its deadline is in the year 2100.
pub(crate) const CUTOVER: Cutover = Cutover { generation: Generation::FORWARD, deadline_epoch_ms: 4_102_444_800_000 };
pub(crate) const MASTER: &str = "orders_master";
pub(crate) const WORK: &str = "pgleap_trip_work";
pub(crate) const DMS: &str = "pgleap_trip_copy";

pub(crate) async fn complete(world: &World) {
    let advance =
        "SELECT nextval('shop.document_number_seq') FROM generate_series(1, 5); SELECT nextval('shop.countdown_seq');
                   SELECT nextval('shop.slot_seq')";
    world.source_admin().await.batch_execute(advance).await.unwrap();
    let (source, target) = (world.source(WORK).await, world.target(WORK).await);
    assert_eq!(chores::complete(&target, Phase::Calm, 1_000).await.unwrap().1, 0);
    assert!(
        chores::complete(&target, Phase::Settle, 1).await.is_err(),
        "the working login may not run what is for the owner"
    );
    for _again in 0..2 {
        loop {
            let (_, remaining) = chores::complete(&target, Phase::Complete, 7).await.unwrap();
            if remaining == 0 {
                break;
            }
        }
        let values = sequences::read(&source).await.unwrap();
        sequences::set(&target, &CUTOVER, &values).await.unwrap();
    }
    let sql = "SELECT schemaname || '.' || sequencename AS name, last_value, increment_by, cycle FROM pg_sequences WHERE schemaname <> 'pgleap' ORDER BY 1";
    let (source, target) = (world.source_admin().await, world.target_admin().await);
    let (before, after) = (source.query(sql, &[]).await.unwrap(), target.query(sql, &[]).await.unwrap());
    assert_eq!(before.len(), after.len());
    for (before, after) in before.iter().zip(&after) {
        let name: String = before.get(0);
        assert_eq!(name, after.get::<_, String>(0));
        let (source, target): (Option<i64>, Option<i64>) = (before.get(1), after.get(1));
        let ahead = source.zip(target).map(|(source, target)| (target - source) * before.get::<_, i64>(2).signum());
        let good = if before.get(3) { ahead == Some(0) } else { ahead.is_none_or(|ahead| ahead >= 0) };
        assert!(good && source.is_some() == target.is_some(), "{name}: {source:?}, {target:?}");
    }
}

pub(crate) async fn prepare_source_of_another_step(world: &World) {
    for side in [world.source_admin().await, world.target_admin().await] {
        let sql = format!(
            "SET ROLE {MASTER}; CREATE SCHEMA pgleap; GRANT USAGE ON SCHEMA pgleap TO {WORK}, {DMS};
             CREATE TABLE pgleap.marker (id uuid PRIMARY KEY, kind text NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp());
             CREATE TABLE pgleap.replica_identity_before (schema_name name, table_name name, identity \"char\" NOT NULL, index_name name);
             INSERT INTO pgleap.replica_identity_before VALUES ('shop', 'clicks', 'd', NULL);
             ALTER TABLE shop.clicks REPLICA IDENTITY FULL"
        );
        side.batch_execute(&sql).await.unwrap();
    }
}

pub(crate) async fn clean_databases_of_another_step(world: &World, owner: &Session) {
    let admin = world.target_admin().await;
    admin.batch_execute(&format!("DROP OWNED BY {DMS} CASCADE; DROP OWNED BY {WORK} CASCADE")).await.unwrap();
    owner.run("clean", "DROP SCHEMA pgleap CASCADE; DROP SCHEMA pgleap_copy CASCADE").await.unwrap();
}

pub(crate) async fn count(session: &Session, sql: &str) -> i64 {
    session.row("count", sql, &[]).await.unwrap().get(0)
}

/// Rows of every table.
pub(crate) async fn rows(client: &Client) -> std::collections::BTreeMap<String, i64> {
    let sql =
        "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE c.relkind = 'r' AND n.nspname IN ('public', 'shop', 'rich', 'Sales Dept')";
    let mut found = std::collections::BTreeMap::new();
    for row in client.query(sql, &[]).await.unwrap() {
        let name: String = row.get(0);
        let count = client.query_one(&format!("SELECT count(*) FROM {name}"), &[]).await.unwrap().get(0);
        found.insert(name, count);
    }
    found
}

pub(crate) fn same(what: &str, before: &BTreeSet<String>, after: &BTreeSet<String>) {
    let lost: Vec<_> = before.difference(after).collect();
    let new: Vec<_> = after.difference(before).collect();
    assert!(lost.is_empty() && new.is_empty(), "{what}\nlost: {lost:#?}\nnew: {new:#?}");
}

pub(crate) fn a_run() -> Run {
    serde_json::from_value(serde_json::json!({
        "id": "trip", "executionArn": "arn", "mode": "upgrade", "copy": {}, "choices": {}, "limits": {},
        "source": {"instance": "orders", "loginSecret": "s"}, "target": {"version": "18", "instance": "orders-v18"},
        "record": {"zoneId": "Z", "name": "db.example"}
    }))
    .unwrap()
}

/// Two servers: the source, and a copy of it that was upgraded.
pub(crate) struct World {
    _scratch: Scratch,
    environment: Environment,
    old: Cluster,
    new: Cluster,
    source: Server,
    target: Server,
}

impl World {
    pub(crate) async fn start(from: u16, to: u16) -> Self {
        Self::start_with(from, to, "").await
    }

    /// With something else in the database, which a superuser puts there.
    pub(crate) async fn start_with(from: u16, to: u16, extra: &str) -> Self {
        let scratch = Scratch::create().unwrap();
        let servers = Servers::new(
            &scratch,
            local_aws_postgres::Binaries::find().unwrap(),
            local_aws_postgres::Durability::UntilPowerFails,
        )
        .unwrap();
        let authority = CertificateAuthority::create(scratch.path()).unwrap();
        let port = free_port().unwrap();
        let listen = || {
            let address = servers.addresses().take(port).unwrap();
            let files = ServerFiles {
                listen: Listen { address, port },
                encryption: Encryption::Offered(authority.issue(&address.to_string()).unwrap()),
                closed_databases: vec![],
                peer: None,
                settings: vec![Setting::new("wal_level", "logical")],
            };
            (files, Server { host: address.to_string(), port, database: "orders".to_owned(), storage_gib: None })
        };
        let ((source_files, source), (target_files, target)) = (listen(), listen());
        let old = servers.create_cluster(from, "old").await.unwrap();
        old.start(source_files.clone()).await.unwrap();
        load(&old, to).await;
        old.admin("orders").await.unwrap().batch_execute(extra).await.unwrap();
        old.stop(Shutdown::Fast).await.unwrap();
        let (new, _logs) = old.upgrade(to, "new", &[]).await.unwrap();
        old.start(source_files).await.unwrap();
        new.start(target_files).await.unwrap();
        // On the source alone, so that they are no difference at the end.
        for schema in ["public", "shop", "rich", "\"Sales Dept\""] {
            let grants = format!(
                "GRANT USAGE ON SCHEMA {schema} TO {DMS}; GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {DMS}"
            );
            old.admin("orders").await.unwrap().batch_execute(&grants).await.unwrap();
        }
        let environment = Environment { nameserver: None, ca_file: Some(authority.certificate_path().to_owned()) };
        Self { _scratch: scratch, environment, old, new, source, target }
    }

    pub(crate) async fn connect(&self, server: &Server, role: &str) -> Session {
        let login = Login { username: role.to_owned(), password: role.to_owned() };
        connect(&self.environment, server, &login, "pgleap/trip/test").await.unwrap()
    }

    pub(crate) async fn source(&self, role: &str) -> Session {
        self.connect(&self.source, role).await
    }

    pub(crate) async fn target(&self, role: &str) -> Session {
        self.connect(&self.target, role).await
    }

    pub(crate) async fn source_admin(&self) -> Client {
        self.old.admin("orders").await.unwrap()
    }

    pub(crate) async fn target_admin(&self) -> Client {
        self.new.admin("orders").await.unwrap()
    }

    /// As the step kit does it, with connections of this test.
    pub(crate) async fn work_off(&self, owner: &Session, phase: Phase) {
        let began = Instant::now();
        loop {
            let progress = chores::look(owner, phase, "pgleap/trip/work").await.unwrap();
            assert!(progress.failed.is_none() || phase == Phase::Settle, "{progress:?}");
            if progress.left == 0 || (phase == Phase::Settle && progress.possible == 0) {
                return;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "waited a minute for {phase:?}: {progress:?}");
            for _ in progress.workers..progress.free.min(3) {
                chores::leave_worker(self.target(MASTER).await, phase, "pgleap/trip/work").await.unwrap();
            }
        }
    }

    /// Rows travel as DMS's login; generated columns do not.
    pub(crate) async fn copy_rows(&self) {
        use bytes::Bytes;
        use futures_util::{SinkExt, StreamExt};
        let (source, target) = (self.source(DMS).await, self.target(DMS).await);
        // As a session of the role has it that overrides nothing.
        let path = "SELECT set_config('search_path', coalesce((SELECT substr(c, 13) FROM pg_db_role_setting s, unnest(s.setconfig) AS c
                        WHERE s.setrole = (SELECT oid FROM pg_roles WHERE rolname = current_user) AND starts_with(c, 'search_path=')),
                    '\"$user\", public'), false)";
        target.rows("write as DMS does", path, &[]).await.unwrap();
        let sql = "SELECT format('%I.%I', n.nspname, c.relname), string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
                   FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                   JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
                   WHERE c.relkind = 'r' AND n.nspname IN ('public', 'shop', 'rich', 'Sales Dept') GROUP BY 1";
        for row in source.query(sql, &[]).await.unwrap() {
            let (table, columns): (String, String) = (row.get(0), row.get(1));
            let out = source.copy_out(&format!("COPY {table} ({columns}) TO STDOUT")).await.unwrap();
            let into = target.copy_in::<_, Bytes>(&format!("COPY {table} ({columns}) FROM STDIN")).await.unwrap();
            tokio::pin!(out, into);
            while let Some(piece) = out.next().await {
                into.send(piece.unwrap()).await.unwrap();
            }
            into.close().await.unwrap_or_else(|error| panic!("{table}: {error:?}"));
        }
    }

    pub(crate) async fn catalog(&self) -> BTreeSet<String> {
        let admin = self.target_admin().await;
        admin.batch_execute(PRELUDE).await.unwrap();
        let mut found = BTreeSet::new();
        for query in CATALOG {
            let sql = format!("SELECT concat_ws(' ', kind, object, facts) FROM ({query}) AS c (kind, object, facts)");
            let rows = admin.query(&sql, &[]).await.unwrap_or_else(|error| panic!("{error:?}: {query}"));
            found.extend(rows.iter().map(|row| row.get::<_, String>(0)).filter(|text| !is_inherited_not_null(text)));
        }
        found
    }

    /// What pg_dump says, statement by statement: an independent reading of the catalogs.
    pub(crate) fn dump(&self) -> BTreeSet<String> {
        let config = self.new.admin_config();
        let home = std::env::var_os("PGLEAP_PG_HOME")
            .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.local/pg")), PathBuf::from);
        let output = Command::new(home.join("18/bin/pg_dump"))
            .env("LD_LIBRARY_PATH", home.join("18/lib"))
            .env("PGPASSWORD", String::from_utf8_lossy(config.get_password().unwrap()).into_owned())
            .args([
                "--schema-only",
                "--no-statistics",
                "--host",
                &self.target.host,
                "--port",
                &self.target.port.to_string(),
                "--username",
                config.get_user().unwrap(),
                "orders",
            ])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = without_names_of_not_null(&String::from_utf8(output.stdout).unwrap());
        text.split(";\n")
            .map(|statement| {
                statement
                    .lines()
                    .filter(|line| !line.starts_with("--") && !line.starts_with('\\'))
                    .collect::<Vec<_>>()
                    .join("\n")
                    .trim()
                    .to_owned()
            })
            .collect()
    }
}

/// From 18 on NOT NULL has a name. A partition that was upgraded has one of its own; one that is made by 18 has its
/// parent's. The source is older and has none.
pub(crate) fn is_inherited_not_null(text: &str) -> bool {
    text.contains(r#""type": "n""#) && text.contains(r#""inherited": 1"#)
}

pub(crate) fn without_names_of_not_null(dump: &str) -> String {
    let words: Vec<_> = dump.split(" CONSTRAINT ").collect();
    let rest = |word: &str| match word.split_once("_not_null NOT NULL") {
        Some((name, rest)) if !name.contains(char::is_whitespace) => format!(" NOT NULL{rest}"),
        _ => format!(" CONSTRAINT {word}"),
    };
    words[0].to_owned() + &words[1..].iter().map(|word| rest(word)).collect::<String>()
}

/// A database as RDS has it: its owner is no superuser.
pub(crate) async fn load(cluster: &Cluster, to: u16) {
    let admin = cluster.admin("postgres").await.unwrap();
    let roles = format!(
        "CREATE ROLE rds_superuser NOLOGIN; GRANT pg_monitor, pg_signal_backend TO rds_superuser WITH ADMIN OPTION;
         CREATE ROLE {MASTER} LOGIN CREATEDB CREATEROLE REPLICATION PASSWORD '{MASTER}' IN ROLE rds_superuser;
         CREATE ROLE {WORK} LOGIN PASSWORD '{WORK}'; CREATE ROLE {DMS} LOGIN PASSWORD '{DMS}';"
    );
    admin.batch_execute(&roles).await.unwrap();
    admin.batch_execute(&format!("CREATE DATABASE orders OWNER {MASTER}")).await.unwrap();
    let login = cluster.admin_config().dbname("orders").user(MASTER).password(MASTER).to_owned();
    let master = local_aws_postgres::connect(&login).await.unwrap();
    master.batch_execute(SIZES).await.unwrap();
    for (at, sql) in SCHEMA.iter().chain([&include_str!("rich.sql")]).enumerate() {
        master.batch_execute(sql).await.unwrap_or_else(|error| panic!("file {at}: {error:?}"));
    }
    // From 17 on such a view cannot be refreshed by anybody.
    if to < 17 {
        master
            .batch_execute("CREATE MATERIALIZED VIEW rich.needs_path AS SELECT rich.unqualified() AS n")
            .await
            .unwrap();
    }
}
