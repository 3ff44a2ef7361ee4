//! The copy engines in the machines: `Engine: <point>` at a state of a machine is a place where each engine may put states
//! of its own, from `engines/<engine>/<point>.asl.yaml`.
//!
//! Such a state becomes a Choice by `$run.copy.engine`; an engine without a file for the point is led on at once. The file has
//! `StartAt`, `States` and perhaps `Assign`, the variables as they are when the run gets there, as the point may too. `Next: $on` leads to what
//! follows the point. A Task without `Retry` or `Catch` has the point's. Anchors of the machine can be used.
//! `$stuck` leads where the point says by `Stuck`. A point that stands in one machine twice says `Prefix`, which goes before the names of its states.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value, json};

use crate::machine::repository;

type States = Map<String, Value>;

/// What leads on from an engine's states.
const ON: &str = "$on";
/// What leads to the point's `Stuck`: a bound was reached.
const STUCK: &str = "$stuck";

/// Every engine, by its folder.
pub fn names() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(repository().join("engines")).context("list engines/")?.flatten() {
        if entry.path().is_dir() && entry.file_name() != "src" {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// The machine's source with the states of the engines that it has points for, in one document, because anchors do not
/// cross documents.
pub(crate) fn with_states(source: &str) -> Result<String> {
    let machine: Value = serde_yaml_ng::from_str(source)?;
    let mut text = format!("{source}\nEngines:\n");
    for engine in names()? {
        text.push_str(&format!("  {engine}:\n    none: null\n"));
        let states = machine["States"].as_object().into_iter().flatten();
        let mut points: Vec<&str> = states.filter_map(|(_, state)| state["Engine"].as_str()).collect();
        points.sort_unstable();
        points.dedup();
        for point in points {
            let path = repository().join(format!("engines/{engine}/{point}.asl.yaml"));
            if path.is_file() {
                let file = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
                text.push_str(&format!("    {point}:\n"));
                file.lines().for_each(|line| text.push_str(&format!("      {line}\n")));
            }
        }
    }
    Ok(text)
}

/// Put each engine's states where the machine has a point for them. Answers whose they are, by the state's name.
pub(crate) fn expand(machine: &mut Value) -> Result<BTreeMap<String, String>> {
    let mut owners = BTreeMap::new();
    let Some(engines) = machine.as_object_mut().and_then(|machine| machine.shift_remove("Engines")) else {
        return Ok(owners);
    };
    let Some(states) = machine.get_mut("States").and_then(Value::as_object_mut) else { return Ok(owners) };
    let mut expanded = States::new();
    for (name, state) in std::mem::take(states) {
        match state.get("Engine").and_then(Value::as_str) {
            Some(point) => put(&mut expanded, &mut owners, &name, &state, &of_point(&engines, point))
                .with_context(|| format!("state {name}, point {point}"))?,
            None => add(&mut expanded, name, state)?,
        }
    }
    *states = expanded;
    Ok(owners)
}

fn of_point<'a>(engines: &'a Value, point: &str) -> BTreeMap<&'a str, &'a Value> {
    let engines = engines.as_object().into_iter().flatten();
    engines.filter_map(|(name, points)| Some((name.as_str(), points.get(point)?))).collect()
}

fn put(
    states: &mut States,
    owners: &mut BTreeMap<String, String>,
    name: &str,
    point: &Value,
    of_point: &BTreeMap<&str, &Value>,
) -> Result<()> {
    let next = point["Next"].as_str().context("nothing follows it")?;
    let prefix = point["Prefix"].as_str().unwrap_or_default();
    let mut choices = Vec::new();
    for (engine, own) in of_point {
        let start = own["StartAt"].as_str().with_context(|| format!("{engine}: StartAt"))?;
        let mut rule = json!({ "Condition": format!("{{% $run.copy.engine = \"{engine}\" %}}") });
        let assigned = [point, *own].into_iter().filter_map(|place| place.get("Assign")?.as_object()).flatten();
        let assign: States = assigned.map(|(name, value)| (name.clone(), value.clone())).collect();
        if !assign.is_empty() {
            rule["Assign"] = Value::Object(assign);
        }
        rule["Next"] = json!(format!("{prefix}{start}"));
        choices.push(rule);
    }
    let mut choice = json!({ "Comment": point["Comment"] });
    if let Some(phase) = point.get("Phase") {
        choice["Phase"] = phase.clone();
    }
    if choices.is_empty() {
        choice["Type"] = json!("Pass");
        choice["Next"] = json!(next);
    } else {
        choice["Type"] = json!("Choice");
        choice["Choices"] = json!(choices);
        choice["Default"] = json!(next);
    }
    add(states, name.to_owned(), choice)?;
    for (engine, own) in of_point {
        let own_states = own["States"].as_object().with_context(|| format!("{engine}: States"))?;
        for (own_name, state) in own_states {
            let mut state = state.clone();
            if state["Type"] == "Task" {
                for member in ["Retry", "Catch"] {
                    if state.get(member).is_none() {
                        state[member] = point.get(member).cloned().with_context(|| format!("the point's {member}"))?;
                    }
                }
            }
            lead(&mut state, &|to| match to {
                ON => next.to_owned(),
                STUCK => point["Stuck"].as_str().unwrap_or(STUCK).to_owned(),
                own if own_states.contains_key(own) => format!("{prefix}{own}"),
                other => other.to_owned(),
            });
            let own_name = format!("{prefix}{own_name}");
            owners.insert(own_name.clone(), (*engine).to_owned());
            add(states, own_name, state)?;
        }
    }
    Ok(())
}

/// `Next` and `Default`, wherever they stand in a state.
fn lead(value: &mut Value, to: &impl Fn(&str) -> String) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| lead(item, to)),
        Value::Object(members) => {
            for (name, member) in members {
                match (name.as_str(), member) {
                    ("Next" | "Default", Value::String(next)) => *next = to(next),
                    (_, member) => lead(member, to),
                }
            }
        }
        _ => {}
    }
}

fn add(states: &mut States, name: String, state: Value) -> Result<()> {
    ensure!(!states.contains_key(&name), "there are two states {name}");
    if state.get("Engine").is_some() {
        bail!("a point inside of a point: {name}");
    }
    states.insert(name, state);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engines_states_stand_behind_a_choice_and_lead_on() {
        let mut machine = json!({
            "States": { "Copy": { "Engine": "copy", "Comment": "c", "Retry": ["r"], "Catch": ["c"], "Prefix": "Again", "Next": "Then" } },
            "Engines": {
                "a": { "copy": { "Assign": { "x": 0 }, "StartAt": "One", "States": {
                    "One": { "Type": "Task", "Retry": ["own"], "Next": "Two" },
                    "Two": { "Type": "Choice", "Choices": [{ "Next": "One" }], "Default": "$on" } } } },
                "b": { "none": null }
            }
        });

        let owners = expand(&mut machine).expect("expanded");

        assert_eq!(owners.get("AgainTwo").map(String::as_str), Some("a"));
        assert_eq!(
            machine["States"],
            json!({
                "Copy": { "Comment": "c", "Type": "Choice", "Default": "Then", "Choices": [
                    { "Condition": "{% $run.copy.engine = \"a\" %}", "Assign": { "x": 0 }, "Next": "AgainOne" }] },
                "AgainOne": { "Type": "Task", "Retry": ["own"], "Catch": ["c"], "Next": "AgainTwo" },
                "AgainTwo": { "Type": "Choice", "Choices": [{ "Next": "AgainOne" }], "Default": "Then" }
            })
        );
    }

    #[test]
    fn a_point_that_no_engine_uses_is_passed() {
        let mut machine = json!({ "States": { "Copy": { "Engine": "copy", "Comment": "c", "Next": "Then" } }, "Engines": { "b": {} } });

        expand(&mut machine).expect("expanded");

        assert_eq!(machine["States"]["Copy"], json!({ "Comment": "c", "Type": "Pass", "Next": "Then" }));
    }
}
