//! EC2, of which a run uses three operations: a rule of a security group is added, found by its tag, and removed.
//!
//! Security groups themselves are not kept: any that looks like one exists.

use local_aws_core::{ApiError, BoxFuture, Call, Ground, Reply, Rule, Service};
use serde_json::{Value, json};

/// The service, over the ground that DMS's connections ask.
pub struct Ec2 {
    ground: Ground,
}

impl Ec2 {
    /// With the rules of this ground.
    pub fn new(ground: Ground) -> Self {
        Self { ground }
    }

    fn answer(&self, call: &Call) -> Reply {
        match call.operation.as_str() {
            "AuthorizeSecurityGroupIngress" => self.authorize(call),
            "RevokeSecurityGroupIngress" => self.revoke(call),
            "DescribeSecurityGroupRules" => Ok(self.describe(call)),
            other => Err(ApiError::not_implemented(other)),
        }
    }

    fn authorize(&self, call: &Call) -> Reply {
        let group = group(call)?;
        let tags = call.input["TagSpecifications"][0]["Tags"].clone();
        let mut added = Vec::new();
        for permission in listed(&call.input["IpPermissions"]) {
            for range in listed(&permission["IpRanges"]) {
                let rule = rule(&group, permission, range, &tags)?;
                let duplicate = || {
                    let (from, to) = rule.ports;
                    let text = format!(
                        "the specified rule \"peer: {}, TCP, from port: {from}, to port: {to}, ALLOW\" already exists",
                        rule.cidr
                    );
                    ApiError::new(400, "InvalidPermission.Duplicate", text)
                };
                if self.ground.is_full() {
                    let text = "The maximum number of rules per security group has been reached.".to_owned();
                    return Err(ApiError::new(400, "RulesPerSecurityGroupLimitExceeded", text));
                }
                added.push(self.ground.add(rule.clone()).ok_or_else(duplicate)?);
            }
        }
        if added.is_empty() {
            return Err(ApiError::new(400, "MissingParameter", "Source group or CIDR missing".to_owned()));
        }
        Ok(json!({"Return": true, "SecurityGroupRules": added.iter().map(shown).collect::<Vec<_>>()}))
    }

    fn revoke(&self, call: &Call) -> Reply {
        let group = group(call)?;
        for id in listed(&call.input["SecurityGroupRuleIds"]).filter_map(Value::as_str) {
            if !self.ground.remove(&group, id) {
                let text = format!("The security group rule ID '{id}' does not exist");
                return Err(ApiError::new(400, "InvalidSecurityGroupRuleId.NotFound", text));
            }
        }
        Ok(json!({"Return": true}))
    }

    /// Filters by group and by tag.
    fn describe(&self, call: &Call) -> Value {
        let wanted = |rule: &Rule| {
            listed(&call.input["Filters"]).all(|filter| {
                let has = |value: &Value| listed(&filter["Values"]).any(|wanted| wanted == value);
                match filter["Name"].as_str().unwrap_or_default() {
                    "group-id" => has(&json!(rule.group)),
                    "security-group-rule-id" => has(&json!(rule.id)),
                    name => name
                        .strip_prefix("tag:")
                        .is_some_and(|key| listed(&rule.tags).any(|tag| tag["Key"] == key && has(&tag["Value"]))),
                }
            })
        };
        let rules = self.ground.rules();
        json!({"SecurityGroupRules": rules.iter().filter(|rule| wanted(rule)).map(shown).collect::<Vec<_>>()})
    }
}

impl Service for Ec2 {
    fn name(&self) -> &'static str {
        "ec2"
    }

    fn call<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Reply> {
        Box::pin(async move { self.answer(call) })
    }
}

fn group(call: &Call) -> Result<String, ApiError> {
    let id = call.str("GroupId").unwrap_or_default();
    if id.starts_with("sg-") {
        return Ok(id.to_owned());
    }
    Err(ApiError::new(400, "InvalidGroupId.Malformed", format!("Invalid id: \"{id}\" (expecting \"sg-...\")")))
}

fn rule(group: &str, permission: &Value, range: &Value, tags: &Value) -> Result<Rule, ApiError> {
    let refused = |text: &str| ApiError::new(400, "InvalidParameterValue", text.to_owned());
    if permission["IpProtocol"] != "tcp" {
        return Err(refused("the local stand-in has rules for tcp only"));
    }
    let port = |member: &str| permission[member].as_u64().and_then(|port| u16::try_from(port).ok());
    let ports = port("FromPort").zip(port("ToPort")).filter(|(from, to)| from <= to);
    Ok(Rule {
        id: String::new(),
        group: group.to_owned(),
        ports: ports.ok_or_else(|| refused("Invalid value for portRange"))?,
        cidr: range["CidrIp"].as_str().ok_or_else(|| refused("CIDR block is missing"))?.to_owned(),
        description: range["Description"].as_str().map(str::to_owned),
        tags: tags.clone(),
    })
}

fn shown(rule: &Rule) -> Value {
    let mut shown = json!({
        "SecurityGroupRuleId": rule.id, "GroupId": rule.group, "IsEgress": false, "IpProtocol": "tcp",
        "FromPort": rule.ports.0, "ToPort": rule.ports.1, "CidrIpv4": rule.cidr, "Tags": rule.tags,
    });
    if let Some(description) = &rule.description {
        shown["Description"] = json!(description);
    }
    if rule.tags.is_null() {
        shown["Tags"] = json!([]);
    }
    shown
}

fn listed(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn a_rule_is_added_once_found_by_its_tag_and_removed_once() {
        let ground = Ground::default();
        ground.close();
        let ec2 = Ec2::new(ground.clone());
        let permission =
            json!({"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{"CidrIp": "10.0.0.9/32"}]});
        let tags = json!([{"ResourceType": "security-group-rule", "Tags": [{"Key": "pgleap:run", "Value": "r"}]}]);
        let add = Call::new(
            "AuthorizeSecurityGroupIngress",
            json!({"GroupId": "sg-1", "IpPermissions": [permission], "TagSpecifications": tags}),
        );

        let added = ec2.answer(&add).expect("added");
        let twice = ec2.answer(&add).expect_err("refused");
        let find = |run: &str| {
            let filter = json!({"Filters": [{"Name": "tag:pgleap:run", "Values": [run]}]});
            ec2.answer(&Call::new("DescribeSecurityGroupRules", filter)).expect("found")["SecurityGroupRules"].clone()
        };

        assert_eq!(twice.code, "InvalidPermission.Duplicate");
        assert!(ground.lets_in(Ipv4Addr::new(10, 0, 0, 9), 5432));
        assert_eq!((find("r"), find("other")), (added["SecurityGroupRules"].clone(), json!([])));
        let id = find("r")[0]["SecurityGroupRuleId"].clone();
        let remove = Call::new("RevokeSecurityGroupIngress", json!({"GroupId": "sg-1", "SecurityGroupRuleIds": [id]}));
        assert!(ec2.answer(&remove).is_ok() && ground.rules().is_empty());
        assert_eq!(ec2.answer(&remove).expect_err("gone").code, "InvalidSecurityGroupRuleId.NotFound");
    }
}
