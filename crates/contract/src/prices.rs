//! A small table of prices: US dollars, Region us-east-1, on demand, Single-AZ. An estimate of an estimate: prices differ by Region
//! and change, and nothing here was asked of the Price List API.
//!
//! Source: public lists of AWS DMS prices (two of them disagree on dms.r5), AWS's pages of Step Functions and Lambda prices; RDS for
//! PostgreSQL as published in 2024 and 2025, not looked up again.

/// Of when the table is, and of where.
pub const DATE: &str = "2026-11, us-east-1";

/// An hour of an instance of size `large`; smaller and larger ones are multiples of it.
const LARGE: &[(&str, f64)] = &[
    ("db.t3", 0.145),
    ("db.t4g", 0.129),
    ("db.m5", 0.178),
    ("db.m6g", 0.159),
    ("db.m6i", 0.178),
    ("db.m7g", 0.168),
    ("db.r5", 0.25),
    ("db.r6g", 0.225),
    ("db.r6i", 0.25),
    ("db.r7g", 0.239),
    ("dms.t3", 0.144),
    ("dms.c5", 0.154),
    ("dms.c6i", 0.17),
    ("dms.r5", 0.252),
    ("dms.r6i", 0.252),
];

/// Sizes as multiples of `large`.
const SIZES: &[(&str, f64)] = &[
    ("micro", 0.125),
    ("small", 0.25),
    ("medium", 0.5),
    ("large", 1.0),
    ("xlarge", 2.0),
    ("2xlarge", 4.0),
    ("4xlarge", 8.0),
    ("8xlarge", 16.0),
    ("12xlarge", 24.0),
    ("16xlarge", 32.0),
    ("24xlarge", 48.0),
    ("32xlarge", 64.0),
];

/// A GiB of an instance's storage for a month.
pub const STORAGE_MONTH: f64 = 0.115;
/// The same of a snapshot.
pub const SNAPSHOT_MONTH: f64 = 0.095;
/// A secret for a month.
pub const SECRET_MONTH: f64 = 0.40;
/// Storage of a replication instance that its price includes, in GiB.
pub const DMS_INCLUDED_GIB: f64 = 50.0;
/// A transition of a state machine of the standard kind; the free ones of an account are not counted.
pub const TRANSITION: f64 = 0.025 / 1_000.0;
/// A call of a function.
pub const INVOCATION: f64 = 0.20 / 1_000_000.0;
/// A second of a function with one GB of memory on x86_64 (arm64 costs a fifth less).
pub const GIGABYTE_SECOND: f64 = 0.000_016_666_7;
/// By which a month's price is divided.
pub const HOURS_OF_A_MONTH: f64 = 730.0;

/// An hour of a class; `None`: not in the table.
pub fn hour(class: &str) -> Option<f64> {
    let (family, size) = class.rsplit_once('.')?;
    let large = LARGE.iter().find(|(name, _)| *name == family)?.1;
    let factor = SIZES.iter().find(|(name, _)| *name == size)?.1;
    Some(large * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_costs_a_multiple_of_its_familys_large_one() {
        for (class, usd) in
            [("dms.t3.medium", Some(0.072)), ("dms.r6i.2xlarge", Some(1.008)), ("db.x2g.large", None), ("db.m5", None)]
        {
            let found = hour(class).map(|usd| (usd * 1_000.0).round() / 1_000.0);

            assert_eq!(found, usd, "{class}");
        }
    }
}
