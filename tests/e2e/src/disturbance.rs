//! A planned disturbance of a run, and its text form on the command line.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, Result, bail, ensure};
use local_aws_core::{Effect, Fault};

use crate::person::Answers;
use crate::place::Place;

/// What is disturbed, and where.
#[derive(Debug, Clone, PartialEq)]
pub enum Disturbance {
    /// SIGKILL of a function's process in the middle of its n-th call there.
    Kill {
        /// Where.
        place: Place,
        /// 1 is the first.
        invocation: u64,
        /// So far into it; at 0 before the process sees it.
        milliseconds: u64,
    },
    /// SIGKILL of a function's process when its n-th call there has done its work: the answer is lost.
    Lose {
        /// Where.
        place: Place,
        /// 1 is the first.
        invocation: u64,
    },
    /// The n-th call there is frozen and its caller cut off; when it goes on, the run is elsewhere.
    Zombie {
        /// Where.
        place: Place,
        /// 1 is the first.
        invocation: u64,
        /// It is frozen for so long.
        seconds: u64,
        /// So far into it; at 0 before it has done anything.
        milliseconds: u64,
    },
    /// Every call there fails, until a person mends it after the run, or so many.
    Fail {
        /// Where.
        place: Place,
        /// Its `errorType`.
        error: String,
        /// Only so many calls; then nobody need mend it.
        times: Option<u64>,
    },
    /// StopExecution as soon as a state has begun. What it called goes on.
    StopExecution {
        /// Where.
        place: Place,
    },
    /// As `StopExecution`, and the event of it is lost: only the deadline's schedule is left.
    Leave {
        /// Where.
        place: Place,
    },
    /// A statement on one of the servers, as its superuser, just before the n-th call there.
    Sql {
        /// Where.
        place: Place,
        /// 1 is the first.
        invocation: u64,
        /// On which server, and whether the run waits for it.
        on: Server,
        /// One or several statements.
        sql: Sql,
    },
    /// Something else than a statement is done just before the first call there.
    Do {
        /// Where.
        place: Place,
        /// What.
        deed: Deed,
    },
    /// Calls of an AWS operation are struck.
    Aws {
        /// How.
        how: Strike,
        /// Who calls: a step, or `STATES` for a state machine itself; everybody if absent.
        caller: Option<String>,
        /// Only once this state has begun.
        from: Option<Place>,
        /// The service's name in its model.
        service: String,
        /// The operation.
        operation: String,
    },
    /// The run asks before it interrupts anybody, and a person answers so.
    Answer(Answers),
}

/// Where a statement is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// On the source, before the call goes on.
    Source,
    /// On the target, before the call goes on.
    Target,
    /// On the source, in a session that stays in the statement while the call goes on.
    SourceBeside,
}

/// A statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sql {
    /// A column is added; the run must stop and name the table.
    Ddl,
    /// A table is emptied; the run must stop and name it.
    Truncate,
    /// As given. The run must end well, or the source must serve as before.
    Given(String),
}

/// What a disturbance does, beside statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// The target's server dies by a crash of one of its processes, and comes back.
    CrashTarget,
    /// The deadline's schedule starts its recovery late; the run goes on when that has ended.
    LateDeadline,
    /// Another run of the same source, which was refused, goes back.
    OtherRunGoesBack,
    /// A session writes as a role that is dropped under it, until the rehearsal ends.
    DropRoleUnderSession,
    /// The source's server stops until the run has ended; then its owner starts it again.
    StopSource,
}

/// How calls of an AWS operation are struck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strike {
    /// The first eight are throttled: more than the SDK tries by itself.
    Throttle,
    /// The first eight fail inside the service.
    Unavailable,
    /// The first hangs for longer than the SDK waits.
    Hang,
    /// The first is carried out, and its answer lost.
    Lost,
    /// All are denied, until a person mends it after the run.
    Denied,
}

const STRIKES: &[(&str, Strike)] = &[
    ("throttle", Strike::Throttle),
    ("5xx", Strike::Unavailable),
    ("hang", Strike::Hang),
    ("lost", Strike::Lost),
    ("denied", Strike::Denied),
];
const DEEDS: &[(&str, Deed)] = &[
    ("crash-target", Deed::CrashTarget),
    ("late-deadline", Deed::LateDeadline),
    ("other-run-goes-back", Deed::OtherRunGoesBack),
    ("drop-role-under-session", Deed::DropRoleUnderSession),
    ("stop-source", Deed::StopSource),
];
const SERVERS: &[(&str, Server)] =
    &[("source-sql", Server::Source), ("target-sql", Server::Target), ("source-sql-beside", Server::SourceBeside)];

/// Far enough into an invocation for it to have begun its work, in milliseconds: a look takes six.
const INTO_THE_STEP: u64 = 2;
/// A zombie sleeps so long: the cutover takes less than a second.
const ASLEEP_SECONDS: u64 = 4;
/// What a function reports when its process dies.
const DIED: &str = "Runtime.ExitError";
/// Who signs the calls of a state machine itself.
pub const STATE_MACHINE: &str = "STATES";

impl Disturbance {
    /// Where it happens, if that is known.
    pub fn place(&self) -> Option<&Place> {
        match self {
            Disturbance::Kill { place, .. }
            | Disturbance::Lose { place, .. }
            | Disturbance::Zombie { place, .. }
            | Disturbance::Fail { place, .. }
            | Disturbance::StopExecution { place }
            | Disturbance::Leave { place }
            | Disturbance::Sql { place, .. }
            | Disturbance::Do { place, .. } => Some(place),
            Disturbance::Aws { from, .. } => from.as_ref(),
            Disturbance::Answer(_) => None,
        }
    }

    /// The step whose calls it is about, if it is about one.
    pub fn step(&self) -> Option<String> {
        match self {
            Disturbance::Aws { caller, .. } => caller.clone().filter(|caller| caller != STATE_MACHINE),
            other => other.place()?.step(),
        }
    }

    /// Whether it lasts until somebody mends it.
    pub fn is_for_good(&self) -> bool {
        matches!(
            self,
            Disturbance::Fail { times: None, .. }
                | Disturbance::Aws { how: Strike::Denied, .. }
                | Disturbance::Do { deed: Deed::StopSource, .. }
        )
    }

    /// Whether people cannot be told because of it.
    pub fn silences(&self) -> bool {
        let speaks = |service: &str, operation: &str| {
            matches!((service, operation), ("sns", "Publish") | ("events", "PutEvents"))
        };
        match self {
            Disturbance::Leave { .. } => true,
            Disturbance::Fail { .. } => self.step().as_deref() == Some("tell-people"),
            Disturbance::Aws { how: Strike::Denied, service, operation, caller, .. } => {
                speaks(service, operation) || caller.as_deref() == Some("tell-people")
            }
            _ => false,
        }
    }
}

impl Strike {
    /// The fault of the stand-in.
    pub fn fault(self, service: &str, operation: &str) -> Fault {
        let first = |last, effect| Fault { last: Some(last), ..Fault::every(service, operation, effect) };
        let code = if service == "route53" { "InternalError" } else { "InternalFailure" };
        let (code, message) = (code.to_owned(), "planned failure".to_owned());
        match self {
            Strike::Throttle => first(8, Effect::Throttle),
            Strike::Unavailable => first(8, Effect::Error { code, status: 500, message }),
            Strike::Hang => first(1, Effect::Hang(std::time::Duration::from_secs(30))),
            Strike::Lost => first(1, Effect::LoseAnswer),
            Strike::Denied => Fault::every(service, operation, Effect::Deny),
        }
    }
}

fn known<T: Copy>(words: &[(&str, T)], word: &str) -> Option<T> {
    words.iter().find(|(known, _)| *known == word).map(|(_, value)| *value)
}

fn word<T: PartialEq>(words: &[(&'static str, T)], value: &T) -> &'static str {
    words.iter().find(|(_, known)| known == value).map_or("", |(word, _)| word)
}

impl FromStr for Disturbance {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        if let Ok(answers) = text.parse() {
            return Ok(Self::Answer(answers));
        }
        let (what, rest) = text.split_once(':').with_context(|| format!("{text:?}: want WHAT:WHERE"))?;
        if let Some(how) = known(STRIKES, what) {
            return strike(how, rest).with_context(|| format!("{text:?}"));
        }
        let (place, rest) = rest.split_once(':').unwrap_or((rest, ""));
        let place: Place = place.parse().with_context(|| format!("{text:?}"))?;
        if let Some(on) = known(SERVERS, what) {
            let (number, sql) = rest.split_once(':').unwrap_or(("", rest));
            let (invocation, sql) = number.parse().map_or((1, rest), |number| (number, sql));
            return Ok(Self::Sql { place, invocation, on, sql: Sql::Given(given(sql)?) });
        }
        if what == "fail" {
            let (error, times) = rest.split_once(':').unwrap_or((rest, ""));
            let error = if error.is_empty() { DIED } else { error }.to_owned();
            let times = (!times.is_empty()).then(|| times.parse()).transpose().with_context(|| format!("{text:?}"))?;
            return Ok(Self::Fail { place, error, times });
        }
        let numbers = rest.split(':').filter(|number| !number.is_empty()).map(str::parse);
        let numbers = numbers.collect::<Result<Vec<u64>, _>>().with_context(|| format!("{text:?}"))?;
        let number = |at: usize, usual| numbers.get(at).copied().unwrap_or(usual);
        let (invocation, on) = (number(0, 1), Server::Source);
        let (most, disturbance) = match what {
            "kill" => (2, Self::Kill { place, invocation, milliseconds: number(1, INTO_THE_STEP) }),
            "lose" => (1, Self::Lose { place, invocation }),
            "zombie" => {
                (3, Self::Zombie { place, invocation, seconds: number(1, ASLEEP_SECONDS), milliseconds: number(2, 0) })
            }
            "stop-execution" => (0, Self::StopExecution { place }),
            "leave" => (0, Self::Leave { place }),
            "ddl" => (0, Self::Sql { place, invocation: 1, on, sql: Sql::Ddl }),
            "truncate" => (0, Self::Sql { place, invocation: 1, on, sql: Sql::Truncate }),
            other => match known(DEEDS, other) {
                Some(deed) => (0, Self::Do { place, deed }),
                None => bail!("{other:?} is neither a disturbance nor an answer"),
            },
        };
        ensure!(numbers.len() <= most, "{text:?}: too many parts");
        Ok(disturbance)
    }
}

/// `STEP:service:Operation`, with `*` for every step, and `STEP@STATE` for its calls once a state has begun.
fn strike(how: Strike, text: &str) -> Result<Disturbance> {
    let [caller, service, operation] = text.split(':').collect::<Vec<_>>()[..] else {
        bail!("expected STEP:service:Operation")
    };
    let (caller, from) = match caller.split_once('@') {
        Some((caller, from)) => (caller, Some(from.parse()?)),
        None => (caller, None),
    };
    let caller = match caller {
        "*" => None,
        STATE_MACHINE => Some(caller.to_owned()),
        step => match step.parse::<Place>() {
            Ok(Place::Step(step)) => Some(step),
            _ => bail!("there is no step {step}"),
        },
    };
    Ok(Disturbance::Aws { how, caller, from, service: service.to_owned(), operation: operation.to_owned() })
}

/// `@file`, or the statements themselves.
fn given(text: &str) -> Result<String> {
    ensure!(!text.is_empty(), "the SQL statement is missing");
    match text.strip_prefix('@') {
        None => Ok(text.to_owned()),
        Some(file) => std::fs::read_to_string(file).with_context(|| format!("read {file}")),
    }
}

impl fmt::Display for Disturbance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Disturbance::Kill { place, invocation, milliseconds } => {
                write!(f, "kill:{place}:{invocation}:{milliseconds}")
            }
            Disturbance::Lose { place, invocation } => write!(f, "lose:{place}:{invocation}"),
            Disturbance::Zombie { place, invocation, seconds, milliseconds } => {
                write!(f, "zombie:{place}:{invocation}:{seconds}:{milliseconds}")
            }
            Disturbance::Fail { place, error, times: None } if error == DIED => write!(f, "fail:{place}"),
            Disturbance::Fail { place, error, times: None } => write!(f, "fail:{place}:{error}"),
            Disturbance::Fail { place, error, times: Some(times) } => write!(f, "fail:{place}:{error}:{times}"),
            Disturbance::StopExecution { place } => write!(f, "stop-execution:{place}"),
            Disturbance::Leave { place } => write!(f, "leave:{place}"),
            Disturbance::Sql { place, sql: Sql::Ddl, .. } => write!(f, "ddl:{place}"),
            Disturbance::Sql { place, sql: Sql::Truncate, .. } => write!(f, "truncate:{place}"),
            Disturbance::Sql { place, invocation, on, sql: Sql::Given(sql) } => {
                write!(f, "{}:{place}:{invocation}:{sql}", word(SERVERS, on))
            }
            Disturbance::Do { place, deed } => write!(f, "{}:{place}", word(DEEDS, deed)),
            Disturbance::Aws { how, caller, from, service, operation } => {
                let caller = caller.as_deref().unwrap_or("*");
                let from = from.as_ref().map(|from| format!("@{from}")).unwrap_or_default();
                write!(f, "{}:{caller}{from}:{service}:{operation}", word(STRIKES, how))
            }
            Disturbance::Answer(answers) => write!(f, "{answers}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disturbance_is_read_and_written() {
        let cases = [
            ("kill:copy-data", "kill:copy-data:1:2"),
            ("kill:copy-data:3:40", "kill:copy-data:3:40"),
            ("lose:open-target", "lose:open-target:1"),
            ("zombie:DrainSource", "zombie:DrainSource:1:4:0"),
            ("zombie:DrainSource:2:7:30", "zombie:DrainSource:2:7:30"),
            ("fail:FinishResources", "fail:FinishResources"),
            ("fail:FinishResources:Throttled", "fail:FinishResources:Throttled"),
            ("stop-execution:recover/StartRun", "stop-execution:recover/StartRun"),
            ("leave:drain-source", "leave:drain-source"),
            ("ddl:verify-copy", "ddl:verify-copy"),
            ("source-sql:GuardCutover:SELECT ':1'", "source-sql:GuardCutover:1:SELECT ':1'"),
            ("target-sql:CompleteTarget:2:SELECT 1", "target-sql:CompleteTarget:2:SELECT 1"),
            ("crash-target:CompleteTarget", "crash-target:CompleteTarget"),
            (
                "denied:remove-resources:rds:RemoveTagsFromResource",
                "denied:remove-resources:rds:RemoveTagsFromResource",
            ),
            ("fail:DrainSource:FenceFailed:1", "fail:DrainSource:FenceFailed:1"),
            (
                "denied:start-run@recover/StartRun:rds:DescribeDBInstances",
                "denied:start-run@recover/StartRun:rds:DescribeDBInstances",
            ),
            ("hang:*:route53:GetChange", "hang:*:route53:GetChange"),
            ("lost:STATES:ec2:DescribeSecurityGroupRules", "lost:STATES:ec2:DescribeSecurityGroupRules"),
            ("approve", "approve"),
        ];
        for (text, written) in cases {
            let disturbance: Disturbance = text.parse().unwrap_or_else(|error| panic!("{text}: {error:#}"));
            assert_eq!(disturbance.to_string(), written);
            assert_eq!(written.parse::<Disturbance>().unwrap(), disturbance, "{written}");
        }
    }

    #[test]
    fn what_is_no_disturbance_is_refused() {
        for text in [
            "kill",
            "kill:nothing-known",
            "kill:copy-data:soon",
            "kill:copy-data:1:2:3",
            "ddl:copy-data:2",
            "explode:copy-data",
            "source-sql:copy-data",
            "denied:copy-data:rds",
            "denied:nobody:rds:DescribeDBInstances",
        ] {
            assert!(text.parse::<Disturbance>().is_err(), "{text}");
        }
    }
}
