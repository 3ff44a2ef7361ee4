//! The table mapping of the DMS task has room for everything that it must name individually.

use pgleap_contract::Finding;

use crate::facts::{Facts, Lists};

const ID: &str = "too-many-to-name";

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let lists = [
        ("schemas", facts.lists.schemas),
        ("partitioned, unlogged, foreign and extension tables", facts.lists.excluded_tables),
        ("generated columns", facts.lists.removed_columns),
    ];
    let too_long = lists.iter().filter(|(_, length)| *length > Lists::LONGEST);
    too_long
        .map(|(what, length)| {
            let found = format!(
                "the database has {length} {what}, and the table mapping of the DMS task may name at most {}",
                Lists::LONGEST
            );
            Finding::blocker(ID, found, "leave schemas out (choices.asOfSnapshotSchemas), or split the database first")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::tests::assert_found;

    #[test]
    fn a_list_that_does_not_fit_is_found() {
        assert_found(|facts| facts.lists.removed_columns = Lists::LONGEST, &[]);
        assert_found(|facts| facts.lists.removed_columns = Lists::LONGEST + 1, &["b too-many-to-name"]);
    }
}
