//! RDS Proxies and what they lead to.

use aws_sdk_rds::types::{DbProxy, DbProxyTarget};
use pgleap_step_kit::aws::{AwsError, Class, Doing};

use crate::Rds;

/// `EngineFamily` of the proxies that an RDS for PostgreSQL instance can have. The model says `POSTGRESQL`, and the example of the AWS
/// CLI shows `PostgreSQL`.
const FAMILY: &str = "POSTGRESQL";

/// A proxy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxy {
    /// Its name.
    pub name: String,
    /// The host that its clients use; none while it is being created.
    pub endpoint: Option<String>,
    /// What it leads to.
    pub targets: Vec<ProxyTarget>,
}

/// A database that a proxy leads to. AWS leaves out some of these in its own samples, so none of them alone identifies it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProxyTarget {
    /// Its ARN.
    pub arn: Option<String>,
    /// `RDS_INSTANCE`, or what a cluster is called.
    pub kind: Option<String>,
    /// Identifier of the instance or the cluster, despite its name on the wire (`RdsResourceId`).
    pub identifier: Option<String>,
    /// Its host.
    pub endpoint: Option<String>,
}

impl ProxyTarget {
    fn of(found: &DbProxyTarget) -> Self {
        Self {
            arn: found.target_arn.clone(),
            kind: found.r#type().map(|kind| kind.as_str().to_owned()),
            identifier: found.rds_resource_id.clone(),
            endpoint: found.endpoint.clone(),
        }
    }
}

impl Rds {
    /// All proxies for PostgreSQL of the account in this Region, with their targets.
    /// RDS cannot be asked for the proxies of an instance: neither operation has a filter.
    pub async fn proxies(&self) -> Result<Vec<Proxy>, AwsError> {
        let mut all = Vec::new();
        let mut pages = self.client.describe_db_proxies().into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.doing("describe all proxies of RDS")?;
            all.extend(page.db_proxies().iter().filter(|proxy| is_for_postgres(proxy)).filter_map(named));
        }
        for proxy in &mut all {
            proxy.targets = self.targets_of(&proxy.name).await?;
        }
        Ok(all)
    }

    /// None for a proxy that was deleted meanwhile: nothing leads from it.
    async fn targets_of(&self, proxy: &str) -> Result<Vec<ProxyTarget>, AwsError> {
        let mut all = Vec::new();
        let mut pages = self.client.describe_db_proxy_targets().db_proxy_name(proxy).into_paginator().send();
        while let Some(page) = pages.next().await {
            match page.doing(format!("describe targets of proxy {proxy}")) {
                Ok(page) => all.extend(page.targets().iter().map(ProxyTarget::of)),
                Err(error) if error.is(Class::NotFound) => return Ok(Vec::new()),
                Err(error) => return Err(error),
            }
        }
        Ok(all)
    }
}

fn is_for_postgres(found: &DbProxy) -> bool {
    found.engine_family().is_some_and(|family| family.eq_ignore_ascii_case(FAMILY))
}

fn named(found: &DbProxy) -> Option<Proxy> {
    Some(Proxy { name: found.db_proxy_name.clone()?, endpoint: found.endpoint.clone(), targets: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_family_of_a_proxy_is_read_in_capitals_or_not() {
        let cases = [
            (Some("POSTGRESQL"), true),
            (Some("PostgreSQL"), true),
            (Some("MYSQL"), false),
            (Some("SQLSERVER"), false),
            (None, false),
        ];
        for (family, expected) in cases {
            let proxy = DbProxy::builder().set_engine_family(family.map(str::to_owned)).build();
            assert_eq!(is_for_postgres(&proxy), expected, "{family:?}");
        }
    }
}
