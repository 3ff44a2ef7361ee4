//! The template, deployed: functions, state machines, rules.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use local_aws_core::{ACCOUNT, ApiError, Call, Service};
use local_aws_lambda::{Resource, Template};
use serde_json::{Value, json};

use crate::LocalAws;

/// What a deployment made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deployment {
    /// Function names by logical id.
    pub functions: BTreeMap<String, String>,
    /// State machine ARNs by logical id.
    pub machines: BTreeMap<String, String>,
    /// Names of EventBridge rules.
    pub rules: Vec<String>,
}

const FUNCTION: &str = "AWS::Serverless::Function";
const MACHINE: &str = "AWS::Serverless::StateMachine";
const RULE: &str = "AWS::Events::Rule";
const SECRET: &str = "AWS::SecretsManager::Secret";
const TOPIC: &str = "AWS::SNS::Topic";

impl LocalAws {
    /// Deploy a SAM template: its functions from `binaries/<step>`, its state machines with the given definitions (by
    /// logical id, JSON with `${..}` for the template's DefinitionSubstitutions), its secrets, its topics,
    /// its rules.
    ///
    /// Types of resources that mean nothing here (roles, buckets, alarms) are passed over.
    pub async fn deploy(
        &self,
        template: &Template,
        binaries: &Path,
        definitions: &BTreeMap<String, String>,
    ) -> Result<Deployment> {
        let mut made = Deployment::default();
        for mut function in template.functions(binaries)? {
            // Names a file that Lambda's own system has; nothing is asked by TLS here.
            function.environment.retain(|name, value| name != "SSL_CERT_FILE" || Path::new(value).is_file());
            if !function.binary.is_file() {
                bail!("deploy {}: there is no {}; build the functions first", function.name, function.binary.display());
            }
            self.lambda().register(function);
        }
        for resource in template.of_kind(FUNCTION) {
            made.functions.insert(resource.logical_id.clone(), template.name(&resource.logical_id).unwrap_or_default());
        }
        self.set_policies(template);
        for secret in template.of_kind(SECRET) {
            let (name, arn) = (template.name(&secret.logical_id), template.arn(&secret.logical_id));
            let value: String = std::iter::repeat_with(fastrand::alphanumeric).take(64).collect();
            self.secrets().deploy(&name.unwrap_or_default(), &arn.unwrap_or_default(), &value)?;
        }
        for topic in template.of_kind(TOPIC) {
            self.sns().add_topic(&template.arn(&topic.logical_id).unwrap_or_default());
        }
        for machine in template.of_kind(MACHINE) {
            let id = &machine.logical_id;
            let definition = definitions.get(id).with_context(|| format!("deploy {id}: no definition was given"))?;
            let arn = self.create_machine(machine, definition).await.with_context(|| format!("deploy {id}"))?;
            made.machines.insert(id.clone(), arn);
        }
        for rule in template.of_kind(RULE) {
            made.rules
                .push(self.put_rule(template, rule).await.with_context(|| format!("deploy {}", rule.logical_id))?);
        }
        Ok(made)
    }

    /// Hold callers with a function's name as access key id to that function's policies, whether it is deployed or not.
    pub fn set_policies(&self, template: &Template) {
        for resource in template.of_kind(FUNCTION) {
            let name = template.name(&resource.logical_id).unwrap_or_default();
            self.policies().set(&name, &resource.properties["Policies"]);
        }
    }

    /// A test is about a refusal of this action: it is not recorded as something that a policy lacks.
    pub fn expect_refusal(&self, action: &str) {
        self.policies().expect_refusal(action);
    }

    async fn create_machine(&self, machine: &Resource, definition: &str) -> Result<String> {
        let properties = &machine.properties;
        let definition = substitute(definition, &properties["DefinitionSubstitutions"])?;
        let input = json!({
            "name": properties["Name"].as_str().unwrap_or(&machine.logical_id),
            "definition": definition,
            "roleArn": format!("arn:aws:iam::{ACCOUNT}:role/{}Role", machine.logical_id),
            "type": properties["Type"].as_str().unwrap_or("STANDARD"),
        });
        let states = self.states().context("Step Functions was not started")?;
        let created = states.call("CreateStateMachine", &input).await?;
        Ok(created["stateMachineArn"].as_str().unwrap_or_default().to_owned())
    }

    async fn put_rule(&self, template: &Template, rule: &Resource) -> Result<String> {
        let properties = &rule.properties;
        let name = template.name(&rule.logical_id).unwrap_or_default();
        let put = json!({
            "Name": name,
            "EventPattern": properties["EventPattern"].to_string(),
            "State": properties["State"].as_str().unwrap_or("ENABLED"),
        });
        self.ask_events("PutRule", put).await?;
        self.ask_events("PutTargets", json!({"Rule": name, "Targets": properties["Targets"]})).await?;
        Ok(name)
    }

    async fn ask_events(&self, operation: &str, input: Value) -> Result<Value, ApiError> {
        self.rules().call(&Call::new(operation, input)).await
    }
}

/// `${Name}` in a definition becomes the value; one that nobody gives is an error, as CloudFormation would leave it and
/// Step Functions call a function of that name.
fn substitute(definition: &str, substitutions: &Value) -> Result<String> {
    let mut result = definition.to_owned();
    for (name, value) in substitutions.as_object().into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        result = result.replace(&format!("${{{name}}}"), &value);
    }
    if let Some((_, rest)) = result.split_once("${") {
        bail!("no substitution for ${{{}}}", rest.split('}').next().unwrap_or_default());
    }
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_placeholder_needs_a_value() {
        let given = json!({"FenceArn": "arn:fence", "Seconds": 5});

        assert_eq!(
            substitute("{\"a\": \"${FenceArn}\", \"b\": ${Seconds}}", &given).unwrap(),
            "{\"a\": \"arn:fence\", \"b\": 5}"
        );
        let error = substitute("${OtherArn}", &given).unwrap_err();
        assert!(error.to_string().contains("OtherArn"), "{error}");
    }
}
