//! The gateway over a real connection, spoken to byte by byte.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use local_aws_core::http::request::Parts;
use local_aws_core::{
    ApiError, Authorize, BoxFuture, Bytes, Call, Caller, Controls, Effect, Fault, Gateway, NoAnswer, Outcome,
    RawAnswer, RawService, Reply, Service, http,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Answers a few calls of DMS, and panics where it is told to.
struct FewCalls;

impl Service for FewCalls {
    fn name(&self) -> &'static str {
        "dms"
    }

    fn call<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Reply> {
        Box::pin(async move {
            match call.operation.as_str() {
                "DescribeReplicationTasks" => Ok(json!({"ReplicationTasks": [{"Status": "running"}]})),
                "DeleteEndpoint" => Ok(json!({"Endpoint": {"EndpointArm": "misspelt"}})),
                "StopReplicationTask" => Err(ApiError::new(400, "InvalidResourceStateFault", "it is not running")),
                "DescribeEndpoints" => panic!("on purpose"),
                other => Err(ApiError::not_implemented(other)),
            }
        })
    }
}

/// A service that speaks HTTP itself.
struct Echo;

impl RawService for Echo {
    fn name(&self) -> &'static str {
        "lambda"
    }

    fn claims(&self, request: &Parts) -> Option<String> {
        request.uri.path().starts_with("/2015-03-31/functions/").then(|| "Invoke".to_owned())
    }

    fn handle<'a>(&'a self, _: &'a Parts, body: Bytes, caller: &'a Caller) -> BoxFuture<'a, RawAnswer> {
        Box::pin(async move {
            let text = format!("{}:{}", caller.access_key_id, String::from_utf8_lossy(&body));
            let mut answer = http::Response::new(Bytes::from(text));
            if body == Bytes::from_static(b"no answer") {
                answer.extensions_mut().insert(NoAnswer);
            }
            answer
        })
    }
}

/// Only who is called AKID may stop a task.
struct OnlyAkidStops;

impl Authorize for OnlyAkidStops {
    fn authorize(&self, caller: &Caller, service: &str, operation: &str, _: &Value) -> Result<(), ApiError> {
        if (service, operation) == ("dms", "StopReplicationTask") && caller.access_key_id != "AKID" {
            return Err(ApiError::new(400, "AccessDeniedException", "not you"));
        }
        Ok(())
    }
}

async fn gateway() -> Gateway {
    let controls = Controls { authorize: Arc::new(OnlyAkidStops), ..Controls::default() };
    let free = SocketAddr::from(([127, 0, 0, 1], 0));
    Gateway::bind(free, vec![Arc::new(FewCalls)], vec![Arc::new(Echo)], controls).await.unwrap()
}

/// One request on a connection of its own; the whole answer, empty if the connection ended without one.
async fn exchange(gateway: &Gateway, head: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(gateway.address()).await.unwrap();
    let length = body.len();
    let request = format!("{head}\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _reset_is_an_end_too = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

async fn dms_as(gateway: &Gateway, caller: &str, operation: &str, body: &str) -> String {
    let head = format!(
        "POST / HTTP/1.1\r\nx-amz-target: AmazonDMSv20160101.{operation}\r\ncontent-type: application/x-amz-json-1.1\r\n\
         authorization: AWS4-HMAC-SHA256 Credential={caller}/20260131/eu-west-1/dms/aws4_request, SignedHeaders=host"
    );
    exchange(gateway, &head, body).await
}

async fn dms(gateway: &Gateway, operation: &str, body: &str) -> String {
    dms_as(gateway, "AKID", operation, body).await
}

#[tokio::test]
async fn a_call_goes_to_its_service_and_is_written_down() {
    let gateway = gateway().await;

    let answer = dms(&gateway, "DescribeReplicationTasks", "{}").await;

    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.contains("content-type: application/x-amz-json-1.1"), "{answer}");
    assert!(answer.ends_with("{\"ReplicationTasks\":[{\"Status\":\"running\"}]}"), "{answer}");
    let calls = gateway.log().since(0);
    assert_eq!(calls.len(), 1);
    assert_eq!((calls[0].caller.as_str(), calls[0].operation.as_str()), ("AKID", "DescribeReplicationTasks"));
    assert_eq!(calls[0].outcome, Outcome::Answered);
}

#[tokio::test]
async fn every_refusal_has_its_code_and_status() {
    let gateway = gateway().await;
    let task = "{\"ReplicationTaskArn\":\"arn:x\"}";
    let cases = [
        ("StopReplicationTask", task, "400", "InvalidResourceStateFault", "it is not running"),
        ("StopReplicationTask", "{}", "400", "ValidationException", "Value null at 'replicationTaskArn'"),
        ("StopReplicationTask", "{", "400", "SerializationException", "EOF"),
        ("DescribeReplicationTasks", "{\"MaxRecords\":\"x\"}", "400", "SerializationException", "MaxRecords"),
        ("DescribeReplicationTasks", "{\"Nope\":1}", "400", "ValidationException", "nope"),
        ("NoSuchThing", "{}", "400", "UnknownOperationException", "NoSuchThing"),
        ("CreateEventSubscription", "{}", "501", "NotImplemented", "CreateEventSubscription"),
        ("DescribeConnections", "{}", "501", "NotImplemented", "DescribeConnections"),
        ("DeleteEndpoint", "{\"EndpointArn\":\"arn:x\"}", "500", "InternalFailure", "Endpoint.EndpointArm"),
        ("DescribeEndpoints", "{}", "500", "InternalFailure", "panic"),
    ];
    for (operation, body, status, code, text) in cases {
        let answer = dms(&gateway, operation, body).await;

        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{operation} {body}: {answer}");
        assert!(
            answer.contains(&format!("\"__type\":\"{code}\"")) && answer.contains(text),
            "{operation} {body}: {answer}"
        );
    }
}

#[tokio::test]
async fn who_may_not_is_refused_before_the_service_and_the_faults() {
    let gateway = gateway().await;
    gateway.faults().plan(Fault::every("dms", "StopReplicationTask", Effect::Die));

    let answer = dms_as(&gateway, "OTHER", "StopReplicationTask", "{\"ReplicationTaskArn\":\"arn:x\"}").await;

    assert!(answer.contains("AccessDeniedException"), "{answer}");
    assert_eq!(gateway.faults().struck()[0].1, 0);
}

#[tokio::test]
async fn an_unsigned_or_foreign_request_is_refused() {
    let gateway = gateway().await;

    let unsigned =
        exchange(&gateway, "POST / HTTP/1.1\r\nx-amz-target: AmazonDMSv20160101.DescribeEndpoints", "{}").await;
    let foreign = exchange(&gateway, "GET /bucket HTTP/1.1", "").await;

    assert!(
        unsigned.starts_with("HTTP/1.1 403") && unsigned.contains("MissingAuthenticationTokenException"),
        "{unsigned}"
    );
    assert!(foreign.starts_with("HTTP/1.1 404") && foreign.contains("UnknownService"), "{foreign}");
}

#[tokio::test]
async fn a_raw_service_answers_in_its_own_way_and_is_struck_like_any_other() {
    let gateway = gateway().await;
    gateway.faults().plan("lambda:Invoke:2:throttle".parse().unwrap());
    gateway.faults().plan("lambda:Invoke:3:lose-answer".parse().unwrap());
    let head = "POST /2015-03-31/functions/f/invocations HTTP/1.1\r\n\
        authorization: AWS4-HMAC-SHA256 Credential=AKID/20260131/eu-west-1/lambda/aws4_request, SignedHeaders=host";

    let first = exchange(&gateway, head, "hello").await;
    let second = exchange(&gateway, head, "hello").await;
    let third = exchange(&gateway, head, "hello").await;
    let fourth = exchange(&gateway, head, "no answer").await;

    assert!(first.ends_with("AKID:hello"), "{first}");
    assert!(
        second.starts_with("HTTP/1.1 429") && second.contains("x-amzn-errortype: TooManyRequestsException"),
        "{second}"
    );
    assert_eq!((third.as_str(), fourth.as_str()), ("", ""));
    let outcomes: Vec<_> = gateway.log().since(0).into_iter().map(|call| call.outcome).collect();
    assert_eq!(outcomes, [Outcome::Answered, Outcome::NotCarriedOut, Outcome::Answered, Outcome::Answered]);
}

#[tokio::test]
async fn planned_faults_strike_as_planned() {
    let cases = [
        ("dms:DescribeReplicationTasks:1:die", "", Outcome::NotCarriedOut),
        ("dms:DescribeReplicationTasks:1:lose-answer", "", Outcome::Answered),
        ("dms:DescribeReplicationTasks:1:hang=0.05", "", Outcome::NotCarriedOut),
        ("dms:*:*:throttle", "ThrottlingException", Outcome::NotCarriedOut),
        ("dms:*:*:deny", "AccessDeniedException", Outcome::NotCarriedOut),
        ("dms:*:1:error=AccessDeniedFault,400,no", "AccessDeniedFault", Outcome::NotCarriedOut),
        ("X@dms:*:*:throttle", "running", Outcome::Answered),
    ];
    for (fault, part, outcome) in cases {
        let gateway = gateway().await;
        gateway.faults().plan(fault.parse().unwrap());

        let answer = dms(&gateway, "DescribeReplicationTasks", "{}").await;

        assert!(answer.contains(part) && answer.is_empty() == part.is_empty(), "{fault}: {answer}");
        assert_eq!(gateway.log().since(0)[0].outcome, outcome, "{fault}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_does_not_stop_its_call() {
    let gateway = gateway().await;
    gateway.faults().plan("dms:DescribeReplicationTasks:1:hang=0.2".parse().unwrap());
    let mut logged = gateway.log().subscribe();

    let impatient =
        tokio::time::timeout(Duration::from_millis(20), dms(&gateway, "DescribeReplicationTasks", "{}")).await;

    assert!(impatient.is_err());
    tokio::time::timeout(Duration::from_secs(5), logged.changed()).await.expect("the call ends and is logged").unwrap();
    assert_eq!(gateway.log().since(0).len(), 1);
}

#[tokio::test]
async fn an_idle_connection_ends_with_its_gateway() {
    let service = Arc::new(FewCalls);
    let free = SocketAddr::from(([127, 0, 0, 1], 0));
    let gateway = Gateway::bind(free, vec![service.clone()], Vec::new(), Controls::default()).await.unwrap();
    let mut idle = TcpStream::connect(gateway.address()).await.unwrap();
    idle.write_all(b"GET /x HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut answer = [0; 8];
    idle.read_exact(&mut answer).await.unwrap();

    drop(gateway);

    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(5), idle.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "the connection ends");
    let alone = async {
        while Arc::strong_count(&service) > 1 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), alone).await.expect("nothing holds the service any more");
}
