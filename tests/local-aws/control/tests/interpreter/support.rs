//! An interpreter on a gateway, with functions that do as a case needs.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::{Duration, Instant};

use local_aws_control::{StatesConfig, StepFunctions};
use local_aws_core::http::{Response, request::Parts};
use local_aws_core::{BoxFuture, Bytes, Caller, Controls, Effect, EventBus, Fault, Gateway, RawAnswer, RawService};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// One interpreter for all tests, because it takes a second or two to start. It ends with the test program, which is
/// the other end of its standard input.
pub(crate) struct Fixture {
    pub(crate) states: Arc<StepFunctions>,
    pub(crate) bus: EventBus,
    _gateway: Gateway,
}

/// Run a test on the shared interpreter.
pub(crate) fn run(test: impl AsyncFnOnce(&Fixture)) {
    static SHARED: OnceLock<(Runtime, Fixture)> = OnceLock::new();
    let (runtime, fixture) = SHARED.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let fixture = runtime.block_on(start());
        (runtime, fixture)
    });
    runtime.block_on(test(fixture));
}

async fn start() -> Fixture {
    let bus = EventBus::default();
    let functions = Arc::new(Functions::default());
    let controls = Controls::default();
    controls.faults.plan(Fault::nth("lambda", "hangup", 1, Effect::LoseAnswer));
    let gateway =
        Gateway::bind(([127, 0, 0, 1], 0).into(), Vec::new(), vec![functions.clone()], controls).await.unwrap();
    let config = StatesConfig::of_repository(&gateway.url(), 0.01, PathBuf::from("/dev/null"));
    let config = StatesConfig { real_waits: ["NotScaled", "RetriedInRealTime"].map(str::to_owned).to_vec(), ..config };
    let states = Arc::new(StepFunctions::start(&config, &bus).await.unwrap());
    functions.states.set(Arc::downgrade(&states)).ok();
    Fixture { states, bus, _gateway: gateway }
}

impl Fixture {
    /// Make a machine of a definition and start it; gives the execution's ARN.
    pub(crate) async fn run(&self, name: &str, definition: &Value, input: &Value) -> String {
        let machine = json!({"name": name, "definition": definition.to_string(), "roleArn": "arn:aws:iam::111122223333:role/states"});
        let machine = self.states.call("CreateStateMachine", &machine).await.unwrap();
        let start = json!({"stateMachineArn": machine["stateMachineArn"], "input": input.to_string()});
        let started = self.states.call("StartExecution", &start).await.unwrap();
        started["executionArn"].as_str().unwrap().to_owned()
    }

    /// The execution once it has ended.
    pub(crate) async fn ended(&self, execution: &str) -> Value {
        let limit = Instant::now() + Duration::from_secs(30);
        loop {
            let seen = self.states.call("DescribeExecution", &json!({"executionArn": execution})).await.unwrap();
            if seen["status"] != "RUNNING" {
                return seen;
            }
            assert!(Instant::now() < limit, "still running: {}", self.last_events(execution).await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn history(&self, execution: &str) -> Vec<Value> {
        let input = json!({"executionArn": execution, "maxResults": 1000});
        let page = self.states.call("GetExecutionHistory", &input).await.unwrap();
        page["events"].as_array().unwrap().clone()
    }

    async fn last_events(&self, execution: &str) -> Value {
        self.history(execution).await.iter().rev().take(3).cloned().collect()
    }
}

/// What a function is called says what it does.
#[derive(Default)]
struct Functions {
    states: OnceLock<Weak<StepFunctions>>,
    seen: Mutex<HashMap<String, Vec<Value>>>,
}

impl RawService for Functions {
    fn name(&self) -> &'static str {
        "lambda"
    }

    fn claims(&self, request: &Parts) -> Option<String> {
        let named = request.uri.path().strip_prefix("/2015-03-31/functions/")?.strip_suffix("/invocations")?;
        named.rsplit("%3A").next().map(str::to_owned)
    }

    fn handle<'a>(&'a self, request: &'a Parts, body: Bytes, _: &'a Caller) -> BoxFuture<'a, RawAnswer> {
        let function = self.claims(request).unwrap_or_default();
        if function == "who-calls" {
            let state = request.headers.get("x-local-aws-state").and_then(|state| state.to_str().ok());
            let answer = answered(json!(state));
            return Box::pin(async move { answer });
        }
        let event: Value = serde_json::from_slice(&body).unwrap_or_default();
        if request.headers.get("x-amz-invocation-type").is_some_and(|kind| kind == "Event") {
            return Box::pin(async move { Response::builder().status(202).body(Bytes::new()).unwrap() });
        }
        Box::pin(async move { self.answer(&function, event).await })
    }
}

impl Functions {
    async fn answer(&self, function: &str, event: Value) -> RawAnswer {
        match function {
            "echo" => answered(event),
            "slow" | "never" => {
                tokio::time::sleep(Duration::from_millis(event["ms"].as_u64().unwrap_or_default())).await;
                answered(json!({"slept": true}))
            }
            "fail" => failed(event["errorType"].as_str().unwrap(), event["message"].as_str().unwrap_or("m")),
            "flaky" => {
                let seen = self.seen(event["key"].to_string(), event["count"].clone());
                match seen.len() as u64 > event["failures"].as_u64().unwrap() {
                    true => answered(json!({"attempts": seen.len(), "counts": seen})),
                    false => failed(event["errorType"].as_str().unwrap(), "not yet"),
                }
            }
            "alternate" => {
                let nth = self.seen(event.to_string(), Value::Null).len() - 1;
                event["errors"][nth].as_str().map_or_else(|| answered(Value::Null), |error| failed(error, "m"))
            }
            "hangup" => answered(json!({"attempts": self.seen("hangup".to_owned(), Value::Null).len()})),
            "big" => answered("x".repeat(300 * 1024).into()),
            "token" => {
                let (states, event) = (self.states.get().and_then(Weak::upgrade).unwrap(), event.clone());
                tokio::spawn(async move { send_task_end(&states, &event).await });
                answered(Value::Null)
            }
            "throttle" => refused(429, "TooManyRequestsException"),
            "broken" => refused(500, "ServiceException"),
            _ => refused(404, "ResourceNotFoundException"),
        }
    }

    fn seen(&self, key: String, value: Value) -> Vec<Value> {
        let mut seen = self.seen.lock().unwrap();
        let seen = seen.entry(key).or_default();
        seen.push(value);
        seen.clone()
    }
}

async fn send_task_end(states: &StepFunctions, event: &Value) {
    let (operation, input) = match event.get("error") {
        Some(error) => {
            ("SendTaskFailure", json!({"taskToken": event["token"], "error": error, "cause": event["cause"]}))
        }
        None => ("SendTaskSuccess", json!({"taskToken": event["token"], "output": event["answer"].to_string()})),
    };
    states.call(operation, &input).await.unwrap();
}

fn answered(payload: Value) -> RawAnswer {
    Response::builder().header("x-amz-executed-version", "$LATEST").body(payload.to_string().into()).unwrap()
}

fn failed(kind: &str, message: &str) -> RawAnswer {
    let body = json!({"errorType": kind, "errorMessage": message});
    Response::builder().header("x-amz-function-error", "Unhandled").body(body.to_string().into()).unwrap()
}

fn refused(status: u16, code: &str) -> RawAnswer {
    let body = json!({"Type": "User", "Message": "refused", "message": "refused"});
    let response = Response::builder().status(status).header("x-amzn-errortype", code).header("x-amzn-requestid", "r");
    response.body(body.to_string().into()).unwrap()
}
