//! The network: which functions are in the VPC, and what each side reaches, by the steps' declarations and policies.

use std::collections::BTreeSet;

use super::{Graph, Kind, Picture, counted};
use crate::declared::{Reaches, Step};

/// Services as people know them, by the prefix of their actions.
const SERVICES: &[(&str, &str)] = &[
    ("cloudwatch", "CloudWatch"),
    ("dms", "DMS"),
    ("ec2", "EC2\\n(security groups)"),
    ("events", "EventBridge"),
    ("kms", "KMS"),
    ("lambda", "Lambda"),
    ("rds", "RDS"),
    ("route53", "Route 53"),
    ("scheduler", "EventBridge\\nScheduler"),
    ("secretsmanager", "Secrets\\nManager"),
    ("sns", "SNS"),
    ("states", "Step Functions"),
    ("sts", "STS"),
    ("iam", "IAM"),
    ("servicequotas", "Service\\nQuotas"),
];

pub(super) fn network(steps: &[Step]) -> Picture {
    let mut graph = Graph::new("TB");
    let of = |reaches: Reaches| steps.iter().filter(move |(_, declared)| declared.reaches == reaches);
    graph.node("machine", "Step Functions\\n(upgrade, recover)", Kind::Group, "");
    graph.cluster("your VPC", |graph| {
        let count = of(Reaches::Databases).count();
        graph.node("inside", &format!("{count} functions that run SQL"), Kind::Task, "");
        graph.node("source", "source", Kind::Safe, "");
        graph.node("target", "target", Kind::Safe, "");
        graph.node("engine", "DMS replication instance\\n(with the native engine, the target itself)", Kind::Task, "");
        graph.node("endpoint", "interface endpoint or NAT", Kind::Phase, "");
    });
    let count = of(Reaches::Aws).count();
    graph.node("outside", &format!("{count} functions that call AWS"), Kind::Task, "");
    graph.edge("machine", "inside", "invokes", "");
    graph.edge("machine", "outside", "invokes", "");
    graph.edge("inside", "source", "database port", "");
    graph.edge("inside", "target", "database port", "");
    graph.edge("engine", "source", "database port", "");
    graph.edge("engine", "target", "database port", "");
    graph.edge("inside", "endpoint", "443", "");
    graph.edge("engine", "endpoint", "443", "");
    graph.edge("endpoint", "secretsmanager", "", "");
    let called: Vec<BTreeSet<String>> = of(Reaches::Aws).map(|(_, declared)| services(&declared.policy())).collect();
    let counts = counted(called.iter().flatten().map(String::as_str));
    for (prefix, name) in SERVICES {
        let count = counts.get(prefix).copied().unwrap_or_default();
        if count > 0 {
            let noun = if count == 1 { "function" } else { "functions" };
            graph.node(prefix, &format!("{name}\\n({count} {noun})"), Kind::Elsewhere, "");
            graph.edge("outside", prefix, "", "");
        }
    }
    graph.finish(
        "network",
        "Which functions are in the VPC, what they reach there, and which AWS services the others call",
    )
}

/// The prefixes of the actions in a policy.
fn services(policy: &[&str]) -> BTreeSet<String> {
    let words =
        policy.iter().flat_map(|line| line.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == ':')));
    let is_known = |prefix: &&str| SERVICES.iter().any(|(known, _)| known == prefix);
    words
        .filter_map(|word| word.split_once(':'))
        .map(|(prefix, _)| prefix)
        .filter(is_known)
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::declared::steps;

    #[test]
    fn a_policy_names_its_services() {
        let policy = ["- Effect: Allow", "  Action: [rds:DescribeDBInstances, route53:GetChange]", "  Resource: '*'"];

        assert_eq!(services(&policy), ["rds", "route53"].map(str::to_owned).into());
    }

    #[test]
    fn every_service_of_a_policy_has_a_name() {
        for (step, declared) in &steps().expect("the steps") {
            let words = declared.policy().join(" ");
            let words = words.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == ':'));
            for (prefix, operation) in words.filter_map(|word| word.split_once(':')) {
                let is_action = operation.starts_with(|letter: char| letter.is_ascii_uppercase());
                let is_service = prefix.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
                // Keys of conditions look like actions.
                if is_action && is_service && !prefix.is_empty() && prefix != "aws" {
                    assert!(SERVICES.iter().any(|(known, _)| *known == prefix), "{step}: {prefix}:{operation}");
                }
            }
        }
    }
}
