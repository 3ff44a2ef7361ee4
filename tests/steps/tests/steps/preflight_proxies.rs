//! What preflight says of RDS Proxies: those of the source are named, whatever else the account has.

use anyhow::Result;
use pgleap_contract::{Finding, Severity};
use step_tests::{RECORD, SOURCE, World};

async fn look(world: &World) -> Result<Vec<Finding>> {
    Ok(check_instance::run(world.as_step("check-instance"), world.run_only()).await?.findings.list)
}

fn calls(world: &World, operation: &str) -> usize {
    world.aws.calls().since(0).iter().filter(|call| call.operation == operation).count()
}

#[tokio::test]
async fn a_proxy_of_the_source_is_named_with_its_endpoint_and_what_to_do() -> Result<()> {
    let world = World::start_to(15, "17").await?;
    let rds = world.aws.rds();
    rds.plant_proxy("people-pool", "POSTGRESQL", &["people"]);
    rds.plant_proxy("empty-pool", "POSTGRESQL", &[]);
    assert_eq!(look(&world).await?, []);

    rds.plant_proxy("orders-pool", "POSTGRESQL", &[SOURCE]);
    let found = look(&world).await?;

    let [proxy] = &found[..] else { panic!("{found:#?}") };
    assert_eq!((proxy.check.as_str(), proxy.severity), ("proxy", Severity::Warning));
    let names = "RDS Proxy orders-pool (orders-pool.proxy-cpgleaplocal.eu-west-1.rds.amazonaws.com) has the source as its target. ";
    assert!(proxy.found.starts_with(names), "{}", proxy.found);
    let first = format!("before the run, let these clients connect to {RECORD} directly. ");
    assert!(proxy.remedy.starts_with(&first), "{}", proxy.remedy);
    assert!(proxy.remedy.contains("Do not change the targets of orders-pool during the run"), "{}", proxy.remedy);
    world.aws.stop().await;
    Ok(())
}

/// An account may have more proxies than a page, and a proxy more targets. Proxies of other engines are not asked for theirs.
#[tokio::test]
async fn a_proxy_is_found_on_the_second_page_and_its_target_too() -> Result<()> {
    let world = World::start_to(15, "17").await?;
    let rds = world.aws.rds();
    (0..120).for_each(|n| rds.plant_proxy(&format!("a-{n:03}"), "MYSQL", &[SOURCE]));
    let others: Vec<_> = (0..100).map(|n| format!("other-{n}")).collect();
    let targets: Vec<_> = others.iter().map(String::as_str).chain([SOURCE]).collect();
    rds.plant_proxy("wide", "PostgreSQL", &targets);

    let found = look(&world).await?;

    let [proxy] = &found[..] else { panic!("{found:#?}") };
    assert!(proxy.check == "proxy" && proxy.found.contains("RDS Proxy wide ("), "{proxy:?}");
    assert_eq!((calls(&world, "DescribeDBProxies"), calls(&world, "DescribeDBProxyTargets")), (2, 2));
    world.aws.stop().await;
    Ok(())
}

/// It was deleted after it was listed, or it has no target: RDS has an error for each.
#[tokio::test]
async fn a_proxy_that_leads_nowhere_is_no_finding() -> Result<()> {
    let world = World::start_to(15, "17").await?;
    world.aws.rds().plant_proxy("orders-pool", "POSTGRESQL", &[SOURCE]);

    for code in ["DBProxyNotFoundFault", "DBProxyTargetGroupNotFoundFault", "DBProxyTargetNotFoundFault"] {
        let gone = format!("rds:DescribeDBProxyTargets:1:error={code},404,Requested resource not found");
        world.aws.faults().plan(gone.parse()?);
        assert_eq!(look(&world).await?, [], "{code}");
    }
    world.aws.stop().await;
    Ok(())
}

#[tokio::test]
async fn proxies_that_cannot_be_seen_are_one_finding() -> Result<()> {
    let world = World::start_to(15, "17").await?;
    ["one", "two"].iter().for_each(|name| world.aws.rds().plant_proxy(name, "POSTGRESQL", &[SOURCE]));

    for (operation, effect, doing) in [
        ("DescribeDBProxies", "deny", "describe all proxies of RDS"),
        ("DescribeDBProxyTargets", "deny", "describe targets of proxy one"),
        (
            "DescribeDBProxyTargets",
            "error=InvalidDBProxyStateFault,400,DBProxy is deleting",
            "describe targets of proxy one",
        ),
    ] {
        world.aws.faults().plan(format!("rds:{operation}:1:{effect}").parse()?);
        let found = look(&world).await?;
        let [unseen] = &found[..] else { panic!("{operation}: {found:#?}") };
        assert_eq!((unseen.check.as_str(), unseen.severity), ("not-seen", Severity::Blocker));
        assert!(unseen.found.starts_with(doing), "{unseen:?}");
    }
    assert_eq!(look(&world).await?.len(), 2);
    world.aws.stop().await;
    Ok(())
}
