//! Check the instance before anything is changed: find everything in AWS that would make the run fail.
//!
//! Changes:      nothing
//! Repeatable:   yes
//! If it dies:   nothing has happened
//!
//! First all facts are gathered (`observe`); what could not be seen is itself a finding. Then every check of `checks`
//! judges the facts. A new check is one file there and one line in its list.

mod checks;
mod dms;
mod facts;
mod observe;
mod versions;
mod way;

use pgleap_contract::steps::{CheckInstanceOutput, InstanceShape, RunOnly, UpgradeWay};
use pgleap_contract::{Findings, Server};
use pgleap_step_kit::prelude::*;

use facts::Facts;

/// Gather, judge, answer.
pub async fn run(ctx: &Ctx, input: RunOnly) -> StepResult<CheckInstanceOutput> {
    let facts = observe::observe(ctx, input.run).await?;
    let mut findings = facts.unseen.clone();
    findings.extend(checks::judge(&facts));
    for finding in &findings {
        tracing::info!(check = finding.check, severity = ?finding.severity, found = finding.found, "finding");
    }
    Ok(CheckInstanceOutput {
        findings: Findings::collect(findings),
        source: server(&facts),
        way: way(&facts),
        shape: shape(&facts),
    })
}

fn server(facts: &Facts) -> Option<Server> {
    let instance = facts.source.found()?;
    let (host, port) = instance.endpoint.clone()?;
    let storage_gib = Some(instance.storage_gib.max(instance.storage_grows_to).unsigned_abs());
    Some(Server { host, port, database: facts.database()?.to_owned(), storage_gib })
}

fn shape(facts: &Facts) -> Option<InstanceShape> {
    let instance = facts.source.found()?;
    let ttl = facts.records.iter().filter_map(|member| member.ttl).max().unwrap_or(0);
    Some(InstanceShape {
        class: instance.class.clone(),
        storage_gib: instance.storage_gib.unsigned_abs(),
        storage_limit_gib: (instance.storage_grows_to > instance.storage_gib)
            .then_some(instance.storage_grows_to.unsigned_abs()),
        multi_az: instance.multi_az,
        backups: instance.backup_days > 0,
        ttl_seconds: u32::try_from(ttl).unwrap_or(0),
        rotates_in_seconds: facts.secret.found().filter(|secret| secret.rotates).and_then(|secret| secret.rotates_in),
    })
}

fn way(facts: &Facts) -> Option<UpgradeWay> {
    let instance = facts.source.found()?;
    Some(UpgradeWay {
        from: instance.version.clone(),
        hops: facts.way.as_ref()?.as_ref().ok()?.clone(),
        dms_engine_version: dms::pick(facts).map(|offer| offer.version.to_string()),
        subnet_ids: instance.subnets.iter().map(|subnet| subnet.id.clone()).collect(),
        security_group_ids: instance.security_groups.clone(),
    })
}
