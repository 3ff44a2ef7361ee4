//! How long the gate waits: until `limits.gateHours` after the machine began to ask.

use std::time::{SystemTime, UNIX_EPOCH};

use pgleap_contract::steps::GuardCutoverInput;
use pgleap_step_kit::prelude::*;

/// End a wait that is too long. If everything but the forecast holds, a person may accept it.
pub(crate) fn refuse_longer_wait(
    input: &GuardCutoverInput,
    in_the_way: &[String],
    others_hold: bool,
) -> StepResult<()> {
    let Some(since) = input.since.as_deref().filter(|_| !in_the_way.is_empty()) else { return Ok(()) };
    let began = pgleap_window::read(since)
        .map_err(|reason| StepError::bug(format!("read when the machine began to ask: {reason}")))?;
    let hours = input.run.limits.gate_hours;
    if now_seconds() < began + i64::from(hours) * 3_600 {
        return Ok(());
    }
    let code = if others_hold { ErrorCode::OutageTooLong } else { ErrorCode::CutoverNotSafe };
    Err(StepError::new(code, format!("the gate waited for {hours} h (limits.gateHours): {}", in_the_way.join("; "))))
}

fn now_seconds() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_gate_that_was_asked_for_too_long_ends_with_what_is_in_the_way() {
        let input = |hours_ago: i64| -> GuardCutoverInput {
            let server = json!({"host": "h", "port": 5432, "database": "d"});
            serde_json::from_value(json!({
                "run": {"id": "r", "executionArn": "arn", "mode": "upgrade", "copy": {}, "choices": {}, "limits": {"gateHours": 2},
                        "source": {"instance": "db", "loginSecret": "s"}, "target": {"version": "18"},
                        "record": {"zoneId": "Z", "name": "db.example.com"}},
                "source": server, "target": server,
                "since": pgleap_window::text(now_seconds() - hours_ago * 3_600),
            }))
            .expect("an input")
        };
        let late = ["the lag is above 5 s".to_owned()];
        let code = |hours_ago, in_the_way: &[String], others_hold| {
            refuse_longer_wait(&input(hours_ago), in_the_way, others_hold).err().map(|error| error.code)
        };

        assert_eq!(code(1, &late, false), None);
        assert_eq!(code(3, &[], true), None, "nothing is in the way");
        assert_eq!(code(3, &late, false), Some(ErrorCode::CutoverNotSafe));
        assert_eq!(code(3, &late, true), Some(ErrorCode::OutageTooLong));
    }
}
