//! What can go wrong with a database, sorted by what the caller can do about it.

use pgleap_contract::redact;
use tokio_postgres::error::SqlState;

/// What kind of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PgErrorKind {
    /// No answer, connection lost, server starting or shutting down: try again.
    Unreachable,
    /// Wrong password, no CONNECT, no right for the statement.
    Denied,
    /// Lock or statement time-out, deadlock, serialisation: try again.
    Busy,
    /// The cutover that the call was for is decided: nothing is done for it any more.
    Decided,
    /// The deadline of the cutover has passed on the server's clock.
    Late,
    /// Any other answer of the server, or a defect of ours.
    Failed,
}

/// A failure, with what was attempted and the server's words.
#[derive(Debug, thiserror::Error)]
#[error("{doing}: {reason}")]
pub struct PgError {
    /// What was attempted: verb and object.
    pub doing: String,
    /// The whole chain of causes in one line; never a password, a verifier or row data of a DETAIL.
    pub reason: String,
    /// SQLSTATE, if the server answered.
    pub state: Option<SqlState>,
    /// What kind of failure it is.
    pub kind: PgErrorKind,
}

impl PgError {
    pub(crate) fn unreachable(doing: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { doing: doing.into(), reason: reason.into(), state: None, kind: PgErrorKind::Unreachable }
    }

    pub(crate) fn failed(doing: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { doing: doing.into(), reason: reason.into(), state: None, kind: PgErrorKind::Failed }
    }

    /// Sort an error of tokio-postgres.
    pub fn new(doing: impl Into<String>, error: &tokio_postgres::Error) -> Self {
        let (kind, reason, state) = match error.as_db_error() {
            Some(db) => (
                kind_of(db.code(), db.message()),
                format!("{} ({})", redact(db.message()), db.code().code()),
                Some(db.code().clone()),
            ),
            None => (PgErrorKind::Unreachable, chain(error), None),
        };
        Self { doing: doing.into(), reason, state, kind }
    }
}

/// The words of `access.sql` are its own; two transactions that change one database's grants meet as an internal error.
fn kind_of(state: &SqlState, message: &str) -> PgErrorKind {
    match &state.code()[..2] {
        _ if state.code() == "PGL01" => PgErrorKind::Decided,
        _ if state.code() == "PGL02" => PgErrorKind::Late,
        _ if *state == SqlState::INTERNAL_ERROR && message.starts_with("tuple concurrently") => PgErrorKind::Busy,
        "08" => PgErrorKind::Unreachable,
        _ if [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN, SqlState::CANNOT_CONNECT_NOW].contains(state) => {
            PgErrorKind::Unreachable
        }
        "28" => PgErrorKind::Denied,
        _ if *state == SqlState::INSUFFICIENT_PRIVILEGE => PgErrorKind::Denied,
        "40" | "53" | "55" => PgErrorKind::Busy,
        _ if *state == SqlState::QUERY_CANCELED => PgErrorKind::Busy,
        _ => PgErrorKind::Failed,
    }
}

/// tokio-postgres hides causes behind words like "db error": walk them.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_sort_into_kinds() {
        let cases = [
            ("08006", PgErrorKind::Unreachable),
            ("57P01", PgErrorKind::Unreachable),
            ("57P03", PgErrorKind::Unreachable),
            ("28P01", PgErrorKind::Denied),
            ("42501", PgErrorKind::Denied),
            ("40P01", PgErrorKind::Busy),
            ("55P03", PgErrorKind::Busy),
            ("57014", PgErrorKind::Busy),
            ("53300", PgErrorKind::Busy),
            ("42P01", PgErrorKind::Failed),
            ("XX000", PgErrorKind::Failed),
            ("PGL01", PgErrorKind::Decided),
            ("PGL02", PgErrorKind::Late),
            ("PGL03", PgErrorKind::Failed),
        ];
        for (code, kind) in cases {
            assert_eq!(kind_of(&SqlState::from_code(code), "words"), kind, "{code}");
        }
        // Two grants on one database at the same moment.
        assert_eq!(kind_of(&SqlState::INTERNAL_ERROR, "tuple concurrently updated"), PgErrorKind::Busy);
    }
}
