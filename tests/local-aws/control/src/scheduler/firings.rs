//! At which real moments a schedule fires here.

use std::time::Duration;

use local_aws_core::{ApiError, Clock};

use super::expression::Expression;
use super::invalid;

/// A one-shot schedule that is no further ahead is a deadline of the run, and the run's own time is real. What is
/// further ahead waits for hours of AWS, as does everything that recurs.
const REAL_TIME_AT_MOST: Duration = Duration::from_secs(3_600);

/// How far in the past a StartDate may lie.
const START_DATE_MAY_BE_PAST_SECONDS: f64 = 300.0;

/// Keeps a clock that runs very fast from busying a whole processor.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(1);

/// When a schedule fires, from now on and in real time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Firings {
    pub(super) first: Duration,
    pub(super) interval: Duration,
    /// How often in all; `None` never ends.
    pub(super) times: Option<u64>,
}

/// `StartDate` and `EndDate` of a request, in epoch seconds.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bounds {
    pub(super) start: Option<f64>,
    pub(super) end: Option<f64>,
}

impl Firings {
    /// `lateness` is how long after its moment AWS fires.
    pub(super) fn of(
        expression: Expression,
        bounds: Bounds,
        now: f64,
        clock: Clock,
        lateness: Duration,
    ) -> Result<Self, ApiError> {
        match expression {
            Expression::At(at) => once(at, now, clock, lateness),
            Expression::Every(interval) => repeated(interval, bounds, now, clock, lateness),
        }
    }
}

/// StartDate and EndDate mean nothing to a schedule that fires once.
fn once(at: f64, now: f64, clock: Clock, lateness: Duration) -> Result<Firings, ApiError> {
    if at <= now {
        return Err(invalid("Invalid Schedule Expression: the time has passed."));
    }
    let wait = Duration::from_secs_f64(at - now);
    let first = if wait <= REAL_TIME_AT_MOST { wait + lateness } else { clock.scaled(wait + lateness) };
    Ok(Firings { first, interval: Duration::ZERO, times: Some(1) })
}

/// Without a StartDate the first invocation is immediate.
fn repeated(
    interval: Duration,
    bounds: Bounds,
    now: f64,
    clock: Clock,
    lateness: Duration,
) -> Result<Firings, ApiError> {
    let start = bounds.start.unwrap_or(now);
    if start < now - START_DATE_MAY_BE_PAST_SECONDS {
        return Err(invalid("The StartDate you specify cannot be earlier than 5 minutes ago."));
    }
    let start = start.max(now);
    if bounds.end.is_some_and(|end| end <= start) {
        return Err(invalid("The EndDate you specify must be later than the StartDate and the current time."));
    }
    let times = bounds.end.map(|end| ((end - start) / interval.as_secs_f64()).ceil() as u64);
    let wait = Duration::from_secs_f64(start - now);
    Ok(Firings { first: clock.scaled(wait + lateness), interval: clock.scaled(interval).max(SHORTEST_INTERVAL), times })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: f64 = 1_000_000.0;
    const HOUR: f64 = 3_600.0;

    fn firings(expression: Expression, start: Option<f64>, end: Option<f64>) -> Result<Firings, String> {
        let bounds = Bounds { start: start.map(|after| NOW + after), end: end.map(|after| NOW + after) };
        let firings = Firings::of(expression, bounds, NOW, Clock::new(0.01), Duration::ZERO);
        firings.map_err(|error| error.code)
    }

    #[test]
    fn a_deadline_is_real_and_a_far_moment_is_scaled() {
        let cases = [(60.0, 60.0), (HOUR, HOUR), (HOUR + 100.0, 37.0), (72.0 * HOUR, 2_592.0)];

        for (ahead, wait) in cases {
            let expected = Firings { first: Duration::from_secs_f64(wait), interval: Duration::ZERO, times: Some(1) };
            assert_eq!(firings(Expression::At(NOW + ahead), None, None), Ok(expected), "{ahead}");
        }
        assert_eq!(firings(Expression::At(NOW), None, None), Err("ValidationException".to_owned()));
        assert!(firings(Expression::At(NOW + 1.0), Some(HOUR), Some(-HOUR)).is_ok(), "it has no start and no end");
    }

    #[test]
    fn a_rate_is_scaled_and_keeps_to_its_dates() {
        let rate = Expression::Every(Duration::from_secs(900));
        // Start, end; seconds until the first time, and how often.
        let cases = [
            (None, None, 0.0, None),
            (Some(HOUR), None, 36.0, None),
            (Some(-60.0), None, 0.0, None),
            (None, Some(1.0), 0.0, Some(1)),
            (None, Some(900.0), 0.0, Some(1)),
            (None, Some(901.0), 0.0, Some(2)),
            (Some(HOUR), Some(73.0 * HOUR), 36.0, Some(288)),
        ];

        for (start, end, first, times) in cases {
            let first = Duration::from_secs_f64(first);
            let expected = Firings { first, interval: Duration::from_secs(9), times };
            assert_eq!(firings(rate, start, end), Ok(expected), "{start:?} {end:?}");
        }
        for (start, end) in [(Some(-301.0), None), (None, Some(-1.0)), (Some(HOUR), Some(HOUR))] {
            assert_eq!(firings(rate, start, end), Err("ValidationException".to_owned()), "{start:?} {end:?}");
        }
    }
}
