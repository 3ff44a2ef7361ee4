//! The steps that touch the record, where its hosted zone belongs to another account.

use std::time::Duration;

use anyhow::{Context, Result};
use contract_tests::record_role::Granted;
use pgleap_contract::steps::{RecordOutput, RestoreRecordInput, SwapRecordInput};
use pgleap_contract::{ErrorCode, Finding, Generation, Outcome};
use pgleap_mark::State;
use pgleap_record::Records;
use pgleap_step_kit::{Polled, StepError};
use serde_json::{Value, json};
use step_tests::{RECORD_ROLE, World, cutover_in, until_done};

const TARGET: &str = "orders-next.c9x.eu-west-1.rds.amazonaws.com";

/// The other account makes the role that it was asked for.
fn grant(world: &World, granted: &Granted, policy: &Value) {
    let trusted: Vec<_> = granted.trusted.iter().map(|step| format!("pgleap-{step}")).collect();
    let trusted: Vec<_> = trusted.iter().map(String::as_str).collect();
    world.aws.add_role(RECORD_ROLE, &trusted, policy);
}

async fn preflight(world: &World) -> Result<Vec<Finding>> {
    let output = check_instance::run(world.as_step("check-instance"), world.run_only()).await?;
    Ok(output.findings.list.into_iter().filter(|finding| finding.check != "dms-engine-unproven").collect())
}

async fn lower(world: &World) -> Result<()> {
    until_done("lower-ttl", async || lower_ttl::run(world.as_step("lower-ttl"), world.run_only()).await).await?;
    Ok(())
}

fn swap(world: &World) -> Result<SwapRecordInput> {
    let target = json!({ "host": TARGET, "port": 5432, "database": "orders" });
    let (source, cutover) = (&world.source, cutover_in(60));
    let input = json!({ "run": world.run, "source": source, "target": target, "cutover": cutover, "awaitSync": false });
    Ok(serde_json::from_value(input)?)
}

fn restore(world: &World) -> RestoreRecordInput {
    let (run, source) = (world.run.clone(), world.source.clone());
    RestoreRecordInput { run, source, outcome: Outcome::Back, generation: Generation::FORWARD }
}

async fn record(world: &World) -> Result<(String, u32)> {
    let members = Records::new(&world.ctx).members(&world.run.record).await?;
    let [member] = &members[..] else { anyhow::bail!("{members:?}") };
    Ok((member.value().context("no value")?.to_owned(), member.ttl().context("no TTL")?))
}

fn assumed(world: &World) -> usize {
    world.aws.calls().since(0).iter().filter(|call| call.operation == "AssumeRole").count()
}

#[tokio::test]
async fn a_record_of_another_account_is_found_lowered_swapped_and_put_back_by_the_role_there() -> Result<()> {
    let mut world = World::start_to(15, "17").await?;
    world.give_zone_away();
    let granted = world.take_record_role().await?;
    grant(&world, &granted, &granted.policy);
    let before = record(&world).await?;

    assert_eq!(preflight(&world).await?, []);
    lower(&world).await?;
    assert_eq!(record(&world).await?.1, 1);
    world.arm().await?;
    let assumed_before = assumed(&world);
    world.as_step("swap-record").warm_up().await;
    assert_eq!(assumed(&world) - assumed_before, 1, "before the fence");
    let swapped = swap_record::run(world.as_step("swap-record"), swap(&world)?).await?;
    assert_eq!(swapped, Polled::Done(RecordOutput { in_sync: false }));
    assert_eq!((record(&world).await?.0.as_str(), assumed(&world) - assumed_before), (TARGET, 1));
    let back = State::Back { target_holds_back: true };
    pgleap_mark::decide(&world.ctx, &world.run, Generation::FORWARD, back).await?;
    until_done("restore-record", async || {
        let restored = restore_record::run(world.as_step("restore-record"), restore(&world)).await?;
        Ok(if restored.in_sync { Polled::Done(restored) } else { Polled::Waiting("sync".to_owned()) })
    })
    .await?;

    assert_eq!(record(&world).await?, before);
    assert_eq!(assumed(&world), 4, "once a function, whatever number of calls");
    Ok(())
}

/// Whoever grants something finds in the message what, and to whom.
#[tokio::test]
async fn what_the_zones_account_has_not_granted_is_named_before_anything_is_made() -> Result<()> {
    let mut world = World::start_to(15, "17").await?;
    for action in ["sts:AssumeRole", "route53:GetHostedZone", "route53:ListResourceRecordSets"] {
        world.aws.expect_refusal(action);
    }
    let refusal = async |world: &World| -> Result<(String, String)> {
        let findings = preflight(world).await?;
        let [found] = &findings[..] else { anyhow::bail!("{findings:?}") };
        assert_eq!(found.check, "not-seen");
        let error = lower(world).await.expect_err("refused");
        let error = error.downcast::<StepError>()?;
        assert_eq!(error.code, ErrorCode::AccessDenied);
        assert!(error.message.ends_with(&format!("; {}", found.remedy)), "{} / {}", error.message, found.remedy);
        Ok((found.found.clone(), found.remedy.clone()))
    };

    world.give_zone_away();
    let (found, remedy) = refusal(&world).await?;
    assert!(found.contains("is not authorized to access this resource (AccessDenied)"), "{found}");
    assert!(remedy.contains("parameter RecordRoleArn"), "{remedy}");

    let granted = world.take_record_role().await?;
    let (found, remedy) = refusal(&world).await?;
    assert!(found.contains(&format!(": assume role {RECORD_ROLE}: ")), "{found}");
    assert!(found.contains("is not authorized to perform: sts:AssumeRole"), "{found}");
    assert!(remedy.starts_with(&format!("the trust policy of {RECORD_ROLE}")), "{remedy}");

    grant(&world, &granted, &json!({ "Statement": [] }));
    let (found, remedy) = refusal(&world).await?;
    assert!(
        found.contains("assumed-role/orders-record/pgleap is not authorized to perform: route53:GetHostedZone"),
        "{found}"
    );
    assert!(remedy.starts_with(&format!("the permission policy of role {RECORD_ROLE}")), "{remedy}");

    // The role is there, and the zone is a third account's.
    grant(&world, &granted, &granted.policy);
    world.aws.zones().give_to(&world.run.record.zone_id, "777788889999");
    let (found, _remedy) = refusal(&world).await?;
    assert!(found.contains("is not authorized to access this resource"), "{found}");
    assert_eq!(record(&world).await?.1, 60, "nothing was changed");
    Ok(())
}

/// A run lasts for days and a warm process for hours, a session of the role for one.
#[tokio::test]
async fn a_session_that_ends_is_renewed_and_one_that_sts_refuses_for_now_is_asked_for_again() -> Result<()> {
    let mut world = World::start_to(15, "17").await?;
    world.give_zone_away();
    let granted = world.take_record_role().await?;
    grant(&world, &granted, &granted.policy);
    world.aws.sts().set_lifetime(Duration::from_secs(1));

    assert_eq!(preflight(&world).await?, []);
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let before = assumed(&world);
    assert_eq!(preflight(&world).await?, []);
    assert!(assumed(&world) > before, "the session had ended");

    world.aws.sts().set_lifetime(Duration::from_secs(3_600));
    let before = assumed(&world);
    for fault in ["sts:AssumeRole:1:throttle", "sts:AssumeRole:2:error=InternalFailure,500,planned"] {
        world.aws.faults().plan(fault.parse()?);
    }
    lower(&world).await?;
    assert_eq!(assumed(&world) - before, 3, "two were refused, and the third one holds");
    Ok(())
}
