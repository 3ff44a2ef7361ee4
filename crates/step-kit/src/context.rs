//! What a step can reach: AWS's configuration, secrets, databases as the run's logins.

use std::net::IpAddr;
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, SdkConfig};
use pgleap_contract::{ErrorCode, Run, Server};
use pgleap_pg::{Environment, Login, PgError, ResolveError, Session};

use crate::aws::{Class, Doing};
use crate::{StepError, StepResult};

/// Made once per process, handed to every call.
#[derive(Debug, Clone)]
pub struct Ctx {
    aws: SdkConfig,
    environment: Environment,
}

impl Ctx {
    /// Everything from the process's variables, as Lambda sets them.
    pub async fn load() -> Result<Self, String> {
        Ok(Self::new(aws_config::defaults(BehaviorVersion::latest()), Environment::from_variables()?).await)
    }

    /// From explicit settings. Every attempt of a call is bounded, so that a hanging service costs seconds and not the
    /// Lambda's life.
    pub async fn new(aws: ConfigLoader, environment: Environment) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(3))
            .operation_attempt_timeout(Duration::from_secs(10))
            .operation_timeout(Duration::from_secs(25))
            .build();
        Self { aws: aws.timeout_config(timeouts).load().await, environment }
    }

    /// Configuration for an SDK client.
    pub fn aws(&self) -> &SdkConfig {
        &self.aws
    }

    /// A login from Secrets Manager.
    pub async fn login(&self, secret_id: &str) -> StepResult<Login> {
        let unusable =
            |reason: String| StepError::new(ErrorCode::SecretUnusable, format!("read secret {secret_id}: {reason}"));
        let client = aws_sdk_secretsmanager::Client::new(&self.aws);
        let answer = client.get_secret_value().secret_id(secret_id).send().await;
        let value = answer.doing(format!("read secret {secret_id}")).map_err(|error| match error.class {
            Class::NotFound | Class::Denied | Class::Refused => unusable(error.message),
            _ => error.into(),
        })?;
        let text = value.secret_string().ok_or_else(|| unusable("it holds no text".to_owned()))?;
        // serde's message may quote the value: only say what is wanted.
        serde_json::from_str(text).map_err(|_| unusable("want JSON with username and password".to_owned()))
    }

    /// Connect as the database's owner: the login of the input's secret.
    pub async fn as_owner(&self, run: &Run, server: &Server) -> StepResult<Session> {
        self.connect(run, server, &run.source.login_secret).await
    }

    /// Connect as the run's working login.
    pub async fn as_work(&self, run: &Run, server: &Server) -> StepResult<Session> {
        self.connect(run, server, &run.id.names().work_secret()).await
    }

    /// The addresses of a host name, asked afresh.
    pub async fn resolve(&self, host: &str) -> Result<Vec<IpAddr>, ResolveError> {
        pgleap_pg::resolve(&self.environment, host).await
    }

    /// Connect as the login of any secret.
    pub async fn connect(&self, run: &Run, server: &Server, secret_id: &str) -> StepResult<Session> {
        let login = self.login(secret_id).await?;
        Ok(pgleap_pg::connect(&self.environment, server, &login, &run.id.names().application("step")).await?)
    }

    /// Connect as a login that is at hand.
    pub async fn connect_as(&self, server: &Server, login: &Login, about: &str) -> Result<Session, PgError> {
        pgleap_pg::connect(&self.environment, server, login, about).await
    }
}
