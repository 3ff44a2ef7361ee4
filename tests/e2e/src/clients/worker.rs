//! One client: a loop of writes over connections that come and go.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::ledger::Effect;
use super::own::{OwnPlanner, OwnTables};
use super::session::{Outcome, Session, describe, passes};
use super::timeline::{Timeline, now};
use super::work::{Kind, Planner, Write};
use super::{Shared, Way};
use crate::connect::Login;
use crate::fixture::Size;

/// A refused client comes again after this time.
const COME_AGAIN: Duration = Duration::from_millis(50);
/// TCP, TLS, password and the first question together.
const LONGEST_CONNECT: Duration = Duration::from_secs(5);

pub(super) struct Worker {
    pub(super) kind: Kind,
    pub(super) login: Login,
    /// It opens a connection for every transaction.
    pub(super) visits: bool,
    pub(super) size: Size,
    pub(super) pace: Duration,
    pub(super) seed: u64,
    /// This client among those of its kind and login.
    pub(super) place: usize,
    /// So many are they.
    pub(super) companions: usize,
    /// The operator's tables.
    pub(super) own: Arc<OwnTables>,
    pub(super) way: Way,
    pub(super) shared: Arc<Shared>,
    pub(super) stopped: watch::Receiver<bool>,
}

impl Worker {
    pub(super) async fn run(self) -> Timeline {
        if self.kind == Kind::Own {
            return self.run_on_own_tables().await;
        }
        let mut planner = Planner::new(self.kind, self.size, self.seed);
        let mut timeline = Timeline::default();
        timeline.visits = self.visits;
        let mut session = None;
        let mut ticks = self.ticks().await;
        while !self.is_stopped() {
            ticks.tick().await;
            if self.visits {
                session = None;
            }
            let write = planner.plan();
            match self.write(&write, &mut session, &mut timeline).await {
                Some(_) => planner.acknowledged(&write),
                None => planner.abandoned(&write),
            }
        }
        timeline
    }

    async fn run_on_own_tables(self) -> Timeline {
        let mut planner = OwnPlanner::new(Arc::clone(&self.own), self.place, self.companions);
        let mut timeline = Timeline::default();
        let mut session = None;
        let mut ticks = self.ticks().await;
        while !self.is_stopped() {
            ticks.tick().await;
            let Some(write) = planner.plan() else { continue };
            let Some(own) = &write.own else { continue };
            match self.write(&write, &mut session, &mut timeline).await {
                Some(returned) => {
                    self.shared.count(own);
                    planner.acknowledged(own, &returned);
                }
                None => planner.forget(own),
            }
        }
        timeline
    }

    /// Clients do not all write at the same moment.
    async fn ticks(&self) -> Interval {
        tokio::time::sleep(self.pace.mul_f64(fastrand::f64())).await;
        let mut ticks = interval(self.pace);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks
    }

    /// Try one write until its outcome is clear or the clients are stopped; if it was acknowledged, what it returned.
    async fn write(
        &self,
        write: &Write,
        session: &mut Option<Session>,
        timeline: &mut Timeline,
    ) -> Option<Vec<Vec<Option<String>>>> {
        while !self.is_stopped() {
            let Some(open) = self.connected(session, timeline).await else { continue };
            let outcome = open.carry_out(write).await;
            let (at, server, dead, returned) = (now(), open.server(), open.is_dead(), open.take_returned());
            let effects = match &write.own {
                Some(own) => own.effects(&returned),
                None => write.effects.clone(),
            };
            if dead || outcome == Outcome::Unknown {
                *session = None;
            }
            match outcome {
                Outcome::Acknowledged => {
                    timeline.acknowledge(server, at);
                    self.settle(&effects, true);
                    return Some(returned);
                }
                Outcome::Unknown => {
                    self.settle(&effects, false);
                    return None;
                }
                Outcome::Refused(why) => {
                    self.shared.fault(why);
                    return None;
                }
                Outcome::Rejected(why) => {
                    self.shared.reject(write.own.as_ref(), why);
                    return None;
                }
                // A session that hangs or that is read-only is not kept: the name may lead elsewhere by now.
                Outcome::Again(why) => {
                    self.shared.trouble(why);
                    *session = None;
                }
            }
        }
        None
    }

    fn settle(&self, effects: &[Effect], acknowledged: bool) {
        let mut ledger = self.shared.ledger();
        if acknowledged {
            ledger.acknowledge(effects);
            self.shared.acknowledged.fetch_add(1, Ordering::Relaxed);
        } else {
            ledger.lose_sight(effects);
        }
    }

    /// The open session, or a new one to where the name leads now; `None` after a moment's wait if that was refused.
    async fn connected<'a>(
        &self,
        session: &'a mut Option<Session>,
        timeline: &mut Timeline,
    ) -> Option<&'a mut Session> {
        if session.is_none() {
            if !timeline.connected.is_empty() && !self.visits {
                self.shared.reconnects.fetch_add(1, Ordering::Relaxed);
            }
            match timeout(LONGEST_CONNECT, self.connect(timeline)).await {
                Ok(Some(new)) => *session = Some(new),
                Ok(None) | Err(_) => tokio::time::sleep(COME_AGAIN).await,
            }
        }
        session.as_mut()
    }

    async fn connect(&self, timeline: &mut Timeline) -> Option<Session> {
        let found = match self.way.host.read().await {
            Ok(host) => self.way.names.resolve(&host).await,
            Err(error) => Err(error),
        };
        let answer = match found {
            Ok(answer) => answer,
            Err(error) => {
                self.shared.trouble(format!("{error:#}"));
                return None;
            }
        };
        timeline.resolve(answer.address, now());
        let connected = self.way.connector.connect(&answer, &self.login, "rehearsal client").await;
        let opened = match connected {
            Ok(client) => self.opened(client).await,
            Err(error) => Err(error),
        };
        match opened {
            Ok(session) => {
                timeline.connect(session.server(), now());
                Some(session)
            }
            Err(error) => {
                let what = format!("connect as {}: {}", self.login.user, describe(&error));
                if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) {
                    timeline.refuse(answer.address, now());
                }
                if is_shut_out(&error) {
                    self.shared.trouble(what)
                } else {
                    self.shared.fault(what)
                }
                None
            }
        }
    }

    async fn opened(&self, client: Client) -> Result<Session, tokio_postgres::Error> {
        let session = Session::open(client).await?;
        if self.kind == Kind::Own {
            session.print_alike().await?;
        }
        Ok(session)
    }

    fn is_stopped(&self) -> bool {
        *self.stopped.borrow()
    }
}

/// A server on its way down or up, or a fence: CONNECT was revoked.
fn is_shut_out(error: &tokio_postgres::Error) -> bool {
    passes(error) || error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE)
}
