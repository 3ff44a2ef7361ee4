//! What a call needs to be allowed: actions, and the resources that the request names. Source: the service
//! authorization reference, for the operations that the stand-in serves.

use local_aws_core::{ACCOUNT, REGION};
use serde_json::Value;

/// An action that must be allowed, on a resource where the request names one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Need {
    pub(super) action: String,
    pub(super) resource: Option<String>,
}

/// Everything that a call needs.
pub(super) fn needs(service: &str, operation: &str, input: &Value) -> Vec<Need> {
    let action = match (service, operation) {
        ("lambda", "Invoke") => "lambda:InvokeFunction".to_owned(),
        _ => format!("{service}:{operation}"),
    };
    let resources = resources(service, operation, input);
    let mut needs: Vec<Need> = match resources.is_empty() {
        true => vec![Need { action, resource: None }],
        false => {
            resources.iter().map(|resource| Need { action: action.clone(), resource: Some(resource.clone()) }).collect()
        }
    };
    if let Some(tagging) = tagging(service, operation, input) {
        needs.push(Need { action: tagging.to_owned(), resource: created(service, operation, input) });
    }
    let passed = [
        &input["Target"]["RoleArn"],
        &input["PostgreSQLSettings"]["SecretsManagerAccessRoleArn"],
        &input["MonitoringRoleArn"],
        if operation == "AddRoleToDBInstance" { &input["RoleArn"] } else { &Value::Null },
    ];
    for role in passed {
        if let Some(role) = role.as_str() {
            needs.push(Need { action: "iam:PassRole".to_owned(), resource: Some(role.to_owned()) });
        }
    }
    needs
}

/// The action that a request with tags needs beside its own.
fn tagging(service: &str, operation: &str, input: &Value) -> Option<&'static str> {
    let tagged = input["Tags"].as_array().is_some_and(|tags| !tags.is_empty());
    let creates = ["Create", "Copy", "Restore"].iter().any(|verb| operation.starts_with(verb));
    match service {
        "rds" if tagged && creates => Some("rds:AddTagsToResource"),
        "dms" if tagged && creates => Some("dms:AddTagsToResource"),
        "secretsmanager" if tagged && creates => Some("secretsmanager:TagResource"),
        _ => None,
    }
}

/// What a request with tags makes, where the policies tell such things apart.
fn created(service: &str, operation: &str, input: &Value) -> Option<String> {
    let (member, kind) = match (service, operation) {
        ("rds", "CreateDBSnapshot") => ("DBSnapshotIdentifier", "snapshot"),
        ("rds", "CreateDBParameterGroup") => ("DBParameterGroupName", "pg"),
        ("rds", "CopyDBParameterGroup") => ("TargetDBParameterGroupIdentifier", "pg"),
        ("rds", "CreateDBInstance" | "RestoreDBInstanceFromDBSnapshot") => ("DBInstanceIdentifier", "db"),
        _ => return None,
    };
    let name = input[member].as_str()?;
    Some(format!("arn:aws:rds:{REGION}:{ACCOUNT}:{kind}:{name}"))
}

/// The ARNs that a request names. Where a policy may name a resource that the request leaves to the service, none.
fn resources(service: &str, operation: &str, input: &Value) -> Vec<String> {
    let text = |member: &str| input[member].as_str();
    let mut named = Vec::new();
    match service {
        // DescribeDBParameters and its like name a group, but are commonly allowed on all resources: matched the same.
        "rds" => {
            for (member, kind) in RDS_RESOURCES {
                let name = text(member).filter(|name| !name.starts_with("arn:"));
                named.extend(name.map(|name| format!("arn:aws:rds:{REGION}:{ACCOUNT}:{kind}:{name}")));
            }
            named.extend(text("ResourceName").map(str::to_owned));
        }
        "route53" => {
            named.extend(text("HostedZoneId").map(|zone| format!("arn:aws:route53:::hostedzone/{}", last(zone))));
            if operation == "GetChange" {
                named.extend(text("Id").map(|change| format!("arn:aws:route53:::change/{}", last(change))));
            }
            if operation == "GetHostedZone" {
                named.extend(text("Id").map(|zone| format!("arn:aws:route53:::hostedzone/{}", last(zone))));
            }
        }
        "secretsmanager" => {
            let member = if operation == "CreateSecret" { "Name" } else { "SecretId" };
            // By name the ARN ends in six characters that the caller does not know; policies cover them by a wildcard.
            named.extend(text(member).map(|id| match id.starts_with("arn:") {
                true => id.to_owned(),
                false => format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{id}-AbCdEf"),
            }));
        }
        "dms" if !operation.starts_with("Describe") || operation == "DescribeTableStatistics" => {
            named.extend(DMS_RESOURCES.iter().filter_map(|member| text(member)).map(str::to_owned));
            let group = text("ReplicationSubnetGroupIdentifier").filter(|_| operation.starts_with("Delete"));
            named.extend(group.map(|name| format!("arn:aws:dms:{REGION}:{ACCOUNT}:subgrp:{name}")));
        }
        "scheduler" => {
            let group = text("GroupName").unwrap_or("default");
            named.extend(
                text("Name").map(|name| format!("arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/{group}/{name}")),
            );
        }
        "events" if operation == "PutEvents" => {
            named.push(format!("arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default"))
        }
        "lambda" => named.extend(text("FunctionName").map(str::to_owned)),
        "sts" => named.extend(text("RoleArn").map(str::to_owned)),
        "sns" => named.extend(text("TopicArn").map(str::to_owned)),
        _ => {}
    }
    named
}

const RDS_RESOURCES: [(&str, &str); 6] = [
    ("DBInstanceIdentifier", "db"),
    ("DBParameterGroupName", "pg"),
    ("SourceDBParameterGroupIdentifier", "pg"),
    ("TargetDBParameterGroupIdentifier", "pg"),
    ("DBSnapshotIdentifier", "snapshot"),
    ("OptionGroupName", "og"),
];

const DMS_RESOURCES: [&str; 6] = [
    "ReplicationTaskArn",
    "ReplicationInstanceArn",
    "EndpointArn",
    "SourceEndpointArn",
    "TargetEndpointArn",
    "ResourceArn",
];

/// Route 53 takes ids with and without their path.
fn last(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_call_needs_its_action_on_what_it_names() {
        let list = |needs: Vec<Need>| -> Vec<String> {
            needs.into_iter().map(|need| format!("{} {}", need.action, need.resource.unwrap_or_default())).collect()
        };
        let role = "arn:aws:iam::111122223333:role/deadline";
        let cases = [
            (("rds", "DescribeDBInstances", json!({})), vec!["rds:DescribeDBInstances "]),
            (
                (
                    "rds",
                    "CreateDBSnapshot",
                    json!({"DBInstanceIdentifier": "a", "DBSnapshotIdentifier": "s", "Tags": [{}]}),
                ),
                vec![
                    "rds:CreateDBSnapshot arn:aws:rds:eu-west-1:111122223333:db:a",
                    "rds:CreateDBSnapshot arn:aws:rds:eu-west-1:111122223333:snapshot:s",
                    "rds:AddTagsToResource arn:aws:rds:eu-west-1:111122223333:snapshot:s",
                ],
            ),
            (
                ("scheduler", "CreateSchedule", json!({"Name": "d", "Target": {"RoleArn": role}})),
                vec![
                    "scheduler:CreateSchedule arn:aws:scheduler:eu-west-1:111122223333:schedule/default/d",
                    "iam:PassRole arn:aws:iam::111122223333:role/deadline",
                ],
            ),
            (
                (
                    "rds",
                    "AddRoleToDBInstance",
                    json!({"DBInstanceIdentifier": "a", "RoleArn": role, "FeatureName": "s3Import"}),
                ),
                vec![
                    "rds:AddRoleToDBInstance arn:aws:rds:eu-west-1:111122223333:db:a",
                    "iam:PassRole arn:aws:iam::111122223333:role/deadline",
                ],
            ),
            (
                ("dms", "CreateReplicationTask", json!({"Tags": [{}]})),
                vec!["dms:CreateReplicationTask ", "dms:AddTagsToResource "],
            ),
            (
                ("secretsmanager", "GetSecretValue", json!({"SecretId": "pgleap/r1/dms"})),
                vec![
                    "secretsmanager:GetSecretValue arn:aws:secretsmanager:eu-west-1:111122223333:secret:pgleap/r1/dms-AbCdEf",
                ],
            ),
            (
                ("lambda", "Invoke", json!({"FunctionName": "arn:aws:lambda:eu-west-1:111122223333:function:move"})),
                vec!["lambda:InvokeFunction arn:aws:lambda:eu-west-1:111122223333:function:move"],
            ),
            (
                ("route53", "GetChange", json!({"Id": "/change/C1"})),
                vec!["route53:GetChange arn:aws:route53:::change/C1"],
            ),
        ];

        for ((service, operation, input), expected) in cases {
            assert_eq!(list(needs(service, operation, &input)), expected, "{operation}");
        }
    }
}
