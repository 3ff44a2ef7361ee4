//! Tables in error: `measure-lobs`, `reload-tables`, `compare-tables`, `restore-lob-mode`.

use anyhow::Result;
use pgleap_contract::ErrorCode;
use pgleap_contract::steps::TableName;
use step_tests::wait_for;

use crate::both::Both;

/// The whole ladder, every answer of it lost once, while somebody writes: nothing is cut, and the task is as it was.
#[tokio::test]
async fn a_table_in_error_is_loaded_again_in_limited_lob_mode_and_nothing_is_cut() -> Result<()> {
    let both = Both::start().await?;
    both.world.aws.dms().plan_fault("table-error on My_shop.Orders in full-lob-mode".parse()?);
    let long = r#"UPDATE "My_shop"."Orders" SET said = repeat('🐘', 400000), raw = decode(repeat('ab', 3000000), 'hex') WHERE id = 5"#;
    both.source().await?.run("write long values", long).await?;
    both.create_until_done().await?;
    both.copy_until_in_error(&["My_shop.Orders"]).await?;
    let (mapping, settings) = both.written().await?;
    for operation in ["ModifyReplicationTask", "StartReplicationTask", "StopReplicationTask", "ReloadTables"] {
        both.world.aws.faults().plan(format!("dms:{operation}:1:lose-answer").parse()?);
    }

    let limits = both.measure_until_done(0).await?;
    assert_eq!(limits, both.measure_until_done(0).await?);
    assert!(limits[0].kilobytes > 3 * 3_000_000 / 1024, "{limits:?}");
    let reloaded = both.reload_until_done(&limits).await?;
    both.source().await?.run("go on writing", r#"UPDATE "My_shop"."Orders" SET said = 'late' WHERE id < 5"#).await?;
    both.compare_until_done(&reloaded.reloaded).await?;
    both.restore_until_done().await?;
    both.restore_until_done().await?;

    assert_eq!(reloaded.failed, []);
    assert_eq!(reloaded.repairs.len(), 1, "{:?}", reloaded.repairs);
    assert_eq!(both.written().await?, (mapping, settings), "the task is as it was");
    assert!(both.copy().await?.done);
    both.resume_until_done().await?;
    wait_for("the same rows", async || {
        let same = both.content(&both.target().await?).await? == both.content(&both.source().await?).await?;
        Ok(same.then_some(()))
    })
    .await?;
    both.end().await
}

/// Three tables of three are in error after a restart in the load; none of them because of its values.
#[tokio::test]
async fn tables_that_a_restart_of_the_instance_put_in_error_are_loaded_again() -> Result<()> {
    let both = Both::start().await?;
    both.world.aws.dms().plan_fault("reboot-instance at 1%".parse()?);
    both.create_until_done().await?;

    let tables = both.copy_until_some_in_error().await?;
    let limits = both.measure_for(&tables, 0).await?;
    let reloaded = both.reload_until_done(&limits).await?;
    both.compare_until_done(&reloaded.reloaded).await?;
    both.restore_until_done().await?;

    assert_eq!(reloaded.reloaded.len(), tables.len());
    assert!(both.copy().await?.done);
    both.resume_until_done().await?;
    both.assert_same().await?;
    both.end().await
}

/// 60 million characters take 120 MB on their way. Full LOB mode is tried once more, then the run ends.
#[tokio::test]
async fn a_value_beyond_limited_lob_mode_is_named_with_table_column_and_size() -> Result<()> {
    let both = Both::start().await?;
    let huge = r#"UPDATE "My_shop"."Orders" SET said = repeat('x', 60000000) WHERE id = 5"#;
    both.source().await?.run("write a huge value", huge).await?;
    let tables = [TableName { schema: "My_shop".to_owned(), table: "Orders".to_owned() }];

    assert_eq!(both.measure_for(&tables, 0).await?[0].kilobytes, 0, "as the task has it");
    let error = both.measure_refused(&tables, 1).await?;

    assert_eq!(error.code, ErrorCode::TablesInError);
    for word in ["My_shop.Orders", "column said", "180000000 bytes", "102400 KB"] {
        assert!(error.message.contains(word), "{word}: {}", error.message);
    }
    both.world.aws.stop().await;
    Ok(())
}

/// A change finds no row on the target, so DMS suspends the table alone and goes on with the others.
#[tokio::test]
async fn a_table_that_dms_suspended_after_the_load_is_loaded_again() -> Result<()> {
    let both = Both::start().await?;
    both.create_until_done().await?;
    both.copy_until_done().await?;
    both.resume_until_done().await?;
    both.target().await?.run("lose a row", r#"DELETE FROM "My_shop"."Orders" WHERE id = 8"#).await?;
    both.source().await?.run("change it", r#"UPDATE "My_shop"."Orders" SET yes = NOT yes WHERE id = 8"#).await?;
    both.copy_until_in_error(&["My_shop.Orders"]).await?;
    assert!(!both.notes().await?.is_empty(), "DMS noted nothing");
    let named = resume_replication::run(both.world.as_step("resume-replication"), both.world.run_only()).await;
    assert!(named.is_err_and(|error| error.message.contains("My_shop.Orders")), "its table is named");

    let reloaded = both.reload_until_done(&both.measure_until_done(0).await?).await?;
    both.compare_until_done(&reloaded.reloaded).await?;
    assert_eq!(both.notes().await?, Vec::<String>::new());
    both.restore_until_done().await?;
    let output = both.copy().await?;
    both.resume_until_done().await?;

    assert!(output.done && output.repairs.is_empty(), "the run's own stop is no trouble: {output:?}");
    both.assert_same().await?;
    both.end().await
}
