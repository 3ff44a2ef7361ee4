//! `configure-source`, `reboot-source`, `prepare-source` against the local AWS: one story, because each begins where the
//! one before ended.

use anyhow::Result;
use local_aws_core::{Effect, Fault};
use pgleap_contract::steps::{CleanDatabasesInput, NoOutput};
use pgleap_contract::{CopyEngine, ErrorCode, Generation, KeylessTables, Outcome, Run};
use pgleap_pg::fingerprint::{self, Truncate};
use pgleap_step_kit::Polled;
use step_tests::{DATABASE, SOURCE, World, until_done};

/// What the step leaves in the database, passwords included.
const LEFT: &str = "\
    SELECT 'role ' || a.rolname || coalesce(a.rolpassword, '') || a.rolreplication || coalesce(s.setconfig::text, '') AS line \
      FROM pg_authid a LEFT JOIN pg_db_role_setting s ON s.setrole = a.oid \
    UNION ALL SELECT 'member ' || roleid::regrole || ' ' || member::regrole FROM pg_auth_members \
    UNION ALL SELECT 'table ' || c.oid::regclass || c.relreplident::text || coalesce(c.relacl::text, '') FROM pg_class c \
      WHERE c.relnamespace::regnamespace::text IN ('pgleap', 'public', 'shop') \
    UNION ALL SELECT 'catalog ' || md5(string_agg(kind || object || fingerprint, ',' ORDER BY kind, object)) FROM pgleap.catalog_before \
    UNION ALL SELECT 'identity ' || i::text FROM pgleap.replica_identity_before i \
    UNION ALL SELECT 'database ' || coalesce(datacl::text, '') FROM pg_database WHERE datname = current_database() \
    ORDER BY 1";

async fn left(world: &World) -> Result<Vec<String>> {
    let rows = world.rdsadmin(SOURCE, DATABASE).await?.query(LEFT, &[]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

const SHOP: &str = "\
    CREATE SCHEMA shop; CREATE TABLE shop.orders (id int PRIMARY KEY, body text); CREATE SEQUENCE shop.numbers; \
    CREATE TABLE shop.clicks (at timestamptz); CREATE TABLE shop.quiet (id int PRIMARY KEY); \
    ALTER TABLE shop.quiet REPLICA IDENTITY NOTHING; CREATE VIEW shop.seen AS SELECT id FROM shop.orders;";

async fn a_prepared_source(major: u16) -> Result<World> {
    let mut world = World::start(major).await?;
    world.run.choices.keyless_tables = KeylessTables::ReplicaIdentityFull;
    world.owner().await?.run("fill the source", SHOP).await?;
    world.prepare_source().await?;
    Ok(world)
}

async fn can_be_prepared_twice(major: u16) -> Result<()> {
    let world = a_prepared_source(major).await?;
    let (changes, database) = (world.changes(), left(&world).await?);

    world.prepare_source().await?;

    assert_eq!(world.changes(), changes);
    assert_eq!(left(&world).await?, database);
    let reboots = changes.iter().filter(|change| change.ends_with("RebootDBInstance")).count();
    assert_eq!(reboots, 1, "{changes:?}");
    logins_may_what_they_must(&world).await?;
    the_fingerprint_names_what_changes(&world).await
}

async fn logins_may_what_they_must(world: &World) -> Result<()> {
    let work = world.ctx.as_work(&world.run, &world.source).await?;
    work.run("mark", "INSERT INTO pgleap.marker (id, kind) VALUES ('11111111-1111-1111-1111-111111111111', 'test')")
        .await?;
    work.run("read a sequence", "SELECT last_value FROM shop.numbers").await?;
    let dms = world.ctx.connect(&world.run, &world.source, &world.run.names().copy_source_secret()).await?;
    dms.run("read", "SELECT * FROM shop.orders; SELECT * FROM pgleap.marker").await?;
    dms.run("make a slot", "SELECT pg_create_logical_replication_slot('a_test', 'test_decoding')").await?;
    dms.run("drop the slot", "SELECT pg_drop_replication_slot('a_test')").await?;
    let denied = dms.run("write", "INSERT INTO shop.orders VALUES (1)").await;
    assert!(denied.is_err());
    Ok(())
}

async fn the_fingerprint_names_what_changes(world: &World) -> Result<()> {
    let (owner, work) = (world.owner().await?, world.ctx.as_work(&world.run, &world.source).await?);
    assert_eq!(fingerprint::changed(&owner).await?, Vec::<String>::new());
    owner
        .run(
            "write",
            "INSERT INTO shop.orders SELECT n, 'x' FROM generate_series(1, 100) n; SELECT nextval('shop.numbers')",
        )
        .await?;
    owner.run("analyze", "ANALYZE shop.orders").await?;
    owner.run("reindex", "REINDEX TABLE shop.orders").await?;
    fingerprint::take_filenodes(&owner).await?;
    assert_eq!(fingerprint::changed(&work).await?, Vec::<String>::new());
    assert_eq!(fingerprint::changed_filenodes(&work, Truncate::IsLost).await?, Vec::<String>::new());

    let changes = "ALTER TABLE shop.orders ADD COLUMN late int DEFAULT 7; CREATE INDEX late ON shop.orders (late); \
        GRANT SELECT ON shop.clicks TO PUBLIC; CREATE TABLE shop.later (id int PRIMARY KEY); DROP VIEW shop.seen; \
        ALTER SEQUENCE shop.numbers INCREMENT 5; TRUNCATE shop.clicks; COMMENT ON TABLE shop.quiet IS 'quiet'; \
        CREATE FUNCTION shop.one() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE ROLE newcomer";
    owner.run("change", changes).await?;

    let mut expected = vec![
        "comments on pg_class: new",
        "constraint shop.later.later_pkey: new",
        "function shop.one(): new",
        "index shop.late: new",
        "index shop.later_pkey: new",
        "role newcomer: new",
        "rule shop.seen.\"_RETURN\": gone",
        "sequence shop.numbers: changed",
        "table shop.clicks: changed",
        "table shop.later: new",
        "table shop.orders: changed",
        "view shop.seen: gone",
    ];
    if owner.major().await? >= 16 {
        // Who makes a role is a member of it from 16 on.
        expected.insert(6, "role orders_admin: changed");
    }
    assert_eq!(fingerprint::changed(&work).await?, expected);
    let files = ["table shop.clicks: truncated or rewritten", "table shop.later: new"];
    assert_eq!(fingerprint::changed_filenodes(&work, Truncate::IsLost).await?, files);
    Ok(())
}

/// Where the engine carries a TRUNCATE, a table's new file matters only if its rows may be others.
#[tokio::test]
async fn a_rewrite_of_rows_is_told_from_a_truncate_and_from_a_vacuum() -> Result<()> {
    for major in [13, 18] {
        let world = World::start(major).await?;
        world.configure_source().await?;
        let owner = world.owner().await?;
        let schema = "CREATE SCHEMA app; CREATE TABLE app.emptied (id int PRIMARY KEY, body text); CREATE TABLE app.packed (id int PRIMARY KEY);
            CREATE TABLE app.rewritten (id int PRIMARY KEY, n int); INSERT INTO app.packed SELECT 1; INSERT INTO app.rewritten VALUES (1, 1)";
        owner.run("fill the source", schema).await?;
        world.prepare_source().await?;
        fingerprint::take_filenodes_once(&owner).await?;
        let work = world.ctx.as_work(&world.run, &world.source).await?;

        for statement in ["TRUNCATE app.emptied", "VACUUM (FULL, FREEZE, ANALYZE) app.packed"] {
            owner.run("give a table another file", statement).await?;
        }
        assert_eq!(fingerprint::changed_filenodes(&work, Truncate::IsCarried).await?, Vec::<String>::new(), "{major}");
        assert_eq!(fingerprint::changed_filenodes(&work, Truncate::IsLost).await?.len(), 2, "{major}");

        owner.run("rewrite rows", "ALTER TABLE app.rewritten ALTER n TYPE int USING n + 1").await?;
        fingerprint::take_filenodes_once(&owner).await?;
        assert_eq!(fingerprint::changed(&work).await?, Vec::<String>::new(), "{major}: the catalogs say nothing");
        let named = ["table app.rewritten: truncated or rewritten"];
        assert_eq!(fingerprint::changed_filenodes(&work, Truncate::IsCarried).await?, named, "{major}");
    }
    Ok(())
}

/// What an index is called stays as it is when it is rebuilt; its number does not.
#[tokio::test]
async fn a_rebuilt_index_with_a_comment_is_no_change_and_small_changes_are() -> Result<()> {
    for major in [13, 18] {
        let world = World::start(major).await?;
        world.configure_source().await?;
        let owner = world.owner().await?;
        let schema = "CREATE SCHEMA app; CREATE ROLE till LOGIN; CREATE TYPE app.pair AS (x int, y int); CREATE DOMAIN app.small AS int;
            CREATE TABLE app.t (id int PRIMARY KEY, v varchar(9), body text); CREATE INDEX t_v ON app.t (v);
            COMMENT ON INDEX app.t_v IS 'by v'; COMMENT ON TABLE app.t IS 'a table'; CREATE STATISTICS app.st (ndistinct) ON id, v FROM app.t;
            CREATE TEXT SEARCH CONFIGURATION app.tc (COPY = english); CREATE TABLE app.other (id int PRIMARY KEY);
            CREATE MATERIALIZED VIEW app.mv AS SELECT count(*) FROM app.t WITH NO DATA; CREATE PUBLICATION pub FOR TABLE app.t";
        owner.run("fill the source", schema).await?;
        world.prepare_source().await?;
        let work = world.ctx.as_work(&world.run, &world.source).await?;

        for statement in ["REINDEX INDEX CONCURRENTLY app.t_v", "REINDEX TABLE CONCURRENTLY app.t"] {
            owner.run("rebuild", statement).await?;
        }
        owner.run("come and go", "CREATE TABLE app.staging AS SELECT * FROM app.t; DROP TABLE app.staging").await?;
        assert_eq!(fingerprint::changed(&work).await?, Vec::<String>::new(), "{major}");

        let mut cases = vec![
            ("ALTER STATISTICS app.st SET STATISTICS 500", "statistics app.st: changed"),
            ("ALTER TABLE app.t SET (toast.autovacuum_enabled = false)", "table app.t: changed"),
            ("GRANT USAGE ON TYPE app.pair TO till", "type app.pair: changed"),
            ("GRANT USAGE ON DOMAIN app.small TO till", "type app.small: changed"),
            (
                "ALTER TEXT SEARCH CONFIGURATION app.tc ALTER MAPPING FOR asciiword WITH simple",
                "text search configurations all: changed",
            ),
            ("COMMENT ON ROLE till IS 'new words'", "comment on role till: new"),
            ("COMMENT ON DATABASE orders IS 'new words'", "comment on database orders: new"),
            ("COMMENT ON INDEX app.t_v IS 'otherwise'", "comments on pg_class: changed"),
            ("ALTER DATABASE orders CONNECTION LIMIT 90", "database orders: changed"),
            ("ALTER PUBLICATION pub SET TABLE app.other", "publication pub: changed"),
            ("REFRESH MATERIALIZED VIEW app.mv", "materialized view app.mv: changed"),
            ("SELECT lo_from_bytea(0, 'a large object')", "large objects all: new"),
        ];
        if major >= 15 {
            cases.extend([
                ("ALTER PUBLICATION pub SET TABLE app.t (id) WHERE (id > 5)", "publication pub: changed"),
                ("ALTER TABLE app.other ADD COLUMN c text", "table app.other: changed"),
            ]);
        }
        for (statement, expected) in cases {
            owner.run("change", statement).await?;
            let changes = fingerprint::changed(&work).await?;
            assert!(changes.iter().any(|change| change == expected), "{major}: {statement}: {changes:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn how_a_column_is_compressed_is_a_change_where_there_is_such_a_thing() -> Result<()> {
    let world = World::start(15).await?;
    world.configure_source().await?;
    world.owner().await?.run("fill the source", "CREATE TABLE public.t (id int PRIMARY KEY, body text)").await?;
    world.prepare_source().await?;

    world.owner().await?.run("change", "ALTER TABLE public.t ALTER body SET COMPRESSION pglz").await?;

    let work = world.ctx.as_work(&world.run, &world.source).await?;
    assert_eq!(fingerprint::changed(&work).await?, ["table public.t: changed"]);
    Ok(())
}

/// Leases as Vault issues them, to a role whose own login goes on as it is.
#[tokio::test]
async fn roles_that_the_run_ignores_come_and_go_with_their_grants() -> Result<()> {
    for major in [13, 17] {
        let mut world = World::start(major).await?;
        world.run.choices.ignored_roles = vec!["v-token_%".to_owned()];
        let lease = |name: &str| {
            format!(
                "CREATE ROLE \"{name}\" LOGIN VALID UNTIL '2040-01-01'; GRANT USAGE ON SCHEMA shop TO \"{name}\"; \
                 GRANT SELECT ON ALL TABLES IN SCHEMA shop TO \"{name}\"; GRANT CONNECT ON DATABASE orders TO \"{name}\"; \
                 ALTER DEFAULT PRIVILEGES IN SCHEMA shop GRANT SELECT ON TABLES TO \"{name}\"; \
                 ALTER ROLE \"{name}\" SET search_path = shop"
            )
        };
        world.configure_source().await?;
        let owner = world.owner().await?;
        owner.run("fill the source", SHOP).await?;
        owner.run("lease", &lease("v-token_old")).await?;
        world.prepare_source().await?;
        let work = world.ctx.as_work(&world.run, &world.source).await?;

        owner.run("lease", &lease("v-token_new")).await?;
        owner.run("renew", "ALTER ROLE \"v-token_new\" VALID UNTIL '2041-01-01'").await?;
        let revoke = "REVOKE ALL ON ALL TABLES IN SCHEMA shop FROM \"v-token_old\"; REVOKE USAGE ON SCHEMA shop FROM \"v-token_old\"; \
             REVOKE CONNECT ON DATABASE orders FROM \"v-token_old\"; \
             ALTER DEFAULT PRIVILEGES IN SCHEMA shop REVOKE SELECT ON TABLES FROM \"v-token_old\"; DROP ROLE \"v-token_old\"";
        owner.run("revoke", revoke).await?;
        assert_eq!(fingerprint::changed(&work).await?, Vec::<String>::new(), "{major}");

        owner.run("lease", &lease("v-token-other").replace("VALID UNTIL '2040-01-01'", "")).await?;
        let changes = fingerprint::changed(&work).await?;
        for expected in ["role \"v-token-other\": new", "default privileges all: changed", "table shop.orders: changed"]
        {
            assert!(changes.iter().any(|change| change == expected), "{major}: {expected} is not in {changes:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_source_of_13_is_prepared_and_a_second_time_changes_nothing() -> Result<()> {
    can_be_prepared_twice(13).await
}

#[tokio::test]
async fn a_source_of_15_is_prepared_and_a_second_time_changes_nothing() -> Result<()> {
    can_be_prepared_twice(15).await
}

#[tokio::test]
async fn a_source_of_17_is_prepared_and_a_second_time_changes_nothing() -> Result<()> {
    can_be_prepared_twice(17).await
}

/// An index that names rows is a key to native replication, and none to DMS.
#[tokio::test]
async fn a_replica_identity_by_index_stays_where_the_engine_finds_rows_by_it() -> Result<()> {
    let schema = "CREATE TABLE public.by_index (id int NOT NULL, doc json); CREATE UNIQUE INDEX by_index_id ON public.by_index (id);
        ALTER TABLE public.by_index REPLICA IDENTITY USING INDEX by_index_id; CREATE TABLE public.keyless (id int);
        CREATE TABLE public.could_have (id int NOT NULL UNIQUE, doc json)";
    for (engine, logged) in [(CopyEngine::Native, "i"), (CopyEngine::Dms, "f")] {
        let mut world = World::start(15).await?;
        world.run.copy.engine = engine;
        world.run.choices.keyless_tables = KeylessTables::ReplicaIdentityFull;
        world.owner().await?.run("fill the source", schema).await?;
        world.configure_source().await?;
        world.prepare_source().await?;

        let look = "SELECT string_agg(relname || ' ' || relreplident::text, ', ' ORDER BY relname) FROM pg_class WHERE relname IN ('by_index', 'could_have', 'keyless')";
        let row = world.rdsadmin(SOURCE, DATABASE).await?.query_one(look, &[]).await?;
        assert_eq!(row.get::<_, String>(0), format!("by_index {logged}, could_have {logged}, keyless f"), "{engine:?}");
    }
    Ok(())
}

/// As preflight's remedy says it.
#[tokio::test]
async fn dms_reads_past_row_security_where_a_policy_shows_readers_all_rows() -> Result<()> {
    let schema = "CREATE TABLE public.secured (id int PRIMARY KEY); INSERT INTO public.secured SELECT generate_series(1, 10);
        ALTER TABLE public.secured ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON public.secured USING (id < 3);
        CREATE ROLE pgleap_reader NOLOGIN; CREATE POLICY pgleap_reader ON public.secured FOR SELECT TO pgleap_reader USING (true)";
    for major in [15, 17] {
        let world = World::start(major).await?;
        world.owner().await?.run("fill the source", schema).await?;
        let found = check_database::run(world.as_step("check-database"), world.on_source()).await?;
        assert_eq!(found.findings.list, [], "{major}");
        world.configure_source().await?;
        world.prepare_source().await?;

        let dms = world.ctx.connect(&world.run, &world.source, &world.run.names().copy_source_secret()).await?;
        let seen: i64 = dms.row("count", "SELECT count(*) FROM public.secured", &[]).await?.get(0);
        assert_eq!(seen, 10, "{major}");

        let clean = || {
            let (run, source) = (world.run.clone(), world.source.clone());
            CleanDatabasesInput { run, source, target: None, outcome: Outcome::Back, generation: Generation::FORWARD }
        };
        let clean = async || clean_databases::run(world.as_step("clean-databases"), clean()).await;
        until_done("clean-databases", clean).await?;
        let admin = world.rdsadmin(SOURCE, DATABASE).await?;
        let left = "SELECT (SELECT count(*) FROM pg_policy), (SELECT count(*) FROM pg_auth_members WHERE roleid = 'pgleap_reader'::regrole
                            AND member <> (SELECT datdba FROM pg_database WHERE datname = current_database()))";
        let row = admin.query_one(left, &[]).await?;
        assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (2, 0), "{major}");
    }
    Ok(())
}

#[tokio::test]
async fn what_an_earlier_call_left_half_made_is_finished() -> Result<()> {
    let world = World::start(16).await?;
    world.configure_source().await?;
    let names = world.run.names();
    let owner = world.owner().await?;
    // The role was made with a password that nobody knows, the secret of DMS's was made and its answer lost.
    owner.run("make a role", &format!("CREATE ROLE {} LOGIN PASSWORD 'of-another-call'", names.work_login())).await?;
    for nth in [1, 2] {
        world.aws.faults().plan(Fault::nth("secretsmanager", "CreateSecret", nth, Effect::LoseAnswer));
    }

    world.prepare_source().await?;

    world.ctx.as_work(&world.run, &world.source).await?;
    world.ctx.connect(&world.run, &world.source, &names.copy_source_secret()).await?;
    assert_eq!(fingerprint::changed(&owner).await?, Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn a_server_that_does_not_decode_and_a_schema_of_another_run_are_refused() -> Result<()> {
    let world = World::start(15).await?;
    let refused = prepare_source::run(world.as_step("prepare-source"), world.on_source())
        .await
        .expect_err("wal_level is replica");
    assert_eq!(refused.code, ErrorCode::InstanceFailed, "{refused}");
    world.configure_source().await?;

    let owner = world.owner().await?;
    owner.run("make a schema", "CREATE SCHEMA pgleap").await?;
    let refused =
        prepare_source::run(world.as_step("prepare-source"), world.on_source()).await.expect_err("nobody's schema");
    assert_eq!(refused.code, ErrorCode::PreflightBlocked, "{refused}");
    owner.run("be another run", "CREATE TABLE pgleap.run (id text); INSERT INTO pgleap.run VALUES ('other')").await?;
    let refused = prepare_source::run(world.as_step("prepare-source"), world.on_source())
        .await
        .expect_err("another run's schema");

    assert!(refused.message.contains("run other"), "{refused}");
    let roles = owner.row("count roles", "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'pgleap%'", &[]).await?;
    assert_eq!(roles.get::<_, i64>(0), 0);
    Ok(())
}

/// A second run of a source is refused, and then goes back like any other that fails.
#[tokio::test]
async fn the_fail_back_of_another_run_leaves_what_the_first_one_needs() -> Result<()> {
    let world = a_prepared_source(15).await?;
    let before = left(&world).await?;
    let mut second = world.run.clone();
    second.id = "the-second".to_owned().try_into()?;
    let clean = |run: &Run| CleanDatabasesInput {
        run: run.clone(),
        source: world.source.clone(),
        target: None,
        outcome: Outcome::Back,
        generation: Generation::FORWARD,
    };

    assert_eq!(
        clean_databases::run(world.as_step("clean-databases"), clean(&second)).await?,
        Polled::Done(NoOutput {})
    );
    assert_eq!(left(&world).await?, before);

    assert_eq!(
        clean_databases::run(world.as_step("clean-databases"), clean(&world.run)).await?,
        Polled::Done(NoOutput {})
    );
    let is_there = async || -> Result<bool> {
        let look = "SELECT to_regnamespace('pgleap') IS NOT NULL";
        Ok(world.rdsadmin(SOURCE, DATABASE).await?.query_one(look, &[]).await?.get(0))
    };
    assert!(!is_there().await?);

    world.owner().await?.run("make a schema of one's own", "CREATE SCHEMA pgleap").await?;
    assert_eq!(
        clean_databases::run(world.as_step("clean-databases"), clean(&world.run)).await?,
        Polled::Done(NoOutput {})
    );
    assert!(is_there().await?, "no run has made it");
    Ok(())
}
