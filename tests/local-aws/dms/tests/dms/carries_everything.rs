//! Load, changes beside the load and changes after it, on real servers of two majors: both sides end equal.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::support::{Rig, Wishes};
use serde_json::json;

/// What real databases have and DMS can carry.
const SCHEMA: &str = r#"
CREATE DOMAIN app.short AS varchar(40);
CREATE TABLE app.accounts (id int PRIMARY KEY, owner varchar(40), balance numeric(12,2), active boolean, note char(8));
CREATE TABLE app.documents (id bigserial PRIMARY KEY, title text, body text, data jsonb, raw bytea, tags text[],
    numbers int[], made timestamptz, kept interval);
CREATE TABLE app."Mixed ""Case"" Table" ("Id" int, "Part.No" varchar(20), "select" app.short, amount numeric,
    PRIMARY KEY ("Id", "Part.No"));
CREATE TABLE app.journal (at timestamptz, entry varchar(200), n int);
ALTER TABLE app.journal REPLICA IDENTITY FULL;
CREATE TABLE app.measured (id int, day date, value float8, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE app.measured_2024 PARTITION OF app.measured FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE app.measured_2025 PARTITION OF app.measured FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE app.totals (id int PRIMARY KEY, price numeric(8,2), total numeric(9,2) GENERATED ALWAYS AS (price * 2) STORED);
CREATE TABLE app.networks (id int PRIMARY KEY, block cidr, costs money);
CREATE TABLE app.parents (id int PRIMARY KEY);
CREATE TABLE app.children (id int PRIMARY KEY, parent int NOT NULL REFERENCES app.parents);
"#;

const ROWS: &str = r#"
INSERT INTO app.accounts SELECT i, 'owner ' || i, i * 1.25, i % 2 = 0, 'n' || i FROM generate_series(1, 20000) i;
INSERT INTO app.documents (title, body, data, raw, tags, numbers, made, kept)
  SELECT 'title ' || i, repeat('body ' || i, i * 20), jsonb_build_object('i', i, 'text', repeat('x', i)),
         decode(repeat(md5(i::text), i), 'hex'), ARRAY['a' || i, NULL, 'c"d,'], ARRAY[i, NULL],
         timestamptz '2024-01-01' + i * interval '1 hour', i * interval '1 minute' FROM generate_series(1, 300) i;
INSERT INTO app.documents (title, body, raw) VALUES ('large', repeat('ü', 2000000), decode(repeat('ab', 3000000), 'hex'));
INSERT INTO app."Mixed ""Case"" Table" SELECT i, 'part.' || i, 'sel''ect \ ' || i, i / 7.0 FROM generate_series(1, 500) i;
INSERT INTO app.journal SELECT now(), 'entry ' || i, i FROM generate_series(1, 500) i;
INSERT INTO app.measured SELECT i, date '2024-06-01' + i % 300, i / 3.0 FROM generate_series(1, 1000) i;
INSERT INTO app.totals SELECT i, i FROM generate_series(1, 200) i;
INSERT INTO app.networks SELECT i, ('10.' || i || '.0.0/16')::cidr, (i * 0.07)::numeric::money FROM generate_series(1, 200) i;
INSERT INTO app.parents SELECT i FROM generate_series(1, 200) i;
INSERT INTO app.children SELECT i, i FROM generate_series(1, 200) i;
"#;

/// One round of everything that applications do to the tables above.
fn round(i: i32) -> String {
    format!(
        r#"BEGIN;
UPDATE app.accounts SET balance = balance + {i}, active = NOT active WHERE id = 1 + {i} % 20000;
INSERT INTO app.accounts VALUES (100000 + {i}, 'new', {i}, true, 'x');
DELETE FROM app.accounts WHERE id = 10000 + {i};
COMMIT;
INSERT INTO app.documents (title, body, data, tags) VALUES ('live {i}', repeat('z', 1000 * ({i} % 50)), '{{"live": {i}}}', ARRAY['t{i}']);
UPDATE app.documents SET title = 'touched {i}' WHERE id = 1 + {i} % 300;
UPDATE app.documents SET body = repeat('new {i}', 500), data = NULL WHERE id = 1 + ({i} * 7) % 300;
DELETE FROM app.documents WHERE id = 150 + {i};
UPDATE app."Mixed ""Case"" Table" SET amount = {i} / 3.0, "select" = 'it''s {i}' WHERE "Id" = 1 + {i} % 500;
INSERT INTO app.journal VALUES (clock_timestamp(), 'live {i}', 1000 + {i});
UPDATE app.journal SET entry = 'changed {i}' WHERE n = 1 + {i} % 500;
DELETE FROM app.journal WHERE n = 400 + {i};
INSERT INTO app.measured VALUES (10000 + {i}, '2025-03-04', {i});
UPDATE app.measured SET value = value + 1 WHERE id = {i};
INSERT INTO app.totals VALUES (1000 + {i}, {i});
INSERT INTO app.networks VALUES (1000 + {i}, '192.168.0.0/24', '-1.50');
UPDATE app.networks SET block = set_masklen('2001:db8::/32'::cidr, 32 + {i} % 64), costs = costs + '0.01' WHERE id = 1 + {i} % 200;
INSERT INTO app.parents VALUES (1000 + {i}); INSERT INTO app.children VALUES (1000 + {i}, 1000 + {i});
BEGIN; INSERT INTO app.parents VALUES (900000 + {i}); ROLLBACK;"#
    )
}

async fn carries(name: &str, from: u16, to: u16) {
    let rig = Rig::start(name, from, to, SCHEMA, Wishes::default()).await;
    rig.on_source.batch_execute(ROWS).await.unwrap();
    rig.on_source.batch_execute("ANALYZE").await.unwrap();
    let rules = json!([
        {"rule-type": "selection", "rule-id": "2", "rule-name": "2", "rule-action": "exclude",
         "object-locator": {"schema-name": "app", "table-name": "measured"}},
        {"rule-type": "transformation", "rule-id": "3", "rule-name": "3", "rule-target": "column",
         "rule-action": "remove-column",
         "object-locator": {"schema-name": "app", "table-name": "totals", "column-name": "total"}}]);
    let settings =
        json!({"FullLoadSettings": {"StopTaskCachedChangesApplied": true, "TargetTablePrepMode": "DO_NOTHING"}});
    let arn = rig.make_task_of("full-load-and-cdc", settings, rules).await;
    let writer = rig.source.admin("app").await.unwrap();
    let is_over = Arc::new(AtomicBool::new(false));
    let stop_writing = Arc::clone(&is_over);
    let writing = tokio::spawn(async move {
        let mut rounds = 0;
        while !stop_writing.load(Ordering::Relaxed) && rounds < 2000 {
            rounds += 1;
            writer.batch_execute(&round(rounds)).await.unwrap();
        }
        rounds
    });

    rig.start_task(&arn, "start-replication").await;
    let stopped = rig.wait_for_task("stopped").await;
    assert_eq!(stopped["StopReason"], "Stop Reason STOPPED_AFTER_CACHED_EVENTS");
    rig.start_task(&arn, "resume-processing").await;
    rig.wait_for_task("running").await;
    rig.drain().await;
    rig.stop_task(&arn).await;
    rig.start_task(&arn, "resume-processing").await;
    rig.wait_for_task("running").await;
    is_over.store(true, Ordering::Relaxed);
    let rounds = writing.await.unwrap();
    rig.drain().await;

    assert!(rounds > 10, "the writer wrote beside the load: {rounds} rounds");
    rig.assert_no_exceptions().await;
    rig.assert_equal().await;
    for table in rig.statistics().await.as_array().unwrap() {
        for (captured, applied) in
            [("Inserts", "AppliedInserts"), ("Updates", "AppliedUpdates"), ("Deletes", "AppliedDeletes")]
        {
            assert_eq!(table[captured], table[applied], "{table}");
        }
        assert_eq!(table["TableState"], "Table completed", "{table}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_of_many_kinds_goes_from_13_to_18() {
    carries("kinds1318", 13, 18).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_of_many_kinds_goes_from_16_to_17() {
    carries("kinds1617", 16, 17).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_task_applies_a_change_well_under_a_fifth_of_a_second() {
    let rig = Rig::start("latency", 18, 18, "", Wishes::default()).await;
    let arn = rig.make_task(json!({})).await;
    rig.start_task(&arn, "start-replication").await;
    rig.wait_for_changes().await;
    rig.drain().await;
    let mut slowest = 0;

    for _ in 0..5 {
        let began = Instant::now();
        rig.drain().await;
        slowest = slowest.max(began.elapsed().as_millis());
    }

    assert!(slowest < 200, "{slowest} ms");

    rig.dms.plan_fault("changes wait 1500 ms".parse().unwrap());
    let began = Instant::now();
    rig.drain().await;
    assert!(began.elapsed().as_millis() >= 1_500, "{:?}", began.elapsed());
}
