//! `verify-copy` against real servers: a source of 13, a target of 18, and a hand that plays DMS and carries the markers.

use crate::support;

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use pgleap_contract::steps::{VerifyCopyInput, VerifyCopyOutput};
use pgleap_contract::{ErrorCode, Server};
use pgleap_pg::{Session, fingerprint};
use pgleap_step_kit::{StepError, StepResult};
use step_tests::{World, wait_for};
use tokio::task::JoinHandle;

/// One table a kind of value, with the same rows on both sides; the order of the rows differs.
const SCHEMA: &str = r#"
    CREATE SCHEMA "My shop";
    CREATE TYPE "My shop".mood AS ENUM ('so so', 'fine');
    CREATE TABLE "My shop"."Values" (
        id bigint PRIMARY KEY, whole numeric, small float4, large float8, said text, fixed char(5), raw bytea,
        at timestamptz, day date, lasts interval, document jsonb, note json, key uuid, list text[], yes boolean,
        price money, spot point, during tstzrange, mood "My shop".mood,
        twice bigint GENERATED ALWAYS AS (id * 2) STORED);
    CREATE TABLE "My shop".empty (id int PRIMARY KEY);
    CREATE TABLE "My shop".nothing ();
    CREATE TABLE public.parts (id int, region text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
    CREATE TABLE public.parts_eu PARTITION OF public.parts FOR VALUES IN ('eu');
    CREATE TABLE public.parts_us PARTITION OF public.parts FOR VALUES IN ('us');
    CREATE UNLOGGED TABLE public.scratch (id int);"#;

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
           INSERT INTO public.parts SELECT g, CASE WHEN g % 2 = 0 THEN 'eu' ELSE 'us' END FROM generate_series(1, 100) g ORDER BY g {order};"#
    )
}

struct Both {
    world: World,
    target: Server,
    carrier: JoinHandle<()>,
}

impl Both {
    /// Both sides filled, as they are once DMS follows.
    async fn start() -> Result<Self> {
        let world = World::start(13).await?;
        let owner = world.owner().await?;
        owner.run("make the schema", SCHEMA).await?;
        owner.run("fill it", &rows("ASC")).await?;
        world.prepare_source().await?;
        let owner = world.owner().await?;
        fingerprint::take_filenodes(&owner).await?;
        world.arm_watch().await?;

        let target = support::create_target(&world, "18").await?;
        let there = world.ctx.as_owner(&world.run, &target).await?;
        there.run("make the schema", SCHEMA).await?;
        there.run("fill it", &rows("DESC")).await?;
        there.run("leave something unlogged", "INSERT INTO public.scratch VALUES (1)").await?;
        let carrier = tokio::spawn(carry_markers(owner, there));
        Ok(Self { world, target, carrier })
    }

    async fn look(&self) -> StepResult<VerifyCopyOutput> {
        self.look_after(0).await
    }

    async fn look_after(&self, mends: u32) -> StepResult<VerifyCopyOutput> {
        let (run, source, target) = (self.world.run.clone(), self.world.source.clone(), self.target.clone());
        verify_copy::run(self.world.as_step("verify-copy"), VerifyCopyInput { run, source, target, mends }).await
    }

    async fn until_done(&self) -> Result<VerifyCopyOutput> {
        wait_for("verify-copy", async || Ok(Some(self.look().await?).filter(|output| output.done))).await
    }

    async fn until_refused(&self) -> Result<StepError> {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(60) {
            match self.look().await {
                Err(error) => return Ok(error),
                Ok(output) if output.done => bail!("it found nothing: {output:?}"),
                Ok(_pending) => tokio::time::sleep(Duration::from_millis(300)).await,
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

/// Markers arrive on the target a moment after they were committed on the source.
async fn carry_markers(source: Session, target: Session) {
    loop {
        let rows = source.rows("read markers", "SELECT id::text, kind FROM pgleap.marker", &[]).await.expect("source");
        for row in rows {
            let insert = "INSERT INTO pgleap.marker (id, kind) VALUES ($1::text::uuid, $2) ON CONFLICT DO NOTHING";
            target
                .rows("carry a marker", insert, &[&row.get::<_, &str>(0), &row.get::<_, &str>(1)])
                .await
                .expect("target");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn equal_tables_of_two_majors_are_found_equal_and_a_second_run_compares_nothing() -> Result<()> {
    let both = Both::start().await?;

    let output = both.until_done().await?;
    // Values, empty, nothing, parts_eu, parts_us; neither the parent nor the unlogged one.
    assert_eq!((output.tables_equal, output.tables_skipped), (5, 0));
    assert_eq!(both.until_done().await?, output);

    both.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_table_that_clients_write_to_is_skipped_and_never_condemned() -> Result<()> {
    let both = Both::start().await?;
    let busy = both.world.owner().await?;
    let writer = tokio::spawn(async move {
        // A queue: empty at almost every look, and yet never still. The target lags behind it.
        loop {
            let sql = "INSERT INTO \"My shop\".empty VALUES (1); DELETE FROM \"My shop\".empty";
            busy.run("write", sql).await.expect("source");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    both.on_target("INSERT INTO \"My shop\".empty VALUES (7)").await?;

    let output = both.until_done().await?;
    writer.abort();

    assert_eq!((output.tables_equal, output.tables_skipped), (4, 1));
    both.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_row_that_is_missing_on_the_target_is_found_and_its_table_named() -> Result<()> {
    let both = Both::start().await?;
    both.on_target("DELETE FROM \"My shop\".\"Values\" WHERE id = 4711").await?;

    let error = both.until_refused().await?;

    assert_eq!(error.code, ErrorCode::CopyDiffers);
    assert!(error.message.contains("\"My shop\".\"Values\""), "{}", error.message);
    assert!(error.message.contains("5000 rows") && error.message.contains("4999"), "{}", error.message);
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
