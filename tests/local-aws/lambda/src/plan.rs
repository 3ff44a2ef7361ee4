//! Planned disturbances of invocations to come: killed, frozen, failed, or held until somebody lets them go on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};

/// Kill one invocation of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KillPlan {
    /// The function's name.
    pub function: String,
    /// Which invocation from now on: 1 is the next one.
    pub invocation: u64,
    /// When in that invocation.
    pub when: KillWhen,
}

/// The moment of a planned kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KillWhen {
    /// Before its n-th call of an AWS API in that invocation; 1 is the first.
    BeforeCall(u64),
    /// So long after the sandbox took the invocation up.
    After(Duration),
    /// When it has answered: the work is done, the caller sees `Runtime.ExitError`.
    Answered,
}

/// Invocations that a plan is about: all of a function, or all by one state of a state machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The function's name.
    Function(String),
    /// Machine and state, `pgleap-upgrade/DrainSource`; only the local Step Functions says which state calls.
    State(String),
}

/// A disturbance of some of the invocations at a place.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Whose invocations; they are counted together, from when the plan is made.
    pub places: Vec<Place>,
    /// The first that it strikes; 1 is the next one.
    pub first: u64,
    /// The last that it strikes; `None` for all from the first on.
    pub last: Option<u64>,
    /// What happens to them.
    pub what: What,
}

/// What happens to an invocation.
#[derive(Debug, Clone)]
pub enum What {
    /// Its process is killed.
    Kill(KillWhen),
    /// Its process is stopped (SIGSTOP) and later goes on (SIGCONT) with what it was doing.
    Freeze {
        /// So long after the sandbox took the invocation up; at zero before the process sees it.
        after: Duration,
        /// So long it is stopped.
        frozen: Duration,
        /// The connection of its caller ends when it is stopped, so that a Retry finds another process. If not, the
        /// caller waits on.
        cut_off: bool,
    },
    /// No process sees it; it fails with this `errorType`.
    Fail(String),
    /// No process sees it until whoever receives it lets it go.
    Hold(mpsc::UnboundedSender<Held>),
}

/// An invocation that no process has seen yet. Dropped, it goes on.
#[derive(Debug)]
pub struct Held {
    /// What it was called with.
    pub payload: Bytes,
    _go: oneshot::Sender<()>,
}

/// How often a plan has struck.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Struck {
    /// Invocations that it was applied to.
    pub begun: u64,
    /// Those of them that are over; one that was frozen has then gone on and ended.
    pub over: u64,
    /// Those that are over and met what was planned; a call may end before its planned moment.
    pub hit: u64,
}

/// A plan as its maker sees it. Dropping it leaves the plan in force.
#[derive(Debug, Clone)]
pub struct Planned {
    struck: watch::Receiver<Struck>,
    lifted: Arc<Mutex<bool>>,
}

impl Planned {
    /// How often it has struck.
    pub fn struck(&self) -> Struck {
        *self.struck.borrow()
    }

    /// Wait until `enough` holds; false if the host ended before.
    pub async fn wait_for(&self, enough: impl FnMut(&Struck) -> bool) -> bool {
        self.struck.clone().wait_for(enough).await.is_ok()
    }

    /// From now on it strikes nothing more.
    pub fn lift(&self) {
        *self.lifted.lock().unwrap_or_else(PoisonError::into_inner) = true;
    }
}

/// The plans of a host.
#[derive(Debug, Default)]
pub(crate) struct Plans(Mutex<Vec<Made>>);

#[derive(Debug)]
struct Made {
    plan: Plan,
    seen: u64,
    struck: Arc<watch::Sender<Struck>>,
    lifted: Arc<Mutex<bool>>,
}

/// What is planned for one invocation; dropped when it is over.
#[derive(Debug, Default)]
pub(crate) struct Strikes {
    what: Vec<What>,
    tell: Vec<Arc<watch::Sender<Struck>>>,
    hit: AtomicBool,
}

/// A planned stop of the process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Freeze {
    pub(crate) after: Duration,
    pub(crate) frozen: Duration,
    pub(crate) cut_off: bool,
}

impl Plans {
    pub(crate) fn add(&self, plan: Plan) -> Planned {
        let (struck, lifted) = (Arc::new(watch::Sender::new(Struck::default())), Arc::default());
        let planned = Planned { struck: struck.subscribe(), lifted: Arc::clone(&lifted) };
        let made = Made { plan, seen: 0, struck, lifted };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(made);
        planned
    }

    /// An invocation begins: what is planned for it. Every plan that it belongs to counts it.
    pub(crate) fn take(&self, function: &str, state: Option<&str>) -> Strikes {
        let mut strikes = Strikes::default();
        for made in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter_mut() {
            let is_there = |place: &Place| match place {
                Place::Function(name) => name == function,
                Place::State(name) => Some(name.as_str()) == state,
            };
            if *made.lifted.lock().unwrap_or_else(PoisonError::into_inner) || !made.plan.places.iter().any(is_there) {
                continue;
            }
            made.seen += 1;
            if made.seen >= made.plan.first && made.plan.last.is_none_or(|last| made.seen <= last) {
                made.struck.send_modify(|struck| struck.begun += 1);
                strikes.what.push(made.plan.what.clone());
                strikes.tell.push(Arc::clone(&made.struck));
            }
        }
        strikes
    }
}

impl Drop for Strikes {
    fn drop(&mut self) {
        let hit = u64::from(self.hit.load(Ordering::Acquire));
        for struck in &self.tell {
            struck.send_modify(|struck| (struck.over, struck.hit) = (struck.over + 1, struck.hit + hit));
        }
    }
}

impl Strikes {
    /// What was planned for this invocation has happened to it.
    pub(crate) fn hit(&self) {
        self.hit.store(true, Ordering::Release);
    }

    pub(crate) fn kills(&self) -> Vec<KillWhen> {
        let kill = |what: &What| if let What::Kill(when) = what { Some(*when) } else { None };
        self.what.iter().filter_map(kill).collect()
    }

    pub(crate) fn freeze(&self) -> Option<Freeze> {
        self.what.iter().find_map(|what| match what {
            What::Freeze { after, frozen, cut_off } => {
                Some(Freeze { after: *after, frozen: *frozen, cut_off: *cut_off })
            }
            _ => None,
        })
    }

    pub(crate) fn failure(&self) -> Option<&str> {
        self.what.iter().find_map(|what| if let What::Fail(error) = what { Some(error.as_str()) } else { None })
    }

    /// Wait for everybody who holds this invocation.
    pub(crate) async fn let_go(&self, payload: &Bytes) {
        for what in &self.what {
            let What::Hold(holder) = what else { continue };
            let (go, gone) = oneshot::channel();
            if holder.send(Held { payload: payload.clone(), _go: go }).is_ok() {
                let _dropped = gone.await;
                self.hit();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(places: Vec<Place>, first: u64, last: Option<u64>) -> Plan {
        Plan { places, first, last, what: What::Kill(KillWhen::Answered) }
    }

    #[test]
    fn a_plan_strikes_the_invocations_that_it_names_and_no_other() {
        let plans = Plans::default();
        let by_function = plans.add(plan(vec![Place::Function("a".to_owned())], 2, Some(2)));
        let by_state = plans.add(plan(vec![Place::State("m/S".to_owned())], 1, None));

        let calls = [("a", None), ("b", Some("m/S")), ("a", None), ("a", Some("m/T")), ("b", Some("m/S"))];
        let struck: Vec<_> =
            calls.into_iter().map(|(function, state)| plans.take(function, state).what.len()).collect();

        assert_eq!(struck, [0, 1, 1, 0, 1]);
        assert_eq!((by_function.struck().over, by_state.struck().over), (1, 2));
    }

    #[test]
    fn a_plan_that_was_lifted_strikes_nothing_more() {
        let plans = Plans::default();
        let planned = plans.add(plan(vec![Place::Function("a".to_owned())], 1, None));

        let before = plans.take("a", None);
        planned.lift();
        let after = plans.take("a", None);

        assert_eq!((before.what.len(), after.what.len()), (1, 0));
        assert_eq!(planned.struck(), Struck { begun: 1, over: 0, hit: 0 }, "the first is not over yet");
    }
}
