//! The functions of a stand-in and their sandboxes.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::Context;
use local_aws_core::{ACCOUNT, ApiError, BoxFuture, Caller, Deliver, REGION};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;

use crate::answer::Outcome;
use crate::config::{FunctionConfig, HostConfig};
use crate::idle::Idle;
use crate::logs::Logs;
use crate::outside::OutsideFunction;
use crate::plan::{KillPlan, Place, Plan, Planned, Plans, What};
use crate::runtime_api;
use crate::sandbox::Sandbox;

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
        /// The machine and the state that called, where the local Step Functions did.
        state: Option<String>,
        /// When.
        at: SystemTime,
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

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) config: HostConfig,
    pub(crate) runtime_api: SocketAddr,
    pub(crate) logs: Arc<Logs>,
    pub(crate) plans: Plans,
    pub(crate) idle: Idle,
    pub(crate) progress: broadcast::Sender<Progress>,
    pub(crate) next_sandbox: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) functions: HashMap<String, Function>,
    /// Those of somebody else's.
    pub(crate) outside: HashMap<String, OutsideFunction>,
    pub(crate) sandboxes: HashMap<u64, Arc<Sandbox>>,
    pub(crate) environment: BTreeMap<String, String>,
    /// The account's: more invocations at once, of all functions together, are throttled.
    pub(crate) concurrency: Option<usize>,
    pub(crate) stopped: bool,
    server: Option<JoinHandle<()>>,
}

#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) config: FunctionConfig,
    pub(crate) idle: Vec<Arc<Sandbox>>,
    pub(crate) running: usize,
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
            plans: Plans::default(),
            idle: Idle::default(),
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

    /// Set a variable of one function, as `UpdateFunctionConfiguration` does.
    pub fn set_variable(&self, function: &str, name: &str, value: &str) -> anyhow::Result<()> {
        let config = self.inner.state().functions.get(function).map(|function| function.config.clone());
        let mut config = config.with_context(|| format!("there is no function {function}"))?;
        config.environment.insert(name.to_owned(), value.to_owned());
        self.register(config);
        Ok(())
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
        let invoked = self.inner.invoke(function, None, payload.to_string().into()).await?;
        Ok(invoked.outcome)
    }

    /// All functions have stood idle for weeks: each refuses until so long after its first invocation, by AWS's clock.
    pub fn stand_idle(&self, wakes_after: Duration) {
        self.inner.idle.plan(self.functions(), self.inner.config.clock.scaled(wakes_after));
    }

    /// The account may run so many invocations at once, of all its functions together: 10 where it is new.
    pub fn limit_concurrency(&self, most: usize) {
        self.inner.state().concurrency = Some(most);
    }

    /// Kill an invocation to come.
    pub fn plan_kill(&self, plan: KillPlan) {
        let KillPlan { function, invocation, when } = plan;
        let places = vec![Place::Function(function)];
        self.plan(Plan { places, first: invocation, last: Some(invocation), what: What::Kill(when) });
    }

    /// Disturb invocations to come.
    pub fn plan(&self, plan: Plan) -> Planned {
        self.inner.plans.add(plan)
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
        let own = state
            .sandboxes
            .values()
            .filter(|sandbox| sandbox.function == caller.access_key_id && !sandbox.has_exited());
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
            let name =
                target_arn.split(":function:").nth(1).and_then(|name| name.split(':').next()).unwrap_or(target_arn);
            self.inner.invoke_later(name, None, input.to_string().into()).map(drop)
        })
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.state().sandboxes.values().for_each(|sandbox| sandbox.kill());
    }
}

impl Inner {
    /// Does a function exist, under this version or alias if one is named?
    pub(crate) fn knows(&self, function: &str, qualifier: Option<&str>) -> bool {
        if self.state().outside.contains_key(function) {
            return qualifier.is_none();
        }
        self.state().functions.get(function).is_some_and(|function| {
            qualifier
                .is_none_or(|name| name == "$LATEST" || function.config.qualifiers.iter().any(|known| known == name))
        })
    }

    /// May browsers call it?
    pub(crate) fn has_url(&self, function: &str) -> bool {
        self.state().functions.get(function).is_some_and(|function| function.config.has_url)
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

    pub(crate) fn memory_limit(&self, function: &str) -> u64 {
        self.state().functions.get(function).map_or(u64::MAX, |function| function.config.memory_mib << 20)
    }

    pub(crate) fn note_memory(&self, sandbox: &Sandbox) {
        if let (Some(resident), Some(function)) =
            (sandbox.resident(), self.state().functions.get_mut(&sandbox.function))
        {
            function.peak_rss = function.peak_rss.max(resident.peak);
        }
    }

    pub(crate) fn peak_mib(&self, function: &str) -> u64 {
        self.state().functions.get(function).map_or(0, |function| function.peak_rss >> 20)
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn not_found(function: &str) -> ApiError {
    let arn = LambdaHost::arn(function);
    ApiError::new(404, "ResourceNotFoundException", format!("Function not found: {arn}"))
}
