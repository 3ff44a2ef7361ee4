//! What the catalogs call valid and is not: it is carried, it stays as far as it can, and is named.

use std::collections::BTreeSet;

use pgleap_pg::chores::{self, Phase};

use crate::prepare;
use crate::world::*;

const SOURCE: &str = include_str!("source.sql");

#[tokio::test]
async fn what_cannot_hold_is_carried_and_named_from_13_to_14() {
    what_cannot_hold_is_carried_and_named(13, 14).await;
}

#[tokio::test]
async fn what_cannot_hold_is_carried_and_named_from_15_to_18() {
    what_cannot_hold_is_carried_and_named(15, 18).await;
}

async fn what_cannot_hold_is_carried_and_named(from: u16, to: u16) {
    let restricted = to >= 17;
    let world = World::start_with(from, to, SOURCE).await;
    let owner = world.target(MASTER).await;
    let catalog = world.catalog().await;
    prepare_source_of_another_step(&world).await;
    // What the domains' checks would say of it, DMS writes all the same.
    prepare(&world, &owner, false).await;
    let dms = world.target(DMS).await;
    let apart = "INSERT INTO rich.sayings VALUES (7, NULL); UPDATE rich.sayings SET body = 'y'; TRUNCATE rich.sayings";
    dms.run("write a large value apart", apart).await.unwrap();
    world.copy_rows().await;
    world.work_off(&owner, Phase::Rebuild).await;
    let views = chores::given_up(&owner, Phase::Rebuild).await.unwrap();
    let failed = |name: &str| views.iter().any(|what| what.starts_with(&format!("materialized view rich.{name}:")));
    assert_eq!((failed("j2_share"), failed("o1_total")), (true, restricted), "{views:?}");
    owner.run("plan the statistics", analyze_target::PLAN).await.unwrap();
    world.work_off(&owner, Phase::Analyze).await;
    complete(&world).await;
    world.work_off(&owner, Phase::Settle).await;

    let warnings = chores::unfinished(&owner).await.unwrap();
    let mut expected = BTreeSet::from([
        "check rich.due: due_later",
        "check rich.due_with_text: due_with_text_later",
        "check of domain rich.fresh: fresh_later",
        "foreign key rich.o2: o2_o1",
        "materialized view rich.j2_share",
    ]);
    if restricted {
        expected.extend(["materialized view rich.o1_total", "statistics of rich.p4", "statistics of rich.functional"]);
    }
    let named: BTreeSet<_> = warnings.named.iter().map(|one| one.object.as_str()).collect();
    assert_eq!(named, expected, "{warnings:#?}");
    assert!(warnings.named.iter().all(|one| !one.reason.is_empty() && !one.statements.is_empty()), "{warnings:#?}");

    // Only that they are not valid is lost.
    let after = world.catalog().await;
    let lost: Vec<_> = catalog.difference(&after).filter(|line| !line.contains("pgleap")).collect();
    let of = |name: &str| lost.iter().filter(|line| line.contains(name)).count();
    for name in ["due_later", "due_with_text_later", "o2_o1"] {
        assert_eq!(of(name), 1, "{name} of {lost:#?}");
    }
    let valid = "SELECT string_agg(conname, ' ' ORDER BY conname) FROM pg_constraint WHERE NOT convalidated AND conname IN
                 ('due_later', 'due_with_text_later', 'fresh_later', 'o2_o1', 'pct_range', 'p1_clean', 'p2_clean', 'word_clean', 'said_something')";
    let valid: String = owner.row("read", valid, &[]).await.unwrap().get(0);
    assert_eq!(valid, "due_later due_with_text_later fresh_later o2_o1 pct_range");
    let content = "SELECT (SELECT q FROM rich.p3), (SELECT share FROM rich.j2_share), (SELECT t FROM rich.o1_total),
                   (SELECT obj_description(oid, 'pg_constraint') FROM pg_constraint WHERE conname = 'said_something')";
    let row = owner.row("read", content, &[]).await.unwrap();
    assert_eq!((row.get::<_, i32>(0), row.get::<_, i32>(1), row.get::<_, i64>(2)), (25, 20, 2));
    assert_eq!(row.get::<_, Option<&str>>(3), Some("not nothing"));
    assert_eq!(rows(&world.source_admin().await).await, rows(&world.target_admin().await).await);
}
