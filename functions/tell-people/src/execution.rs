//! Whom the news is about: the run where it is at hand, else what Step Functions knows of the execution.

use pgleap_contract::steps::{TellPeopleInput, VerifyCopyOutput, Warnings};
use pgleap_executions::Executions;
use pgleap_step_kit::prelude::*;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// An execution, as far as people are told of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct About {
    pub(crate) execution_arn: String,
    /// The run's name, or the execution's where the input has none.
    pub(crate) run_id: String,
    pub(crate) source: String,
    pub(crate) target_version: String,
    /// It only looks.
    pub(crate) is_plan: bool,
    /// It returns everybody to the old server.
    pub(crate) is_fail_back: bool,
    /// It brings another execution's run to rest.
    pub(crate) is_recovery: bool,
    /// `SUCCEEDED`, ..; empty while nobody asked.
    pub(crate) status: String,
    pub(crate) error: String,
    pub(crate) cause: String,
    /// What its output says of the comparison of both sides.
    pub(crate) verified: Option<VerifyCopyOutput>,
    /// What stays unfinished on the target of a run that succeeded.
    pub(crate) warnings: Warnings,
    /// What stays although the run made it, and why.
    pub(crate) kept: Vec<String>,
}

pub(crate) async fn about(ctx: &Ctx, input: &TellPeopleInput) -> StepResult<About> {
    let arn = &input.execution_arn;
    if let Some(run) = &input.run {
        return Ok(About {
            execution_arn: arn.clone(),
            run_id: run.id.to_string(),
            source: run.stack_instance().to_owned(),
            target_version: run.target.version.clone(),
            ..About::default()
        });
    }
    let found = Executions::new(ctx).describe(arn).await?;
    let input = found.input.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or(Value::Null);
    let output = found.output.as_deref();
    Ok(About {
        status: found.status,
        error: found.error,
        cause: found.cause,
        verified: output.and_then(verified),
        warnings: output.map(|output| part_of(output, "warnings")).unwrap_or_default(),
        kept: output.map(|output| part_of(output, "kept")).unwrap_or_default(),
        ..of_input(arn, &input)
    })
}

/// Absent from the output of a plan or a recovery.
fn verified(output: &str) -> Option<VerifyCopyOutput> {
    let mut output: Value = serde_json::from_str(output).ok()?;
    serde_json::from_value(output["verified"].take()).ok()
}

/// Nothing, if the output does not have it or somebody else wrote it.
fn part_of<T: DeserializeOwned + Default>(output: &str, name: &str) -> T {
    let mut output: Value = serde_json::from_str(output).unwrap_or_default();
    serde_json::from_value(output[name].take()).unwrap_or_default()
}

/// From the input of an execution, which may be anything at all: somebody typed it.
fn of_input(arn: &str, input: &Value) -> About {
    let text = |pointer: &str| input.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let name = arn.rsplit(':').next().unwrap_or_default();
    About {
        execution_arn: arn.to_owned(),
        run_id: text("/runId").unwrap_or_else(|| name.to_owned()),
        source: text("/source/instance")
            .or_else(|| text("/runId").map(|id| format!("run {id}")))
            .unwrap_or_else(|| "a database".to_owned()),
        target_version: text("/target/version").unwrap_or_default(),
        is_plan: input["mode"] == "plan",
        is_fail_back: arn.split(':').nth(6).is_some_and(|machine| machine.ends_with("-fail-back")),
        is_recovery: input["source"].is_null() && input["executionArn"].is_string(),
        ..About::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn whatever_was_typed_there_is_something_to_tell_of() {
        let arn = "arn:aws:states:eu-west-1:1:execution:orders-upgrade:second";
        let request = json!({"source": {"instance": "orders-db"}, "target": {"version": "18"}, "mode": "plan"});
        let recovery = json!({"executionArn": "arn:..", "reason": "ended"});

        let about = of_input(arn, &request);
        assert_eq!((about.run_id.as_str(), about.source.as_str(), about.is_plan), ("second", "orders-db", true));
        assert!(of_input(arn, &recovery).is_recovery);
        for odd in [json!(null), json!("text"), json!({"source": 7})] {
            assert_eq!(of_input(arn, &odd).source, "a database");
        }
    }
}
