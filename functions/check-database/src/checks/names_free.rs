//! The names that the run uses in the database are free: preflight runs before the run creates anything.

use pgleap_contract::Finding;

use crate::facts::Facts;

const ID: &str = "names-in-use";

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    if facts.leftovers.is_empty() {
        return Vec::new();
    }
    let found = format!("names that the run needs are already in use: {}", facts.leftovers.join(", "));
    vec![Finding::blocker(ID, found, "clean up after the earlier run that left them behind, or drop them")]
}

#[cfg(test)]
mod tests {
    use crate::checks::tests::assert_found;

    #[test]
    fn what_an_earlier_run_left_is_found() {
        assert_found(|facts| facts.leftovers = vec!["schema pgleap".to_owned()], &["b names-in-use"]);
    }
}
