//! Sessions that the warm-up opened, for the step that follows in the same process: under the fence, clients wait for every
//! login. A session is taken once. Whoever finds none connects as before, so nothing depends on them.
//!
//! A rollback ends every other session of the working login before it claims the outcome, these too.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pgleap_contract::{Run, Server};
use pgleap_pg::Session;

/// How long a session may take to answer before it counts as dead.
const ANSWERS_WITHIN: Duration = Duration::from_millis(500);

/// What the process keeps.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeptSessions {
    sessions: Arc<Mutex<Vec<Kept>>>,
}

#[derive(Debug)]
struct Kept {
    execution: String,
    server: Server,
    session: Session,
}

impl KeptSessions {
    /// Keep these, and nothing from before.
    pub(crate) fn replace(&self, run: &Run, sessions: Vec<(Server, Session)>) {
        let of_run = |(server, session)| Kept { execution: run.execution_arn.clone(), server, session };
        *self.lock() = sessions.into_iter().map(of_run).collect();
    }

    /// One that still answers, with statements that end after `longest`.
    pub(crate) async fn take(&self, run: &Run, server: &Server, longest: Duration) -> Option<Session> {
        loop {
            let session = self.take_any(run, server)?;
            let limit = format!("SET statement_timeout = {}", longest.as_millis().max(1));
            let answer = tokio::time::timeout(ANSWERS_WITHIN, session.run("use a kept session", &limit)).await;
            if matches!(answer, Ok(Ok(()))) {
                return Some(session);
            }
        }
    }

    fn take_any(&self, run: &Run, server: &Server) -> Option<Session> {
        let mut kept = self.lock();
        let fits = |one: &Kept| one.execution == run.execution_arn && is_same(&one.server, server);
        let place = kept.iter().position(fits)?;
        Some(kept.swap_remove(place).session)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Kept>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_same(one: &Server, other: &Server) -> bool {
    (&one.host, one.port, &one.database) == (&other.host, other.port, &other.database)
}
