//! The plan's part about failing back: until when it would be possible, what it costs, and what it depends on.

use pgleap_contract::steps::{PlanRunInput, PlannedFailBack, PlannedPhase};
use pgleap_contract::{FailBack, Finding, Phase};
use pgleap_prices::BothInstances;

const STORAGE: &str = "fail-back-storage";
const BASIS: &str = "estimate: both instances for failBack.keepHours; list prices";
const GB: f64 = 1e9;
const GIB: f64 = 1_073_741_824.0;

/// None unless the input asks for it.
pub(crate) fn plan(input: &PlanRunInput, phases: &[PlannedPhase]) -> Option<PlannedFailBack> {
    let FailBack { keep_hours } = *input.run.fail_back.as_ref()?;
    let shape = input.shape.as_ref();
    let wal_gb = input.run.limits.max_retained_wal_gb;
    let (cost, extra_usd) = pgleap_prices::both_instances(&BothInstances {
        basis: BASIS,
        class: shape.map(|shape| shape.class.as_str()),
        multi_az: shape.is_some_and(|shape| shape.multi_az),
        gib: shape.map_or(0.0, |shape| f64::from(shape.storage_gib)),
        wal_gb: f64::from(wal_gb),
        hours: f64::from(keep_hours),
    });
    Some(PlannedFailBack {
        keep_hours,
        until_seconds: seconds_to_open(phases) + f64::from(keep_hours) * 3_600.0,
        usd_per_hour: cost.usd / f64::from(keep_hours),
        cost,
        extra_usd,
        needs: needs(wal_gb),
        stays: STAYS.map(str::to_owned).to_vec(),
        not_carried: NOT_CARRIED.map(str::to_owned).to_vec(),
    })
}

/// To the end of the cutover, which is OPEN.
fn seconds_to_open(phases: &[PlannedPhase]) -> f64 {
    let after = phases.iter().position(|phase| phase.name == Phase::Cutover.name()).map_or(phases.len(), |at| at + 1);
    phases[..after].iter().map(|phase| phase.seconds).sum()
}

fn needs(wal_gb: u32) -> Vec<String> {
    vec![
        "the source connects to the target: the target has the security groups of the source, and an inbound rule of one of \
         them must allow the address of the source on the port of the database"
            .to_owned(),
        format!(
            "the target needs free storage for {wal_gb} GB of WAL (limits.maxRetainedWalGb), which it keeps while the source \
             does not answer; beyond that, it removes the WAL, and failing back is no longer possible"
        ),
    ]
}

const STAYS: [&str; 2] = [
    "logical replication stays on in the target's parameter group (rds.logical_replication), because turning it off would take a \
     reboot; so do its limit of retained WAL and its room for one more replication slot",
    "the source stays fenced, and both instances are kept and cost money until you delete the source",
];

const NOT_CARRIED: [&str; 5] = [
    "a change of the schema on the target (DDL) stops the source at the next change of a row that it cannot apply, until you make \
     the same change on the source; if the source's version does not support it, failing back is no longer possible",
    "tables that are created on the target after the cutover do not exist on the source",
    "large objects that are written on the target are missing on the source",
    "roles, passwords, grants and settings that are created or changed on the target stay as they were on the source",
    "a restore or a major version upgrade of the target ends the replication to the source",
];

/// Storage that the database leaves free, against the WAL that the target may keep: the gate would open no target without it.
pub(crate) fn storage(input: &PlanRunInput) -> Option<Finding> {
    let (_, shape) = (input.run.fail_back.as_ref()?, input.shape.as_ref()?);
    let gib = shape.storage_gib.max(shape.storage_limit_gib.unwrap_or(0));
    let keeps = f64::from(input.run.limits.max_retained_wal_gb);
    let free = (f64::from(gib) * GIB - input.size.bytes as f64).max(0.0) / GB;
    if keeps <= free {
        return None;
    }
    let found = format!(
        "with failBack, the target may keep {keeps:.0} GB of WAL for the source, but the database leaves only about {free:.0} GB \
         of {gib} GiB of storage free"
    );
    let remedy = "increase the source's storage, or its limit of storage autoscaling; or lower limits.maxRetainedWalGb; or start the \
                  run without failBack, which does not need this";
    Some(Finding::blocker(STORAGE, found, remedy))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rates::Rates;
    use crate::tests::{GIB, input};

    fn with_fail_back(keep_hours: u32) -> PlanRunInput {
        let mut input = input();
        input.run.fail_back = Some(FailBack { keep_hours });
        input
    }

    #[test]
    fn a_plan_says_until_when_and_at_what_cost_everybody_could_return() {
        let (day, week) = (with_fail_back(24), with_fail_back(168));
        let planned = |input: &PlanRunInput| crate::plan(input, &Rates::default());
        let of = |input: &PlanRunInput| planned(input).fail_back.expect("it is asked for");

        assert_eq!(planned(&input()).fail_back, None);
        let (short, long) = (of(&day), of(&week));
        assert_eq!(long.until_seconds - short.until_seconds, 144.0 * 3_600.0);
        let run = planned(&day).seconds;
        assert!(short.until_seconds > 24.0 * 3_600.0 && short.until_seconds < 24.0 * 3_600.0 + run, "{short:?}");
        assert!((long.cost.usd - 7.0 * short.cost.usd).abs() < 0.05, "{} {}", long.cost.usd, short.cost.usd);
        assert!((short.usd_per_hour * 24.0 - short.cost.usd).abs() < 0.001);
        assert!(short.extra_usd > 0.4 * short.cost.usd && short.extra_usd < 0.7 * short.cost.usd, "{short:?}");
        assert!(short.needs.iter().any(|need| need.contains("50 GB of WAL")), "{:?}", short.needs);
        assert_eq!(planned(&day).cost, planned(&input()).cost, "the run itself costs the same");
    }

    #[test]
    fn too_little_storage_for_the_wal_that_the_target_may_keep_is_found() {
        let mut full = with_fail_back(72);
        full.size.bytes = 280 * GIB;

        assert_eq!(storage(&with_fail_back(72)), None);
        let found = storage(&full).expect("20 GiB are left").found;
        assert!(
            found.contains("keep 50 GB of WAL for the source, but the database leaves only about 21 GB"),
            "{found}"
        );
        let mut grows = full.clone();
        grows.shape.as_mut().expect("a shape").storage_limit_gib = Some(400);
        assert_eq!(storage(&grows), None);
        full.run.fail_back = None;
        assert_eq!(storage(&full), None);
    }
}
