//! One secret that applications read: where it leads, and moving it by a compare-and-swap.

use aws_sdk_secretsmanager::Client;
use pgleap_contract::{ClientSecret, ErrorCode, Generation, Run, Server};
use pgleap_step_kit::aws::{AwsError, Class, Doing, Optional};
use pgleap_step_kit::{Ctx, StepError, StepResult};

use crate::hook::Direction;
use crate::host::{host_of, names_instance, same_host, with_host};
use crate::version::Versions;

const CURRENT: &str = "AWSCURRENT";
const PENDING: &str = "AWSPENDING";

/// Secrets Manager, for one step.
#[derive(Debug, Clone)]
pub struct Secrets {
    client: Client,
}

/// The current version of a secret. Its text is in no debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct Current {
    /// Name of the version.
    pub version: String,
    text: String,
}

impl std::fmt::Debug for Current {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Current").field("version", &self.version).finish_non_exhaustive()
    }
}

impl Current {
    /// The host in it.
    pub fn host(&self, secret: &ClientSecret) -> StepResult<String> {
        host_of(&self.text).map_err(|reason| unusable(secret, &reason.to_string()))
    }
}

/// A secret beside its value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Described {
    /// The service of AWS that manages it, e.g. `rds`.
    pub managed_by: Option<String>,
    /// When Secrets Manager rotates it at the latest, in seconds since the epoch.
    pub next_rotation: Option<i64>,
    /// A rotation has stored a version that is not current yet.
    pub is_being_rotated: bool,
}

/// The move of one secret in a cutover.
#[derive(Debug, Clone)]
pub struct Way<'a> {
    secret: &'a ClientSecret,
    source: &'a str,
    target: Option<&'a str>,
    target_instance: &'a str,
    direction: Direction,
    label: String,
    versions: Versions,
}

/// Where a host leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeadsTo {
    /// To where the secret led before the cutover.
    Source,
    /// To where the cutover moves it.
    Target,
    /// To somewhere else: somebody changed it.
    Elsewhere,
}

impl<'a> Way<'a> {
    /// To the target.
    pub fn forward(
        run: &'a Run,
        secret: &'a ClientSecret,
        source: &'a Server,
        target: &'a Server,
        of: Generation,
    ) -> Self {
        Self::new(run, secret, source, Some(target), of, Direction::Forward)
    }

    /// Back to the source, with or without a target that still exists.
    pub fn back(run: &'a Run, secret: &'a ClientSecret, source: &'a Server, of: Generation) -> Self {
        Self::new(run, secret, source, None, of, Direction::Back)
    }

    fn new(
        run: &'a Run,
        secret: &'a ClientSecret,
        source: &'a Server,
        target: Option<&'a Server>,
        generation: Generation,
        direction: Direction,
    ) -> Self {
        Self {
            secret,
            source: secret.from.as_deref().unwrap_or(&source.host),
            target: secret.host.as_deref().or(target.map(|target| target.host.as_str())),
            target_instance: run.target.instance.as_deref().unwrap_or_default(),
            direction,
            label: run.names().client_label(),
            versions: Versions::of(run, generation, direction),
        }
    }

    /// The secret.
    pub fn secret(&self) -> &'a ClientSecret {
        self.secret
    }

    /// Where a host leads.
    pub fn leads(&self, host: &str) -> LeadsTo {
        if same_host(host, self.source) {
            return LeadsTo::Source;
        }
        let is_target = match self.target {
            Some(target) => same_host(host, target),
            None => names_instance(host, self.target_instance),
        };
        if is_target { LeadsTo::Target } else { LeadsTo::Elsewhere }
    }

    /// Whether the current version was made by this cutover in this direction.
    pub fn made(&self, current: &Current) -> bool {
        self.versions.contain(&current.version)
    }

    /// The host that the secret gets. One that leads there already keeps its spelling.
    fn host(&self, now: String) -> String {
        let wanted = match self.direction {
            Direction::Forward => self.target.unwrap_or_default(),
            Direction::Back => self.source,
        };
        if same_host(&now, wanted) { now } else { wanted.to_owned() }
    }
}

/// What became of a move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// The new version is current.
    Done,
    /// AWSCURRENT is on another version than the one that was read: read again.
    Changed,
}

impl Secrets {
    /// With the step's configuration.
    pub fn new(ctx: &Ctx) -> Self {
        Self { client: Client::new(ctx.aws()) }
    }

    /// The current version.
    pub async fn current(&self, secret: &ClientSecret) -> StepResult<Current> {
        let id = &secret.secret_id;
        let answer = self.client.get_secret_value().secret_id(id).send().await;
        let found = answer.doing(format!("read secret {id}")).map_err(|error| error_of(secret, error))?;
        match (found.version_id, found.secret_string) {
            (Some(version), Some(text)) => Ok(Current { version, text }),
            _ => Err(unusable(secret, "its value is binary")),
        }
    }

    /// What Secrets Manager says about a secret beside its value.
    pub async fn describe(&self, secret: &ClientSecret) -> StepResult<Described> {
        let id = &secret.secret_id;
        let answer = self.client.describe_secret().secret_id(id).send().await;
        let found = answer.doing(format!("describe secret {id}")).map_err(|error| error_of(secret, error))?;
        let labels = found.version_ids_to_stages.unwrap_or_default();
        let has = |labels: &[String], label: &str| labels.iter().any(|found| found == label);
        Ok(Described {
            managed_by: found.owning_service,
            next_rotation: found.next_rotation_date.map(|at| at.secs()),
            is_being_rotated: labels.values().any(|labels| has(labels, PENDING) && !has(labels, CURRENT)),
        })
    }

    /// Store the new version beside the current one, under the run's label. No application reads it. Made once: a repeated
    /// call stores the same version.
    pub async fn stage(&self, way: &Way<'_>, read: &Current) -> StepResult<String> {
        let (secret, id) = (way.secret, &way.secret.secret_id);
        let host = way.host(read.host(secret)?);
        let text = with_host(&read.text, &host).map_err(|reason| unusable(secret, &reason.to_string()))?;
        let version = way.versions.made_from(&read.version);
        let put = self.client.put_secret_value().secret_id(id).secret_string(text);
        let put = put.client_request_token(&version).version_stages(&way.label);
        put.send()
            .await
            .doing(format!("store a new version of secret {id}"))
            .map_err(|error| error_of(secret, error))?;
        Ok(version)
    }

    /// Make a staged version the current one, if the one that was read still is.
    pub async fn make_current(&self, way: &Way<'_>, read: &Current, staged: &str) -> StepResult<Moved> {
        let id = &way.secret.secret_id;
        let update = self.client.update_secret_version_stage().secret_id(id).version_stage(CURRENT);
        let update = update.remove_from_version_id(&read.version).move_to_version_id(staged);
        match update.send().await.doing(format!("make a new version of secret {id} the current one")) {
            Ok(_moved) => Ok(Moved::Done),
            Err(error) if error.is(Class::Refused) => Ok(Moved::Changed),
            Err(error) => Err(error_of(way.secret, error)),
        }
    }

    /// Remove the run's label from whichever version has it. It has done its work when its version is current, or never will be.
    /// If it stays, nothing is wrong but one label too many, so this is only logged.
    pub async fn forget_label(&self, way: &Way<'_>) {
        if let Err(error) = self.remove_label(way).await {
            tracing::warn!(%error, label = way.label, "the run's label stays on a version of the secret");
        }
    }

    async fn remove_label(&self, way: &Way<'_>) -> Result<(), AwsError> {
        let id = &way.secret.secret_id;
        let doing = format!("remove the run's label from secret {id}");
        let labelled = self.client.get_secret_value().secret_id(id).version_stage(&way.label).send().await;
        let found = labelled.doing(&doing).optional()?;
        let Some(version) = found.and_then(|found| found.version_id) else { return Ok(()) };
        let update = self.client.update_secret_version_stage().secret_id(id).version_stage(&way.label);
        update.remove_from_version_id(version).send().await.doing(doing)?;
        Ok(())
    }
}

fn unusable(secret: &ClientSecret, reason: &str) -> StepError {
    StepError::new(ErrorCode::SecretUnusable, format!("read secret {}: {reason}", secret.secret_id))
}

/// A secret that is not there, or that is being deleted, is the operator's to put right.
fn error_of(secret: &ClientSecret, error: AwsError) -> StepError {
    match error.class {
        Class::NotFound => unusable(secret, "it does not exist"),
        Class::Refused => unusable(secret, &error.message),
        _ => error
            .advise_if_denied(|| {
                "the stack's parameter ClientSecretArns must contain it, and a KMS key of your own must admit the function's role".to_owned()
            })
            .into(),
    }
}
