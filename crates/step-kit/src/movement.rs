//! That a run moves, as metrics: the phase of the step that answered last, and whether another step follows. The dashboard
//! draws the first; an alarm hears the silence of the second.

use pgleap_contract::ErrorCode;
use pgleap_contract::steps::StepInfo;
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

fn figures(step: &str, mode: Option<&str>, error: Option<&StepError>) -> Option<Vec<Metric>> {
    if error.is_some_and(|error| error.code != ErrorCode::NotYet) {
        return None;
    }
    let info = StepInfo::named(step)?;
    let is_last = match step {
        "report-run" | "remove-resources" => true, // the recovery ends with the latter
        "plan-run" => mode == Some("plan"),
        _ => false,
    };
    let running = if is_last && error.is_none() { 0.0 } else { 1.0 };
    let mut figures = vec![("RunUnderWay", Unit::None, running)];
    figures.extend(info.phase.map(|phase| ("RunPhase", Unit::None, f64::from(phase.number()))));
    Some(figures)
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
            let found = figures(step, Some(mode), error).map(|figures| figures[0].2);

            assert_eq!(found, expected, "{step} {mode}");
        }
    }

    #[test]
    fn a_step_shows_its_phase_and_one_of_several_phases_shows_none() {
        let phase = |step| figures(step, Some("upgrade"), None).expect("a step").get(1).map(|figure| figure.2);

        assert_eq!(phase("start-run"), Some(10.0));
        assert_eq!(phase("open-target"), Some(100.0));
        assert_eq!(phase("tell-people"), None);
    }
}
