//! No copy engine carries large objects.
//! Source: AWS DMS user guide, "Using a PostgreSQL database as an AWS DMS source", limitations; PostgreSQL documentation,
//! "Logical Replication", "Restrictions".

use pgleap_contract::Finding;

use crate::facts::Facts;

const ID: &str = "large-objects";

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    if facts.large_objects == 0 {
        return Vec::new();
    }
    let found =
        format!("the database has {} large objects, and no copy engine carries their changes", facts.large_objects);
    vec![Finding::blocker(
        ID,
        found,
        "move their contents to bytea columns, or delete those that nobody uses (vacuumlo)",
    )]
}

#[cfg(test)]
mod tests {
    use crate::checks::tests::assert_found;

    #[test]
    fn large_objects_are_found() {
        assert_found(|facts| facts.large_objects = 2, &["b large-objects"]);
    }
}
