//! Rates of this computer for the run's plan: those of a quiet one with two cores, held against how long the source took
//! to fill.

use std::time::Duration;

use anyhow::{Context, Result};
use local_aws::Propagation;
use serde_json::{Value, json};

/// Measured on that computer, from the phases of reports.
const MEASURED: &str = include_str!("../rates.json");
/// What filling a source took there: a beginning, and so much a megabyte.
const FILL_SECONDS: f64 = 1.0;
const FILL_SECONDS_A_MEGABYTE: f64 = 0.021;

/// How many times slower than that computer this one is, at the moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pace(f64);

impl Pace {
    /// Nothing is known: as that computer.
    pub(crate) const UNKNOWN: Self = Self(1.0);

    /// From the time that it took to fill the source.
    pub(crate) fn of_fill(megabytes: u32, took: Duration) -> Self {
        let there = FILL_SECONDS + FILL_SECONDS_A_MEGABYTE * f64::from(megabytes);
        Self((took.as_secs_f64() / there).clamp(0.25, 10.0))
    }
}

/// For the run's input. AWS's delays follow the clock's scale; what is called a time is longer on a slow computer, what
/// is called a rate is less.
pub(crate) fn rates(time_scale: f64, propagation: Propagation, pace: Pace) -> Result<Value> {
    let mut rates: Value = serde_json::from_str(MEASURED).context("parse rates.json")?;
    for (name, value) in rates.as_object_mut().context("rates.json is no object")? {
        let measured = value.as_f64().with_context(|| format!("rates.json: {name}"))?;
        *value = json!(if name.ends_with("PerSecond") { measured / pace.0 } else { measured * pace.0 });
    }
    rates["delayScale"] = json!(time_scale);
    rates["propagationMilliseconds"] = json!(longest(propagation).as_secs_f64() * 1_000.0);
    Ok(rates)
}

fn longest(propagation: Propagation) -> Duration {
    match propagation {
        Propagation::Fixed(delay) => delay,
        Propagation::Spread { longest, .. } => longest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Propagation = Propagation::Fixed(Duration::from_secs(1));

    #[test]
    fn a_computer_that_fills_half_as_fast_is_planned_for_at_half_the_speed() {
        let fast = rates(0.01, SECOND, Pace::of_fill(300, Duration::from_secs_f64(7.3))).unwrap();
        let slow = rates(0.01, SECOND, Pace::of_fill(300, Duration::from_secs_f64(14.6))).unwrap();

        let ratio = |name: &str| slow[name].as_f64().unwrap() / fast[name].as_f64().unwrap();
        assert!((ratio("stepSeconds") - 2.0).abs() < 0.001);
        assert!((ratio("loadBytesPerSecond") - 0.5).abs() < 0.001);
        assert_eq!(ratio("delayScale"), 1.0);
    }

    #[test]
    fn what_is_known_of_the_measured_computer_is_taken_as_it_is() {
        assert_eq!(rates(0.01, SECOND, Pace::UNKNOWN).unwrap()["stepSeconds"], 0.1);
    }
}
