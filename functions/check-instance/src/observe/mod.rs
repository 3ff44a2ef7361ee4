//! Gathering the facts. A call that AWS refuses for good becomes a finding and the rest goes on, so that one report names
//! everything that is wrong; a call that may succeed at another attempt fails the step, which is tried again.

mod names;
mod rds;

pub(crate) use names::Look;

use std::time::{SystemTime, UNIX_EPOCH};

use pgleap_contract::{CopyEngine, Finding, Run};
use pgleap_rds::{EngineVersion, Rds};
use pgleap_record::Records;
use pgleap_step_kit::prelude::*;

use crate::dms;
use crate::facts::{Facts, Keys, Quota, Secret, Seen};
use crate::way;

/// Look at everything.
pub(crate) async fn observe(ctx: &Ctx, run: Run) -> StepResult<Facts> {
    let mut eyes = Eyes::default();
    let rds = Rds::new(ctx);
    let dns = Records::new(ctx);

    let source = eyes.thing(rds::instance(&rds, &run.source.instance).await)?;
    let versions: Vec<EngineVersion> = eyes.list(rds.versions().await)?;
    let way = match source.found() {
        Some(source) if !versions.is_empty() => Some(way::find(&versions, &source.version, &run.target.version)),
        _ => None,
    };
    let hops = way.clone().and_then(Result::ok).unwrap_or_default();
    let class = source.found().map(|source| source.class.clone()).unwrap_or_default();
    let mut class_not_orderable = Vec::new();
    for hop in &hops {
        let is_orderable = rds.is_orderable(&class, &hop.version).await.map(|is_orderable| is_orderable.then_some(()));
        if eyes.thing(is_orderable)? == Seen::Missing {
            class_not_orderable.push(hop.version.clone());
        }
    }
    let secret = eyes.thing(secret(ctx, &run.source.login_secret).await)?;
    let zone = eyes.thing(dns.zone(&run.record.zone_id).await)?;
    let records = match zone {
        Seen::Found(_) => eyes.list(dns.sets(&run.record).await)?,
        _ => Vec::new(),
    };
    let endpoint = source.found().and_then(|source| source.endpoint.as_ref());
    let other_records = match (&zone, endpoint) {
        (Seen::Found(_), Some((host, _port))) => eyes.list(dns.leading_to(&run.record, host).await)?,
        _ => Vec::new(),
    };
    let (mut group_shared_with, mut maintenance, mut proxies) = (Vec::new(), Vec::new(), Vec::new());
    if let Some(source) = source.found() {
        group_shared_with = eyes.list(rds::sharers(&rds, &source.parameter_group, &run.source.instance).await)?;
        maintenance = eyes.list(rds.maintenance(&source.arn).await)?;
        proxies = eyes.list(rds.proxies().await)?;
    }
    let families: Vec<&str> = hops.iter().map(|hop| hop.family.as_str()).collect();
    let mut taken = names::taken(ctx, &mut eyes, &rds, &run, &families).await?;
    let mut quotas: Vec<_> = eyes.list(rds.quotas().await)?.into_iter().map(|quota| Quota::of("RDS", quota)).collect();
    let mut of_dms = dms::Seen::default();
    if run.copy.candidates().contains(&CopyEngine::Dms) {
        of_dms = dms::observe(ctx, &mut eyes, &run).await?;
        taken.append(&mut of_dms.taken);
        quotas.append(&mut of_dms.quotas);
    }
    let unseen = eyes.unseen;
    Ok(Facts {
        run,
        unseen,
        source,
        way,
        class_not_orderable,
        dms: of_dms.offers,
        secret,
        zone,
        records,
        other_records,
        proxies,
        group_shared_with,
        maintenance,
        taken,
        quotas,
        keys: keys(),
        passable_roles: passable_roles(),
    })
}

/// The stack's parameters, which it gives to this function.
fn keys() -> Keys {
    let given = |name: &str| std::env::var(name).ok().filter(|arn| !arn.is_empty());
    Keys { storage: given("PGLEAP_STORAGE_KEY_ARN"), insights: given("PGLEAP_INSIGHTS_KEY_ARN") }
}

/// As above.
fn passable_roles() -> Vec<String> {
    let listed = std::env::var("PGLEAP_PASSABLE_ROLE_ARNS").unwrap_or_default();
    listed.split(',').filter(|arn| !arn.is_empty()).map(str::to_owned).collect()
}

/// What could not be seen.
#[derive(Default)]
pub(crate) struct Eyes {
    unseen: Vec<Finding>,
}

impl Eyes {
    /// A thing that may not exist.
    pub(crate) fn thing<T>(&mut self, answer: Result<Option<T>, AwsError>) -> StepResult<Seen<T>> {
        match answer {
            Ok(Some(thing)) => Ok(Seen::Found(thing)),
            Ok(None) => Ok(Seen::Missing),
            Err(error) => self.blind(error).map(|()| Seen::Unseen),
        }
    }

    /// A list; empty if it could not be seen.
    pub(crate) fn list<T>(&mut self, answer: Result<Vec<T>, AwsError>) -> StepResult<Vec<T>> {
        match answer {
            Ok(list) => Ok(list),
            Err(error) => self.blind(error).map(|()| Vec::new()),
        }
    }

    /// Those that exist.
    pub(crate) fn all<T>(&mut self, answers: Vec<Result<Option<T>, AwsError>>) -> StepResult<Vec<T>> {
        let mut found = Vec::new();
        for answer in answers {
            if let Seen::Found(thing) = self.thing(answer)? {
                found.push(thing);
            }
        }
        Ok(found)
    }

    fn blind(&mut self, mut error: AwsError) -> StepResult<()> {
        if error.is(Class::Throttled) || error.is(Class::Unavailable) {
            return Err(error.into());
        }
        let remedy = error.advice.take().unwrap_or_else(|| {
            let of_class = match error.class {
                Class::Denied => "allow the function this action (its policy is in infra/template.yaml)",
                _ => "correct what the error message from AWS names",
            };
            of_class.to_owned()
        });
        self.unseen.push(Finding::blocker("not-seen", error.to_string(), remedy));
        Ok(())
    }
}

async fn secret(ctx: &Ctx, id: &str) -> Result<Option<Secret>, AwsError> {
    Ok(ctx.describe_secret(id).await?.map(|secret| Secret {
        deleted: secret.is_being_deleted,
        rotates: secret.rotates,
        rotates_in: secret.next_rotation.map(|at| at.saturating_sub(now())),
    }))
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    i64::try_from(since).unwrap_or(i64::MAX)
}
