//! Step Functions: moto's interpreter as a child process, behind the one port, its status changes on the event bus.

mod http;

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use local_aws_core::http::request::Parts;
use local_aws_core::http::{HeaderValue, Response};
use local_aws_core::{
    ACCOUNT, ApiError, BoxFuture, Bytes, Caller, Deliver, Event, EventBus, REGION, RawAnswer, RawService,
};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::task::JoinHandle;

/// What the interpreter is started with.
#[derive(Debug, Clone)]
pub struct StatesConfig {
    /// A Python with the packages of `interpreter/requirements.txt`.
    pub python: PathBuf,
    /// `interpreter/launcher.py`.
    pub launcher: PathBuf,
    /// Where Lambda's Invoke API is.
    pub endpoint: String,
    /// Factor on Wait states given in seconds and on the intervals of a Retry.
    pub wait_scale: f64,
    /// States whose waits and Retry intervals are not scaled, because what they wait out is real.
    pub real_waits: Vec<String>,
    /// Where the interpreter's own messages go. It works in that folder, so that whoever clears the folder of
    /// processes finds it.
    pub log_file: PathBuf,
}

impl StatesConfig {
    /// The interpreter of this repository, with the Python that `scripts/setup-python.sh` made (or `PGLEAP_PYTHON`).
    pub fn of_repository(endpoint: &str, wait_scale: f64, log_file: PathBuf) -> Self {
        let stand_in = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).to_owned();
        let root = stand_in.ancestors().nth(2).unwrap_or(Path::new(".")).to_owned();
        let python =
            std::env::var_os("PGLEAP_PYTHON").map_or_else(|| root.join(".local/venv/bin/python"), PathBuf::from);
        let launcher = stand_in.join("interpreter/launcher.py");
        Self { python, launcher, endpoint: endpoint.to_owned(), wait_scale, real_waits: Vec::new(), log_file }
    }
}

/// Step Functions of a stand-in. Dropped, it ends the interpreter.
pub struct StepFunctions {
    address: SocketAddr,
    child: tokio::sync::Mutex<Child>,
    listener: JoinHandle<()>,
}

/// An import of the engine takes a second or two, on a busy machine more.
const START_LIMIT: Duration = Duration::from_secs(60);

impl StepFunctions {
    /// Start the interpreter and wait until it answers.
    pub async fn start(config: &StatesConfig, bus: &EventBus) -> anyhow::Result<Self> {
        let log = File::create(&config.log_file).with_context(|| format!("create {}", config.log_file.display()))?;
        let mut child = Command::new(&config.python)
            .arg(&config.launcher)
            .args(["--endpoint", &config.endpoint, "--account", ACCOUNT, "--region", REGION])
            .args(["--wait-scale", &config.wait_scale.to_string()])
            .args(config.real_waits.iter().flat_map(|state| ["--real-wait", state]))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .current_dir(config.log_file.parent().unwrap_or(Path::new("/")))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .process_group(0) // Ctrl-C is the stand-in's to handle: its clean-up still needs the machine
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("start {} (made by scripts/setup-python.sh)", config.python.display()))?;
        let stdout = child.stdout.take().context("take the interpreter's output")?;
        let mut lines = BufReader::new(stdout).lines();
        let first = tokio::time::timeout(START_LIMIT, lines.next_line()).await;
        let port = match first {
            Ok(Ok(Some(line))) => {
                serde_json::from_str::<Value>(&line)?["port"].as_u64().and_then(|port| u16::try_from(port).ok())
            }
            Ok(_) => bail!("start the interpreter: it ended, see {}", config.log_file.display()),
            Err(_) => bail!("start the interpreter: no word from it in {} s", START_LIMIT.as_secs()),
        };
        let port = port.context("read the interpreter's port")?;
        let listener = tokio::spawn(publish_changes(lines, bus.clone()));
        Ok(Self { address: SocketAddr::from(([127, 0, 0, 1], port)), child: tokio::sync::Mutex::new(child), listener })
    }

    /// End the interpreter; executions that run are lost.
    pub async fn stop(&self) {
        let mut child = self.child.lock().await;
        let _already_ended = child.kill().await;
    }

    /// Make one call, as a client would.
    pub async fn call(&self, operation: &str, input: &Value) -> Result<Value, ApiError> {
        let answer = http::post(self.address, operation, &input.to_string()).await.map_err(ApiError::internal)?;
        let body: Value = serde_json::from_slice(&answer.body).map_err(ApiError::internal)?;
        if answer.status == 200 {
            return Ok(body);
        }
        let text = |member: &str| body[member].as_str().unwrap_or_default();
        Err(ApiError::new(answer.status, text("__type"), text("message")))
    }
}

impl Drop for StepFunctions {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// Every line after the first is a change of an execution's status.
async fn publish_changes(mut lines: Lines<BufReader<ChildStdout>>, bus: EventBus) {
    while let Ok(Some(line)) = lines.next_line().await {
        let Ok(Value::Object(mut said)) = serde_json::from_str(&line) else {
            continue;
        };
        if let Some(detail) = said.remove("executionStatusChange") {
            bus.publish(Event {
                source: "aws.states".to_owned(),
                detail_type: "Step Functions Execution Status Change".to_owned(),
                resources: detail["executionArn"].as_str().map(str::to_owned).into_iter().collect(),
                detail,
            });
        }
    }
}

const TARGET: &str = "AWSStepFunctions.";

impl RawService for StepFunctions {
    fn name(&self) -> &'static str {
        "states"
    }

    fn claims(&self, request: &Parts) -> Option<String> {
        let target = request.headers.get("x-amz-target").and_then(|target| target.to_str().ok())?;
        target.strip_prefix(TARGET).map(str::to_owned)
    }

    fn handle<'a>(&'a self, request: &'a Parts, body: Bytes, _: &'a Caller) -> BoxFuture<'a, RawAnswer> {
        Box::pin(async move {
            let operation = self.claims(request).unwrap_or_default();
            let body = String::from_utf8_lossy(&body).into_owned();
            match http::post(self.address, &operation, &body).await {
                Ok(answer) => respond(answer),
                Err(error) => {
                    let text = format!("local stand-in: ask the interpreter: {error}");
                    let body = json!({"__type": "InternalFailure", "message": text}).to_string();
                    respond(http::Answer { status: 500, error: Some("InternalFailure".to_owned()), body: body.into() })
                }
            }
        })
    }
}

fn respond(answer: http::Answer) -> RawAnswer {
    let mut response = Response::new(answer.body.into());
    *response.status_mut() = answer.status.try_into().unwrap_or_default();
    let headers = response.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("application/x-amz-json-1.0"));
    if let Some(error) = answer.error.and_then(|error| HeaderValue::from_str(&error).ok()) {
        headers.insert("x-amzn-errortype", error);
    }
    response
}

/// StartExecution, as EventBridge and Scheduler deliver to a state machine.
impl Deliver for StepFunctions {
    fn deliver<'a>(&'a self, target_arn: &'a str, input: Value) -> BoxFuture<'a, Result<(), ApiError>> {
        Box::pin(async move {
            let request = json!({"stateMachineArn": target_arn, "input": input.to_string()});
            self.call("StartExecution", &request).await.map(drop)
        })
    }
}
