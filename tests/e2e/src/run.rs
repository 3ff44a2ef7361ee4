//! A whole rehearsal: stage, source, clients, run, proof, report, and nothing left behind.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use local_aws::{Config, LocalAws};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use crate::bulk;
use crate::catalog::{self, Catalog};
use crate::cli::{Disturbance, RunArguments};
use crate::clients::{Clients, Crew, Kind, Way, now};
use crate::connect::Login;
use crate::dump;
use crate::fixture::{self, Size};
use crate::follow::{Execution, Standing};
use crate::history::{next_phase, phase_of};
use crate::inventory::Inventory;
use crate::judge::{Seen, judge, loses_events};
use crate::leaks::{Secrecy, Secret};
use crate::news::EventCount;
use crate::observer::{DrainWatch, FenceWatch, Meter, Reading, connect};
use crate::person::Person;
use crate::proof::{self, Addresses};
use crate::rates::{Pace, rates};
use crate::report::{Failure, LambdaReport, MachineReport, Report, Side, Status};
use crate::said;
use crate::scenario::{Armed, Means};
use crate::screen::{Moment, Screen};
use crate::stage::{DATABASE, RECORD, SOURCE, Source, Stage, master_login};
use crate::texts;
use crate::trouble::{Tools, Trouble};

/// Writes that must be acknowledged before the run begins, so that there is something to lose.
const WRITES_BEFORE: u64 = 100;
/// Clients go on this long after the run.
const AFTERWARDS: Duration = Duration::from_secs(3);
/// Between two looks at the execution.
const LOOK: Duration = Duration::from_millis(250);
/// Between two readings of rows and lag.
const METER: Duration = Duration::from_secs(2);
/// Longest rehearsal; the machine's own bounds are far larger.
const LONGEST_RUN: Duration = Duration::from_secs(3600);
/// Longest wait for the message that a run has ended.
const LONGEST_NEWS: Duration = Duration::from_secs(30);
/// Longest wait for the machine that recovers, once the first has ended badly.
const LONGEST_RECOVERY: Duration = Duration::from_secs(120);

/// Rehearse and report; true if everything was as promised.
pub async fn run(arguments: RunArguments) -> Result<bool> {
    arguments.check()?;
    let mut screen = Screen::new();
    let name = format!("run-{}", now() as u64);
    let mut report = Report::default();
    let aws = start(&arguments, &screen).await?;
    let ended = tokio::select! {
        ended = rehearse(&arguments, Arc::clone(&aws), &mut screen, &mut report) => ended,
        () = interrupted() => Err(anyhow::anyhow!("interrupted")),
    };
    if let Err(error) = &ended {
        report.status = Status::Failed;
        report.error.get_or_insert(Failure { error: "RehearsalFailed".to_owned(), cause: format!("{error:#}") });
    }
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

async fn start(arguments: &RunArguments, screen: &Screen) -> Result<Arc<LocalAws>> {
    screen.doing("starting a local AWS");
    let config = Config { time_scale: arguments.time_scale, keep: arguments.keep, ..Config::default() };
    Ok(Arc::new(LocalAws::start(config).await.context("start the local AWS")?))
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
async fn stop(aws: Arc<LocalAws>) {
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

async fn interrupted() {
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
    screen.say("everything is left running until Ctrl-C:");
    for (name, value) in aws.addresses() {
        screen.say(format!("  export {name}={value}"));
    }
    screen.say("  export AWS_ACCESS_KEY_ID=operator AWS_SECRET_ACCESS_KEY=local");
    for instance in aws.rds().instance_ids() {
        if let Some(config) = aws.rds().admin_config(&instance) {
            let address = config.get_hosts().first().map(|host| format!("{host:?}")).unwrap_or_default();
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

async fn rehearse(
    arguments: &RunArguments,
    aws: Arc<LocalAws>,
    screen: &mut Screen,
    report: &mut Report,
) -> Result<()> {
    let mut stage = Stage::new(aws)?;
    screen.doing("making the source instance");
    let source = stage.create_source(arguments.from).await?;
    report.source = Side { version: source.version.clone(), instance: SOURCE.to_owned() };
    let cast = fill(arguments, &stage, &source, screen).await?;
    bulk::load(&stage.master(&source).await?, arguments.bulk).await?;
    for trouble in &arguments.faults {
        let fault = trouble.plan(&stage.master(&source).await?).await.with_context(|| format!("plan {trouble}"))?;
        fault.into_iter().for_each(|fault| stage.aws().dms().plan_fault(fault));
        if matches!(trouble, Trouble::SecurityGroup | Trouble::RuleMissing) {
            stage.aws().ground().close();
        }
    }
    let (zone_id, secret) = (stage.create_record(&source).await?, stage.create_login_secret().await?);
    stage.deploy(&binaries(arguments)?, &zone_id, &secret).await?;
    let input = input(arguments, cast.pace, &zone_id, &secret)?;
    let before = catalog::read(&connect(&stage.access(SOURCE)).await?).await?;

    let there = Inventory::read(&stage, &zone_id).await?;
    let show = Show::begin(arguments, stage, source, cast, (zone_id, there), screen).await?;
    show.play(arguments, &input, before, screen, report).await
}

fn binaries(arguments: &RunArguments) -> Result<PathBuf> {
    match &arguments.binaries {
        Some(folder) => Ok(folder.clone()),
        None => {
            let own = std::env::current_exe().context("find this program")?;
            // Test programs live one folder below.
            let folder = own.ancestors().skip(1).find(|folder| folder.join("start-run").is_file());
            Ok(folder
                .context("find the functions' binaries beside this program: build the workspace first")?
                .to_owned())
        }
    }
}

/// Who writes, and by whose right the fence is seen.
struct Cast {
    members: Vec<(Kind, Login, u32)>,
    size: Size,
    watched_role: &'static str,
    pace: Pace,
}

async fn fill(arguments: &RunArguments, stage: &Stage, source: &Source, screen: &Screen) -> Result<Cast> {
    let master = stage.master(source).await?;
    let size = Size::of_megabytes(arguments.megabytes);
    let Some(file) = &arguments.dump else {
        screen.doing(&format!("filling it with about {} MB", arguments.megabytes));
        let began = Instant::now();
        fixture::load(&master, size).await?;
        let pace = Pace::of_fill(arguments.megabytes, began.elapsed());
        let login = |user: &str, password: &str| Login {
            user: user.to_owned(),
            password: password.to_owned(),
            database: DATABASE.to_owned(),
        };
        let members = vec![
            (Kind::App, login("shop_app", "app-of-the-rehearsal"), 8),
            (Kind::Owner, login("shop_owner", "owner-of-the-rehearsal"), 2),
            (Kind::Master, master_login(), 4),
        ];
        return Ok(Cast { members, size, watched_role: "shop_app", pace });
    };
    screen.doing(&format!("restoring {}", file.display()));
    let at = stage.names().resolve(&source.host).await?;
    let restored = dump::restore(file, source, &at, stage.aws().ca_file()).await?;
    if restored.failed_statements > 0 {
        let examples = restored.examples.join("; ");
        screen
            .say(format!("{} statements of the dump could not be carried out: {examples}", restored.failed_statements));
    }
    dump::add_probe(&master).await?;
    Ok(Cast { members: dump::crew(), size, watched_role: dump::WATCHED_ROLE, pace: Pace::UNKNOWN })
}

fn input(arguments: &RunArguments, pace: Pace, zone_id: &str, secret: &str) -> Result<Value> {
    let mut input = json!({
        "source": { "instance": SOURCE, "database": DATABASE, "loginSecret": secret },
        "target": { "version": arguments.to.to_string() },
        "record": { "zoneId": zone_id, "name": RECORD },
        "choices": { "keylessTables": "replica-identity-full", "awaitObserver": true },
        // Tables that clients write to all the time never stand still; the observer compares them at the drain point.
        "limits": { "verifySeconds": 10 },
    });
    input["rates"] = rates(arguments.time_scale, pace)?;
    if arguments.plan {
        input["mode"] = json!("plan");
    }
    arguments.faults.iter().filter_map(|trouble| trouble.input()).for_each(|over| lay_over(&mut input, over));
    if let Some(Disturbance::Answer(answers)) = arguments.disturbance {
        lay_over(&mut input, answers.input());
    }
    if let Some(file) = &arguments.input_file {
        let text = std::fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
        lay_over(&mut input, serde_json::from_str(&text).with_context(|| format!("parse {}", file.display()))?);
    }
    Ok(input)
}

/// Members of `over` win; objects are merged, null removes.
fn lay_over(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (name, value) in over {
                if value.is_null() {
                    base.remove(&name);
                } else {
                    lay_over(base.entry(name).or_insert(Value::Null), value);
                }
            }
        }
        (base, over) => *base = over,
    }
}

/// Everything that is up while the run runs.
struct Show {
    stage: Stage,
    source: Source,
    kinds: Vec<Kind>,
    passwords: Vec<Secret>,
    clients: Clients,
    drain: DrainWatch,
    fence: FenceWatch,
    target_instance: String,
    zone_id: String,
    /// What there is before the run.
    there: Inventory,
    events: EventCount,
}

impl Show {
    async fn begin(
        arguments: &RunArguments,
        stage: Stage,
        source: Source,
        cast: Cast,
        (zone_id, there): (String, Inventory),
        screen: &Screen,
    ) -> Result<Self> {
        let target_instance = arguments.target_instance();
        let kinds = cast.members.iter().map(|(kind, _, _)| *kind).collect();
        let password = |login: &Login| Secret::new(&format!("the password of {}", login.user), &login.password);
        let passwords = cast.members.iter().map(|(_, login, _)| password(login)).collect();
        let crew = Crew { members: cast.members, tps: arguments.tps, size: cast.size };
        let way = Way { names: stage.names(), connector: stage.connector(&source)?, record: RECORD.to_owned() };
        let events = EventCount::start(stage.aws().events());
        let (on_source, on_target) = (stage.access(SOURCE), stage.access(&target_instance));
        let drain = DrainWatch::start(on_source.clone(), on_target.clone(), arguments.to);
        let fence = FenceWatch::start(on_source, on_target, cast.watched_role.to_owned());
        let clients = Clients::start(&crew, &way);
        screen.doing("clients begin to write");
        let began = Instant::now();
        while clients.acknowledged() < WRITES_BEFORE {
            if began.elapsed() > Duration::from_secs(60) {
                bail!("wait for the clients: {} writes in 60 s, {:?}", clients.acknowledged(), clients.trouble());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        screen.say(format!(
            "{} clients write through {RECORD}",
            crew.members.iter().map(|(_, _, clients)| clients).sum::<u32>()
        ));
        Ok(Self { stage, source, kinds, passwords, clients, drain, fence, target_instance, zone_id, there, events })
    }

    async fn play(
        self,
        arguments: &RunArguments,
        input: &Value,
        before: Catalog,
        screen: &mut Screen,
        report: &mut Report,
    ) -> Result<()> {
        let execution = self.start_execution(input).await?;
        let states = aws_sdk_sfn::Client::new(self.stage.sdk());
        let armed = arguments.disturbance.clone().map(|disturbance| {
            if loses_events(arguments) {
                self.stage.aws().lose_events();
            }
            let means = Means {
                lambda: self.stage.aws().lambda().clone(),
                source: self.stage.access(SOURCE),
                states: states.clone(),
                execution: execution.clone(),
                person: Person {
                    mailbox: self.stage.aws().sns().clone(),
                    sdk: self.stage.sdk().clone(),
                    gateway: self.stage.aws().url(),
                    lambda: self.stage.aws().lambda().clone(),
                    instances: [SOURCE.to_owned(), self.target_instance.clone()],
                    source: self.stage.access(SOURCE),
                },
            };
            Armed::arm(disturbance, means)
        });
        let tools = || Tools {
            source: self.stage.access(SOURCE),
            target: self.stage.access(&self.target_instance),
            sdk: self.stage.sdk().clone(),
            rds: self.stage.aws().rds().clone(),
            target_instance: self.target_instance.clone(),
        };
        let deeds = arguments.faults.iter().flat_map(|trouble| trouble.deeds());
        let _deeds: Vec<_> = deeds.map(|deed| deed.arm(self.stage.aws().lambda().on_invoke(), tools())).collect();
        let mut execution = Execution::new(states, &execution);
        let standing = self.follow(&mut execution, screen).await?;
        if standing.status.as_str() != "SUCCEEDED" {
            screen.say(format!(
                "the machine ended {}: {}",
                standing.status.as_str(),
                standing.error.as_deref().unwrap_or_default()
            ));
            self.await_recovery(screen, report).await?;
        }
        if !loses_events(arguments) {
            self.await_news(standing.status.as_str(), report).await?;
        }
        screen.doing("clients write a little longer");
        tokio::time::sleep(AFTERWARDS).await;
        screen.doing("comparing everything");
        self.conclude(arguments, execution, standing, before, armed, report).await
    }

    async fn start_execution(&self, input: &Value) -> Result<String> {
        let states = aws_sdk_sfn::Client::new(self.stage.sdk());
        let start = states.start_execution().state_machine_arn(self.stage.upgrade_machine()?).name("rehearsal");
        let started = start.input(input.to_string()).send().await.context("start the execution")?;
        Ok(started.execution_arn().to_owned())
    }

    /// Look until it has ended, and show what is seen.
    async fn follow(&self, execution: &mut Execution, screen: &mut Screen) -> Result<Standing> {
        let mut meter = Meter::new(self.stage.access(SOURCE), self.stage.access(&self.target_instance));
        let (began, mut metered) = (Instant::now(), Instant::now());
        let (mut reading, mut rate) = (Reading::default(), Rate::new(self.clients.acknowledged()));
        loop {
            let standing = execution.standing().await?;
            execution.read_on().await?;
            let state = execution.history.state().unwrap_or("StartRun").to_owned();
            let phase = phase_of(&state);
            let near = matches!(phase, "make ready for the cutover" | "cutover" | "way back");
            self.fence.look_closely(near);
            if matches!(phase, "load" | "rebuild indexes and statistics" | "catch up and verify") {
                if metered.elapsed() > METER {
                    (reading, metered) = (meter.read().await, Instant::now());
                }
            } else {
                reading = Reading::default();
                meter.leave();
            }
            screen.show(&self.moment(execution, &state, reading, &mut rate));
            if standing.is_over() {
                return Ok(standing);
            }
            if began.elapsed() > LONGEST_RUN {
                bail!("wait for the execution: still in {state} after {} s", LONGEST_RUN.as_secs());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn moment(&self, execution: &Execution, state: &str, reading: Reading, rate: &mut Rate) -> Moment {
        let phase = phase_of(state);
        let acknowledged = self.clients.acknowledged();
        let tps = rate.per_second(acknowledged);
        let load = execution.history.load().filter(|_| phase == "load");
        Moment {
            phase: phase.to_owned(),
            next: next_phase(phase).map(str::to_owned),
            detail: match execution.history.waiting_for() {
                Some(waiting_for) => format!("{state}, {waiting_for}"),
                None => state.to_owned(),
            },
            tables: load.map(|load| (load.loaded, load.loaded + load.loading + load.queued + load.errored)),
            rows: reading.rows,
            lag_bytes: reading.lag_bytes,
            tps,
            acknowledged,
            trouble: if tps < 1.0 { self.clients.trouble() } else { None },
        }
    }

    /// The rule on executions that ended badly starts the other machine; wait until it is done.
    async fn await_recovery(&self, screen: &Screen, report: &mut Report) -> Result<()> {
        let states = aws_sdk_sfn::Client::new(self.stage.sdk());
        let began = Instant::now();
        loop {
            let listed = states.list_executions().state_machine_arn(self.stage.recover_machine()?).send().await;
            let statuses: Vec<String> = listed
                .context("list recoveries")?
                .executions()
                .iter()
                .map(|one| one.status().as_str().to_owned())
                .collect();
            screen.doing(&format!("recovery: {}", statuses.join(", ")));
            let over = !statuses.is_empty() && statuses.iter().all(|status| status != "RUNNING");
            report.recoveries = statuses;
            if over || began.elapsed() > LONGEST_RECOVERY {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The end is told by an event, so a moment later.
    async fn await_news(&self, status: &str, report: &mut Report) -> Result<()> {
        let last = if status == "SUCCEEDED" { "upgraded".to_owned() } else { format!("ended {status}") };
        let began = Instant::now();
        loop {
            report.told = self.stage.aws().sns().messages().into_iter().map(|message| message.subject).collect();
            let over = report.told.iter().any(|subject| subject.contains(&last));
            if over || began.elapsed() > LONGEST_NEWS {
                report.events = self.events.count();
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn conclude(
        self,
        arguments: &RunArguments,
        execution: Execution,
        standing: Standing,
        before: Catalog,
        armed: Option<Armed>,
        report: &mut Report,
    ) -> Result<()> {
        let source_address = self.stage.names().resolve(&self.source.host).await?.address;
        let target = self.stage.instance(&self.target_instance).await?;
        let target_address =
            match target.as_ref().and_then(|instance| instance.endpoint()?.address().map(str::to_owned)) {
                Some(host) => Some(self.stage.names().resolve(&host).await?.address),
                None => None,
            };
        report.target = Side {
            version: target.and_then(|instance| instance.engine_version().map(str::to_owned)).unwrap_or_default(),
            instance: self.target_instance.clone(),
        };
        let Self { stage, kinds, passwords, clients, drain, fence, target_instance, zone_id, there, .. } = self;
        let observed = clients.stop().await;
        let addresses = Addresses { source: source_address, target: target_address };
        let seen = Seen {
            standing,
            execution,
            observed,
            drain: drain.finish().await?,
            fence: fence.times(),
            addresses,
            before: there,
            after: Inventory::read(&stage, &zone_id).await?,
        };
        drop(fence);
        let lambdas = lambdas(&stage);
        fill_report(report, &stage, &seen, &kinds, before, &target_instance).await?;
        report.lambdas = lambdas;
        report.secrecy = Secrecy::of(&secrets(&stage, &passwords), &texts::of_run(&stage, report).await?);
        judge(report, arguments, &seen, armed.as_ref());
        Ok(())
    }
}

async fn fill_report(
    report: &mut Report,
    stage: &Stage,
    seen: &Seen,
    kinds: &[Kind],
    before: Catalog,
    target_instance: &str,
) -> Result<()> {
    let Seen { standing, execution, observed, drain, fence, addresses, .. } = seen;
    report.machine = MachineReport {
        transitions: execution.history.transitions(),
        seconds: standing.seconds,
        status: standing.status.as_str().to_owned(),
    };
    let first = execution.history.visits().first().map_or(0.0, |visit| visit.entered);
    report.repairs = execution.history.repairs().to_vec();
    report.phases = execution.history.phases(first + standing.seconds);
    report.outage = proof::of_outage(observed, *addresses, *fence, &execution.history);
    let expected = execution.history.plan().and_then(|plan| plan["outage"]["milliseconds"].as_f64());
    report.outage.expected_seconds = expected.map(|milliseconds| milliseconds / 1_000.0);
    report.cost = execution.history.report().cloned();
    report.expected_cost = execution.history.plan().map(|plan| plan["cost"].clone());
    let serving = if addresses.target_serves(observed) { target_instance } else { SOURCE };
    let client = connect(&stage.access(serving)).await?;
    report.clients = proof::of_clients(observed, *addresses, kinds, &client).await?;
    if let Some(mut drain) = drain.clone() {
        if serving == target_instance {
            drain.look_at_views_again(&client).await?;
        }
        report.tables = drain.tables;
        report.sequences = drain.sequences;
        report.materialized_views = drain.views;
    }
    report.schema_differences = proof::of_schema(before, &client).await?;
    Ok(())
}

/// Every value that must not be seen: what Secrets Manager ever held, and the clients' own passwords.
fn secrets(stage: &Stage, passwords: &[Secret]) -> Vec<Secret> {
    let kept = stage.aws().secrets().ever_kept();
    let of_run = kept.iter().flat_map(|(name, content)| Secret::of_content(name, content));
    of_run.chain(passwords.iter().cloned()).collect()
}

fn lambdas(stage: &Stage) -> Vec<LambdaReport> {
    let host = stage.aws().lambda();
    host.functions().into_iter().map(|name| LambdaReport { peak_bytes: host.peak_rss(&name), name }).collect()
}

/// Acknowledged writes a second, over the time since the last look but one second at least.
struct Rate {
    at: Instant,
    count: u64,
    rate: f64,
}

impl Rate {
    fn new(count: u64) -> Self {
        Self { at: Instant::now(), count, rate: 0.0 }
    }

    fn per_second(&mut self, count: u64) -> f64 {
        let elapsed = self.at.elapsed().as_secs_f64();
        if elapsed >= 1.0 {
            self.rate = (count - self.count) as f64 / elapsed;
            (self.at, self.count) = (Instant::now(), count);
        }
        self.rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overrides_are_merged_member_by_member() {
        let mut base = json!({"a": {"b": 1, "c": 2}, "d": 3});

        lay_over(&mut base, json!({"a": {"b": 9, "c": null, "e": {"f": 1}}, "g": [1]}));

        assert_eq!(base, json!({"a": {"b": 9, "e": {"f": 1}}, "d": 3, "g": [1]}));
    }
}
