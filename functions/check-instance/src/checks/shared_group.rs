//! The run does not change the source's parameter group. It attaches a copy, which no longer follows changes of a shared group.

use pgleap_contract::Finding;

use crate::facts::Facts;

const ID: &str = "parameter-group-shared";
/// How many sharers are named.
const NAMED: usize = 5;

pub(crate) fn check(facts: &Facts) -> Vec<Finding> {
    let Some(instance) = facts.source.found().filter(|_| !facts.group_shared_with.is_empty()) else {
        return Vec::new();
    };
    let named: Vec<_> = facts.group_shared_with.iter().take(NAMED).map(String::as_str).collect();
    let more = facts.group_shared_with.len() - named.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let found = format!(
        "{} is also the parameter group of {}{more}; the source and the target get copies, which do not follow its later changes",
        instance.parameter_group,
        named.join(", ")
    );
    vec![Finding::warning(ID, found, "make later changes in the run's groups too")]
}

#[cfg(test)]
mod tests {
    use crate::checks::tests::assert_found;

    #[test]
    fn a_group_that_serves_others_is_found() {
        assert_found(|facts| facts.group_shared_with = vec!["people".to_owned()], &["w parameter-group-shared"]);
    }
}
