//! The Runtime API, on a port of its own; the path's first part says which sandbox speaks.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use bytes::Bytes;
use local_aws_core::{ACCOUNT, REGION};
use tokio::net::TcpListener;

use crate::host::Inner;
use crate::sandbox::Posted;

/// The most that a synchronous invocation may answer.
const RESPONSE_LIMIT: usize = 6 * 1024 * 1024;

/// Serve until dropped. The host keeps the task and ends it.
pub(crate) async fn serve(listener: TcpListener, host: Arc<Inner>) {
    let routes = Router::new()
        .route("/{sandbox}/2018-06-01/runtime/invocation/next", get(next))
        .route("/{sandbox}/2018-06-01/runtime/invocation/{request_id}/response", post(response))
        .route("/{sandbox}/2018-06-01/runtime/invocation/{request_id}/error", post(error))
        .route("/{sandbox}/2018-06-01/runtime/init/error", post(init_error))
        .layer(DefaultBodyLimit::disable())
        .with_state(host);
    // Nagle's algorithm would add 40 ms to an answer.
    let listener = listener.tap_io(|stream| {
        let _not_a_socket_option_here = stream.set_nodelay(true);
    });
    if let Err(error) = axum::serve(listener, routes).await {
        tracing::error!(%error, "serve the Runtime API");
    }
}

async fn next(State(host): State<Arc<Inner>>, Path(id): Path<u64>) -> Response {
    let Some(sandbox) = host.sandbox(id) else {
        return StatusCode::FORBIDDEN.into_response();
    };
    let Some((request_id, payload)) = sandbox.next(|| host.park(&sandbox)).await else {
        return StatusCode::GONE.into_response();
    };
    let timeout = host.timeout(&sandbox.function);
    let deadline = (SystemTime::now() + timeout).duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let arn = format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{}", sandbox.function);
    let headers = [
        ("lambda-runtime-aws-request-id", request_id),
        ("lambda-runtime-deadline-ms", deadline.to_string()),
        ("lambda-runtime-invoked-function-arn", arn),
        ("lambda-runtime-trace-id", "Root=1-00000000-000000000000000000000000;Sampled=0".to_owned()),
        ("content-type", "application/json".to_owned()),
    ];
    (headers, payload).into_response()
}

async fn response(
    State(host): State<Arc<Inner>>,
    Path((id, request_id)): Path<(u64, String)>,
    body: Bytes,
) -> StatusCode {
    if body.len() > RESPONSE_LIMIT {
        let text = format!("Response payload size exceeded maximum allowed payload size ({RESPONSE_LIMIT} bytes).");
        let error = serde_json::json!({"errorType": "Function.ResponseSizeTooLarge", "errorMessage": text});
        posted(&host, id, &request_id, Posted::Error(error.to_string().into()));
        return StatusCode::PAYLOAD_TOO_LARGE;
    }
    posted(&host, id, &request_id, Posted::Response(body))
}

async fn error(State(host): State<Arc<Inner>>, Path((id, request_id)): Path<(u64, String)>, body: Bytes) -> StatusCode {
    posted(&host, id, &request_id, Posted::Error(body))
}

/// The process could not start its work; the exit that follows ends the invocation, the reason is in the log.
async fn init_error(State(host): State<Arc<Inner>>, Path(id): Path<u64>, body: Bytes) -> StatusCode {
    if let Some(sandbox) = host.sandbox(id) {
        host.log(&sandbox.function, "-", &format!("init error {}", String::from_utf8_lossy(&body)));
    }
    StatusCode::ACCEPTED
}

fn posted(host: &Inner, id: u64, request_id: &str, what: Posted) -> StatusCode {
    match host.sandbox(id) {
        Some(sandbox) if sandbox.post(request_id, what) => StatusCode::ACCEPTED,
        _ => StatusCode::FORBIDDEN,
    }
}
