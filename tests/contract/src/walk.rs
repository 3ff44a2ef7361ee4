//! Follow every edge of a machine with samples for answers.
//!
//! A condition on a number is taken both ways; any other is decided by the samples, of which there is one for each
//! way. A Catch is taken before the state's own Assign, as Step Functions does it.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

use crate::expression::{Scope, evaluate, inner};
use crate::machine::{Machine, step_of, waits_for_token};
use crate::samples;

/// What a walk saw.
#[derive(Debug, Default)]
pub struct Walk {
    /// States that some path entered.
    pub visited: BTreeSet<String>,
}

/// Walk a machine from its start with this input.
pub fn walk(machine: &Machine, input: &Value) -> Result<Walk> {
    let needed = needed(&machine.definition);
    let mut walker = Walker { seen: HashSet::new(), needed, walk: Walk::default() };
    let context = json!({"Execution": {"Id": "arn:aws:states:eu-west-1:111122223333:execution:pgleap-upgrade:orders-18"}, "State": {"EnteredTime": "2026-11-22T09:00:00.000Z"}, "Task": {"Token": "AQC"}});
    let mut scope = Scope::default();
    scope.states.insert("context".to_owned(), context);
    let start = machine.definition["StartAt"].as_str().context("StartAt")?;
    walker.enter(&machine.definition, start, input.clone(), scope)?;
    Ok(walker.walk)
}

struct Walker {
    /// States with the variables they were entered with, as far as anything on the way from there reads them.
    seen: HashSet<String>,
    needed: BTreeMap<String, BTreeSet<String>>,
    walk: Walk,
}

impl Walker {
    fn enter(&mut self, machine: &Value, name: &str, input: Value, mut scope: Scope) -> Result<()> {
        scope.states.insert("input".to_owned(), input.clone());
        scope.states.remove("result");
        scope.states.remove("errorOutput");
        let needed = self.needed.get(name).with_context(|| format!("there is no state {name}"))?;
        let variables = scope.variables.iter().filter(|(variable, _)| needed.contains(*variable));
        let variables = variables.map(|(variable, value)| (variable.clone(), without_numbers(value))).collect();
        let state = machine["States"][name].as_object().with_context(|| format!("there is no state {name}"))?;
        let reads_input = machine["States"][name].to_string().contains("$states.input");
        let input = if reads_input { input } else { Value::Null };
        if !self.seen.insert(format!("{name} {} {input}", Value::Object(variables))) {
            return Ok(());
        }
        self.walk.visited.insert(name.to_owned());
        self.step(machine, name, state, &scope).with_context(|| format!("in state {name}"))
    }

    fn step(&mut self, machine: &Value, name: &str, state: &Map<String, Value>, scope: &Scope) -> Result<()> {
        self.catches(machine, state, scope)?;
        match state["Type"].as_str().context("Type")? {
            "Task" => {
                let Some(step) = step_of(state) else {
                    let resource = state["Resource"].as_str().unwrap_or_default();
                    evaluate(&state["Arguments"], scope)?;
                    let answers = samples::integration(resource).with_context(|| format!("{name} calls a step"))?;
                    return answers.into_iter().try_for_each(|answer| self.leave(machine, state, scope, answer));
                };
                let payload = evaluate(&state["Arguments"]["Payload"], scope)?;
                for answer in samples::answers(&step, &payload).with_context(|| format!("payload of {step}"))? {
                    let result = if waits_for_token(state) { answer } else { json!({"Payload": answer}) };
                    self.leave(machine, state, scope, result)?;
                }
                Ok(())
            }
            "Parallel" => {
                let results =
                    state["Branches"].as_array().context("Branches")?.iter().map(|branch| self.branch(branch, scope));
                let results = results.collect::<Result<Vec<_>>>()?;
                match results.into_iter().collect::<Option<Vec<_>>>() {
                    Some(results) => self.leave(machine, state, scope, Value::Array(results)),
                    None => Ok(()),
                }
            }
            "Choice" => self.choose(machine, state, scope),
            "Wait" => {
                let until = state.get("Seconds").or_else(|| state.get("Timestamp")).context("how long")?;
                evaluate(until, scope)?;
                self.leave(machine, state, scope, Value::Null)
            }
            "Pass" => self.leave(machine, state, scope, Value::Null),
            "Succeed" => state.get("Output").map_or(Ok(()), |output| evaluate(output, scope).map(drop)),
            "Fail" => ["Error", "Cause"].iter().filter_map(|member| state.get(*member)).try_for_each(|text| {
                if evaluate(text, scope)?.is_string() { Ok(()) } else { bail!("{text} is no text") }
            }),
            other => bail!("{name}: the walk does not know {other}"),
        }
    }

    /// A branch is a single Task, whose answer is a part of the Parallel's result, or several states. Then nobody reads its
    /// result, or it ends by an error, as the Parallel's Catch knows.
    fn branch(&mut self, branch: &Value, scope: &Scope) -> Result<Option<Value>> {
        let start = branch["StartAt"].as_str().context("StartAt")?;
        let states = branch["States"].as_object().context("States")?;
        if states.len() > 1 {
            let mut walker = Walker { seen: HashSet::new(), needed: needed(branch), walk: Walk::default() };
            walker.enter(branch, start, Value::Null, scope.clone())?;
            self.walk.visited.extend(walker.walk.visited);
            let may_end = states.values().any(|state| state["Type"] == "Succeed" || state["End"] == true);
            return Ok(may_end.then_some(Value::Null));
        }
        let state = branch["States"][start].as_object().context("state of a branch")?;
        self.walk.visited.insert(start.to_owned());
        let step = step_of(state).with_context(|| format!("{start} calls a step"))?;
        let payload = evaluate(&state["Arguments"]["Payload"], scope).with_context(|| format!("in state {start}"))?;
        if payload["warmUp"] == json!(true) {
            return Ok(Some(json!({"Payload": {}}))); // any step answers this before it looks at its input
        }
        let answers = samples::answers(&step, &payload).with_context(|| format!("payload of {step}"))?;
        Ok(Some(json!({"Payload": answers[0]})))
    }

    fn leave(&mut self, machine: &Value, state: &Map<String, Value>, scope: &Scope, result: Value) -> Result<()> {
        let mut scope = scope.clone();
        scope.states.insert("result".to_owned(), result.clone());
        assign(state.get("Assign"), &mut scope)?;
        match state.get("Next").and_then(Value::as_str) {
            Some(next) => self.enter(machine, next, result, scope),
            None => Ok(()),
        }
    }

    fn catches(&mut self, machine: &Value, state: &Map<String, Value>, scope: &Scope) -> Result<()> {
        for catch in state.get("Catch").and_then(Value::as_array).into_iter().flatten() {
            let error = json!({"Error": "Throttled", "Cause": "rate exceeded"});
            let mut scope = scope.clone();
            scope.states.insert("errorOutput".to_owned(), error.clone());
            assign(catch.get("Assign"), &mut scope)?;
            self.enter(machine, catch["Next"].as_str().context("Next of a Catch")?, error, scope)?;
        }
        Ok(())
    }

    /// A Choice hands its input on.
    fn choose(&mut self, machine: &Value, state: &Map<String, Value>, scope: &Scope) -> Result<()> {
        let input = scope.states.get("input").cloned().unwrap_or_default();
        for choice in state["Choices"].as_array().context("Choices")? {
            let condition = choice["Condition"].as_str().and_then(inner).context("Condition")?;
            let holds = evaluate(&choice["Condition"], scope)?.as_bool().context("a condition is true or false")?;
            let either_way = condition.contains(['<', '>']);
            if holds || either_way {
                let mut scope = scope.clone();
                assign(choice.get("Assign"), &mut scope)?;
                self.enter(machine, choice["Next"].as_str().context("Next")?, input.clone(), scope)?;
            }
            if holds && !either_way {
                return Ok(());
            }
        }
        self.enter(machine, state["Default"].as_str().context("a Choice has a Default")?, input, scope.clone())
    }
}

/// For each state the variables that it, or a state that can come after it, reads.
fn needed(machine: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let Some(states) = machine["States"].as_object() else { return BTreeMap::new() };
    let mut needed: BTreeMap<_, _> = states.iter().map(|(name, state)| (name.clone(), read(state))).collect();
    loop {
        let before: usize = needed.values().map(BTreeSet::len).sum();
        for (name, state) in states {
            let later: Vec<_> = followers(state).filter_map(|next| needed.get(next)).flatten().cloned().collect();
            needed.entry(name.clone()).or_default().extend(later);
        }
        if needed.values().map(BTreeSet::len).sum::<usize>() == before {
            return needed;
        }
    }
}

/// Every `$variable` in a state's texts; `$states` is none, and does no harm.
fn read(state: &Value) -> BTreeSet<String> {
    let text = state.to_string();
    let name = |rest: &str| rest.chars().take_while(char::is_ascii_alphanumeric).collect::<String>();
    text.split('$').skip(1).map(name).collect()
}

fn followers(state: &Value) -> impl Iterator<Item = &str> {
    let rules = ["Choices", "Catch"].into_iter().filter_map(|list| state[list].as_array()).flatten();
    let own = ["Next", "Default"].into_iter().map(|member| &state[member]);
    own.chain(rules.map(|rule| &rule["Next"])).filter_map(Value::as_str)
}

fn assign(assignments: Option<&Value>, scope: &mut Scope) -> Result<()> {
    let Some(assignments) = assignments.and_then(Value::as_object) else { return Ok(()) };
    // All at once: an assignment does not see its neighbours.
    let values = assignments.iter().map(|(name, template)| Ok((name.clone(), evaluate(template, scope)?)));
    let values = values.collect::<Result<Vec<_>>>()?;
    scope.variables.extend(values);
    Ok(())
}

fn without_numbers(value: &Value) -> Value {
    match value {
        Value::Number(_) => json!(0),
        Value::Array(items) => items.iter().map(without_numbers).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, member)| (name.clone(), without_numbers(member))).collect()
        }
        other => other.clone(),
    }
}
