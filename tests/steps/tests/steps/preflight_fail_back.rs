//! What preflight says of a run with `failBack`: what the target could not publish, or the source not apply, is named; whichever engine
//! copies, and with the hint that the run could do without.

use std::time::Duration;

use anyhow::Result;
use pgleap_contract::{CopyEngine, FailBack, Finding, KeylessTables, Severity};
use step_tests::{DATABASE, SOURCE, World, wait_for};

use crate::planted::HEALTHY;

async fn with_fail_back(major: u16, schema: &str) -> Result<World> {
    let mut world = World::start(major).await?;
    world.owner().await?.run("make the schema", schema).await?;
    world.run.fail_back = Some(FailBack { keep_hours: 72 });
    Ok(world)
}

async fn found(world: &World) -> Result<Vec<Finding>> {
    Ok(check_database::run(world.as_step("check-database"), world.on_source()).await?.findings.list)
}

/// Those of `failBack`.
async fn of_fail_back(world: &World) -> Result<Vec<String>> {
    let found = found(world).await?;
    let ours: Vec<_> = found.iter().filter(|finding| finding.check.starts_with("fail-back-")).collect();
    for finding in &ours {
        assert!(finding.found.contains("failBack"), "{finding:?}");
        assert!(
            finding.remedy.ends_with("; or start the run without failBack, which does not need this"),
            "{finding:?}"
        );
        assert_eq!(finding.engine, None, "it is of the run, whichever engine is chosen: {finding:?}");
    }
    let word = |finding: &&Finding| match finding.severity {
        Severity::Blocker => format!("b {}: {}", &finding.check["fail-back-".len()..], finding.found),
        Severity::Warning => format!("w {}: {}", &finding.check["fail-back-".len()..], finding.found),
    };
    Ok(ours.iter().map(word).collect())
}

/// Applied as they are: none of these acts on what a subscription applies.
const QUIET: &str = "
    CREATE TABLE public.quiet (id int PRIMARY KEY, parent int REFERENCES public.quiet, doc json);
    CREATE TABLE public.quiet_log (id bigserial PRIMARY KEY, what varchar(20));
    CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
    CREATE TRIGGER ordinary AFTER INSERT ON public.quiet FOR EACH ROW EXECUTE FUNCTION public.note();
    CREATE TRIGGER once AFTER INSERT ON public.quiet FOR EACH STATEMENT EXECUTE FUNCTION public.note();
    CREATE TRIGGER never AFTER INSERT ON public.quiet FOR EACH ROW EXECUTE FUNCTION public.note();
    CREATE RULE also AS ON INSERT TO public.quiet DO ALSO INSERT INTO public.quiet_log (what) VALUES ('inserted');
    ALTER TABLE public.quiet ENABLE ALWAYS TRIGGER once;
    ALTER TABLE public.quiet DISABLE TRIGGER never;
    ALTER TABLE public.quiet ENABLE ALWAYS RULE also;";

#[tokio::test]
async fn a_healthy_database_can_be_followed_back_whichever_engine_copies() -> Result<()> {
    for major in [13, 15, 18] {
        let mut world = with_fail_back(major, &format!("{HEALTHY}; {QUIET}")).await?;
        for (engine, undecided) in [(CopyEngine::Dms, false), (CopyEngine::Native, false), (CopyEngine::Dms, true)] {
            (world.run.copy.engine, world.run.copy.undecided) = (engine, undecided);

            assert_eq!(of_fail_back(&world).await?, [""; 0], "{major} {engine:?}");
        }
    }
    Ok(())
}

const KEYLESS: &str = "CREATE TABLE public.keyless (id int, doc json); INSERT INTO public.keyless VALUES (1, '{}')";

#[tokio::test]
async fn tables_that_the_target_could_not_publish_are_named_unless_the_engine_says_so_itself() -> Result<()> {
    let mut world = with_fail_back(15, KEYLESS).await?;
    let large = "UPDATE pg_class SET relpages = 20000 WHERE oid = 'public.keyless'::regclass";
    world.rdsadmin(SOURCE, DATABASE).await?.batch_execute(large).await?;
    let identity = "b identity: failBack publishes table public.keyless on the target, but the table has no primary key: once it is \
                    published, PostgreSQL refuses the updates and deletes of your applications";
    let equality = "b equality: column public.keyless.doc of type json has no equality operator, and its table has no key: with \
                    failBack, the source could not find the row of an update on the target";
    let slow = "w whole-table-read: with failBack, the source reads 1 large table(s) without a key completely for each row that is \
                updated or deleted, and may not keep up: public.keyless (8192 bytes)";

    assert_eq!(of_fail_back(&world).await?, [identity, equality, slow]);
    world.run.copy.undecided = true;
    assert_eq!(of_fail_back(&world).await?, [identity, equality, slow], "also if native replication is only possible");
    world.run.choices.keyless_tables = KeylessTables::ReplicaIdentityFull;
    assert_eq!(of_fail_back(&world).await?, [equality, slow]);

    (world.run.copy.engine, world.run.copy.undecided) = (CopyEngine::Native, false);
    world.run.choices.keyless_tables = KeylessTables::Refuse;
    assert_eq!(of_fail_back(&world).await?, [slow]);
    let all = found(&world).await?;
    for check in ["table-without-identity", "row-without-equality"] {
        assert_eq!(all.iter().filter(|finding| finding.check == check).count(), 1, "{check}: {all:#?}");
    }
    world.run.fail_back = None;
    assert_eq!(of_fail_back(&world).await?, [""; 0]);
    Ok(())
}

const SECURED: &str = "
    CREATE TABLE public.secured (id int PRIMARY KEY); ALTER TABLE public.secured ENABLE ROW LEVEL SECURITY;";

#[tokio::test]
async fn tables_to_which_the_source_could_not_apply_changes_are_named() -> Result<()> {
    for major in [14, 15, 18] {
        let world = with_fail_back(major, SECURED).await?;
        let mut expected = Vec::new();
        if major >= 15 {
            let secured = "b row-security: table public.secured has row security: with failBack, the source could not apply the \
                           changes of the target to it";
            expected.push(secured.to_owned());
        }

        assert_eq!(of_fail_back(&world).await?, expected, "{major}");
    }
    Ok(())
}

const BY_PATH: &str = "
    SET search_path = public;
    CREATE FUNCTION inner_f(t text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT upper(t)';
    CREATE FUNCTION outer_f(t text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN inner_f(t); END';
    CREATE FUNCTION brings_path(t text) RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = public AS 'BEGIN RETURN inner_f(t); END';
    CREATE TABLE named (id int PRIMARY KEY, name varchar(9), loud varchar(9) GENERATED ALWAYS AS (outer_f(name)) STORED,
                        CONSTRAINT not_quiet CHECK (outer_f(name) <> 'QUIET'), CONSTRAINT not_soft CHECK (brings_path(name) <> 'SOFT'));
    CREATE INDEX by_loudness ON named (outer_f(name)); CREATE INDEX by_path ON named (brings_path(name));
    INSERT INTO named VALUES (1, 'a');";

#[tokio::test]
async fn what_the_source_could_not_compute_without_a_search_path_is_named() -> Result<()> {
    for major in [13, 17] {
        let world = with_fail_back(major, BY_PATH).await?;

        let lines = of_fail_back(&world).await?;

        let starts: Vec<_> =
            lines.iter().map(|line| line.split(" cannot be computed").next().unwrap_or_default()).collect();
        let of = [
            "generated column public.named.loud",
            "index by_loudness on public.named",
            "check not_quiet of public.named",
        ];
        assert_eq!(starts, of.map(|what| format!("b search-path: {what}")), "{major}: {lines:#?}");
        assert!(
            lines.iter().all(|line| line.contains("without a search path (function inner_f(")),
            "{major}: {lines:#?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_login_that_may_not_let_another_one_subscribe_and_a_log_that_shows_its_password_are_found() -> Result<()> {
    let mut world = with_fail_back(15, "CREATE SCHEMA archive; CREATE TABLE archive.t (id int PRIMARY KEY)").await?;
    let admin = world.rdsadmin(SOURCE, DATABASE).await?;
    let lack = "REVOKE ADMIN OPTION FOR rds_superuser FROM orders_admin; ALTER ROLE orders_admin NOCREATEROLE; \
                ALTER ROLE orders_admin SET log_statement = 'all'";
    admin.batch_execute(lack).await?;
    world.run.choices.as_of_snapshot_schemas = vec!["archive".to_owned()];
    // What is shown of a role follows within moments.
    let lines = wait_for("the finding", async || {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let lines = of_fail_back(&world).await?;
        Ok((lines.len() == 3).then_some(lines))
    })
    .await?;

    let right = "b subscription-right: the source runs PostgreSQL 15, where failBack needs rds_superuser to create a subscription, and \
                 the login orders_admin may not grant rds_superuser to the run's login";
    assert_eq!(lines[0], right);
    assert!(
        lines[1].starts_with("w not-followed: the source does not follow the schemas archive (failBack)"),
        "{lines:?}"
    );
    assert!(
        lines[2].starts_with("w password-logged: with log_statement = all, the source logs the password"),
        "{lines:?}"
    );
    Ok(())
}
