//! The names that the run will use are free. Otherwise, the run could take a leftover of an earlier run with the same ID for its
//! own, for example a month-old snapshot for the current state of the source.

use pgleap_contract::Finding;

use crate::facts::Facts;

const ID: &str = "names-free";

pub(crate) fn check(facts: &Facts) -> Vec<Finding> {
    let kept = facts.run.names().source_parameter_group();
    // An earlier run with this ID left this group to the source, or it is about to be attached.
    let in_the_way =
        facts.taken.iter().filter(|taken| !(taken.ours && taken.kind == "parameter group" && taken.name == kept));
    in_the_way
        .map(|taken| {
            let (kind, name) = (taken.kind, &taken.name);
            let whose = if taken.ours {
                "was left behind by an earlier run with this ID"
            } else {
                "does not belong to this run"
            };
            Finding::blocker(
                ID,
                format!("{kind} {name} already exists and {whose}"),
                "delete it, or choose another runId or target.instance",
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::checks::tests::assert_found;
    use crate::facts::Taken;

    fn taken(kind: &'static str, name: &str, ours: bool) -> Vec<Taken> {
        vec![Taken { kind, name: name.to_owned(), ours }]
    }

    #[test]
    fn a_name_in_use_is_found_but_for_the_group_that_a_source_keeps() {
        assert_found(|facts| facts.taken = taken("instance", "orders-v17", false), &["b names-free"]);
        assert_found(|facts| facts.taken = taken("snapshot", "pgleap-r-snapshot", true), &["b names-free"]);
        assert_found(|facts| facts.taken = taken("parameter group", "pgleap-r-source", false), &["b names-free"]);
        assert_found(|facts| facts.taken = taken("parameter group", "pgleap-r-source", true), &[]);
    }
}
