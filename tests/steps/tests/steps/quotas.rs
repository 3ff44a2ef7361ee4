//! Quotas and capacity of the account: preflight finds a quota that leaves no room, and one that is reached later ends the step
//! that needs it with an error of its own.

use anyhow::{Context, Result};
use local_aws_dms::Quota as DmsQuota;
use local_aws_rds::Quota;
use pgleap_contract::ErrorCode;
use pgleap_contract::steps::{DatabaseSize, PrepareReplicationInput, RestoreTargetInput, UpgradeWay};
use pgleap_step_kit::StepError;
use step_tests::{World, until_done};

const ROLE: &str = "arn:aws:iam::111122223333:role/DmsSecretRole";
const OF_RDS: [Quota; 4] = [Quota::Instances, Quota::ManualSnapshots, Quota::ParameterGroups, Quota::Storage];
const OF_DMS: [DmsQuota; 5] =
    [DmsQuota::Instances, DmsQuota::SubnetGroups, DmsQuota::Endpoints, DmsQuota::Tasks, DmsQuota::Storage];

#[tokio::test]
async fn each_quota_that_is_reached_stops_in_preflight() -> Result<()> {
    let world = World::start_to(15, "17").await?;
    let look = async || check_instance::run(world.as_step("check-instance"), world.run_only()).await;
    assert_eq!(look().await?.findings.list, []);

    OF_RDS.iter().for_each(|quota| world.aws.rds().reach_quota(*quota));
    OF_DMS.iter().for_each(|quota| world.aws.dms().reach_quota(*quota));
    let found = look().await?.findings;

    assert_eq!((found.blockers, found.warnings), (9, 0), "{}", found.text);
    for said in [
        "the RDS quota allows 1 DB instances, 1 are in use, and the run needs 1 more",
        "the RDS quota allows 0 manual DB snapshots, 0 are in use, and the run needs 1 more",
        "the RDS quota allows 0 DB parameter groups, 0 are in use, and the run needs 2 more",
        "GiB of DB storage",
        "the DMS quota allows 0 replication instances, 0 are in use, and the run needs 1 more",
        "the DMS quota allows 0 replication subnet groups, 0 are in use, and the run needs 1 more",
        "the DMS quota allows 0 endpoints, 0 are in use, and the run needs 2 more",
        "the DMS quota allows 0 replication tasks, 0 are in use, and the run needs 1 more",
        "the DMS quota allows 0 GiB of storage of replication instances, 0 are in use, and the run needs 50 more",
    ] {
        let times = found.list.iter().filter(|finding| finding.found.contains(said)).count();
        assert_eq!(times, 1, "{said}: {}", found.text);
    }
    world.aws.stop().await;
    Ok(())
}

fn assert_is(error: Option<StepError>, code: ErrorCode, mentions: &str) -> Result<()> {
    let error = error.with_context(|| format!("nothing was refused for {mentions}"))?;
    assert_eq!(error.code, code, "{error}");
    assert!(error.message.contains(mentions), "{error}");
    Ok(())
}

/// The stand-in refuses as RDS does, whatever preflight has seen.
#[tokio::test]
async fn a_quota_of_rds_that_is_reached_on_the_way_has_an_error_of_its_own() -> Result<()> {
    let world = World::start(15).await?;
    let rds = world.aws.rds();
    let quota = ErrorCode::QuotaExceeded;
    let configure = async || configure_source::run(world.as_step("configure-source"), world.run_only()).await;
    let snapshot = async || snapshot_source::run(world.as_step("snapshot-source"), world.run_only()).await;
    let input = || RestoreTargetInput { run: world.run.clone(), source: world.source.clone() };
    let restore = async || restore_target::run(world.as_step("restore-target"), input()).await;

    rds.reach_quota(Quota::ParameterGroups);
    assert_is(configure().await.err(), quota, "DBParameterGroupQuotaExceeded")?;
    rds.set_quota(Quota::ParameterGroups, 50);
    world.configure_source().await?;

    rds.reach_quota(Quota::ManualSnapshots);
    assert_is(snapshot().await.err(), quota, "SnapshotQuotaExceeded")?;
    rds.set_quota(Quota::ManualSnapshots, 100);
    until_done("snapshot-source", snapshot).await?;

    for (reached, maximum, code) in
        [(Quota::Instances, 40, "InstanceQuotaExceeded"), (Quota::Storage, 100_000, "StorageQuotaExceeded")]
    {
        rds.reach_quota(reached);
        assert_is(restore().await.err(), quota, code)?;
        rds.set_quota(reached, maximum);
    }
    let none = "rds:RestoreDBInstanceFromDBSnapshot:1:error=InsufficientDBInstanceCapacity,400,no capacity";
    world.aws.faults().plan(none.parse()?);
    assert_is(restore().await.err(), ErrorCode::InsufficientCapacity, "InsufficientDBInstanceCapacity")?;
    let key = "rds:RestoreDBInstanceFromDBSnapshot:1:error=KMSKeyNotAccessibleFault,400,no key";
    world.aws.faults().plan(key.parse()?);
    assert_is(restore().await.err(), ErrorCode::AccessDenied, "KMSKeyNotAccessibleFault")?;
    assert!(restore().await.is_ok(), "the next call goes through");
    world.aws.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_quota_of_dms_that_is_reached_on_the_way_has_an_error_of_its_own() -> Result<()> {
    for (quota, doing) in [
        (DmsQuota::SubnetGroups, "create replication subnet group"),
        (DmsQuota::Instances, "create replication instance"),
        (DmsQuota::Storage, "StorageQuotaExceededFault"),
        (DmsQuota::Endpoints, "endpoint"),
    ] {
        let world = World::start(15).await?;
        let input = PrepareReplicationInput {
            run: world.run.clone(),
            source: world.source.clone(),
            way: UpgradeWay {
                from: "15.0".to_owned(),
                hops: Vec::new(),
                dms_engine_version: Some("3.6.1".to_owned()),
                subnet_ids: vec!["subnet-a".to_owned(), "subnet-b".to_owned()],
                security_group_ids: Vec::new(),
            },
            size: DatabaseSize { tables: 1, bytes: 1 << 20, sequences: 0 },
            ingress: None,
        };
        world.prepare_source().await?;
        world.aws.dms().reach_quota(quota);

        let refused =
            prepare_replication::run_with(world.as_step("prepare-replication"), input, ROLE, &crate::both::stack())
                .await;

        assert_is(refused.err(), ErrorCode::QuotaExceeded, doing)?;
        world.aws.stop().await;
    }
    Ok(())
}
