//! Which of the names that the run will use in DMS are taken.

use aws_sdk_databasemigration as dms;
use aws_sdk_databasemigration::types::Filter;
use pgleap_step_kit::prelude::*;

use crate::facts::Taken;
use crate::observe::Look;

/// A look at each.
pub(super) async fn taken(dms: &dms::Client, run: &Run) -> Vec<Look> {
    let names = run.id.names();
    vec![
        replication_instance(dms, names.replication_instance()).await,
        task(dms, names.task()).await,
        endpoint(dms, names.source_endpoint()).await,
        endpoint(dms, names.target_endpoint()).await,
        subnet_group(dms, names.replication_subnet_group()).await,
    ]
}

fn by(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build().expect("name and value are given")
}

/// DMS shows no tags where it describes; a name that begins with the run's prefix is the run's or in its way all the same.
fn of_dms(kind: &'static str, name: String, found: bool) -> Option<Taken> {
    found.then_some(Taken { kind, name, ours: true })
}

async fn replication_instance(client: &dms::Client, name: String) -> Look {
    let answer = client.describe_replication_instances().filters(by("replication-instance-id", &name)).send().await;
    let found = answer.doing(format!("describe replication instance {name}")).optional()?;
    Ok(of_dms("replication instance", name, found.is_some_and(|found| !found.replication_instances().is_empty())))
}

async fn task(client: &dms::Client, name: String) -> Look {
    let answer = client
        .describe_replication_tasks()
        .filters(by("replication-task-id", &name))
        .without_settings(true)
        .send()
        .await;
    let found = answer.doing(format!("describe replication task {name}")).optional()?;
    Ok(of_dms("replication task", name, found.is_some_and(|found| !found.replication_tasks().is_empty())))
}

async fn endpoint(client: &dms::Client, name: String) -> Look {
    let answer = client.describe_endpoints().filters(by("endpoint-id", &name)).send().await;
    let found = answer.doing(format!("describe DMS endpoint {name}")).optional()?;
    Ok(of_dms("DMS endpoint", name, found.is_some_and(|found| !found.endpoints().is_empty())))
}

async fn subnet_group(client: &dms::Client, name: String) -> Look {
    let answer =
        client.describe_replication_subnet_groups().filters(by("replication-subnet-group-id", &name)).send().await;
    let found = answer.doing(format!("describe replication subnet group {name}")).optional()?;
    Ok(of_dms(
        "replication subnet group",
        name,
        found.is_some_and(|found| !found.replication_subnet_groups().is_empty()),
    ))
}
