//! The deadline of a cutover inside a step.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pgleap_contract::{Cutover, ErrorCode};

use crate::{StepError, StepResult};

/// How often a step looks again while clients wait.
const INTERVAL: Duration = Duration::from_millis(20);

/// What is left of a cutover's time.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    epoch_ms: i64,
}

impl Deadline {
    /// The deadline that travels with the cutover.
    pub fn of(cutover: Cutover) -> Self {
        Self { epoch_ms: cutover.deadline_epoch_ms }
    }

    /// Time left, none if it has passed.
    pub fn remaining(&self) -> Duration {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        let left = i128::from(self.epoch_ms) - i128::try_from(now).unwrap_or(i128::MAX);
        Duration::from_millis(u64::try_from(left).unwrap_or(0))
    }

    /// Refuse to go on after the deadline.
    pub fn check(&self, doing: &str) -> StepResult<()> {
        if self.remaining().is_zero() {
            return Err(StepError::new(
                ErrorCode::DeadlinePassed,
                format!("{doing}: the deadline of the cutover has passed"),
            ));
        }
        Ok(())
    }

    /// End a step at the deadline, whatever it waits for: a hanging connection must not outlive it.
    pub async fn bound<T>(&self, doing: &str, step: impl Future<Output = StepResult<T>>) -> StepResult<T> {
        let passed = || StepError::new(ErrorCode::DeadlinePassed, format!("{doing}: no answer before the deadline"));
        tokio::time::timeout(self.remaining(), step).await.map_err(|_elapsed| passed())?
    }

    /// Look again in a moment; refuses once the deadline has passed, with what was seen last.
    pub async fn pause(&self, doing: &str, seen: &str) -> StepResult<()> {
        if self.remaining() <= INTERVAL {
            return Err(StepError::new(
                ErrorCode::DeadlinePassed,
                format!("{doing}: {seen} when the deadline of the cutover passed"),
            ));
        }
        tokio::time::sleep(INTERVAL).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pgleap_contract::Generation;

    #[test]
    fn nothing_is_left_after_the_deadline() {
        let past = Deadline::of(Cutover { generation: Generation::FORWARD, deadline_epoch_ms: 1 });

        assert!(past.remaining().is_zero());
        assert_eq!(past.check("open the target").expect_err("passed").code, ErrorCode::DeadlinePassed);
    }
}
