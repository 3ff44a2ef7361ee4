//! Everything that the run creates, by the names that it will have.

use pgleap_contract::CopyEngine;
use pgleap_contract::steps::{Created, PlanRunInput};

use crate::dms;

const GIB: u64 = 1 << 30;

/// In the order in which it is created.
pub(crate) fn list(input: &PlanRunInput) -> Vec<Created> {
    let names = input.run.names();
    let shape = input.shape.as_ref();
    let storage = shape.map_or("the source's size".to_owned(), |shape| format!("{} GiB", shape.storage_gib));
    let class = shape.map_or("the source's class", |shape| shape.class.as_str());
    let gone = |kind: &str, name: String, size: String| Created { kind: kind.to_owned(), name, size, stays: false };
    let mut all = Vec::new();
    if !input.load.logical {
        all.push(Created { stays: true, ..gone("DB parameter group", names.source_parameter_group(), String::new()) });
    }
    let secrets = if input.run.fail_back.is_some() { "5" } else { "4" };
    all.push(gone("secrets", format!("pgleap/{}/..", input.run.id), secrets.to_owned()));
    if input.run.copy.engine == CopyEngine::Dms {
        all.extend(dms::created(input));
    }
    all.extend([
        gone("DB snapshot", names.snapshot(), format!("up to {storage}, {} GiB used", gib(input.size.bytes))),
        gone("DB parameter group", names.quiet_parameter_group(), String::new()),
        Created { stays: true, ..gone("DB instance", target(input), format!("{class}, {storage}")) },
    ]);
    for hop in input.way.iter().flat_map(|way| &way.hops) {
        let group = gone("DB parameter group", names.target_parameter_group(&hop.family), String::new());
        all.push(Created { stays: input.way.as_ref().and_then(|way| way.hops.last()) == Some(hop), ..group });
    }
    all.push(gone("schedule", names.deadline_schedule(), String::new()));
    if input.run.fail_back.is_some() {
        // Gone when nobody can fail back any more.
        for schedule in [names.fail_back_schedule(), names.closing_schedule()] {
            all.push(gone("schedule", schedule, String::new()));
        }
    }
    all
}

/// The target's name, as `start-run` settled it.
pub(crate) fn target(input: &PlanRunInput) -> String {
    input.run.target.instance.clone().unwrap_or_else(|| "the target".to_owned())
}

fn gib(bytes: u64) -> u64 {
    bytes.div_ceil(GIB)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::input;

    #[test]
    fn what_stays_is_the_target_and_the_two_groups_that_are_lived_with() {
        let created = list(&input());
        let stays: Vec<_> = created.iter().filter(|made| made.stays).map(|made| made.name.as_str()).collect();

        assert_eq!(stays, ["pgleap-r-source", "orders-v18", "pgleap-r-target-postgres18"]);
        assert!(created.iter().any(|made| made.size == "dms.t3.large, 50 GiB"), "{created:?}");
    }

    #[test]
    fn a_source_that_decodes_already_keeps_its_group() {
        let mut ready = input();
        ready.load.logical = true;

        assert!(!list(&ready).iter().any(|made| made.name == "pgleap-r-source"));
    }
}
