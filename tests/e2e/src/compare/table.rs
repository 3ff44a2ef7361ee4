//! The comparison as a page of Markdown.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::figures::percentile;
use super::trial::{Measured, Parameters, Trial};
use super::way::Way;

/// The page.
pub(super) fn page(parameters: &Parameters, by_way: &BTreeMap<Way, Vec<&Trial>>) -> String {
    let mut page = format!("{}\n\n", circumstances(parameters, by_way));
    page += "| way | runs | outage of connected clients, p50 / p95 | outage of clients that connect for every transaction, \
             p50 / p95 | rows lost | rows duplicated | runs with a broken invariant | unexplained errors | failed attempts | \
             longest other gap | steps of a person | duration |\n";
    page += "|---|---|---|---|---|---|---|---|---|---|---|---|\n";
    for (way, trials) in by_way {
        page += &row(*way, trials);
    }
    page += &observer(by_way);
    page += &notes(by_way);
    page += &steps(by_way);
    page
}

fn circumstances(parameters: &Parameters, by_way: &BTreeMap<Way, Vec<&Trial>>) -> String {
    let trials: Vec<_> = by_way.values().flatten().collect();
    let days: Vec<_> = trials.iter().map(|trial| trial.began_at.as_str()).collect();
    let (first, last) = (days.iter().min().copied().unwrap_or("-"), days.iter().max().copied().unwrap_or("-"));
    let day = if first == last { first.to_owned() } else { format!("{first} to {last}") };
    let commits: BTreeSet<_> = trials.iter().map(|trial| trial.commit.as_str()).collect();
    let commit = commits.into_iter().collect::<Vec<_>>().join(", ");
    let machine = trials.first().map(|trial| trial.machine).unwrap_or_default();
    let loads: Vec<f64> = trials.iter().map(|trial| trial.machine.load).collect();
    let Parameters { megabytes, tps, visitors, propagation } = parameters;
    let propagation = match propagation.as_str() {
        "realistic" => "2 to 40 s for each name server and change".to_owned(),
        seconds => format!("{seconds} s"),
    };
    format!(
        "Measured on {day} at commit {commit}, on a computer with {} cores and {} GiB of memory; load average before a run: \
         {:.1} at the median, {:.1} at most. Source of {megabytes} MB, PostgreSQL 15 to 18, {tps} transactions a second, \
         {visitors} clients that connect for every transaction, DNS propagation of {propagation}.",
        machine.cores,
        machine.memory_gib,
        percentile(&loads, 50).unwrap_or_default(),
        percentile(&loads, 100).unwrap_or_default(),
    )
}

fn row(way: Way, trials: &[&Trial]) -> String {
    // Where nothing fences the source, a client may write to both sides in turn: it has no outage, and not less than none.
    let all = |seconds: fn(&Measured) -> &[f64]| -> Vec<f64> {
        trials.iter().flat_map(|trial| seconds(&trial.measured)).map(|seconds| seconds.max(0.0)).collect()
    };
    let outage = |seconds: &[f64]| match (percentile(seconds, 50), percentile(seconds, 95)) {
        (Some(p50), Some(p95)) => format!("{p50:.2} / {p95:.2} s"),
        _ => "-".to_owned(),
    };
    let sum = |count: fn(&Measured) -> u64| trials.iter().map(|trial| count(&trial.measured)).sum::<u64>();
    let gaps: Vec<f64> = trials.iter().filter_map(|trial| trial.measured.other_gap_seconds).collect();
    let durations: Vec<f64> = trials.iter().map(|trial| trial.measured.seconds).collect();
    let seconds = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.1} s"));
    let cells = [
        format!("`{way}`"),
        trials.len().to_string(),
        outage(&all(|measured| &measured.connected_seconds)),
        outage(&all(|measured| &measured.visiting_seconds)),
        sum(|measured| measured.lost).to_string(),
        sum(|measured| measured.duplicated).to_string(),
        sum(|measured| u64::from(!measured.broken_invariants.is_empty())).to_string(),
        sum(Measured::fault_count).to_string(),
        sum(|measured| measured.failed_attempts).to_string(),
        seconds(percentile(&gaps, 50)),
        way.steps().len().to_string(),
        seconds(percentile(&durations, 50)),
    ];
    format!("| {} |\n", cells.join(" | "))
}

/// What of pgleap's outages is the rehearsal's own doing.
fn observer(by_way: &BTreeMap<Way, Vec<&Trial>>) -> String {
    let trials = by_way.iter().filter(|(way, _)| way.pgleap().is_some()).flat_map(|(_, trials)| trials);
    let held: Vec<f64> = trials.map(|trial| trial.measured.observer_seconds).collect();
    match percentile(&held, 50) {
        Some(held) => format!(
            "\nThe outages of pgleap's ways contain {held:.2} s (median) in which the rehearsal's observer, which compares both \
             sides, holds the cutover up. The other ways have no observer.\n"
        ),
        None => String::new(),
    }
}

/// What was wrong, once for each way, with the number of times.
fn notes(by_way: &BTreeMap<Way, Vec<&Trial>>) -> String {
    let mut text = String::new();
    for (way, trials) in by_way {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for measured in trials.iter().map(|trial| &trial.measured) {
            let broken =
                measured.broken_invariants.iter().map(|name| (format!("an invariant does not hold: {name}"), 1));
            let noted = measured.notes.iter().map(|note| (note.clone(), 1));
            let faults = measured.faults.iter().map(|(what, times)| (format!("clients got an error: {what}"), *times));
            broken.chain(noted).chain(faults).for_each(|(what, times)| *counts.entry(what).or_default() += times);
        }
        for (what, times) in counts {
            let _ = writeln!(text, "- `{way}`, {times} times: {what}");
        }
    }
    if text.is_empty() { text } else { format!("\n## What was wrong\n\n{text}") }
}

fn steps(by_way: &BTreeMap<Way, Vec<&Trial>>) -> String {
    let mut text = "\n## What a person does\n".to_owned();
    let mut shown: Vec<(&[&str], Vec<Way>)> = Vec::new();
    for way in by_way.keys() {
        match shown.iter_mut().find(|(steps, _)| *steps == way.steps()) {
            Some((_, ways)) => ways.push(*way),
            None => shown.push((way.steps(), vec![*way])),
        }
    }
    for (steps, ways) in shown {
        let ways: Vec<_> = ways.iter().map(|way| format!("`{way}`")).collect();
        let _ = writeln!(text, "\n{}:\n", ways.join(", "));
        steps.iter().enumerate().for_each(|(index, step)| text += &format!("{}. {step}\n", index + 1));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::machine::Machine;

    fn trial(way: Way, run: u32, measured: Measured) -> Trial {
        let machine = Machine { cores: 2, memory_gib: 23, load: f64::from(run) };
        let (commit, began_at) = ("abc".to_owned(), "2026-11-30".to_owned());
        Trial { way, run, commit, began_at, parameters: parameters(), machine, measured }
    }

    fn parameters() -> Parameters {
        Parameters { megabytes: 20, tps: 250, visitors: 4, propagation: "realistic".to_owned() }
    }

    #[test]
    fn clients_of_all_runs_are_pooled_and_counts_are_added() {
        let measured = |seconds: &[f64], lost| Measured {
            connected_seconds: seconds.to_vec(),
            lost,
            faults: [("duplicate key".to_owned(), 2)].into(),
            broken_invariants: vec!["sums differ".to_owned()],
            seconds: 60.0,
            ..Measured::default()
        };
        let trials =
            [trial(Way::DmsByHand, 1, measured(&[1.0, 9.0, -7.0], 3)), trial(Way::DmsByHand, 2, measured(&[2.0], 4))];
        let by_way = BTreeMap::from([(Way::DmsByHand, trials.iter().collect())]);

        let page = page(&parameters(), &by_way);

        assert!(
            page.contains("| `dms-by-hand` | 2 | 1.00 / 9.00 s | - | 7 | 0 | 2 | 4 | 0 | - | 30 | 60.0 s |"),
            "{page}"
        );
        assert!(page.contains("2 cores and 23 GiB") && page.contains("1.0 at the median, 2.0 at most"), "{page}");
        assert!(page.contains("- `dms-by-hand`, 4 times: clients got an error: duplicate key"), "{page}");
        assert!(page.contains("1. aws rds create-db-parameter-group"), "{page}");
    }

    #[test]
    fn ways_with_the_same_steps_share_a_list() {
        let trials = [Way::PgleapNativeBefore, Way::PgleapDmsDrain].map(|way| trial(way, 1, Measured::default()));
        let by_way = trials.iter().map(|trial| (trial.way, vec![trial])).collect();

        let page = page(&parameters(), &by_way);

        assert!(page.contains("\n`pgleap-native-before`, `pgleap-dms-drain`:\n\n1. make deploy"), "{page}");
    }
}
