//! Faults: a sandbox is killed in the middle of its work.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Kill one invocation of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KillPlan {
    /// The function's name.
    pub function: String,
    /// Which invocation from now on: 1 is the next one.
    pub invocation: u64,
    /// When in that invocation.
    pub when: KillWhen,
}

/// The moment of a planned kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KillWhen {
    /// Before its n-th call of an AWS API in that invocation; 1 is the first.
    BeforeCall(u64),
    /// So long after the sandbox took the invocation up.
    After(Duration),
    /// When it has answered: the work is done, the caller sees `Runtime.ExitError`.
    Answered,
}

/// The plans that wait for their invocation.
#[derive(Debug, Default)]
pub(crate) struct KillPlans(Mutex<Vec<KillPlan>>);

impl KillPlans {
    pub(crate) fn add(&self, plan: KillPlan) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(plan);
    }

    /// An invocation of `function` begins: what is planned for it. Later ones come one nearer.
    pub(crate) fn take(&self, function: &str) -> Vec<KillWhen> {
        let mut plans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due = Vec::new();
        plans.retain_mut(|plan| {
            if plan.function != function {
                return true;
            }
            plan.invocation = plan.invocation.saturating_sub(1);
            if plan.invocation == 0 {
                due.push(plan.when);
            }
            plan.invocation > 0
        });
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_waits_for_its_invocation_and_is_used_once() {
        let plans = KillPlans::default();
        plans.add(KillPlan { function: "a".to_owned(), invocation: 2, when: KillWhen::Answered });

        let taken: Vec<_> = ["a", "b", "a", "a"].into_iter().map(|function| plans.take(function)).collect();

        assert_eq!(taken, [vec![], vec![], vec![KillWhen::Answered], vec![]]);
    }
}
