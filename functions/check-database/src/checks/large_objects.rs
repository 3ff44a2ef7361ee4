//! Large objects are carried by nobody.
//! Source: AWS DMS user guide, "Using a PostgreSQL database as an AWS DMS source", limitations; PostgreSQL documentation,
//! "Logical Replication", "Restrictions".

use pgleap_contract::Finding;

use crate::facts::Facts;

const ID: &str = "large-objects";

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    if facts.large_objects == 0 {
        return Vec::new();
    }
    let found = format!("there are {} large objects, whose changes no copy engine carries", facts.large_objects);
    vec![Finding::blocker(
        ID,
        found,
        "keep their contents in bytea columns, or remove those that nobody uses (vacuumlo)",
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
