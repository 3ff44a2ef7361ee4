//! What was deployed against what the template says, by the stand-in's own reading of it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};
use local_aws_lambda::Template;
use serde_json::{Value, json};

/// Physical ids by logical id.
pub(crate) type Made = BTreeMap<String, String>;

/// Every resource of the transformed template that its conditions want is there, and no other.
pub(crate) fn resources(deployed: &Value, transformed: &Value) -> Result<Made> {
    let mut made = Made::new();
    for resource in deployed["resources"].as_array().context("no resources")? {
        let (id, status) = (text(&resource["LogicalResourceId"]), text(&resource["ResourceStatus"]));
        if status != "CREATE_COMPLETE" {
            bail!("{id} is {status}");
        }
        made.insert(id.to_owned(), text(&resource["PhysicalResourceId"]).to_owned());
    }
    // Of the conditions these hold in the test: the account has no role of DMS yet, the operator no topic, and wants
    // links and a dashboard.
    let holds = |condition: &str| {
        matches!(condition, "MakesDmsVpcRole" | "MakesDmsLogsRole" | "MakesTopic" | "AnswersByLink" | "IsWatched")
    };
    let wanted = transformed["Resources"].as_object().context("no transformed template")?.iter();
    let wanted = wanted.filter(|(_, resource)| resource["Condition"].as_str().is_none_or(holds));
    let wanted: BTreeSet<_> = wanted.map(|(id, _)| unhashed(id)).collect();
    let found: BTreeSet<_> = made.keys().map(|id| unhashed(id)).collect();
    if wanted != found {
        let strays: Vec<_> = wanted.symmetric_difference(&found).collect();
        bail!("resources: {strays:?} are only in one of template and stack");
    }
    Ok(made)
}

/// Memory, time-out, variables, processor of every function's published version.
pub(crate) fn functions(deployed: &Value, template: &Template) -> Result<usize> {
    let mut count = 0;
    for function in template.of_kind("AWS::Serverless::Function") {
        let wanted = &function.properties;
        let name = text(&wanted["FunctionName"]);
        let found = &deployed["functions"][name];
        same(&format!("{name}: log group"), &json!("/aws/lambda/pgleap"), &found["LoggingConfig"]["LogGroup"])?;
        for member in ["MemorySize", "Timeout", "Runtime", "Handler", "Architectures", "Description"] {
            same(&format!("{name}: {member}"), &wanted[member], &found[member])?;
        }
        let [wanted, found] = [wanted, found].map(|of| unnumbered(&of["Environment"]["Variables"]));
        same(&format!("{name}: variables"), &wanted, &found)?;
        count += 1;
    }
    Ok(count)
}

/// Every statement of every function's policy, substituted, in the role that was made for it.
pub(crate) fn permissions(deployed: &Value, template: &Template, made: &Made) -> Result<usize> {
    let mut count = 0;
    for function in template.of_kind("AWS::Serverless::Function") {
        let role = made.get(&format!("{}Role", function.logical_id)).context("a function has no role")?;
        let policies = function.properties["Policies"].as_array().into_iter().flatten();
        let wanted = policies.flat_map(|policy| policy["Statement"].as_array().into_iter().flatten());
        let wanted: Vec<_> = wanted.cloned().collect();
        count += wanted.len();
        let [wanted, found] = [&json!(wanted), &deployed["statements"][role]].map(unnumbered);
        same(&format!("{role}: statements"), &wanted, &found)?;
    }
    Ok(count)
}

/// The definition with every placeholder filled in.
pub(crate) fn machine(deployed: &Value, arn: &str, substitutions: &Value, rendered: &Value) -> Result<usize> {
    let mut wanted = rendered.to_string();
    let substitutions = substitutions.as_object().context("no substitutions")?;
    for (name, value) in substitutions {
        wanted = wanted.replace(&format!("${{{name}}}"), text(value));
    }
    same(&format!("{arn}: definition"), &serde_json::from_str(&wanted)?, &deployed["definitions"][arn])?;
    Ok(substitutions.len())
}

/// The transform names a function's version after its code: `FenceSourceFunctionVersion` and a hash.
fn unhashed(id: &str) -> &str {
    id.find("FunctionVersion").map_or(id, |at| &id[..at + "FunctionVersion".len()])
}

fn same(what: &str, wanted: &Value, found: &Value) -> Result<()> {
    if wanted != found {
        bail!("{what}: the template says {wanted}, deployed is {found}");
    }
    Ok(())
}

/// CloudFormation makes names of its own: `pgleap-DeadlineRole-1A2B` is the stand-in's `DeadlineRole`. So do Secrets
/// Manager and Lambda, for a secret's ARN and a function's URL.
fn unnumbered(value: &Value) -> Value {
    match value {
        Value::String(text) => unnumbered_text(text).into(),
        Value::Array(items) => items.iter().map(unnumbered).collect(),
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), unnumbered(value))).collect(),
        _ => value.clone(),
    }
}

fn unnumbered_text(text: &str) -> String {
    if let Some((account, name)) = text.split_once(":role/pgleap-") {
        return format!("{account}:role/{}", name.rsplit_once('-').map_or(name, |(name, _)| name));
    }
    if let Some((account, name)) = text.split_once(":secret:") {
        // Names that the template gives end in a wildcard or a slash's part, not in random characters.
        let ours = name.trim_start_matches("pgleap-").split('-').next().unwrap_or_default();
        return if ours == "AnswerKey" { format!("{account}:secret:{ours}") } else { text.to_owned() };
    }
    match text.split_once(".lambda-url.") {
        Some((_, region)) => format!("https://url.lambda-url.{region}"),
        None => text.to_owned(),
    }
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
