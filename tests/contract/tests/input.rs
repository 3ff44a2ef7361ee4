//! The operator's input: its schema and its examples.

use anyhow::{Context, Result};
use contract_tests::{input, machine};
use pgleap_contract::{Mode, RunRequest};

#[test]
fn every_example_is_an_input_and_there_is_one_for_each_mode() -> Result<()> {
    let mut modes = Vec::new();
    for file in std::fs::read_dir(machine::repository().join("statemachine/examples"))? {
        let path = file?.path();
        let text = std::fs::read_to_string(&path)?;
        let request: RunRequest = serde_json::from_str(&text).with_context(|| format!("parse {}", path.display()))?;
        modes.push(request.mode);
    }

    assert!(modes.contains(&Mode::Plan) && modes.contains(&Mode::Upgrade), "{modes:?}");
    Ok(())
}

/// A person who reads the long example has seen all that can be said.
#[test]
fn the_long_example_has_every_field() -> Result<()> {
    let path = machine::repository().join("statemachine/examples/upgrade-with-every-choice.json");
    let example: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    let schema = input::schema()?;
    let mut missing = Vec::new();
    fields(&schema, &schema, &example, "", &mut missing);

    assert_eq!(missing, Vec::<String>::new());
    Ok(())
}

fn fields(
    root: &serde_json::Value,
    schema: &serde_json::Value,
    example: &serde_json::Value,
    at: &str,
    missing: &mut Vec<String>,
) {
    let schema = match schema["$ref"].as_str() {
        Some(reference) => root.pointer(reference.trim_start_matches('#')).expect("a definition"),
        None => schema,
    };
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{at}/{name}");
        match example.get(name) {
            Some(value) => fields(root, property, value, &path, missing),
            None => missing.push(path),
        }
    }
}
