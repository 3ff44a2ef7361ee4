//! AWS Query: a form with dotted keys in, XML out (RDS); and EC2's variant of it.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use crate::model::{Kind, Member, Model, Operation, Problem, Protocol, type_name};
use crate::wire::scalar;
use crate::wire::xml::{self, join};

/// The pairs of a form, decoded, in their order.
pub(crate) fn form(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (plain(key), plain(value))
        })
        .collect()
}

fn plain(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// `A.1.B=x` as a tree: the value at a node, and what is below it.
#[derive(Debug, Default)]
struct Node {
    value: Option<String>,
    below: BTreeMap<String, Node>,
}

impl Node {
    fn of(pairs: &[(String, String)]) -> Self {
        let mut root = Self::default();
        for (key, value) in pairs {
            let mut at = &mut root;
            for step in key.split('.') {
                at = at.below.entry(step.to_owned()).or_default();
            }
            at.value = Some(value.clone());
        }
        root
    }

    /// `1`, `2`, .. in the order of their numbers.
    fn numbered(&self) -> Option<Vec<&Node>> {
        let numbers: Option<BTreeMap<u32, &Node>> =
            self.below.iter().map(|(step, node)| Some((step.parse().ok()?, node))).collect();
        numbers.map(|found| found.into_values().collect())
    }
}

/// The input of an operation from a form.
pub(crate) fn decode(model: &Model, operation: &Operation, pairs: &[(String, String)]) -> Result<Value, Problem> {
    let mut root = Node::of(pairs);
    root.below.remove("Action");
    root.below.remove("Version");
    match &operation.input {
        Some(shape) => node(model, shape, &root, ""),
        None => match root.below.keys().next() {
            Some(step) => Err(Problem::Unknown { path: step.clone() }),
            None => Ok(Value::Object(Map::new())),
        },
    }
}

fn node(model: &Model, shape_name: &str, at: &Node, path: &str) -> Result<Value, Problem> {
    let shape = model.shape(shape_name);
    let wrong = || Problem::WrongType {
        path: path.to_owned(),
        expected: type_name(&shape.kind),
        found: if shape.sensitive { "***".to_owned() } else { at.value.clone().unwrap_or_default() },
    };
    match &shape.kind {
        Kind::Structure(members) => {
            let mut found = Map::new();
            for (step, below) in &at.below {
                let member = members.iter().find(|member| asked_by(model, member, step));
                let Some(member) = member else { return Err(Problem::Unknown { path: join(path, step) }) };
                found.insert(member.name.clone(), node(model, &member.shape, below, &join(path, &member.name))?);
            }
            Ok(Value::Object(found))
        }
        Kind::List { element, flattened } => {
            // An empty list is sent as its bare name.
            if at.below.is_empty() {
                return if at.value.as_deref() == Some("") { Ok(Value::Array(Vec::new())) } else { Err(wrong()) };
            }
            let items = if *flattened || model.protocol == Protocol::Ec2 {
                at.numbered()
            } else {
                items_of(at, element.wire("member"))
            };
            let items = items.ok_or_else(|| Problem::Unknown { path: join(path, &first_step(at)) })?;
            let decoded = items.iter().enumerate();
            let decoded =
                decoded.map(|(index, item)| node(model, &element.shape, item, &join(path, &(index + 1).to_string())));
            decoded.collect::<Result<Vec<_>, _>>().map(Value::Array)
        }
        Kind::Map { key, value } => {
            // `Attributes.entry.1.key=a&Attributes.entry.1.value=b`, under the names that the model gives to both.
            let entries = at.below.get("entry").filter(|_| at.below.len() == 1).and_then(Node::numbered);
            let mut found = Map::new();
            for entry in entries.ok_or_else(wrong)? {
                let name = entry.below.get(key.wire("key")).and_then(|name| name.value.clone()).ok_or_else(wrong)?;
                let below = entry.below.get(value.wire("value")).ok_or_else(wrong)?;
                let decoded = node(model, &value.shape, below, &join(path, &name))?;
                found.insert(name, decoded);
            }
            Ok(Value::Object(found))
        }
        kind => match (&at.value, at.below.keys().next()) {
            (_, Some(step)) => Err(Problem::Unknown { path: join(path, step) }),
            (Some(text), None) => scalar::from_text(kind, text).ok_or_else(wrong),
            (None, None) => Err(wrong()),
        },
    }
}

/// EC2 asks by the name that it answers with, in capital letters.
fn asked_by(model: &Model, member: &Member, step: &str) -> bool {
    let name = member.wire(&member.name);
    match model.protocol {
        Protocol::Ec2 => name.get(..1).is_some_and(|first| {
            step.strip_prefix(first.to_ascii_uppercase().as_str()).is_some_and(|rest| rest == &name[1..])
        }),
        _ => name == step,
    }
}

/// The elements stand under their own name, or under `member`, which AWS takes for every list.
fn items_of<'a>(at: &'a Node, name: &str) -> Option<Vec<&'a Node>> {
    if at.below.len() != 1 {
        return None;
    }
    at.below.get(name).or_else(|| at.below.get("member"))?.numbered()
}

fn first_step(at: &Node) -> String {
    at.below.keys().next().cloned().unwrap_or_default()
}

/// An answer's body. `output` has been checked against the model.
pub(crate) fn encode(model: &Model, operation: &Operation, output: &Value, request_id: &str) -> String {
    let mut body = String::new();
    let response = format!("{}Response", operation.name);
    let namespace = model.xml_namespace.as_deref().unwrap_or_default();
    body.push_str(&format!("<{response} xmlns=\"{namespace}\">"));
    let members = model.output_members(operation);
    match &operation.result_wrapper {
        Some(wrapper) => xml::wrap(wrapper, &mut body, |out| xml::encode_members(model, members, output, out)),
        None => xml::encode_members(model, members, output, &mut body),
    }
    xml::wrap("ResponseMetadata", &mut body, |out| xml::wrap("RequestId", out, |out| out.push_str(request_id)));
    body.push_str(&format!("</{response}>"));
    body
}

/// An answer of EC2: no element around the output, the request's id before it.
pub(crate) fn encode_ec2(model: &Model, operation: &Operation, output: &Value, request_id: &str) -> String {
    let response = format!("{}Response", operation.name);
    let namespace = format!("http://ec2.amazonaws.com/doc/{}/", model.api_version);
    let mut body = format!("<{response} xmlns=\"{namespace}\">");
    xml::wrap("requestId", &mut body, |out| out.push_str(request_id));
    xml::encode_members(model, model.output_members(operation), output, &mut body);
    body.push_str(&format!("</{response}>"));
    body
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(operation: &str, body: &str) -> Result<Value, Problem> {
        let model = Model::of("rds").unwrap();
        decode(model, &model.operations[operation], &form(body))
    }

    #[test]
    fn forms_are_decoded_by_the_models_spellings() {
        let cases = [
            (
                "RebootDBInstance",
                "DBInstanceIdentifier=a%2Bb+c&ForceFailover=true",
                json!({"DBInstanceIdentifier": "a+b c", "ForceFailover": true}),
            ),
            (
                "ModifyDBParameterGroup",
                "DBParameterGroupName=g&Parameters.Parameter.1.ParameterName=p&Parameters.Parameter.1.ParameterValue=1\
                 &Parameters.Parameter.2.ParameterName=q&Parameters.Parameter.2.ApplyMethod=pending-reboot",
                json!({"DBParameterGroupName": "g", "Parameters": [
                    {"ParameterName": "p", "ParameterValue": "1"},
                    {"ApplyMethod": "pending-reboot", "ParameterName": "q"}]}),
            ),
            (
                "DescribeDBInstances",
                "Filters.Filter.1.Name=engine&Filters.Filter.1.Values.Value.1=postgres&MaxRecords=20",
                json!({"Filters": [{"Name": "engine", "Values": ["postgres"]}], "MaxRecords": 20}),
            ),
            (
                "CreateDBInstance",
                "EnableCloudwatchLogsExports.member.1=postgresql&EnableCloudwatchLogsExports.member.2=upgrade\
                 &Tags.Tag.1.Key=k&Tags.Tag.1.Value=&VpcSecurityGroupIds.VpcSecurityGroupId.1=sg-1",
                json!({"EnableCloudwatchLogsExports": ["postgresql", "upgrade"], "Tags": [{"Key": "k", "Value": ""}],
                    "VpcSecurityGroupIds": ["sg-1"]}),
            ),
            ("DescribeDBInstances", "Filters=", json!({"Filters": []})),
            (
                "DescribeEvents",
                "StartTime=2026-01-31T10%3A00%3A00Z&EventCategories.EventCategory.1=failure",
                json!({"EventCategories": ["failure"], "StartTime": 1_769_853_600.0}),
            ),
        ];
        for (operation, body, expected) in cases {
            assert_eq!(read(operation, body), Ok(expected), "{body}");
        }
    }

    #[test]
    fn ec2_asks_in_capital_letters_with_bare_lists_and_answers_in_small_ones() {
        let model = Model::of("ec2").unwrap();
        let operation = &model.operations["AuthorizeSecurityGroupIngress"];
        let body = "Action=AuthorizeSecurityGroupIngress&GroupId=sg-1&IpPermissions.1.IpProtocol=tcp&IpPermissions.1.FromPort=5432\
            &IpPermissions.1.IpRanges.1.CidrIp=10.0.0.9%2F32&TagSpecification.1.ResourceType=security-group-rule\
            &TagSpecification.1.Tag.1.Key=k&TagSpecification.1.Tag.1.Value=v";

        let input = decode(model, operation, &form(body)).unwrap();
        let answer = encode_ec2(
            model,
            operation,
            &json!({"Return": true, "SecurityGroupRules": [{"SecurityGroupRuleId": "sgr-1"}]}),
            "r-1",
        );

        let tags = json!([{"ResourceType": "security-group-rule", "Tags": [{"Key": "k", "Value": "v"}]}]);
        let permissions = json!([{"IpProtocol": "tcp", "FromPort": 5432, "IpRanges": [{"CidrIp": "10.0.0.9/32"}]}]);
        assert_eq!(input, json!({"GroupId": "sg-1", "IpPermissions": permissions, "TagSpecifications": tags}));
        assert!(answer.contains(
            "<requestId>r-1</requestId><return>true</return><securityGroupRuleSet><item><securityGroupRuleId>sgr-1</securityGroupRuleId></item></securityGroupRuleSet>"
        ), "{answer}");
    }

    #[test]
    fn ten_elements_keep_their_order() {
        let body: Vec<_> = (1..=11).map(|n| format!("TagKeys.member.{n}=k{n}")).collect();

        let input = read("RemoveTagsFromResource", &body.join("&")).unwrap();

        assert_eq!(input["TagKeys"][9], "k10");
        assert_eq!(input["TagKeys"][1], "k2");
    }

    #[test]
    fn a_form_that_does_not_fit_is_refused_by_name() {
        let cases = [
            ("RebootDBInstance", "DBInstanceId=a", "Unknown { path: \"DBInstanceId\" }"),
            ("RebootDBInstance", "ForceFailover=yes", "expected: \"Boolean\", found: \"yes\""),
            ("DescribeDBInstances", "Filters.Filter.1.Nam=x", "Unknown { path: \"Filters.1.Nam\" }"),
            ("DescribeDBInstances", "Filters.Wrong.1.Name=x", "Unknown { path: \"Filters.Wrong\" }"),
            ("CreateDBInstance", "AllocatedStorage=big", "path: \"AllocatedStorage\", expected: \"Integer\""),
            ("CreateDBInstance", "AllocatedStorage.x=1", "Unknown { path: \"AllocatedStorage.x\" }"),
        ];
        for (operation, body, expected) in cases {
            let problem = format!("{:?}", read(operation, body).unwrap_err());

            assert!(problem.contains(expected), "{problem}");
        }
    }

    #[test]
    fn an_answer_is_written_with_the_models_element_names() {
        let model = Model::of("rds").unwrap();
        let output = json!({"DBInstances": [{"DBInstanceIdentifier": "a<b", "MultiAZ": false,
            "InstanceCreateTime": 1_769_853_600.5, "VpcSecurityGroups": [{"Status": "active"}],
            "EnabledCloudwatchLogsExports": ["postgresql"], "DBName": null}]});

        let body = encode(model, &model.operations["DescribeDBInstances"], &output, "r-1");

        assert!(body.starts_with(
            "<DescribeDBInstancesResponse xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\">\
            <DescribeDBInstancesResult><DBInstances><DBInstance><DBInstanceIdentifier>a&lt;b</DBInstanceIdentifier>"
        ));
        for part in [
            "<InstanceCreateTime>2026-01-31T10:00:00.500Z</InstanceCreateTime>",
            "<VpcSecurityGroups><VpcSecurityGroupMembership><Status>active</Status></VpcSecurityGroupMembership></VpcSecurityGroups>",
            "<EnabledCloudwatchLogsExports><member>postgresql</member></EnabledCloudwatchLogsExports>",
            "<MultiAZ>false</MultiAZ>",
            "<ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata></DescribeDBInstancesResponse>",
        ] {
            assert!(body.contains(part), "{part} in {body}");
        }
        assert!(!body.contains("DBName"));
    }
}
