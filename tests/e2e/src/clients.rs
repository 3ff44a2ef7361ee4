//! The clients: programs that write through the DNS name from beginning to end, whatever happens behind it.
//!
//! They are the judges of a run. They behave as a decent application does (a lost connection is made anew after the
//! name was resolved again, a refused one after a moment) and remember every write that was acknowledged.

mod judge;
mod ledger;
mod own;
mod session;
mod timeline;
mod work;
mod worker;

pub use judge::{Invariant, find_rows, invariants};
pub use ledger::{Found, Judgement, Ledger};
pub use own::{NotWritten, OwnTables};
pub use timeline::{Span, Timeline, now};
pub use work::{Family, Kind};

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::connect::{Connector, Login};
use crate::fixture::Size;
use crate::follow::HostSource;
use crate::names::Names;
use work::{Operation, OwnWrite};

/// How often a client comes that opens a connection for every transaction.
const VISIT: Duration = Duration::from_secs(1);

/// What the clients are and how hard they work.
#[derive(Debug, Clone)]
pub struct Crew {
    /// Each login with the number of clients that use it.
    pub members: Vec<(Kind, Login, u32)>,
    /// Transactions a second of all together.
    pub tps: u32,
    /// Clients that open a connection for every transaction, one a second each, with the first login.
    pub visitors: u32,
    /// Rows of the fixture that they refer to.
    pub size: Size,
    /// The operator's tables that clients of the kind `Own` write to.
    pub own: Arc<OwnTables>,
}

/// How the clients reach the database.
#[derive(Clone)]
pub struct Way {
    /// Resolver.
    pub names: Arc<Names>,
    /// TLS and port.
    pub connector: Connector,
    /// What they read the host from.
    pub host: HostSource,
}

/// Clients at work.
pub struct Clients {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    workers: JoinSet<Timeline>,
}

/// What all clients share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    ledger: Mutex<Ledger>,
    faults: Mutex<BTreeMap<String, u64>>,
    trouble: Mutex<Option<String>>,
    acknowledged: AtomicU64,
    reconnects: AtomicU64,
    failed_attempts: AtomicU64,
    own_writes: Mutex<OwnWrites>,
}

/// What was written to an operator's tables, by the table's number.
pub type OwnWrites = BTreeMap<usize, OwnCounts>;

/// Acknowledged writes to one table of the operator's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OwnCounts {
    /// Rows inserted.
    pub inserts: u64,
    /// Rows changed outside their key.
    pub updates: u64,
    /// Rows deleted.
    pub deletes: u64,
    /// Rows that got another key.
    pub key_updates: u64,
    /// Writes that a rule of the schema did not take: the clients do not know every rule.
    pub rejected: u64,
    /// The last reason for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why_rejected: Option<String>,
}

/// What the clients saw.
#[derive(Debug)]
pub struct Observed {
    /// Every promise.
    pub ledger: Ledger,
    /// Of all clients together.
    pub together: Timeline,
    /// Of each client.
    pub each: Vec<Timeline>,
    /// Errors that no maintenance explains, with how often they were seen.
    pub faults: BTreeMap<String, u64>,
    /// Connections made after the first one of each client.
    pub reconnects: u64,
    /// Attempts to connect or to write that failed for any reason and were repeated.
    pub failed_attempts: u64,
    /// Writes to the operator's tables.
    pub own_writes: OwnWrites,
}

/// What the clients saw of one cutover.
#[derive(Debug, Clone, Default)]
pub struct Timelines {
    /// All clients as one.
    pub together: Timeline,
    /// Each client.
    pub each: Vec<Timeline>,
}

impl Observed {
    /// What was seen from one moment on, and before another, in epoch seconds.
    pub fn between(&self, from: f64, until: f64) -> Timelines {
        let each: Vec<_> = self.each.iter().map(|one| one.between(from, until)).collect();
        Timelines { together: Timeline::merge(&each), each }
    }
}

impl Clients {
    /// Begin to write.
    pub fn start(crew: &Crew, way: &Way) -> Self {
        let shared = Arc::new(Shared::default());
        let (stop, stopped) = watch::channel(false);
        let count: u32 = crew.members.iter().map(|(_, _, clients)| clients).sum();
        let pace = Duration::from_secs_f64(f64::from(count.max(1)) / f64::from(crew.tps.max(1)));
        let mut workers = JoinSet::new();
        let visitors = crew.members.first().map(|(kind, login, _)| (*kind, login, crew.visitors, true));
        let members = crew.members.iter().map(|(kind, login, clients)| (*kind, login, *clients, false));
        for (kind, login, clients, visits) in members.chain(visitors) {
            for place in 0..clients as usize {
                let worker = worker::Worker {
                    kind,
                    login: login.clone(),
                    visits,
                    size: crew.size,
                    pace: if visits { VISIT } else { pace },
                    seed: workers.len() as u64,
                    place,
                    companions: clients as usize,
                    own: Arc::clone(&crew.own),
                    way: way.clone(),
                    shared: Arc::clone(&shared),
                    stopped: stopped.clone(),
                };
                workers.spawn(worker.run());
            }
        }
        Self { shared, stop, workers }
    }

    /// Acknowledged writes so far.
    pub fn acknowledged(&self) -> u64 {
        self.shared.acknowledged.load(Ordering::Relaxed)
    }

    /// What kept a client from writing most recently, if anything ever did.
    pub fn trouble(&self) -> Option<String> {
        lock(&self.shared.trouble).clone()
    }

    /// A handle that reads the number of acknowledged writes while the clients work.
    pub fn counter(&self) -> impl Fn() -> u64 + Send + Sync + 'static {
        let shared = Arc::clone(&self.shared);
        move || shared.acknowledged.load(Ordering::Relaxed)
    }

    /// Let every client finish the write it is at, and gather what they saw.
    pub async fn stop(mut self) -> Observed {
        self.stop.send_replace(true);
        let mut each = Vec::new();
        while let Some(timeline) = self.workers.join_next().await {
            each.push(timeline.expect("a client does not panic"));
        }
        Observed {
            together: Timeline::merge(&each),
            each,
            ledger: std::mem::take(&mut self.shared.ledger()),
            faults: std::mem::take(&mut lock(&self.shared.faults)),
            reconnects: self.shared.reconnects.load(Ordering::Relaxed),
            failed_attempts: self.shared.failed_attempts.load(Ordering::Relaxed),
            own_writes: std::mem::take(&mut lock(&self.shared.own_writes)),
        }
    }
}

impl Shared {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        lock(&self.ledger)
    }

    fn count(&self, write: &OwnWrite) {
        let mut writes = lock(&self.own_writes);
        let counts = writes.entry(write.table).or_default();
        match write.operation {
            Operation::Insert => counts.inserts += 1,
            Operation::Update => counts.updates += 1,
            Operation::Delete => counts.deletes += 1,
            Operation::KeyUpdate => counts.key_updates += 1,
        }
    }

    fn reject(&self, write: Option<&OwnWrite>, why: String) {
        let Some(write) = write else { return };
        let mut writes = lock(&self.own_writes);
        let counts = writes.entry(write.table).or_default();
        counts.rejected += 1;
        counts.why_rejected = Some(why);
    }

    fn trouble(&self, what: String) {
        tracing::debug!(what, "a client waits");
        self.failed_attempts.fetch_add(1, Ordering::Relaxed);
        *lock(&self.trouble) = Some(what);
    }

    fn fault(&self, what: String) {
        self.trouble(what.clone());
        *lock(&self.faults).entry(what).or_default() += 1;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
