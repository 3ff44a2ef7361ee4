//! RDS supports an upgrade path to the requested version.

use pgleap_contract::Finding;

use crate::facts::Facts;

const ID: &str = "upgrade-way";

pub(crate) fn check(facts: &Facts) -> Vec<Finding> {
    match &facts.way {
        Some(Err(reason)) => vec![Finding::blocker(ID, reason, "choose another target.version")],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use crate::checks::tests::assert_found;

    #[test]
    fn a_version_that_cannot_be_reached_is_found() {
        assert_found(|facts| facts.way = Some(Err("no chain".to_owned())), &["b upgrade-way"]);
    }
}
