//! What can go wrong between the data plane and a server, in the words in which DMS reports it.

use tokio_postgres::error::SqlState;

/// A failed statement or a failed connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// The server refused a statement.
    #[error("{severity}: {message}")]
    Server {
        /// `ERROR` or `FATAL`.
        severity: String,
        /// SQLSTATE.
        code: String,
        /// The server's text.
        message: String,
    },
    /// No server, no network, no answer, a connection that ended.
    #[error("{0}")]
    Connection(String),
    /// The endpoint's secret could not be read.
    #[error("{0}")]
    Secret(String),
}

/// The server's `ErrorResponse`, taken apart.
pub(crate) fn server_failure(body: &[u8]) -> Failure {
    let (mut severity, mut code, mut message) = (String::new(), String::new(), String::new());
    for field in body.split(|byte| *byte == 0) {
        let Some((kind, text)) = field.split_first() else { continue };
        let text = String::from_utf8_lossy(text).into_owned();
        match kind {
            b'S' => severity = text,
            b'C' => code = text,
            b'M' => message = text,
            _ => {}
        }
    }
    Failure::Server { severity, code, message }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        if let Some(server) = error.as_db_error() {
            return Self::Server {
                severity: server.severity().to_owned(),
                code: server.code().code().to_owned(),
                message: server.message().to_owned(),
            };
        }
        let mut text = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(inner) = cause {
            text = format!("{text}: {inner}");
            cause = inner.source();
        }
        Self::Connection(text)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Connection(error.to_string())
    }
}

impl Failure {
    /// The SQLSTATE, if a server answered.
    pub(crate) fn code(&self) -> Option<&str> {
        match self {
            Self::Server { code, .. } => Some(code),
            _ => None,
        }
    }

    /// Whether trying again later may help: the environment failed, not the statement.
    pub(crate) fn is_recoverable(&self) -> bool {
        match self {
            Self::Connection(_) | Self::Secret(_) => true,
            // A server that refuses a connection is an environment that failed, whatever its reason.
            Self::Server { severity, .. } if severity == "FATAL" => true,
            // The number of slots or connections that a server is configured for does not change by waiting.
            Self::Server { code, .. } if code == "53400" => false,
            Self::Server { code, .. } => {
                // 57P: the server is shutting down or starting; 08: connection; 53: out of resources; 25006: read-only.
                code.starts_with("57P")
                    || code.starts_with("08")
                    || code.starts_with("53")
                    || *code == *SqlState::OBJECT_IN_USE.code()
            }
        }
    }

    /// The driver's part of the texts that DMS shows.
    pub(crate) fn odbc_text(&self) -> String {
        let (state, text) = match self {
            Self::Server { severity, code, message } if severity == "FATAL" => {
                (if code == "28P01" || code == "28000" { "08001" } else { code.as_str() }, format!("FATAL: {message}"))
            }
            Self::Server { code, message, .. } => {
                (code.as_str(), format!("ERROR: {message};,\nError while executing the query"))
            }
            Self::Connection(text) | Self::Secret(text) => ("08001", format!("[unixODBC]{text}")),
        };
        let native = if state == "08001" { 101 } else { 1 };
        format!("RetCode: SQL_ERROR SqlState: {state} NativeError: {native} Message: {text}")
    }

    /// The failure message of a connection test.
    pub(crate) fn connection_test_text(&self) -> String {
        match self {
            Self::Secret(text) => format!(
                "Test Endpoint failed: Application-Status: 1020912, Application-Message: Failed to build connection \
                 string Unable to find Secrets Manager secret, Application-Detailed-Message: Failed to retrieve \
                 secret. {text}"
            ),
            failure => format!(
                "Test Endpoint failed: Application-Status: 1020912, Application-Message: Failed to connect Network \
                 error has occurred, Application-Detailed-Message: {}",
                failure.odbc_text()
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_the_form_of_dms() {
        let refused = Failure::Server {
            severity: "FATAL".to_owned(),
            code: "28000".to_owned(),
            message: "no pg_hba.conf entry for host \"10.0.1.135\", user \"postgres\", database \"d\", no encryption"
                .to_owned(),
        };
        let cases = [
            (
                Failure::Connection("timeout expired".to_owned()),
                "08001 NativeError: 101 Message: [unixODBC]timeout expired",
            ),
            (refused, "SqlState: 08001 NativeError: 101 Message: FATAL: no pg_hba.conf entry for host"),
        ];

        for (failure, expected) in cases {
            let text = failure.connection_test_text();
            assert!(text.starts_with("Test Endpoint failed: Application-Status: 1020912"), "{text}");
            assert!(text.contains(expected), "{text}");
        }
    }

    #[test]
    fn an_error_response_is_taken_apart() {
        let failure = server_failure(b"SERROR\0VERROR\0C23505\0Mduplicate key\0\0");

        assert_eq!(failure.code(), Some("23505"));
        assert_eq!(failure.to_string(), "ERROR: duplicate key");
    }

    #[test]
    fn only_failures_of_the_environment_are_tried_again() {
        let server = |code: &str| Failure::Server {
            severity: "ERROR".to_owned(),
            code: code.to_owned(),
            message: String::new(),
        };

        for code in ["57P01", "57P03", "08006", "53300"] {
            assert!(server(code).is_recoverable(), "{code}");
        }
        for code in ["23505", "42501", "0A000", "53400"] {
            assert!(!server(code).is_recoverable(), "{code}");
        }
        assert!(Failure::Connection("gone".to_owned()).is_recoverable());
        let refused_connection = server_failure(b"SFATAL\0C42501\0Mpermission denied for database\0\0");
        assert!(refused_connection.is_recoverable());
    }
}
