//! The machines against the contract, the folders and their own rules.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use contract_tests::declared::{roots, steps};
use contract_tests::machine::{
    MACHINES, Machine, is_under_fence, only_warms, pascal, repository, step_of, waits_for_token,
};
use contract_tests::{samples, walk::walk};
use pgleap_contract::ErrorCode;
use pgleap_contract::steps::{PAGES, STEPS};
use serde_json::{Map, Value, json};

fn machines() -> Vec<Machine> {
    MACHINES.iter().map(|name| Machine::read(name).expect("a committed machine")).collect()
}

fn words(retry_or_catch: &Value) -> Vec<&str> {
    retry_or_catch["ErrorEquals"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn list<'a>(state: &'a Map<String, Value>, member: &str) -> &'a [Value] {
    state.get(member).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[test]
fn steps_folders_and_functions_are_the_same_set() -> Result<()> {
    let steps: BTreeSet<String> = STEPS.iter().map(|step| step.name.to_owned()).collect();

    let called = machines().iter().flat_map(Machine::steps).collect::<BTreeSet<_>>();
    let mut folders = BTreeSet::new();
    for root in roots()? {
        let entries = std::fs::read_dir(repository().join(root))?.flatten();
        let functions = entries.filter(|entry| entry.path().join("src/main.rs").is_file());
        folders.extend(functions.map(|entry| entry.file_name().to_string_lossy().into_owned()));
    }

    assert_eq!(called, steps, "called by the machines");
    let pages = PAGES.iter().map(ToString::to_string).collect();
    assert_eq!(folders, &steps | &pages, "folders with a function");
    Ok(())
}

#[test]
fn every_path_assigns_what_it_reads_and_every_payload_parses() -> Result<()> {
    let inputs = [samples::request(), samples::scheduled(), samples::fail_back(), samples::watch()];
    for (machine, input) in machines().iter().zip(inputs) {
        let walk = walk(machine, &input).with_context(|| format!("machine {}", machine.name))?;

        let all = machine.states().into_iter().map(|(name, _)| name).collect::<BTreeSet<_>>();
        // The deadline, a failure and a stop of an execution part ways by a text that one sample cannot have all of.
        let mut visited = walk.visited;
        if machine.name == "recover" {
            let ended =
                ["FAILED", "ABORTED", "closing"].map(|reason| json!({"executionArn": "arn:..", "reason": reason}));
            let went_back = json!({"executionArn": "arn:..", "reason": "failBack"});
            for ended in ended.into_iter().chain([went_back]) {
                visited.extend(contract_tests::walk::walk(machine, &ended)?.visited);
            }
        }
        assert_eq!(&all - &visited, BTreeSet::new(), "states of {} that no path enters", machine.name);
    }
    Ok(())
}

#[test]
fn every_state_says_why_and_every_task_is_bounded_retried_and_caught() {
    for machine in machines() {
        assert!(machine.definition["TimeoutSeconds"].is_u64(), "{} has a time-out", machine.name);
        let in_branches: BTreeSet<String> = machine
            .states()
            .iter()
            .filter(|(_, state)| state["Type"] == "Parallel")
            .flat_map(|(_, state)| {
                list(state, "Branches")
                    .iter()
                    .flat_map(|branch| {
                        branch["States"].as_object().into_iter().flat_map(|states| states.keys().cloned())
                    })
                    .collect::<Vec<_>>()
            })
            .collect();
        for (name, state) in machine.states() {
            assert!(
                state.get("Comment").and_then(Value::as_str).is_some_and(|comment| comment.len() > 5),
                "{name} has a Comment"
            );
            if state["Type"] == "Choice" {
                assert!(state.contains_key("Default"), "{name} has a Default");
            }
            if state["Type"] != "Task" {
                continue;
            }
            // A person has the time that the input gives, which start-run bounds.
            let of_input = waits_for_token(&state) && state["TimeoutSeconds"] == "{% $run.approval.waitSeconds %}";
            // Steps under the fence have the time that the input gives, which start-run bounds too.
            let of_limits = is_under_fence(&state);
            assert!(state["TimeoutSeconds"].is_u64() || of_input || of_limits, "{name} has a time-out");
            let retried: Vec<_> = list(&state, "Retry").iter().flat_map(words).collect();
            assert!(
                retried.contains(&"States.ALL") || retried.contains(&"Lambda.TooManyRequestsException"),
                "{name} retries what passes"
            );
            assert!(
                in_branches.contains(&name) || list(&state, "Catch").iter().any(|catch| words(catch) == ["States.ALL"]),
                "{name} catches what is left"
            );
        }
    }
}

#[test]
fn retry_and_catch_use_words_that_exist_and_states_all_stands_alone_and_last() {
    let known: BTreeSet<&str> = ErrorCode::ALL.iter().map(|code| code.word()).collect();
    for machine in machines() {
        let raised: BTreeSet<String> = machine
            .states()
            .iter()
            .filter(|(_, state)| state["Type"] == "Fail")
            .filter_map(|(_, state)| state["Error"].as_str().map(str::to_owned))
            .collect();
        for (name, state) in machine.states() {
            for member in ["Retry", "Catch"] {
                let entries = list(&state, member);
                for (index, entry) in entries.iter().enumerate() {
                    let words = words(entry);
                    for word in &words {
                        let engine = ["States.", "Lambda.", "Sandbox.", "Runtime."]
                            .iter()
                            .any(|prefix| word.starts_with(prefix));
                        let own = raised.contains(*word);
                        assert!(engine || own || known.contains(word), "{name}: {word} is a word of the contract");
                    }
                    if words.contains(&"States.ALL") {
                        assert!(
                            words.len() == 1 && index + 1 == entries.len(),
                            "{name}: States.ALL alone and last in {member}"
                        );
                    }
                    if member == "Retry" && entry["MaxAttempts"] != 0 {
                        assert!(
                            entry["MaxAttempts"].is_u64()
                                && entry["MaxDelaySeconds"].is_u64()
                                && entry["JitterStrategy"].is_string(),
                            "{name}: a bounded retrier"
                        );
                    }
                }
            }
        }
    }
}

/// Edges of a machine: state → where its Next, Choices and Default lead; Catch apart.
fn edges(machine: &Machine) -> (BTreeMap<String, BTreeSet<String>>, BTreeMap<String, BTreeSet<String>>) {
    let (mut next, mut catch) = (BTreeMap::new(), BTreeMap::new());
    for (name, state) in machine.states() {
        let target = |value: &Value, member: &str| value.get(member).and_then(Value::as_str).map(str::to_owned);
        let whole = Value::Object(state.clone());
        let mut onward: BTreeSet<String> =
            [target(&whole, "Next"), target(&whole, "Default")].into_iter().flatten().collect();
        onward.extend(list(&state, "Choices").iter().filter_map(|choice| target(choice, "Next")));
        next.insert(name.clone(), onward);
        catch.insert(name, list(&state, "Catch").iter().filter_map(|entry| target(entry, "Next")).collect());
    }
    (next, catch)
}

fn reachable(from: &str, graphs: &[&BTreeMap<String, BTreeSet<String>>]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![from.to_owned()];
    while let Some(state) = open.pop() {
        if found.insert(state.clone()) {
            open.extend(graphs.iter().filter_map(|graph| graph.get(&state)).flatten().cloned());
        }
    }
    found
}

#[test]
fn every_failure_between_fence_and_open_leads_to_the_unfence_and_none_after_it_does() {
    let machine = Machine::read("upgrade").expect("a committed machine");
    let (next, catch) = edges(&machine);
    let steps: BTreeMap<String, String> =
        machine.states().iter().filter_map(|(name, state)| Some((name.clone(), step_of(state)?))).collect();

    let mut under_fence = vec!["FenceSource".to_owned()];
    while under_fence.last().map(String::as_str) != Some("OpenTarget") {
        let last = under_fence.last().expect("never empty");
        let onward = &next[last];
        assert_eq!(onward.len(), 1, "{last} has one way on");
        under_fence.push(onward.first().expect("one").clone());
    }
    for state in &under_fence {
        assert_eq!(catch[state], BTreeSet::from(["UnfenceSource".to_owned()]), "{state}");
    }

    let after_open = reachable(next["OpenTarget"].first().expect("one"), &[&next, &catch]);
    let back: Vec<_> =
        after_open.iter().filter(|state| steps.get(*state).is_some_and(|step| step == "unfence-source")).collect();
    assert!(back.is_empty(), "{back:?} is reached after OPEN");
    for (name, state) in machine.states() {
        if after_open.contains(&name) {
            assert_ne!(
                state.get("Arguments").and_then(|arguments| arguments["Payload"].get("outcome")),
                Some(&json!("back")),
                "{name}"
            );
        }
    }
}

/// A retrier that runs out leaves the word of the wait behind; as the end of a run it would say nothing.
#[test]
fn no_run_ends_with_the_error_of_a_wait() {
    let mut ends = 0;
    for machine in machines() {
        for (name, state) in machine.states() {
            let texts = [state.get("Error"), state.get("Cause"), state.get("Arguments")];
            let passed_on =
                texts.iter().flatten().map(|text| text.to_string()).filter(|text| text.contains("$failure."));
            let error = |text: &String| text.contains("$failure.Error");
            for text in passed_on.filter(error) {
                let renamed = text.replace('\\', "").contains(r#"$failure.Error = "NotYet" ? "TookTooLong""#)
                    || text.contains("last status");
                assert!(renamed, "{name}: {text}");
                ends += 1;
            }
        }
    }
    assert!(ends >= 6, "{ends} places tell of a failure");
}

/// Telling people is never in a run's way.
#[test]
fn what_cannot_be_told_leads_on_as_if_it_had_been() {
    let machine = Machine::read("upgrade").expect("a committed machine");
    let telling: Vec<_> =
        machine.states().into_iter().filter(|(_, state)| step_of(state).as_deref() == Some("tell-people")).collect();
    assert!(telling.len() > 5, "{}", telling.len());
    for (name, state) in telling {
        let catches = list(&state, "Catch");
        assert_eq!(state["Arguments"]["InvocationType"], "Event", "{name} waits");
        assert!(catches.len() == 1 && catches[0]["Next"] == state["Next"], "{name} leads elsewhere");
        let worst = state["TimeoutSeconds"].as_u64().expect("a time-out");
        assert!(worst <= 5 && list(&state, "Retry").iter().all(|retry| retry["MaxAttempts"] == 1), "{name} holds up");
    }
}

/// States that a run comes to again for tables that stay in error.
const RELOADING: &[&str] = &["MeasureLobs", "ReloadTables", "CompareTables", "RestoreLobMode"];

#[test]
fn all_looks_of_a_run_stay_under_the_history_limit() {
    const EVENTS_OF_AN_ATTEMPT: u64 = 3;
    const EVENTS_OF_A_LOOP: u64 = 16;
    const RELOADS: u64 = 3; // the bound of IsDataCopied
    const QUESTIONS: u64 = 2; // the bound of IsCutoverAskedAgain
    let machine = Machine::read("upgrade").expect("a committed machine");

    let engines = contract_tests::engines::names().expect("engines");
    let with = |engine: &str| -> u64 {
        let states = machine.states();
        let states = states.iter().filter(|(name, _)| machine.engine_of(name).is_none_or(|of| of == engine));
        let retried = states.flat_map(|(name, state)| {
            let times = match name.as_str() {
                name if RELOADING.contains(&name) => RELOADS,
                "WatchHeldCutover" => QUESTIONS,
                _ => 1,
            };
            list(state, "Retry").iter().map(|entry| (times, entry.clone())).collect::<Vec<_>>()
        });
        let retried = retried.filter(|(_, entry)| words(entry).contains(&"NotYet"));
        retried.map(|(times, entry)| times * entry["MaxAttempts"].as_u64().unwrap_or(0)).sum()
    };
    let retried = engines.iter().map(|engine| with(engine)).max().expect("an engine");
    let looks = 480; // the last bound of IsDataCopied

    let events = retried * EVENTS_OF_AN_ATTEMPT + looks * EVENTS_OF_A_LOOP;
    assert!(events < 25_000, "{retried} retries and {looks} looks make {events} events");
    assert!(
        machine.definition["States"]["IsCutoverAskedAgain"].to_string().contains(&format!("$asked < {QUESTIONS}")),
        "the bound of the questions"
    );
    for bound in [format!("$looks < {looks}"), format!("$reloads < {RELOADS}")] {
        assert!(machine.definition["States"]["IsDataCopied"].to_string().contains(&bound), "{bound}");
    }
}

#[test]
fn a_state_is_named_as_its_step_where_the_step_is_called_once() {
    let machine = Machine::read("upgrade").expect("a committed machine");
    let works = |(_, state): &(String, Map<String, Value>)| step_of(state).filter(|_| !only_warms(state));
    for step in machine.states().iter().filter_map(works) {
        let states: Vec<_> = machine
            .states()
            .into_iter()
            .filter(|(_, state)| step_of(state).as_deref() == Some(step.as_str()))
            .map(|(name, _)| name)
            .collect();
        assert!(states.contains(&pascal(&step)), "{step} is called by {states:?}");
    }
}

/// The recovery of an execution that did not come to this state does nothing.
#[test]
fn nothing_is_changed_before_the_state_that_the_recovery_looks_for() {
    const FIRST_CHANGE: &str = "ConfigureSource";
    let source = std::fs::read_to_string(repository().join("functions/start-run/src/changes.rs")).expect("the step");
    assert!(source.contains(&format!("FIRST_CHANGE: &str = \"{FIRST_CHANGE}\"")), "start-run looks for another state");
    let machine = Machine::read("upgrade").expect("a committed machine");
    let (mut next, _) = edges(&machine);
    next.insert(FIRST_CHANGE.to_owned(), BTreeSet::new());
    next.insert("UnfenceSource".to_owned(), BTreeSet::new()); // somebody said no to the reboot
    let undo: BTreeMap<String, String> =
        steps().expect("steps").into_iter().map(|(name, step)| (name, step.undo)).collect();

    let before = reachable("StartRun", &[&next]);
    assert!(before.contains(FIRST_CHANGE) && before.contains("PlanRun"), "{before:?}");
    for (name, state) in machine.states() {
        let Some(step) = step_of(&state).filter(|step| before.contains(&name) && *step != "configure-source") else {
            continue;
        };
        if step != "unfence-source" {
            assert!(undo[&step].starts_with("nothing to undo"), "{name} changes something: {}", undo[&step]);
        }
    }
}
