//! Event triggers come along and fire on what the run does to the copy.

use pgleap_contract::Finding;

use crate::facts::Facts;

const ID: &str = "event-trigger";

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    if facts.event_triggers.is_empty() {
        return Vec::new();
    }
    let found = format!("event triggers would fire on what the run does: {}", facts.event_triggers.join(", "));
    vec![Finding::warning(ID, found, "make sure that they do not refuse the owner's own statements")]
}

#[cfg(test)]
mod tests {
    use crate::checks::tests::assert_found;

    #[test]
    fn an_event_trigger_is_found() {
        assert_found(|facts| facts.event_triggers = vec!["no_ddl".to_owned()], &["w event-trigger"]);
    }
}
