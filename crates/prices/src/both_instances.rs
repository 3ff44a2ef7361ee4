//! What source and target cost while the source follows the target, so that everybody could return to it.

use pgleap_contract::prices as table;
use pgleap_contract::steps::Cost;

use crate::{SECRETS, add, hours};

/// Two instances of the same kind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BothInstances<'a> {
    /// Whether amounts are estimated or counted, for people.
    pub basis: &'static str,
    /// Of each; `None` where nobody saw the source's.
    pub class: Option<&'a str>,
    /// In two zones, at twice the price.
    pub multi_az: bool,
    /// Storage of each, in GiB.
    pub gib: f64,
    /// The most WAL that the target keeps for the source, in GB (10^9 bytes).
    pub wal_gb: f64,
    /// For so long.
    pub hours: f64,
}

const BYTES_OF_GB: f64 = 1e9;
const BYTES_OF_GIB: f64 = 1_073_741_824.0;

/// The cost of both, and how much of it is not the target's own.
pub fn both_instances(kept: &BothInstances<'_>) -> (Cost, f64) {
    let mut cost = Cost {
        usd: 0.0,
        parts: Vec::new(),
        basis: kept.basis.to_owned(),
        prices_of: table::DATE.to_owned(),
        unpriced: Vec::new(),
    };
    let zones = if kept.multi_az { 2.0 } else { 1.0 };
    let months = kept.hours / table::HOURS_OF_A_MONTH;
    let storage = |gib: f64| gib * months * table::STORAGE_MONTH * zones;
    let class = kept.class.unwrap_or("the source's class");
    hours(&mut cost, "target", class, kept.hours, zones);
    add(&mut cost, "storage of the target", storage(kept.gib));
    let own = cost.usd;
    hours(&mut cost, "source", class, kept.hours, zones);
    add(&mut cost, "storage of the source", storage(kept.gib));
    let wal = format!("storage of the target for WAL, if it grows by all of {} GB", kept.wal_gb);
    add(&mut cost, &wal, storage(kept.wal_gb * BYTES_OF_GB / BYTES_OF_GIB));
    add(&mut cost, "five secrets", SECRETS * months * table::SECRET_MONTH);
    let cents = |usd: f64| (usd * 100.0).round() / 100.0;
    let extra = cents(cost.usd - own);
    cost.usd = cents(cost.usd);
    (cost, extra)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEPT: BothInstances<'static> = BothInstances {
        basis: "estimate",
        class: Some("db.m6g.large"),
        multi_az: false,
        gib: 730.0,
        wal_gb: 50.0,
        hours: 100.0,
    };

    #[test]
    fn both_are_paid_for_and_all_but_the_target_is_extra() {
        let (cost, extra) = both_instances(&KEPT);

        let part = |what: &str| cost.parts.iter().find(|part| part.what.starts_with(what)).expect(what).usd;
        let cents = |usd: f64| (usd * 100.0).round() / 100.0;
        for (what, usd) in [
            ("target: 100.00 h of db.m6g.large", 15.9),
            ("source: 100.00 h of db.m6g.large", 15.9),
            ("storage of the target", 11.5),
            ("storage of the source", 11.5),
            ("storage of the target for WAL, if it grows by all of 50 GB", 0.73),
            ("five secrets", 0.27),
        ] {
            assert_eq!(cents(part(what)), usd, "{what}");
        }
        assert_eq!((cost.usd, extra), (55.81, 28.41));
        let (twice, _) = both_instances(&BothInstances { multi_az: true, ..KEPT });
        assert!((twice.usd - 2.0 * cost.usd + 0.27).abs() < 0.02, "{} {}", twice.usd, cost.usd);
    }

    #[test]
    fn a_class_without_a_price_is_named_and_not_guessed() {
        let (cost, _) = both_instances(&BothInstances { class: None, ..KEPT });

        let unpriced = ["target: 100.00 h of the source's class", "source: 100.00 h of the source's class"];
        assert_eq!(cost.unpriced, unpriced);
    }
}
