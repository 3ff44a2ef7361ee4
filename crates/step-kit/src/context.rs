//! What a step can reach: AWS's configuration, databases as the run's logins. Its secrets: `secrets.rs`.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, SdkConfig};
use aws_smithy_http_client::tls;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use futures_util::future::join_all;
use pgleap_contract::{ErrorCode, Run, Server};
use pgleap_pg::{Environment, Login, PgError, ResolveError, Session, SqlState, access, connect_bounded};

use crate::kept::KeptSessions;
use crate::record_role::RecordRole;
use crate::{Deadline, StepError, StepResult};

/// What a statement under the fence has at the least.
const SHORTEST_STATEMENT: Duration = Duration::from_secs(3);

/// Made once per process, handed to every call.
#[derive(Debug, Clone)]
pub struct Ctx {
    aws: SdkConfig,
    record_role: Option<RecordRole>,
    environment: Environment,
    kept: KeptSessions,
}

impl Ctx {
    /// Everything from the process's variables, as Lambda sets them.
    pub async fn load() -> Result<Self, String> {
        warn_of_missing_roots();
        let ctx = Self::new(aws_config::defaults(BehaviorVersion::latest()), Environment::from_variables()?).await;
        Ok(match RecordRole::given() {
            Some(arn) => ctx.with_record_role(arn).await,
            None => ctx,
        })
    }

    /// From explicit settings. Every attempt of a call is bounded, so that a hanging service costs seconds and not the
    /// Lambda's life.
    pub async fn new(aws: ConfigLoader, environment: Environment) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(3))
            .operation_attempt_timeout(Duration::from_secs(10))
            .operation_timeout(Duration::from_secs(25))
            .build();
        // One client for all services: with one each, every first call would connect anew, and read the authorities anew.
        let aws = aws.timeout_config(timeouts).http_client(http_client()).load().await;
        Self { aws, record_role: None, environment, kept: KeptSessions::default() }
    }

    /// The hosted zone is another account's: Route 53 is called with this role, and nothing else is.
    pub async fn with_record_role(self, arn: impl Into<String>) -> Self {
        let record_role = Some(RecordRole::new(arn.into(), &self.aws).await);
        Self { record_role, ..self }
    }

    /// Configuration for an SDK client: for the crates that steps reach AWS through, never for a step itself.
    pub fn aws(&self) -> &SdkConfig {
        &self.aws
    }

    /// Configuration for a client of Route 53: in the zone's account, which may be another one.
    pub fn aws_of_record(&self) -> &SdkConfig {
        self.record_role.as_ref().map_or(&self.aws, |role| &role.aws)
    }

    /// Do ahead what the first call would have to: the process was started for it.
    pub async fn warm_up(&self) {
        if let Some(role) = &self.record_role {
            role.warm_up().await;
        }
    }

    /// The role by which the zone of another account is reached, if it is one's.
    pub fn record_role(&self) -> Option<&str> {
        self.record_role.as_ref().map(|role| role.arn.as_str())
    }

    /// Connect as the database's owner: the login of the input's secret.
    pub async fn as_owner(&self, run: &Run, server: &Server) -> StepResult<Session> {
        self.connect(run, server, &run.source.login_secret).await
    }

    /// Connect to the target as the database's owner. The target has the password of the snapshot, which the run keeps; where
    /// that is refused, or none is kept, the login of the input's secret.
    pub async fn as_target_owner(&self, run: &Run, target: &Server) -> StepResult<Session> {
        match self.as_kept_owner(run, target).await {
            Ok(Some(session)) => Ok(session),
            Err(error) if error.code != ErrorCode::DatabaseDenied => Err(error),
            _none_or_refused => self.as_owner(run, target).await,
        }
    }

    /// Connect as the owner with the login that the run keeps, if it keeps one.
    pub async fn as_kept_owner(&self, run: &Run, server: &Server) -> StepResult<Option<Session>> {
        let name = run.names().owner_secret();
        match self.find_secret(&name).await? {
            Some(_kept) => Ok(Some(self.connect(run, server, &name).await?)),
            None => Ok(None),
        }
    }

    /// Connect as the run's working login.
    pub async fn as_work(&self, run: &Run, server: &Server) -> StepResult<Session> {
        self.connect(run, server, &run.names().work_secret()).await
    }

    /// Sessions of the working login as [`Ctx::as_work_until`] opens them, ahead of the fence.
    pub async fn open_ahead<const N: usize>(&self, run: &Run, servers: [&Server; N]) -> StepResult<[Session; N]> {
        let login = self.login(&run.names().work_secret()).await?;
        let about = run.names().application("step");
        let connect = |server| connect_bounded(&self.environment, server, &login, &about, SHORTEST_STATEMENT);
        let opened: Vec<_> = join_all(servers.map(connect)).await.into_iter().collect::<Result<_, _>>()?;
        opened.try_into().map_err(|_| StepError::bug("connect ahead: there are not as many sessions as servers"))
    }

    /// Keep sessions for the call that follows in this process. It finds them by the run and the server.
    pub fn keep_sessions<const N: usize>(&self, run: &Run, sessions: [(&Server, Session); N]) {
        self.kept.replace(run, sessions.into_iter().map(|(server, session)| (server.clone(), session)).collect());
    }

    /// The same under the fence, to several servers at once, with statements that end at the deadline on the server. One that
    /// cannot be reached does not keep the sessions of the others from its caller.
    pub async fn as_work_until<const N: usize>(
        &self,
        run: &Run,
        servers: [&Server; N],
        deadline: &Deadline,
    ) -> StepResult<[StepResult<Session>; N]> {
        // After the deadline a lost answer is still looked up; what changes something asks for the deadline itself.
        let longest = deadline.remaining().max(SHORTEST_STATEMENT);
        let kept = join_all(servers.map(|server| self.kept.take(run, server, longest))).await;
        let login = match kept.iter().all(Option::is_some) {
            true => None,
            false => Some(self.login(&run.names().work_secret()).await?),
        };
        let about = run.names().application("step");
        let sessions = servers.into_iter().zip(kept).map(async |(server, kept)| match (kept, &login) {
            (Some(session), _) => Ok(session),
            (None, Some(login)) => self.connect_until(server, login, &about, deadline).await,
            (None, None) => Err(StepError::bug("connect under the fence: the login was not read")),
        });
        let sessions = join_all(sessions).await.try_into();
        sessions.map_err(|_| StepError::bug("connect under the fence: there are not as many sessions as servers"))
    }

    /// The clients that the fence refuses may fill the server's connections for moments: until the deadline a refusal for want
    /// of one is no answer.
    async fn connect_until(
        &self,
        server: &Server,
        login: &Login,
        about: &str,
        deadline: &Deadline,
    ) -> StepResult<Session> {
        loop {
            let longest = deadline.remaining().max(SHORTEST_STATEMENT);
            match connect_bounded(&self.environment, server, login, about, longest).await {
                Err(error) if error.state == Some(SqlState::TOO_MANY_CONNECTIONS) => {
                    deadline.pause("connect under the fence", &error.to_string()).await?;
                }
                answer => return Ok(answer?),
            }
        }
    }

    /// Connect as the run's working login, to roll back: such sessions do not end each other.
    pub async fn as_rollback(&self, run: &Run, server: &Server) -> StepResult<Session> {
        let login = self.login(&run.names().work_secret()).await?;
        let application = run.names().application(access::ROLLBACK);
        Ok(pgleap_pg::connect(&self.environment, server, &login, &application).await?)
    }

    /// The addresses of a host name, asked afresh.
    pub async fn resolve(&self, host: &str) -> Result<Vec<IpAddr>, ResolveError> {
        pgleap_pg::resolve(&self.environment, host).await
    }

    /// Connect as the login of any secret.
    pub async fn connect(&self, run: &Run, server: &Server, secret_id: &str) -> StepResult<Session> {
        let login = self.login(secret_id).await?;
        Ok(pgleap_pg::connect(&self.environment, server, &login, &run.names().application("step")).await?)
    }

    /// Connect as a login that is at hand.
    pub async fn connect_as(&self, server: &Server, login: &Login, about: &str) -> Result<Session, PgError> {
        pgleap_pg::connect(&self.environment, server, login, about).await
    }
}

/// With the settings of the SDK's own default; only shared.
fn http_client() -> SharedHttpClient {
    let provider = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc);
    aws_smithy_http_client::Builder::new().tls_provider(provider).build_https()
}

/// The template names the one file of authorities that Lambda's Amazon Linux has; without it no answer of AWS is trusted.
fn warn_of_missing_roots() {
    if let Some(file) = std::env::var_os("SSL_CERT_FILE").filter(|file| !Path::new(file).is_file()) {
        tracing::warn!(?file, "SSL_CERT_FILE does not name a file, so TLS connections will fail");
    }
}
