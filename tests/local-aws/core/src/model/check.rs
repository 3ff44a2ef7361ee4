//! Whether a value fits its shape: what AWS would refuse of a request, what must never leave as an answer.

use base64::Engine as _;
use serde_json::Value;

use super::{Kind, Model, Operation, Shape};

/// One thing that does not fit.
#[derive(Debug, Clone, PartialEq)]
pub enum Problem {
    /// A member that the model requires is absent.
    Missing {
        /// e.g. `Filters.1.Name`
        path: String,
    },
    /// A member that the model does not have.
    Unknown {
        /// e.g. `Filters.1.Nmae`
        path: String,
    },
    /// A value of another type.
    WrongType {
        /// e.g. `AllocatedStorage`
        path: String,
        /// What the model says, e.g. `Integer`.
        expected: &'static str,
        /// What was found, never a sensitive value.
        found: String,
    },
    /// A value of the right type that is not allowed.
    Constraint {
        /// e.g. `Endpoint.EndpointType`
        path: String,
        /// As sent; hidden if sensitive.
        found: String,
        /// In AWS's words, e.g. `Member must satisfy enum value set: [source, target]`.
        rule: String,
    },
}

/// Enums whose values AWS answers in capitals although its model, and its own input, have them in small letters:
/// DMS takes `EndpointType` `source` and answers `SOURCE` (seen in public reports).
const CAPITALS_IN_ANSWERS: [(&str, &str); 1] = [("dms", "ReplicationEndpointTypeValue")];

/// What a decoded input lacks or has too much, all of it.
pub fn check_input(model: &Model, operation: &Operation, input: &Value) -> Vec<Problem> {
    check(model, operation.input.as_deref(), input, &[])
}

/// What an answer lacks or has too much. A null member counts as absent.
pub fn check_output(model: &Model, operation: &Operation, output: &Value) -> Vec<Problem> {
    check(model, operation.output.as_deref(), output, &CAPITALS_IN_ANSWERS)
}

fn check(model: &Model, shape: Option<&str>, value: &Value, capitals: &[(&str, &str)]) -> Vec<Problem> {
    let mut checker = Checker { model, capitals, path: Vec::new(), problems: Vec::new() };
    match shape {
        Some(shape) => checker.value(shape, value),
        None => checker.nothing(value),
    }
    checker.problems
}

struct Checker<'a> {
    model: &'a Model,
    capitals: &'a [(&'a str, &'a str)],
    path: Vec<String>,
    problems: Vec<Problem>,
}

impl Checker<'_> {
    fn nothing(&mut self, value: &Value) {
        for name in value.as_object().into_iter().flat_map(|members| members.keys()) {
            self.problems.push(Problem::Unknown { path: name.clone() });
        }
    }

    fn value(&mut self, shape_name: &str, value: &Value) {
        let shape = self.model.shape(shape_name);
        match (&shape.kind, value) {
            (Kind::Structure(_), Value::Object(members)) => self.structure(shape, members),
            (Kind::List { element, .. }, Value::Array(items)) => {
                self.length(shape, items.len(), "list");
                for (index, item) in items.iter().enumerate() {
                    self.within((index + 1).to_string(), |inner| inner.value(&element.shape, item));
                }
            }
            (Kind::Map { key: key_shape, value: element }, Value::Object(entries)) => {
                self.length(shape, entries.len(), "map");
                for (key, entry) in entries {
                    self.within(key.clone(), |inner| {
                        inner.text(&key_shape.shape, key);
                        inner.value(&element.shape, entry);
                    });
                }
            }
            (Kind::String { .. }, Value::String(text)) => self.text(shape_name, text),
            (Kind::Boolean, Value::Bool(_)) | (Kind::Timestamp(_), Value::Number(_)) => {}
            (Kind::Integer, Value::Number(number)) if fits_32_bits(number) => self.range(shape, number),
            (Kind::Long, Value::Number(number)) if number.is_i64() => self.range(shape, number),
            (Kind::Double, Value::Number(number)) => self.range(shape, number),
            (Kind::Blob, Value::String(text)) => match base64::engine::general_purpose::STANDARD.decode(text) {
                Ok(bytes) => self.length(shape, bytes.len(), "blob"),
                Err(_) => self.wrong_type(shape, value),
            },
            _ => self.wrong_type(shape, value),
        }
    }

    fn structure(&mut self, shape: &Shape, found: &serde_json::Map<String, Value>) {
        let Kind::Structure(members) = &shape.kind else { return };
        for name in found.keys().filter(|name| !members.iter().any(|member| &member.name == *name)) {
            let path = self.path_to(name);
            self.problems.push(Problem::Unknown { path });
        }
        for member in members {
            match found.get(&member.name).filter(|value| !value.is_null()) {
                Some(value) => self.within(member.name.clone(), |inner| inner.value(&member.shape, value)),
                None if member.required => {
                    let path = self.path_to(&member.name);
                    self.problems.push(Problem::Missing { path });
                }
                None => {}
            }
        }
    }

    fn text(&mut self, shape_name: &str, text: &str) {
        let shape = self.model.shape(shape_name);
        let Kind::String { choices, charset } = &shape.kind else { return };
        self.length(shape, text.chars().count(), text);
        let capitals = self.capitals.contains(&(self.model.name, shape_name));
        let is = |choice: &String| choice == text || (capitals && choice.to_ascii_uppercase() == text);
        if !choices.is_empty() && !choices.iter().any(is) {
            let rule = format!("Member must satisfy enum value set: [{}]", choices.join(", "));
            self.constraint(shape, text, rule);
        }
        if let Some(charset) = charset.as_ref().filter(|charset| !charset.allows(text)) {
            let rule = format!("Member must satisfy regular expression pattern: {}", charset.pattern);
            self.constraint(shape, text, rule);
        }
    }

    fn within(&mut self, step: String, look: impl FnOnce(&mut Self)) {
        self.path.push(step);
        look(self);
        self.path.pop();
    }

    fn path_to(&self, name: &str) -> String {
        self.path.iter().map(String::as_str).chain([name]).filter(|step| !step.is_empty()).collect::<Vec<_>>().join(".")
    }

    fn length(&mut self, shape: &Shape, length: usize, found: &str) {
        let length = length as f64;
        if shape.min.is_some_and(|min| length < min) {
            let rule = format!("Member must have length greater than or equal to {}", shape.min.unwrap_or(0.0));
            self.constraint(shape, found, rule);
        }
        if shape.max.is_some_and(|max| length > max) {
            let rule = format!("Member must have length less than or equal to {}", shape.max.unwrap_or(0.0));
            self.constraint(shape, found, rule);
        }
    }

    fn range(&mut self, shape: &Shape, number: &serde_json::Number) {
        let value = number.as_f64().unwrap_or(f64::NAN);
        if shape.min.is_some_and(|min| value < min) {
            let rule = format!("Member must have value greater than or equal to {}", shape.min.unwrap_or(0.0));
            self.constraint(shape, &number.to_string(), rule);
        }
        if shape.max.is_some_and(|max| value > max) {
            let rule = format!("Member must have value less than or equal to {}", shape.max.unwrap_or(0.0));
            self.constraint(shape, &number.to_string(), rule);
        }
    }

    fn constraint(&mut self, shape: &Shape, found: &str, rule: String) {
        let found = if shape.sensitive { "***".to_owned() } else { found.to_owned() };
        self.problems.push(Problem::Constraint { path: self.path_to(""), found, rule });
    }

    fn wrong_type(&mut self, shape: &Shape, value: &Value) {
        let found = if shape.sensitive { "***".to_owned() } else { short(value) };
        self.problems.push(Problem::WrongType { path: self.path_to(""), expected: type_name(&shape.kind), found });
    }
}

fn fits_32_bits(number: &serde_json::Number) -> bool {
    number.as_i64().is_some_and(|value| i32::try_from(value).is_ok())
}

/// A value's beginning, enough to recognise it in a message.
fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}..", &text[..end]),
        None => text,
    }
}

/// A type in the words of the messages.
pub(crate) fn type_name(kind: &Kind) -> &'static str {
    match kind {
        Kind::Structure(_) => "Structure",
        Kind::List { .. } => "List",
        Kind::Map { .. } => "Map",
        Kind::String { .. } => "String",
        Kind::Boolean => "Boolean",
        Kind::Integer => "Integer",
        Kind::Long => "Long",
        Kind::Double => "Double",
        Kind::Timestamp(_) => "Timestamp",
        Kind::Blob => "Blob",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn input(service: &str, operation: &str, value: Value) -> Vec<Problem> {
        let model = Model::of(service).unwrap();
        check_input(model, &model.operations[operation], &value)
    }

    #[test]
    fn every_model_is_read() {
        let names: Vec<_> = Model::all().iter().map(|model| model.name).collect();

        assert_eq!(names, ["rds", "dms", "route53", "secretsmanager", "scheduler", "ec2", "sns", "sts", "events"]);
        assert!(Model::all().iter().all(|model| !model.operations.is_empty()));
    }

    #[test]
    fn a_good_input_has_no_problem() {
        let good = json!({"ReplicationTaskArn": "arn:x", "StartReplicationTaskType": "resume-processing"});

        assert_eq!(input("dms", "StartReplicationTask", good), []);
    }

    #[test]
    fn a_bad_input_is_named_by_its_path() {
        let cases = [
            (json!({"StartReplicationTaskType": "resume-processing"}), "Missing { path: \"ReplicationTaskArn\" }"),
            (
                json!({"ReplicationTaskArn": "a", "StartReplicationTaskType": "resume-processing", "Nope": 1}),
                "Unknown { path: \"Nope\" }",
            ),
            (
                json!({"ReplicationTaskArn": 7, "StartReplicationTaskType": "resume-processing"}),
                "WrongType { path: \"ReplicationTaskArn\", expected: \"String\", found: \"7\" }",
            ),
            (
                json!({"ReplicationTaskArn": "a", "StartReplicationTaskType": "again"}),
                "Constraint { path: \"StartReplicationTaskType\", found: \"again\", rule: \"Member must satisfy enum \
                 value set: [start-replication, resume-processing, reload-target]\" }",
            ),
        ];
        for (value, expected) in cases {
            let problems = input("dms", "StartReplicationTask", value);

            assert_eq!(format!("{problems:?}"), format!("[{expected}]"));
        }
    }

    #[test]
    fn lengths_ranges_and_characters_are_checked() {
        let record = |ttl: i64, weight: i64| {
            json!({"HostedZoneId": "Z1", "ChangeBatch": {"Changes": [{"Action": "UPSERT", "ResourceRecordSet":
                {"Name": "a.", "Type": "CNAME", "TTL": ttl, "Weight": weight, "SetIdentifier": "s"}}]}})
        };
        assert_eq!(input("route53", "ChangeResourceRecordSets", record(60, 255)), []);
        assert_eq!(input("route53", "ChangeResourceRecordSets", record(-1, 256)).len(), 2);
        let target = json!({"Arn": "a", "RoleArn": "r"});
        let schedule = |name: &str| {
            json!({"Name": name, "ScheduleExpression": "at(2026-01-01T00:00:00)", "Target": target,
                "FlexibleTimeWindow": {"Mode": "OFF"}})
        };
        assert!(
            input("scheduler", "CreateSchedule", schedule("pgleap-r1-dead-man"))
                .iter()
                .all(|problem| !format!("{problem:?}").contains("Name"))
        );
        assert!(format!("{:?}", input("scheduler", "CreateSchedule", schedule("a b"))).contains("regular expression"));
    }

    #[test]
    fn a_sensitive_value_is_never_shown() {
        let problems = input("secretsmanager", "CreateSecret", json!({"Name": "s", "SecretString": 12345}));

        assert!(!format!("{problems:?}").contains("12345"), "{problems:?}");
        assert!(format!("{problems:?}").contains("***"));
    }

    #[test]
    fn endpoint_types_are_capitals_in_answers_only() {
        let model = Model::of("dms").unwrap();
        let output = json!({"Endpoint": {"EndpointType": "SOURCE"}});
        let sent = json!({"EndpointIdentifier": "e", "EngineName": "postgres", "EndpointType": "SOURCE"});

        assert_eq!(check_output(model, &model.operations["CreateEndpoint"], &output), []);
        assert_eq!(input("dms", "CreateEndpoint", sent).len(), 1);
    }

    #[test]
    fn an_answer_that_does_not_fit_is_found() {
        let model = Model::of("dms").unwrap();
        let operation = &model.operations["DescribeReplicationTasks"];

        let fits =
            json!({"ReplicationTasks": [{"Status": "running", "ReplicationTaskCreationDate": 1.5}], "Marker": null});
        let misspelt = json!({"ReplicationTasks": [{"status": "running"}]});

        assert_eq!(check_output(model, operation, &fits), []);
        assert_eq!(
            check_output(model, operation, &misspelt),
            [Problem::Unknown { path: "ReplicationTasks.1.status".to_owned() }]
        );
    }
}
