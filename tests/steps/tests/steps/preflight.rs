//! `start-run`, `check-instance`, `check-database` and `find-servers` against the local AWS: they look and change nothing.

use anyhow::Result;
use local_aws_core::{Effect, Fault};
use pgleap_contract::{CopyEngine, Finding, KeylessTables, Severity};
use step_tests::{DATABASE, SOURCE, World, once_allowed, wait_for};

fn worded(findings: &[Finding]) -> Vec<String> {
    let word = |finding: &Finding| match finding.severity {
        Severity::Blocker => format!("b {}: {}", finding.check, finding.found),
        Severity::Warning => format!("w {}: {}", finding.check, finding.found),
    };
    findings.iter().map(word).collect()
}

#[tokio::test]
async fn an_instance_in_which_nothing_is_wrong_passes_and_nothing_is_changed() -> Result<()> {
    let world = World::start(13).await?;
    let changes = world.changes();

    let output = check_instance::run(world.as_step("check-instance"), world.run_only()).await?;

    let unproven =
        "w dms-engine-unproven: AWS does not say whether DMS supports PostgreSQL 18; 17 is the newest that it names";
    assert_eq!(worded(&output.findings.list), [unproven]);
    assert_eq!(output.source, Some(world.source.clone()));
    assert!(output.way.is_some_and(|way| way.hops.last().is_some_and(|hop| hop.version.starts_with("18."))));
    assert_eq!(world.changes(), changes);
    Ok(())
}

/// The stack of the tests was given no key.
#[tokio::test]
async fn a_key_of_which_the_stack_knows_nothing_is_a_warning() -> Result<()> {
    let world = World::start_to(15, "17").await?;
    let key = "arn:aws:kms:eu-west-1:111122223333:key/of-insights";
    let modify = world.rds().modify_db_instance().db_instance_identifier(SOURCE).enable_performance_insights(true);
    let modify = modify.performance_insights_kms_key_id(key);
    once_allowed("the insights", async || modify.clone().send().await).await?;

    let output = check_instance::run(world.as_step("check-instance"), world.run_only()).await?;

    let [found] = &worded(&output.findings.list)[..] else { panic!("{}", output.findings.text) };
    assert!(found.starts_with("w insights-key") && found.contains(key), "{found}");
    Ok(())
}

const PLAIN: &str = "\
    CREATE TABLE public.t (id int PRIMARY KEY, body text NOT NULL, n numeric, at timestamptz, v varchar, tags text[]); \
    INSERT INTO public.t SELECT n, 'x', n / 3.0, now(), 'y' FROM generate_series(1, 1000) n;";

#[tokio::test]
async fn a_database_in_which_nothing_is_wrong_passes() -> Result<()> {
    for major in [13, 16, 18] {
        let world = World::start(major).await?;
        world.owner().await?.run("fill", PLAIN).await?;

        let output = check_database::run(world.as_step("check-database"), world.on_source()).await?;

        assert_eq!(worded(&output.findings.list), [""; 0], "{major}");
        assert_eq!((output.size.tables, output.size.sequences), (1, 0));
        assert!(output.size.bytes > 1_000_000);
    }
    Ok(())
}

/// Route 53's API shows the record as it should be; what the VPC sees of it only a function there finds out.
#[tokio::test]
async fn a_record_whose_zone_the_functions_do_not_see_is_a_blocker() -> Result<()> {
    let world = World::start_to(15, "17").await?;
    world.aws.zones().dissociate(&world.run.record.zone_id);

    let by_api = check_instance::run(world.as_step("check-instance"), world.run_only()).await?;
    let in_vpc = check_database::run(world.as_step("check-database"), world.on_source()).await?;

    assert_eq!(worded(&by_api.findings.list), [""; 0]);
    let found = worded(&in_vpc.findings.list);
    let says = format!("b record-in-vpc: in the VPC of the functions, {} does not resolve: ", world.run.record.name);
    assert!(found.len() == 1 && found[0].starts_with(&says), "{found:?}");
    Ok(())
}

/// Rows of a table without large values count for nothing, whoever writes how many of them.
#[tokio::test]
async fn a_source_that_writes_large_values_faster_than_dms_reads_them_is_a_blocker() -> Result<()> {
    let mut world = World::start(15).await?;
    let owner = world.owner().await?;
    owner.run("fill", "CREATE TABLE public.plain (id int PRIMARY KEY, n int); CREATE TABLE public.t (id int PRIMARY KEY, body text)").await?;
    world.run.copy.dms.look_ups_per_second = 5;
    let found_under = async |table: &str| -> Result<Vec<String>> {
        let writes = format!("INSERT INTO public.{table} SELECT coalesce(max(id), 0) + 1 FROM public.{table}");
        let writer = world.owner().await?;
        let write = async {
            while writer.run("write", &writes).await.is_ok() {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        let look = check_database::run(world.as_step("check-database"), world.on_source());
        let output = tokio::select! { output = look => output?, () = write => anyhow::bail!("a write failed") };
        Ok(worded(&output.findings.list))
    };

    assert_eq!(found_under("plain").await?, [""; 0]);

    let found = found_under("t").await?;
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("b changes-outrun-dms: rows with large values"), "{}", found[0]);
    assert!(
        found[0].ends_with("about 5 per second: DMS will not keep up, and the cutover would never begin"),
        "{}",
        found[0]
    );
    Ok(())
}

/// What DMS cannot carry, one table each; a column named `bad` must be named.
const UNDELIVERABLE: &str = include_str!("../../../e2e/schema/undeliverable.sql");

#[tokio::test]
async fn everything_that_dms_cannot_carry_is_named() -> Result<()> {
    for major in [13, 18] {
        let world = World::start(major).await?;
        let owner = world.owner().await?;
        owner.run("fill", UNDELIVERABLE).await?;
        let bad = "SELECT attrelid::regclass::text || '.' || attname FROM pg_attribute WHERE attname = 'bad' \
                   AND attrelid IN (SELECT oid FROM pg_class WHERE relkind = 'r')";
        let bad: Vec<String> = owner.rows("list", bad, &[]).await?.iter().map(|row| row.get(0)).collect();

        let output = check_database::run(world.as_step("check-database"), world.on_source()).await?;

        let found = worded(&output.findings.list).join("\n");
        let listed: Vec<_> = output.findings.list.iter().flat_map(|finding| &finding.objects).collect();
        for column in bad {
            let is_listed = listed.iter().any(|object| object.split(' ').next() == Some(column.as_str()));
            assert!(
                is_listed || found.contains(&format!("column {column}")),
                "{major}: {column} is not among\n{found}\n{listed:?}"
            );
        }
        for id in [
            "lob-without-key: table undeliverable.keyless_with_lob",
            "lob-without-key: table undeliverable.keyless_with_array",
            "table-without-key",
            "row-security",
            "names-by-case",
            "deferred-constraint",
            "unique-over-coalesce",
            "table-not-logged",
            "inheritance",
            "large-objects",
            "lob-not-null",
        ] {
            assert!(found.contains(id), "{major}: {id} is not among\n{found}");
        }
    }
    Ok(())
}

/// What a table's rows are found by decides: a primary key serves even where whole rows are logged, and so does a replica identity.
#[tokio::test]
async fn native_replication_asks_for_an_identity_and_for_equality_only_where_no_key_finds_the_row() -> Result<()> {
    let schema = "CREATE SCHEMA app;
        CREATE TABLE app.whole_with_key (id int PRIMARY KEY, doc json); ALTER TABLE app.whole_with_key REPLICA IDENTITY FULL;
        CREATE TABLE app.silent_with_key (id int PRIMARY KEY, doc json); ALTER TABLE app.silent_with_key REPLICA IDENTITY NOTHING;
        CREATE TABLE app.by_index (id int NOT NULL, doc json); CREATE UNIQUE INDEX by_index_id ON app.by_index (id);
        ALTER TABLE app.by_index REPLICA IDENTITY USING INDEX by_index_id;
        CREATE TABLE app.could_have (id int NOT NULL, n int, doc json); CREATE UNIQUE INDEX \"The one\" ON app.could_have (id);
        CREATE UNIQUE INDEX a_part ON app.could_have (id) WHERE n > 1; CREATE UNIQUE INDEX a_null ON app.could_have (n);
        CREATE TABLE app.keyless (id int, doc json, page xml, at point, v varchar(9), net cidr, tags text[])";
    let mut world = World::start(15).await?;
    world.run.copy.engine = CopyEngine::Native;
    world.owner().await?.run("fill", schema).await?;
    world
        .rdsadmin(SOURCE, DATABASE)
        .await?
        .batch_execute("ALTER DATABASE orders SET session_replication_role = 'local'")
        .await?;

    let refused = check_database::run(world.as_step("check-database"), world.on_source()).await?;
    world.run.choices.keyless_tables = KeylessTables::ReplicaIdentityFull;
    let chosen = check_database::run(world.as_step("check-database"), world.on_source()).await?;

    let nothing = "once it is published, PostgreSQL refuses the updates and deletes of your applications";
    let keyless = [("at", "point"), ("doc", "json"), ("page", "xml")].map(|(column, of)| {
        let lost = "has no equality operator, and its table has no key: the target could not find the row of an update";
        format!("b row-without-equality: column app.keyless.{column} of type {of} {lost}")
    });
    let mut expected = vec![
        format!("b table-without-identity: table app.keyless has no primary key: {nothing}"),
        format!(
            "b table-without-identity: table app.silent_with_key does not log its old rows (REPLICA IDENTITY NOTHING): {nothing}"
        ),
    ];
    expected.extend(keyless.clone());
    let made =
        "1 table(s) without a usable primary key have a unique index, which the run uses as their replica identity";
    let by_index = format!("w identity-by-index: {made}: app.could_have (\"The one\")");
    expected.push(by_index.clone());
    assert_eq!(worded(&refused.findings.list), expected);
    let mut expected = keyless.to_vec();
    expected.push(by_index);
    assert_eq!(worded(&chosen.findings.list), expected);
    Ok(())
}

#[tokio::test]
async fn the_rehearsals_source_passes_with_a_choice_about_its_keyless_table() -> Result<()> {
    for major in [13, 18] {
        let mut world = World::start(major).await?;
        world.load_rehearsal().await?;

        let refused = check_database::run(world.as_step("check-database"), world.on_source()).await?;
        world.run.choices.keyless_tables = KeylessTables::ReplicaIdentityFull;
        let accepted = check_database::run(world.as_step("check-database"), world.on_source()).await?;

        let refused: Vec<_> = worded(&refused.findings.list).into_iter().filter(|line| line.starts_with('b')).collect();
        let why = "has no primary key: DMS would drop its updates and deletes";
        assert_eq!(
            refused,
            ["public.pgbench_history", "shop.clicks"].map(|table| format!("b table-without-key: table {table} {why}"))
        );
        let unproven = "w type-unproven: AWS says only that DMS supports the types of these columns partly: shop.rates.since (interval)";
        assert_eq!(worded(&accepted.findings.list), [unproven]);
    }
    Ok(())
}

/// What stands in the way of a run, beside what DMS cannot carry.
const IN_THE_WAY: &str = "\
    CREATE ROLE \"Other Owner\"; GRANT \"Other Owner\" TO CURRENT_USER; CREATE SCHEMA theirs AUTHORIZATION \"Other Owner\"; \
    SET ROLE \"Other Owner\"; CREATE TABLE theirs.t (id int PRIMARY KEY); RESET ROLE; REVOKE \"Other Owner\" FROM CURRENT_USER; \
    CREATE SCHEMA pgleap; CREATE SCHEMA left_behind; CREATE TABLE left_behind.t (mood inet); \
    CREATE TABLE public.t (id int PRIMARY KEY); CREATE PUBLICATION feed FOR TABLE public.t";

#[tokio::test]
async fn everything_around_the_tables_that_stands_in_the_way_is_named_at_once() -> Result<()> {
    for major in [13, 16, 18] {
        let mut world = World::start(major).await?;
        world.configure_source().await?;
        let owner = world.owner().await?;
        owner.run("stand in the way", IN_THE_WAY).await?;
        owner.run("make a slot", "SELECT pg_create_logical_replication_slot('debezium', 'test_decoding')").await?;
        for database in ["billing", "empty", "accepted"] {
            owner.run("make a database", &format!("CREATE DATABASE {database}")).await?;
        }
        world.rdsadmin(SOURCE, "billing").await?.batch_execute("CREATE TABLE bills (id int)").await?;
        world.rdsadmin(SOURCE, "accepted").await?.batch_execute("CREATE TABLE bills (id int)").await?;
        world.run.choices.as_of_snapshot_databases = vec!["accepted".to_owned()];
        world.run.choices.as_of_snapshot_schemas = vec!["left_behind".to_owned(), "no_such".to_owned()];

        let output = check_database::run(world.as_step("check-database"), world.on_source()).await?;

        let ids: Vec<_> = output.findings.list.iter().map(|finding| finding.check.as_str()).collect();
        let expected = [
            "table-owner",
            "schema-owner",
            "names-in-use",
            "other-database",
            "slot-in-use",
            "accepted-but-unknown",
            "publication",
        ];
        assert_eq!(ids, expected, "{major}: {:#?}", output.findings.list);
        let membership = &output.findings.list[0];
        assert!(
            membership
                .found
                .contains("role \"Other Owner\" owns 1 of the objects that the run must alter, for example theirs.t"),
            "{membership:?}"
        );
        assert!(membership.remedy.ends_with("GRANT \"Other Owner\" TO \"orders_admin\""), "{membership:?}");
        assert!(output.findings.list[3].found.contains("billing"), "{:?}", output.findings.list[3]);
    }
    Ok(())
}

// The stack's policies name its own secret: with another one the operator looks.
#[tokio::test]
async fn a_login_that_does_not_open_the_door_is_a_finding() -> Result<()> {
    let mut world = World::start(15).await?;
    let secrets = aws_sdk_secretsmanager::Client::new(world.ctx.aws());
    for (name, value, says) in [
        (
            "wrong-password",
            "{\"username\": \"orders_admin\", \"password\": \"wrong\"}",
            "password authentication failed",
        ),
        ("no-password", "{\"username\": \"orders_admin\"}", "expected JSON with username and password"),
    ] {
        secrets.create_secret().name(name).secret_string(value).send().await?;
        world.run.source.login_secret = name.to_owned();

        let output = check_database::run(&world.ctx, world.on_source()).await?;

        assert_eq!((output.findings.blockers, output.findings.list[0].check.as_str()), (1, "login"));
        assert!(
            output.findings.text.contains(says) && !output.findings.text.contains("wrong\""),
            "{}",
            output.findings.text
        );
    }
    Ok(())
}

// .. and for the same reason here.
#[tokio::test]
async fn everything_that_aws_says_against_the_run_is_named_at_once() -> Result<()> {
    let mut world = World::start_to(13, "19").await?;
    let rds = world.rds();
    let modify = rds.modify_db_instance().db_instance_identifier(SOURCE).db_instance_class("db.t3.large");
    modify.apply_immediately(false).send().await?;
    let snapshot = rds.create_db_snapshot().db_instance_identifier(SOURCE);
    snapshot.db_snapshot_identifier(world.run.names().snapshot()).send().await?;
    wait_for("the snapshot", async || {
        let answer = rds.describe_db_instances().db_instance_identifier(SOURCE).send().await?;
        Ok((answer.db_instances()[0].db_instance_status() == Some("available")).then_some(()))
    })
    .await?;
    world.run.source.login_secret = "no-such".to_owned();
    world.run.record.name = "no-such.example.internal".to_owned();
    world.run.copy.dms.instance_class = Some("dms.no.such".to_owned());

    let output = check_instance::run(&world.ctx, world.run_only()).await?;

    let ids: Vec<_> = output.findings.list.iter().map(|finding| finding.check.as_str()).collect();
    let expected =
        ["pending-modifications", "upgrade-way", "login-secret", "record", "names-free", "dms-engine", "other-record"];
    assert_eq!(ids, expected, "{:#?}", output.findings.list);
    assert_eq!((output.source.is_some(), output.way), (true, None));

    world.run.source.instance = "no-such".to_owned();
    let output = check_instance::run(&world.ctx, world.run_only()).await?;
    assert_eq!(output.findings.list[0].check, "instance-usable");
    assert_eq!(output.source, None);
    Ok(())
}

#[tokio::test]
async fn a_permission_that_is_missing_is_a_finding_and_the_rest_is_looked_at() -> Result<()> {
    let world = World::start(13).await?;
    let denied = Effect::Error { code: "AccessDenied".to_owned(), status: 403, message: "not authorized".to_owned() };
    world.aws.faults().plan(Fault::every("rds", "DescribeDBEngineVersions", denied));
    world.aws.faults().plan(Fault::nth("route53", "GetHostedZone", 1, Effect::Throttle));

    let output = check_instance::run(world.as_step("check-instance"), world.run_only()).await?;

    let ids: Vec<_> = output.findings.list.iter().map(|finding| finding.check.as_str()).collect();
    assert_eq!(ids, ["not-seen", "dms-engine-unproven"], "{:#?}", output.findings.list);
    Ok(())
}
