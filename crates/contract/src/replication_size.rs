//! How large a replication instance a copy needs, where the operator does not say: for the step that makes it and for the plan.

use crate::steps::DatabaseSize;

const GIB: u64 = 1 << 30;

/// From this many tables on, the bookkeeping of tables weighs more than their bytes.
const MANY_TABLES: u64 = 5_000;

/// Upper bound of the database in GiB, and the class that serves it: memory doubles from step to step
/// (AWS documentation, DMS replication instance types). Assumed, not measured on AWS; an operator's own class wins.
const LADDER: &[(u64, &str)] = &[
    (10, "dms.t3.medium"),
    (100, "dms.t3.large"),
    (500, "dms.r6i.large"),
    (2_000, "dms.r6i.xlarge"),
    (8_000, "dms.r6i.2xlarge"),
];
const LARGEST: &str = "dms.r6i.4xlarge";

/// The class: the operator's, else by size.
pub fn class<'a>(wanted: Option<&'a str>, size: &DatabaseSize) -> &'a str {
    let by_bytes = || LADDER.iter().position(|(gib, _)| size.bytes <= gib * GIB).unwrap_or(LADDER.len());
    let least = if size.tables >= MANY_TABLES { 2 } else { 0 };
    wanted.unwrap_or_else(|| LADDER.get(by_bytes().max(least)).map_or(LARGEST, |(_, class)| class))
}

/// Storage in GiB: the instance keeps files of the load and changes that do not fit its memory. A fifth of the
/// database, between what every class includes and the service's maximum (AWS documentation, DMS quotas).
pub fn storage_gib(size: &DatabaseSize) -> i32 {
    i32::try_from((size.bytes / GIB / 5).clamp(50, 6_144)).expect("clamped")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_grows_with_bytes_and_tables_and_the_operators_word_wins() {
        let cases = [
            (None, 0, 1, "dms.t3.medium"),
            (None, 10 * GIB, 1, "dms.t3.medium"),
            (None, 10 * GIB + 1, 1, "dms.t3.large"),
            (None, GIB, 10_000, "dms.r6i.large"),
            (None, 1_000 * GIB, 10_000, "dms.r6i.xlarge"),
            (None, 60_000 * GIB, 1, "dms.r6i.4xlarge"),
            (Some("dms.c5.large"), 60_000 * GIB, 1, "dms.c5.large"),
        ];
        for (wanted, bytes, tables, expected) in cases {
            assert_eq!(
                class(wanted, &DatabaseSize { bytes, tables, sequences: 0 }),
                expected,
                "{bytes} bytes, {tables} tables"
            );
        }
    }

    #[test]
    fn storage_stays_within_what_dms_allows() {
        for (gib, expected) in [(0, 50), (250, 50), (1_000, 200), (1_000_000, 6_144)] {
            assert_eq!(storage_gib(&DatabaseSize { bytes: gib * GIB, tables: 1, sequences: 0 }), expected);
        }
    }
}
