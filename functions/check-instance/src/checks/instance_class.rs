//! The source's instance class can be ordered with every version on the upgrade path: old classes cannot.
//! Source: Amazon RDS user guide, "Supported DB engines for DB instance classes".

use pgleap_contract::Finding;

use crate::facts::Facts;

const ID: &str = "instance-class";

pub(crate) fn check(facts: &Facts) -> Vec<Finding> {
    let Some(instance) = facts.source.found().filter(|_| !facts.class_not_orderable.is_empty()) else {
        return Vec::new();
    };
    let found = format!(
        "instance class {} cannot be ordered with PostgreSQL {}",
        instance.class,
        facts.class_not_orderable.join(", ")
    );
    vec![Finding::blocker(ID, found, "change the source to a newer instance class first")]
}

#[cfg(test)]
mod tests {
    use crate::checks::tests::assert_found;

    #[test]
    fn a_class_that_the_new_version_does_not_take_is_found() {
        assert_found(|facts| facts.class_not_orderable = vec!["17.4".to_owned()], &["b instance-class"]);
    }
}
