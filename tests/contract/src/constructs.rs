//! Words that the machines' sources have beside Amazon States Language, each for what would otherwise be written many times.
//!
//! - `Phase: load` at a state begins a phase (`Machine::phase_of`).
//! - `Tell: { phase: load }` is a state that tells people this news.
//! - `Warm: [fence-source, ..]` is a state that starts these functions' processes, side by side; `Warm: databases` starts those
//!   of every step in the VPC.
//!
//! A call of a function that does not retry everything retries, before all else, what Lambda says of one that nobody called
//! for weeks (`WAKING`).

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};

use crate::declared::{self, Reaches};
use crate::machine::pascal;

type State = Map<String, Value>;

/// The states of a machine with each such word written out.
pub(crate) fn expand(states: &mut Map<String, Value>) -> Result<()> {
    for (name, state) in states.iter_mut() {
        let Some(state) = state.as_object_mut() else { continue };
        if let Some(news) = state.shift_remove("Tell") {
            tell(state, &news).with_context(|| format!("state {name}"))?;
        }
        if let Some(steps) = state.shift_remove("Warm") {
            warm(state, &steps).with_context(|| format!("state {name}"))?;
        }
        wait_for_waking(state);
    }
    Ok(())
}

/// Errors of a function whose network interface was taken away because nobody called it: it is there again after a minute or two.
/// Source: AWS Lambda developer guide, "Lambda function states"; API reference, Invoke.
const WAKING: [&str; 6] = [
    "Lambda.ResourceNotReadyException",
    "Lambda.ENINotReadyException",
    "Lambda.CodeArtifactUserPendingException",
    "Lambda.ResourceConflictException",
    "Lambda.EC2ThrottledException",
    "Lambda.EC2UnexpectedException",
];

fn wait_for_waking(state: &mut State) {
    for branch in state.get_mut("Branches").and_then(Value::as_array_mut).into_iter().flatten() {
        let states = branch.get_mut("States").and_then(Value::as_object_mut).into_iter().flatten();
        states.filter_map(|(_, state)| state.as_object_mut()).for_each(wait_for_waking);
    }
    let calls =
        state.get("Resource").and_then(Value::as_str).is_some_and(|resource| resource.contains("lambda:invoke"));
    let Some(retry) = state.get_mut("Retry").and_then(Value::as_array_mut).filter(|_| calls) else { return };
    if retry.iter().any(|entry| entry["ErrorEquals"] == json!(["States.ALL"])) {
        return;
    }
    let waking = json!({
        "ErrorEquals": WAKING, "IntervalSeconds": 5, "MaxAttempts": 8, "BackoffRate": 2, "MaxDelaySeconds": 60,
        "JitterStrategy": "NONE"
    });
    retry.insert(0, waking);
}

/// Not waited for: what cannot be told neither fails nor holds up a run. What is assigned is so whether it could be told or
/// not.
fn tell(state: &mut State, news: &Value) -> Result<()> {
    let next = state.get("Next").context("it tells, and nothing follows")?.clone();
    let mut otherwise = json!({ "ErrorEquals": ["States.ALL"] });
    if let Some(assign) = state.get("Assign") {
        otherwise["Assign"] = assign.clone();
    }
    otherwise["Next"] = next;
    let once_more = json!({
        "ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 1, "BackoffRate": 1, "MaxDelaySeconds": 1,
        "JitterStrategy": "NONE"
    });
    put(
        state,
        json!({
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Arguments": {
                "FunctionName": "${TellPeopleFunctionArn}",
                "InvocationType": "Event",
                "Payload": { "executionArn": "{% $run.executionArn %}", "run": "{% $run %}", "news": news }
            },
            "TimeoutSeconds": 5,
            "Retry": [once_more],
            "Catch": [otherwise]
        }),
    )
}

/// `Retry` is each call's own.
fn warm(state: &mut State, steps: &Value) -> Result<()> {
    let retry = state.shift_remove("Retry").context("it warms functions, and says nothing of Retry")?;
    let verb = if steps == "databases" { "Wake" } else { "Warm" }; // no two states of a machine have one name
    let payload = match verb {
        "Wake" => json!({ "warmUp": true }),
        _ => json!({
            "warmUp": true, "run": "{% $run %}", "source": "{% $source %}", "target": "{% $target %}",
            "generation": "{% $generation %}"
        }),
    };
    let branch = |step: &Value| -> Result<Value> {
        let step = pascal(step.as_str().context("the name of a step")?);
        let call = json!({
            "Comment": "Starts the process, and opens what the step will need.",
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Arguments": { "FunctionName": format!("${{{step}FunctionArn}}"), "Payload": payload },
            "TimeoutSeconds": 65,
            "Retry": retry,
            "End": true
        });
        let name = format!("{verb}{step}");
        Ok(json!({ "StartAt": name, "States": { name.as_str(): call } }))
    };
    let steps = match steps.as_str() {
        Some("databases") => in_the_vpc()?,
        _ => steps.as_array().context("a list of steps")?.clone(),
    };
    let branches = steps.iter().map(branch).collect::<Result<Vec<_>>>()?;
    put(state, json!({ "Type": "Parallel", "Branches": branches }))
}

/// Every step that lives in the VPC.
fn in_the_vpc() -> Result<Vec<Value>> {
    let steps = declared::read_all()?;
    let in_the_vpc = steps.into_iter().filter(|(_, step)| step.reaches == Reaches::Databases);
    Ok(in_the_vpc.map(|(name, _)| json!(name)).collect())
}

fn put(state: &mut State, more: Value) -> Result<()> {
    for (key, value) in more.as_object().into_iter().flatten() {
        ensure!(!state.contains_key(key), "{key} follows from the word that it uses");
        state.insert(key.clone(), value.clone());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(state: Value) -> Result<Value> {
        let mut states = json!({ "A": state });
        expand(states.as_object_mut().expect("states"))?;
        Ok(states["A"].clone())
    }

    #[test]
    fn news_are_not_waited_for_and_fail_nothing() {
        let state =
            expanded(json!({ "Tell": { "phase": "load" }, "Assign": { "told": 1 }, "Next": "B" })).expect("a state");

        assert_eq!(state["Arguments"]["InvocationType"], "Event");
        assert_eq!(state["Arguments"]["Payload"]["news"], json!({ "phase": "load" }));
        assert_eq!(state["Catch"], json!([{ "ErrorEquals": ["States.ALL"], "Assign": { "told": 1 }, "Next": "B" }]));
        assert!(
            expanded(json!({ "Tell": "x" })).is_err()
                && expanded(json!({ "Tell": "x", "Next": "B", "Retry": [] })).is_err()
        );
    }

    #[test]
    fn a_call_waits_for_a_function_that_wakes_up_unless_it_retries_everything() {
        let retry = |errors: Value| {
            let call = json!({ "Resource": "arn:aws:states:::lambda:invoke", "Retry": [{ "ErrorEquals": errors }] });
            expanded(call).expect("a state")["Retry"].as_array().expect("retriers").len()
        };

        assert_eq!((retry(json!(["Throttled"])), retry(json!(["States.ALL"]))), (2, 1));
    }

    #[test]
    fn functions_are_warmed_side_by_side() {
        let state = expanded(json!({ "Warm": ["open-target"], "Retry": ["r"], "Next": "B" })).expect("a state");

        assert_eq!(state["Branches"][0]["StartAt"], "WarmOpenTarget");
        assert_eq!(state["Branches"][0]["States"]["WarmOpenTarget"]["Retry"][1], "r");
        assert_eq!(state.get("Retry"), None);
    }
}
