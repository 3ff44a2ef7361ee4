//! What belongs to the instance and not to the database does not move by itself: the operator should know.
//! Source: Amazon RDS user guide, "Restoring to a DB instance"; "Password management with Amazon RDS and Secrets Manager".

use pgleap_contract::Finding;

use crate::facts::Facts;

const REPLICAS: &str = "read-replicas";
const MANAGED_SECRET: &str = "managed-secret";
const IAM: &str = "iam-authentication";

pub(crate) fn check(facts: &Facts) -> Vec<Finding> {
    let Some(instance) = facts.source.found() else { return Vec::new() };
    let mut findings = Vec::new();
    if !instance.replicas.is_empty() {
        let found = format!(
            "read replicas {} stay with the source and stand still from the cutover on",
            instance.replicas.join(", ")
        );
        findings.push(Finding::warning(REPLICAS, found, "make replicas of the target and move their readers"));
    }
    if instance.managed_secret.is_some() {
        let found = "RDS manages the master's secret; the target will have its own under another ARN";
        findings.push(Finding::warning(MANAGED_SECRET, found, "move whoever reads the secret by its ARN"));
    }
    if instance.iam_authentication {
        let found = "IAM database authentication is on; its policies name the instance's resource id, which changes";
        findings.push(Finding::warning(IAM, found, "allow the target's resource id in rds-db:connect policies"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::tests::{assert_found, instance};

    #[test]
    fn what_stays_behind_is_said() {
        let all = |facts: &mut Facts| {
            instance(facts).replicas = vec!["orders-r1".to_owned()];
            instance(facts).managed_secret = Some("arn".to_owned());
            instance(facts).iam_authentication = true;
        };
        assert_found(all, &["w read-replicas", "w managed-secret", "w iam-authentication"]);
    }
}
