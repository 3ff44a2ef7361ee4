//! The run's secrets: without a recovery window, because their logins are gone and the names may be wanted again.

use pgleap_contract::{Generation, Purpose, Run};
use pgleap_step_kit::{SecretOwner, prelude::*};

use crate::Left;

/// Those that nothing needs any more but what is removed with them.
pub(crate) fn first(run: &Run) -> Vec<String> {
    let names = run.names();
    match run.purpose {
        Purpose::Upgrade => vec![names.copy_source_secret(), names.copy_target_secret(), names.record_secret()],
        Purpose::FailBack => vec![names.record_secret()],
    }
}

/// Those by which a recovery finds its way: the mark at the very end. A mark that is not this execution's says how the
/// cutover of another one ended, which has the same run id: it stays.
pub(crate) fn last(run: &Run, generation: Generation, has_mark: bool) -> Vec<String> {
    let names = run.names();
    let marks = match (has_mark, run.purpose) {
        (false, _) => Vec::new(),
        (true, Purpose::Upgrade) => vec![names.cutover_secret(generation)],
        (true, Purpose::FailBack) => generation.and_earlier().map(|one| names.cutover_secret(one)).collect(),
    };
    [names.back_secret(), names.owner_secret(), names.work_secret()].into_iter().chain(marks).collect()
}

/// Delete each of these that carries the run's tag.
pub(crate) async fn remove(ctx: &Ctx, run: &Run, names: &[String], left: &mut Left) -> StepResult<()> {
    for name in names {
        match ctx.owner_of_secret(run, name).await? {
            SecretOwner::Nobody => {}
            SecretOwner::Stranger => left.kept(format!("secret {name}: it does not have this run's tag")),
            SecretOwner::Run => ctx.delete_secret(name).await?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_mark_goes_last_and_that_of_another_execution_stays() {
        let run: Run = serde_json::from_value(json!({
            "id": "r", "executionArn": "arn", "mode": "upgrade", "copy": {}, "choices": {}, "limits": {},
            "source": {"instance": "orders", "loginSecret": "s"}, "target": {"version": "18", "instance": "orders-v18"},
            "record": {"zoneId": "Z", "name": "db.example"}
        }))
        .expect("a run");

        assert_eq!(
            last(&run, Generation::FORWARD, true),
            ["pgleap/r/back", "pgleap/r/owner", "pgleap/r/work", "pgleap/r/cutover-1"]
        );
        assert_eq!(last(&run, Generation::FORWARD, false), ["pgleap/r/back", "pgleap/r/owner", "pgleap/r/work"]);
    }
}
