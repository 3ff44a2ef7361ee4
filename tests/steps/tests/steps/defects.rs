//! Preflight against a database with everything wrong at once: each planted defect is found, once, by the check that is made
//! for it; and nothing is found before they are planted.
//!
//! What cannot be planted in a test's time (tens of thousands of tables, a reboot for a static parameter) is in the checks'
//! own tests, over facts.

use std::collections::BTreeMap;

use crate::planted::{DEFECTS, HEALTHY, OPEN_SINCE, plant};
use anyhow::Result;
use pgleap_contract::Finding;
use step_tests::{DATABASE, OWNER, SOURCE, World, once_allowed, wait_for};

fn by_check(findings: &[Finding]) -> BTreeMap<&str, Vec<&str>> {
    let mut by_check: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for finding in findings {
        by_check.entry(finding.check.as_str()).or_default().push(finding.found.as_str());
    }
    by_check
}

#[tokio::test]
async fn each_of_forty_planted_defects_is_found_and_a_healthy_database_has_none() -> Result<()> {
    for major in [13, 15, 17] {
        let mut world = World::start(major).await?;
        world.configure_source().await?;
        world.owner().await?.run("fill", HEALTHY).await?;
        let open = world.rdsadmin(SOURCE, DATABASE).await?;
        open.batch_execute(&format!("SET application_name = '{OPEN_SINCE}'; BEGIN; SELECT 1")).await?;
        let healthy = check_database::run(world.as_step("check-database"), world.on_source()).await?;
        assert_eq!(healthy.findings.list, [], "{major}");

        let planted: Vec<_> = DEFECTS.iter().filter(|defect| defect.majors.contains(&major)).collect();
        for defect in &planted {
            plant(&world, defect).await?;
        }
        world.rdsadmin(SOURCE, "billing").await?.batch_execute("CREATE TABLE bills (id int)").await?;
        world.run.choices.as_of_snapshot_schemas = vec!["left_behind".to_owned(), "no_such_schema".to_owned()];
        let application = world.session(&world.source, OWNER, world.owner_password()).await?;
        wait_for("the reloaded setting", async || {
            let row = application.row("look", "SELECT current_setting('max_slot_wal_keep_size')", &[]).await?;
            Ok((row.get::<_, String>(0) == "1000MB").then_some(()))
        })
        .await?;

        let output = check_database::run(world.as_step("check-database"), world.on_source()).await?;

        let found = by_check(&output.findings.list);
        for defect in &planted {
            let said = found.get(defect.check).map(Vec::as_slice).unwrap_or_default();
            let times = said.iter().filter(|text| text.contains(defect.mentions)).count();
            assert_eq!(times, 1, "{major}: {} ({}) is not in {found:#?}", defect.check, defect.mentions);
        }
        let findings = output.findings.blockers + output.findings.warnings;
        assert_eq!(findings, planted.len(), "{major}: more was found than planted: {found:#?}");
        assert!(planted.len() >= 40, "{major}: {} defects are no forty", planted.len());
        drop((application, open));
    }
    Ok(())
}

#[tokio::test]
async fn defects_of_the_instance_and_its_name_are_found_and_a_healthy_one_has_none() -> Result<()> {
    let world = World::start_to(13, "17").await?;
    let healthy = check_instance::run(world.as_step("check-instance"), world.run_only()).await?;
    assert_eq!(healthy.findings.list, []);
    let rds = world.rds();
    let group = rds.create_db_parameter_group().db_parameter_group_name("ours").db_parameter_group_family("postgres13");
    group.description("shared").send().await?;
    for (name, retention) in [(SOURCE, 0), ("people", 1)] {
        if name != SOURCE {
            let create = rds.create_db_instance().db_instance_identifier(name).engine("postgres").engine_version("13");
            let create = create.db_instance_class("db.t3.medium").allocated_storage(20).master_username(OWNER);
            create.master_user_password(world.owner_password()).send().await?;
        }
        wait_for("an instance", async || {
            let answer = rds.describe_db_instances().db_instance_identifier(name).send().await?;
            Ok((answer.db_instances()[0].db_instance_status() == Some("available")).then_some(()))
        })
        .await?;
        let modify = rds.modify_db_instance().db_instance_identifier(name).db_parameter_group_name("ours");
        let modify = modify.backup_retention_period(retention).apply_immediately(true);
        once_allowed("a modification", async || modify.clone().send().await).await?;
    }
    wait_for("the modification", async || {
        let answer = rds.describe_db_instances().db_instance_identifier(SOURCE).send().await?;
        let source = &answer.db_instances()[0];
        Ok((source.db_instance_status() == Some("available") && source.backup_retention_period() == Some(0))
            .then_some(()))
    })
    .await?;
    assert!(world.aws.rds().announce_maintenance(SOURCE, "system-update"));
    world.add_record("reports.example.internal", &world.source.host).await?;

    let output = check_instance::run(world.as_step("check-instance"), world.run_only()).await?;

    let found = by_check(&output.findings.list);
    for (check, mentions) in [
        ("parameter-group-shared", "people"),
        ("no-backups", SOURCE),
        ("pending-maintenance", "system-update"),
        ("pending-parameters", SOURCE),
        ("other-record", "reports.example.internal"),
    ] {
        let said = found.get(check).map(Vec::as_slice).unwrap_or_default();
        assert!(said.len() == 1 && said[0].contains(mentions), "{check} ({mentions}) is not in {found:#?}");
    }
    assert_eq!(output.findings.list.len(), 5, "{found:#?}");
    Ok(())
}
