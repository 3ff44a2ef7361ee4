//! A stack that may pass the roles of a list passes no other.

use anyhow::{Context, Result};
use aws_sdk_rds::error::ProvideErrorMetadata;
use step_tests::{TARGET, World};

const LISTED: &str = "arn:aws:iam::111122223333:role/service-role/rds-monitoring-role";
const OTHER: &str = "arn:aws:iam::111122223333:role/admin";

/// There is no instance of that name: whoever may call is told so.
#[tokio::test]
async fn a_stack_that_was_given_roles_to_pass_passes_no_other() -> Result<()> {
    let world = World::start_to(15, "17").await?;
    world.aws.expect_refusal("iam:PassRole");
    let said = async |role: &str| -> Result<[String; 2]> {
        let rds = |step: &str| aws_sdk_rds::Client::new(world.as_step(step).aws());
        let feature = rds("upgrade-target").add_role_to_db_instance().db_instance_identifier(TARGET);
        let feature = feature.role_arn(role).feature_name("s3Import").send().await.err().context("no instance")?;
        let monitoring = rds("protect-target").modify_db_instance().db_instance_identifier(TARGET);
        let monitoring = monitoring.monitoring_interval(60).monitoring_role_arn(role).send().await;
        let monitoring = monitoring.err().context("no instance")?;
        Ok([feature.code().unwrap_or_default().to_owned(), monitoring.code().unwrap_or_default().to_owned()])
    };
    let (allowed, refused) = (["DBInstanceNotFound"; 2], ["AccessDenied"; 2]);

    assert_eq!(said(OTHER).await?, allowed);
    world.deploy_with(&[("PassableRoleArns", LISTED)])?;
    assert_eq!((said(LISTED).await?, said(OTHER).await?), (allowed.map(str::to_owned), refused.map(str::to_owned)));
    world.deploy_with(&[("PassableRoleArns", &format!("{OTHER},{LISTED}"))])?;
    assert_eq!((said(LISTED).await?, said(OTHER).await?), (allowed.map(str::to_owned), allowed.map(str::to_owned)));
    world.aws.stop().await;
    Ok(())
}
