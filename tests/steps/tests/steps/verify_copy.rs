//! `verify-copy` against real servers: a source of 13, a target of 18, and a hand that plays DMS and carries the markers.

use crate::support;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use pgleap_contract::steps::{VerifyCopyInput, VerifyCopyOutput};
use pgleap_contract::{ErrorCode, Server, UncomparedTables};
use pgleap_pg::{Session, fingerprint};
use pgleap_step_kit::unchanged::reloaded_tables;
use pgleap_step_kit::{Polled, StepError, StepResult};
use step_tests::{World, until_done};
use tokio::task::JoinHandle;

/// A collation of two servers that put texts into different orders, as the libraries of two majors may.
const SORTED: [&str; 2] = ["(provider = icu, locale = 'en-US')", "(locale = 'C')"];
/// One table a kind of value, and a table for each kind of key, with the same rows on both sides; the order differs.
const SCHEMA: &str = r#"
    CREATE TYPE "My shop".mood AS ENUM ('so so', 'fine');
    CREATE TABLE "My shop"."Values" (
        id bigint PRIMARY KEY, whole numeric, small float4, large float8, said text, fixed char(5), raw bytea,
        at timestamptz, day date, lasts interval, document jsonb, note json, key uuid, list text[], yes boolean,
        price money, spot point, during tstzrange, mood "My shop".mood,
        twice bigint GENERATED ALWAYS AS (id * 2) STORED);
    CREATE TABLE "My shop".empty (id int PRIMARY KEY);
    CREATE TABLE "My shop".nothing ();
    CREATE TABLE "My shop".queue (id int PRIMARY KEY);
    CREATE TABLE "My shop".clicks (token uuid, said text, seen int);
    ALTER TABLE "My shop".clicks REPLICA IDENTITY FULL;
    CREATE TABLE "My shop".lines (
        day timestamptz, place varchar(20) COLLATE "My shop".sorted, mood "My shop".mood, "No" int, amount numeric(12, 2),
        total numeric(14, 2) GENERATED ALWAYS AS (amount * "No") STORED, PRIMARY KEY (day, place, mood, "No"));
    CREATE TABLE "My shop".words (word text COLLATE "My shop".sorted PRIMARY KEY, hits int);
    CREATE TABLE "My shop".tokens (token uuid PRIMARY KEY, hits int);
    CREATE FUNCTION "My shop".fee(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT n * 2';
    CREATE TABLE "My shop".fees (id int PRIMARY KEY, n int, f int GENERATED ALWAYS AS ("My shop".fee(n)) STORED);
    CREATE TABLE public.parts (id int, region text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
    CREATE TABLE public.parts_eu PARTITION OF public.parts FOR VALUES IN ('eu');
    CREATE TABLE public.parts_us PARTITION OF public.parts FOR VALUES IN ('us');
    CREATE UNLOGGED TABLE public.scratch (id int);"#;

fn schema(sorted: &str) -> String {
    format!("CREATE SCHEMA \"My shop\"; CREATE COLLATION \"My shop\".sorted {sorted}; {SCHEMA}")
}

fn rows(order: &str) -> String {
    format!(
        r#"INSERT INTO "My shop"."Values"
           SELECT g, g * 1.10, g / 3.0::float4, g / 7.0::float8 * 1e-300, 'Ünï' || repeat('x', g % 50) || E'\\"\n,()', 'c' || g % 9,
                  decode(lpad(to_hex(g), 8, '0'), 'hex'), timestamptz '0044-03-15 BC' + g * interval '1 month',
                  CASE WHEN g = 1 THEN 'infinity' ELSE date '2000-02-29' + g END, make_interval(years => g % 90, secs => -g * 1.000001),
                  ('{{"b":' || g || ',"a":"é"}}')::jsonb, '{{"a": 1,  "a":2}}', '12345678-1234-1234-1234-123456789abc',
                  array['a,b', '"', NULL, '\'], g % 2 = 0, (g * 12.34)::numeric::money, point(g, 1 / 3.0),
                  tstzrange('2020-01-01', NULL), 'so so'
           FROM generate_series(1, 5000) g ORDER BY g {order};
           INSERT INTO "My shop".clicks SELECT md5('click' || g % 900)::uuid, 'click ' || g % 900, g % 3 FROM generate_series(1, 1000) g ORDER BY g {order};
           INSERT INTO "My shop".lines SELECT timestamptz '2025-01-01' + g % 50 * interval '1 day 1.5 seconds', 'Öst ' || g % 7,
                  CASE WHEN g % 2 = 0 THEN 'fine' ELSE 'so so' END::"My shop".mood, g, g * 1.5 FROM generate_series(1, 3000) g ORDER BY g {order};
           INSERT INTO "My shop".words SELECT chr(97 + g % 26) || CASE g % 4 WHEN 0 THEN '-' WHEN 1 THEN 'Z' WHEN 2 THEN 'é' ELSE '' END || g, g
                  FROM generate_series(1, 25000) g ORDER BY g {order};
           INSERT INTO "My shop".tokens SELECT md5('token' || g)::uuid, g FROM generate_series(1, 3000) g ORDER BY g {order};
           INSERT INTO "My shop".fees SELECT g, g FROM generate_series(1, 10) g;
           INSERT INTO public.parts SELECT g, CASE WHEN g % 2 = 0 THEN 'eu' ELSE 'us' END FROM generate_series(1, 100) g ORDER BY g {order};"#
    )
}

/// How many tables of the schema are carried.
const TABLES: u64 = 11;

struct Both {
    world: World,
    target: Server,
    carrier: JoinHandle<()>,
}

/// The source's client and DMS in one: changes of busy tables, carried to the target late, in their order with markers.
struct Hand {
    source: Session,
    target: Session,
    /// What was committed on the source and not yet on the target: a statement, and the markers that followed it.
    behind: VecDeque<(String, Vec<String>)>,
}

/// How many transactions the target is behind.
const BEHIND: usize = 5;

/// What the client does next, and what of it arrives: the same, but for a value that DMS would change.
type Work = fn(u32) -> (String, String);

fn no_work(_turn: u32) -> (String, String) {
    (String::new(), String::new())
}

/// Every busy table is written to at every turn: rows that are updated all the time, new ones, deleted ones, and a queue
/// that is empty at almost every look. Of the rows without a key none that has an equal one: DMS would change both.
fn all_kinds(turn: u32) -> (String, String) {
    let (other, word) = (turn % 2_900 + 1, turn % 6_000 * 4 + 4);
    let sql = format!(
        r#"UPDATE "My shop".tokens SET hits = {turn} WHERE token IN (md5('token1')::uuid, md5('token{other}')::uuid);
           UPDATE "My shop".words SET hits = -{turn} WHERE word IN ('zZ2105', chr(97 + {word} % 26) || '-' || {word});
           INSERT INTO "My shop".words VALUES ('new-' || {turn}, 1);
           DELETE FROM "My shop".words WHERE word = 'new-' || {turn} - 3;
           UPDATE "My shop".lines SET amount = {turn} WHERE "No" = {other};
           UPDATE "My shop".clicks SET seen = {turn} WHERE token = md5('click' || {turn} % 600 + 200)::uuid;
           INSERT INTO "My shop".queue VALUES ({turn}); DELETE FROM "My shop".queue WHERE id = {turn} - 1"#
    );
    (sql.clone(), sql)
}

/// One row that is written at every turn, and arrives with another value each time.
fn always_coerced(turn: u32) -> (String, String) {
    let sql = |hits: String| format!("UPDATE \"My shop\".tokens SET hits = {hits} WHERE token = md5('token1')::uuid");
    (sql(turn.to_string()), sql(format!("-{turn}")))
}

impl Hand {
    async fn go_on(mut self, work: Work) {
        for turn in 1.. {
            let (here, there) = work(turn);
            self.source.run("write", &here).await.expect("source");
            let read = "SELECT id::text FROM pgleap.marker";
            let markers = self.source.rows("read markers", read, &[]).await.expect("source");
            self.behind.push_back((there, markers.iter().map(|row| row.get(0)).collect()));
            if self.behind.len() > BEHIND {
                self.carry().await;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn carry(&mut self) {
        let Some((sql, markers)) = self.behind.pop_front() else { return };
        self.target.run("carry a transaction", &sql).await.expect("target");
        let insert = "INSERT INTO pgleap.marker (id, kind) SELECT u::uuid, 'verify' FROM unnest($1::text[]) u ON CONFLICT DO NOTHING";
        self.target.rows("carry markers", insert, &[&markers]).await.expect("target");
    }
}

impl Both {
    /// Both sides filled, as they are once DMS follows.
    async fn start() -> Result<Self> {
        Self::start_with(no_work).await
    }

    /// The same, and clients that write all the time.
    async fn start_with(work: Work) -> Result<Self> {
        let world = World::start(13).await?;
        let owner = world.owner().await?;
        owner.run("make a schema", &schema(SORTED[0])).await?;
        owner.run("fill it", &rows("ASC")).await?;
        world.prepare_source().await?;
        let owner = world.owner().await?;
        fingerprint::take_filenodes(&owner).await?;
        world.arm_watch().await?;

        let target = support::create_target(&world, "18").await?;
        let there = world.ctx.as_owner(&world.run, &target).await?;
        there.run("make the schema", &schema(SORTED[1])).await?;
        there.run("fill it", &rows("DESC")).await?;
        there.run("leave something unlogged", "INSERT INTO public.scratch VALUES (1)").await?;
        let hand = Hand { source: owner, target: there, behind: VecDeque::new() };
        let carrier = tokio::spawn(hand.go_on(work));
        Ok(Self { world, target, carrier })
    }

    async fn look(&self) -> StepResult<Polled<VerifyCopyOutput>> {
        self.look_after(0).await
    }

    async fn look_after(&self, mends: u32) -> StepResult<Polled<VerifyCopyOutput>> {
        let (run, source, target) = (self.world.run.clone(), self.world.source.clone(), self.target.clone());
        verify_copy::run(self.world.as_step("verify-copy"), VerifyCopyInput { run, source, target, mends }).await
    }

    async fn until_done(&self) -> Result<VerifyCopyOutput> {
        until_done("verify-copy", async || self.look().await).await
    }

    /// The same difference must be there after a while; here that while is over at the next look.
    async fn until_refused(&self, mends: u32) -> Result<StepError> {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(60) {
            match self.look_after(mends).await {
                Err(error) => return Ok(error),
                Ok(Polled::Done(output)) => bail!("it found nothing: {output:?}"),
                Ok(Polled::Waiting(_)) => {
                    let age = "UPDATE pgleap.verify_row SET seen_at = seen_at - interval '1 minute'";
                    self.on_target(age).await?;
                }
            }
        }
        bail!("neither done nor refused after 60 s")
    }

    async fn on_target(&self, sql: &str) -> Result<()> {
        let there = self.world.ctx.as_owner(&self.world.run, &self.target).await?;
        Ok(there.run("meddle", sql).await?)
    }

    async fn on_source(&self, sql: &str) -> Result<()> {
        Ok(self.world.owner().await?.run("meddle", sql).await?)
    }

    async fn stop(self) {
        self.carrier.abort();
        self.world.aws.stop().await;
    }
}

#[tokio::test]
async fn equal_tables_of_two_majors_are_found_equal_and_a_second_run_compares_nothing() -> Result<()> {
    let both = Both::start().await?;

    let output = both.until_done().await?;
    // Neither the partitioned parent nor the unlogged one.
    assert_eq!((output.tables_equal, output.tables_uncompared), (TABLES, 0));
    assert_eq!(both.until_done().await?, output);

    both.stop().await;
    Ok(())
}

#[tokio::test]
async fn tables_that_clients_write_to_all_the_time_are_compared_and_never_condemned() -> Result<()> {
    let both = Both::start_with(all_kinds).await?;

    let output = both.until_done().await?;

    assert_eq!((output.tables_equal, output.tables_uncompared), (TABLES, 0), "{output:?}");
    both.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_difference_in_a_table_that_clients_write_to_is_found_and_named_by_key_and_column() -> Result<()> {
    let both = Both::start_with(all_kinds).await?;
    // Rows that the client leaves alone, each put right again for the next.
    let cases = [
        (
            r#"DELETE FROM "My shop".words WHERE word = 'xZ24957'"#,
            r#"INSERT INTO "My shop".words VALUES ('xZ24957', 24957)"#,
            ["\"My shop\".\"words\": 1 row(s)", "word = xZ24957 is missing on the target"],
        ),
        (
            r#"UPDATE "My shop".lines SET amount = 0 WHERE "No" = 2999"#,
            r#"UPDATE "My shop".lines SET amount = 4498.5 WHERE "No" = 2999"#,
            ["\"lines\": 1 row(s)", "place = Öst 3, mood = so so, No = 2999 differs in amount, total"],
        ),
        (
            r#"INSERT INTO "My shop".tokens VALUES ('12345678-1234-1234-1234-123456789abc', 1)"#,
            r#"DELETE FROM "My shop".tokens WHERE token = '12345678-1234-1234-1234-123456789abc'"#,
            ["\"tokens\": 1 row(s)", "token = 12345678-1234-1234-1234-123456789abc is only on the target"],
        ),
        (
            r#"UPDATE "My shop".clicks SET said = 'cut' WHERE token = md5('click801')::uuid"#,
            r#"UPDATE "My shop".clicks SET said = 'click 801' WHERE token = md5('click801')::uuid"#,
            ["\"clicks\": 2 different rows", "no primary key"],
        ),
        (
            r#"INSERT INTO "My shop".queue VALUES (-7)"#,
            r#"DELETE FROM "My shop".queue WHERE id = -7"#,
            ["\"queue\": 1 row(s)", "id = -7 is only on the target"],
        ),
    ];
    for (mends, (damage, repair, named)) in (0..).zip(cases) {
        both.on_target(damage).await?;

        let error = both.until_refused(mends).await?;

        assert_eq!(error.code, ErrorCode::CopyDiffers);
        for words in named {
            assert!(error.message.contains(words), "{words} is not in {}", error.message);
        }
        both.on_target(repair).await?;
    }
    both.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_row_that_moves_and_never_arrives_as_it_is_leaves_its_table_uncompared_and_that_needs_consent() -> Result<()>
{
    let mut both = Both::start_with(always_coerced).await?;

    both.world.run.choices.uncompared_tables = Some(UncomparedTables::Accept);
    let output = both.until_done().await?;
    both.world.run.choices.uncompared_tables = None;
    let refused = both.look().await.expect_err("nobody has accepted it");

    assert_eq!((output.tables_equal, output.tables_uncompared), (TABLES - 1, 1), "{output:?}");
    let table = output.uncompared.first().map(|one| one.table.to_string());
    assert_eq!(table.as_deref(), Some("My shop.tokens"));
    assert_eq!(refused.code, ErrorCode::TablesNotCompared);
    assert!(refused.message.contains("My shop.tokens (clients changed 1 of its rows"), "{}", refused.message);
    both.stop().await;
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_read_within_its_budget_is_not_compared() -> Result<()> {
    let mut both = Both::start().await?;
    both.world.run.limits.verify_seconds = 2;
    both.world.run.choices.uncompared_tables = Some(UncomparedTables::Accept);
    let holder = both.world.ctx.as_owner(&both.world.run, &both.target).await?;
    holder.run("lock a table", "BEGIN; LOCK TABLE \"My shop\".lines").await?;

    let output = both.until_done().await?;

    assert_eq!((output.tables_equal, output.tables_uncompared), (TABLES - 1, 1), "{output:?}");
    assert!(output.uncompared.iter().any(|one| one.why.contains("limits.verifySeconds (2 s)")), "{output:?}");
    both.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_row_that_is_missing_on_the_target_is_found_and_its_table_named() -> Result<()> {
    let both = Both::start().await?;
    both.on_target("DELETE FROM \"My shop\".\"Values\" WHERE id = 4711").await?;

    let error = both.until_refused(0).await?;

    assert_eq!(error.code, ErrorCode::CopyDiffers);
    let words = "compare table \"My shop\".\"Values\": 1 row(s) differ: id = 4711 is missing on the target";
    assert!(error.message.contains(words), "{}", error.message);
    both.stop().await;
    Ok(())
}

/// A stored value that was worked out by a function which has been replaced since: the target works it out anew.
/// A person has DMS load a table again while the cutover is held: it is emptied first.
#[tokio::test]
async fn a_table_that_is_loaded_again_after_it_was_compared_is_seen() -> Result<()> {
    let both = Both::start().await?;
    both.until_done().await?;
    let there = both.world.ctx.as_owner(&both.world.run, &both.target).await?;
    assert_eq!(reloaded_tables(&both.world.run, &there).await?, None);

    both.on_target("BEGIN; TRUNCATE public.parts_eu; INSERT INTO public.parts_eu VALUES (2, 'eu'); COMMIT").await?;

    let seen = reloaded_tables(&both.world.run, &there).await?.context("it is not seen")?;
    assert!(seen.contains("public.parts_eu"), "{seen}");
    both.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_generated_column_whose_function_was_replaced_is_named() -> Result<()> {
    let both = Both::start().await?;
    let sql = r#"CREATE OR REPLACE FUNCTION "My shop".fee(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT n * 3';
                 UPDATE "My shop".fees SET n = n WHERE id = 7"#;
    both.on_target(sql).await?;

    let error = both.until_refused(0).await?;

    assert_eq!(error.code, ErrorCode::CopyDiffers);
    let words = "table \"My shop\".\"fees\": 1 row(s) differ: id = 7 differs in f";
    assert!(error.message.contains(words), "{}", error.message);
    both.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_schema_change_or_a_truncate_on_the_source_is_named() -> Result<()> {
    let both = Both::start().await?;
    let cases = [
        ("TRUNCATE public.parts_us", "parts_us: truncated or rewritten"),
        ("ALTER TABLE \"My shop\".empty ADD COLUMN late int", "empty"),
    ];
    for (sql, named) in cases {
        both.on_source(sql).await?;

        let error = both.look().await.expect_err("the source was changed");

        assert_eq!(error.code, ErrorCode::SourceChanged);
        assert!(error.message.contains(named), "{}", error.message);
    }
    both.stop().await;
    Ok(())
}
