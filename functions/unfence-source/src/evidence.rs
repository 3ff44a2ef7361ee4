//! What may be concluded from what is known, and from nothing else.

use pgleap_contract::Outcome;
use pgleap_mark::State;
use pgleap_step_kit::StepError;

/// What the mark says, where there is one.
#[derive(Debug)]
pub(crate) enum Known {
    /// A fence was possible, and nothing was noted since.
    Armed,
    /// The target was opened.
    Open,
    /// The source was unfenced.
    Back,
    /// The mark cannot be read now.
    Nothing(#[allow(dead_code, reason = "shown by Debug")] StepError),
}

impl From<State> for Known {
    fn from(state: State) -> Self {
        match state {
            State::Armed => Known::Armed,
            State::Open => Known::Open,
            State::Back { .. } => Known::Back,
        }
    }
}

/// What the target says about the outcome.
#[derive(Debug, PartialEq)]
pub(crate) enum TargetSays {
    /// Who holds it, by its own row.
    Holder(Outcome),
    /// It cannot be asked now, for whatever reason. Proves nothing.
    Silent(String),
}

#[derive(Debug, PartialEq)]
pub(crate) enum Verdict {
    /// The target is open.
    Open,
    /// The source serves already.
    Back,
    /// The source has to be asked, and unfenced if it may be.
    Unfence,
}

pub(crate) fn before_the_source(known: &Known, target: &TargetSays) -> Verdict {
    match (known, target) {
        (Known::Open, _) | (_, TargetSays::Holder(Outcome::Open)) => Verdict::Open,
        (Known::Back, _) => Verdict::Back,
        _ => Verdict::Unfence,
    }
}

/// Whether the source may serve again. Only a silent target makes the source's row count: `open` there means that OPEN
/// was sent and may have arrived; `back` means that it never was and never will be.
pub(crate) fn after_the_source(target: &TargetSays, source: Outcome) -> Result<(), String> {
    match (target, source) {
        (TargetSays::Holder(Outcome::Open), _) => Err("the target is open".to_owned()),
        (TargetSays::Silent(reason), Outcome::Open) => {
            Err(format!("ask the target whether it is open: {reason}; OPEN was sent to the target, so it may be open"))
        }
        (TargetSays::Holder(Outcome::Back), _) | (TargetSays::Silent(_), Outcome::Back) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pgleap_contract::ErrorCode;

    fn silent() -> TargetSays {
        TargetSays::Silent("time-out".to_owned())
    }

    #[test]
    fn the_source_serves_again_unless_the_target_may_be_open() {
        let cases = [
            (TargetSays::Holder(Outcome::Back), Outcome::Back, true),
            (TargetSays::Holder(Outcome::Back), Outcome::Open, true),
            (TargetSays::Holder(Outcome::Open), Outcome::Back, false),
            (silent(), Outcome::Back, true),
            (silent(), Outcome::Open, false),
        ];
        for (target, source, may) in cases {
            assert_eq!(after_the_source(&target, source).is_ok(), may, "{target:?} {source:?}");
        }
    }

    #[test]
    fn a_target_that_is_silent_proves_nothing() {
        let unread = || Known::Nothing(StepError::new(ErrorCode::ServiceUnavailable, "down"));
        let cases = [
            (Known::Open, silent(), Verdict::Open),
            (Known::Back, silent(), Verdict::Back),
            (Known::Armed, silent(), Verdict::Unfence),
            (unread(), silent(), Verdict::Unfence),
            (Known::Armed, TargetSays::Holder(Outcome::Back), Verdict::Unfence),
            (Known::Armed, TargetSays::Holder(Outcome::Open), Verdict::Open),
            (unread(), TargetSays::Holder(Outcome::Open), Verdict::Open),
            (Known::Back, TargetSays::Holder(Outcome::Back), Verdict::Back),
        ];
        for (known, target, verdict) in cases {
            assert_eq!(before_the_source(&known, &target), verdict, "{known:?} {target:?}");
        }
    }
}
