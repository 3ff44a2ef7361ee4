//! One invocation from its admission to its end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use local_aws_core::{ApiError, REGION};
use tokio::sync::oneshot;

use crate::answer::Outcome;
use crate::config::FunctionConfig;
use crate::host::{Inner, Progress, not_found};
use crate::kill::KillWhen;
use crate::sandbox::{Invocation, Posted, Sandbox};

/// A process that has not asked for work after this long will not: Lambda's limit for the init phase.
const INIT_LIMIT: Duration = Duration::from_secs(10);

/// Pauses before the second and the third attempt of an asynchronous invocation.
const EVENT_PAUSES: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(120)];

/// An invocation and how it ended.
#[derive(Debug)]
pub(crate) struct Invoked {
    pub(crate) request_id: String,
    pub(crate) outcome: Outcome,
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
        let _nobody_watches = self.progress.send(Progress::Started {
            function: function.to_owned(),
            request_id: request_id.clone(),
            cold,
        });

        let rests = sandbox.rests();
        let outcome = self.run(&sandbox, &request_id, payload, &kills).await;

        self.note_memory(&sandbox);
        match outcome {
            Outcome::Answered(_) | Outcome::Failed(_) => sandbox.settled(rests).await,
            _ => sandbox.kill(),
        }
        let (took, word) = (started.elapsed(), outcome.word());
        let peak = self.peak_mib(function);
        self.log(
            function,
            &request_id,
            &format!("REPORT Outcome: {word} Duration: {} ms Max Memory Used: {peak} MB", took.as_millis()),
        );
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
                if let Ok(Invoked { outcome: Outcome::Answered(_), .. }) = host.invoke(&function, payload.clone()).await
                {
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
