//! What a run costs: the second instance and DMS's for as long as they are there, and crumbs.

use pgleap_contract::steps::{Cost, CostPart, PlanRunInput, PlannedPhase};
use pgleap_contract::{prices, replication_size};

/// For the length of the run; whoever keeps the source after it pays for both.
pub(crate) fn estimate(input: &PlanRunInput, phases: &[PlannedPhase]) -> Cost {
    let since = |name: &str| {
        let from = phases.iter().position(|phase| phase.name == name).unwrap_or(0);
        phases[from..].iter().map(|phase| phase.seconds).sum::<f64>() / 3_600.0
    };
    let (target_hours, replication_hours) = (since("copy the instance"), since("prepare the target"));
    let mut cost = Cost { usd: 0.0, parts: Vec::new(), prices_of: prices::DATE.to_owned(), unpriced: Vec::new() };
    let class = input.shape.as_ref().map_or("of the source's class", |shape| shape.class.as_str());
    hours(&mut cost, "target", class, target_hours);
    let replication = replication_size::class(input.run.replication.instance_class.as_deref(), &input.size);
    hours(&mut cost, "replication instance", replication, replication_hours);
    let gib_months = |gib: f64, hours: f64| gib * hours / prices::HOURS_OF_A_MONTH;
    let storage = input.shape.as_ref().map_or(0.0, |shape| f64::from(shape.storage_gib));
    let spare = f64::from(replication_size::storage_gib(&input.size)) - prices::DMS_INCLUDED_GIB;
    let used = input.size.bytes as f64 / f64::from(1 << 30);
    for (what, usd) in [
        ("storage of the target", gib_months(storage, target_hours) * prices::STORAGE_MONTH),
        ("storage of the replication instance", gib_months(spare.max(0.0), replication_hours) * prices::STORAGE_MONTH),
        ("snapshot", gib_months(used, target_hours) * prices::SNAPSHOT_MONTH),
        ("four secrets", 4.0 * target_hours / prices::HOURS_OF_A_MONTH * prices::SECRET_MONTH),
        ("a thousand transitions of the machine, functions", prices::TRANSITIONS),
    ] {
        add(&mut cost, what, usd);
    }
    cost.usd = (cost.usd * 100.0).round() / 100.0;
    cost
}

fn hours(cost: &mut Cost, what: &str, class: &str, hours: f64) {
    match prices::hour(class) {
        Some(usd) => add(cost, &format!("{what}: {hours:.1} h of {class} at {usd:.3} USD"), usd * hours),
        None => cost.unpriced.push(format!("{what}: {hours:.1} h of {class}")),
    }
}

fn add(cost: &mut Cost, what: &str, usd: f64) {
    cost.usd += usd;
    cost.parts.push(CostPart { what: what.to_owned(), usd });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::input;

    #[test]
    fn a_class_without_a_price_is_named_and_not_guessed() {
        let mut unknown = input();
        unknown.run.replication.instance_class = Some("dms.z9.large".to_owned());

        let cost = estimate(&unknown, &crate::plan(&unknown).phases);

        assert!(cost.unpriced.iter().any(|what| what.contains("dms.z9.large")), "{cost:?}");
        assert!(cost.parts.iter().any(|part| part.what.starts_with("target: ")), "{cost:?}");
    }
}
