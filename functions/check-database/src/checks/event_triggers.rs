//! Event triggers stop the upgrade of the copy: RDS requires a database without them.
//! Source: Amazon RDS user guide, "Event triggers for RDS for PostgreSQL".

use pgleap_contract::Finding;

use crate::facts::Facts;

const ID: &str = "event-trigger";

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    if facts.event_triggers.is_empty() {
        return Vec::new();
    }
    let found = format!("event triggers stop the upgrade of the copy: {}", facts.event_triggers.join(", "));
    let remedy = "save their definitions (pg_dump includes them), drop them before the run, and create them again on the target after it";
    vec![Finding::blocker(ID, found, remedy)]
}

#[cfg(test)]
mod tests {
    use crate::checks::tests::assert_found;

    #[test]
    fn an_event_trigger_is_found() {
        assert_found(|facts| facts.event_triggers = vec!["no_ddl".to_owned()], &["b event-trigger"]);
    }
}
