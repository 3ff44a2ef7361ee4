//! The run itself, while clients write: start it, disturb it, show it, and take everything down that was seen.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use local_aws_core::REGION;
use local_aws_lambda::{Held, Plan, What};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::cast::{Cast, await_first_writes};
use crate::catalog::{Catalog, SchemaDifference};
use crate::cli::RunArguments;
use crate::clients::{Clients, Kind, OwnTables, Way};
use crate::connect::Login;
use crate::evidence::{fill_report, lambdas, secrets};
use crate::fail_back::{self, AfterUpgrade};
use crate::follow::HostSource;
use crate::inventory::Inventory;
use crate::judge::{Seen, judge, loses_events, messages, silences};
use crate::leaks::{Secrecy, Secret, verifiers};
use crate::news::EventCount;
use crate::observer::{DrainWatch, FenceWatch, Meter, Reading, connect};
use crate::person::Person;
use crate::place::Place;
use crate::proof::{Addresses, Hosts};
use crate::report::{Report, Side};
use crate::rest::Rest;
use crate::scenario::{Armed, Endpoint, Means};
use crate::screen::{Moment, Screen};
use crate::stage::{SOURCE, Source, Stage, master_login, rotated_login};
use crate::survey::Survey;
use crate::texts;
use crate::trouble::{Tools, Trouble};
use pgleap_cli::follow::{Execution, Standing, Unread};
use pgleap_cli::history::{next_phase, phase_of};

/// Clients go on this long after the run.
const AFTERWARDS: Duration = Duration::from_secs(3);
/// The state of an execution that has entered none yet.
const FIRST: &str = "StartRun";
/// In the ARN of an execution that upgrades.
const UPGRADE: &str = ":pgleap-upgrade:";
/// Between two looks at the execution.
const LOOK: Duration = Duration::from_millis(250);
/// Between two readings of rows and lag.
const METER: Duration = Duration::from_secs(2);
/// Longest rehearsal; the machine's own bounds are far larger.
const LONGEST_RUN: Duration = Duration::from_secs(3600);
/// Longest wait for the message that a run has ended.
const LONGEST_NEWS: Duration = Duration::from_secs(30);

/// Everything that is up while the run runs.
pub(crate) struct Show {
    pub(crate) stage: Stage,
    source: Source,
    pub(crate) kinds: Vec<Kind>,
    own: Arc<OwnTables>,
    /// What must not be seen, as far as it is known before the run.
    known: Vec<Secret>,
    pub(crate) clients: Clients,
    pub(crate) drain: DrainWatch,
    /// Gets the call that opens the target, for the observer.
    hold_opening: mpsc::UnboundedSender<Held>,
    pub(crate) fence: FenceWatch,
    /// By whose right both fences are seen.
    pub(crate) watched_role: &'static str,
    pub(crate) target_instance: String,
    zone_id: String,
    /// What there is before the run.
    there: Inventory,
    events: EventCount,
    survey: Survey,
}

impl Show {
    pub(crate) async fn begin(
        arguments: &RunArguments,
        stage: Stage,
        source: Source,
        cast: Cast,
        (zone_id, there): (String, Inventory),
        host: HostSource,
        screen: &Screen,
    ) -> Result<Self> {
        let target_instance = arguments.target_instance();
        let kinds = cast.members.iter().map(|(kind, _, _)| *kind).collect();
        let password = |login: &Login| Secret::new(&format!("the password of {}", login.user), &login.password);
        let mut known: Vec<_> = cast.members.iter().map(|(_, login, _)| password(login)).collect();
        known.push(password(&master_login()));
        known.extend(verifiers(&connect(&stage.access(SOURCE)).await?, SOURCE).await?);
        let crew = cast.crew(arguments);
        let own = cast.own;
        let way = Way { names: stage.names(), connector: stage.connector(&source)?, host };
        let events = EventCount::start(stage.aws().events());
        let survey = Survey::start(stage.aws().lambda());
        let (on_source, on_target) = (stage.access(SOURCE), stage.access(&target_instance));
        let (hold_opening, openings) = mpsc::unbounded_channel();
        let drain = DrainWatch::start(on_source.clone(), on_target.clone(), arguments.to, openings).await?;
        let fence = FenceWatch::start(on_source, on_target, cast.watched_role.to_owned());
        let clients = Clients::start(&crew, &way);
        screen.doing("waiting for the clients to write");
        await_first_writes(&clients).await?;
        screen.say(format!(
            "{} clients write through {}",
            crew.members.iter().map(|(_, _, clients)| clients).sum::<u32>(),
            way.host.name()
        ));
        Ok(Self {
            stage,
            source,
            kinds,
            own,
            known,
            clients,
            drain,
            hold_opening,
            fence,
            watched_role: cast.watched_role,
            target_instance,
            zone_id,
            there,
            events,
            survey,
        })
    }

    pub(crate) async fn play(
        self,
        arguments: &RunArguments,
        input: &Value,
        before: Catalog,
        screen: &mut Screen,
        report: &mut Report,
    ) -> Result<()> {
        let execution = self.start_execution(input).await?;
        screen.say(format!(
            "follow it in another terminal: AWS_ENDPOINT_URL={} AWS_REGION={REGION} AWS_ACCESS_KEY_ID=operator \
             AWS_SECRET_ACCESS_KEY=local target/debug/pgleap watch --execution {execution}",
            self.stage.aws().url()
        ));
        let states = aws_sdk_sfn::Client::new(self.stage.sdk());
        if loses_events(arguments) {
            self.stage.aws().lose_events();
        }
        let means = self.means(&states, &execution)?;
        // Those of failing back wait for their own machine.
        let armed = Armed::all(&fail_back::disturbances(&arguments.disturbances).1, &means);
        // Last, so that the observer sees what a disturbance of the same call did.
        self.stage.aws().lambda().plan(hold_first_opening(self.hold_opening.clone()));
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
        let standing = self.follow(&mut execution, &self.fence, screen).await?;
        if standing.status.as_str() != "SUCCEEDED" {
            screen.say(format!(
                "the state machine ended with {}: {}",
                standing.status.as_str(),
                standing.error.as_deref().unwrap_or_default()
            ));
        }
        let rest = Rest { means: &means, armed: &armed, execution: execution.arn(), is_of_fail_back: false, screen };
        let rested = rest.reach(standing.status.as_str()).await?;
        (report.recoveries, report.called_person) = (rested.recoveries, rested.called_person);
        // A plan notifies nobody.
        if !silences(arguments) && !arguments.plan {
            self.await_news(standing.status.as_str(), report).await?;
        }
        let after = match arguments.fail_back.filter(|_| self.fence.times().opened.is_some()) {
            Some(ending) => Some(fail_back::play(&self, (arguments, ending), input, &means, screen).await?),
            None => None,
        };
        if after.is_some() && !silences(arguments) {
            self.await_news(standing.status.as_str(), report).await?;
        }
        screen.doing("letting the clients write a little longer");
        let acknowledged = self.clients.acknowledged();
        tokio::time::sleep(AFTERWARDS).await;
        report.last_writes = self.clients.acknowledged() - acknowledged;
        screen.doing("comparing both sides");
        self.conclude(arguments, (execution, standing, after), before, armed, report).await
    }

    async fn start_execution(&self, input: &Value) -> Result<String> {
        let states = aws_sdk_sfn::Client::new(self.stage.sdk());
        let start = states.start_execution().state_machine_arn(self.stage.upgrade_machine()?).name("rehearsal");
        let started = start.input(input.to_string()).send().await.context("start the execution")?;
        Ok(started.execution_arn().to_owned())
    }

    /// Look until it has ended, and show what is seen.
    pub(crate) async fn follow(
        &self,
        execution: &mut Execution,
        fence: &FenceWatch,
        screen: &mut Screen,
    ) -> Result<Standing> {
        let mut meter = Meter::new(self.stage.access(SOURCE), self.stage.access(&self.target_instance));
        let (began, mut metered) = (Instant::now(), Instant::now());
        let (mut reading, mut rate) = (Reading::default(), Rate::new(self.clients.acknowledged()));
        loop {
            let standing = match execution.read().await {
                Ok(standing) => standing,
                // As `pgleap watch`: on a busy computer the stand-in may take longer than the client waits.
                Err(Unread::Lost(why)) if began.elapsed() < LONGEST_RUN => {
                    tracing::warn!(why, "the execution is asked again");
                    tokio::time::sleep(LOOK).await;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let state = execution.history.state().unwrap_or(FIRST).to_owned();
            let phase = phase_of(&state);
            // To the end: a second lock-out may be short, and come late.
            let near = matches!(phase, "make ready for the cutover" | "cutover" | "confirm" | "finish" | "rollback");
            fence.look_closely(near);
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
                bail!("the execution is still in {state} after {} s", LONGEST_RUN.as_secs());
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
            // What comes next is known of an upgrade only.
            next: next_phase(phase).filter(|_| execution.arn().contains(UPGRADE)).map(str::to_owned),
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

    /// What disturbances are done with.
    fn means(&self, states: &aws_sdk_sfn::Client, execution: &str) -> Result<Means> {
        let person = Person {
            mailbox: self.stage.aws().sns().clone(),
            sdk: self.stage.sdk().clone(),
            gateway: self.stage.aws().url(),
            lambda: self.stage.aws().lambda().clone(),
            instances: [SOURCE.to_owned(), self.target_instance.clone()],
            source: self.stage.access(SOURCE),
        };
        Ok(Means {
            lambda: self.stage.aws().lambda().clone(),
            faults: self.stage.aws().faults().clone(),
            rds: self.stage.aws().rds().clone(),
            source: self.stage.access(SOURCE),
            target: self.stage.access(&self.target_instance),
            source_endpoint: Endpoint {
                connector: Arc::new(self.stage.connector(&self.source)?),
                names: self.stage.names(),
                host: self.source.host.clone(),
            },
            states: states.clone(),
            execution: execution.to_owned(),
            recover_machine: self.stage.recover_machine()?.to_owned(),
            fail_back_machine: self.stage.fail_back_machine()?.to_owned(),
            watch_machine: self.stage.watch_machine()?.to_owned(),
            person: Arc::new(person),
        })
    }

    /// The end is told by an event, so a moment later.
    async fn await_news(&self, status: &str, report: &mut Report) -> Result<()> {
        let last = if status == "SUCCEEDED" { "upgraded".to_owned() } else { format!("ended {status}") };
        let began = Instant::now();
        loop {
            report.told = self.stage.aws().sns().messages().into_iter().map(|message| message.subject).collect();
            report.events = self.events.count();
            // A message goes out just before its event.
            let over = report.told.iter().any(|subject| subject.contains(&last)) && report.events >= messages(report);
            if over || began.elapsed() > LONGEST_NEWS {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn conclude(
        self,
        arguments: &RunArguments,
        (execution, standing, mut after): (Execution, Standing, Option<AfterUpgrade>),
        before: Catalog,
        mut armed: Vec<Armed>,
        report: &mut Report,
    ) -> Result<()> {
        let source_address = self.stage.names().resolve(&self.source.host).await?.address;
        let target = self.stage.instance(&self.target_instance).await?;
        let target_host = target.as_ref().and_then(|instance| instance.endpoint()?.address().map(str::to_owned));
        let target_address = match &target_host {
            Some(host) => Some(self.stage.names().resolve(host).await?.address),
            None => None,
        };
        report.target = Side {
            version: target.and_then(|instance| instance.engine_version().map(str::to_owned)).unwrap_or_default(),
            instance: self.target_instance.clone(),
        };
        let Self {
            stage,
            source,
            kinds,
            own,
            known,
            clients,
            drain,
            fence,
            watched_role,
            target_instance,
            zone_id,
            there,
            survey,
            ..
        } = self;
        let observed = clients.stop().await;
        let addresses = Addresses { source: source_address, target: target_address };
        if let Some(after) = &mut after {
            let of = (&stage, target_instance.as_str(), watched_role);
            after.conclude(of, addresses, |from, until| observed.between(from, until)).await?;
            report.fail_back = Some(after.report.clone());
            armed.append(&mut after.armed);
        }
        let seen = Seen {
            standing,
            execution,
            cutover: observed.between(0.0, after.as_ref().map_or(f64::INFINITY, |after| after.since)),
            observed,
            drain: drain.finish().await?,
            fence: after.as_ref().map_or_else(|| fence.times(), |after| after.fence.clone()),
            has_returned: after.as_ref().is_some_and(|after| after.back.is_some()),
            addresses,
            hosts: Hosts { source: source.host.clone(), target: target_host },
            before: there,
            after: Inventory::read(&stage, &zone_id).await?,
        };
        drop(fence);
        let lambdas = lambdas(&stage);
        report.calls = survey.finish(&stage.aws().calls().since(0));
        fill_report(report, &stage, &seen, (&kinds, &own), before, &target_instance).await?;
        if arguments.faults.contains(&Trouble::Production)
            && let Some(host) = &seen.hosts.target
        {
            // The run knows the password and not the verifier, so the target has another one of the same password.
            let target = Source { host: host.clone(), ..source.clone() };
            let login = rotated_login();
            stage.connect_as(&target, &login).await.context("log in to the target with the rotated password")?;
            let is_verifier = |one: &SchemaDifference| one.name == login.user && one.fact == "password";
            report.schema_differences.retain(|one| !is_verifier(one));
        }
        report.lambdas = lambdas;
        let servers: Vec<_> = [Some(SOURCE), seen.hosts.target.as_ref().map(|_| target_instance.as_str())]
            .into_iter()
            .flatten()
            .collect();
        let secrets = secrets(&stage, &known, &servers).await?;
        report.secrecy = Secrecy::of(&secrets, &texts::of_run(&stage, report).await?);
        let serving = if seen.target_serves() { &target_instance } else { SOURCE };
        for one in &armed {
            report.clients.lost += one.lost(&stage.access(serving)).await? as u64;
        }
        judge(report, arguments, &seen, &armed);
        Ok(())
    }
}

/// Both sides can be compared just before OPEN only. Calls that only warm the function up are no such moment.
fn hold_first_opening(holder: mpsc::UnboundedSender<Held>) -> Plan {
    Plan { places: Place::Step("open-target".to_owned()).calls(), first: 1, last: Some(1), what: What::Hold(holder) }
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
