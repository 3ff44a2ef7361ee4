//! Schemas and databases that go live as of the snapshot: nothing is replicated there, in neither direction.
//! Source: `choices.asOfSnapshotSchemas` and `choices.asOfSnapshotDatabases` of the input.

use pgleap_contract::Finding;

use crate::facts::Facts;

const ID: &str = "fail-back-not-followed";

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let choices = &facts.run.choices;
    let of = |what: &str, names: &[String]| {
        if names.is_empty() {
            return None;
        }
        let found = format!(
            "the source does not follow {what} {} (failBack): they go live as of the snapshot, and what your applications write \
             to them on the target is missing after failing back",
            names.join(", ")
        );
        Some(Finding::warning(ID, found, "nothing to do if nobody writes to them"))
    };
    let schemas = of("the schemas", &choices.as_of_snapshot_schemas);
    schemas.into_iter().chain(of("the databases", &choices.as_of_snapshot_databases)).collect()
}

#[cfg(test)]
mod tests {
    use crate::checks::tests::assert_found_with_fail_back;

    #[test]
    fn what_goes_live_as_of_the_snapshot_is_named() {
        let name = || vec!["archive".to_owned()];
        assert_found_with_fail_back(
            |facts| {
                (facts.run.choices.as_of_snapshot_schemas, facts.schemas) = (name(), name());
            },
            &["w fail-back-not-followed"],
        );
    }
}
