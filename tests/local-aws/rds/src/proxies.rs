//! RDS Proxies: what RDS says of one. A test plants them; nothing listens behind an endpoint of theirs.

use local_aws_core::{ACCOUNT, ApiError, Call, REGION, Reply};
use serde_json::{Value, json};

use crate::errors;
use crate::names::{host_name, proxy_arn, proxy_host_name};
use crate::paging::{Filters, answer};
use crate::service::{Rds, Shared};
use crate::state::State;

/// AWS gives each proxy one group, and there is no way to another.
const ONLY_GROUP: &str = "default";

/// A proxy.
pub(crate) struct Proxy {
    name: String,
    /// Letters and digits of its ARN.
    resource_id: String,
    engine_family: String,
    created_at: f64,
    /// Identifiers of the instances that it leads to.
    targets: Vec<String>,
}

impl Rds {
    /// Let there be a proxy of this family (`POSTGRESQL`, `MYSQL`, `SQLSERVER`) with these instances as its targets, whether or not
    /// they exist. One of the same name is replaced.
    pub fn plant_proxy(&self, name: &str, engine_family: &str, instance_ids: &[&str]) {
        let proxy = Proxy {
            name: name.to_owned(),
            resource_id: format!("prx-{:017x}", fastrand::u64(..)),
            engine_family: engine_family.to_owned(),
            created_at: self.shared.now(),
            targets: instance_ids.iter().map(|id| (*id).to_owned()).collect(),
        };
        self.shared.state().proxies.insert(name.to_ascii_lowercase(), proxy);
    }
}

impl Shared {
    pub(crate) fn describe_proxies(&self, call: &Call) -> Reply {
        Filters::of(call, &[])?;
        let state = self.state();
        let found: Vec<Value> = match call.str("DBProxyName") {
            Some(name) => vec![proxy_json(state.proxy(name)?)],
            None => state.proxies.values().map(proxy_json).collect(),
        };
        answer(call, "DBProxies", found)
    }

    pub(crate) fn describe_proxy_targets(&self, call: &Call) -> Reply {
        Filters::of(call, &[])?;
        let state = self.state();
        let proxy = state.proxy(call.required("DBProxyName")?)?;
        if call.str("TargetGroupName").is_some_and(|group| group != ONLY_GROUP) {
            return Err(errors::proxy_target_group_not_found());
        }
        let targets = proxy.targets.iter().map(|id| target_json(id, self.around.port));
        answer(call, "Targets", targets.collect())
    }
}

impl State {
    fn proxy(&self, name: &str) -> Result<&Proxy, ApiError> {
        self.proxies.get(&name.to_ascii_lowercase()).ok_or_else(|| errors::proxy_not_found(name))
    }
}

fn proxy_json(proxy: &Proxy) -> Value {
    json!({
        "DBProxyName": proxy.name,
        "DBProxyArn": proxy_arn(&proxy.resource_id),
        "Status": "available",
        "EngineFamily": proxy.engine_family,
        "VpcId": "vpc-0a1b2c3d",
        "VpcSecurityGroupIds": ["sg-0a1b2c3d"],
        "VpcSubnetIds": ["subnet-0a1b2c3d", "subnet-1a2b3c4d"],
        "DefaultAuthScheme": "NONE",
        "Auth": [{
            "AuthScheme": "SECRETS",
            "SecretArn": format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{}-AbCdEf", proxy.name),
            "IAMAuth": "DISABLED",
        }],
        "RoleArn": format!("arn:aws:iam::{ACCOUNT}:role/{}", proxy.name),
        "Endpoint": proxy_host_name(&proxy.name),
        "RequireTLS": true,
        "IdleClientTimeout": 1800,
        "DebugLogging": false,
        "CreatedDate": proxy.created_at,
        "UpdatedDate": proxy.created_at,
    })
}

/// AWS's sample leaves out `TargetArn` of an instance, so nobody can count on it here either.
fn target_json(instance_id: &str, port: u16) -> Value {
    json!({
        "Endpoint": host_name(instance_id),
        "RdsResourceId": instance_id,
        "Port": port,
        "Type": "RDS_INSTANCE",
        "Role": "READ_WRITE",
        "TargetHealth": { "State": "AVAILABLE" },
    })
}
