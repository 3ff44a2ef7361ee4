//! Things that belong to the instance and not to the database, and that do not move to the target automatically.
//! Source: Amazon RDS user guide, "Restoring to a DB instance"; "Password management with Amazon RDS and Secrets Manager".
//! What a streaming standby does when CONNECT is revoked: tried on PostgreSQL 15 (docs/fidelity/rds.md).

use pgleap_contract::{Finding, ReadReplicas};

use crate::facts::Facts;

const REPLICAS: &str = "read-replicas";
const MANAGED_SECRET: &str = "managed-secret";
const IAM: &str = "iam-authentication";

pub(crate) fn check(facts: &Facts) -> Vec<Finding> {
    let Some(instance) = facts.source.found() else { return Vec::new() };
    let mut findings = Vec::new();
    if !instance.replicas.is_empty() {
        findings.push(replicas(&instance.replicas, facts.run.choices.read_replicas));
    }
    if instance.managed_secret.is_some() {
        let found = "RDS manages the password of the source's master user and goes on rotating it. The target keeps the password that \
                     it has at the cutover, and RDS does not manage its password until you turn that on";
        let remedy = "after the cutover, run aws rds modify-db-instance --manage-master-user-password for the target, and point \
                      everybody who reads the source's secret to the new one";
        findings.push(Finding::warning(MANAGED_SECRET, found, remedy));
    }
    if instance.iam_authentication {
        let found = "IAM database authentication is on; its policies name the instance's resource ID, and the target has another one";
        findings.push(Finding::warning(IAM, found, "add the target's resource ID to the rds-db:connect policies"));
    }
    findings
}

/// The fence also shuts replicas: the revoked CONNECT is replicated like every other change of a catalog.
fn replicas(replicas: &[String], choice: ReadReplicas) -> Finding {
    let found = format!(
        "read replicas {} stay with the source. From the fence on, they refuse new connections, and open sessions on them can \
         still read but see no new data. The target has no replicas until you create them",
        replicas.join(", ")
    );
    match choice {
        ReadReplicas::Refuse => Finding::blocker(
            REPLICAS,
            found,
            "point their readers to the record until the target has replicas, and set choices.readReplicas = stay",
        ),
        ReadReplicas::Stay => Finding::warning(
            REPLICAS,
            found,
            "point their readers to the record before the cutover, and create replicas of the target after it",
        ),
    }
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
        assert_found(all, &["b read-replicas", "w managed-secret", "w iam-authentication"]);
    }

    #[test]
    fn replicas_stop_a_run_until_somebody_lets_them_stay() {
        for (choice, expected) in [(ReadReplicas::Refuse, "b read-replicas"), (ReadReplicas::Stay, "w read-replicas")] {
            let change = |facts: &mut Facts| {
                instance(facts).replicas = vec!["orders-r1".to_owned()];
                facts.run.choices.read_replicas = choice;
            };
            assert_found(change, &[expected]);
        }
    }
}
