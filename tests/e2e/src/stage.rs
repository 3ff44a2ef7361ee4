//! The stage: a local AWS with pgleap deployed on it, and what an operator has before a run: an instance, a record, a
//! secret. All of it is made through the real SDK clients, as it would be on AWS.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_rds::operation::create_db_instance::builders::CreateDBInstanceFluentBuilder;
use aws_sdk_rds::types::{ApplyMethod, Parameter, Tag};
use aws_sdk_route53::types::{
    Change, ChangeAction, ChangeBatch, ChangeStatus, ResourceRecord, ResourceRecordSet, RrType,
};
use local_aws::LocalAws;
use local_aws_core::REGION;
use local_aws_lambda::Template;
use tokio_postgres::Client;

use crate::connect::{Connector, Login};
use crate::follow::{Follow, HostSource};
use crate::names::Names;
use crate::observer::Access;

/// The source's identifier.
pub const SOURCE: &str = "shop-db";
/// Its database.
pub const DATABASE: &str = "shop";
/// Its master user.
pub const MASTER: &str = "shop_admin";
const MASTER_PASSWORD: &str = "master-of-the-rehearsal";
/// An ordinary role that owns the database, where the run is not to log in as the master user.
pub const OWNER: &str = "shop_dba";
const OWNER_PASSWORD: &str = "dba-of-the-rehearsal";
const ROTATED_PASSWORD: &str = "rotated-of-the-rehearsal";
/// The secret with the owner's login.
pub const LOGIN_SECRET: &str = "shop/owner";
/// The secret from which clients read the host, if they do.
const CLIENT_SECRET: &str = "shop/app";
const ZONE: &str = "example.internal";
/// The record that clients follow.
pub const RECORD: &str = "shop-db.example.internal";
/// A key and a role of the operator's.
pub(crate) const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/11112222-3333-4444-5555-666677778888";
const MONITORING_ROLE: &str = "arn:aws:iam::111122223333:role/rds-monitoring-role";
/// A role of another account than the stack's.
const RECORD_ROLE: &str = "arn:aws:iam::444455556666:role/dns/orders-record";
/// TTL of the record, in seconds: above the cutover's, so that a run has to lower it, wait the old one out and put it
/// back, and short, because that wait is real.
const RECORD_TTL: i64 = 3;

/// Longest wait for an instance or a change.
const LONGEST_WAIT: Duration = Duration::from_secs(300);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// A local AWS and the operator's view of it.
pub struct Stage {
    aws: Arc<LocalAws>,
    sdk: SdkConfig,
    names: Arc<Names>,
    machines: BTreeMap<String, String>,
}

/// The instance to upgrade.
#[derive(Debug, Clone)]
pub struct Source {
    /// Host name of its endpoint.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Engine version.
    pub version: String,
}

impl Stage {
    /// An empty AWS, seen by its operator.
    pub fn new(aws: Arc<LocalAws>) -> Result<Self> {
        let credentials = Credentials::new("operator", "local", None, None, "rehearsal");
        let sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(REGION))
            .endpoint_url(aws.url())
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build();
        let names = Arc::new(Names::new(aws.dns_address())?);
        Ok(Self { aws, sdk, names, machines: BTreeMap::new() })
    }

    /// The zone belongs to another account, which has made the role that `infra/README.md` asks for; the answer is its ARN.
    pub fn give_zone_away(&self, zone_id: &str) -> Result<&'static str> {
        let granted = contract_tests::record_role::granted(zone_id)?;
        let functions: Vec<_> = granted.trusted.iter().map(|step| contract_tests::function_name(step)).collect();
        let functions: Vec<_> = functions.iter().map(String::as_str).collect();
        self.aws.add_role(RECORD_ROLE, &functions, &granted.policy);
        self.aws.zones().give_to(zone_id, RECORD_ROLE.split(':').nth(4).unwrap_or_default());
        Ok(RECORD_ROLE)
    }

    /// Deploy pgleap for a zone and an owner's secret, with the functions' binaries from a folder, and with further parameters.
    pub async fn deploy(
        &mut self,
        binaries: &Path,
        zone_id: &str,
        login_secret: &str,
        more: &[(&str, &str)],
    ) -> Result<()> {
        let path = contract_tests::machine::repository().join("infra/template.yaml");
        let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        let parameters = [
            ("SourceInstance", SOURCE),
            ("HostedZoneId", zone_id),
            ("RecordName", RECORD),
            ("LoginSecretArn", login_secret),
            ("AnswerLinks", "yes"),
            ("VpcSubnetIds", "subnet-rehearsal-a,subnet-rehearsal-b"),
            ("VpcSecurityGroupIds", "sg-rehearsal"),
        ];
        let parameters = parameters.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let parameters = parameters.collect();
        let template = Template::read(&text, &parameters).context("read the template")?;
        let mut definitions = BTreeMap::new();
        for name in contract_tests::machine::MACHINES {
            let machine = format!("{}StateMachine", contract_tests::machine::pascal(name));
            definitions.insert(machine, contract_tests::Machine::read(name)?.definition.to_string());
        }
        self.machines = self.aws.deploy(&template, binaries, &definitions).await.context("deploy pgleap")?.machines;
        Ok(())
    }

    /// Let plans go by the rates of this computer, as an operator sets the variable of the function.
    pub fn set_rates(&self, rates: &serde_json::Value) -> Result<()> {
        let function = contract_tests::function_name("plan-run");
        self.aws.lambda().set_variable(&function, "PGLEAP_RATES", &rates.to_string()).context("set the plan's rates")
    }

    /// The local AWS.
    pub fn aws(&self) -> &LocalAws {
        &self.aws
    }

    /// How SDK clients reach it.
    pub fn sdk(&self) -> &SdkConfig {
        &self.sdk
    }

    /// The resolver that clients share.
    pub fn names(&self) -> Arc<Names> {
        Arc::clone(&self.names)
    }

    /// ARN of the machine that upgrades.
    pub fn upgrade_machine(&self) -> Result<&str> {
        self.machine("UpgradeStateMachine")
    }

    /// ARN of the machine that recovers.
    pub fn recover_machine(&self) -> Result<&str> {
        self.machine("RecoverStateMachine")
    }

    /// ARN of the machine that fails back.
    pub fn fail_back_machine(&self) -> Result<&str> {
        self.machine("FailBackStateMachine")
    }

    /// ARN of the machine that checks a fail-back path.
    pub fn watch_machine(&self) -> Result<&str> {
        self.machine("WatchFailBackStateMachine")
    }

    fn machine(&self, id: &str) -> Result<&str> {
        self.machines.get(id).map(String::as_str).with_context(|| format!("the template has no {id}"))
    }

    /// TLS to the instances.
    pub fn connector(&self, source: &Source) -> Result<Connector> {
        Connector::new(self.aws.ca_file(), source.port)
    }

    /// How the observer reaches an instance's database, whether it exists yet or not.
    pub fn access(&self, instance: &str) -> Access {
        let (aws, instance) = (Arc::clone(&self.aws), instance.to_owned());
        Arc::new(move || {
            let mut config = aws.rds().admin_config(&instance)?;
            config.dbname(DATABASE).application_name("rehearsal observer");
            Some(config)
        })
    }

    /// A parameter group of the operator's with these values; none without values.
    pub async fn create_group(&self, major: u16, values: &[(&str, &str)]) -> Result<Option<&'static str>> {
        if values.is_empty() {
            return Ok(None);
        }
        let (rds, name) = (aws_sdk_rds::Client::new(&self.sdk), "shop-parameters");
        let create = rds.create_db_parameter_group().db_parameter_group_name(name);
        let create = create.db_parameter_group_family(format!("postgres{major}")).description("of the operator");
        create.send().await.context("create a parameter group")?;
        let parameters = values.iter().map(|(name, value)| {
            let parameter = Parameter::builder().parameter_name(*name).parameter_value(*value);
            parameter.apply_method(ApplyMethod::PendingReboot).build()
        });
        let modify = rds.modify_db_parameter_group().db_parameter_group_name(name);
        let modify = modify.set_parameters(Some(parameters.collect()));
        modify.send().await.context("set the group's parameters")?;
        Ok(Some(name))
    }

    /// Make the source, as an operator would have it: with a parameter group of his own, or the default one, which has no
    /// logical replication; with all that production has, or plainly.
    pub async fn create_source(&self, major: u16, group: Option<&str>, as_in_production: bool) -> Result<Source> {
        let rds = aws_sdk_rds::Client::new(&self.sdk);
        let create = rds
            .create_db_instance()
            .db_instance_identifier(SOURCE)
            .db_instance_class("db.m6g.large")
            .engine("postgres")
            .engine_version(major.to_string())
            .allocated_storage(100)
            .storage_type("gp3")
            .backup_retention_period(7)
            .set_db_parameter_group_name(group.map(str::to_owned))
            .db_name(DATABASE)
            .master_username(MASTER)
            .master_user_password(MASTER_PASSWORD);
        let create = if as_in_production { with_comfort(create) } else { create };
        create.send().await.context("create the source instance")?;
        let source = self.await_source().await?;
        if as_in_production {
            // As storage autoscaling leaves it: less than 110 % of what is allocated is left to its limit.
            let grow = rds.modify_db_instance().db_instance_identifier(SOURCE).allocated_storage(110);
            grow.apply_immediately(true).send().await.context("let the source's storage grow")?;
            self.await_source().await?;
            self.aws.rds().name_replicas(SOURCE, &["shop-db-reports"]);
        }
        Ok(source)
    }

    async fn await_source(&self) -> Result<Source> {
        let began = Instant::now();
        loop {
            let instance = self.instance(SOURCE).await?.context("the source instance is gone")?;
            if instance.db_instance_status() == Some("available") {
                let endpoint = instance.endpoint().context("the source has no endpoint")?;
                return Ok(Source {
                    host: endpoint.address().context("the endpoint has no address")?.to_owned(),
                    port: u16::try_from(endpoint.port().context("the endpoint has no port")?)?,
                    version: instance.engine_version().unwrap_or_default().to_owned(),
                });
            }
            if began.elapsed() > LONGEST_WAIT {
                bail!("wait for the source instance: still {:?}", instance.db_instance_status());
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// An instance as RDS describes it.
    pub async fn instance(&self, id: &str) -> Result<Option<aws_sdk_rds::types::DbInstance>> {
        let answer =
            aws_sdk_rds::Client::new(&self.sdk).describe_db_instances().db_instance_identifier(id).send().await;
        match answer {
            Ok(answer) => Ok(answer.db_instances().first().cloned()),
            Err(error) if error.as_service_error().is_some_and(|error| error.is_db_instance_not_found_fault()) => {
                Ok(None)
            }
            Err(error) => Err(error).with_context(|| format!("describe instance {id}")),
        }
    }

    /// Make the zone and the record that leads to the source; the answer is the zone's id.
    pub async fn create_record(&self, source: &Source) -> Result<String> {
        let route53 = aws_sdk_route53::Client::new(&self.sdk);
        let zone = route53
            .create_hosted_zone()
            .name(ZONE)
            .caller_reference("rehearsal")
            .send()
            .await
            .context("create the zone")?;
        let zone_id = zone
            .hosted_zone()
            .context("the zone has no description")?
            .id()
            .trim_start_matches("/hostedzone/")
            .to_owned();
        let value = ResourceRecord::builder().value(&source.host).build()?;
        let record = ResourceRecordSet::builder()
            .name(RECORD)
            .r#type(RrType::Cname)
            .ttl(RECORD_TTL)
            .resource_records(value)
            .build()?;
        let change = Change::builder().action(ChangeAction::Create).resource_record_set(record).build()?;
        let batch = ChangeBatch::builder().changes(change).build()?;
        let sent = route53.change_resource_record_sets().hosted_zone_id(&zone_id).change_batch(batch).send().await;
        let change_id =
            sent.context("create the record")?.change_info().context("the change has no id")?.id().to_owned();
        let began = Instant::now();
        // A client that asks too early would remember for long that there is no such name.
        loop {
            let change = route53.get_change().id(&change_id).send().await.context("look at the record's change")?;
            if change.change_info().is_some_and(|info| *info.status() == ChangeStatus::Insync) {
                return Ok(zone_id);
            }
            if began.elapsed() > LONGEST_WAIT {
                bail!("wait for the record: still PENDING");
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Give the database to a role that is no member of `rds_superuser`, with nothing beyond what preflight asks for:
    /// CREATEROLE, `pg_signal_backend`, `pg_monitor`, and `rds_replication` to hand on, which from 16 on takes the ADMIN
    /// OPTION.
    pub async fn create_owner(&self, source: &Source, major: u16) -> Result<()> {
        let master = self.connect_as(source, &master_login()).await?;
        let mut statements = vec![
            format!("CREATE ROLE {OWNER} LOGIN CREATEROLE PASSWORD '{OWNER_PASSWORD}'"),
            format!("GRANT pg_signal_backend, pg_monitor TO {OWNER}"),
            format!("GRANT rds_replication TO {OWNER} WITH ADMIN OPTION"),
            // Whoever gives a database away must be a member of the role that gets it.
            format!("GRANT {OWNER} TO {MASTER}"),
            format!("ALTER DATABASE {DATABASE} OWNER TO {OWNER}"),
            format!("REVOKE {OWNER} FROM {MASTER}"),
        ];
        if major < 15 {
            // From 15 on the schema belongs to whoever owns the database.
            statements.push(format!("GRANT USAGE, CREATE ON SCHEMA public TO {OWNER} WITH GRANT OPTION"));
        }
        for statement in statements {
            let what = statement.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
            master.batch_execute(&statement).await.with_context(|| format!("make the owner: {what}"))?;
        }
        Ok(())
    }

    /// The owner's login, where the run finds it; the answer is the secret's ARN.
    pub async fn create_login_secret(&self, login: &Login) -> Result<String> {
        let value = serde_json::json!({ "username": login.user, "password": login.password }).to_string();
        let secrets = aws_sdk_secretsmanager::Client::new(&self.sdk);
        let made = secrets.create_secret().name(LOGIN_SECRET).secret_string(value).send().await;
        Ok(made.context("create the owner's secret")?.arn().context("the secret has no ARN")?.to_owned())
    }

    /// What the clients read the host from; it leads to the source.
    pub async fn create_host_source(&self, follow: Follow, source: &Source) -> Result<HostSource> {
        match follow {
            Follow::Record => return Ok(HostSource::record()),
            Follow::Hook => return Ok(HostSource::hook(self.aws.lambda(), &source.host)),
            Follow::Secret => {}
        }
        let value = serde_json::json!({ "host": source.host, "port": source.port, "dbname": DATABASE }).to_string();
        let client = aws_sdk_secretsmanager::Client::new(&self.sdk);
        let made = client.create_secret().name(CLIENT_SECRET).secret_string(value).send().await;
        let id = made.context("create the clients' secret")?.arn().context("the secret has no ARN")?.to_owned();
        Ok(HostSource::Secret { client, id })
    }

    /// Connect to the source by its endpoint.
    pub async fn connect_as(&self, source: &Source, login: &Login) -> Result<Client> {
        let answer = self.names.resolve(&source.host).await?;
        self.connector(source)?
            .connect(&answer, login, "rehearsal")
            .await
            .with_context(|| format!("connect as {}", login.user))
    }
}

/// What costs nothing in a rehearsal and most production instances have.
fn with_comfort(create: CreateDBInstanceFluentBuilder) -> CreateDBInstanceFluentBuilder {
    create
        .multi_az(true)
        .storage_encrypted(true)
        .kms_key_id(KEY)
        .max_allocated_storage(111)
        .enable_performance_insights(true)
        .performance_insights_kms_key_id(KEY)
        .performance_insights_retention_period(7)
        .monitoring_interval(60)
        .monitoring_role_arn(MONITORING_ROLE)
        .enable_cloudwatch_logs_exports("postgresql")
        .deletion_protection(true)
        .copy_tags_to_snapshot(true)
        .preferred_maintenance_window("sun:03:00-sun:04:00")
        .tags(Tag::builder().key("team").value("orders").build())
}

/// The ordinary owner's login after its password was rotated.
pub fn rotated_login() -> Login {
    Login { user: OWNER.to_owned(), password: ROTATED_PASSWORD.to_owned(), database: DATABASE.to_owned() }
}

/// The master user's login.
pub fn master_login() -> Login {
    Login { user: MASTER.to_owned(), password: MASTER_PASSWORD.to_owned(), database: DATABASE.to_owned() }
}

/// The login that owns the database and that the run gets: the master user's, or an ordinary role's.
pub fn owner_login(is_ordinary: bool) -> Login {
    if !is_ordinary {
        return master_login();
    }
    Login { user: OWNER.to_owned(), password: OWNER_PASSWORD.to_owned(), database: DATABASE.to_owned() }
}
