//! Whether a rehearsal was as promised: the machine's own end, the proof, what was promised for its trouble.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::cli::RunArguments;
use crate::clients::{Observed, Timelines};
use crate::disturbance::Disturbance;
use crate::inventory::{Difference, Inventory, Serving};
use crate::observer::{DrainPoint, FenceTimes};
use crate::promise::Promise;
use crate::proof::{Addresses, Hosts};
use crate::report::{Failure, Outage, Report, ScenarioReport, Status};
use crate::scenario::{ADDED_COLUMN, Armed};
use crate::trouble::Trouble;
use pgleap_cli::follow::{Execution, Standing};
use pgleap_cli::history::message_of;

/// What was seen when the run had ended.
pub(crate) struct Seen {
    pub(crate) standing: Standing,
    pub(crate) execution: Execution,
    pub(crate) observed: Observed,
    /// What they saw of the upgrade's cutover.
    pub(crate) cutover: Timelines,
    pub(crate) drain: Option<DrainPoint>,
    pub(crate) fence: FenceTimes,
    /// Everybody was led back to the source after the upgrade.
    pub(crate) has_returned: bool,
    pub(crate) addresses: Addresses,
    pub(crate) hosts: Hosts,
    /// What there was before the run.
    pub(crate) before: Inventory,
    /// What there is after it.
    pub(crate) after: Inventory,
}

impl Seen {
    /// Whether the target serves at the end.
    pub(crate) fn target_serves(&self) -> bool {
        !self.has_returned && self.addresses.target_serves(&self.observed)
    }
}

/// The verdict: the machine's own end, then the proof, then what was promised for the disturbance.
pub(crate) fn judge(report: &mut Report, arguments: &RunArguments, seen: &Seen, armed: &[Armed]) {
    let standing = &seen.standing;
    report.not_mended = not_mended(&arguments.faults, &report.repairs);
    let left_behind = left_behind(arguments, seen);
    report.left_behind = left_behind.words();
    report.wrong_records = left_behind.records;
    report.untold = untold(report, arguments, seen);
    let faults = if arguments.plan { changed(report, seen) } else { report.faults() };
    let succeeded = standing.status.as_str() == "SUCCEEDED";
    report.status = if succeeded && faults.is_empty() { Status::Succeeded } else { Status::Failed };
    report.error = if !succeeded {
        let error = standing.error.clone().unwrap_or_else(|| standing.status.as_str().to_owned());
        Some(Failure { error, cause: standing.cause.as_deref().map(message_of).unwrap_or_default() })
    } else if !faults.is_empty() {
        Some(Failure { error: "ProofFailed".to_owned(), cause: faults.join("; ") })
    } else {
        None
    };
    if arguments.plan {
        let promise = "a plan changes nothing".to_owned();
        let mut broken = faults;
        broken.extend(report.error.as_ref().map(|failure| format!("the run ended with {}", failure.error)));
        report.scenario = Some(ScenarioReport { name: "plan".to_owned(), promise, broken });
        return;
    }
    if !arguments.faults.is_empty() && arguments.disturbances.is_empty() {
        let name = arguments.faults.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let ending = arguments.faults.iter().find_map(|trouble| trouble.ends_with());
        let promise = ending.map_or(Promise::Completes, |(error, word)| Promise::StopsWith(error, word));
        let mut broken = broken_promises(promise, report, arguments, seen);
        if arguments.faults.contains(&Trouble::DecodesAlready) {
            broken.extend(needless(seen));
        }
        report.scenario = Some(ScenarioReport { name, promise: promise.words(), broken });
        return;
    }
    if !armed.is_empty() {
        let promise = Promise::of_all(&arguments.disturbances);
        let mut broken = broken_promises(promise, report, arguments, seen);
        // A run that is also disturbed otherwise may end before everything is answered.
        let may_miss = |one: &Armed| armed.len() > 1 && matches!(one.disturbance, Disturbance::Answer(_));
        let missed = armed.iter().filter(|armed| !armed.happened() && !may_miss(armed));
        broken.extend(missed.map(|armed| format!("the disturbance {} never happened", armed.disturbance)));
        let name = armed.iter().map(|armed| armed.disturbance.to_string()).collect::<Vec<_>>().join(" ");
        report.scenario = Some(ScenarioReport { name, promise: promise.words(), broken });
    }
}

/// What a run did to a source that decoded already.
fn needless(seen: &Seen) -> Vec<String> {
    let reboots = seen.execution.history.has_entered("RebootSource").then_some("the source was rebooted");
    let group = seen.after.has_source_group().then_some("the run created a parameter group for the source");
    reboots.into_iter().chain(group).map(|what| format!("{what}, which had logical decoding on already")).collect()
}

/// What the run left behind or took away, and whether the record leads to the side that serves.
fn left_behind(arguments: &RunArguments, seen: &Seen) -> Difference {
    let instance = arguments.target_instance();
    let serving = match &seen.hosts.target {
        Some(target_host) if seen.target_serves() => {
            Serving::Target { instance: &instance, source_host: &seen.hosts.source, target_host }
        }
        Some(_) if seen.has_returned => Serving::SourceAgain { target: &instance },
        _ => Serving::Source,
    };
    seen.before.difference(&seen.after, serving)
}

/// What a plan changed, and must not have: everything is as it was, to the parameter group.
fn changed(report: &Report, seen: &Seen) -> Vec<String> {
    let mut changed = report.faults_of_any_run();
    changed.extend(report.left_behind.clone());
    changed.extend(report.schema_differences.iter().map(|d| format!("changed: {} {}, {}", d.kind, d.name, d.fact)));
    if seen.before != seen.after && report.left_behind.is_empty() {
        changed.push("the source has a different parameter group".to_owned());
    }
    changed
}

/// AWS delivers events by best effort; this disturbance is about one that never comes.
pub(crate) fn loses_events(arguments: &RunArguments) -> bool {
    arguments.disturbances.iter().any(|disturbance| matches!(disturbance, Disturbance::Leave { .. }))
}

/// People cannot be told of everything.
pub(crate) fn silences(arguments: &RunArguments) -> bool {
    arguments.disturbances.iter().any(Disturbance::silences)
}

/// News that nobody was told of: each phase that matters, each repair, the end.
fn untold(report: &Report, arguments: &RunArguments, seen: &Seen) -> Vec<String> {
    if silences(arguments) || arguments.plan {
        return Vec::new();
    }
    let went_back = seen.execution.history.has_entered("TellBack");
    let mut wanted: Vec<String> = match seen.standing.status.as_str() {
        "SUCCEEDED" => ["prepare the source", "load", "cutover", "confirm", "upgraded"].map(str::to_owned).to_vec(),
        "FAILED" if went_back => vec!["rolled back".to_owned(), "ended FAILED".to_owned()],
        status => vec![format!("ended {status}")],
    };
    let mendable = arguments.faults.iter().filter(|trouble| trouble.ends_with().is_none());
    let mended = mendable.filter_map(|trouble| trouble.repair());
    wanted.extend(mended.map(|kind| format!("recovered from {kind}")));
    let is_told = |what: &String| report.told.iter().any(|subject| subject.contains(what.as_str()));
    let mut untold: Vec<String> = wanted.into_iter().filter(|what| !is_told(what)).collect();
    let telling = messages(report);
    if report.events < telling {
        untold.push(format!("{} of {telling} messages as an event", telling - report.events));
    }
    untold
}

/// Messages of which each wants an event. A function that died between message and event sends the message again.
pub(crate) fn messages(report: &Report) -> usize {
    let told: BTreeSet<_> = report.told.iter().filter(|subject| !subject.starts_with("pgleap asks")).collect();
    told.len()
}

fn not_mended(planned: &[Trouble], repairs: &[Value]) -> Vec<String> {
    let is_there = |kind: &str| repairs.iter().any(|repair| repair["kind"] == kind);
    let missing = |trouble: &&Trouble| trouble.repair().is_some_and(|kind| !is_there(kind));
    planned.iter().filter(missing).map(ToString::to_string).collect()
}

/// From the first REVOKE until the source serves again: the deadline, the room that `arm-deadline` leaves the fence to
/// begin, and what a recovery may take.
const LONGEST_BACK_SECONDS: f64 = 60.0 + 5.0 + 5.0;

/// How long clients of a source that serves again could not write. Without a fence nothing but a restart explains a gap.
fn too_long_away(fence: &FenceTimes, outage: &Outage) -> Option<String> {
    let seconds = match fence.fenced {
        Some(_) => match outage.back_seconds {
            Some(seconds) => seconds,
            None => return Some("no client could write to the source after the first REVOKE".to_owned()),
        },
        None => outage.longest_other_gap_seconds.unwrap_or_default(),
    };
    (seconds > LONGEST_BACK_SECONDS).then(|| format!("clients could not write for {seconds:.1} s"))
}

/// Why a run that did not end well is not at rest: recoveries must all have ended well, or the last one where a person
/// was called before it.
fn not_at_rest(report: &Report) -> Option<String> {
    let is_well = |status: &&String| *status == "SUCCEEDED";
    let rests = match report.called_person {
        true => report.recoveries.last().as_ref().is_some_and(is_well),
        false => !report.recoveries.is_empty() && report.recoveries.iter().all(|status| is_well(&status)),
    };
    (!rests).then(|| format!("the recoveries ended with {:?}", report.recoveries))
}

fn broken_promises(promise: Promise, report: &Report, arguments: &RunArguments, seen: &Seen) -> Vec<String> {
    let forward = || {
        let mut broken = report.faults();
        broken.extend((report.last_writes == 0).then(|| "no client can write at the end".to_owned()));
        if report.machine.status != "SUCCEEDED" {
            broken.extend(not_at_rest(report));
        }
        if arguments.fail_back.is_some() && report.fail_back.is_none() {
            broken.push("the target never served, so nobody could fail back".to_owned());
        }
        broken
    };
    let serves = || {
        let mut broken = report.faults_of_any_run();
        broken.extend((report.last_writes == 0).then(|| "no client can write at the end".to_owned()));
        if seen.addresses.target_serves(&seen.observed) {
            broken.push("a write was acknowledged on the target".to_owned());
        }
        broken.extend(too_long_away(&seen.fence, &report.outage));
        broken.extend(not_at_rest(report));
        broken.extend(report.wrong_records.clone());
        broken
    };
    let back = || {
        let mut broken = serves();
        let own = |name: &str| name.contains(ADDED_COLUMN);
        let left = report.schema_differences.iter().filter(|difference| !own(&difference.name));
        broken.extend(left.map(|d| format!("the source is not as before: {} {}, {}", d.kind, d.name, d.fact)));
        let unnamed = report.left_behind.iter().filter(|words| !report.wrong_records.contains(words));
        broken.extend(unnamed.cloned());
        broken
    };
    match promise {
        Promise::Completes | Promise::GoesForward | Promise::FailsBack => forward(),
        Promise::GoesBack => back(),
        Promise::ServesAtDeadline => serves(),
        Promise::EitherWay if seen.has_returned || seen.target_serves() => forward(),
        Promise::EitherWay => back(),
        Promise::StopsWith(wanted, word) | Promise::GoesBackWith(wanted, word) => {
            let mut broken = back();
            let (error, cause) = report
                .error
                .as_ref()
                .map(|failure| (failure.error.as_str(), failure.cause.as_str()))
                .unwrap_or_default();
            if error != wanted || !cause.contains(word) {
                broken.push(format!("the run ended with {error}: {cause}"));
            }
            // Preflight lists everything that it found.
            if wanted != "PreflightBlocked" && cause.lines().count() != 1 {
                broken.push("the run's error message is not a single line".to_owned());
            }
            if !contract_tests::machine::repository().join(format!("docs/runbook/{error}.md")).is_file() {
                broken.push(format!("docs/runbook has no page for {error}"));
            }
            if seen.fence.fenced.is_some() && matches!(promise, Promise::StopsWith(..)) {
                broken.push("the source was fenced".to_owned());
            }
            broken
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_without_writes_is_counted_from_the_first_revoke() {
        let fenced = FenceTimes { fenced: Some(10.0), unfenced: Some(15.0), ..FenceTimes::default() };
        let outage =
            |back_seconds, gap| Outage { back_seconds, longest_other_gap_seconds: Some(gap), ..Outage::default() };

        assert_eq!(too_long_away(&fenced, &outage(Some(70.0), 70.0)), None);
        assert!(too_long_away(&fenced, &outage(Some(70.5), 60.0)).is_some(), "no gap of one client was that long");
        assert!(too_long_away(&fenced, &outage(None, 1.0)).is_some(), "nobody wrote again");
        assert_eq!(too_long_away(&FenceTimes::default(), &outage(None, 5.0)), None);
        assert!(too_long_away(&FenceTimes::default(), &outage(None, 71.0)).is_some());
    }
}
