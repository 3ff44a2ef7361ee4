//! What a run costs: amounts of what AWS bills, by a dated table of prices. Pure: the plan estimates the amounts, the
//! report counts them, and both show the same parts.

mod both_instances;

pub use both_instances::{BothInstances, both_instances};

use pgleap_contract::prices as table;
use pgleap_contract::steps::{Cost, CostPart};

/// What AWS bills of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Amounts<'a> {
    /// Whether amounts are estimated or counted, for people.
    pub basis: &'static str,
    /// Class of the target; `None` where nobody saw the source's.
    pub target_class: Option<&'a str>,
    /// In two zones, at twice the price.
    pub multi_az: bool,
    /// Hours for which the target is there within the run.
    pub target_hours: f64,
    /// Its storage in GiB.
    pub target_gib: f64,
    /// What the snapshot holds, in GiB, for as long as the target.
    pub snapshot_gib: f64,
    /// DMS's replication instance, if there is one.
    pub replication: Option<Replication<'a>>,
    /// Transitions of the state machine, retries among them.
    pub transitions: u64,
    /// Calls of functions.
    pub invocations: u64,
    /// Seconds of functions, each times its memory in GiB.
    pub gigabyte_seconds: f64,
}

/// A replication instance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Replication<'a> {
    /// The largest class that it had.
    pub class: &'a str,
    /// For which it is there.
    pub hours: f64,
    /// Of storage.
    pub gib: f64,
}

/// Logins of the run and its memory of the record.
const SECRETS: f64 = 5.0;

/// What that costs. A class without a price is named, not guessed.
pub fn cost(amounts: &Amounts<'_>) -> Cost {
    let mut cost = Cost {
        usd: 0.0,
        parts: Vec::new(),
        basis: amounts.basis.to_owned(),
        prices_of: table::DATE.to_owned(),
        unpriced: Vec::new(),
    };
    let zones = if amounts.multi_az { 2.0 } else { 1.0 };
    let class = amounts.target_class.unwrap_or("the source's class");
    hours(&mut cost, "target", class, amounts.target_hours, zones);
    let months = |hours: f64| hours / table::HOURS_OF_A_MONTH;
    if let Some(instance) = &amounts.replication {
        hours(&mut cost, "DMS replication instance", instance.class, instance.hours, 1.0);
        let spare = (instance.gib - table::DMS_INCLUDED_GIB).max(0.0);
        let usd = spare * months(instance.hours) * table::STORAGE_MONTH;
        add(&mut cost, "storage of the DMS replication instance", usd);
    }
    let Amounts { target_hours, transitions, invocations, gigabyte_seconds, .. } = amounts;
    let parts = [
        ("storage of the target", amounts.target_gib * months(*target_hours) * table::STORAGE_MONTH * zones),
        ("snapshot", amounts.snapshot_gib * months(*target_hours) * table::SNAPSHOT_MONTH),
        ("five secrets", SECRETS * months(*target_hours) * table::SECRET_MONTH),
    ];
    parts.into_iter().for_each(|(what, usd)| add(&mut cost, what, usd));
    add(
        &mut cost,
        &format!("Step Functions: {transitions} state transitions"),
        *transitions as f64 * table::TRANSITION,
    );
    add(
        &mut cost,
        &format!("Lambda: {invocations} calls, {gigabyte_seconds:.1} GB-s"),
        *invocations as f64 * table::INVOCATION + gigabyte_seconds * table::GIGABYTE_SECOND,
    );
    cost.usd = (cost.usd * 100.0).round() / 100.0;
    cost
}

fn hours(cost: &mut Cost, what: &str, class: &str, hours: f64, factor: f64) {
    match table::hour(class) {
        Some(usd) => {
            add(cost, &format!("{what}: {hours:.2} h of {class} at {:.3} USD", usd * factor), usd * factor * hours)
        }
        None => cost.unpriced.push(format!("{what}: {hours:.2} h of {class}")),
    }
}

fn add(cost: &mut Cost, what: &str, usd: f64) {
    cost.usd += usd;
    cost.parts.push(CostPart { what: what.to_owned(), usd });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amounts() -> Amounts<'static> {
        Amounts {
            basis: "estimate",
            target_class: Some("db.m6g.large"),
            multi_az: false,
            target_hours: 10.0,
            target_gib: 730.0,
            snapshot_gib: 0.0,
            replication: Some(Replication { class: "dms.t3.medium", hours: 5.0, gib: 50.0 }),
            transitions: 1_000,
            invocations: 1_000_000,
            gigabyte_seconds: 0.0,
        }
    }

    #[test]
    fn every_amount_has_its_price() {
        let cost = cost(&amounts());

        let part = |what: &str| cost.parts.iter().find(|part| part.what.starts_with(what)).expect(what).usd;
        let cents = |usd: f64| (usd * 100.0).round() / 100.0;
        assert_eq!(cents(part("target: ")), 1.59);
        assert_eq!(cents(part("DMS replication instance: ")), 0.36);
        assert_eq!(cents(part("storage of the target")), 1.15);
        assert_eq!(cents(part("storage of the DMS")), 0.0, "50 GiB are in its price");
        assert_eq!(cents(part("Step Functions: 1000")), 0.03);
        assert_eq!(cents(part("Lambda: 1000000")), 0.2);
        assert!((cost.usd - cost.parts.iter().map(|part| part.usd).sum::<f64>()).abs() < 0.006);
    }

    #[test]
    fn two_zones_cost_twice() {
        let twice = cost(&Amounts { multi_az: true, ..amounts() });

        assert!((twice.parts[0].usd - 2.0 * cost(&amounts()).parts[0].usd).abs() < 0.001);
    }

    #[test]
    fn a_class_without_a_price_is_named_and_not_guessed() {
        let replication = amounts().replication.map(|one| Replication { class: "dms.z9.large", ..one });
        let cost = cost(&Amounts { replication, target_class: None, ..amounts() });

        assert_eq!(
            cost.unpriced,
            ["target: 10.00 h of the source's class", "DMS replication instance: 5.00 h of dms.z9.large"]
        );
    }
}
