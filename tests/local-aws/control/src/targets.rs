//! What stands behind the ARN of a target.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use local_aws_core::{ApiError, BoxFuture, Clock, Deliver};
use serde_json::Value;

/// Delivers by the service in the ARN (`arn:aws:lambda:..`, `arn:aws:states:..`). Services are added after those that
/// deliver to them exist, so clones share the table.
#[derive(Clone, Default)]
pub struct Targets {
    services: Arc<Mutex<HashMap<String, Arc<dyn Deliver>>>>,
}

impl Targets {
    /// Everything whose ARN names this service goes there.
    pub fn add(&self, service: &str, deliver: Arc<dyn Deliver>) {
        self.lock().insert(service.to_owned(), deliver);
    }

    /// Forget them: what stands behind a target often holds these targets itself.
    pub fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<dyn Deliver>>> {
        self.services.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Deliver for Targets {
    fn deliver<'a>(&'a self, target_arn: &'a str, input: Value) -> BoxFuture<'a, Result<(), ApiError>> {
        let service = target_arn.split(':').nth(2).unwrap_or_default();
        let target = self.lock().get(service).cloned();
        Box::pin(async move {
            let target = target.ok_or_else(|| ApiError::not_implemented(&format!("delivery to {target_arn}")))?;
            target.deliver(target_arn, input).await
        })
    }
}

/// How often an accepted event is offered to a target that does not take it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RetryPolicy {
    /// Attempts after the first.
    pub(crate) attempts: u64,
    /// The event is given up at this age.
    pub(crate) age: Duration,
}

impl RetryPolicy {
    /// `RetryPolicy` of a schedule's or a rule's target; AWS's defaults are 185 attempts and 24 hours.
    pub(crate) fn of(target: &Value) -> Self {
        let number = |member: &str| target["RetryPolicy"][member].as_u64();
        Self {
            attempts: number("MaximumRetryAttempts").unwrap_or(185),
            age: Duration::from_secs(number("MaximumEventAgeInSeconds").unwrap_or(86_400)),
        }
    }

    /// The nominal pause before attempt `n` after the first, `None` when the event is given up.
    pub(crate) fn pause(&self, n: u64, waited: Duration) -> Option<Duration> {
        let pause = Duration::from_secs(1 << n.min(8));
        (n < self.attempts && waited + pause <= self.age).then_some(pause)
    }
}

/// Deliver, and again while the target refuses for a reason that may pass.
pub(crate) async fn deliver_with_retries(
    targets: &dyn Deliver,
    arn: &str,
    input: &Value,
    policy: RetryPolicy,
    clock: Clock,
) -> Result<(), ApiError> {
    let (mut attempt, mut waited) = (0, Duration::ZERO);
    loop {
        let error = match targets.deliver(arn, input.clone()).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        let may_pass = error.status == 429 || error.status >= 500 && error.status != 501;
        let Some(pause) = policy.pause(attempt, waited).filter(|_| may_pass) else {
            return Err(error);
        };
        clock.sleep(pause).await;
        (attempt, waited) = (attempt + 1, waited + pause);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_offered_until_its_attempts_or_its_age_are_over() {
        let policy =
            RetryPolicy::of(&json!({"RetryPolicy": {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 60}}));

        assert_eq!(policy.pause(0, Duration::ZERO), Some(Duration::from_secs(1)));
        assert_eq!(policy.pause(3, Duration::ZERO), None, "three attempts after the first");
        assert_eq!(policy.pause(2, Duration::from_secs(58)), None, "too old");
        assert_eq!(RetryPolicy::of(&json!({})).attempts, 185);
    }
}
