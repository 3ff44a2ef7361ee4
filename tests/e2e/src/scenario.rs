//! Planned disturbances: done at the moment when a step begins, and undone by a person where they last for good.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use local_aws_core::{Fault, Faults};
use local_aws_lambda::{Held, LambdaHost, Plan, Planned, What};
use local_aws_rds::Rds;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::connect::Connector;
use crate::deeds::{self, Written};
use crate::disturbance::{Disturbance, STATE_MACHINE, Server, Sql};
use crate::names::Names;
use crate::observer::{Access, connect};
use crate::person::Person;
use crate::place::Place;

/// From the beginning of a step to the stop of its execution.
const INTO_THE_STEP: Duration = Duration::from_millis(15);
/// Longest wait for a call that was frozen to go on and to end.
const LONGEST_FREEZE: Duration = Duration::from_secs(90);
/// What has this in its name is the disturbance's own and no difference that the run made.
pub const ADDED_COLUMN: &str = "added_by_somebody";
/// What is added to, or taken from, the source; both name the table so that the run's words can be searched for it.
const DDL: &str = "ALTER TABLE shop.stock ADD COLUMN added_by_somebody int";
const TRUNCATE: &str = "TRUNCATE shop.rates";

/// Where clients log in.
#[derive(Clone)]
pub struct Endpoint {
    /// TLS to it.
    pub connector: Arc<Connector>,
    /// The resolver.
    pub names: Arc<Names>,
    /// Its host name.
    pub host: String,
}

/// What a disturbance needs.
#[derive(Clone)]
pub struct Means {
    /// The functions.
    pub lambda: LambdaHost,
    /// Faults of AWS calls.
    pub faults: Faults,
    /// RDS, behind its API.
    pub rds: Rds,
    /// The source's database.
    pub source: Access,
    /// The target's.
    pub target: Access,
    /// How clients reach the source by its endpoint.
    pub source_endpoint: Endpoint,
    /// Step Functions.
    pub states: aws_sdk_sfn::Client,
    /// The execution.
    pub execution: String,
    /// ARN of the machine that recovers.
    pub recover_machine: String,
    /// ARN of the machine that fails back.
    pub fail_back_machine: String,
    /// ARN of the machine that checks a fail-back path.
    pub watch_machine: String,
    /// Who is asked.
    pub person: Arc<Person>,
}

/// A disturbance that waits for its moment.
pub struct Armed {
    /// What was asked for.
    pub disturbance: Disturbance,
    done: Arc<AtomicBool>,
    planned: Option<Planned>,
    fault: Option<(Faults, Fault)>,
    written: Written,
    task: Option<JoinHandle<()>>,
}

impl Armed {
    /// Wait for the moment in the background. `stopped` says that the execution is stopped at the same place, so that a
    /// frozen call's caller is left to wait.
    pub fn all(disturbances: &[Disturbance], means: &Means) -> Vec<Self> {
        let stops = |place: &Place| {
            let stop = Disturbance::StopExecution { place: place.clone() };
            disturbances.contains(&stop)
        };
        disturbances.iter().map(|one| Self::arm(one, means, one.place().is_some_and(stops))).collect()
    }

    fn arm(disturbance: &Disturbance, means: &Means, stopped: bool) -> Self {
        let mut armed = Self {
            disturbance: disturbance.clone(),
            done: Arc::default(),
            planned: None,
            fault: None,
            written: Written::default(),
            task: None,
        };
        if let Some((place, first, last, what)) = strikes(disturbance, stopped) {
            let plan = Plan { places: place.calls(), first, last, what };
            armed.planned = Some(means.lambda.plan(plan));
            return armed;
        }
        if let Some(fault) = fault(disturbance) {
            if !matches!(disturbance, Disturbance::Aws { from: Some(_), .. }) {
                means.faults.plan(fault.clone());
            }
            armed.fault = Some((means.faults.clone(), fault));
        }
        let background = Background {
            disturbance: disturbance.clone(),
            means: means.clone(),
            done: Arc::clone(&armed.done),
            written: Written::clone(&armed.written),
        };
        armed.task = background.start();
        armed
    }

    /// Whether it happened.
    pub fn happened(&self) -> bool {
        match (&self.planned, &self.fault) {
            (Some(planned), _) => planned.struck().hit > 0,
            (None, Some((faults, fault))) if matches!(self.disturbance, Disturbance::Aws { .. }) => {
                faults.struck().iter().any(|(known, times)| known == fault && *times > 0)
            }
            _ => self.done.load(Ordering::Acquire),
        }
    }

    /// Wait until a call that was frozen has gone on and ended: what it does late counts.
    pub async fn settled(&self) {
        let (Some(planned), Disturbance::Zombie { .. }) = (&self.planned, &self.disturbance) else { return };
        if planned.struck().begun > 0 {
            let _too_long = tokio::time::timeout(LONGEST_FREEZE, planned.wait_for(|struck| struck.over > 0)).await;
        }
    }

    /// A person mends what would last for good.
    pub async fn mend(&self, means: &Means) -> Result<()> {
        if let Some(planned) = &self.planned {
            planned.lift();
        }
        if let Some((faults, fault)) = &self.fault {
            faults.lift(fault);
        }
        if let Disturbance::Do { deed, .. } = self.disturbance {
            deeds::mend(deed, means).await?;
        }
        Ok(())
    }

    /// How many rows that its own session wrote are not on the side that serves now.
    pub async fn lost(&self, serving: &Access) -> Result<usize> {
        deeds::count_lost(&self.written, serving).await.context("read back what the session wrote")
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// What the host of the functions does by itself, to which calls.
fn strikes(disturbance: &Disturbance, stopped: bool) -> Option<(&Place, u64, Option<u64>, What)> {
    use local_aws_lambda::KillWhen::{After, Answered};
    let died = || What::Fail("Runtime.ExitError".to_owned());
    Some(match disturbance {
        Disturbance::Kill { place, invocation, milliseconds: 0 } => (place, *invocation, Some(*invocation), died()),
        Disturbance::Kill { place, invocation, milliseconds } => {
            (place, *invocation, Some(*invocation), What::Kill(After(Duration::from_millis(*milliseconds))))
        }
        Disturbance::Lose { place, invocation } => (place, *invocation, Some(*invocation), What::Kill(Answered)),
        Disturbance::Zombie { place, invocation, seconds, milliseconds } => {
            let (after, frozen) = (Duration::from_millis(*milliseconds), Duration::from_secs(*seconds));
            (place, *invocation, Some(*invocation), What::Freeze { after, frozen, cut_off: !stopped })
        }
        Disturbance::Fail { place, error, times } => (place, 1, *times, What::Fail(error.clone())),
        _ => return None,
    })
}

/// What the gateway does by itself. A state that calls AWS itself is stopped while its call hangs.
fn fault(disturbance: &Disturbance) -> Option<Fault> {
    match disturbance {
        Disturbance::Aws { how, caller, service, operation, .. } => {
            let fault = how.fault(service, operation);
            Some(match caller.as_deref() {
                None => fault,
                Some(STATE_MACHINE) => fault.by(STATE_MACHINE),
                Some(step) => fault.by(&contract_tests::machine::function_name(step)),
            })
        }
        Disturbance::StopExecution { place } | Disturbance::Leave { place } => {
            let (service, operation) = place.operation()?;
            let hang = local_aws_core::Effect::Hang(Duration::from_secs(2));
            Some(Fault::nth(&service, &operation, 1, hang).by(STATE_MACHINE))
        }
        _ => None,
    }
}

/// What is done by the rehearsal itself.
struct Background {
    disturbance: Disturbance,
    means: Means,
    done: Arc<AtomicBool>,
    written: Written,
}

impl Background {
    fn start(self) -> Option<JoinHandle<()>> {
        match &self.disturbance {
            Disturbance::Aws { from: None, .. } => None,
            Disturbance::Answer(answers) => {
                let answers = *answers;
                Some(tokio::spawn(async move { self.note(self.means.person.answer(answers).await) }))
            }
            other => {
                let (holder, held) = mpsc::unbounded_channel();
                let invocation = if let Disturbance::Sql { invocation, .. } = other { *invocation } else { 1 };
                let places = other.place().map(Place::calls).unwrap_or_default();
                let what = What::Hold(holder);
                self.means.lambda.plan(Plan { places, first: invocation, last: Some(invocation), what });
                Some(tokio::spawn(async move { self.note(self.disturb(held).await) }))
            }
        }
    }

    fn note(&self, done: Result<()>) {
        match done {
            Ok(()) => self.done.store(true, Ordering::Release),
            Err(error) => tracing::error!(error = format!("{error:#}"), "the disturbance failed"),
        }
    }

    async fn disturb(&self, mut held: mpsc::UnboundedReceiver<Held>) -> Result<()> {
        match &self.disturbance {
            Disturbance::StopExecution { place } | Disturbance::Leave { place } => {
                match place.operation() {
                    Some(_) => self.await_hanging_call().await,
                    None => {
                        // The call that is stopped goes on: nobody is told, and it works.
                        drop(held.recv().await.context("the host is gone")?);
                        tokio::time::sleep(INTO_THE_STEP).await;
                    }
                }
                self.stop(place).await
            }
            Disturbance::Sql { on, sql, .. } => {
                let go = held.recv().await.context("the host is gone")?;
                self.run_sql(*on, sql).await?;
                drop(go);
                Ok(())
            }
            Disturbance::Aws { .. } => {
                let go = held.recv().await.context("the host is gone")?;
                self.means.faults.plan(fault(&self.disturbance).context("there is a fault")?);
                drop(go);
                Ok(())
            }
            Disturbance::Do { deed, .. } => {
                let go = held.recv().await.context("the host is gone")?;
                deeds::done(*deed, &self.means, &go.payload, &self.written).await?;
                drop(go);
                Ok(())
            }
            other => bail!("{other} is the host's to do"),
        }
    }

    async fn await_hanging_call(&self) {
        let hangs =
            |(fault, struck): &(Fault, u64)| matches!(fault.effect, local_aws_core::Effect::Hang(_)) && *struck > 0;
        while !self.means.faults.struck().iter().any(hangs) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The execution of the machine whose state it is: the run's own, or the last recovery, or the one that fails back.
    async fn stop(&self, place: &Place) -> Result<()> {
        let means = &self.means;
        let execution = match () {
            () if place.is_of_recovery() => self.running(&means.recover_machine).await?,
            () if place.is_of_fail_back() => self.running(&means.fail_back_machine).await?,
            () => means.execution.clone(),
        };
        let stop = self.means.states.stop_execution().execution_arn(execution);
        stop.error("Stopped").cause("by the rehearsal").send().await.context("stop the execution")?;
        Ok(())
    }

    async fn running(&self, machine: &str) -> Result<String> {
        let running = aws_sdk_sfn::types::ExecutionStatus::Running;
        let listed = self.means.states.list_executions().state_machine_arn(machine).status_filter(running);
        let listed = listed.send().await.context("list executions")?;
        Ok(listed.executions().first().context("no execution of this machine runs")?.execution_arn().to_owned())
    }

    async fn run_sql(&self, on: Server, sql: &Sql) -> Result<()> {
        let sql = match sql {
            Sql::Ddl => DDL,
            Sql::Truncate => TRUNCATE,
            Sql::Given(sql) => sql,
        };
        let access = if on == Server::Target { &self.means.target } else { &self.means.source };
        let client = connect(access).await?;
        if on != Server::SourceBeside {
            return client.batch_execute(sql).await.with_context(|| format!("run {sql}"));
        }
        let (sql, pid) = (sql.to_owned(), client.query_one("SELECT pg_backend_pid()", &[]).await?.get::<_, i32>(0));
        tokio::spawn(async move {
            if let Err(error) = client.batch_execute(&sql).await {
                tracing::info!(%error, "the statement beside the run ended");
            }
        });
        deeds::await_sleep(access, pid).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frozen_call_keeps_its_caller_only_where_the_execution_is_stopped() {
        let zombie: Disturbance = "zombie:DrainSource".parse().unwrap();
        for stopped in [false, true] {
            let Some((_, _, _, What::Freeze { cut_off, .. })) = strikes(&zombie, stopped) else { panic!("no freeze") };
            assert_eq!(cut_off, !stopped);
        }
    }

    #[test]
    fn a_strike_is_held_to_its_caller() {
        let of = |text: &str| fault(&text.parse().unwrap()).unwrap().caller;

        assert_eq!(of("denied:remove-resources:rds:DeleteDBSnapshot").as_deref(), Some("pgleap-remove-resources"));
        assert_eq!(of("lost:STATES:ec2:DescribeSecurityGroupRules").as_deref(), Some("STATES"));
        assert_eq!(of("throttle:*:rds:DescribeDBInstances"), None);
        assert_eq!(of("stop-execution:FindRule").as_deref(), Some("STATES"));
    }
}
