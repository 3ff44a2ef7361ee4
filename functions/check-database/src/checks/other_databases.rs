//! The run carries only one database of an instance. The others go live as they were at the snapshot, and the operator must accept
//! this by name. An empty database needs no consent.

use pgleap_contract::Finding;

use crate::facts::Facts;

const ID: &str = "other-database";
const INVALID: &str = "invalid-database";
const UNKNOWN: &str = "accepted-but-unknown";

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let accepted = &facts.run.choices.as_of_snapshot_databases;
    let mut findings = Vec::new();
    for other in &facts.others {
        if other.invalid {
            // Source: Amazon RDS user guide, "Performing a major version upgrade", invalid databases.
            let found = format!("database {} is invalid, which stops the upgrade of the copy", other.name);
            findings.push(Finding::blocker(INVALID, found, format!("DROP DATABASE \"{}\"", other.name)));
        } else if !accepted.contains(&other.name) && other.tables != Some(0) {
            let holds = other
                .tables
                .map_or("into which the login cannot look".to_owned(), |tables| format!("with {tables} table(s)"));
            let found =
                format!("there is another database {} {holds}; it would go live as it was at the snapshot", other.name);
            let remedy = "if you accept that, name the database in choices.asOfSnapshotDatabases";
            findings.push(Finding::blocker(ID, found, remedy));
        }
    }
    for name in accepted.iter().filter(|name| !facts.others.iter().any(|other| other.name == **name)) {
        let found =
            format!("choices.asOfSnapshotDatabases names {name}, but the instance has no other database of this name");
        findings.push(Finding::warning(UNKNOWN, found, "correct the name"));
    }
    for name in facts.run.choices.as_of_snapshot_schemas.iter().filter(|name| !facts.schemas.contains(name)) {
        let found = format!(
            "choices.asOfSnapshotSchemas names {name}, but database {} has no schema of this name",
            facts.database
        );
        findings.push(Finding::warning(UNKNOWN, found, "correct the name"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::tests::assert_found;

    use crate::facts::OtherDatabase;

    fn other(tables: Option<i64>, invalid: bool) -> Vec<OtherDatabase> {
        vec![OtherDatabase { name: "billing".to_owned(), invalid, tables }]
    }

    #[test]
    fn a_database_that_would_stay_behind_is_found() {
        assert_found(|facts| facts.others = other(Some(3), false), &["b other-database"]);
        assert_found(|facts| facts.others = other(None, false), &["b other-database"]);
        assert_found(|facts| facts.others = other(Some(0), false), &[]);
        assert_found(|facts| facts.others = other(None, true), &["b invalid-database"]);
    }

    #[test]
    fn one_that_is_accepted_by_name_is_not() {
        let accepted = |facts: &mut Facts| {
            facts.others = other(Some(3), false);
            facts.run.choices.as_of_snapshot_databases = vec!["billing".to_owned()];
        };
        assert_found(accepted, &[]);
        assert_found(
            |facts| facts.run.choices.as_of_snapshot_databases = vec!["bling".to_owned()],
            &["w accepted-but-unknown"],
        );
        assert_found(
            |facts| facts.run.choices.as_of_snapshot_schemas = vec!["shpo".to_owned()],
            &["w accepted-but-unknown"],
        );
    }
}
