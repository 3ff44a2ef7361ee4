//! A subscription writes to the source and would follow to the copy; publications feed others who do not follow.

use pgleap_contract::Finding;

use crate::facts::Facts;

const SUBSCRIPTION: &str = "subscription";
const PUBLICATION: &str = "publication";

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !facts.subscriptions.is_empty() {
        let found = format!("the database subscribes to others: {}", facts.subscriptions.join(", "));
        findings.push(Finding::blocker(
            SUBSCRIPTION,
            found,
            "drop the subscription, make it anew on the target after the run",
        ));
    }
    if !facts.publications.is_empty() {
        let found = format!(
            "the database publishes: {}; subscribers do not follow to the target",
            facts.publications.join(", ")
        );
        findings.push(Finding::warning(PUBLICATION, found, "subscribe anew after the cutover"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use crate::checks::tests::assert_found;

    #[test]
    fn replication_with_others_is_found() {
        assert_found(|facts| facts.subscriptions = vec!["feed".to_owned()], &["b subscription"]);
        assert_found(|facts| facts.publications = vec!["feed".to_owned()], &["w publication"]);
    }
}
