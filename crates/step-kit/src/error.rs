//! A step's failure: a word of the contract, a sentence, and the cause.

use lambda_runtime::Diagnostic;
use pgleap_contract::{ErrorCode, redact};
use pgleap_pg::{PgError, PgErrorKind};

use crate::aws::{AwsError, Class};

/// What a step returns.
pub type StepResult<T> = Result<T, StepError>;

/// A step's failure. Retry and Catch of the machine match on the word; people read the message.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct StepError {
    /// The word that becomes `errorType`.
    pub code: ErrorCode,
    /// "verb object: reason", with the cause's words; lower case, no full stop, no secret.
    pub message: String,
    /// The cause.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl StepError {
    /// A failure in the step's own words.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), source: None }
    }

    /// A state that cannot be: a defect of pgleap.
    pub fn bug(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Bug, message)
    }
}

impl From<AwsError> for StepError {
    fn from(error: AwsError) -> Self {
        let code = match error.class {
            Class::Throttled => ErrorCode::Throttled,
            Class::WrongState => ErrorCode::ResourceBusy,
            Class::Denied => ErrorCode::AccessDenied,
            Class::Unavailable => ErrorCode::ServiceUnavailable,
            Class::Quota => ErrorCode::QuotaExceeded,
            Class::Capacity => ErrorCode::InsufficientCapacity,
            Class::NotFound | Class::AlreadyThere | Class::Refused | Class::Bug => ErrorCode::Bug,
        };
        Self { code, message: error.to_string(), source: Some(Box::new(error)) }
    }
}

impl From<PgError> for StepError {
    fn from(error: PgError) -> Self {
        let code = match error.kind {
            PgErrorKind::Unreachable => ErrorCode::DatabaseUnreachable,
            PgErrorKind::Denied => ErrorCode::DatabaseDenied,
            PgErrorKind::Busy => ErrorCode::ResourceBusy,
            PgErrorKind::Decided => ErrorCode::AlreadyBack,
            PgErrorKind::Late => ErrorCode::DeadlinePassed,
            PgErrorKind::Failed => ErrorCode::StatementFailed,
        };
        Self { code, message: error.to_string(), source: Some(Box::new(error)) }
    }
}

/// Step Functions sees the word, not a Rust type's name, only through this conversion. The message goes into histories and
/// notifications: what was not redacted where it entered is redacted here.
impl From<StepError> for Diagnostic {
    fn from(error: StepError) -> Self {
        Self { error_type: error.code.word().to_owned(), error_message: redact(&error.message) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verifier_in_a_message_does_not_leave_the_function() {
        let log = "ALTER ROLE a PASSWORD 'SCRAM-SHA-256$4096:c2FsdA==$U3RvcmVk:U2VydmVy'";

        let left = Diagnostic::from(StepError::new(ErrorCode::UpgradeRefused, log));

        assert_eq!(left.error_message, "ALTER ROLE a PASSWORD (a password)");
        assert_eq!(left.error_type, "UpgradeRefused");
    }
}
