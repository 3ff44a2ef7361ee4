//! Planned faults: the n-th call of an operation is throttled, refused, hangs, dies, or is carried out and its
//! answer lost. They act at the gateway, so no service knows of them.

use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What happens to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Refused as the service throttles, nothing is carried out.
    Throttle,
    /// Refused as the service refuses what no policy allows, nothing is carried out.
    Deny,
    /// Refused, nothing is carried out.
    Error {
        /// Code on the wire.
        code: String,
        /// HTTP status.
        status: u16,
        /// Text for the caller.
        message: String,
    },
    /// Nothing is carried out and nothing is answered; the connection ends after this time.
    Hang(Duration),
    /// The connection ends before anything is carried out.
    Die,
    /// Carried out, but the connection ends before the answer.
    LoseAnswer,
}

/// A fault and the calls that it strikes.
///
/// Text form, for the command line and the environment: `service:operation:which:effect`, for one caller
/// `access-key-id@service:..`. `operation` may be `*`. `which` counts the calls that match: `2` (the second), `1-3`,
/// `2-` (from the second on), `*`. `effect` is `throttle`, `deny`, `die`, `lose-answer`, `hang=SECONDS`, or
/// `error=CODE,STATUS,MESSAGE`. Example: `dms:StartReplicationTask:1:lose-answer`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The service's name in the model, e.g. `dms`.
    pub service: String,
    /// The operation; `*` for all of the service.
    pub operation: String,
    /// Only calls of this access key id.
    pub caller: Option<String>,
    /// The first call that it strikes, counted from 1 among those that match.
    pub first: u64,
    /// The last call that it strikes; `None` for all from the first on.
    pub last: Option<u64>,
    /// What happens.
    pub effect: Effect,
}

impl Fault {
    /// The n-th call, counted from 1, of one operation.
    pub fn nth(service: &str, operation: &str, n: u64, effect: Effect) -> Self {
        let (service, operation) = (service.to_owned(), operation.to_owned());
        Self { service, operation, caller: None, first: n, last: Some(n), effect }
    }

    /// Every call of one operation.
    pub fn every(service: &str, operation: &str, effect: Effect) -> Self {
        Self { first: 1, last: None, ..Self::nth(service, operation, 1, effect) }
    }

    /// The same, but only for calls of this access key id.
    pub fn by(self, access_key_id: &str) -> Self {
        Self { caller: Some(access_key_id.to_owned()), ..self }
    }

    fn matches(&self, caller: &str, service: &str, operation: &str) -> bool {
        self.service == service
            && (self.operation == "*" || self.operation == operation)
            && self.caller.as_ref().is_none_or(|wanted| wanted == caller)
    }
}

/// A text that is no fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("read fault {text:?}: {reason}")]
pub struct BadFault {
    text: String,
    reason: &'static str,
}

impl FromStr for Fault {
    type Err = BadFault;

    fn from_str(text: &str) -> Result<Self, BadFault> {
        let bad = |reason| BadFault { text: text.to_owned(), reason };
        let mut parts = text.splitn(4, ':');
        let mut next = || parts.next().filter(|part| !part.is_empty());
        let who = next().ok_or_else(|| bad("no service; the form is service:operation:which:effect"))?;
        let operation = next().ok_or_else(|| bad("no operation"))?;
        let which = next().ok_or_else(|| bad("no call; write 1, 1-3, 2- or *"))?;
        let effect = next().ok_or_else(|| bad("no effect"))?;
        let (caller, service) = match who.split_once('@') {
            Some((caller, service)) => (Some(caller.to_owned()), service),
            None => (None, who),
        };
        let (first, last) = calls(which).ok_or_else(|| bad("which call is not 1, 1-3, 2- or *"))?;
        let effect = parse_effect(effect).ok_or_else(|| bad("the effect is unknown"))?;
        Ok(Self { service: service.to_owned(), operation: operation.to_owned(), caller, first, last, effect })
    }
}

fn calls(which: &str) -> Option<(u64, Option<u64>)> {
    let (first, last) = match which.split_once('-') {
        _ if which == "*" => (1, None),
        None => (which.parse().ok()?, Some(which.parse().ok()?)),
        Some((first, "")) => (first.parse().ok()?, None),
        Some((first, last)) => (first.parse().ok()?, Some(last.parse().ok()?)),
    };
    (first >= 1 && last.is_none_or(|last| last >= first)).then_some((first, last))
}

fn parse_effect(text: &str) -> Option<Effect> {
    match text.split_once('=') {
        None => match text {
            "throttle" => Some(Effect::Throttle),
            "deny" => Some(Effect::Deny),
            "die" => Some(Effect::Die),
            "lose-answer" => Some(Effect::LoseAnswer),
            _ => None,
        },
        Some(("hang", seconds)) => Duration::try_from_secs_f64(seconds.parse().ok()?).ok().map(Effect::Hang),
        Some(("error", rest)) => {
            let mut parts = rest.splitn(3, ',');
            let code = parts.next().filter(|code| !code.is_empty())?.to_owned();
            let status = parts.next().map_or(Some(400), |status| status.parse().ok())?;
            let message = parts.next().unwrap_or("planned fault").to_owned();
            Some(Effect::Error { code, status, message })
        }
        Some(_) => None,
    }
}

/// The planned faults of one stand-in; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    planned: Arc<Mutex<Vec<Planned>>>,
}

#[derive(Debug)]
struct Planned {
    fault: Fault,
    seen: u64,
    struck: u64,
    lifted: bool,
}

impl Faults {
    /// Plan one more. Its calls are counted from now on.
    pub fn plan(&self, fault: Fault) {
        self.lock().push(Planned { fault, seen: 0, struck: 0, lifted: false });
    }

    /// Plan one no more.
    pub fn lift(&self, fault: &Fault) {
        self.lock().iter_mut().filter(|planned| planned.fault == *fault).for_each(|planned| planned.lifted = true);
    }

    /// Plan nothing any more.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// The planned faults with the number of calls that each has struck, in the order of planning.
    pub fn struck(&self) -> Vec<(Fault, u64)> {
        self.lock().iter().map(|planned| (planned.fault.clone(), planned.struck)).collect()
    }

    /// Count a call; what strikes it, if anything does. The fault planned first wins.
    pub fn strike(&self, caller: &str, service: &str, operation: &str) -> Option<Effect> {
        let mut effect = None;
        let mut all = self.lock();
        let is_meant = |planned: &&mut Planned| !planned.lifted && planned.fault.matches(caller, service, operation);
        for planned in all.iter_mut().filter(is_meant) {
            planned.seen += 1;
            let due = planned.seen >= planned.fault.first && planned.fault.last.is_none_or(|last| planned.seen <= last);
            if due && effect.is_none() {
                planned.struck += 1;
                effect = Some(planned.fault.effect.clone());
            }
        }
        effect
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Planned>> {
        self.planned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_form_says_it_all() {
        let error =
            Effect::Error { code: "AccessDenied".to_owned(), status: 403, message: "no, never: not you".to_owned() };
        let cases = [
            (
                "dms:StartReplicationTask:1:lose-answer",
                Fault::nth("dms", "StartReplicationTask", 1, Effect::LoseAnswer),
            ),
            ("rds:*:*:throttle", Fault::every("rds", "*", Effect::Throttle)),
            ("A@rds:X:*:deny", Fault::every("rds", "X", Effect::Deny).by("A")),
            ("PGLEAPSWAP@route53:GetChange:2:die", Fault::nth("route53", "GetChange", 2, Effect::Die).by("PGLEAPSWAP")),
            (
                "rds:X:3-:hang=0.5",
                Fault { first: 3, ..Fault::every("rds", "X", Effect::Hang(Duration::from_millis(500))) },
            ),
            (
                "rds:X:2-4:error=AccessDenied,403,no, never: not you",
                Fault { first: 2, last: Some(4), ..Fault::every("rds", "X", error) },
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_text_that_is_no_fault_says_why() {
        for text in [
            "",
            "rds",
            "rds:X",
            "rds:X:1",
            "rds:X:0:die",
            "rds:X:3-2:die",
            "rds:X:one:die",
            "rds:X:1:explode",
            "rds:X:1:hang=-1",
        ] {
            assert!(text.parse::<Fault>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_fault_that_was_lifted_strikes_nothing_more_and_is_still_counted() {
        let (faults, fault) = (Faults::default(), Fault::every("rds", "X", Effect::Deny));
        faults.plan(fault.clone());

        let before = faults.strike("A", "rds", "X");
        faults.lift(&fault);

        assert_eq!((before, faults.strike("A", "rds", "X")), (Some(Effect::Deny), None));
        assert_eq!(faults.struck(), [(fault, 1)]);
    }

    #[test]
    fn only_the_planned_calls_are_struck() {
        let faults = Faults::default();
        faults.plan(Fault { first: 2, last: Some(3), ..Fault::every("rds", "X", Effect::Die) }.by("A"));

        let struck: Vec<bool> = (0..4).map(|_| faults.strike("A", "rds", "X").is_some()).collect();

        assert_eq!(struck, [false, true, true, false]);
        assert_eq!(faults.strike("B", "rds", "X"), None);
        assert_eq!(faults.strike("A", "rds", "Y"), None);
        assert_eq!(faults.struck()[0].1, 2);
    }
}
