//! What an error of a change does, by the task's error policies. Pure.

use super::failure::Failure;
use super::settings::{ErrorBehavior, ErrorPolicy};
use super::test_decoding::Operation;

/// What went wrong with a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Problem {
    /// A constraint refused the row, or no row was there to change.
    Conflict(String),
    /// A value does not fit or does not travel.
    Data(String),
    /// The table itself cannot be written.
    Table(String),
}

impl Problem {
    /// Sort a server's refusal; none if the environment failed and the change may be tried again.
    pub(crate) fn of(failure: &Failure) -> Option<Self> {
        if failure.is_recoverable() {
            return None;
        }
        let text = failure.odbc_text();
        Some(match failure.code().unwrap_or_default() {
            code if code.starts_with("23") || code.starts_with("P0") => Self::Conflict(text),
            code if code.starts_with("22") => Self::Data(text),
            _ => Self::Table(text),
        })
    }

    /// The text for the exceptions table.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Conflict(text) | Self::Data(text) | Self::Table(text) => text,
        }
    }
}

/// Errors that a table had before this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct EarlierErrors {
    pub(crate) data: u64,
    pub(crate) apply: u64,
    /// Of the whole task.
    pub(crate) tables: u64,
}

/// What is done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// Leave the record out without a word.
    Ignore,
    /// Write it to the exceptions table and go on.
    Log,
    /// The table stops, the others go on.
    Suspend,
    /// The task fails.
    Stop,
    /// Write the record over what is there, or make what is not there.
    Upsert,
}

/// Judge a problem.
pub(crate) fn remedy(
    problem: &Problem,
    operation: Operation,
    earlier: EarlierErrors,
    behavior: &ErrorBehavior,
) -> Remedy {
    let escalates = |count: u64, limit: u64| limit > 0 && count + 1 >= limit;
    let policy = match problem {
        Problem::Data(_) if escalates(earlier.data, behavior.data_error_escalation_count) => {
            behavior.data_error_escalation_policy
        }
        Problem::Data(_) => behavior.data_error_policy,
        Problem::Table(_) if escalates(earlier.tables, behavior.table_error_escalation_count) => {
            behavior.table_error_escalation_policy
        }
        Problem::Table(_) => behavior.table_error_policy,
        Problem::Conflict(_) if escalates(earlier.apply, behavior.apply_error_escalation_count) => {
            behavior.apply_error_escalation_policy
        }
        Problem::Conflict(_) => match operation {
            Operation::Insert => behavior.apply_error_insert_policy,
            Operation::Update => behavior.apply_error_update_policy,
            Operation::Delete => behavior.apply_error_delete_policy,
        },
    };
    match policy {
        ErrorPolicy::IgnoreRecord => Remedy::Ignore,
        ErrorPolicy::LogError => Remedy::Log,
        ErrorPolicy::SuspendTable => Remedy::Suspend,
        ErrorPolicy::StopTask => Remedy::Stop,
        ErrorPolicy::InsertRecord | ErrorPolicy::UpdateRecord => Remedy::Upsert,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::data::settings::{TaskSettings, complete};

    fn behavior(changes: serde_json::Value) -> ErrorBehavior {
        let document = complete(Some(&json!({ "ErrorBehavior": changes }).to_string())).unwrap();
        TaskSettings::read(&document).unwrap().error_behavior
    }

    fn conflict() -> Problem {
        Problem::Conflict(String::new())
    }

    #[test]
    fn the_defaults_hide_loss_as_documented() {
        let defaults = behavior(json!({}));
        let none = EarlierErrors::default();
        let cases = [
            (conflict(), Operation::Insert, Remedy::Log),
            (conflict(), Operation::Update, Remedy::Log),
            (conflict(), Operation::Delete, Remedy::Ignore),
            (Problem::Data(String::new()), Operation::Insert, Remedy::Log),
            (Problem::Table(String::new()), Operation::Insert, Remedy::Suspend),
        ];

        for (problem, operation, expected) in cases {
            assert_eq!(remedy(&problem, operation, none, &defaults), expected, "{problem:?} {operation}");
        }
    }

    #[test]
    fn policies_and_escalations_are_kept() {
        let strict = behavior(json!({
            "ApplyErrorInsertPolicy": "INSERT_RECORD", "ApplyErrorUpdatePolicy": "SUSPEND_TABLE",
            "DataErrorEscalationCount": 3, "DataErrorEscalationPolicy": "STOP_TASK",
        }));
        let earlier = |data| EarlierErrors { data, ..EarlierErrors::default() };
        let data = || Problem::Data(String::new());

        assert_eq!(remedy(&conflict(), Operation::Insert, earlier(0), &strict), Remedy::Upsert);
        assert_eq!(remedy(&conflict(), Operation::Update, earlier(0), &strict), Remedy::Suspend);
        assert_eq!(remedy(&data(), Operation::Insert, earlier(1), &strict), Remedy::Log);
        assert_eq!(remedy(&data(), Operation::Insert, earlier(2), &strict), Remedy::Stop);
    }

    #[test]
    fn refusals_of_a_server_are_sorted() {
        let server = |code: &str| Failure::Server {
            severity: "ERROR".to_owned(),
            code: code.to_owned(),
            message: "m".to_owned(),
        };

        assert!(matches!(Problem::of(&server("23505")), Some(Problem::Conflict(_))));
        assert!(matches!(Problem::of(&server("22003")), Some(Problem::Data(_))));
        assert!(matches!(Problem::of(&server("428C9")), Some(Problem::Table(_))));
        assert_eq!(Problem::of(&server("57P01")), None);
    }
}
