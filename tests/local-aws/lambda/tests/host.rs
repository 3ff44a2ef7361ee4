//! The host with a real function: what a caller of Invoke, and the function itself, can rely on.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use axum::http::{Method, Request, request::Parts};
use bytes::Bytes;
use local_aws_core::{Caller, Clock, Deliver, NoAnswer, RawAnswer, RawService};
use local_aws_lambda::{FunctionConfig, HostConfig, KillPlan, KillWhen, LambdaHost, Place, Plan, Progress, What};
use serde_json::{Value, json};

struct Fixture {
    host: LambdaHost,
    _folder: tempfile::TempDir,
}

/// A host with the toy function as `toy`, changed as the test likes.
async fn host(change: impl FnOnce(&mut FunctionConfig)) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let config = HostConfig { log_folder: folder.path().join("log"), clock: Clock::new(0.001) };
    let host = LambdaHost::start(config).await.unwrap();
    let mut function = FunctionConfig::new("toy", toy_binary());
    change(&mut function);
    host.register(function);
    Fixture { host, _folder: folder }
}

/// Cargo builds examples with tests, into a folder beside the test's own binary.
fn toy_binary() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(|deps| deps.parent()).unwrap();
    profile.join("examples/toy-function")
}

fn parts(function: &str, kind: Option<&str>) -> Parts {
    let uri = format!("/2015-03-31/functions/{function}/invocations");
    let request = Request::builder().method(Method::POST).uri(uri);
    let request = match kind {
        Some(kind) => request.header("x-amz-invocation-type", kind),
        None => request,
    };
    request.body(()).unwrap().into_parts().0
}

async fn call(host: &LambdaHost, function: &str, event: &Value) -> RawAnswer {
    let caller = Caller { access_key_id: "test".to_owned() };
    host.handle(&parts(function, None), Bytes::from(event.to_string()), &caller).await
}

fn body(answer: &RawAnswer) -> Value {
    serde_json::from_slice(answer.body()).unwrap_or_default()
}

fn header<'a>(answer: &'a RawAnswer, name: &str) -> &'a str {
    answer.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn an_answer_comes_back_with_the_version_and_the_request() {
    let fixture = host(|function| function.qualifiers = vec!["live".to_owned(), "1".to_owned()]).await;

    let answer = call(&fixture.host, "toy", &json!({"a": 1})).await;
    let by_arn =
        call(&fixture.host, "arn%3Aaws%3Alambda%3Aeu-west-1%3A111122223333%3Afunction%3Atoy%3A1", &json!({})).await;

    assert_eq!(answer.status(), 200);
    assert_eq!(body(&answer)["event"], json!({"a": 1}));
    assert_eq!(body(&answer)["requestId"], header(&answer, "x-amzn-requestid"));
    assert_eq!((header(&answer, "x-amz-executed-version"), header(&answer, "x-amz-function-error")), ("$LATEST", ""));
    assert_eq!((by_arn.status().as_u16(), header(&by_arn, "x-amz-executed-version")), (200, "1"));
}

#[tokio::test]
async fn a_function_sees_the_environment_of_lambda_its_template_and_the_host() {
    let fixture = host(|function| {
        function.environment.insert("OWN".to_owned(), "1".to_owned());
        function.timeout = Duration::from_secs(30);
    })
    .await;
    fixture.host.set_environment([("AWS_ENDPOINT_URL".to_owned(), "http://127.0.0.1:4566".to_owned())].into());

    let before = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let answer = body(&call(&fixture.host, "toy", &json!({})).await);

    let environment = &answer["environment"];
    assert_eq!((environment["OWN"].as_str(), environment["AWS_REGION"].as_str()), (Some("1"), Some("eu-west-1")));
    assert_eq!(environment["AWS_ENDPOINT_URL"], "http://127.0.0.1:4566");
    assert_eq!(environment["AWS_ACCESS_KEY_ID"], "toy");
    assert_eq!(environment["CARGO_MANIFEST_DIR"], Value::Null, "nothing of the host's own environment");
    let left = i128::from(answer["deadline"].as_u64().unwrap()) - before.as_millis() as i128;
    assert!((29_000..35_000).contains(&left), "the deadline is absolute, {left} ms from now");

    fixture.host.set_variable("toy", "OWN", "2").unwrap();
    let answer = body(&call(&fixture.host, "toy", &json!({})).await);
    assert_eq!(answer["environment"]["OWN"], "2", "also where a process of before rests");
    assert!(fixture.host.set_variable("other", "OWN", "2").is_err());
}

#[tokio::test]
async fn a_function_error_is_a_success_of_invoke_with_the_error_as_its_body() {
    let fixture = host(|_| {}).await;

    let answer = call(&fixture.host, "toy", &json!({"do": "fail", "errorType": "SourceUnreachable"})).await;

    assert_eq!((answer.status().as_u16(), header(&answer, "x-amz-function-error")), (200, "Unhandled"));
    assert_eq!(body(&answer)["errorType"], "SourceUnreachable");
}

#[tokio::test]
async fn a_sandbox_is_reused_and_overlapping_invocations_get_their_own() {
    let fixture = host(|_| {}).await;
    let pid = |answer: &RawAnswer| body(answer)["pid"].as_u64().unwrap();
    let event = json!({"do": "sleep", "ms": 300});

    let first = pid(&call(&fixture.host, "toy", &event).await);
    let (second, third) = tokio::join!(call(&fixture.host, "toy", &event), call(&fixture.host, "toy", &event));

    assert_ne!(pid(&second), pid(&third));
    assert!([pid(&second), pid(&third)].contains(&first), "one of them got the warm sandbox");
}

#[tokio::test]
async fn more_invocations_than_reserved_are_throttled() {
    let fixture = host(|function| function.reserved_concurrency = Some(1)).await;
    let event = json!({"do": "sleep", "ms": 300});

    let answers: [RawAnswer; 2] =
        tokio::join!(call(&fixture.host, "toy", &event), call(&fixture.host, "toy", &event)).into();
    let afterwards = call(&fixture.host, "toy", &json!({})).await;

    let refused = answers.iter().find(|answer| answer.status() == 429).expect("one of two was throttled");
    assert_eq!(header(refused, "x-amzn-errortype"), "TooManyRequestsException");
    assert_eq!(body(refused)["Reason"], "ReservedFunctionConcurrentInvocationLimitExceeded");
    assert_eq!(afterwards.status(), 200);
}

#[tokio::test]
async fn more_invocations_than_the_account_may_run_are_throttled() {
    let fixture = host(|_| {}).await;
    fixture.host.limit_concurrency(2);
    let event = json!({"do": "sleep", "ms": 300});

    let sleep = || call(&fixture.host, "toy", &event);
    let answers: [RawAnswer; 3] = tokio::join!(sleep(), sleep(), sleep()).into();

    let refused: Vec<_> = answers.iter().filter(|answer| answer.status() == 429).collect();
    assert_eq!(refused.len(), 1);
    assert_eq!(header(refused[0], "x-amzn-errortype"), "TooManyRequestsException");
    assert_eq!(call(&fixture.host, "toy", &json!({})).await.status(), 200);
}

#[tokio::test]
async fn what_does_not_exist_is_not_found() {
    let fixture = host(|_| {}).await;

    for name in ["nobody", "toy:9"] {
        let answer = call(&fixture.host, name, &json!({})).await;
        assert_eq!((answer.status().as_u16(), header(&answer, "x-amzn-errortype")), (404, "ResourceNotFoundException"));
    }
}

#[tokio::test]
async fn a_function_that_takes_too_long_is_killed_and_the_next_call_starts_anew() {
    let fixture = host(|function| function.timeout = Duration::from_millis(1200)).await;
    let started = Instant::now();

    let answer = call(&fixture.host, "toy", &json!({"do": "sleep"})).await;
    let next = call(&fixture.host, "toy", &json!({})).await;

    assert!(started.elapsed() < Duration::from_secs(4));
    assert_eq!(
        (body(&answer)["errorType"].as_str(), header(&answer, "x-amz-function-error")),
        (Some("Sandbox.Timedout"), "Unhandled")
    );
    assert!(body(&answer)["errorMessage"].as_str().unwrap().contains("Task timed out after 1.20 seconds"));
    assert_eq!(next.status(), 200);
}

#[tokio::test]
async fn a_process_that_ends_is_an_exit_error() {
    let fixture = host(|_| {}).await;

    let answer = body(&call(&fixture.host, "toy", &json!({"do": "exit"})).await);

    assert_eq!(answer["errorType"], "Runtime.ExitError");
    assert!(answer["errorMessage"].as_str().unwrap().ends_with("Error: Runtime exited with error: exit status 3"));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_function_that_holds_too_much_memory_is_killed_and_its_peak_is_known() {
    let fixture = host(|function| function.timeout = Duration::from_secs(20)).await;

    let answer = body(&call(&fixture.host, "toy", &json!({"do": "eat", "mib": 160})).await);

    assert_eq!(answer["errorType"], "Runtime.OutOfMemory");
    assert!(fixture.host.peak_rss("toy") > 100 << 20, "peak {}", fixture.host.peak_rss("toy"));
}

#[tokio::test]
async fn an_asynchronous_invocation_is_tried_three_times() {
    let fixture = host(|_| {}).await;
    let mut progress = fixture.host.on_invoke();

    let accepted = fixture.host.deliver(&LambdaHost::arn("toy"), json!({"do": "fail"})).await;
    let nobody = fixture.host.deliver(&LambdaHost::arn("nobody"), json!({})).await;

    assert_eq!((accepted, nobody.map_err(|error| error.status)), (Ok(()), Err(404)));
    for _ in 0..3 {
        assert_eq!(next_end(&mut progress).await, "SourceBusy");
    }
    let fourth = tokio::time::timeout(Duration::from_millis(500), next_end(&mut progress)).await;
    assert!(fourth.is_err(), "a fourth attempt");
}

#[tokio::test]
async fn an_idle_function_refuses_callers_until_it_is_awake_and_an_event_waits_for_it() {
    let fixture = host(|_| {}).await;
    let mut progress = fixture.host.on_invoke();
    let hour = Duration::from_secs(3_600);

    fixture.host.stand_idle(hour);
    let refused = fixture.host.invoke("toy", json!({"do": "echo"})).await.err().map(|error| (error.status, error.code));
    assert_eq!(refused, Some((502, "ResourceNotReadyException".to_owned())));

    fixture.host.stand_idle(Duration::from_secs(60));
    let began = std::time::Instant::now();
    fixture.host.deliver(&LambdaHost::arn("toy"), json!({"do": "echo"})).await.unwrap();
    assert_eq!(next_end(&mut progress).await, "answered");
    assert!(began.elapsed() >= Duration::from_millis(60), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_planned_kill_strikes_its_invocation_only() {
    let fixture = host(|_| {}).await;
    let plan = |invocation, when| fixture.host.plan_kill(KillPlan { function: "toy".to_owned(), invocation, when });
    plan(2, KillWhen::After(Duration::from_millis(100)));
    plan(3, KillWhen::Answered);
    let event = json!({"do": "sleep", "ms": 400});

    let mut outcomes = Vec::new();
    for _ in 0..4 {
        outcomes.push(fixture.host.invoke("toy", event.clone()).await.unwrap().word());
    }

    assert_eq!(outcomes, ["answered", "Runtime.ExitError", "Runtime.ExitError", "answered"]);
}

#[tokio::test]
async fn a_kill_before_a_call_lets_the_earlier_ones_pass() {
    let fixture = host(|_| {}).await;
    fixture.host.plan_kill(KillPlan { function: "toy".to_owned(), invocation: 1, when: KillWhen::BeforeCall(2) });
    let mut progress = fixture.host.on_invoke();
    let host = fixture.host.clone();
    let invocation = tokio::spawn(async move { host.invoke("toy", json!({"do": "sleep", "ms": 5000})).await });
    assert!(matches!(progress.recv().await, Ok(Progress::Started { cold: true, .. })));

    let caller = Caller { access_key_id: "toy".to_owned() };
    let calls = [fixture.host.before_call(&caller).is_ok(), fixture.host.before_call(&caller).is_ok()];

    assert_eq!(calls, [true, false]);
    assert_eq!(invocation.await.unwrap().unwrap().word(), "Runtime.ExitError");
}

#[tokio::test]
async fn what_a_function_prints_is_kept_with_its_request() {
    let fixture = host(|_| {}).await;

    let answer = call(&fixture.host, "toy", &json!({"do": "say", "text": "fenced"})).await;

    let expected = format!("{} fenced", header(&answer, "x-amzn-requestid"));
    let found = || fixture.host.log_tail("toy").contains(&expected);
    let end = Instant::now() + Duration::from_secs(3);
    while !found() && Instant::now() < end {
        tokio::task::yield_now().await;
    }
    assert!(found(), "{:?}", fixture.host.log_tail("toy"));
}

#[tokio::test]
async fn a_function_ends_when_its_runtime_api_is_gone() {
    let fixture = host(|_| {}).await;
    let pid = body(&call(&fixture.host, "toy", &json!({})).await)["pid"].as_u64().unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = listener.local_addr().unwrap();
    drop(listener);

    let orphan = std::process::Command::new(toy_binary())
        .env("AWS_LAMBDA_RUNTIME_API", format!("http://{gone}/1"))
        .env("AWS_LAMBDA_FUNCTION_NAME", "toy")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let ended =
        tokio::time::timeout(Duration::from_secs(5), tokio::task::spawn_blocking(move || orphan.wait_with_output()))
            .await;
    fixture.host.stop().await;

    assert!(!ended.expect("ended by itself").unwrap().unwrap().status.success());
    assert!(!PathBuf::from(format!("/proc/{pid}")).exists(), "stop leaves no process");
}

async fn next_end(progress: &mut tokio::sync::broadcast::Receiver<Progress>) -> String {
    loop {
        if let Progress::Ended { outcome, .. } = progress.recv().await.unwrap() {
            return outcome;
        }
    }
}

fn of_toy(first: u64, last: Option<u64>, what: What) -> Plan {
    Plan { places: vec![Place::Function("toy".to_owned())], first, last, what }
}

#[tokio::test]
async fn a_frozen_call_goes_on_after_its_caller_was_cut_off_and_its_repetition() {
    let fixture = host(|_| {}).await;
    let said = |text: &str| json!({"do": "say", "text": text});
    let frozen = Duration::from_millis(700);
    let what = What::Freeze { after: Duration::ZERO, frozen, cut_off: true };
    let planned = fixture.host.plan(of_toy(1, Some(1), what));
    let began = Instant::now();

    let first = call(&fixture.host, "toy", &said("late")).await;
    let second = call(&fixture.host, "toy", &said("in time")).await;
    let frozen_still = planned.struck();

    assert!(first.extensions().get::<NoAnswer>().is_some(), "the caller of the first was not cut off");
    assert_eq!(second.status(), 200);
    assert!(began.elapsed() < frozen, "the second waited for the first");
    assert_eq!((frozen_still.begun, frozen_still.over), (1, 0));
    assert!(planned.wait_for(|struck| struck.over == 1).await);
    assert!(began.elapsed() >= frozen);
    let has_spoken = || fixture.host.log_tail("toy").iter().any(|line| line.ends_with("late"));
    let end = Instant::now() + Duration::from_secs(3);
    while !has_spoken() && Instant::now() < end {
        tokio::task::yield_now().await;
    }
    let tail = fixture.host.log_tail("toy");
    let place = |text: &str| tail.iter().position(|line| line.ends_with(text)).unwrap_or_else(|| panic!("{tail:?}"));
    assert!(place("in time") < place("late"), "{tail:?}");
}

#[tokio::test]
async fn a_call_that_is_frozen_in_its_work_ends_at_the_functions_timeout() {
    let fixture = host(|function| function.timeout = Duration::from_millis(900)).await;
    let what = What::Freeze { after: Duration::from_millis(50), frozen: Duration::from_secs(30), cut_off: false };
    let planned = fixture.host.plan(of_toy(1, Some(1), what));

    let outcome = fixture.host.invoke("toy", json!({"do": "sleep", "ms": 100})).await.unwrap();

    assert_eq!(outcome.word(), "Sandbox.Timedout");
    let struck = planned.struck();
    assert_eq!((struck.over, struck.hit), (1, 0), "it never went on");
}

#[tokio::test]
async fn calls_fail_for_good_until_the_plan_is_lifted() {
    let fixture = host(|_| {}).await;
    let planned = fixture.host.plan(of_toy(2, None, What::Fail("SourceUnreachable".to_owned())));
    let mut words = Vec::new();

    for round in 0..4 {
        if round == 3 {
            planned.lift();
        }
        words.push(fixture.host.invoke("toy", json!({})).await.unwrap().word());
    }

    assert_eq!(words, ["answered", "SourceUnreachable", "SourceUnreachable", "answered"]);
    assert_eq!(planned.struck().over, 2);
}

#[tokio::test]
async fn a_call_that_is_held_is_not_seen_by_its_function_until_it_is_let_go() {
    let fixture = host(|_| {}).await;
    let (holder, mut held) = tokio::sync::mpsc::unbounded_channel();
    fixture.host.plan(of_toy(1, Some(1), What::Hold(holder)));
    let mut progress = fixture.host.on_invoke();
    let host = fixture.host.clone();
    let invocation = tokio::spawn(async move { host.invoke("toy", json!({})).await });

    let go = held.recv().await.unwrap();
    assert!(progress.try_recv().is_err(), "it began while it was held");
    assert_eq!(go.payload, Bytes::from_static(b"{}"));
    drop(go);

    assert_eq!(invocation.await.unwrap().unwrap().word(), "answered");
}

#[tokio::test]
async fn a_plan_for_a_state_strikes_the_calls_of_that_state_only() {
    let fixture = host(|_| {}).await;
    let places = vec![Place::State("machine/Second".to_owned())];
    let planned = fixture.host.plan(Plan { places, first: 1, last: None, what: What::Fail("Planned".to_owned()) });
    let caller = Caller { access_key_id: "test".to_owned() };
    let mut failed = Vec::new();

    for state in ["machine/First", "machine/Second", "other/Second"] {
        let mut parts = parts("toy", None);
        parts.headers.insert("x-local-aws-state", state.parse().unwrap());
        let answer = fixture.host.handle(&parts, Bytes::from_static(b"{}"), &caller).await;
        failed.push(body(&answer)["errorType"] == "Planned");
    }

    assert_eq!(failed, [false, true, false]);
    assert_eq!(planned.struck().begun, 1);
}

#[tokio::test]
async fn an_asynchronous_call_that_is_frozen_loses_its_acceptance_and_is_carried_out_once() {
    let fixture = host(|_| {}).await;
    let what = What::Freeze { after: Duration::ZERO, frozen: Duration::from_millis(200), cut_off: true };
    let planned = fixture.host.plan(of_toy(1, Some(1), what));
    let mut progress = fixture.host.on_invoke();
    let caller = Caller { access_key_id: "test".to_owned() };

    let answer = fixture.host.handle(&parts("toy", Some("Event")), Bytes::from_static(b"{}"), &caller).await;

    assert!(answer.extensions().get::<NoAnswer>().is_some());
    assert!(planned.wait_for(|struck| struck.over == 1).await);
    assert_eq!(next_end(&mut progress).await, "answered");
    let again = tokio::time::timeout(Duration::from_millis(400), next_end(&mut progress)).await;
    assert!(again.is_err(), "it was carried out twice");
}
