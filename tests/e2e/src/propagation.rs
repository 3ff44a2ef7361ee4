//! How the changes of the record reached the name servers: a part of the report.

use local_aws::{LocalAws, Propagated, Propagation};
use serde::Serialize;

use crate::cli::RunArguments;

/// How changes of the record came to clients.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DnsReport {
    /// How long a change takes to reach the name servers, in words.
    pub propagation: String,
    /// Seconds for which the clients' resolver kept every answer at least.
    pub minimum_ttl_seconds: u32,
    /// The run's changes of the record, in order.
    pub changes: Vec<ChangeReport>,
}

/// One change of the record.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeReport {
    /// The comment that the run gave it.
    pub comment: String,
    /// Epoch seconds.
    pub submitted_at: f64,
    /// After how many seconds each name server had it.
    pub seconds_by_name_server: Vec<f64>,
}

impl DnsReport {
    /// What was asked for, and what the name servers got until now.
    pub(crate) fn of(arguments: &RunArguments, aws: &LocalAws) -> Self {
        Self {
            propagation: in_words(arguments.propagation),
            minimum_ttl_seconds: arguments.minimum_ttl,
            changes: aws.zones().propagated().into_iter().filter_map(of_run).collect(),
        }
    }

    /// For the screen.
    pub(crate) fn line(&self) -> String {
        let minimum = match self.minimum_ttl_seconds {
            0 => String::new(),
            seconds => format!("; the resolver keeps every answer for at least {seconds} s"),
        };
        format!("  DNS propagation: {}{minimum}", self.propagation)
    }
}

/// An operator's changes have no comment.
fn of_run(change: Propagated) -> Option<ChangeReport> {
    let Propagated { comment, submitted_at, seconds } = change;
    Some(ChangeReport { comment: comment?, submitted_at, seconds_by_name_server: seconds })
}

fn in_words(propagation: Propagation) -> String {
    match propagation {
        Propagation::Fixed(delay) => format!("{} s (set for this rehearsal)", delay.as_secs_f64()),
        Propagation::Spread { shortest, longest } => format!(
            "each name server after {} to {} s, as Route 53 does",
            shortest.as_secs_f64(),
            longest.as_secs_f64()
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_propagation_that_was_used_is_said() {
        let report = |propagation, minimum_ttl_seconds| DnsReport {
            propagation: in_words(propagation),
            minimum_ttl_seconds,
            changes: Vec::new(),
        };

        assert_eq!(
            report(Propagation::REALISTIC, 0).line(),
            "  DNS propagation: each name server after 2 to 40 s, as Route 53 does"
        );
        assert_eq!(
            report(Duration::from_secs(1).into(), 30).line(),
            "  DNS propagation: 1 s (set for this rehearsal); the resolver keeps every answer for at least 30 s"
        );
    }

    #[test]
    fn only_the_runs_own_changes_are_listed() {
        let change = |comment: Option<&str>| Propagated {
            comment: comment.map(str::to_owned),
            submitted_at: 1.0,
            seconds: vec![2.0, 40.0, 7.0, 11.0],
        };

        assert_eq!(of_run(change(None)), None);
        assert_eq!(of_run(change(Some("swap"))).unwrap().seconds_by_name_server, [2.0, 40.0, 7.0, 11.0]);
    }
}
