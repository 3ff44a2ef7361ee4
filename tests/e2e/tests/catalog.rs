//! The fixture on every major, and the differ against real upgrades: a cluster and its `pg_upgrade`d copy must not
//! differ by anything but the known list.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::Bench;
use local_aws_postgres::Cluster;
use rehearsal::catalog::{self, Catalog, SchemaDifference};
use rehearsal::proof;

async fn read(cluster: &Cluster) -> Catalog {
    catalog::read(&cluster.admin("shop").await.unwrap()).await.unwrap()
}

/// What a dump and its restore bring about by themselves, beyond the fixture: names and types that a setting of the
/// database quotes, indexes that are older than their column's storage, a partitioned table that is UNLOGGED.
const MORE: &str = "
    ALTER DATABASE shop SET quote_all_identifiers = on;
    CREATE TABLE shop.quoted (id int PRIMARY KEY, j json NOT NULL, t text NOT NULL);
    CREATE INDEX quoted_hash ON shop.quoted USING hash (t);
    CREATE INDEX quoted_text ON shop.quoted (t);
    CREATE INDEX quoted_words ON shop.quoted USING gin (to_tsvector('simple', t));
    ALTER TABLE shop.quoted ALTER t SET STORAGE MAIN;
    CREATE UNLOGGED TABLE shop.passing (id int, d date) PARTITION BY RANGE (d);
    CREATE UNLOGGED TABLE shop.passing_20 PARTITION OF shop.passing FOR VALUES FROM ('2020-01-01') TO ('2021-01-01')";

async fn differences_of_an_upgrade(bench: &Bench, from: u16, to: u16) -> Vec<SchemaDifference> {
    let cluster = bench.source(from).await;
    let admin = cluster.admin("shop").await.unwrap();
    admin.batch_execute(MORE).await.unwrap();
    if from >= 14 {
        admin.batch_execute("ALTER TABLE shop.quoted ALTER t SET COMPRESSION pglz").await.unwrap();
    }
    let mut before = read(&cluster).await;

    common::stop(&cluster).await;
    let cluster = bench.upgraded(&cluster, to).await;

    let mut after = read(&cluster).await;
    catalog::print_alike(&mut before, &after, &cluster.admin("shop").await.unwrap()).await.unwrap();
    catalog::normalise(&mut before, &mut after);
    assert!(before.objects.len() > 500, "{}", before.objects.len());
    let differences = catalog::compare(&before, &after);
    cluster.remove().await.unwrap();
    differences
}

fn lines(differences: &[SchemaDifference]) -> String {
    let line = |d: &SchemaDifference| format!("\n{} {} {}: {:?} -> {:?}", d.kind, d.name, d.fact, d.source, d.target);
    differences.iter().map(line).collect()
}

#[tokio::test]
async fn an_upgrade_alone_makes_no_difference() {
    let bench = Bench::new();
    for (from, to) in [(13, 18), (16, 17)] {
        let differences = differences_of_an_upgrade(&bench, from, to).await;

        assert!(differences.is_empty(), "{from} to {to}: {} differences{}", differences.len(), lines(&differences));
    }
}

#[tokio::test]
#[ignore = "all pairs take minutes; the two above cross every major once"]
async fn an_upgrade_between_any_two_majors_makes_no_difference() {
    for from in 13..=17 {
        for to in from + 1..=18 {
            let differences = differences_of_an_upgrade(&Bench::new(), from, to).await;

            assert!(differences.is_empty(), "{from} to {to}: {} differences{}", differences.len(), lines(&differences));
        }
    }
}

/// What people may do while a run copies and upgrades, and no step looks for.
const DDL_UNDER_THE_RUN: &str = "
    CREATE FUNCTION shop.added_late(int) RETURNS int LANGUAGE sql AS 'SELECT $1 + 1';
    CREATE VIEW shop.seen_late AS SELECT id FROM shop.orders;
    CREATE INDEX found_late ON shop.orders (total);
    GRANT DELETE ON shop.documents TO shop_readers;
    DROP VIEW shop.cheap_products";

#[tokio::test]
async fn ddl_that_came_after_the_copy_is_missed_on_the_target() {
    let bench = Bench::new();
    let source = bench.source(16).await;
    let before = read(&source).await;
    let files = common::stop(&source).await;
    let target = bench.upgraded(&source, 17).await;
    source.start(files).await.unwrap();

    let unchanged = catalog::as_fenced(&before, &read(&source).await, None);
    let differences = proof::of_schema(unchanged, &target.admin("shop").await.unwrap()).await.unwrap();
    assert!(differences.is_empty(), "{}", lines(&differences));

    source.admin("shop").await.unwrap().batch_execute(DDL_UNDER_THE_RUN).await.unwrap();
    let fenced = catalog::as_fenced(&before, &read(&source).await, None);
    let changes = proof::of_changes(before, fenced.clone());
    let differences = proof::of_schema(fenced, &target.admin("shop").await.unwrap()).await.unwrap();

    let named: Vec<_> = differences.iter().map(|difference| difference.name.as_str()).collect();
    for name in
        ["shop.added_late(integer)", "shop.seen_late", "shop.found_late", "shop.documents", "shop.cheap_products"]
    {
        assert!(named.contains(&name), "{name} is not in {}", lines(&differences));
        assert!(changes.iter().any(|change| change.contains(name)), "{name} is not in {changes:?}");
    }
}
