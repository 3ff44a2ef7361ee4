//! A world for a step: a local AWS with a source instance, its record, its owner's secret, and a context that reaches it.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! let world = step_tests::World::start(13).await?;
//! let owner = world.owner().await?;
//! owner.run("make a table", "CREATE TABLE public.t (id int PRIMARY KEY)").await?;
//! # Ok(()) }
//! ```

use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use aws_credential_types::Credentials;
use aws_sdk_rds::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_route53::types::{
    Change, ChangeAction, ChangeBatch, ChangeStatus, ResourceRecord, ResourceRecordSet, RrType,
};
use contract_tests::record_role::Granted;
use local_aws::{Config, LocalAws};
use local_aws_lambda::Template;
use local_aws_postgres::Servers;
use pgleap_contract::steps::{OnBoth, OnSource, PAGES, RestoreTargetInput, RunOnly, STEPS};
use pgleap_contract::{Cutover, ErrorCode, Generation, Run, Server};
use pgleap_pg::{Environment, Login, Session};
use pgleap_step_kit::{Answer, Ctx, StepError, StepResult};
use serde_json::json;
use tokio_postgres::Client;

/// The source's identifier.
pub const SOURCE: &str = "orders";
/// The target's.
pub const TARGET: &str = "orders-next";
/// The record that clients follow.
pub const RECORD: &str = "orders-db.example.internal";
/// The source's master, who owns the database.
pub const OWNER: &str = "orders_admin";
/// The database.
pub const DATABASE: &str = "orders";

/// A role of another account, in which the record's zone may be.
pub const RECORD_ROLE: &str = "arn:aws:iam::444455556666:role/dns/orders-record";

/// Rows of the rehearsal's schema: its smallest size.
const REHEARSAL_SIZES: &str = "\
    SET search_path = \"$user\", public; SET rehearsal.branches = 4; SET rehearsal.accounts = 4000; SET rehearsal.customers = 500; \
    SET rehearsal.orders = 2000; SET rehearsal.documents = 50; SET rehearsal.measurements = 2000";

const PASSWORD: &str = "a-password-of-the-tests";
/// How long anything of the local AWS may take to become what a test waits for.
const PATIENCE: Duration = Duration::from_secs(90);

/// Everything that a step meets.
pub struct World {
    /// The local AWS; ended when the world is dropped.
    pub aws: LocalAws,
    /// AWS and the databases as the operator reaches them, who may do everything.
    pub ctx: Ctx,
    /// .. and as each step does, held to its policy in the template.
    steps: BTreeMap<&'static str, Ctx>,
    /// The run, as `start-run` would have made it.
    pub run: Run,
    /// The source's server.
    pub source: Server,
}

impl World {
    /// A source of this major, to be upgraded to 18.
    pub async fn start(major: u16) -> Result<Self> {
        Self::start_to(major, "18").await
    }

    /// A source of this major, to be upgraded to that version.
    pub async fn start_to(major: u16, version: &str) -> Result<Self> {
        Self::start_with(major, version, Config { step_functions: false, ..Config::default() }).await
    }

    /// The same, with Step Functions, whose interpreter takes a second or two to start.
    pub async fn start_with_states(major: u16) -> Result<Self> {
        Self::start_with(major, "18", Config::default()).await
    }

    async fn start_with(major: u16, version: &str, config: Config) -> Result<Self> {
        let config = Config {
            time_scale: 0.002,
            propagation: Duration::from_millis(100).into(),
            templates_of: Some(Servers::for_tests().clone()),
            ..config
        };
        let aws = LocalAws::start(config).await?;
        let loader = aws_config::defaults(aws_config::BehaviorVersion::latest())
            .endpoint_url(aws.url())
            .region(aws_config::Region::new("eu-west-1"))
            .test_credentials();
        let environment = Environment { nameserver: Some(aws.dns_address()), ca_file: Some(aws.ca_file().to_owned()) };
        let ctx = Ctx::new(loader, environment.clone()).await;
        let source = create_source(&ctx, major).await?;
        let secret = create_secret(&ctx).await?;
        let zone = create_record(&ctx, &source.host).await?;
        let run = serde_json::from_value(json!({
            "id": "orders-run",
            "executionArn": "arn:aws:states:eu-west-1:123456789012:execution:pgleap-upgrade:orders-run",
            "mode": "upgrade", "copy": {}, "choices": {}, "limits": {},
            "source": { "instance": SOURCE, "database": DATABASE, "loginSecret": secret },
            "target": { "version": version, "instance": TARGET },
            "record": { "zoneId": zone, "name": RECORD },
        }))?;
        let steps = contexts(&aws, &ctx, &environment).await;
        aws.set_policies(&template(&run, &[])?);
        Ok(Self { aws, ctx, steps, run, source })
    }

    /// What a step is given: with its own policy, so that a call that the template does not allow is refused.
    pub fn as_step(&self, step: &str) -> &Ctx {
        self.steps.get(step).unwrap_or_else(|| panic!("there is no step {step}"))
    }

    /// The stack has these parameters as well: policies follow.
    pub fn deploy_with(&self, parameters: &[(&str, &str)]) -> Result<()> {
        self.aws.set_policies(&template(&self.run, parameters)?);
        Ok(())
    }

    /// The record's zone belongs to another account; the stack has no role there yet.
    pub fn give_zone_away(&self) {
        let account = RECORD_ROLE.split(':').nth(4).unwrap_or_default();
        self.aws.zones().give_to(&self.run.record.zone_id, account);
    }

    /// The stack has the role of that account, which `infra/README.md` describes; the answer is what it was granted.
    pub async fn take_record_role(&mut self) -> Result<Granted> {
        let granted = contract_tests::record_role::granted(&self.run.record.zone_id)?;
        self.deploy_with(&[("RecordRoleArn", RECORD_ROLE)])?;
        for step in ["check-instance", "lower-ttl", "swap-record", "restore-record"] {
            let ctx = self.as_step(step).clone().with_record_role(RECORD_ROLE).await;
            self.steps.insert(step, ctx);
        }
        Ok(granted)
    }

    /// Input of a step that talks to AWS only.
    pub fn run_only(&self) -> RunOnly {
        RunOnly { run: self.run.clone() }
    }

    /// Input of a step that talks to the source.
    pub fn on_source(&self) -> OnSource {
        OnSource { run: self.run.clone(), source: self.source.clone() }
    }

    /// A session of the source's owner.
    pub async fn owner(&self) -> Result<Session> {
        Ok(self.ctx.as_owner(&self.run, &self.source).await?)
    }

    /// Fill the source with what real databases have and DMS can carry: the rehearsal's schema, with few rows.
    pub async fn load_rehearsal(&self) -> Result<()> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../e2e/schema");
        let files = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
        let numbered =
            |path: &PathBuf| path.file_name().is_some_and(|name| name.as_encoded_bytes()[0].is_ascii_digit());
        let mut files: Vec<_> = files.into_iter().filter(numbered).collect();
        files.sort();
        let owner = self.owner().await?;
        owner.run("set sizes", REHEARSAL_SIZES).await?;
        for file in files {
            owner.run(&format!("load {}", file.display()), &std::fs::read_to_string(&file)?).await?;
        }
        Ok(())
    }

    /// A session of RDS's own superuser, who sees what no login of a customer does.
    pub async fn rdsadmin(&self, instance: &str, database: &str) -> Result<Client> {
        let mut config = self.aws.rds().admin_config(instance).context("no such instance")?;
        let (client, connection) = config.dbname(database).connect(tokio_postgres::NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// Another CNAME in the record's zone.
    pub async fn add_record(&self, name: &str, host: &str) -> Result<()> {
        put_cname(&aws_sdk_route53::Client::new(self.ctx.aws()), &self.run.record.zone_id, name, host).await
    }

    /// A client of RDS.
    pub fn rds(&self) -> aws_sdk_rds::Client {
        aws_sdk_rds::Client::new(self.ctx.aws())
    }

    /// Logical decoding on the source, as `configure-source` and `reboot-source` leave it.
    pub async fn configure_source(&self) -> Result<()> {
        let configured = until_done("configure-source", async || {
            configure_source::run(self.as_step("configure-source"), self.run_only()).await
        })
        .await?;
        if configured.reboot_needed {
            until_done("reboot-source", async || {
                reboot_source::run(self.as_step("reboot-source"), self.run_only()).await
            })
            .await?;
        }
        Ok(())
    }

    /// The source as `prepare-source` leaves it.
    pub async fn prepare_source(&self) -> Result<()> {
        self.configure_source().await?;
        until_done("prepare-source", async || {
            prepare_source::run(self.as_step("prepare-source"), self.on_source()).await
        })
        .await?;
        Ok(())
    }

    /// The watch on the source's changes as `prepare-target` leaves it.
    pub async fn arm_watch(&self) -> Result<()> {
        let names = self.run.names();
        pgleap_pg::watch::install(&self.owner().await?, &names.work_login()).await?;
        wait_for("the watch's slot", async || {
            let waits = pgleap_step_kit::source_watch::arm(&self.ctx, &self.run, &self.source).await?;
            Ok(waits.is_none().then_some(()))
        })
        .await
    }

    /// A session of anybody, as an application would have it.
    pub async fn session(&self, server: &Server, username: &str, password: &str) -> Result<Session> {
        let login = Login { username: username.to_owned(), password: password.to_owned() };
        Ok(self.ctx.connect_as(server, &login, "application").await?)
    }

    /// The owner's password.
    pub fn owner_password(&self) -> &'static str {
        PASSWORD
    }

    /// A copy in the source's version, as `isolate-target` leaves it.
    pub async fn make_copy(&self) -> Result<Server> {
        until_done("snapshot-source", async || {
            snapshot_source::run(self.as_step("snapshot-source"), self.run_only()).await
        })
        .await?;
        let restored = until_done("restore-target", async || {
            let input = RestoreTargetInput { run: self.run.clone(), source: self.source.clone() };
            restore_target::run(self.as_step("restore-target"), input).await
        })
        .await?;
        let target = restored.target;
        let both = || OnBoth { run: self.run.clone(), source: self.source.clone(), target: target.clone() };
        until_done("isolate-target", async || isolate_target::run(self.as_step("isolate-target"), both()).await)
            .await?;
        Ok(target)
    }

    /// The mark of an armed cutover, as `arm-deadline` writes it.
    pub async fn arm(&self) -> Result<()> {
        Ok(pgleap_mark::arm(&self.ctx, &self.run, Generation::FORWARD).await?)
    }

    /// What the mark says.
    pub async fn mark(&self) -> Result<Option<pgleap_mark::State>> {
        let mark = pgleap_mark::read(&self.ctx, &self.run, Generation::FORWARD).await?;
        Ok(mark.map(|mark| mark.state))
    }

    /// AWS calls that were carried out and change something, as `rds CreateDBSnapshot`: for "a second run changes nothing".
    pub fn changes(&self) -> Vec<String> {
        let log = self.aws.calls().since(0);
        let carried_out = log.iter().filter(|call| call.outcome == local_aws_core::Outcome::Answered);
        let reads = ["Describe", "Get", "List"];
        carried_out
            .filter(|call| !reads.iter().any(|verb| call.operation.starts_with(verb)))
            .map(|call| format!("{} {}", call.service, call.operation))
            .collect()
    }
}

/// A cutover whose deadline is so many seconds away.
pub fn cutover_in(seconds: i64) -> Cutover {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let now = i64::try_from(now.as_millis()).expect("before the year 292 million");
    Cutover { generation: Generation::FORWARD, deadline_epoch_ms: now + seconds * 1_000 }
}

/// Call a step until it is done, as the machine would: what another attempt may mend is tried again.
pub async fn until_done<A: Answer, F>(what: &str, step: impl Fn() -> F) -> Result<A::Output>
where
    F: Future<Output = StepResult<A>>,
{
    wait_for(what, async || match step().await.and_then(Answer::into_output) {
        Err(error) if error.code == ErrorCode::NotYet => Ok(None),
        outcome => Ok(Some(outcome?)),
    })
    .await
}

/// A person's own call on an instance, made again while RDS refuses it: between a modification that was asked for and
/// one that shows, an instance says `available` and takes nothing.
pub async fn once_allowed<T, E>(what: &str, call: impl AsyncFn() -> Result<T, SdkError<E>>) -> Result<T>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    wait_for(what, async || match call().await {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.code() == Some("InvalidDBInstanceState") => Ok(None),
        Err(error) => Err(error.into()),
    })
    .await
}

/// Words that the machine's retrier `transient` knows.
const TRANSIENT: &[ErrorCode] =
    &[ErrorCode::Throttled, ErrorCode::ServiceUnavailable, ErrorCode::ResourceBusy, ErrorCode::DatabaseUnreachable];

fn is_transient(error: &anyhow::Error) -> bool {
    error.downcast_ref::<StepError>().is_some_and(|error| TRANSIENT.contains(&error.code))
}

/// Look until there is something, within a bound; what the machine would try again is tried again.
pub async fn wait_for<T, F>(what: &str, look: impl Fn() -> F) -> Result<T>
where
    F: Future<Output = Result<Option<T>>>,
{
    let began = Instant::now();
    loop {
        match look().await {
            Ok(Some(found)) => return Ok(found),
            Err(error) if !is_transient(&error) => return Err(error),
            _ => {}
        }
        if began.elapsed() > PATIENCE {
            bail!("{what}: not done after {PATIENCE:?}");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What a step is given in a test that needs no [`World`]: held to its policy in the template, for that run.
pub async fn as_step(aws: &LocalAws, step: &str, run: &Run) -> Result<Ctx> {
    aws.set_policies(&template(run, &[])?);
    Ok(Ctx::new(signed_by(aws, step), Environment::default()).await)
}

/// Calls are signed with the function's name, by which the local AWS knows whose policy to ask.
fn signed_by(aws: &LocalAws, step: &str) -> aws_config::ConfigLoader {
    let credentials = Credentials::new(format!("pgleap-{step}"), "tests", None, None, "tests");
    aws_config::defaults(aws_config::BehaviorVersion::latest())
        .endpoint_url(aws.url())
        .region(aws_config::Region::new("eu-west-1"))
        .credentials_provider(credentials)
}

/// A context for each step.
async fn contexts(aws: &LocalAws, ctx: &Ctx, environment: &Environment) -> BTreeMap<&'static str, Ctx> {
    let mut contexts = BTreeMap::new();
    for step in STEPS.iter().map(|step| step.name).chain(PAGES.iter().copied()) {
        let mut loader = signed_by(aws, step);
        if let Some(client) = ctx.aws().http_client() {
            loader = loader.http_client(client);
        }
        contexts.insert(step, Ctx::new(loader, environment.clone()).await);
    }
    contexts
}

/// The template, for the run's database and record, with more parameters.
fn template(run: &Run, more: &[(&str, &str)]) -> Result<Template> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/template.yaml");
    let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let secrets: Vec<_> = run.clients.iter().flat_map(|clients| &clients.secrets).collect();
    let secrets = secrets.iter().map(|secret| secret.secret_id.as_str()).collect::<Vec<_>>().join(",");
    let hooks: Vec<_> = run.clients.iter().flat_map(|clients| &clients.hooks).collect();
    let hooks = hooks.iter().map(|hook| hook.function_arn.as_str()).collect::<Vec<_>>().join(",");
    let parameters = [
        ("ClientSecretArns", secrets.as_str()),
        ("HookFunctionArns", hooks.as_str()),
        ("SourceInstance", run.source.instance.as_str()),
        ("LoginSecretArn", &run.source.login_secret),
        ("HostedZoneId", &run.record.zone_id),
        ("RecordName", &run.record.name),
        ("AnswerLinks", "yes"),
    ];
    let parameters = parameters.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Ok(Template::read(&text, &parameters.collect())?)
}

async fn create_source(ctx: &Ctx, major: u16) -> Result<Server> {
    let rds = aws_sdk_rds::Client::new(ctx.aws());
    rds.create_db_instance()
        .db_instance_identifier(SOURCE)
        .engine("postgres")
        .engine_version(major.to_string())
        .db_instance_class("db.t3.medium")
        .allocated_storage(20)
        .db_name(DATABASE)
        .master_username(OWNER)
        .master_user_password(PASSWORD)
        .backup_retention_period(1)
        .send()
        .await
        .context("create the source")?;
    wait_for("the source", async || {
        let answer = rds.describe_db_instances().db_instance_identifier(SOURCE).send().await?;
        let instance = answer.db_instances().first().context("the source is gone")?;
        let endpoint = instance.endpoint().filter(|_| instance.db_instance_status() == Some("available"));
        Ok(endpoint.and_then(|endpoint| {
            let (host, port) = (endpoint.address()?.to_owned(), u16::try_from(endpoint.port()?).ok()?);
            let storage_gib = instance.allocated_storage().and_then(|gib| u32::try_from(gib).ok());
            Some(Server { host, port, database: DATABASE.to_owned(), storage_gib })
        }))
    })
    .await
}

async fn create_secret(ctx: &Ctx) -> Result<String> {
    let client = aws_sdk_secretsmanager::Client::new(ctx.aws());
    let value = json!({ "username": OWNER, "password": PASSWORD }).to_string();
    let secret = client.create_secret().name("orders/owner").secret_string(value).send().await?;
    secret.arn.context("the secret has no ARN")
}

/// The zone's id.
async fn create_record(ctx: &Ctx, host: &str) -> Result<String> {
    let client = aws_sdk_route53::Client::new(ctx.aws());
    let zone = client.create_hosted_zone().name("example.internal").caller_reference("tests").send().await?;
    let id = zone.hosted_zone.context("no zone")?.id.trim_start_matches("/hostedzone/").to_owned();
    put_cname(&client, &id, RECORD, host).await?;
    Ok(id)
}

/// An operator's record has been there for long: every name server answers for it. Nobody has asked for it before, because
/// a resolver keeps what it was told.
async fn put_cname(client: &aws_sdk_route53::Client, zone: &str, name: &str, host: &str) -> Result<()> {
    let set = ResourceRecordSet::builder()
        .name(name)
        .r#type(RrType::Cname)
        .ttl(60)
        .resource_records(ResourceRecord::builder().value(host).build()?)
        .build()?;
    let change = Change::builder().action(ChangeAction::Create).resource_record_set(set).build()?;
    let batch = ChangeBatch::builder().changes(change).build()?;
    let change = client.change_resource_record_sets().hosted_zone_id(zone).change_batch(batch).send().await?;
    let id = change.change_info.context("no change")?.id;
    wait_for("the record", async || {
        let change = client.get_change().id(&id).send().await?.change_info.context("no change")?;
        Ok((change.status == ChangeStatus::Insync).then_some(()))
    })
    .await
}
