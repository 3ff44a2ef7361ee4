//! A function for the host's tests: what it is asked to do stands in the event's `do`.

use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    lambda_runtime::run(service_fn(handle)).await
}

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Diagnostic> {
    let (event, context) = event.into_parts();
    match event["do"].as_str().unwrap_or("echo") {
        "echo" => Ok(json!({
            "event": event,
            "pid": std::process::id(),
            "requestId": context.request_id,
            "deadline": context.deadline,
            "environment": std::env::vars().collect::<std::collections::BTreeMap<_, _>>(),
        })),
        "fail" => Err(Diagnostic {
            error_type: event["errorType"].as_str().unwrap_or("SourceBusy").to_owned(),
            error_message: "as asked".to_owned(),
        }),
        "sleep" => {
            tokio::time::sleep(std::time::Duration::from_millis(event["ms"].as_u64().unwrap_or(60_000))).await;
            Ok(json!({"pid": std::process::id()}))
        }
        "exit" => std::process::exit(3),
        "eat" => {
            let mib = usize::try_from(event["mib"].as_u64().unwrap_or(64)).unwrap_or(64);
            let eaten: Vec<u8> = (0..mib << 20).map(|n| (n % 251) as u8).collect();
            tokio::time::sleep(std::time::Duration::from_secs(10)).await;
            Ok(json!({"eaten": eaten.len()}))
        }
        "say" => {
            eprintln!("{}", event["text"].as_str().unwrap_or_default());
            Ok(Value::Null)
        }
        other => Err(Diagnostic { error_type: "BadInput".to_owned(), error_message: other.to_owned() }),
    }
}
