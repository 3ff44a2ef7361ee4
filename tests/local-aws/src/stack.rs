//! The services of a local AWS and how they hang together.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use local_aws_control::{Ec2, EventRules, Scheduler, SecretsManager, Sns, StatesConfig, StepFunctions, Sts, Targets};
use local_aws_core::{
    ApiError, BoundGateway, CallLog, Clock, Controls, EventBus, Faults, Gateway, Ground, Hosts, REGION, RawService,
    Service,
};
use local_aws_dms::{Dms, DmsSettings};
use local_aws_lambda::{HostConfig, LambdaHost};
use local_aws_postgres::{Binaries, CertificateAuthority, Scratch, Servers, free_port};
use local_aws_rds::{KeepSecret, Rds, Surroundings};
use local_aws_route53::{DnsServer, Route53, Zones};
use serde_json::Value;

use crate::Config;
use crate::policies::{Gate, Policies, TagKeys};

/// A running local AWS. [`LocalAws::stop`] ends it in order; dropped, or its process killed, it ends as well.
pub struct LocalAws {
    // Dropped in this order: who calls before who is called, the folder last.
    gateway: Gateway,
    states: Option<Arc<StepFunctions>>,
    lambda: LambdaHost,
    targets: Targets,
    rules: Arc<EventRules>,
    scheduler: Arc<Scheduler>,
    secrets: Arc<SecretsManager>,
    sns: Sns,
    sts: Sts,
    dms: Arc<Dms>,
    ground: Ground,
    rds: Rds,
    zones: Zones,
    dns: DnsServer,
    hosts: Hosts,
    events: EventBus,
    policies: Policies,
    ca_file: PathBuf,
    log_folder: PathBuf,
    scratch: Scratch,
}

impl LocalAws {
    /// Start everything on free ports of 127.0.0.0/8, with its files in one scratch folder.
    pub async fn start(config: Config) -> Result<Self> {
        let scratch = Scratch::create()?;
        if config.keep {
            scratch.keep()?;
        }
        let log_folder = scratch.path().join("log");
        std::fs::create_dir(&log_folder).with_context(|| format!("create {}", log_folder.display()))?;
        let authority = CertificateAuthority::create(scratch.path())?;
        let ca_file = authority.certificate_path().to_owned();
        let clock = Clock::new(config.time_scale);
        let (events, hosts) = (EventBus::default(), Hosts::default());

        let bound =
            BoundGateway::bind((Ipv4Addr::LOCALHOST, config.port).into()).await.context("listen for API calls")?;
        let url = format!("http://{}", bound.address());
        let zones = Zones::new(config.propagation);
        let dns_address = SocketAddr::from((Ipv4Addr::LOCALHOST, config.dns_port));
        let dns = DnsServer::start_at(dns_address, zones.clone(), hosts.clone(), config.minimum_ttl);
        let dns = dns.await.context("listen for DNS")?;

        let servers = match &config.templates_of {
            Some(others) => others.sharing_templates(&scratch)?,
            None => Servers::new(&scratch, Binaries::find()?, config.durability)?,
        };
        let secrets = Arc::new(SecretsManager::new(clock));
        let rds = Rds::new(Surroundings {
            clock,
            hosts: hosts.clone(),
            events: events.clone(),
            servers,
            authority,
            port: free_port()?,
            secrets: Some(Arc::new(MasterPasswords(secrets.clone()))),
        });
        let ground = Ground::default();
        let (sns, sts) = (Sns::default(), Sts::default());
        let settings = DmsSettings { faults: config.dms_faults, ground: ground.clone() };
        let dms = Arc::new(Dms::new(clock, hosts.clone(), events.clone(), secrets.clone(), settings));
        let lambda = LambdaHost::start(HostConfig { log_folder: log_folder.clone(), clock }).await?;
        let states = match config.step_functions {
            false => None,
            true => {
                let log_file = log_folder.join("interpreter.log");
                let states = StatesConfig::of_repository(&url, config.time_scale, log_file);
                let states = StatesConfig { real_waits: config.real_waits, ..states };
                Some(Arc::new(StepFunctions::start(&states, &events).await?))
            }
        };
        let targets = Targets::default();
        targets.add("lambda", Arc::new(lambda.clone()));
        if let Some(states) = &states {
            targets.add("states", states.clone());
        }
        let scheduler = Arc::new(Scheduler::new(clock, config.schedule_lateness, Arc::new(targets.clone())));
        let rules = Arc::new(EventRules::new(clock, &events, Arc::new(targets.clone())));

        let policies = Policies::default();
        let (of_rds, of_dms) = (rds.clone(), dms.clone());
        let tag_keys: TagKeys = Arc::new(move |arn| of_rds.tag_keys(arn).or_else(|| of_dms.tag_keys(arn)));
        let gate = Gate {
            functions: lambda.clone(),
            policies: policies.clone(),
            sts: sts.clone(),
            zones: zones.clone(),
            tag_keys,
            own: config.authorize,
        };
        let controls = Controls { authorize: Arc::new(gate), ..Controls::default() };
        config.faults.into_iter().for_each(|fault| controls.faults.plan(fault));
        let services: Vec<Arc<dyn Service>> = vec![
            Arc::new(rds.clone()),
            dms.clone(),
            Arc::new(Route53::new(zones.clone())),
            secrets.clone(),
            scheduler.clone(),
            rules.clone(),
            Arc::new(Ec2::new(ground.clone())),
            Arc::new(sns.clone()),
            Arc::new(sts.clone()),
        ];
        let mut raw: Vec<Arc<dyn RawService>> = vec![Arc::new(lambda.clone())];
        raw.extend(states.clone().map(|states| states as Arc<dyn RawService>));
        let gateway = bound.serve(services, raw, controls);

        let aws = Self {
            gateway,
            states,
            lambda,
            targets,
            rules,
            scheduler,
            secrets,
            sns,
            sts,
            dms,
            ground,
            rds,
            zones,
            dns,
            hosts,
            events,
            policies,
            ca_file,
            log_folder,
            scratch,
        };
        aws.lambda.set_environment(aws.addresses());
        Ok(aws)
    }

    /// End everything and remove its files. What runs is killed.
    pub async fn stop(self) {
        self.targets.clear();
        if let Some(states) = &self.states {
            states.stop().await;
        }
        self.lambda.stop().await;
        // The folder's end waits for the servers in it.
        let _ended = tokio::task::spawn_blocking(move || drop(self)).await;
    }

    /// What `AWS_ENDPOINT_URL` is set to.
    pub fn url(&self) -> String {
        self.gateway.url()
    }

    /// Where the resolver answers, on UDP and TCP.
    pub fn dns_address(&self) -> SocketAddr {
        self.dns.address()
    }

    /// The certificate that signed those of the instances, in PEM.
    pub fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    /// The environment of a function that works on this AWS, without credentials.
    pub fn addresses(&self) -> BTreeMap<String, String> {
        let variables = [
            ("AWS_ENDPOINT_URL", self.url()),
            ("AWS_REGION", REGION.to_owned()),
            ("PGLEAP_NAMESERVER", self.dns_address().to_string()),
            ("PGLEAP_CA_FILE", self.ca_file.display().to_string()),
            // Of the system's store nothing is used here, and reading it is half of a cold start.
            ("SSL_CERT_FILE", self.ca_file.display().to_string()),
        ];
        variables.map(|(name, value)| (name.to_owned(), value)).into()
    }

    /// Planned faults of API calls.
    pub fn faults(&self) -> &Faults {
        self.gateway.faults()
    }

    /// The API calls so far.
    pub fn calls(&self) -> &CallLog {
        self.gateway.log()
    }

    /// RDS, whose instances an observer may look into.
    pub fn rds(&self) -> &Rds {
        &self.rds
    }

    /// DMS, whose tasks can be made to fail.
    pub fn dms(&self) -> &Dms {
        &self.dms
    }

    /// Who is let in to the databases: a test closes it.
    pub fn ground(&self) -> &Ground {
        &self.ground
    }

    /// Route 53's zones, whose propagation delay can be changed.
    pub fn zones(&self) -> &Zones {
        &self.zones
    }

    /// The addresses behind the instances' host names.
    pub fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    /// Secrets Manager.
    pub fn secrets(&self) -> &SecretsManager {
        &self.secrets
    }

    /// SNS: what people were told and asked.
    pub fn sns(&self) -> &Sns {
        &self.sns
    }

    /// STS, which gives out sessions of roles.
    pub fn sts(&self) -> &Sts {
        &self.sts
    }

    /// A role, of another account if its ARN says so: which functions it trusts, and its policy.
    pub fn add_role(&self, arn: &str, trusts: &[&str], policy: &Value) {
        self.sts.add_role(arn, trusts);
        self.policies.set(arn, policy);
    }

    /// The Scheduler.
    pub fn scheduler(&self) -> &Scheduler {
        &self.scheduler
    }

    /// The functions: progress, logs, memory, planned kills.
    pub fn lambda(&self) -> &LambdaHost {
        &self.lambda
    }

    /// Step Functions, if it was asked for.
    pub fn states(&self) -> Option<&StepFunctions> {
        self.states.as_deref()
    }

    /// What services publish; EventBridge's rules listen there too.
    pub fn events(&self) -> &EventBus {
        &self.events
    }

    /// A fault: from now on no event reaches a rule, as may happen to what is delivered by best effort.
    pub fn lose_events(&self) {
        self.rules.lose_events();
    }

    /// Where everything is: data, logs, certificates.
    pub fn scratch_folder(&self) -> &Path {
        self.scratch.path()
    }

    /// A log file for each function, and the interpreter's.
    pub fn log_folder(&self) -> &Path {
        &self.log_folder
    }

    /// From now on policies see the tags of RDS and DMS resources so much later than they are set, counted from the first
    /// call that they decide.
    pub fn delay_tags(&self, delay: Duration) {
        self.policies.delay_tags(delay);
    }

    pub(crate) fn rules(&self) -> &EventRules {
        &self.rules
    }

    pub(crate) fn policies(&self) -> &Policies {
        &self.policies
    }
}

/// The master passwords that RDS manages are secrets like any other.
struct MasterPasswords(Arc<SecretsManager>);

impl KeepSecret for MasterPasswords {
    fn keep(&self, name: &str, secret_string: &str) -> Result<String, ApiError> {
        self.0.keep(name, secret_string)
    }

    fn forget(&self, arn: &str) {
        self.0.forget(arn);
    }
}
