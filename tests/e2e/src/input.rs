//! The execution's input: the defaults, with what the built-in source needs and what trouble, person and file lay over it.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::cli::RunArguments;
use crate::disturbance::Disturbance;
use crate::fail_back::Ending;
use crate::follow::HostSource;
use crate::stage::{DATABASE, RECORD, SOURCE};

pub(crate) fn input(arguments: &RunArguments, zone_id: &str, secret: &str, host: &HostSource) -> Result<Value> {
    let mut input = json!({
        "source": { "instance": SOURCE, "database": DATABASE, "loginSecret": secret },
        "target": { "version": arguments.to.to_string() },
        "record": { "zoneId": zone_id, "name": RECORD },
    });
    lay_over(&mut input, host.input());
    if arguments.dump.is_none() {
        // The built-in source has tables without a key, which are refused by default.
        lay_over(&mut input, json!({"choices": {"keylessTables": "replica-identity-full"}}));
    }
    if let Some(engine) = &arguments.engine {
        lay_over(&mut input, json!({"copy": {"engine": engine}}));
    }
    if arguments.fail_back.is_some() {
        lay_over(&mut input, Ending::input());
    }
    if arguments.plan {
        input["mode"] = json!("plan");
    }
    arguments.faults.iter().filter_map(|trouble| trouble.input()).for_each(|over| lay_over(&mut input, over));
    for disturbance in &arguments.disturbances {
        if let Disturbance::Answer(answers) = disturbance {
            lay_over(&mut input, answers.input());
        }
    }
    if let Some(file) = &arguments.input_file {
        let text = std::fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
        lay_over(&mut input, serde_json::from_str(&text).with_context(|| format!("parse {}", file.display()))?);
    }
    Ok(input)
}

/// Members of `over` win; objects are merged, null removes.
fn lay_over(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (name, value) in over {
                if value.is_null() {
                    base.remove(&name);
                } else {
                    lay_over(base.entry(name).or_insert(Value::Null), value);
                }
            }
        }
        (base, over) => *base = over,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overrides_are_merged_member_by_member() {
        let mut base = json!({"a": {"b": 1, "c": 2}, "d": 3});

        lay_over(&mut base, json!({"a": {"b": 9, "c": null, "e": {"f": 1}}, "g": [1]}));

        assert_eq!(base, json!({"a": {"b": 9, "e": {"f": 1}}, "d": 3, "g": [1]}));
    }
}
