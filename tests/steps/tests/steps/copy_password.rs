//! Preflight says who could see the password with which the target connects to the source.

use anyhow::Result;
use pgleap_contract::CopyEngine;
use step_tests::{DATABASE, SOURCE, World};

#[tokio::test]
async fn whoever_could_read_the_copy_logins_password_is_named() -> Result<()> {
    let mut world = World::start(16).await?;
    world.run.copy.engine = CopyEngine::Native;
    let owner = world.owner().await?;
    owner.run("fill", "CREATE TABLE public.t (id int PRIMARY KEY)").await?;
    let found = async || -> Result<Vec<String>> {
        let output = check_database::run(world.as_step("check-database"), world.on_source()).await?;
        let of_password = |check: &str| check.starts_with("subscription-password");
        let list = output.findings.list.into_iter().filter(|finding| of_password(&finding.check));
        Ok(list.map(|finding| format!("{:?} {}: {}", finding.severity, finding.check, finding.found)).collect())
    };
    assert_eq!(found().await?, Vec::<String>::new());

    let admin = world.rdsadmin(SOURCE, DATABASE).await?;
    admin
        .batch_execute(
            "CREATE ROLE \"Reader\" LOGIN IN ROLE pg_read_all_data; CREATE ROLE no_login IN ROLE pg_read_all_data;
             ALTER DATABASE orders SET log_statement = 'all'",
        )
        .await?;

    let reader = "\"Reader\" is a member of pg_read_all_data and can therefore read the password of the run's copy login on the \
                  target until the run ends";
    let logged = "with log_statement = all, the target logs the password of the run's copy login, which can read the \
                  replicated tables until the run drops it at its end";
    let expected = [
        format!("Warning subscription-password-readable: {reader}"),
        format!("Warning subscription-password-logged: {logged}"),
    ];
    assert_eq!(found().await?, expected);
    Ok(())
}
