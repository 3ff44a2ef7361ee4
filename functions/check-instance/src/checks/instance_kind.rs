//! The source is a primary instance of RDS for PostgreSQL: a replica does not accept the logins that the run creates, and a cluster has a
//! different API.

use pgleap_contract::Finding;

use crate::facts::Facts;

const ID: &str = "instance-kind";

pub(crate) fn check(facts: &Facts) -> Vec<Finding> {
    let Some(instance) = facts.source.found() else { return Vec::new() };
    let name = &facts.run.source.instance;
    let mut findings = Vec::new();
    if instance.engine != "postgres" {
        let found = format!("the engine of instance {name} is {}", instance.engine);
        findings.push(Finding::blocker(ID, found, "the run can upgrade only RDS for PostgreSQL"));
    }
    if let Some(primary) = &instance.replica_of {
        let found = format!("{name} is a read replica of {primary}");
        findings.push(Finding::blocker(ID, found, format!("upgrade {primary}, or promote {name} first")));
    }
    if let Some(cluster) = &instance.cluster {
        let found = format!("{name} is a member of cluster {cluster}");
        findings.push(Finding::blocker(ID, found, "Multi-AZ DB clusters and Aurora are not supported"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use crate::checks::tests::{assert_found, instance};

    #[test]
    fn replicas_clusters_and_other_engines_are_found() {
        assert_found(|facts| instance(facts).engine = "mysql".to_owned(), &["b instance-kind"]);
        assert_found(|facts| instance(facts).replica_of = Some("primary".to_owned()), &["b instance-kind"]);
        assert_found(|facts| instance(facts).cluster = Some("c".to_owned()), &["b instance-kind"]);
    }
}
