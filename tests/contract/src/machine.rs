//! A state machine definition, from its YAML source.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use pgleap_contract::Phase;
use serde_json::{Map, Value};

use crate::{constructs, engines};

/// The repository's root, from this crate's place in it.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every file below a folder that git would keep, by its ending.
pub fn files(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let (path, name) = (entry.path(), entry.file_name().into_string().unwrap_or_default());
        if name.starts_with('.') || name == "target" || name == "node_modules" {
            continue;
        }
        if path.is_dir() {
            found.extend(files(&path, endings));
        } else if endings.iter().any(|ending| name.ends_with(ending)) {
            found.push(path);
        }
    }
    found
}

/// Every machine, the upgrade first.
pub const MACHINES: [&str; 4] = ["upgrade", "recover", "fail-back", "watch-fail-back"];

/// A definition with its name (`upgrade`, `recover`).
#[derive(Debug, Clone)]
pub struct Machine {
    /// File name without `.asl.yaml`.
    pub name: String,
    /// The definition, anchors expanded, placeholders still in it.
    pub definition: Value,
    phases: BTreeMap<String, Phase>,
    engines: BTreeMap<String, String>,
}

/// What a source says.
struct Parsed {
    definition: Value,
    phases: BTreeMap<String, Phase>,
    engines: BTreeMap<String, String>,
}

impl Machine {
    /// Read `statemachine/<name>.asl.yaml`.
    pub fn read(name: &str) -> Result<Self> {
        let source = source_of(name)?;
        let Parsed { definition, phases, engines } =
            parse(&source).with_context(|| format!("parse statemachine/{name}.asl.yaml"))?;
        Ok(Self { name: name.to_owned(), definition, phases, engines })
    }

    /// The phase that a state belongs to: a state that says `Phase` begins one, and those that follow it in the file belong
    /// to it too. None in a machine that says nothing of phases.
    pub fn phase_of(&self, state: &str) -> Option<Phase> {
        self.phases.get(state).copied()
    }

    /// The copy engine whose state it is; none for a state of every run.
    pub fn engine_of(&self, state: &str) -> Option<&str> {
        self.engines.get(state).map(String::as_str)
    }

    /// Every state with its name, those of Parallel's branches included.
    pub fn states(&self) -> Vec<(String, Map<String, Value>)> {
        let mut found = Vec::new();
        collect(&self.definition, &mut found);
        found
    }

    /// How often it calls this step only to start its process, before the call that works.
    pub fn warm_ups(&self, step: &str) -> usize {
        let warms = |state: &Map<String, Value>| only_warms(state) && step_of(state).as_deref() == Some(step);
        self.states().iter().filter(|(_, state)| warms(state)).count()
    }

    /// The steps that its Tasks call.
    pub fn steps(&self) -> BTreeSet<String> {
        self.states().iter().filter_map(|(_, state)| step_of(state)).collect()
    }
}

/// The source of a machine, with the parts that it includes.
///
/// # Errors
/// There is no such machine, or no such part.
pub fn source_of(name: &str) -> Result<String> {
    let path = repository().join("statemachine").join(format!("{name}.asl.yaml"));
    with_parts(&std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?)
}

/// A line `# include: parts/cutover.asl.yaml` stands for the text of that file of `statemachine/`. As text, so that the part can
/// use the machine's anchors.
fn with_parts(source: &str) -> Result<String> {
    let mut text = String::new();
    for line in source.lines() {
        match line.trim().strip_prefix("# include: ") {
            Some(part) => {
                let path = repository().join("statemachine").join(part);
                text.push_str(&std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?);
            }
            None => text.push_str(line),
        }
        text.push('\n');
    }
    Ok(text)
}

fn collect(machine: &Value, found: &mut Vec<(String, Map<String, Value>)>) {
    let Some(states) = machine.get("States").and_then(Value::as_object) else { return };
    for (name, state) in states {
        let Some(state) = state.as_object() else { continue };
        found.push((name.clone(), state.clone()));
        for branch in state.get("Branches").and_then(Value::as_array).into_iter().flatten() {
            collect(branch, found);
        }
    }
}

/// The step behind a Task, from its `${CopyDataFunctionArn}`.
pub fn step_of(state: &Map<String, Value>) -> Option<String> {
    let function = state.get("Arguments")?.get("FunctionName")?.as_str()?;
    let name = function.strip_prefix("${")?.strip_suffix("FunctionArn}")?;
    Some(kebab(name))
}

/// Whether it calls its function only to start the process.
pub fn only_warms(state: &Map<String, Value>) -> bool {
    state.get("Arguments").is_some_and(|arguments| arguments["Payload"]["warmUp"] == true)
}

/// Whether it waits for somebody who has its token, and not for the function's answer.
pub fn waits_for_token(state: &Map<String, Value>) -> bool {
    state.get("Resource").and_then(Value::as_str).is_some_and(|resource| resource.ends_with(".waitForTaskToken"))
}

/// Whether it calls a step between fence and OPEN, which has the time that the input gives.
pub fn is_under_fence(state: &Map<String, Value>) -> bool {
    let steps = ["fence-source", "drain-source", "switch-clients", "complete-target", "open-target"];
    step_of(state).is_some_and(|step| steps.contains(&step.as_str())) && state["TimeoutSeconds"] == "{% $stepSeconds %}"
}

/// Whether it calls a function and goes on without its answer.
pub fn goes_on_at_once(state: &Map<String, Value>) -> bool {
    state.get("Arguments").is_some_and(|arguments| arguments["InvocationType"] == "Event")
}

/// Parse YAML, expanding anchors and the words that are not Amazon States Language (`engines`, `constructs`). Phases and
/// engines are answered by state.
fn parse(source: &str) -> Result<Parsed> {
    let mut definition: Value = serde_yaml_ng::from_str(&engines::with_states(source)?)?;
    let engines = engines::expand(&mut definition)?;
    let mut phases = BTreeMap::new();
    let mut current = None;
    let Some(states) = definition.get_mut("States").and_then(Value::as_object_mut) else {
        return Ok(Parsed { definition, phases, engines });
    };
    constructs::expand(states)?;
    for (name, state) in states {
        if let Some(phase) = state.as_object_mut().and_then(|state| state.shift_remove("Phase")) {
            current = Some(serde_json::from_value(phase).with_context(|| format!("the phase of {name}"))?);
        }
        if let Some(phase) = current {
            let mut inner = Vec::new();
            for branch in state.get("Branches").and_then(Value::as_array).into_iter().flatten() {
                collect(branch, &mut inner);
            }
            phases.extend(inner.into_iter().map(|(name, _)| (name, phase)));
            phases.insert(name.clone(), phase);
        }
    }
    Ok(Parsed { definition, phases, engines })
}

/// The definition as Step Functions takes it: every `${CopyDataFunctionArn}` replaced by `arn_of("copy-data")`.
pub fn render(source: &str, arn_of: impl Fn(&str) -> String) -> Result<Value> {
    let mut definition = parse(source)?.definition;
    substitute(&mut definition, &arn_of)?;
    Ok(definition)
}

fn substitute(value: &mut Value, arn_of: &impl Fn(&str) -> String) -> Result<()> {
    match value {
        Value::String(text) => {
            if let Some(name) = text.strip_prefix("${") {
                let Some(step) = name.strip_suffix("FunctionArn}") else { bail!("unknown substitution {text}") };
                *text = arn_of(&kebab(step));
            }
        }
        Value::Array(items) => items.iter_mut().try_for_each(|item| substitute(item, arn_of))?,
        Value::Object(members) => members.values_mut().try_for_each(|member| substitute(member, arn_of))?,
        _ => {}
    }
    Ok(())
}

/// `CopyData` → `copy-data`.
pub fn kebab(pascal: &str) -> String {
    let mut name = String::new();
    for letter in pascal.chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

/// `copy-data` → `CopyData`.
pub fn pascal(step: &str) -> String {
    step.split('-')
        .map(|word| {
            let (first, rest) = word.split_at(1);
            first.to_ascii_uppercase() + rest
        })
        .collect()
}

/// A step's function as it is deployed.
pub fn function_name(step: &str) -> String {
    format!("pgleap-{step}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways() {
        for step in ["copy-data", "start-run", "lower-ttl"] {
            assert_eq!(kebab(&pascal(step)), step);
        }
    }

    #[test]
    fn a_call_that_only_starts_a_process_is_told_from_one_that_works() {
        let machine = Machine::read("upgrade").expect("the machine");

        assert_eq!((machine.warm_ups("fence-source"), machine.warm_ups("copy-data")), (2, 0));
    }

    #[test]
    fn an_unknown_substitution_is_refused() {
        assert!(render("A: ${SomethingElse}", str::to_owned).is_err());
        assert_eq!(render("A: ${CopyDataFunctionArn}", str::to_owned).expect("known")["A"], "copy-data");
    }
}
