//! What can go wrong with a real server on this machine.

use std::path::{Path, PathBuf};

/// A failure of the machine below the stand-in, never an answer that AWS would give.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server programs are not where they should be.
    #[error("find PostgreSQL {major}: no {path} (run `make setup`)")]
    NoBinaries {
        /// The major looked for.
        major: u16,
        /// The program that is not there.
        path: PathBuf,
    },
    /// A file or folder could not be made, read or removed.
    #[error("{what} {path}: {source}")]
    File {
        /// Verb.
        what: &'static str,
        /// Object.
        path: PathBuf,
        /// Reason.
        source: std::io::Error,
    },
    /// A PostgreSQL program ended with an error; the text holds the end of what it printed.
    #[error("run {program}: {status}: {output}")]
    Program {
        /// Its name.
        program: String,
        /// Its exit status.
        status: String,
        /// The end of its output.
        output: String,
    },
    /// A server did not become ready or did not stop.
    #[error("{what} the server of {cluster}: {reason}")]
    Server {
        /// Verb.
        what: &'static str,
        /// The cluster's name.
        cluster: String,
        /// The last thing known of it.
        reason: String,
    },
    /// The server answered an error, or the connection broke.
    #[error("{what}: {}", with_cause(.source))]
    Sql {
        /// Verb and object.
        what: String,
        /// The driver's error.
        source: tokio_postgres::Error,
    },
    /// A certificate could not be made.
    #[error("make a certificate: {0}")]
    Certificate(String),
    /// No address or port was free.
    #[error("find a free address: {0}")]
    NoAddress(String),
}

/// The driver's own text hides the server's message and the socket's error; both are in its source.
fn with_cause(error: &tokio_postgres::Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

impl Error {
    pub(crate) fn sql(what: impl Into<String>) -> impl FnOnce(tokio_postgres::Error) -> Self {
        let what = what.into();
        move |source| Self::Sql { what, source }
    }

    pub(crate) fn file(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { what, path, source }
    }
}
