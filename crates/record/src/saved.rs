//! What a run remembers about the record: how it was, and the ids of the changes it made.

use aws_sdk_secretsmanager::Client;
use pgleap_contract::Run;
use pgleap_step_kit::aws::{Class, Doing, Optional};
use pgleap_step_kit::{Ctx, StepError, StepResult};
use serde::{Deserialize, Serialize};

use crate::Member;

/// Value and TTL of one member before the run touched it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SavedMember {
    /// None for a simple record.
    pub set_identifier: Option<String>,
    /// The host name that it led to.
    pub value: String,
    /// In seconds.
    pub ttl_seconds: u32,
}

/// Ids of the run's changes, to ask whether they are in sync.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Changes {
    /// The TTL was lowered.
    pub lowered: Option<String>,
    /// The value was swapped.
    pub swapped: Option<String>,
    /// What was saved was put back.
    pub restored: Option<String>,
    /// How long the lower TTL took to reach all name servers, in milliseconds, as far as it was watched.
    #[serde(default)]
    pub propagation_ms: Option<u64>,
}

/// The content of the run's record secret. No secret is in it; the place is chosen for its being found by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Memory {
    /// The record's full name, for people who read this by hand.
    pub record: String,
    /// How each member was. Written once, never changed.
    pub before: Vec<SavedMember>,
    /// What the run changed since.
    #[serde(default)]
    pub changes: Changes,
}

impl Memory {
    /// How the group is now, to be remembered.
    pub fn of(run: &Run, members: &[Member]) -> Self {
        let before = members
            .iter()
            .map(|member| SavedMember {
                set_identifier: member.set_identifier().map(str::to_owned),
                value: member.value().unwrap_or_default().to_owned(),
                ttl_seconds: member.ttl().unwrap_or_default(),
            })
            .collect();
        Self { record: run.record.name.clone(), before, changes: Changes::default() }
    }

    /// How the member of this identifier was.
    pub fn member(&self, set_identifier: Option<&str>) -> Option<&SavedMember> {
        self.before.iter().find(|saved| saved.set_identifier.as_deref() == set_identifier)
    }

    /// TTL of a member before the run. One that came since had to take the group's.
    pub fn ttl_of(&self, member: &Member) -> u32 {
        self.member(member.set_identifier()).map_or_else(|| self.longest_ttl(), |saved| saved.ttl_seconds)
    }

    /// The longest TTL of the group as it was: how long old answers may live on.
    pub fn longest_ttl(&self) -> u32 {
        self.before.iter().map(|saved| saved.ttl_seconds).max().unwrap_or_default()
    }

    /// What the run remembers, if it remembers anything.
    pub async fn load(ctx: &Ctx, run: &Run) -> StepResult<Option<Self>> {
        let name = run.names().record_secret();
        let answer = Client::new(ctx.aws()).get_secret_value().secret_id(&name).send().await;
        let Some(secret) = answer.doing(format!("read {name}")).optional()? else { return Ok(None) };
        Self::read(&name, secret.secret_string().unwrap_or_default()).map(Some)
    }

    fn read(name: &str, text: &str) -> StepResult<Self> {
        serde_json::from_str(text).map_err(|error| StepError::bug(format!("read {name}: {error}")))
    }

    /// Remember for the first time. If somebody was faster, theirs holds: it was written before any change.
    pub async fn create(self, ctx: &Ctx, run: &Run) -> StepResult<Self> {
        let name = run.names().record_secret();
        let answer = Client::new(ctx.aws())
            .create_secret()
            .set_kms_key_id(pgleap_step_kit::secrets_key())
            .name(&name)
            .description(format!("pgleap run {}: the record {} as it was (not sensitive)", run.id, run.record.name))
            .secret_string(self.text())
            .set_tags(Some(pgleap_step_kit::secret_tags(run)))
            .send()
            .await;
        match answer.doing(format!("create {name}")) {
            Ok(_created) => Ok(self),
            // It may not be seen yet: it is waited for.
            Err(error) if error.is(Class::AlreadyThere) => Self::read(&name, &ctx.secret(&name).await?),
            Err(error) => Err(error.into()),
        }
    }

    /// Remember a change's id. The change is made already, and a forgotten id is only submitted once more later: a
    /// failure here is no failure of the step.
    pub async fn keep(&self, ctx: &Ctx, run: &Run) {
        let name = run.names().record_secret();
        let answer = Client::new(ctx.aws()).put_secret_value().secret_id(&name).secret_string(self.text()).send().await;
        if let Err(error) = answer.doing(format!("write {name}")) {
            tracing::warn!(error = error.to_string(), "the id of a change could not be stored");
        }
    }

    fn text(&self) -> String {
        serde_json::to_string(self).expect("plain data")
    }
}
