//! The SAM template as the stand-in reads it: resources with their properties resolved, functions with their limits.

mod resolve;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::config::FunctionConfig;
use resolve::Resolver;

/// A resource with its properties resolved: no `Ref`, `GetAtt`, `Sub`, `If` is left.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// The name in the template.
    pub logical_id: String,
    /// `AWS::Serverless::Function`, ..
    pub kind: String,
    /// The properties, with `Globals` merged in.
    pub properties: Value,
}

/// A template whose parameters have values.
#[derive(Debug, Clone)]
pub struct Template {
    /// The resources whose condition holds, in the order of the template.
    pub resources: Vec<Resource>,
    resolver: Resolver,
}

/// Why a template cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("read template: {0}")]
pub struct TemplateError(pub String);

impl Template {
    /// Read a template; `parameters` overrides the defaults in it.
    pub fn read(text: &str, parameters: &BTreeMap<String, String>) -> Result<Self, TemplateError> {
        let yaml: serde_yaml_ng::Value =
            serde_yaml_ng::from_str(text).map_err(|error| TemplateError(error.to_string()))?;
        let template = resolve::long_form(yaml)?;
        let resolver = Resolver::new(&template, parameters)?;
        let globals = resolver.resolve(&template["Globals"]["Function"])?;
        let mut resources = Vec::new();
        for (logical_id, resource) in template["Resources"].as_object().into_iter().flatten() {
            if !resolver.exists(resource)? {
                continue;
            }
            let kind = resource["Type"].as_str().unwrap_or_default().to_owned();
            let mut properties = resolver.resolve(&resource["Properties"])?;
            if kind == FUNCTION {
                properties = merged(&globals, &properties);
            }
            resources.push(Resource { logical_id: logical_id.clone(), kind, properties });
        }
        Ok(Self { resources, resolver })
    }

    /// The functions; the binary of `FunctionName` `<prefix>-<step>` is `<folder>/<step>`, where the step is the
    /// logical id without `Function`, in kebab case.
    pub fn functions(&self, folder: &Path) -> Result<Vec<FunctionConfig>, TemplateError> {
        self.of_kind(FUNCTION).map(|resource| self.function(resource, folder)).collect()
    }

    /// Resources of one type.
    pub fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Resource> {
        self.resources.iter().filter(move |resource| resource.kind == kind)
    }

    /// The ARN that `!GetAtt <logical id>.Arn` stands for.
    pub fn arn(&self, logical_id: &str) -> Option<String> {
        self.resolver.arn(logical_id)
    }

    /// The name that a resource gets: its name property, else its logical id.
    pub fn name(&self, logical_id: &str) -> Option<String> {
        self.resolver.name(logical_id)
    }

    fn function(&self, resource: &Resource, folder: &Path) -> Result<FunctionConfig, TemplateError> {
        let properties = &resource.properties;
        let name = self.name(&resource.logical_id).unwrap_or_else(|| resource.logical_id.clone());
        let mut config = FunctionConfig::new(&name, folder.join(step_of(&resource.logical_id)));
        if let Some(memory) = number(&properties["MemorySize"]) {
            config.memory_mib = memory;
        }
        if let Some(seconds) = number(&properties["Timeout"]) {
            config.timeout = Duration::from_secs(seconds);
        }
        config.reserved_concurrency =
            number(&properties["ReservedConcurrentExecutions"]).and_then(|most| usize::try_from(most).ok());
        if let Some(alias) = properties["AutoPublishAlias"].as_str() {
            config.qualifiers = vec![alias.to_owned(), "1".to_owned()];
        }
        config.has_url = properties["FunctionUrlConfig"]["AuthType"] == "NONE";
        for (key, value) in properties["Environment"]["Variables"].as_object().into_iter().flatten() {
            let value = text(value)
                .ok_or_else(|| TemplateError(format!("{}: variable {key} is no text", resource.logical_id)))?;
            config.environment.insert(key.clone(), value);
        }
        Ok(config)
    }
}

const FUNCTION: &str = "AWS::Serverless::Function";

/// `StartRunFunction` → `start-run`.
fn step_of(logical_id: &str) -> String {
    let name = logical_id.strip_suffix("Function").unwrap_or(logical_id);
    let mut step = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !step.is_empty() {
            step.push('-');
        }
        step.push(letter.to_ascii_lowercase());
    }
    step
}

/// `Globals` under a function's own properties: maps are merged, everything else is replaced.
fn merged(globals: &Value, own: &Value) -> Value {
    match (globals, own) {
        (Value::Object(globals), Value::Object(own)) => {
            let mut both = globals.clone();
            for (key, value) in own {
                let value = both.get(key).map_or_else(|| value.clone(), |global| merged(global, value));
                both.insert(key.clone(), value);
            }
            Value::Object(both)
        }
        (globals, Value::Null) => globals.clone(),
        (_, own) => own.clone(),
    }
}

fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "
Parameters:
  Size: { Type: Number, Default: 64 }
  Stage: { Type: String }
  Subnets: { Type: 'List<AWS::EC2::Subnet::Id>' }
Conditions:
  IsTest: !Equals [!Ref Stage, test]
Globals:
  Function:
    Timeout: 30
    MemorySize: !Ref Size
    Environment: { Variables: { STAGE: !Ref Stage, LEVEL: info } }
Resources:
  FenceSourceFunction:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: pgleap-fence-source
      Timeout: 6
      ReservedConcurrentExecutions: 1
      Environment: { Variables: { LEVEL: debug, ROLE: !GetAtt Role.Arn, UNDO: !Sub '${UnfenceFunction.Arn}:live', ALIAS: !Ref UnfenceFunction.Alias, OWN: !Ref FenceSourceFunctionRole } }
  UnfenceFunction:
    Type: AWS::Serverless::Function
    Properties: { AutoPublishAlias: live }
  Absent:
    Type: AWS::Serverless::Function
    Condition: IsProduction
  Role: { Type: AWS::IAM::Role, Properties: { RoleName: !If [IsTest, tester, !Ref AWS::NoValue] } }
";

    fn template() -> Template {
        let text = TEMPLATE.replace("  IsTest:", "  IsProduction: !Not [!Condition IsTest]\n  IsTest:");
        Template::read(&text, &BTreeMap::from([("Stage".to_owned(), "test".to_owned())])).unwrap()
    }

    #[test]
    fn a_function_has_its_own_limits_over_the_globals() {
        let functions = template().functions(Path::new("/f")).unwrap();

        let fence = &functions[0];
        assert_eq!(
            (fence.name.as_str(), fence.binary.as_path()),
            ("pgleap-fence-source", Path::new("/f/fence-source"))
        );
        assert_eq!(
            (fence.memory_mib, fence.timeout, fence.reserved_concurrency),
            (64, Duration::from_secs(6), Some(1))
        );
        let undo = "arn:aws:lambda:eu-west-1:111122223333:function:UnfenceFunction:live";
        let expected = [
            ("ALIAS", undo),
            ("LEVEL", "debug"),
            ("OWN", "pgleap-FenceSourceFunctionRole"),
            ("ROLE", "arn:aws:iam::111122223333:role/tester"),
            ("STAGE", "test"),
            ("UNDO", undo),
        ];
        assert_eq!(fence.environment, expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
    }

    #[test]
    fn a_resource_whose_condition_fails_is_not_there() {
        let functions = template().functions(Path::new("/f")).unwrap();

        assert_eq!(functions.len(), 2);
        assert_eq!(functions[1].qualifiers, ["live", "1"]);
        assert_eq!(functions[1].timeout, Duration::from_secs(30));
    }

    #[test]
    fn a_parameter_without_a_value_is_named() {
        let error = Template::read(TEMPLATE, &BTreeMap::new()).unwrap_err();

        assert!(error.to_string().contains("Stage"), "{error}");
    }
}
