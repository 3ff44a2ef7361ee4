//! `infra/template.yaml` as data, CloudFormation's short tags expanded to their long form.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use serde_yaml_ng::Value as Yaml;

use crate::machine::{kebab, repository};

/// A function of the template.
#[derive(Debug, Clone, PartialEq)]
pub struct Function {
    /// Seconds.
    pub timeout: u64,
    /// Megabytes.
    pub memory: u64,
    /// Whether it lives in the VPC.
    pub in_vpc: bool,
    /// IAM actions that its inline policies name, to allow or to deny them.
    pub actions: Vec<String>,
    /// Those that they allow.
    pub allowed: Vec<String>,
}

/// The template, with `!Ref x` as `{"Ref": "x"}` and `!GetAtt a.b` as `{"Fn::GetAtt": "a.b"}`.
pub fn read() -> Result<Value> {
    let path = repository().join("infra/template.yaml");
    let source = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    Ok(expand(&serde_yaml_ng::from_str(&source)?))
}

/// Functions by step.
pub fn functions() -> Result<BTreeMap<String, Function>> {
    let template = read()?;
    let resources = template["Resources"].as_object().context("Resources")?;
    Ok(resources
        .iter()
        .filter(|(_, resource)| resource["Type"] == "AWS::Serverless::Function")
        .map(|(name, resource)| (kebab(name.trim_end_matches("Function")), function(&resource["Properties"])))
        .collect())
}

fn function(properties: &Value) -> Function {
    let statements: Vec<_> = statements(properties).collect();
    Function {
        timeout: properties["Timeout"].as_u64().unwrap_or(3),
        memory: properties["MemorySize"].as_u64().unwrap_or(128),
        in_vpc: properties.get("VpcConfig").is_some(),
        actions: statements.iter().flat_map(|statement| actions(statement)).collect(),
        allowed: statements
            .iter()
            .filter(|statement| statement["Effect"] == "Allow")
            .flat_map(|one| actions(one))
            .collect(),
    }
}

/// Statements of a function's or a machine's inline policies.
pub fn statements(properties: &Value) -> impl Iterator<Item = &Value> {
    let policies = properties["Policies"].as_array().into_iter().flatten();
    let statements = policies.flat_map(|policy| policy["Statement"].as_array().into_iter().flatten());
    statements.map(|statement| statement.get("Fn::If").map_or(statement, |choice| &choice[1])) // with its condition met
}

/// Actions that a statement names.
pub fn actions(statement: &Value) -> Vec<String> {
    let actions = match &statement["Action"] {
        Value::Array(actions) => actions.clone(),
        action => vec![action.clone()],
    };
    actions.iter().filter_map(|action| action.as_str().map(str::to_owned)).collect()
}

fn expand(yaml: &Yaml) -> Value {
    match yaml {
        Yaml::Tagged(tagged) => {
            let tag = tagged.tag.to_string();
            let name = tag.trim_start_matches('!');
            let name = if name == "Ref" { name.to_owned() } else { format!("Fn::{name}") };
            json!({ name: expand(&tagged.value) })
        }
        Yaml::Mapping(members) => {
            let name = |key: &Yaml| key.as_str().map_or_else(|| format!("{key:?}"), str::to_owned);
            members.iter().map(|(key, value)| (name(key), expand(value))).collect::<serde_json::Map<_, _>>().into()
        }
        Yaml::Sequence(items) => items.iter().map(expand).collect(),
        Yaml::Null => Value::Null,
        Yaml::Bool(flag) => json!(flag),
        Yaml::Number(number) => number.as_i64().map_or_else(|| json!(number.as_f64()), |integer| json!(integer)),
        Yaml::String(text) => json!(text),
    }
}
