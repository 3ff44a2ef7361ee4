//! The choice of the copy engine, if the input leaves it to the run: DMS if it has no blockers, because AWS supports it; otherwise
//! logical replication.

use pgleap_contract::steps::{Plan, PlanRunInput, PlannedEngine};
use pgleap_contract::{CopyEngine, Finding, Findings, Severity};

/// What was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) engine: CopyEngine,
    /// A sentence for people.
    pub(crate) why: String,
}

/// An engine with its blockers and what it would cost.
pub(crate) fn planned(input: &PlanRunInput, plan: &Plan) -> PlannedEngine {
    let found = [&input.instance, &input.database];
    let blockers = found.iter().map(|findings| blockers(findings, plan.engine)).sum::<usize>() + plan.findings.blockers;
    let is_of_engine =
        |finding: &&Finding| finding.engine == Some(plan.engine) && finding.severity == Severity::Blocker;
    let named = found.iter().flat_map(|findings| &findings.list).filter(is_of_engine);
    PlannedEngine {
        engine: plan.engine,
        blockers,
        blocked_by: named.take(PlannedEngine::NAMED).map(|one| format!("[{}] {}", one.check, one.found)).collect(),
        seconds: plan.seconds,
        outage_milliseconds: plan.outage.milliseconds,
        usd: plan.cost.usd,
    }
}

fn blockers(findings: &Findings, engine: CopyEngine) -> usize {
    let of_engine = findings.of_engines.iter().find(|counted| counted.engine == engine);
    findings.blockers + of_engine.map_or(0, |counted| counted.blockers)
}

/// The first one without a blocker of its own; where each has some, the one with the fewest.
pub(crate) fn choose(planned: &[PlannedEngine]) -> Choice {
    let fewest = planned.iter().map(|one| one.blockers).min().unwrap_or(0);
    let chosen = planned.iter().find(|one| one.blockers == fewest);
    let engine = chosen.map_or(CopyEngine::default(), |one| one.engine);
    let others: Vec<String> = planned
        .iter()
        .filter(|one| one.engine != engine && one.blockers > fewest)
        .map(|one| match one.blocked_by.first() {
            Some(first) => format!("{} has {} blocker(s), for example {first}", one.engine.traits().name, one.blockers),
            None => format!("{} has {} blocker(s)", one.engine.traits().name, one.blockers),
        })
        .collect();
    let why = match (planned.len(), &others[..]) {
        (0 | 1, _) => "the input asks for it".to_owned(),
        (_, []) => "no other engine has fewer blockers".to_owned(),
        (_, others) => others.join("; "),
    };
    Choice { engine, why }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(engine: CopyEngine, blockers: usize) -> PlannedEngine {
        let blocked_by = (0..blockers).map(|n| format!("[type] column {n}")).collect();
        PlannedEngine { engine, blockers, blocked_by, seconds: 1.0, outage_milliseconds: 1.0, usd: 1.0 }
    }

    #[test]
    fn dms_is_taken_where_nothing_is_in_its_way_and_else_native() {
        let cases = [
            (0, 0, CopyEngine::Dms, "no other engine has fewer blockers"),
            (0, 3, CopyEngine::Dms, "native has 3 blocker(s), for example [type] column 0"),
            (2, 0, CopyEngine::Native, "dms has 2 blocker(s), for example [type] column 0"),
            (2, 1, CopyEngine::Native, "dms has 2 blocker(s)"),
            (1, 1, CopyEngine::Dms, "no other engine has fewer blockers"),
        ];
        for (dms, native, engine, why) in cases {
            let choice = choose(&[planned(CopyEngine::Dms, dms), planned(CopyEngine::Native, native)]);

            assert_eq!(choice.engine, engine, "{dms} {native}");
            assert!(choice.why.starts_with(why), "{dms} {native}: {}", choice.why);
        }
        assert_eq!(choose(&[planned(CopyEngine::Native, 5)]).why, "the input asks for it");
    }
}
