//! Which state's function called what: the columns of the matrix are read from it.

use std::collections::BTreeSet;
use std::time::SystemTime;

use local_aws_core::LoggedCall;
use local_aws_lambda::{LambdaHost, Progress};
use tokio::sync::broadcast::Receiver;

/// Listens to the host of the functions.
pub(crate) struct Survey {
    progress: tokio::sync::mpsc::UnboundedReceiver<Began>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Debug)]
struct Began {
    function: String,
    state: String,
    at: SystemTime,
}

impl Survey {
    pub(crate) fn start(host: &LambdaHost) -> Self {
        let (tell, progress) = tokio::sync::mpsc::unbounded_channel();
        let mut invocations: Receiver<Progress> = host.on_invoke();
        let task = tokio::spawn(async move {
            while let Ok(progress) = invocations.recv().await {
                if let Progress::Started { function, state: Some(state), at, .. } = progress {
                    let _nobody_listens = tell.send(Began { function, state, at });
                }
            }
        });
        Self { progress, task }
    }

    /// Each state with each operation that it called, in order.
    pub(crate) fn finish(mut self, calls: &[LoggedCall]) -> Vec<String> {
        self.task.abort();
        let mut began = Vec::new();
        while let Ok(one) = self.progress.try_recv() {
            began.push(one);
        }
        rows(&began, calls)
    }
}

/// A call belongs to the state that last began to call its function.
fn rows(began: &[Began], calls: &[LoggedCall]) -> Vec<String> {
    let (mut seen, mut rows) = (BTreeSet::new(), Vec::new());
    for call in calls {
        let of_function = began.iter().filter(|one| one.function == call.caller && one.at <= call.at);
        let Some(state) = of_function.max_by_key(|one| one.at).map(|one| one.state.trim_start_matches("pgleap-"))
        else {
            continue;
        };
        let row = format!("{state} {}:{}", call.service, call.operation);
        if seen.insert(row.clone()) {
            rows.push(row);
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use local_aws_core::Outcome;

    use super::*;

    #[test]
    fn a_call_belongs_to_the_state_that_began_last() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let began = |state: &str, seconds| Began {
            function: "pgleap-swap-record".to_owned(),
            state: format!("pgleap-upgrade/{state}"),
            at: at(seconds),
        };
        let call = |caller: &str, operation: &str, seconds| LoggedCall {
            number: 0,
            caller: caller.to_owned(),
            service: "route53".to_owned(),
            operation: operation.to_owned(),
            outcome: Outcome::Answered,
            fault: None,
            at: at(seconds),
            took: Duration::ZERO,
        };
        let calls = [
            call("pgleap-swap-record", "GetChange", 2),
            call("pgleap-swap-record", "GetChange", 6),
            call("pgleap-swap-record", "GetChange", 7),
            call("operator", "GetChange", 8),
        ];

        let rows = rows(&[began("AwaitSync", 5), began("SwapRecord", 1)], &calls);

        assert_eq!(rows, ["upgrade/SwapRecord route53:GetChange", "upgrade/AwaitSync route53:GetChange"]);
    }
}
