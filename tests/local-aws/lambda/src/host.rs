//! The functions of a stand-in and their sandboxes.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use local_aws_core::{ACCOUNT, ApiError, BoxFuture, Caller, Deliver, REGION};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{broadcast, oneshot};
use tokio::task::JoinHandle;

use crate::answer::Outcome;
use crate::config::{FunctionConfig, HostConfig};
use crate::kill::{KillPlan, KillPlans, KillWhen};
use crate::logs::Logs;
use crate::sandbox::{Invocation, Posted, Sandbox};
use crate::runtime_api;

/// A process that has not asked for work after this long will not: Lambda's limit for the init phase.
const INIT_LIMIT: Duration = Duration::from_secs(10);

/// Pauses before the second and the third attempt of an asynchronous invocation.
const EVENT_PAUSES: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(120)];

/// The functions of a stand-in. A clone is another handle of the same host.
#[derive(Debug, Clone)]
pub struct LambdaHost {
    inner: Arc<Inner>,
}

/// What happens to invocations, for whoever shows progress.
#[derive(Debug, Clone)]
pub enum Progress {
    /// A sandbox has taken an invocation.
    Started {
        /// The function's name.
        function: String,
        /// The invocation's id.
        request_id: String,
        /// A process was started for it.
        cold: bool,
    },
    /// An invocation has ended.
    Ended {
        /// The function's name.
        function: String,
        /// The invocation's id.
        request_id: String,
        /// `answered`, or the error's type.
        outcome: String,
        /// From the call to the answer, the process's start included.
        took: Duration,
    },
}

/// An invocation and how it ended.
#[derive(Debug)]
pub(crate) struct Invoked {
    pub(crate) request_id: String,
    pub(crate) outcome: Outcome,
}

#[derive(Debug)]
pub(crate) struct Inner {
    config: HostConfig,
    runtime_api: SocketAddr,
    logs: Arc<Logs>,
    kills: KillPlans,
    progress: broadcast::Sender<Progress>,
    next_sandbox: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    functions: HashMap<String, Function>,
    sandboxes: HashMap<u64, Arc<Sandbox>>,
    environment: BTreeMap<String, String>,
    server: Option<JoinHandle<()>>,
    stopped: bool,
}

#[derive(Debug)]
struct Function {
    config: FunctionConfig,
    idle: Vec<Arc<Sandbox>>,
    running: usize,
    peak_rss: u64,
}

impl LambdaHost {
    /// A host without functions, its Runtime API on a free port.
    pub async fn start(config: HostConfig) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&config.log_folder)
            .with_context(|| format!("create folder {}", config.log_folder.display()))?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("listen for the Runtime API")?;
        let inner = Arc::new(Inner {
            runtime_api: listener.local_addr().context("read the Runtime API's address")?,
            logs: Arc::new(Logs::new(config.log_folder.clone())),
            config,
            kills: KillPlans::default(),
            progress: broadcast::channel(4096).0,
            next_sandbox: AtomicU64::new(1),
            state: Mutex::default(),
        });
        inner.state().server = Some(tokio::spawn(runtime_api::serve(listener, inner.clone())));
        Ok(Self { inner })
    }

    /// Add a function, or give one a new configuration; sandboxes of the old one end when they are free.
    pub fn register(&self, mut config: FunctionConfig) {
        // Sandboxes work in a folder of their own.
        config.binary = std::path::absolute(&config.binary).unwrap_or(config.binary);
        let mut state = self.inner.state();
        let function = Function { config: config.clone(), idle: Vec::new(), running: 0, peak_rss: 0 };
        if let Some(old) = state.functions.insert(config.name, function) {
            old.idle.iter().for_each(|sandbox| sandbox.kill());
        }
    }

    /// Variables that every function gets besides its own: the gateway's address, the name server, the CA.
    pub fn set_environment(&self, environment: BTreeMap<String, String>) {
        self.inner.state().environment = environment;
    }

    /// The functions' names.
    pub fn functions(&self) -> Vec<String> {
        let mut names: Vec<_> = self.inner.state().functions.keys().cloned().collect();
        names.sort();
        names
    }

    /// A function's ARN, whether it exists or not.
    pub fn arn(function: &str) -> String {
        format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}")
    }

    /// Invoke and wait for the end: the payload of an answer, or the error's body.
    pub async fn invoke(&self, function: &str, payload: Value) -> Result<Outcome, ApiError> {
        let invoked = self.inner.invoke(function, payload.to_string().into()).await?;
        Ok(invoked.outcome)
    }

    /// Kill an invocation to come.
    pub fn plan_kill(&self, plan: KillPlan) {
        self.inner.kills.add(plan);
    }

    /// Kill every sandbox of a function now; returns how many there were.
    pub fn kill_now(&self, function: &str) -> usize {
        let state = self.inner.state();
        let sandboxes: Vec<_> = state.sandboxes.values().filter(|sandbox| sandbox.function == function).collect();
        sandboxes.iter().for_each(|sandbox| sandbox.kill());
        sandboxes.len()
    }

    /// The most memory in bytes that a process of the function has held.
    pub fn peak_rss(&self, function: &str) -> u64 {
        self.inner.state().functions.get(function).map_or(0, |function| function.peak_rss)
    }

    /// The last lines that a function printed, each with its request's id.
    pub fn log_tail(&self, function: &str) -> Vec<String> {
        self.inner.logs.tail(function)
    }

    /// Starts and ends of invocations from now on.
    pub fn on_invoke(&self) -> broadcast::Receiver<Progress> {
        self.inner.progress.subscribe()
    }

    /// The gateway asks before each API call: an error if the caller is a function that is to die before it.
    ///
    /// A function signs with its name as access key id, so that policies, planned faults and the call log name it.
    pub fn before_call(&self, caller: &Caller) -> Result<(), ApiError> {
        let state = self.inner.state();
        let own = state.sandboxes.values().filter(|sandbox| sandbox.function == caller.access_key_id && !sandbox.has_exited());
        let doomed: Vec<_> = own.filter(|sandbox| !sandbox.may_call()).collect();
        doomed.iter().for_each(|sandbox| sandbox.kill());
        match doomed.first() {
            Some(sandbox) => Err(ApiError::internal(format!("{} was killed before this call", sandbox.function))),
            None => Ok(()),
        }
    }

    /// End every sandbox and the Runtime API; what runs is answered with `Runtime.ExitError`.
    pub async fn stop(&self) {
        let (server, sandboxes) = {
            let mut state = self.inner.state();
            state.stopped = true;
            (state.server.take(), state.sandboxes.values().cloned().collect::<Vec<_>>())
        };
        for sandbox in sandboxes {
            sandbox.kill();
            sandbox.exited().await;
        }
        if let Some(server) = server {
            server.abort();
        }
    }

    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }
}

/// Asynchronous invocation, as EventBridge and Scheduler deliver.
impl Deliver for LambdaHost {
    fn deliver<'a>(&'a self, target_arn: &'a str, input: Value) -> BoxFuture<'a, Result<(), ApiError>> {
        Box::pin(async move {
            let name = target_arn.split(":function:").nth(1).and_then(|name| name.split(':').next()).unwrap_or(target_arn);
            self.inner.invoke_later(name, input.to_string().into())
        })
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.state().sandboxes.values().for_each(|sandbox| sandbox.kill());
    }
}

impl Inner {
    /// Invoke and wait.
    pub(crate) async fn invoke(self: &Arc<Self>, function: &str, payload: Bytes) -> Result<Invoked, ApiError> {
        let _running = self.admit(function)?;
        let started = Instant::now();
        let request_id = uuid::Uuid::new_v4().to_string();
        let kills = self.kills.take(function);
        let (sandbox, cold) = self.free_sandbox(function)?;
        self.log(function, &request_id, "START Version: $LATEST");
        let _nobody_watches =
            self.progress.send(Progress::Started { function: function.to_owned(), request_id: request_id.clone(), cold });

        let rests = sandbox.rests();
        let outcome = self.run(&sandbox, &request_id, payload, &kills).await;

        self.note_memory(&sandbox);
        match outcome {
            Outcome::Answered(_) | Outcome::Failed(_) => sandbox.settled(rests).await,
            _ => sandbox.kill(),
        }
        let (took, word) = (started.elapsed(), outcome.word());
        let peak = self.peak_mib(function);
        self.log(function, &request_id, &format!("REPORT Outcome: {word} Duration: {} ms Max Memory Used: {peak} MB", took.as_millis()));
        let _nobody_watches = self.progress.send(Progress::Ended {
            function: function.to_owned(),
            request_id: request_id.clone(),
            outcome: word,
            took,
        });
        Ok(Invoked { request_id, outcome })
    }

    /// Accept an asynchronous invocation: three attempts, the answer is nobody's.
    pub(crate) fn invoke_later(self: &Arc<Self>, function: &str, payload: Bytes) -> Result<(), ApiError> {
        if !self.knows(function, None) {
            return Err(not_found(function));
        }
        let (host, function) = (self.clone(), function.to_owned());
        tokio::spawn(async move {
            for pause in EVENT_PAUSES.into_iter().map(Some).chain([None]) {
                if let Ok(Invoked { outcome: Outcome::Answered(_), .. }) = host.invoke(&function, payload.clone()).await {
                    return;
                }
                match pause {
                    Some(pause) => host.config.clock.sleep(pause).await,
                    None => host.log(&function, "-", "asynchronous invocation given up after 3 attempts"),
                }
            }
        });
        Ok(())
    }

    /// Does a function exist, under this version or alias if one is named?
    pub(crate) fn knows(&self, function: &str, qualifier: Option<&str>) -> bool {
        self.state().functions.get(function).is_some_and(|function| {
            qualifier.is_none_or(|name| name == "$LATEST" || function.config.qualifiers.iter().any(|known| known == name))
        })
    }

    pub(crate) fn sandbox(&self, id: u64) -> Option<Arc<Sandbox>> {
        self.state().sandboxes.get(&id).cloned()
    }

    pub(crate) fn timeout(&self, function: &str) -> Duration {
        self.state().functions.get(function).map_or(Duration::from_secs(3), |function| function.config.timeout)
    }

    /// A sandbox asks for work and there is none: it may be reused.
    pub(crate) fn park(&self, sandbox: &Arc<Sandbox>) {
        if let Some(function) = self.state().functions.get_mut(&sandbox.function) {
            function.idle.push(sandbox.clone());
        }
    }

    pub(crate) fn log(&self, function: &str, request_id: &str, line: &str) {
        self.logs.add(function, request_id, line);
    }

    async fn run(&self, sandbox: &Sandbox, request_id: &str, payload: Bytes, kills: &[KillWhen]) -> Outcome {
        let (taken, was_taken) = oneshot::channel();
        let (posted, was_posted) = oneshot::channel();
        let calls_left = kills.iter().find_map(|when| match when {
            KillWhen::BeforeCall(n) => Some(n.saturating_sub(1)),
            _ => None,
        });
        sandbox.give(Invocation { request_id: request_id.to_owned(), payload, taken, posted }, calls_left);

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
            () = planned_time(kills) => {
                sandbox.kill();
                Outcome::Exited(sandbox.exited().await)
            }
        };
        if kills.contains(&KillWhen::Answered) {
            sandbox.kill();
            return Outcome::Exited(sandbox.exited().await);
        }
        outcome
    }

    /// Count an invocation against the function's reserved concurrency, until the guard is dropped.
    fn admit(self: &Arc<Self>, name: &str) -> Result<Running, ApiError> {
        let mut state = self.state();
        if state.stopped {
            return Err(ApiError::new(500, "ServiceException", "the local stand-in is stopping"));
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

    fn memory_limit(&self, function: &str) -> u64 {
        self.state().functions.get(function).map_or(u64::MAX, |function| function.config.memory_mib << 20)
    }

    fn note_memory(&self, sandbox: &Sandbox) {
        if let (Some(resident), Some(function)) =
            (sandbox.resident(), self.state().functions.get_mut(&sandbox.function))
        {
            function.peak_rss = function.peak_rss.max(resident.peak);
        }
    }

    fn peak_mib(&self, function: &str) -> u64 {
        self.state().functions.get(function).map_or(0, |function| function.peak_rss >> 20)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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

pub(crate) fn not_found(function: &str) -> ApiError {
    let arn = LambdaHost::arn(function);
    ApiError::new(404, "ResourceNotFoundException", format!("Function not found: {arn}"))
}
