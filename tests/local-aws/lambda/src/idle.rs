//! Functions that nobody called for weeks.
//!
//! Lambda takes the network interface of such a function away and calls it Inactive. The invocation that finds it so fails,
//! and the function is Pending until its network is there again; until then invocations fail too.
//! Source: AWS Lambda developer guide, "Lambda function states" and "Invoke" (ResourceNotReadyException, ResourceConflictException).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use local_aws_core::ApiError;

#[derive(Debug)]
enum Standing {
    /// Nobody has called it; so long it takes to wake up.
    Inactive(Duration),
    Pending(Instant),
}

/// Functions that are not active. All others are.
#[derive(Debug, Default)]
pub(crate) struct Idle(Mutex<HashMap<String, Standing>>);

impl Idle {
    /// These functions stood idle, and take so long to wake up.
    pub(crate) fn plan(&self, functions: impl IntoIterator<Item = String>, wakes_after: Duration) {
        let inactive = functions.into_iter().map(|name| (name, Standing::Inactive(wakes_after)));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(inactive);
    }

    /// An invocation wakes an inactive function up, and is refused until it is awake.
    pub(crate) fn invoked(&self, function: &str) -> Result<(), ApiError> {
        let mut functions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match functions.get(function) {
            None => Ok(()),
            Some(Standing::Inactive(wakes_after)) => {
                let awake = Instant::now() + *wakes_after;
                functions.insert(function.to_owned(), Standing::Pending(awake));
                let text = "The function is inactive and its VPC connection is no longer available. Try again later";
                Err(ApiError::new(502, "ResourceNotReadyException", text))
            }
            Some(Standing::Pending(awake)) if Instant::now() < *awake => {
                let text = "The operation cannot be performed at this time. The function is currently in the following state: Pending";
                Err(ApiError::new(409, "ResourceConflictException", text))
            }
            Some(Standing::Pending(_over)) => {
                functions.remove(function);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inactive_function_refuses_wakes_up_and_answers() {
        let idle = Idle::default();
        let code = |answer: Result<(), ApiError>| answer.err().map(|error| error.code);

        idle.plan(["f".to_owned()], Duration::from_secs(600));
        assert_eq!(code(idle.invoked("other")), None);
        assert_eq!(code(idle.invoked("f")).as_deref(), Some("ResourceNotReadyException"));
        assert_eq!(code(idle.invoked("f")).as_deref(), Some("ResourceConflictException"));

        idle.plan(["f".to_owned()], Duration::ZERO);
        assert_eq!(code(idle.invoked("f")).as_deref(), Some("ResourceNotReadyException"));
        assert_eq!(code(idle.invoked("f")), None);
        assert_eq!(code(idle.invoked("f")), None);
    }
}
