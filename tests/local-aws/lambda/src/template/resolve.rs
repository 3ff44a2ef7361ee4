//! CloudFormation's functions, as far as a template of Lambdas, roles, rules and a state machine uses them.

use std::collections::BTreeMap;

use local_aws_core::{ACCOUNT, REGION};
use serde_json::{Map, Value, json};

use super::TemplateError;
use crate::function_url;

/// YAML's short forms (`!Ref x`) as the long ones (`{"Ref": "x"}`).
pub(super) fn long_form(yaml: serde_yaml_ng::Value) -> Result<Value, TemplateError> {
    use serde_yaml_ng::Value as Yaml;
    Ok(match yaml {
        Yaml::Tagged(tagged) => {
            let name = tagged.tag.to_string().trim_start_matches('!').to_owned();
            let value = long_form(tagged.value)?;
            match (name.as_str(), value) {
                ("Ref" | "Condition", value) => json!({name: value}),
                ("GetAtt", Value::String(path)) => {
                    let (resource, attribute) = path.split_once('.').unwrap_or((&path, "Arn"));
                    json!({"Fn::GetAtt": [resource, attribute]})
                }
                (_, value) => json!({format!("Fn::{name}"): value}),
            }
        }
        Yaml::Mapping(mapping) => {
            let mut object = Map::new();
            for (key, value) in mapping {
                let key = key.as_str().ok_or_else(|| TemplateError(format!("a key is no text: {key:?}")))?.to_owned();
                object.insert(key, long_form(value)?);
            }
            Value::Object(object)
        }
        Yaml::Sequence(items) => Value::Array(items.into_iter().map(long_form).collect::<Result<_, _>>()?),
        other => serde_json::to_value(other).map_err(|error| TemplateError(error.to_string()))?,
    })
}

/// A list is given as one text with commas.
fn as_typed(parameter: &Value, value: Value) -> Value {
    let kind = parameter["Type"].as_str().unwrap_or_default();
    match value.as_str() {
        Some(text) if kind.starts_with("List<") || kind == "CommaDelimitedList" => text.split(',').collect(),
        _ => value,
    }
}

/// What references stand for.
#[derive(Debug, Clone)]
pub(super) struct Resolver {
    values: BTreeMap<String, Value>,
    conditions: Value,
    resources: Value,
    global_alias: Value,
}

impl Resolver {
    pub(super) fn new(template: &Value, parameters: &BTreeMap<String, String>) -> Result<Self, TemplateError> {
        let mut values: BTreeMap<String, Value> = [
            ("AWS::Region", REGION.into()),
            ("AWS::AccountId", ACCOUNT.into()),
            ("AWS::Partition", "aws".into()),
            ("AWS::URLSuffix", "amazonaws.com".into()),
            ("AWS::StackName", "pgleap".into()),
            ("AWS::StackId", format!("arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/pgleap/1").into()),
            ("AWS::NoValue", Value::Null),
        ]
        .map(|(name, value): (&str, Value)| (name.to_owned(), value))
        .into();
        for (name, parameter) in template["Parameters"].as_object().into_iter().flatten() {
            let given = parameters.get(name).map(|value| Value::from(value.clone()));
            let value = given.or_else(|| parameter.get("Default").cloned()).or_else(|| of_no_meaning_here(parameter));
            let value = value.ok_or_else(|| TemplateError(format!("parameter {name} has no value")))?;
            values.insert(name.clone(), as_typed(parameter, value));
        }
        Ok(Self {
            values,
            conditions: template["Conditions"].clone(),
            resources: template["Resources"].clone(),
            global_alias: template["Globals"]["Function"]["AutoPublishAlias"].clone(),
        })
    }

    /// Is the resource's condition met?
    pub(super) fn exists(&self, resource: &Value) -> Result<bool, TemplateError> {
        resource["Condition"].as_str().map_or(Ok(true), |name| self.condition(&json!({"Condition": name})))
    }

    pub(super) fn resolve(&self, value: &Value) -> Result<Value, TemplateError> {
        match value {
            Value::Array(items) => {
                let items = items.iter().map(|item| self.resolve(item)).collect::<Result<Vec<_>, _>>()?;
                Ok(Value::Array(items.into_iter().filter(|item| !item.is_null()).collect()))
            }
            Value::Object(object) => match object.iter().next() {
                Some((name, argument)) if object.len() == 1 && (name == "Ref" || name.starts_with("Fn::")) => {
                    self.function(name, argument)
                }
                _ => {
                    let mut resolved = Map::new();
                    for (key, value) in object {
                        let value = self.resolve(value)?;
                        if !value.is_null() {
                            resolved.insert(key.clone(), value);
                        }
                    }
                    Ok(Value::Object(resolved))
                }
            },
            other => Ok(other.clone()),
        }
    }

    fn function(&self, name: &str, argument: &Value) -> Result<Value, TemplateError> {
        match (name, argument) {
            ("Ref", Value::String(id)) => self.reference(id),
            ("Fn::GetAtt", Value::Array(path)) => self.attribute(text(&path[0]), path.get(1).map_or("", text)),
            ("Fn::GetAtt", Value::String(path)) => {
                let (id, attribute) = path.split_once('.').unwrap_or((path, ""));
                self.attribute(id, attribute)
            }
            ("Fn::Sub", Value::String(pattern)) => self.substitute(pattern, &Value::Null),
            ("Fn::Sub", Value::Array(parts)) => self.substitute(text(&parts[0]), &self.resolve(&parts[1])?),
            ("Fn::If", Value::Array(parts)) if parts.len() == 3 => {
                let chosen = if self.condition(&json!({"Condition": parts[0]}))? { 1 } else { 2 };
                self.resolve(&parts[chosen])
            }
            ("Fn::Join", Value::Array(parts)) if parts.len() == 2 => {
                let items = self.resolve(&parts[1])?;
                let items: Vec<_> = items.as_array().into_iter().flatten().map(plain).collect();
                Ok(items.join(text(&parts[0])).into())
            }
            _ => Err(TemplateError(format!("the stand-in does not know {name} as used in {argument}"))),
        }
    }

    /// A parameter's value, else what `Ref` gives for a resource: the ARN of a state machine, a topic or a secret, any
    /// other's name.
    fn reference(&self, id: &str) -> Result<Value, TemplateError> {
        if let Some(value) = self.values.get(id) {
            return Ok(value.clone());
        }
        if let Some((id, attribute)) = id.split_once('.') {
            return self.attribute(id, attribute); // SAM's `!Ref Function.Alias`
        }
        let by_arn = matches!(
            self.kind(id),
            Some(
                "AWS::Serverless::StateMachine"
                    | "AWS::StepFunctions::StateMachine"
                    | "AWS::SNS::Topic"
                    | "AWS::SecretsManager::Secret"
            )
        );
        let found = if by_arn { self.arn(id) } else { self.name(id) }.or_else(|| self.role_of_function(id));
        found
            .map(Value::String)
            .ok_or_else(|| TemplateError(format!("Ref to {id}, which is no parameter and no resource")))
    }

    /// SAM makes a role `<function>Role` for each function that names none.
    fn role_of_function(&self, id: &str) -> Option<String> {
        let function = id.strip_suffix("Role")?;
        (self.kind(function)? == "AWS::Serverless::Function").then(|| format!("pgleap-{id}"))
    }

    fn attribute(&self, id: &str, attribute: &str) -> Result<Value, TemplateError> {
        let value = match attribute {
            "Arn" => self.arn(id),
            "Name" => self.name(id),
            "Alias" => self.alias(id).and_then(|alias| Some(format!("{}:{alias}", self.arn(id)?))),
            // SAM makes a resource of this name for a function's URL.
            "FunctionUrl" => {
                id.strip_suffix("Url").and_then(|function| self.name(function)).map(|name| function_url(&name))
            }
            "Version" => self.arn(id).map(|arn| format!("{arn}:1")),
            _ => None,
        };
        value.map(Value::String).ok_or_else(|| TemplateError(format!("the stand-in does not know {id}.{attribute}")))
    }

    fn substitute(&self, pattern: &str, own: &Value) -> Result<Value, TemplateError> {
        let mut result = String::new();
        let mut rest = pattern;
        while let Some((before, tail)) = rest.split_once("${") {
            let (name, after) =
                tail.split_once('}').ok_or_else(|| TemplateError(format!("no end of ${{ in {pattern}")))?;
            result.push_str(before);
            if let Some(literal) = name.strip_prefix('!') {
                result.push_str(&format!("${{{literal}}}"));
            } else if let Some(value) = own.get(name) {
                result.push_str(&plain(value));
            } else {
                let value = match name.split_once('.') {
                    Some((id, attribute)) => self.attribute(id, attribute)?,
                    None => self.reference(name)?,
                };
                result.push_str(&plain(&value));
            }
            rest = after;
        }
        result.push_str(rest);
        Ok(result.into())
    }

    fn condition(&self, condition: &Value) -> Result<bool, TemplateError> {
        let Some((name, argument)) = condition.as_object().and_then(|object| object.iter().next()) else {
            return Err(TemplateError(format!("no condition: {condition}")));
        };
        let parts = argument.as_array().map(Vec::as_slice).unwrap_or_default();
        match name.as_str() {
            "Condition" => match self.conditions.get(text(argument)) {
                Some(condition) => self.condition(condition),
                None => Err(TemplateError(format!("no such condition: {argument}"))),
            },
            "Fn::Equals" if parts.len() == 2 => {
                Ok(plain(&self.resolve(&parts[0])?) == plain(&self.resolve(&parts[1])?))
            }
            "Fn::Not" if parts.len() == 1 => Ok(!self.condition(&parts[0])?),
            "Fn::And" => parts.iter().try_fold(true, |all, part| Ok(self.condition(part)? && all)),
            "Fn::Or" => parts.iter().try_fold(false, |any, part| Ok(self.condition(part)? || any)),
            _ => Err(TemplateError(format!("the stand-in does not know the condition {condition}"))),
        }
    }

    fn kind(&self, id: &str) -> Option<&str> {
        self.resources[id]["Type"].as_str()
    }

    /// The alias that SAM publishes for a function.
    fn alias(&self, id: &str) -> Option<&str> {
        let own = &self.resources[id]["Properties"]["AutoPublishAlias"];
        own.as_str().or_else(|| self.global_alias.as_str())
    }

    pub(super) fn name(&self, id: &str) -> Option<String> {
        self.kind(id)?;
        let properties = &self.resources[id]["Properties"];
        let named = NAME_PROPERTIES.iter().find_map(|key| properties.get(key));
        match named.and_then(|name| self.resolve(name).ok()) {
            Some(Value::String(name)) => Some(name),
            _ => Some(id.to_owned()),
        }
    }

    pub(super) fn arn(&self, id: &str) -> Option<String> {
        let name = self.name(id)?;
        Some(match self.kind(id)? {
            "AWS::Serverless::Function" | "AWS::Lambda::Function" => {
                format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}")
            }
            "AWS::Serverless::StateMachine" | "AWS::StepFunctions::StateMachine" => {
                format!("arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{name}")
            }
            "AWS::IAM::Role" => format!("arn:aws:iam::{ACCOUNT}:role/{name}"),
            "AWS::S3::Bucket" => format!("arn:aws:s3:::{name}"),
            "AWS::Events::Rule" => format!("arn:aws:events:{REGION}:{ACCOUNT}:rule/{name}"),
            "AWS::Scheduler::ScheduleGroup" => format!("arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule-group/{name}"),
            "AWS::SNS::Topic" => format!("arn:aws:sns:{REGION}:{ACCOUNT}:{name}"),
            "AWS::SecretsManager::Secret" => {
                format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}{SECRET_SUFFIX}")
            }
            "AWS::SQS::Queue" => format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"),
            "AWS::Logs::LogGroup" => format!("arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{name}:*"),
            other => {
                let service = other.split("::").nth(1).unwrap_or(other).to_ascii_lowercase();
                format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{name}")
            }
        })
    }
}

/// Secrets Manager ends a secret's ARN in six random characters; those of a template's secrets are known beforehand.
const SECRET_SUFFIX: &str = "-deploy";

/// The properties in which resource types carry their names.
const NAME_PROPERTIES: [&str; 9] = [
    "FunctionName",
    "RoleName",
    "BucketName",
    "TopicName",
    "QueueName",
    "LogGroupName",
    "StateMachineName",
    "Name",
    "AlarmName",
];

/// The stand-in has no network of its own, so parameters that name parts of one need no value.
fn of_no_meaning_here(parameter: &Value) -> Option<Value> {
    let kind = parameter["Type"].as_str()?;
    kind.contains("AWS::EC2::").then(|| "local".into())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A scalar as text; CloudFormation writes numbers and booleans as they are.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
