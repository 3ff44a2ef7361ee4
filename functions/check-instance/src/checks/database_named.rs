//! The run knows which database it upgrades.

use pgleap_contract::Finding;

use crate::facts::Facts;

const ID: &str = "database-named";

pub(crate) fn check(facts: &Facts) -> Vec<Finding> {
    if facts.source.found().is_none() || facts.database().is_some() {
        return Vec::new();
    }
    let found = format!(
        "instance {} was created without a database name, so the run does not know what to upgrade",
        facts.run.source.instance
    );
    vec![Finding::blocker(ID, found, "name the database in source.database")]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::tests::{assert_found, instance};

    #[test]
    fn a_database_that_nobody_names_is_found() {
        assert_found(|facts| instance(facts).database = None, &["b database-named"]);
        let named = |facts: &mut Facts| {
            instance(facts).database = None;
            facts.run.source.database = Some("orders".to_owned());
        };
        assert_found(named, &[]);
    }
}
