//! One invocation from its admission to its end.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use local_aws_core::{ApiError, REGION};
use tokio::sync::oneshot;

use crate::answer::Outcome;
use crate::config::FunctionConfig;
use crate::host::{Inner, Progress, not_found};
use crate::plan::{Freeze, KillWhen, Strikes};
use crate::sandbox::{Invocation, Posted, Sandbox};

/// A process that has not asked for work after this long will not: Lambda's limit for the init phase.
const INIT_LIMIT: Duration = Duration::from_secs(10);

/// How often an event that waits for its function is tried.
const QUEUE_PAUSE: Duration = Duration::from_secs(5);
/// Pauses before the second and the third attempt of an asynchronous invocation.
const EVENT_PAUSES: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(120)];

/// An invocation and how it ended.
#[derive(Debug)]
pub(crate) struct Invoked {
    pub(crate) request_id: String,
    pub(crate) outcome: Outcome,
}

impl Inner {
    /// Invoke and wait. `state` is the machine and the state that call, where that is known.
    pub(crate) async fn invoke(
        self: &Arc<Self>,
        function: &str,
        state: Option<&str>,
        payload: Bytes,
    ) -> Result<Invoked, ApiError> {
        if let Some(outcome) = self.invoke_outside(function, &payload).await {
            return Ok(Invoked { request_id: uuid::Uuid::new_v4().to_string(), outcome });
        }
        let strikes = self.plans.take(function, state);
        self.invoke_struck(function, state, payload, strikes).await
    }

    /// The same with what is planned for it. One whose caller is cut off goes on by itself.
    async fn invoke_struck(
        self: &Arc<Self>,
        function: &str,
        state: Option<&str>,
        payload: Bytes,
        strikes: Strikes,
    ) -> Result<Invoked, ApiError> {
        self.idle.invoked(function)?;
        let request_id = uuid::Uuid::new_v4().to_string();
        let (frozen, is_frozen) = oneshot::channel();
        let cut_off = strikes.freeze().is_some_and(|freeze| freeze.cut_off);
        let call =
            Call { request_id: request_id.clone(), function: function.to_owned(), state: state.map(str::to_owned) };
        let host = Arc::clone(self);
        let all = async move { host.carry_out(call, payload, strikes, frozen).await };
        if !cut_off {
            return all.await;
        }
        let mut all = tokio::spawn(all);
        tokio::select! {
            Ok(()) = is_frozen => Ok(Invoked { request_id, outcome: Outcome::CutOff }),
            ended = &mut all => ended.map_err(ApiError::internal)?,
        }
    }

    async fn carry_out(
        self: &Arc<Self>,
        call: Call,
        payload: Bytes,
        strikes: Strikes,
        frozen: oneshot::Sender<()>,
    ) -> Result<Invoked, ApiError> {
        strikes.let_go(&payload).await;
        let _running = self.admit(&call.function)?;
        let started = Instant::now();
        let outcome = match strikes.failure() {
            Some(error) => {
                self.begin(&call, false);
                strikes.hit();
                planned_failure(error)
            }
            None => {
                let (sandbox, cold) = self.free_sandbox(&call.function)?;
                self.begin(&call, cold);
                let rests = sandbox.rests();
                let outcome = self.run(&sandbox, &call.request_id, payload, &strikes, frozen).await;
                self.note_memory(&sandbox);
                match outcome {
                    Outcome::Answered(_) | Outcome::Failed(_) => sandbox.settled(rests).await,
                    _ => sandbox.kill(),
                }
                outcome
            }
        };
        self.end(&call, &outcome, started.elapsed());
        Ok(Invoked { request_id: call.request_id, outcome })
    }

    fn begin(&self, call: &Call, cold: bool) {
        self.log(&call.function, &call.request_id, "START Version: $LATEST");
        let Call { request_id, function, state } = call.clone();
        let started = Progress::Started { function, request_id, state, at: SystemTime::now(), cold };
        let _nobody_watches = self.progress.send(started);
    }

    fn end(&self, call: &Call, outcome: &Outcome, took: Duration) {
        let (outcome, peak) = (outcome.word(), self.peak_mib(&call.function));
        let took_ms = took.as_millis();
        let line = format!("REPORT Outcome: {outcome} Duration: {took_ms} ms Max Memory Used: {peak} MB");
        self.log(&call.function, &call.request_id, &line);
        let Call { request_id, function, .. } = call.clone();
        let _nobody_watches = self.progress.send(Progress::Ended { function, request_id, outcome, took });
    }

    /// Accept an asynchronous invocation: three attempts, the answer is nobody's. False if the acceptance gets lost on
    /// its way to the caller, as the answer of a synchronous one would.
    pub(crate) fn invoke_later(
        self: &Arc<Self>,
        function: &str,
        state: Option<&str>,
        payload: Bytes,
    ) -> Result<bool, ApiError> {
        if !self.knows(function, None) {
            return Err(not_found(function));
        }
        let mut strikes = Some(self.plans.take(function, state));
        let cut_off = strikes.as_ref().and_then(Strikes::freeze).is_some_and(|freeze| freeze.cut_off);
        let (host, function, state) = (self.clone(), function.to_owned(), state.map(str::to_owned));
        tokio::spawn(async move {
            for pause in EVENT_PAUSES.into_iter().map(Some).chain([None]) {
                let strikes = strikes.take().unwrap_or_else(|| host.plans.take(&function, state.as_deref()));
                host.await_active(&function).await;
                let invoked = host.invoke_struck(&function, state.as_deref(), payload.clone(), strikes).await;
                if let Ok(Invoked { outcome: Outcome::Answered(_) | Outcome::CutOff, .. }) = invoked {
                    return;
                }
                match pause {
                    Some(pause) => host.config.clock.sleep(pause).await,
                    None => host.log(&function, "-", "asynchronous invocation given up after 3 attempts"),
                }
            }
        });
        Ok(!cut_off)
    }

    /// An event stays in its queue while the function cannot take it, and that is no attempt.
    async fn await_active(&self, function: &str) {
        while self.idle.invoked(function).is_err() {
            self.config.clock.sleep(QUEUE_PAUSE).await;
        }
    }

    async fn run(
        &self,
        sandbox: &Sandbox,
        request_id: &str,
        payload: Bytes,
        strikes: &Strikes,
        frozen: oneshot::Sender<()>,
    ) -> Outcome {
        let (taken, was_taken) = oneshot::channel();
        let (posted, was_posted) = oneshot::channel();
        let (kills, freeze) = (strikes.kills(), strikes.freeze());
        let calls_left = kills.iter().find_map(|when| match when {
            KillWhen::BeforeCall(n) => Some(n.saturating_sub(1)),
            _ => None,
        });
        let at_once = freeze.is_some_and(|freeze| freeze.after.is_zero());
        sandbox.give(Invocation { request_id: request_id.to_owned(), payload, taken, posted }, calls_left, at_once);

        tokio::select! {
            _ = was_taken => {}
            status = sandbox.exited() => return Outcome::Exited(status),
            () = tokio::time::sleep(INIT_LIMIT) => return Outcome::TimedOut(INIT_LIMIT),
        }
        let timeout = self.timeout(&sandbox.function);
        let memory = self.memory_limit(&sandbox.function);
        let outcome = tokio::select! {
            Ok(posted) = was_posted => match posted {
                Posted::Response(body) => Outcome::Answered(body),
                Posted::Error(body) => Outcome::Failed(body),
            },
            status = sandbox.exited() => Outcome::Exited(status),
            () = tokio::time::sleep(timeout) => Outcome::TimedOut(timeout),
            () = sandbox.exceeds(memory) => Outcome::OutOfMemory,
            () = planned_time(&kills) => {
                strikes.hit();
                sandbox.kill();
                Outcome::Exited(sandbox.exited().await)
            }
            never = planned_stop(sandbox, freeze, frozen, strikes) => match never {},
        };
        if calls_left.is_some() && matches!(outcome, Outcome::Exited(_)) {
            strikes.hit();
        }
        if kills.contains(&KillWhen::Answered) {
            strikes.hit();
            sandbox.kill();
            return Outcome::Exited(sandbox.exited().await);
        }
        outcome
    }

    /// Count an invocation against the function's reserved concurrency and the account's, until the guard is dropped.
    fn admit(self: &Arc<Self>, name: &str) -> Result<Running, ApiError> {
        let mut state = self.state();
        if state.stopped {
            return Err(ApiError::new(500, "ServiceException", "the local stand-in is stopping"));
        }
        let running: usize = state.functions.values().map(|function| function.running).sum();
        if state.concurrency.is_some_and(|most| running >= most) {
            return Err(ApiError::new(429, "TooManyRequestsException", "Rate Exceeded."));
        }
        let function = state.functions.get_mut(name).ok_or_else(|| not_found(name))?;
        if function.config.reserved_concurrency.is_some_and(|most| function.running >= most) {
            return Err(ApiError::new(429, "TooManyRequestsException", "Rate Exceeded."));
        }
        function.running += 1;
        Ok(Running { host: self.clone(), function: name.to_owned() })
    }

    /// An idle sandbox, else a new one. Whoever gets it is the only one to use it.
    fn free_sandbox(&self, name: &str) -> Result<(Arc<Sandbox>, bool), ApiError> {
        let mut state = self.state();
        let environment = state.environment.clone();
        let function = state.functions.get_mut(name).ok_or_else(|| not_found(name))?;
        while let Some(sandbox) = function.idle.pop() {
            if !sandbox.has_exited() {
                return Ok((sandbox, false));
            }
        }
        let config = function.config.clone();
        let id = self.next_sandbox.fetch_add(1, Ordering::Relaxed);
        let environment = self.environment(&config, id, environment);
        let sandbox = Sandbox::start(name, &config.binary, &self.config.log_folder, environment, &self.logs)
            .map_err(|error| ApiError::internal(format!("start {}: {error}", config.binary.display())))?;
        state.sandboxes.retain(|_, sandbox| !sandbox.has_exited());
        state.sandboxes.insert(id, sandbox.clone());
        Ok((sandbox, true))
    }

    /// The environment of Lambda's runtimes, the host's and the function's own.
    fn environment(
        &self,
        config: &FunctionConfig,
        sandbox: u64,
        shared: BTreeMap<String, String>,
    ) -> BTreeMap<String, String> {
        let name = &config.name;
        let mut environment: BTreeMap<_, _> = [
            ("PATH", "/usr/local/bin:/usr/bin:/bin".to_owned()),
            ("LANG", "en_US.UTF-8".to_owned()),
            ("TZ", ":UTC".to_owned()),
            ("_HANDLER", "bootstrap".to_owned()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_DEFAULT_REGION", REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", name.clone()),
            ("AWS_SECRET_ACCESS_KEY", "local".to_owned()),
            ("AWS_SESSION_TOKEN", "local".to_owned()),
            ("AWS_EXECUTION_ENV", "AWS_Lambda_provided.al2023".to_owned()),
            ("AWS_LAMBDA_FUNCTION_NAME", name.clone()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", config.memory_mib.to_string()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
            ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{name}")),
            ("AWS_LAMBDA_LOG_STREAM_NAME", format!("local/[$LATEST]{sandbox}")),
            ("AWS_LAMBDA_RUNTIME_API", format!("http://{}/{sandbox}", self.runtime_api)),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect();
        environment.extend(config.environment.clone());
        environment.extend(shared);
        environment
    }
}

/// An invocation that counts against its function's concurrency.
struct Running {
    host: Arc<Inner>,
    function: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(function) = self.host.state().functions.get_mut(&self.function) {
            function.running = function.running.saturating_sub(1);
        }
    }
}

/// Which invocation, and whose.
#[derive(Debug, Clone)]
struct Call {
    request_id: String,
    function: String,
    state: Option<String>,
}

/// Stop the process for its time; whoever waits for its end is left to do so.
async fn planned_stop(
    sandbox: &Sandbox,
    freeze: Option<Freeze>,
    frozen: oneshot::Sender<()>,
    strikes: &Strikes,
) -> Infallible {
    if let Some(freeze) = freeze {
        if !freeze.after.is_zero() {
            tokio::time::sleep(freeze.after).await;
            sandbox.freeze();
        }
        let _nobody_is_cut_off = frozen.send(());
        tokio::time::sleep(freeze.frozen).await;
        sandbox.thaw();
        strikes.hit();
    }
    std::future::pending().await
}

/// What a function would report, for an invocation that no process saw.
fn planned_failure(error: &str) -> Outcome {
    let error = serde_json::json!({"errorType": error, "errorMessage": "planned failure"});
    Outcome::Failed(error.to_string().into())
}

async fn planned_time(kills: &[KillWhen]) {
    let after = kills.iter().find_map(|when| match when {
        KillWhen::After(time) => Some(*time),
        _ => None,
    });
    match after {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}
