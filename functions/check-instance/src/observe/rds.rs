//! What RDS says, as far as checks judge it.

use pgleap_rds::Rds;
use pgleap_step_kit::prelude::*;

use crate::facts::{Instance, Subnet};

pub(super) async fn instance(rds: &Rds, name: &str) -> Result<Option<Instance>, AwsError> {
    Ok(rds.instance(name).await?.map(plain))
}

fn plain(found: pgleap_rds::Instance) -> Instance {
    let mut replicas = found.replicas;
    replicas.extend(found.cluster_replicas);
    let group = found.parameter_group.unwrap_or_default();
    Instance {
        status: found.status,
        engine: found.engine,
        version: found.version,
        class: found.class,
        database: found.database,
        endpoint: found.endpoint.map(|endpoint| (endpoint.host, endpoint.port)),
        replica_of: found.replica_of,
        cluster: found.cluster,
        replicas,
        pending: found.pending.names.iter().map(|name| (*name).to_owned()).collect(),
        parameters: group.status,
        subnets: found.subnets.into_iter().map(|subnet| Subnet { id: subnet.id, zone: subnet.zone }).collect(),
        security_groups: found.security_groups,
        managed_secret: found.managed_secret,
        iam_authentication: found.iam_authentication,
        arn: found.arn.unwrap_or_default(),
        parameter_group: group.name,
        backup_days: found.backup_days,
        multi_az: found.multi_az,
        storage_gib: found.storage_gib.unwrap_or(0),
        storage_grows_to: found.grows_to_gib.unwrap_or(0),
        storage_key: found.storage_key,
        insights_key: found.insights.key.filter(|_| found.insights.enabled),
        feature_roles: found.roles.into_iter().map(|role| role.arn).collect(),
        monitoring_role: found.monitoring.role.filter(|_| found.monitoring.interval > 0),
    }
}

/// Other instances with a parameter group. A default group is everybody's.
pub(super) async fn sharers(rds: &Rds, group: &str, of: &str) -> Result<Vec<String>, AwsError> {
    if group.is_empty() || group.starts_with("default.") {
        return Ok(Vec::new());
    }
    let mut names = rds.instances_with_group(group).await?;
    names.retain(|name| name != of);
    Ok(names)
}
