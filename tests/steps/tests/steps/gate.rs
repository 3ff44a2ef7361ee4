//! `guard-cutover` when everything but the forecast of the outage is as it should be.

use std::time::Duration;

use anyhow::Result;
use pgleap_contract::steps::{GuardCutoverInput, GuardCutoverOutput};
use pgleap_contract::{ErrorCode, FailBack, MaxOutage, Purpose, SwitchRecord};
use pgleap_step_kit::{Polled, StepResult};
use step_tests::{DATABASE, SOURCE, TARGET, wait_for};
use tokio::task::JoinHandle;

use crate::source_watch::Watched;

/// Markers travel as DMS would carry them.
async fn carry_markers(watched: &Watched) -> Result<JoinHandle<()>> {
    let from = watched.world.rdsadmin(SOURCE, DATABASE).await?;
    let to = watched.world.rdsadmin(TARGET, DATABASE).await?;
    Ok(tokio::spawn(async move {
        loop {
            let rows = from.query("SELECT id::text, kind FROM pgleap.marker", &[]).await.expect("markers");
            for row in rows {
                let (id, kind): (String, String) = (row.get(0), row.get(1));
                let sql = "INSERT INTO pgleap.marker (id, kind) VALUES ($1::text::uuid, $2) ON CONFLICT DO NOTHING";
                to.execute(sql, &[&id, &kind]).await.expect("a marker");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }))
}

async fn as_verify_copy_leaves_it(watched: &Watched) -> Result<()> {
    let world = &watched.world;
    let owner = world.ctx.as_owner(&world.run, &watched.target).await?;
    pgleap_pg::fingerprint::take_filenodes(&owner).await?;
    Ok(pgleap_pg::chores::install(&owner, &world.run.names().work_login()).await?)
}

async fn ask(watched: &Watched, input: GuardCutoverInput) -> StepResult<Polled<GuardCutoverOutput>> {
    guard_cutover::run(watched.world.as_step("guard-cutover"), input).await
}

#[tokio::test]
async fn a_forecast_above_a_limit_is_waited_for_unless_it_is_the_records_or_accepted() -> Result<()> {
    let watched = Watched::start(15).await?;
    watched.start_task().await?;
    as_verify_copy_leaves_it(&watched).await?;
    let markers = carry_markers(&watched).await?;
    let with = |switch: SwitchRecord, limits: MaxOutage| {
        let mut input = watched.guard_input(false);
        input.run.cutover.switch_record = switch;
        input.run.limits.max_outage_seconds = limits;
        input.propagation_milliseconds = Some(30_000);
        input
    };
    let connected = MaxOutage { connected: Some(0.1), new: None };

    let Polled::Done(done) = ask(&watched, with(SwitchRecord::BeforeFence, MaxOutage::default())).await? else {
        panic!("every guardrail holds")
    };
    assert_eq!(done.switch.record, SwitchRecord::BeforeFence);
    let (steps, record) = (done.forecast.steps.milliseconds, done.forecast.record.at_most_milliseconds);
    assert!(steps > 50.0 && record == 31_000.0, "{:?}", done.forecast);

    let Polled::Waiting(why) = ask(&watched, with(SwitchRecord::BeforeFence, connected)).await? else {
        panic!("the steps alone take longer than 0.1 s")
    };
    assert!(why.contains("limits.maxOutageSeconds.connected is 0.1 s"), "{why}");
    let since = pgleap_window::text(1_700_000_000);
    let long = GuardCutoverInput { since: Some(since), ..with(SwitchRecord::BeforeFence, connected) };
    assert_eq!(ask(&watched, long).await.expect_err("since 2023").code, ErrorCode::OutageTooLong);

    let dns = ask(&watched, with(SwitchRecord::WithDrain, MaxOutage { connected: Some(20.0), new: None })).await;
    let dns = dns.expect_err("waiting does not make DNS faster");
    assert_eq!(dns.code, ErrorCode::OutageTooLong);
    assert!(dns.message.contains("the change of the record"), "{dns}");

    let accepted = GuardCutoverInput { outage_accepted: true, ..with(SwitchRecord::WithDrain, connected) };
    assert!(matches!(ask(&watched, accepted).await?, Polled::Done(_)));
    let auto = ask(&watched, with(SwitchRecord::Auto, MaxOutage::default())).await?;
    let Polled::Done(auto) = auto else { panic!("every guardrail holds") };
    assert_eq!(auto.switch.record, SwitchRecord::WithDrain, "nobody is connected: {:?}", auto.switch);
    markers.abort();
    Ok(())
}

#[tokio::test]
async fn a_target_that_the_source_could_not_follow_is_not_opened() -> Result<()> {
    let watched = Watched::start(15).await?;
    watched.start_task().await?;
    as_verify_copy_leaves_it(&watched).await?;
    let markers = carry_markers(&watched).await?;
    let admin = watched.world.rdsadmin(TARGET, DATABASE).await?;
    let input = |purpose| {
        let mut input = watched.guard_input(false);
        (input.run.fail_back, input.run.purpose) = (Some(FailBack { keep_hours: 72 }), purpose);
        input.target.storage_gib = Some(20);
        input
    };
    let keep = async |size: &str| -> Result<String> {
        admin.batch_execute(&format!("ALTER SYSTEM SET max_slot_wal_keep_size = '{size}'")).await?;
        admin.batch_execute("SELECT pg_reload_conf()").await?;
        wait_for("the setting", async || {
            let row = admin.query_one("SELECT current_setting('max_slot_wal_keep_size')", &[]).await?;
            Ok((row.get::<_, &str>(0) == size).then_some(()))
        })
        .await?;
        match ask(&watched, input(Purpose::Upgrade)).await? {
            Polled::Waiting(why) => Ok(why),
            Polled::Done(_) => Ok(String::new()),
        }
    };

    let unlimited = keep("-1").await?;
    assert!(unlimited.contains("(failBack): max_slot_wal_keep_size is -1 MB instead of a limit"), "{unlimited}");
    let too_much = keep("30GB").await?;
    assert!(too_much.contains("of its storage free, and it may keep 30720 MB of WAL for the source"), "{too_much}");
    assert_eq!(keep("1GB").await?, "");
    keep("-1").await?;
    let back = ask(&watched, input(Purpose::FailBack)).await;
    assert!(!format!("{back:?}").contains("max_slot_wal_keep_size"), "{back:?}");
    markers.abort();
    Ok(())
}
