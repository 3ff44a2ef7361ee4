//! What a run promises when it is disturbed. Written per side of OPEN, not per disturbance.

use crate::disturbance::{Deed, Disturbance, Sql};
use crate::fail_back;
use crate::place::Place;

/// What a run promises when it is disturbed so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promise {
    /// It ends well all the same.
    Completes,
    /// The target serves and keeps serving; what is left is finished, by a person where the machine cannot.
    GoesForward,
    /// Before its OPEN, failing back leaves the new server serving and the path open; after it, it goes forward. Everybody is on the
    /// old server at the end.
    FailsBack,
    /// The source serves again, as before.
    GoesBack,
    /// The source serves again at the deadline; the rest of the way back is left to a person.
    ServesAtDeadline,
    /// It ends well, or the source serves again as before, and nothing between.
    EitherWay,
    /// It stops before the fence with this error, whose cause has this word.
    StopsWith(&'static str, &'static str),
    /// The same, and the fence may have fallen for a moment.
    GoesBackWith(&'static str, &'static str),
}

/// The error of a run whose source's catalogs changed.
const CHANGED: &str = "SourceChanged";
/// The steps at whose beginning a change of the source can still be found without a fence.
const BEFORE_THE_FENCE: &[&str] = &["arm-deadline", "fence-source", "drain-source", "swap-record"];

impl Promise {
    /// For a disturbance.
    pub fn of(disturbance: &Disturbance) -> Self {
        let place = disturbance.place();
        let in_cutover = place.is_some_and(|place| place.is_in_cutover());
        let after_open = place.is_some_and(|place| place.is_after_open());
        let changed = |table| match place.and_then(|place| place.step()) {
            Some(step) if BEFORE_THE_FENCE.contains(&step.as_str()) => Promise::GoesBackWith(CHANGED, table),
            _ => Promise::StopsWith(CHANGED, table),
        };
        match disturbance {
            _ if place.is_some_and(Place::is_of_fail_back) => Promise::FailsBack,
            Disturbance::Answer(answers) => {
                answers.ends_with().map_or(Promise::Completes, |(error, word)| Promise::StopsWith(error, word))
            }
            Disturbance::Leave { .. } => Promise::ServesAtDeadline,
            Disturbance::Sql { sql: Sql::Ddl, .. } => changed("stock"),
            Disturbance::Sql { sql: Sql::Truncate, .. } => changed("rates"),
            Disturbance::Kill { .. } | Disturbance::Lose { .. } if after_open => Promise::GoesForward,
            Disturbance::Kill { .. } | Disturbance::Lose { .. } if in_cutover => Promise::EitherWay,
            Disturbance::Kill { .. } | Disturbance::Lose { .. } => Promise::Completes,
            Disturbance::StopExecution { .. } if after_open => Promise::GoesForward,
            Disturbance::StopExecution { place } if place.step().as_deref() == Some("open-target") => {
                Promise::EitherWay
            }
            Disturbance::StopExecution { place } if place.to_string().contains('/') => Promise::EitherWay,
            Disturbance::StopExecution { .. } => Promise::GoesBack,
            Disturbance::Do { deed: Deed::LateDeadline | Deed::StopSource, .. } if after_open => Promise::GoesForward,
            _ if after_open => Promise::GoesForward,
            _ => Promise::EitherWay,
        }
    }

    /// For all disturbances of one run.
    pub fn of_all(disturbances: &[Disturbance]) -> Self {
        let (of_fail_back, others) = fail_back::disturbances(disturbances);
        match &others[..] {
            [] if !of_fail_back.is_empty() => Promise::FailsBack,
            others => Self::of_each(others),
        }
    }

    fn of_each(disturbances: &[Disturbance]) -> Self {
        let mut all = disturbances.iter().map(Promise::of);
        let first = all.next().unwrap_or(Promise::Completes);
        all.fold(first, |one, other| match (one, other) {
            (one, other) if one == other => one,
            (Promise::Completes, stricter) | (stricter, Promise::Completes) => stricter,
            _ => Promise::EitherWay,
        })
    }

    /// In words.
    pub fn words(self) -> String {
        match self {
            Promise::Completes => "the run succeeds anyway".to_owned(),
            Promise::GoesForward => "the target serves, and the run is completed forward".to_owned(),
            Promise::FailsBack => {
                "the new server serves until everybody is on the old one, and failing back succeeds at the latest when it is \
                 started again"
                    .to_owned()
            }
            Promise::GoesBack => "the source serves again as before".to_owned(),
            Promise::ServesAtDeadline => "the source serves again at most 5 s after the deadline".to_owned(),
            Promise::EitherWay => "the run succeeds, or the source serves again as before".to_owned(),
            Promise::StopsWith(error, word) => {
                format!("the run ends before the fence with {error} and mentions \"{word}\"")
            }
            Promise::GoesBackWith(error, word) => {
                format!("the source serves again as before, and the run ends with {error} and mentions \"{word}\"")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Promise {
        Promise::of(&text.parse().unwrap())
    }

    #[test]
    fn what_is_promised_depends_on_the_side_of_the_point_of_no_return() {
        let cases = [
            ("kill:copy-data:2", Promise::Completes),
            ("kill:drain-source", Promise::EitherWay),
            ("kill:settle-target", Promise::GoesForward),
            ("lose:open-target", Promise::EitherWay),
            ("lose:restore-target", Promise::Completes),
            ("zombie:DrainSource", Promise::EitherWay),
            ("zombie:FinishResources", Promise::GoesForward),
            ("fail:FinishResources", Promise::GoesForward),
            ("stop-execution:copy-data", Promise::GoesBack),
            ("stop-execution:fence-source", Promise::GoesBack),
            ("stop-execution:open-target", Promise::EitherWay),
            ("stop-execution:confirm-cutover", Promise::GoesForward),
            ("stop-execution:FinishDatabases", Promise::GoesForward),
            ("stop-execution:recover/UnfenceSource", Promise::EitherWay),
            ("leave:drain-source", Promise::ServesAtDeadline),
            ("ddl:copy-data", Promise::StopsWith("SourceChanged", "stock")),
            ("ddl:arm-deadline", Promise::GoesBackWith("SourceChanged", "stock")),
            ("truncate:copy-data", Promise::StopsWith("SourceChanged", "rates")),
            ("denied:*:rds:DeleteDBSnapshot", Promise::EitherWay),
            ("lose:fail-back/DrainSource", Promise::FailsBack),
            ("stop-execution:fail-back/ConfirmCutover", Promise::FailsBack),
            ("stop-execution:PrepareFailBack", Promise::GoesBack),
            ("approve", Promise::Completes),
            ("reject", Promise::StopsWith("NotApproved", "not now")),
        ];
        for (text, expected) in cases {
            assert_eq!(of(text), expected, "{text}");
        }
    }

    #[test]
    fn several_disturbances_promise_what_the_strictest_leaves() {
        let all = |texts: &[&str]| Promise::of_all(&texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<_>>());

        assert_eq!(all(&["kill:copy-data", "lose:restore-target"]), Promise::Completes);
        assert_eq!(all(&["kill:copy-data", "zombie:FinishResources"]), Promise::GoesForward);
        assert_eq!(all(&["stop-execution:DrainSource", "zombie:DrainSource"]), Promise::EitherWay);
        assert_eq!(all(&["zombie:fail-back/DrainSource", "lose:recover/UnfenceSource"]), Promise::FailsBack);
        assert_eq!(all(&["stop-execution:ConfirmCutover", "zombie:recover/SettleTarget"]), Promise::GoesForward);
    }
}
