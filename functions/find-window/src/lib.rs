//! Find the window in which users may be interrupted: the one that is open now, or the next one.
//!
//! Changes:      nothing
//! Repeatable:   yes; the machine waits for the moment that it answers
//! If it dies:   nothing has happened
//!
//! A copy that follows costs the source its WAL and its owner money, so a cutover is held for a day and no longer.

use std::time::{SystemTime, UNIX_EPOCH};

use pgleap_contract::steps::{FindWindowInput, FindWindowOutput, Question};
use pgleap_step_kit::prelude::*;
use pgleap_window::{Interruption, text};

/// Longest wait of a copy that is ready, in seconds.
const LONGEST_HOLD: i64 = 86_400;

/// When the window opens, or opened.
pub async fn run(_: &Ctx, input: FindWindowInput) -> StepResult<FindWindowOutput> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    find(&input, i64::try_from(now).unwrap_or(i64::MAX))
}

fn find(input: &FindWindowInput, now: i64) -> StepResult<FindWindowOutput> {
    let bad = |reason: String| StepError::new(ErrorCode::BadInput, reason);
    let window = input.run.window.as_ref().ok_or_else(|| bad("find the window: the run has no window".to_owned()))?;
    let interruption = match input.purpose {
        Question::Reboot => Interruption::Reboot,
        Question::Cutover => Interruption::cutover(&input.run.limits, input.run.cutover.switch_record),
    };
    let opening = pgleap_window::next(window, interruption, now).map_err(bad)?;
    if input.purpose == Question::Cutover && opening.opens - now > LONGEST_HOLD {
        let message = format!(
            "the copy is ready, but the next window opens at {}, and the run holds a copy for at most one day",
            text(opening.opens)
        );
        return Err(StepError::new(ErrorCode::WindowOver, message));
    }
    Ok(FindWindowOutput { opens: text(opening.opens) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Sunday, 2027-02-07 05:00 UTC.
    const NOW: i64 = 1_801_976_400;

    fn input(purpose: &str, days: serde_json::Value) -> FindWindowInput {
        serde_json::from_value(json!({
            "run": {"id": "r", "executionArn": "arn", "mode": "upgrade", "copy": {}, "choices": {}, "limits": {},
                "source": {"instance": "orders", "loginSecret": "s"}, "target": {"version": "18", "instance": "orders-v18"},
                "record": {"zoneId": "Z", "name": "db.example.com"},
                "window": {"start": "02:00", "end": "04:00", "timeZone": "UTC", "days": days}},
            "for": purpose,
        }))
        .expect("an input")
    }

    #[test]
    fn a_reboot_waits_for_its_day_and_a_copy_that_is_ready_no_longer_than_one() {
        let cases = [
            ("cutover", json!([]), Ok("2027-02-08T02:00:00Z".to_owned())),
            ("cutover", json!(["sunday"]), Err(ErrorCode::WindowOver)),
            ("reboot", json!(["sunday"]), Ok("2027-02-14T02:00:00Z".to_owned())),
        ];
        for (purpose, days, expected) in cases {
            let found = find(&input(purpose, days), NOW).map(|output| output.opens).map_err(|error| error.code);

            assert_eq!(found, expected, "{purpose}");
        }
    }
}
