//! Secrets: what they hold, whose they are, and the run's own.

use std::time::{Duration, Instant};

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::types::Tag;
use pgleap_contract::{ErrorCode, Names, Run};
use pgleap_pg::Login;

use crate::aws::{AwsError, Class, Doing, Optional};
use crate::{Ctx, StepError, StepResult};

/// Secrets Manager is eventually consistent: a secret that was created a moment ago may not be seen yet.
/// Source: AWS Secrets Manager user guide, "Troubleshooting" ("Changes that I make aren't always immediately visible").
const SEEN_AFTER: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// The operator's own tags, and the run's.
pub fn secret_tags(run: &Run) -> Vec<Tag> {
    let own = run.tags.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    own.chain([(Names::TAG, run.id.as_str())])
        .map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect()
}

/// The stack's own KMS key for the run's secrets, from the function's environment; none for AWS's own.
pub fn secrets_key() -> Option<String> {
    std::env::var("PGLEAP_SECRETS_KEY_ARN").ok().filter(|arn| !arn.is_empty())
}

/// What only a run creates.
fn is_runs_own(secret_id: &str) -> bool {
    secret_id.starts_with("pgleap/")
}

/// A secret without its value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Secret {
    /// The run that made it, by its tag.
    pub run: Option<String>,
    /// It is scheduled for deletion: its value cannot be read any more.
    pub is_being_deleted: bool,
    /// Secrets Manager changes its value from time to time.
    pub rotates: bool,
    /// When it does so next, in seconds since the epoch.
    pub next_rotation: Option<i64>,
}

impl Secret {
    /// Whether the run has made it.
    pub fn is_of(&self, run: &Run) -> bool {
        self.run.as_deref() == Some(run.id.as_str())
    }
}

/// Whose a secret is, by its tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretOwner {
    /// There is none.
    Nobody,
    /// The run has made it.
    Run,
    /// Somebody else has.
    Stranger,
}

impl Ctx {
    /// A login from Secrets Manager.
    pub async fn login(&self, secret_id: &str) -> StepResult<Login> {
        let text = self.secret(secret_id).await?;
        // serde's message may quote the value: only say what is wanted.
        serde_json::from_str(&text).map_err(|_| unusable(secret_id, "expected JSON with username and password"))
    }

    /// A secret's text.
    pub async fn secret(&self, secret_id: &str) -> StepResult<String> {
        let began = Instant::now();
        let value = loop {
            let answer = Client::new(self.aws()).get_secret_value().secret_id(secret_id).send().await;
            match answer.doing(format!("read secret {secret_id}")) {
                Ok(value) => break value,
                Err(error) if error.is(Class::NotFound) && is_runs_own(secret_id) && began.elapsed() < SEEN_AFTER => {
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
                Err(error) if [Class::NotFound, Class::Denied, Class::Refused].contains(&error.class) => {
                    return Err(unusable(secret_id, &error.message));
                }
                Err(error) => return Err(error.into()),
            }
        };
        value.secret_string().map(str::to_owned).ok_or_else(|| unusable(secret_id, "it contains no text"))
    }

    /// A secret's text, if there is such a secret. An error is never "there is none".
    pub async fn find_secret(&self, secret_id: &str) -> StepResult<Option<String>> {
        let answer = Client::new(self.aws()).get_secret_value().secret_id(secret_id).send().await;
        let found = answer.doing(format!("read secret {secret_id}")).optional()?;
        Ok(found.and_then(|value| value.secret_string().map(str::to_owned)))
    }

    /// A secret without its value, if there is one.
    pub async fn describe_secret(&self, secret_id: &str) -> Result<Option<Secret>, AwsError> {
        let answer = Client::new(self.aws()).describe_secret().secret_id(secret_id).send().await;
        let found = answer.doing(format!("describe secret {secret_id}")).optional()?;
        Ok(found.map(|secret| Secret {
            run: secret.tags().iter().find(|tag| tag.key() == Some(Names::TAG)).and_then(|tag| tag.value.clone()),
            is_being_deleted: secret.deleted_date.is_some(),
            rotates: secret.rotation_enabled.unwrap_or(false),
            next_rotation: secret.next_rotation_date.map(|date| date.secs()),
        }))
    }

    /// Whose secret of this name is there. One that is being deleted is nobody's.
    pub async fn owner_of_secret(&self, run: &Run, name: &str) -> StepResult<SecretOwner> {
        let found = self.describe_secret(name).await?.filter(|secret| !secret.is_being_deleted);
        Ok(match found {
            None => SecretOwner::Nobody,
            Some(secret) if secret.is_of(run) => SecretOwner::Run,
            Some(_others) => SecretOwner::Stranger,
        })
    }

    /// Whether the run has made this secret before; an error if somebody else has.
    pub async fn has_made_secret(&self, run: &Run, name: &str) -> StepResult<bool> {
        match self.owner_of_secret(run, name).await? {
            SecretOwner::Nobody => Ok(false),
            SecretOwner::Run => Ok(true),
            SecretOwner::Stranger => {
                let reason = format!("use secret {name}: a secret of this name exists, and this run did not create it");
                Err(StepError::new(ErrorCode::SecretUnusable, reason))
            }
        }
    }

    /// Make a secret of the run's own. One of that name that another call made a moment ago is left as it is.
    pub async fn make_secret(&self, run: &Run, name: &str, text: String) -> StepResult<()> {
        let create = Client::new(self.aws())
            .create_secret()
            .set_kms_key_id(crate::secrets_key())
            .name(name)
            .description(format!("pgleap run {}; deleted when the run ends", run.id))
            .secret_string(text)
            .set_tags(Some(secret_tags(run)));
        match create.send().await.doing(format!("create secret {name}")) {
            Ok(_) => Ok(()),
            Err(error) if error.is(Class::AlreadyThere) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Give a secret another text.
    pub async fn update_secret(&self, name: &str, text: String) -> StepResult<()> {
        let put = Client::new(self.aws()).put_secret_value().secret_id(name).secret_string(text);
        put.send().await.doing(format!("update secret {name}"))?;
        Ok(())
    }

    /// Delete a secret at once, without a recovery window; one that is not there is deleted already.
    pub async fn delete_secret(&self, name: &str) -> StepResult<()> {
        let delete = Client::new(self.aws()).delete_secret().secret_id(name).force_delete_without_recovery(true);
        delete.send().await.doing(format!("delete secret {name}")).optional()?;
        Ok(())
    }
}

fn unusable(secret_id: &str, reason: &str) -> StepError {
    StepError::new(ErrorCode::SecretUnusable, format!("read secret {secret_id}: {reason}"))
}
