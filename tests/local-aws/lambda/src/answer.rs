//! How an invocation ends, and the words in which Lambda says so.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;

/// How an invocation ended.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The function answered.
    Answered(Bytes),
    /// The function reported an error of its own: `{"errorType": .., "errorMessage": ..}`.
    Failed(Bytes),
    /// The process ended before it answered.
    Exited(ExitStatus),
    /// It took longer than its `Timeout` (or ten seconds to start).
    TimedOut(Duration),
    /// It held more than its `MemorySize`.
    OutOfMemory,
    /// Its caller was cut off by plan; the process lives, and what it answers is nobody's.
    CutOff,
}

impl Outcome {
    /// The body of the Invoke answer, and whether it is a function error (`X-Amz-Function-Error: Unhandled`).
    pub(crate) fn body(&self, request_id: &str) -> (Bytes, bool) {
        let (kind, text) = match self {
            Self::Answered(body) => return (body.clone(), false),
            Self::Failed(body) => return (body.clone(), true),
            Self::Exited(status) => ("Runtime.ExitError", exit_text(*status)),
            Self::TimedOut(limit) => {
                ("Sandbox.Timedout", format!("Task timed out after {:.2} seconds", limit.as_secs_f64()))
            }
            Self::OutOfMemory => ("Runtime.OutOfMemory", "Runtime exited with error: signal: killed".to_owned()),
            Self::CutOff => ("Lambda.SdkClientException", "the caller was cut off".to_owned()),
        };
        let error = json!({"errorType": kind, "errorMessage": format!("RequestId: {request_id} Error: {text}")});
        (error.to_string().into(), true)
    }

    /// One word for logs and progress: `answered`, or the error's type.
    pub fn word(&self) -> String {
        match self.body("") {
            (_, false) => "answered".to_owned(),
            (body, true) => serde_json::from_slice::<serde_json::Value>(&body)
                .ok()
                .and_then(|error| Some(error.get("errorType")?.as_str()?.to_owned()))
                .unwrap_or_else(|| "failed".to_owned()),
        }
    }
}

fn exit_text(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(0), _) => "Runtime exited without providing a reason".to_owned(),
        (Some(code), _) => format!("Runtime exited with error: exit status {code}"),
        (None, Some(9)) => "Runtime exited with error: signal: killed".to_owned(),
        (None, signal) => format!("Runtime exited with error: signal: {}", signal.unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ending_has_the_words_that_a_state_machine_matches() {
        let error = Bytes::from_static(br#"{"errorType":"SourceBusy","errorMessage":"later"}"#);
        let cases = [
            (Outcome::Answered("{}".into()), "answered", ""),
            (Outcome::Failed(error), "SourceBusy", "later"),
            (Outcome::Exited(ExitStatus::from_raw(9)), "Runtime.ExitError", "signal: killed"),
            (Outcome::Exited(ExitStatus::from_raw(101 << 8)), "Runtime.ExitError", "exit status 101"),
            (Outcome::Exited(ExitStatus::from_raw(0)), "Runtime.ExitError", "without providing a reason"),
            (
                Outcome::TimedOut(Duration::from_secs(3)),
                "Sandbox.Timedout",
                "RequestId: r1 Error: Task timed out after 3.00 seconds",
            ),
            (Outcome::OutOfMemory, "Runtime.OutOfMemory", "signal: killed"),
        ];

        for (outcome, word, text) in cases {
            let (body, _) = outcome.body("r1");
            assert_eq!(outcome.word(), word);
            assert!(String::from_utf8_lossy(&body).contains(text), "{body:?} lacks {text}");
        }
    }
}
