//! That a run moves, as metrics: which step answered last, and whether another one follows. The dashboard draws the first as
//! the run's phase; an alarm hears the silence of both.

use pgleap_contract::ErrorCode;
use pgleap_contract::steps::STEPS;
use serde_json::Value;

use crate::metrics::{Metric, Unit, tell_of};
use crate::{StepError, StepResult};

/// Say it. A step that failed has not moved.
pub(crate) fn tell(step: &str, payload: &Value, outcome: &StepResult<Value>) {
    let text = |pointer: &str| payload.pointer(pointer).and_then(Value::as_str);
    if let (Some(run), Some(source), Some(figures)) =
        (text("/run/id"), text("/run/source/instance"), figures(step, text("/run/mode"), outcome.as_ref().err()))
    {
        tell_of(run, source, &figures);
    }
}

fn figures(step: &str, mode: Option<&str>, error: Option<&StepError>) -> Option<[Metric; 2]> {
    if error.is_some_and(|error| error.code != ErrorCode::NotYet) {
        return None;
    }
    let place = STEPS.iter().position(|known| *known == step)? + 1;
    let is_last = match step {
        "report-run" | "remove-resources" => true, // the recovery ends with the latter
        "plan-run" => mode == Some("plan"),
        _ => false,
    };
    let running = if is_last && error.is_none() { 0.0 } else { 1.0 };
    Some([("RunStep", Unit::None, place as f64), ("RunUnderWay", Unit::None, running)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_under_way_until_its_last_step_has_answered() {
        let not_yet = StepError::new(ErrorCode::NotYet, "x");
        let failed = StepError::new(ErrorCode::Throttled, "x");
        let cases = [
            ("check-instance", "upgrade", None, Some(1.0)),
            ("copy-data", "upgrade", Some(&not_yet), Some(1.0)),
            ("copy-data", "upgrade", Some(&failed), None),
            ("plan-run", "upgrade", None, Some(1.0)),
            ("plan-run", "plan", None, Some(0.0)),
            ("remove-resources", "upgrade", Some(&not_yet), Some(1.0)),
            ("remove-resources", "upgrade", None, Some(0.0)),
            ("report-run", "upgrade", None, Some(0.0)),
            ("no-step", "upgrade", None, None),
        ];
        for (step, mode, error, expected) in cases {
            let found = figures(step, Some(mode), error).map(|[_, running]| running.2);

            assert_eq!(found, expected, "{step} {mode}");
        }
    }

    #[test]
    fn a_step_shows_its_place_in_the_run() {
        for (place, step) in STEPS.iter().enumerate() {
            let found = figures(step, Some("upgrade"), None).map(|[place, _]| place.2);

            assert_eq!(found, Some(place as f64 + 1.0), "{step}");
        }
    }
}
