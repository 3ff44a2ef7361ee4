//! `copy-data` where the task breaks: memory, disks, a lost slot, somebody's stop.

use anyhow::Result;
use pgleap_contract::ErrorCode;
use pgleap_contract::steps::RepairKind;

use crate::both::Both;

/// Twice the load breaks for want of memory: with a usual appetite and with a small one. Every answer is lost once.
#[tokio::test]
async fn a_load_that_ran_out_of_memory_takes_less_and_then_finds_a_larger_instance() -> Result<()> {
    let both = Both::start().await?;
    both.world.aws.dms().plan_fault("out-of-memory at 10% with 5 GiB and 8 GiB by appetite".parse()?);
    both.create_until_done().await?;
    for operation in
        ["CreateReplicationTask", "DeleteReplicationTask", "ModifyReplicationInstance", "AddTagsToResource"]
    {
        both.world.aws.faults().plan(format!("dms:{operation}:1:lose-answer").parse()?);
    }

    let repairs = both.copy_and_mend().await?;

    let told: Vec<_> =
        repairs.iter().map(|repair| (repair.kind, repair.before.as_str(), repair.after.as_str())).collect();
    let usual = "8 tables in parallel and 1000 rows per commit";
    let small = "2 tables in parallel and 200 rows per commit";
    let expected =
        [(RepairKind::OutOfMemory, usual, small), (RepairKind::OutOfMemory, "dms.t3.medium", "dms.t3.large")];
    assert_eq!(told, expected);
    assert_eq!(repairs[0].estimated_cost, None);
    let cost = repairs[1].estimated_cost.as_ref().expect("a larger class costs more");
    assert_eq!((cost.usd_per_hour_before, cost.usd_per_hour_after), (0.072, 0.144));
    assert_eq!(both.tasks().await?, [both.world.run.names().tasks()[2].clone()]);
    both.assert_same().await?;
    both.resume_until_done().await?;
    both.end().await
}

/// In the load: by another task, on a disk twice as large. Every answer is lost once.
#[tokio::test]
async fn a_full_disk_of_the_instance_grows_and_the_load_begins_again() -> Result<()> {
    let both = Both::start().await?;
    both.world.aws.dms().plan_fault("disk-full at 10% below 200 GiB".parse()?);
    both.create_until_done().await?;
    for operation in ["CreateReplicationTask", "ModifyReplicationInstance"] {
        both.world.aws.faults().plan(format!("dms:{operation}:1:lose-answer").parse()?);
    }

    let repairs = both.copy_and_mend().await?;

    let told: Vec<_> =
        repairs.iter().map(|repair| (repair.kind, repair.before.as_str(), repair.after.as_str())).collect();
    let expected = [("50 GiB of disk", "100 GiB of disk"), ("100 GiB of disk", "200 GiB of disk")];
    assert_eq!(told, expected.map(|(before, after)| (RepairKind::DiskFull, before, after)));
    both.assert_same().await?;
    both.resume_until_done().await?;
    both.end().await
}

#[tokio::test]
async fn a_full_disk_of_either_database_ends_the_load_with_its_instance_named() -> Result<()> {
    let mut both = Both::start().await?;
    both.world.run.target.instance = Some(step_tests::TARGET.to_owned());
    both.create_until_done().await?;
    for instance in [step_tests::TARGET, step_tests::SOURCE] {
        both.world.aws.rds().plan(instance, local_aws_rds::PlannedFault::StorageFull).await?;

        let error = both.copy_until_refused().await?;

        assert_eq!(error.code, ErrorCode::InstanceFailed);
        assert!(error.message.contains(&format!("instance {instance} is storage-full")), "{}", error.message);
    }
    both.world.aws.stop().await;
    Ok(())
}

#[tokio::test]
async fn an_instance_grows_no_further_than_the_run_allows() -> Result<()> {
    let mut both = Both::start().await?;
    both.world.run.limits.max_replication_instance_class = Some("dms.t3.large".to_owned());
    both.world.aws.dms().plan_fault("out-of-memory at 10% while class < dms.r6i.large".parse()?);
    both.create_until_done().await?;

    let error = both.copy_until_refused().await?;

    assert_eq!(error.code, ErrorCode::ReplicationFailed);
    assert!(error.message.contains("limits.maxReplicationInstanceClass (dms.t3.large)"), "{}", error.message);
    both.end().await
}

#[tokio::test]
async fn a_slot_lost_after_the_load_is_a_load_begun_again() -> Result<()> {
    let both = Both::start().await?;
    both.create_until_done().await?;
    both.copy_until_done().await?;
    both.lose_slot().await?;
    both.source().await?.run("go on writing", r#"DELETE FROM "My_shop"."Orders" WHERE id < 20"#).await?;

    let error = both.resume_until_refused().await?;
    assert_eq!(error.code, ErrorCode::ReplicationFailed);
    assert!(error.message.contains("replication slot"), "{}", error.message);
    let repairs = both.copy_and_mend().await?;
    both.resume_until_done().await?;

    assert_eq!(repairs.iter().map(|repair| repair.kind).collect::<Vec<_>>(), [RepairKind::SlotLost]);
    both.assert_same().await?;
    both.end().await
}

/// In the load it is begun again, because nobody knows what a task that was stopped half-way has; after it, it goes on.
#[tokio::test]
async fn a_task_that_somebody_stopped_goes_on() -> Result<()> {
    let both = Both::start().await?;
    both.create_until_done().await?;
    both.copy_until_done().await?;
    both.resume_until_done().await?;
    both.stop_task().await?;

    let repairs = both.copy_until_done().await?.repairs;
    assert_eq!(repairs.iter().map(|repair| repair.kind).collect::<Vec<_>>(), [RepairKind::ChangesBroken]);
    both.resume_until_done().await?;
    both.source().await?.run("go on writing", r#"DELETE FROM "My_shop"."Orders" WHERE id < 20"#).await?;
    both.wait_until_same().await?;

    both.end().await
}
