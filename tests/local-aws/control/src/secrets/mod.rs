//! Secrets Manager: secrets with versions, tags, and a deletion that waits or does not.

mod ever;
mod password;
mod stages;
mod store;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use local_aws_core::{ApiError, BoxFuture, Call, Clock, ReadSecret, Reply, Service};
use serde_json::{Value, json};

use ever::Ever;
use store::{Content, Secret, Store, error};

/// Secrets Manager of a stand-in.
#[derive(Debug)]
pub struct SecretsManager {
    clock: Clock,
    store: Mutex<Store>,
    ever: Ever,
    /// Reads show what was so long ago.
    lag: Mutex<Duration>,
}

impl SecretsManager {
    /// Without secrets.
    pub fn new(clock: Clock) -> Self {
        Self { clock, store: Mutex::default(), ever: Ever::default(), lag: Mutex::default() }
    }

    /// The names of all secrets that are not marked for deletion: a run must leave none behind.
    pub fn names(&self) -> Vec<String> {
        self.store().live().map(|secret| secret.name.clone()).collect()
    }

    /// Every value that was ever kept, with its secret's name: deleted secrets and old versions too.
    pub fn ever_kept(&self) -> Vec<(String, String)> {
        self.ever.all()
    }

    /// Keep a secret for a service of AWS (RDS's master passwords); the answer is its ARN.
    pub fn keep(&self, name: &str, secret_string: &str) -> Result<String, ApiError> {
        let call = Call::new("CreateSecret", json!({"Name": name, "SecretString": secret_string}));
        self.create(&call).map(|answer| answer["ARN"].as_str().unwrap_or_default().to_owned())
    }

    /// Keep a secret as a stack makes it, with the ARN that its template refers to.
    pub fn deploy(&self, name: &str, arn: &str, secret_string: &str) -> Result<(), ApiError> {
        self.forget(arn); // of an earlier deployment
        let made = self.keep(name, secret_string)?;
        self.store().find_mut(&made)?.arn = arn.to_owned();
        Ok(())
    }

    /// Have a secret say that it is rotated, at that time (seconds since 1970) at the latest. Nothing rotates it.
    pub fn announce_rotation(&self, id: &str, at: f64) -> Result<(), ApiError> {
        self.store().find_mut(id)?.rotation = Some(at);
        Ok(())
    }

    /// From now on reads do not see secrets and values that are younger than this; writes do.
    pub fn read_late(&self, lag: Duration) {
        *self.lag.lock().unwrap_or_else(PoisonError::into_inner) = lag;
    }

    /// What was made after this moment is not seen.
    fn seen_until(&self) -> f64 {
        self.clock.epoch_seconds() - self.lag.lock().unwrap_or_else(PoisonError::into_inner).as_secs_f64()
    }

    /// Forget a secret at once, if it is there.
    pub fn forget(&self, arn: &str) {
        self.store().remove(arn);
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a request carries; remembered, whether the request is carried out or not.
    fn content(&self, call: &Call, name: &str) -> Result<Option<Content>, ApiError> {
        if let Some(value) = call.str("SecretString") {
            self.ever.note(name, value);
        }
        Content::of(call)
    }

    fn answer(&self, call: &Call) -> Reply {
        match call.operation.as_str() {
            "CreateSecret" => self.create(call),
            "GetSecretValue" => self.get_value(call),
            "PutSecretValue" => self.put_value(call),
            "UpdateSecretVersionStage" => self.move_label(call),
            "UpdateSecret" => self.update(call),
            "DescribeSecret" => Ok(self.store().seen(call.required("SecretId")?, self.seen_until())?.described()),
            "DeleteSecret" => self.delete(call),
            "ListSecrets" => self.list(call),
            "TagResource" => self.tag(call),
            "GetRandomPassword" => password::generate(call).map(|text| json!({"RandomPassword": text})),
            other => Err(ApiError::not_implemented(other)),
        }
    }

    fn create(&self, call: &Call) -> Reply {
        let name = call.required("Name")?;
        let token = call.str("ClientRequestToken").map_or_else(new_version_id, str::to_owned);
        let content = self.content(call, name)?;
        let mut store = self.store();
        if let Ok(existing) = store.find(name) {
            existing.refuse_if_deleted(
                "create this secret because a secret with this name is already scheduled for deletion",
            )?;
            return match (existing.content(&token), &content) {
                (Some(kept), Some(content)) if kept == content => Ok(existing.named(Some(&token))),
                _ => Err(exists(name)),
            };
        }
        let mut secret = Secret::new(name, self.clock.epoch_seconds());
        secret.describe(call);
        secret.tag(&call.input["Tags"]);
        let version = content.is_some().then_some(token.as_str());
        if let Some(content) = content {
            secret.add_version(&token, content, &[], self.clock.epoch_seconds())?;
        }
        let answer = secret.named(version);
        store.add(secret);
        Ok(answer)
    }

    fn get_value(&self, call: &Call) -> Reply {
        let store = self.store();
        let seen_until = self.seen_until();
        let secret = store.seen(call.required("SecretId")?, seen_until)?;
        secret.refuse_if_deleted("perform this operation on the secret because it was marked for deletion")?;
        secret.value(call.str("VersionId"), call.str("VersionStage"), seen_until)
    }

    fn put_value(&self, call: &Call) -> Reply {
        let content = self
            .content(call, call.required("SecretId")?)?
            .ok_or_else(|| error("InvalidRequestException", "You must provide either SecretString or SecretBinary."))?;
        let token = call.str("ClientRequestToken").map_or_else(new_version_id, str::to_owned);
        let mut store = self.store();
        let secret = store.find_mut(call.required("SecretId")?)?;
        secret.refuse_if_deleted("perform this operation on the secret because it was marked for deletion")?;
        let labels = call.input["VersionStages"].as_array().cloned().unwrap_or_default();
        let labels: Vec<&str> = labels.iter().filter_map(Value::as_str).collect();
        secret.put(&token, content, &labels, self.clock.epoch_seconds())?;
        let mut answer = secret.named(Some(&token));
        answer["VersionStages"] = json!(secret.labels(&token));
        Ok(answer)
    }

    fn move_label(&self, call: &Call) -> Reply {
        let (from, to) = (call.str("RemoveFromVersionId"), call.str("MoveToVersionId"));
        let mut store = self.store();
        let secret = store.find_mut(call.required("SecretId")?)?;
        secret.refuse_if_deleted("perform this operation on the secret because it was marked for deletion")?;
        secret.move_label(call.required("VersionStage")?, from, to, self.clock.epoch_seconds())?;
        Ok(secret.named(None))
    }

    fn update(&self, call: &Call) -> Reply {
        let content = self.content(call, call.required("SecretId")?)?;
        let token = call.str("ClientRequestToken").map_or_else(new_version_id, str::to_owned);
        let mut store = self.store();
        let secret = store.find_mut(call.required("SecretId")?)?;
        secret.refuse_if_deleted("perform this operation on the secret because it was marked for deletion")?;
        secret.describe(call);
        let version = content.is_some().then_some(token.as_str());
        if let Some(content) = content {
            secret.put(&token, content, &[], self.clock.epoch_seconds())?;
        }
        Ok(secret.named(version))
    }

    fn delete(&self, call: &Call) -> Reply {
        let id = call.required("SecretId")?;
        let window = call.int("RecoveryWindowInDays");
        let now = self.clock.epoch_seconds();
        let force = call.flag("ForceDeleteWithoutRecovery");
        if force && window.is_some() {
            let text = "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.";
            return Err(error("InvalidParameterException", text));
        }
        let days = window.unwrap_or(30);
        if !(7..=30).contains(&days) {
            let text = "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).";
            return Err(error("InvalidParameterException", text));
        }
        let mut store = self.store();
        if force {
            // Forced deletion of what is not there succeeds, so that it can be repeated.
            let gone = store.remove(id).unwrap_or_else(|| Secret::new(id, now));
            return Ok(json!({"ARN": gone.arn, "Name": gone.name, "DeletionDate": now}));
        }
        let secret = store.find_mut(id)?;
        secret
            .refuse_if_deleted("perform this operation on the secret because it was already scheduled for deletion")?;
        let date = now + Duration::from_secs(days.unsigned_abs() * 86_400).as_secs_f64();
        secret.deleted = Some(date);
        Ok(json!({"ARN": secret.arn, "Name": secret.name, "DeletionDate": date}))
    }

    fn list(&self, call: &Call) -> Reply {
        let store = self.store();
        let planned = call.flag("IncludePlannedDeletion");
        let filters = call.input["Filters"].as_array().cloned().unwrap_or_default();
        let all: Vec<Value> = store
            .all()
            .filter(|secret| planned || secret.deleted.is_none())
            .filter(|secret| filters.iter().all(|filter| secret.matches(filter)))
            .map(Secret::listed)
            .collect();
        let size = usize::try_from(call.int("MaxResults").unwrap_or(100)).unwrap_or(100).clamp(1, 100);
        let start = match call.str("NextToken") {
            None => 0,
            Some(token) => {
                token.parse().map_err(|_| error("InvalidNextTokenException", "The NextToken is invalid."))?
            }
        };
        let mut answer = json!({"SecretList": all.iter().skip(start).take(size).collect::<Vec<_>>()});
        if start + size < all.len() {
            answer["NextToken"] = (start + size).to_string().into();
        }
        Ok(answer)
    }

    fn tag(&self, call: &Call) -> Reply {
        self.store().find_mut(call.required("SecretId")?)?.tag(&call.input["Tags"]);
        Ok(json!({}))
    }
}

impl Service for SecretsManager {
    fn name(&self) -> &'static str {
        "secretsmanager"
    }

    fn call<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Reply> {
        Box::pin(async move { self.answer(call) })
    }
}

impl ReadSecret for SecretsManager {
    fn secret_string(&self, id: &str) -> Result<String, ApiError> {
        let call = Call::new("GetSecretValue", json!({"SecretId": id}));
        let value = self.get_value(&call)?;
        value["SecretString"]
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| error("ResourceNotFoundException", "The secret is binary."))
    }
}

fn new_version_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

fn exists(name: &str) -> ApiError {
    error("ResourceExistsException", &format!("The operation failed because the secret {name} already exists."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(service: &SecretsManager, operation: &str, input: Value) -> Reply {
        service.answer(&Call::new(operation, input))
    }

    fn code(reply: Reply) -> String {
        reply.map_or_else(|error| error.code, |answer| panic!("answered {answer}"))
    }

    fn service() -> SecretsManager {
        let service = SecretsManager::new(Clock::new(1.0));
        let input = json!({"Name": "pgleap-x-dms", "SecretString": "one", "ClientRequestToken": "t1"});
        call(&service, "CreateSecret", input).unwrap();
        service
    }

    #[test]
    fn a_secret_is_read_by_its_name_its_arn_and_its_arn_without_the_suffix() {
        let service = service();
        let arn = call(&service, "DescribeSecret", json!({"SecretId": "pgleap-x-dms"})).unwrap()["ARN"]
            .as_str()
            .unwrap()
            .to_owned();

        let short = arn.rsplit_once('-').unwrap().0;
        for id in ["pgleap-x-dms", &arn, short] {
            assert_eq!(service.secret_string(id).unwrap(), "one");
        }
        assert_eq!(code(call(&service, "GetSecretValue", json!({"SecretId": "other"}))), "ResourceNotFoundException");
    }

    #[test]
    fn a_creation_can_be_repeated_with_its_token_and_not_otherwise() {
        let service = service();
        let create = |token: &str, value: &str| {
            call(
                &service,
                "CreateSecret",
                json!({"Name": "pgleap-x-dms", "SecretString": value, "ClientRequestToken": token}),
            )
        };

        assert_eq!(create("t1", "one").unwrap()["VersionId"], "t1");
        assert_eq!(code(create("t1", "two")), "ResourceExistsException");
        assert_eq!(code(create("t2", "one")), "ResourceExistsException");
    }

    #[test]
    fn a_new_value_is_current_and_the_old_one_previous() {
        let service = service();
        let put = |token: &str, value: &str| {
            call(
                &service,
                "PutSecretValue",
                json!({"SecretId": "pgleap-x-dms", "SecretString": value, "ClientRequestToken": token}),
            )
        };
        let read = |input: Value| call(&service, "GetSecretValue", input).map(|answer| answer["SecretString"].clone());

        put("t2", "two").unwrap();
        put("t2", "two").unwrap();

        assert_eq!(code(put("t2", "three")), "ResourceExistsException");
        assert_eq!(read(json!({"SecretId": "pgleap-x-dms"})), Ok("two".into()));
        assert_eq!(read(json!({"SecretId": "pgleap-x-dms", "VersionStage": "AWSPREVIOUS"})), Ok("one".into()));
        assert_eq!(read(json!({"SecretId": "pgleap-x-dms", "VersionId": "t1"})), Ok("one".into()));
    }

    #[test]
    fn a_label_moves_only_from_the_version_that_is_named() {
        let service = service();
        let staged = json!({"SecretId": "pgleap-x-dms", "SecretString": "two", "ClientRequestToken": "t2", "VersionStages": ["mine"]});
        assert_eq!(call(&service, "PutSecretValue", staged.clone()).unwrap()["VersionStages"], json!(["mine"]));
        assert_eq!(service.secret_string("pgleap-x-dms").unwrap(), "one", "a staged version is not current");
        let move_label = |label: &str, from: &str, to: &str| {
            let mut input = json!({"SecretId": "pgleap-x-dms", "VersionStage": label});
            for (member, version) in [("RemoveFromVersionId", from), ("MoveToVersionId", to)] {
                if !version.is_empty() {
                    input[member] = version.into();
                }
            }
            call(&service, "UpdateSecretVersionStage", input)
        };

        assert_eq!(code(move_label("AWSCURRENT", "", "t2")), "InvalidParameterException");
        assert_eq!(code(move_label("AWSCURRENT", "t2", "t2")), "InvalidParameterException");
        assert_eq!(code(move_label("AWSCURRENT", "t1", "t9")), "ResourceNotFoundException");
        move_label("AWSCURRENT", "t1", "t2").unwrap();
        assert_eq!(code(move_label("AWSCURRENT", "t1", "t2")), "InvalidParameterException", "the same again");
        assert_eq!(code(move_label("AWSCURRENT", "t2", "")), "InvalidParameterException");
        move_label("mine", "t2", "").unwrap();
        call(&service, "PutSecretValue", staged).unwrap();

        assert_eq!(service.secret_string("pgleap-x-dms").unwrap(), "two");
        let described = call(&service, "DescribeSecret", json!({"SecretId": "pgleap-x-dms"})).unwrap();
        let expected = json!({"t1": ["AWSPREVIOUS"], "t2": ["AWSCURRENT"]});
        assert_eq!(described["VersionIdsToStages"], expected, "a repeated PutSecretValue attaches nothing");
        let by_label = json!({"SecretId": "pgleap-x-dms", "VersionStage": "mine"});
        assert_eq!(code(call(&service, "GetSecretValue", by_label)), "ResourceNotFoundException");
    }

    #[test]
    fn a_version_without_a_label_can_be_moved_to_until_it_is_deleted() {
        let service = service();
        for n in 2..=3 {
            let input = json!({"SecretId": "pgleap-x-dms", "SecretString": format!("v{n}"), "ClientRequestToken": format!("t{n}")});
            call(&service, "PutSecretValue", input).unwrap();
        }
        let back = json!({"SecretId": "pgleap-x-dms", "VersionStage": "AWSCURRENT", "RemoveFromVersionId": "t3", "MoveToVersionId": "t1"});

        call(&service, "UpdateSecretVersionStage", back).unwrap();

        assert_eq!(service.secret_string("pgleap-x-dms").unwrap(), "one");
    }

    #[test]
    fn a_deletion_waits_and_holds_the_name_unless_it_is_forced() {
        let service = service();

        call(&service, "DeleteSecret", json!({"SecretId": "pgleap-x-dms"})).unwrap();
        assert_eq!(
            code(call(&service, "GetSecretValue", json!({"SecretId": "pgleap-x-dms"}))),
            "InvalidRequestException"
        );
        assert_eq!(
            code(call(&service, "CreateSecret", json!({"Name": "pgleap-x-dms", "SecretString": "new"}))),
            "InvalidRequestException"
        );
        assert!(service.names().is_empty());

        for _ in 0..2 {
            let forced = json!({"SecretId": "pgleap-x-dms", "ForceDeleteWithoutRecovery": true});
            assert_eq!(call(&service, "DeleteSecret", forced).unwrap()["Name"], "pgleap-x-dms");
        }
        call(&service, "CreateSecret", json!({"Name": "pgleap-x-dms", "SecretString": "new"})).unwrap();
    }

    #[test]
    fn a_list_has_pages_and_filters() {
        let service = service();
        for n in 0..5 {
            let tags = json!([{"Key": "pgleap:run", "Value": format!("r{n}")}]);
            call(&service, "CreateSecret", json!({"Name": format!("n{n}"), "SecretString": "x", "Tags": tags}))
                .unwrap();
        }

        let mut names = Vec::new();
        let mut token = Value::Null;
        loop {
            let mut input = json!({"MaxResults": 4});
            if !token.is_null() {
                input["NextToken"] = token;
            }
            let page = call(&service, "ListSecrets", input).unwrap();
            names.extend(page["SecretList"].as_array().unwrap().iter().map(|secret| secret["Name"].clone()));
            token = page["NextToken"].clone();
            if token.is_null() {
                break;
            }
        }
        let tagged = json!({"Filters": [{"Key": "tag-value", "Values": ["r3"]}]});

        assert_eq!(names.len(), 6);
        assert_eq!(call(&service, "ListSecrets", tagged).unwrap()["SecretList"][0]["Name"], "n3");
    }

    #[test]
    fn every_value_that_was_ever_kept_is_remembered_with_its_secrets_name() {
        let service = service();
        call(&service, "PutSecretValue", json!({"SecretId": "pgleap-x-dms", "SecretString": "two"})).unwrap();
        call(&service, "DeleteSecret", json!({"SecretId": "pgleap-x-dms", "ForceDeleteWithoutRecovery": true}))
            .unwrap();

        let kept = ["one", "two"].map(|value| ("pgleap-x-dms".to_owned(), value.to_owned()));
        assert_eq!(service.ever_kept(), kept);
    }

    #[test]
    fn a_value_is_in_no_debug_text() {
        let service = service();
        let hidden = json!({"SecretId": "pgleap-x-dms", "SecretString": "hush-hush"});
        call(&service, "PutSecretValue", hidden).unwrap();

        assert!(!format!("{service:?}").contains("hush"));
    }
}
