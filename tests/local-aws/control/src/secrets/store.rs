//! Secrets in memory.

use std::collections::BTreeMap;

use local_aws_core::{ACCOUNT, ApiError, Call, REGION, Reply};
use serde_json::{Map, Value, json};

use super::stages::{CURRENT, PREVIOUS, Stages};

/// Versions without a label that are kept. On AWS more of them live for a day.
/// Source: AWS Secrets Manager user guide, "Quotas" (versions of a secret).
const MOST_VERSIONS: usize = 100;

/// A value; it must not appear in any text made for people.
#[derive(Clone, PartialEq)]
pub(super) struct Content {
    string: Option<String>,
    binary: Option<String>,
}

impl std::fmt::Debug for Content {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Content(..)")
    }
}

impl Content {
    /// The value in a request, if it has one.
    pub(super) fn of(call: &Call) -> Result<Option<Self>, ApiError> {
        let [string, binary] = ["SecretString", "SecretBinary"].map(|member| call.str(member).map(str::to_owned));
        if string.is_some() && binary.is_some() {
            return Err(error(
                "InvalidParameterException",
                "You can't specify both a binary secret value and a string secret value in the same secret.",
            ));
        }
        Ok((string.is_some() || binary.is_some()).then_some(Self { string, binary }))
    }
}

#[derive(Debug)]
struct Version {
    content: Content,
    created: f64,
}

/// A secret and its versions.
#[derive(Debug)]
pub(super) struct Secret {
    pub(super) name: String,
    pub(super) arn: String,
    pub(super) deleted: Option<f64>,
    /// When it is rotated next, if it is rotated.
    pub(super) rotation: Option<f64>,
    description: Option<String>,
    kms_key: Option<String>,
    tags: BTreeMap<String, String>,
    versions: BTreeMap<String, Version>,
    stages: Stages,
    /// Since when the label AWSCURRENT is where it is.
    current_since: f64,
    created: f64,
    changed: f64,
}

impl Secret {
    pub(super) fn new(name: &str, now: f64) -> Self {
        let suffix: String = std::iter::repeat_with(fastrand::alphanumeric).take(6).collect();
        Self {
            name: name.to_owned(),
            arn: format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}-{suffix}"),
            deleted: None,
            rotation: None,
            description: None,
            kms_key: None,
            tags: BTreeMap::new(),
            versions: BTreeMap::new(),
            stages: Stages::default(),
            current_since: now,
            created: now,
            changed: now,
        }
    }

    /// Take description and key over, if the request has them.
    pub(super) fn describe(&mut self, call: &Call) {
        for (member, kept) in [("Description", &mut self.description), ("KmsKeyId", &mut self.kms_key)] {
            if let Some(value) = call.str(member) {
                *kept = Some(value.to_owned());
            }
        }
    }

    pub(super) fn tag(&mut self, tags: &Value) {
        for tag in tags.as_array().into_iter().flatten() {
            let [key, value] = ["Key", "Value"].map(|member| tag[member].as_str().unwrap_or_default().to_owned());
            self.tags.insert(key, value);
        }
    }

    pub(super) fn content(&self, version: &str) -> Option<&Content> {
        self.versions.get(version).map(|version| &version.content)
    }

    /// A new version with these labels, the current one if there are none; the same one again changes nothing.
    pub(super) fn put(&mut self, version: &str, content: Content, labels: &[&str], now: f64) -> Result<(), ApiError> {
        match self.content(version) {
            Some(kept) if *kept == content => Ok(()),
            Some(_) => {
                let text = format!(
                    "You can't use ClientRequestToken {version} because that value is already in use for a version of secret {}.",
                    self.arn
                );
                Err(error("ResourceExistsException", &text))
            }
            None => self.add_version(version, content, labels, now),
        }
    }

    pub(super) fn add_version(
        &mut self,
        version: &str,
        content: Content,
        labels: &[&str],
        now: f64,
    ) -> Result<(), ApiError> {
        let mut stages = self.stages.clone();
        let is_first = self.stages.at(CURRENT).is_none();
        let current = (labels.is_empty() || is_first).then_some(CURRENT);
        for label in labels.iter().copied().chain(current) {
            stages.attach(label, version)?;
        }
        self.versions.insert(version.to_owned(), Version { content, created: now });
        self.staged(stages, now);
        Ok(())
    }

    /// Move or remove a label.
    pub(super) fn move_label(
        &mut self,
        label: &str,
        from: Option<&str>,
        to: Option<&str>,
        now: f64,
    ) -> Result<(), ApiError> {
        if [from, to].into_iter().flatten().any(|version| !self.versions.contains_key(version)) {
            let text = "Secrets Manager can't find the specified secret version.";
            return Err(error("ResourceNotFoundException", text));
        }
        let mut stages = self.stages.clone();
        stages.move_label(label, from, to)?;
        self.staged(stages, now);
        Ok(())
    }

    fn staged(&mut self, stages: Stages, now: f64) {
        if stages.at(CURRENT) != self.stages.at(CURRENT) {
            self.current_since = now;
        }
        self.stages = stages;
        self.changed = now;
        let outdated = self.versions.iter().filter(|(id, _)| self.stages.of(id).is_empty());
        let mut outdated: Vec<_> = outdated.map(|(id, version)| (version.created, id.clone())).collect();
        outdated.sort_by(|one, other| other.0.total_cmp(&one.0));
        for (_, id) in outdated.iter().skip(MOST_VERSIONS) {
            self.versions.remove(id);
        }
    }

    pub(super) fn value(&self, version: Option<&str>, stage: Option<&str>, seen_until: f64) -> Reply {
        let stage = stage.unwrap_or(CURRENT);
        let by_stage = match stage {
            CURRENT if self.current_since > seen_until => self.stages.at(PREVIOUS).or(self.stages.at(CURRENT)),
            label => self.stages.at(label),
        };
        let found = version.or(by_stage).and_then(|id| Some((id, self.versions.get(id)?)));
        let (id, version) = found.ok_or_else(|| {
            let text = format!("Secrets Manager can't find the specified secret value for staging label: {stage}");
            error("ResourceNotFoundException", &text)
        })?;
        let mut answer = self.named(Some(id));
        answer["CreatedDate"] = version.created.into();
        answer["VersionStages"] = self.stages.of(id).into();
        for (member, value) in [("SecretString", &version.content.string), ("SecretBinary", &version.content.binary)] {
            if let Some(value) = value {
                answer[member] = value.clone().into();
            }
        }
        Ok(answer)
    }

    pub(super) fn refuse_if_deleted(&self, what: &str) -> Result<(), ApiError> {
        match self.deleted {
            Some(_) => Err(error("InvalidRequestException", &format!("You can't {what}."))),
            None => Ok(()),
        }
    }

    pub(super) fn named(&self, version: Option<&str>) -> Value {
        let mut answer = json!({"ARN": self.arn, "Name": self.name});
        if let Some(version) = version {
            answer["VersionId"] = version.into();
        }
        answer
    }

    pub(super) fn described(&self) -> Value {
        self.details("VersionIdsToStages")
    }

    pub(super) fn listed(&self) -> Value {
        self.details("SecretVersionsToStages")
    }

    /// Does one of ListSecrets' filters let it through? Names, descriptions and tags match by their beginning.
    pub(super) fn matches(&self, filter: &Value) -> bool {
        let texts: Vec<&str> = match filter["Key"].as_str().unwrap_or_default() {
            "name" => vec![&self.name],
            "description" => self.description.iter().map(String::as_str).collect(),
            "tag-key" => self.tags.keys().map(String::as_str).collect(),
            "tag-value" => self.tags.values().map(String::as_str).collect(),
            _ => {
                [&self.name].into_iter().chain(self.tags.keys()).chain(self.tags.values()).map(String::as_str).collect()
            }
        };
        let mut values = filter["Values"].as_array().into_iter().flatten().filter_map(Value::as_str);
        values.any(|value| texts.iter().any(|text| text.starts_with(value)))
    }

    fn details(&self, versions: &str) -> Value {
        let stages = self.versions.keys().map(|id| (id.clone(), self.stages.of(id)));
        let stages: Map<String, Value> =
            stages.filter(|(_, labels)| !labels.is_empty()).map(|(id, labels)| (id, labels.into())).collect();
        let tags: Vec<Value> = self.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
        let mut answer = json!({
            "ARN": self.arn,
            "Name": self.name,
            "CreatedDate": self.created,
            "LastChangedDate": self.changed,
            "Tags": tags,
        });
        answer[versions] = stages.into();
        let optional = [
            ("Description", self.description.clone().map(Value::from)),
            ("KmsKeyId", self.kms_key.clone().map(Value::from)),
            ("DeletedDate", self.deleted.map(Value::from)),
            // Names with an exclamation mark are reserved for secrets that a service manages.
            ("OwningService", self.name.split_once('!').map(|(service, _)| Value::from(service))),
            ("RotationEnabled", self.rotation.map(|_| Value::from(true))),
            ("NextRotationDate", self.rotation.map(Value::from)),
        ];
        for (member, value) in optional {
            if let Some(value) = value {
                answer[member] = value;
            }
        }
        answer
    }

    /// The labels of a version.
    pub(super) fn labels(&self, version: &str) -> Vec<&str> {
        self.stages.of(version)
    }
}

/// All secrets, by name.
#[derive(Debug, Default)]
pub(super) struct Store(BTreeMap<String, Secret>);

impl Store {
    pub(super) fn add(&mut self, secret: Secret) {
        self.0.insert(secret.name.clone(), secret);
    }

    pub(super) fn remove(&mut self, id: &str) -> Option<Secret> {
        let name = self.find(id).ok()?.name.clone();
        self.0.remove(&name)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Secret> {
        self.0.values()
    }

    pub(super) fn live(&self) -> impl Iterator<Item = &Secret> {
        self.all().filter(|secret| secret.deleted.is_none())
    }

    /// By name, ARN, or ARN without its random suffix.
    pub(super) fn find(&self, id: &str) -> Result<&Secret, ApiError> {
        self.0.get(id).or_else(|| self.all().find(|secret| has_arn(secret, id))).ok_or_else(not_found)
    }

    /// As a read finds it: one that was made after this moment is not there yet.
    pub(super) fn seen(&self, id: &str, until: f64) -> Result<&Secret, ApiError> {
        self.find(id).and_then(|secret| if secret.created <= until { Ok(secret) } else { Err(not_found()) })
    }

    pub(super) fn find_mut(&mut self, id: &str) -> Result<&mut Secret, ApiError> {
        let name = self.find(id)?.name.clone();
        self.0.get_mut(&name).ok_or_else(not_found)
    }
}

fn has_arn(secret: &Secret, id: &str) -> bool {
    secret.arn == id || secret.arn.rsplit_once('-').is_some_and(|(short, _)| short == id)
}

fn not_found() -> ApiError {
    error("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
}

/// Errors of this service are all HTTP 400 but the internal ones.
pub(super) fn error(code: &str, text: &str) -> ApiError {
    ApiError::new(400, code, text)
}
