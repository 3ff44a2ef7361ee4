//! A subscription writes to the source, and the copy would have it too. A publication feeds subscribers that do not follow to the target.

use pgleap_contract::Finding;

use crate::facts::Facts;

const SUBSCRIPTION: &str = "subscription";
const PUBLICATION: &str = "publication";

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !facts.subscriptions.is_empty() {
        let found = format!(
            "the database has subscriptions, which the copy would have too: {}",
            facts.subscriptions.join(", ")
        );
        findings.push(Finding::blocker(
            SUBSCRIPTION,
            found,
            "drop the subscription, and create it again on the target after the run",
        ));
    }
    if !facts.publications.is_empty() {
        let found = format!(
            "the database has publications: {}; their subscribers do not follow to the target",
            facts.publications.join(", ")
        );
        findings.push(Finding::warning(PUBLICATION, found, "create the subscriptions again after the cutover"));
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
