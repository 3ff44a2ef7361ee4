//! The functions may use the source's KMS keys. A snapshot that is encrypted with a customer managed key cannot be restored without
//! this permission. RDS does not show whether a key is AWS managed and needs none; only a key ARN of another account proves it is not.
//! Source: Amazon RDS API reference, DBInstance, KmsKeyId, PerformanceInsightsKMSKeyId; service authorization reference,
//! RestoreDBInstanceFromDBSnapshot and ModifyDBInstance.

use pgleap_contract::Finding;

use crate::facts::{Facts, Instance};

const ID: &str = "storage-key";
const INSIGHTS: &str = "insights-key";

pub(crate) fn check(facts: &Facts) -> Vec<Finding> {
    let Some(instance) = facts.source.found() else { return Vec::new() };
    storage(facts, instance).into_iter().chain(insights(facts, instance)).collect()
}

fn storage(facts: &Facts, instance: &Instance) -> Option<Finding> {
    let key = instance.storage_key.as_deref()?;
    let given = facts.keys.storage.as_deref();
    if given == Some(key) {
        return None;
    }
    let stack = given.map_or("the stack has no StorageKeyArn".to_owned(), |given| format!("StorageKeyArn is {given}"));
    let name = &facts.run.source.instance;
    let remedy = format!("deploy the stack with StorageKeyArn={key}");
    if account(key) != account(&instance.arn) {
        let found = format!("the storage of {name} is encrypted with key {key} of another account, and {stack}");
        return Some(Finding::blocker(ID, found, remedy));
    }
    let found = format!(
        "the storage of {name} is encrypted with key {key}, and {stack}. Unless the storage key is the AWS managed key (alias \
         aws/rds), the run cannot restore the snapshot"
    );
    Some(Finding::warning(ID, found, format!("if it is your own key, {remedy}")))
}

/// The run can do without Performance Insights, so this is never a blocker. The other check reports a key that the storage has too.
fn insights(facts: &Facts, instance: &Instance) -> Option<Finding> {
    let key = instance.insights_key.as_deref()?;
    let is_given = [&facts.keys.storage, &facts.keys.insights].into_iter().any(|given| given.as_deref() == Some(key));
    if is_given || instance.storage_key.as_deref() == Some(key) {
        return None;
    }
    let found = format!(
        "Performance Insights data of {} is encrypted with key {key}, which the stack may not use. Unless this is the AWS managed key \
         (alias aws/rds), Performance Insights stays off on the target",
        facts.run.source.instance
    );
    Some(Finding::warning(
        INSIGHTS,
        found,
        format!("if it is your own key, deploy the stack with InsightsKeyArn={key}"),
    ))
}

/// The fifth part of an ARN.
fn account(arn: &str) -> Option<&str> {
    arn.split(':').nth(4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::tests::{assert_found, good, instance};
    use crate::facts::Keys;

    static KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/a";
    static OTHER: &str = "arn:aws:kms:eu-west-1:111122223333:key/b";
    static FOREIGN: &str = "arn:aws:kms:eu-west-1:444455556666:key/c";

    #[test]
    fn a_key_that_the_stack_was_not_given_is_found() {
        let cases: [([Option<&str>; 4], &[&str]); 9] = [
            ([None, None, None, None], &[]),
            ([None, None, Some(KEY), None], &[]),
            ([Some(KEY), None, Some(KEY), None], &[]),
            ([Some(KEY), None, None, None], &["w storage-key"]),
            ([Some(KEY), None, Some(OTHER), None], &["w storage-key"]),
            ([Some(FOREIGN), None, None, None], &["b storage-key"]),
            ([Some(KEY), Some(KEY), None, None], &["w storage-key"]),
            ([Some(KEY), Some(OTHER), Some(KEY), None], &["w insights-key"]),
            ([Some(KEY), Some(OTHER), Some(KEY), Some(OTHER)], &[]),
        ];
        for ([storage, insights, given_storage, given_insights], expected) in cases {
            let owned = |key: Option<&str>| key.map(str::to_owned);
            assert_found(
                |facts| {
                    instance(facts).arn = "arn:aws:rds:eu-west-1:111122223333:db:orders".to_owned();
                    instance(facts).storage_key = owned(storage);
                    instance(facts).insights_key = owned(insights);
                    facts.keys = Keys { storage: owned(given_storage), insights: owned(given_insights) };
                },
                expected,
            );
        }
    }

    #[test]
    fn the_sentence_names_the_key_and_what_follows() {
        let mut facts = good();
        instance(&mut facts).storage_key = Some(KEY.to_owned());
        instance(&mut facts).arn = "arn:aws:rds:eu-west-1:111122223333:db:orders".to_owned();

        let found = check(&facts).remove(0);

        assert!(found.found.contains(KEY) && found.found.contains("the stack has no StorageKeyArn"), "{}", found.found);
        assert_eq!(found.remedy, format!("if it is your own key, deploy the stack with StorageKeyArn={KEY}"));
    }
}
