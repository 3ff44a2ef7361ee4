//! `start-run`, `check-instance`, `check-database` and `find-servers` against the local AWS: they look and change nothing.

use anyhow::Result;
use pgleap_contract::{Finding, KeylessTables, Severity};
use step_tests::World;

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

    let output = check_instance::run(&world.ctx, world.run_only()).await?;

    let unproven = "w dms-engine-unproven: AWS does not say whether DMS takes PostgreSQL 18; 17 is the newest it names";
    assert_eq!(worded(&output.findings.list), [unproven]);
    assert_eq!(output.source, Some(world.source.clone()));
    assert!(output.way.is_some_and(|way| way.hops.last().is_some_and(|hop| hop.version.starts_with("18."))));
    assert_eq!(world.changes(), changes);
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

        let output = check_database::run(&world.ctx, world.on_source()).await?;

        assert_eq!(worded(&output.findings.list), [""; 0], "{major}");
        assert_eq!((output.size.tables, output.size.sequences), (1, 0));
        assert!(output.size.bytes > 1_000_000);
    }
    Ok(())
}

/// What DMS cannot carry, one table each; a column named `bad` must be named.
const UNDELIVERABLE: &str = include_str!("../../e2e/schema/undeliverable.sql");

#[tokio::test]
async fn everything_that_dms_cannot_carry_is_named() -> Result<()> {
    for major in [13, 18] {
        let world = World::start(major).await?;
        let owner = world.owner().await?;
        owner.run("fill", UNDELIVERABLE).await?;
        let bad = "SELECT attrelid::regclass::text || '.' || attname FROM pg_attribute WHERE attname = 'bad' \
                   AND attrelid IN (SELECT oid FROM pg_class WHERE relkind = 'r')";
        let bad: Vec<String> = owner.rows("list", bad, &[]).await?.iter().map(|row| row.get(0)).collect();

        let output = check_database::run(&world.ctx, world.on_source()).await?;

        let found = worded(&output.findings.list).join("\n");
        for column in bad {
            assert!(found.contains(&format!("column {column}")), "{major}: {column} is not among\n{found}");
        }
        for id in [
            "lob-without-key: table undeliverable.keyless_with_lob", "lob-without-key: table undeliverable.keyless_with_array",
            "table-without-key", "row-security", "names-by-case", "deferred-constraint", "unique-over-coalesce",
            "table-not-logged", "inheritance", "large-objects", "lob-not-null",
        ] {
            assert!(found.contains(id), "{major}: {id} is not among\n{found}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_rehearsals_source_passes_with_a_choice_about_its_keyless_table() -> Result<()> {
    for major in [13, 18] {
        let mut world = World::start(major).await?;
        world.load_rehearsal().await?;

        let refused = check_database::run(&world.ctx, world.on_source()).await?;
        world.run.choices.keyless_tables = KeylessTables::ReplicaIdentityFull;
        let accepted = check_database::run(&world.ctx, world.on_source()).await?;

        let refused: Vec<_> = worded(&refused.findings.list).into_iter().filter(|line| line.starts_with('b')).collect();
        let why = "has no primary key: its updates and deletes would be lost";
        assert_eq!(refused, ["public.pgbench_history", "shop.clicks"].map(|table| format!("b table-without-key: table {table} {why}")));
        let unproven = "w type-unproven: AWS says of these types only that DMS carries them in part: shop.rates.since (interval)";
        assert_eq!(worded(&accepted.findings.list), [unproven]);
    }
    Ok(())
}
