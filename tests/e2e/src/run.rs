//! A whole rehearsal: stage, source, clients, run, proof, report, and nothing left behind.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use local_aws::{Config, LocalAws, Propagation};
use tokio::signal::unix::{SignalKind, signal};
use tokio_postgres::config::Host;

use crate::bulk;
use crate::cast::fill;
use crate::catalog;
use crate::cli::RunArguments;
use crate::clients::now;
use crate::deeds;
use crate::disturbance::Disturbance;
use crate::functions;
use crate::input::input;
use crate::inventory::Inventory;
use crate::observer::connect;
use crate::propagation::DnsReport;
use crate::rates::rates;
use crate::report::{Failure, Report, Side, Status};
use crate::said;
use crate::screen::Screen;
use crate::show::Show;
use crate::stage::{DATABASE, KEY, SOURCE, Stage, master_login, owner_login};
use crate::trouble::Trouble;

/// Rehearse and report; true if everything was as promised.
pub async fn run(arguments: RunArguments) -> Result<bool> {
    arguments.check()?;
    let mut screen = Screen::new();
    let name = format!("run-{}", now() as u64);
    let functions = arguments.functions.clone();
    let mut report = Report { plan_only: arguments.plan, functions, ..Report::default() };
    let aws = start(&arguments, &screen).await?;
    let ended = tokio::select! {
        ended = rehearse(&arguments, Arc::clone(&aws), &mut screen, &mut report) => ended,
        () = interrupted() => Err(anyhow::anyhow!("interrupted")),
    };
    if let Err(error) = &ended {
        report.status = Status::Failed;
        report.error.get_or_insert(Failure { error: "RehearsalFailed".to_owned(), cause: format!("{error:#}") });
    }
    report.dns = DnsReport::of(&arguments, &aws);
    let path = report.write(&arguments.reports, &name)?;
    let logs = arguments.reports.join(&name).join("log");
    copy_logs(aws.log_folder(), &logs)?;
    std::fs::write(logs.join("stand-in.log"), said::so_far()).context("write what the stand-in said")?;
    screen.summarise(&report);
    screen.say(format!("report: {}", path.display()));
    if arguments.keep {
        keep(&aws, &screen).await;
    }
    screen.doing("stopping the servers");
    stop(aws).await;
    screen.finish();
    Ok(match &report.scenario {
        Some(scenario) => scenario.broken.is_empty() && ended.is_ok(),
        None => report.status == Status::Succeeded,
    })
}

/// The Wait states for answers with an old TTL, which the clients' resolver keeps for real seconds.
const WAIT_OUT_TTL: &[&str] = &["WaitOutOldTtl", "WaitOutTtl"];
/// States that call again until a change of the record has reached the name servers, or a client. At the time scale's pace
/// their attempts are used up before a realistic propagation is over.
const WAIT_OUT_PROPAGATION: &[&str] =
    &["LowerTtl", "AwaitNameServers", "WatchClients", "GuardSwitched", "ConfirmCutover", "AwaitSync"];
/// A function that nobody called for weeks. Field reports have 40 to 106 s.
const WAKES_AFTER: Duration = Duration::from_secs(90);
/// What a database of long standing has in its group.
const PRODUCTION_PARAMETERS: &[(&str, &str)] = &[
    ("shared_preload_libraries", "pg_stat_statements,pg_cron"),
    ("log_min_duration_statement", "500"),
    ("rds.force_ssl", "1"),
    ("max_connections", "400"),
];
/// Concurrent executions of a new account, as the Lambda developer guide says ("Lambda quotas": new accounts have reduced quotas).
const FEW: usize = 10;
/// Nobody says how long.
const SECRETS_LATE: Duration = Duration::from_secs(2);
/// "Several minutes", as the user guides say.
const TAGS_LATE: Duration = Duration::from_secs(300);

pub(crate) async fn start(arguments: &RunArguments, screen: &Screen) -> Result<Arc<LocalAws>> {
    screen.doing("starting a local AWS");
    let config = Config {
        time_scale: arguments.time_scale(),
        real_waits: real_waits(arguments.propagation),
        propagation: Propagation::Fixed(Duration::ZERO), // while the record is created
        minimum_ttl: Duration::from_secs(arguments.minimum_ttl.into()),
        keep: arguments.keep,
        ..Config::default()
    };
    Ok(Arc::new(LocalAws::start(config).await.context("start the local AWS")?))
}

fn real_waits(propagation: Propagation) -> Vec<String> {
    let of_propagation = match propagation {
        Propagation::Fixed(_) => &[],
        Propagation::Spread { .. } => WAIT_OUT_PROPAGATION,
    };
    WAIT_OUT_TTL.iter().chain(of_propagation).map(|state| (*state).to_owned()).collect()
}

/// What functions and interpreter said outlives the stand-in's scratch folder.
fn copy_logs(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to).with_context(|| format!("create {}", to.display()))?;
    for entry in std::fs::read_dir(from).with_context(|| format!("list {}", from.display()))?.flatten() {
        std::fs::copy(entry.path(), to.join(entry.file_name()))
            .with_context(|| format!("copy {}", entry.path().display()))?;
    }
    Ok(())
}

/// Every handle is gone when this is called; a straggler's task may hold one for a moment longer.
pub(crate) async fn stop(aws: Arc<LocalAws>) {
    let began = Instant::now();
    let mut aws = aws;
    loop {
        match Arc::try_unwrap(aws) {
            Ok(aws) => return aws.stop().await,
            Err(shared) if began.elapsed() > Duration::from_secs(5) => return drop(shared),
            Err(shared) => aws = shared,
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Until somebody presses Ctrl-C, or ends the process.
pub(crate) async fn interrupted() {
    let terminate = signal(SignalKind::terminate());
    match terminate {
        Ok(mut terminate) => tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        },
        Err(_) => drop(tokio::signal::ctrl_c().await),
    }
}

async fn keep(aws: &LocalAws, screen: &Screen) {
    screen.say("everything keeps running until you press Ctrl-C:");
    for (name, value) in aws.addresses() {
        screen.say(format!("  export {name}={value}"));
    }
    screen.say("  export AWS_ACCESS_KEY_ID=operator AWS_SECRET_ACCESS_KEY=local");
    for instance in aws.rds().instance_ids() {
        if let Some(config) = aws.rds().admin_config(&instance) {
            let address = config.get_hosts().first().map(address_of).unwrap_or_default();
            let port = config.get_ports().first().copied().unwrap_or_default();
            screen.say(format!(
                "  {instance}: {address} port {port}, database {DATABASE}, user {} password {}",
                master_login().user,
                master_login().password
            ));
        }
    }
    screen.say(format!("  files: {}", aws.scratch_folder().display()));
    interrupted().await;
}

fn address_of(host: &Host) -> String {
    match host {
        Host::Tcp(name) => name.clone(),
        Host::Unix(folder) => folder.display().to_string(),
    }
}

async fn rehearse(
    arguments: &RunArguments,
    aws: Arc<LocalAws>,
    screen: &mut Screen,
    report: &mut Report,
) -> Result<()> {
    let mut stage = Stage::new(aws)?;
    screen.doing("creating the source instance");
    let has = |trouble| arguments.faults.contains(&trouble);
    let parameters: &[(&str, &str)] = match () {
        () if has(Trouble::DecodesAlready) => &[("rds.logical_replication", "1")],
        () if has(Trouble::Production) => PRODUCTION_PARAMETERS,
        () => &[],
    };
    let group = stage.create_group(arguments.from, parameters).await?;
    let source = stage.create_source(arguments.from, group, has(Trouble::Production)).await?;
    report.source = Side { version: source.version.clone(), instance: SOURCE.to_owned() };
    if arguments.has_ordinary_owner() {
        stage.create_owner(&source, arguments.from).await?;
    }
    let owner = owner_login(arguments.has_ordinary_owner());
    let cast = fill(arguments, &stage, &source, screen).await?;
    report.dump.clone_from(&cast.restored);
    bulk::load(&stage.connect_as(&source, &owner).await?, arguments.bulk).await?;
    for trouble in &arguments.faults {
        let fault =
            trouble.plan(&stage.connect_as(&source, &owner).await?).await.with_context(|| format!("plan {trouble}"))?;
        fault.into_iter().for_each(|fault| stage.aws().dms().plan_fault(fault));
        if let Some(fault) = trouble.of_copy() {
            stage.aws().rds().plan(SOURCE, fault).await.with_context(|| format!("plan {trouble}"))?;
        }
        if matches!(trouble, Trouble::SecurityGroup | Trouble::RuleMissing | Trouble::RulesReached) {
            stage.aws().ground().close();
        }
        if *trouble == Trouble::RulesReached {
            stage.aws().ground().reach_quota();
        }
    }
    for sql in &arguments.prepare {
        let superuser = connect(&stage.access(SOURCE)).await?;
        superuser.batch_execute(sql).await.with_context(|| format!("run {sql}"))?;
    }
    for disturbance in &arguments.disturbances {
        if let Disturbance::Do { deed, .. } = disturbance {
            deeds::prepare(*deed, &stage.access(SOURCE)).await.with_context(|| format!("prepare {disturbance}"))?;
        }
    }
    let mut known = owner.clone();
    if has(Trouble::WrongSecret) {
        known.password.push_str("-of-last-week");
    }
    let (zone_id, secret) = (stage.create_record(&source).await?, stage.create_login_secret(&known).await?);
    let host = stage.create_host_source(arguments.clients, &source).await?;
    // An operator's record has been there for long; from now on changes take their time.
    stage.aws().zones().set_propagation(arguments.propagation);
    let programs = functions::programs(arguments, stage.aws().scratch_folder())?;
    let mut parameters = Vec::new();
    if has(Trouble::ZoneElsewhere) {
        parameters.push(("RecordRoleArn", stage.give_zone_away(&zone_id)?));
    }
    if has(Trouble::Production) {
        parameters.push(("StorageKeyArn", KEY));
    }
    let parameter = host.parameter();
    parameters.extend(parameter.as_ref().map(|(name, value)| (*name, value.as_str())));
    stage.deploy(&programs, &zone_id, &secret, &parameters).await?;
    stage.set_rates(&rates(arguments.time_scale(), arguments.propagation, cast.pace)?)?;
    if has(Trouble::IdleFunctions) {
        stage.aws().lambda().stand_idle(WAKES_AFTER);
    }
    if has(Trouble::FewConcurrent) {
        stage.aws().lambda().limit_concurrency(FEW);
    }
    if has(Trouble::LateTags) {
        stage.aws().delay_tags(TAGS_LATE.mul_f64(arguments.time_scale()));
    }
    if has(Trouble::StaleSecrets) {
        stage.aws().secrets().read_late(SECRETS_LATE);
    }
    let input = input(arguments, &zone_id, &secret, &host)?;
    let before = catalog::read(&connect(&stage.access(SOURCE)).await?).await?;

    let there = Inventory::read(&stage, &zone_id).await?;
    let show = Show::begin(arguments, stage, source, cast, (zone_id, there), host, screen).await?;
    show.play(arguments, &input, before, screen, report).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wait_that_is_not_scaled_is_one_of_the_machines() {
        let machine = contract_tests::Machine::read("upgrade").unwrap();

        for wait in real_waits(Propagation::REALISTIC) {
            assert!(machine.states().iter().any(|(state, _)| *state == wait), "{wait}");
        }
    }
}
