//! One hook: whether it can be called at once, and ends itself in time.

use pgleap_clients::{Configuration, Hooks};
use pgleap_contract::{Finding, Hook};
use pgleap_step_kit::prelude::*;

const ID: &str = "client-hook";

/// Whatever a person must put right is a finding; only what may go away by itself is an error.
pub(crate) async fn check(hooks: &Hooks, hook: &Hook) -> StepResult<Option<Finding>> {
    match hooks.describe(hook).await {
        Ok(configuration) => Ok(judge(hook, &configuration)),
        Err(error) if matches!(error.code, ErrorCode::AccessDenied | ErrorCode::HookFailed) => {
            let remedy = "clients.hooks must name existing functions, and the stack's parameter HookFunctionArns must contain them \
                          (docs/other-clients.md)";
            Ok(Some(Finding::blocker(ID, error.message, remedy)))
        }
        Err(error) => Err(error),
    }
}

/// start-run has checked that `timeoutSeconds` is at most half of `limits.cutoverSeconds`.
fn judge(hook: &Hook, found: &Configuration) -> Option<Finding> {
    let arn = &hook.function_arn;
    if found.state != "Active" {
        let found = format!("function {arn} is not active, but {}", found.state);
        return Some(Finding::blocker(ID, found, "call it once and wait until its state is Active"));
    }
    if found.timeout_seconds > hook.timeout_seconds {
        let found = format!(
            "function {arn} has a timeout of {} s, which is longer than the {} s of clients.hooks[].timeoutSeconds",
            found.timeout_seconds, hook.timeout_seconds
        );
        let remedy =
            "shorten the function's timeout, or raise timeoutSeconds, which may be half of limits.cutoverSeconds";
        return Some(Finding::blocker(ID, found, remedy));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hook_is_fit_if_it_is_active_and_ends_in_time() {
        let hook = Hook { function_arn: "arn".to_owned(), timeout_seconds: 10 };
        for (timeout_seconds, state, fits) in
            [(10, "Active", true), (11, "Active", false), (3, "Inactive", false), (3, "Pending", false)]
        {
            let found = Configuration { timeout_seconds, state: state.to_owned() };
            assert_eq!(judge(&hook, &found).is_none(), fits, "{timeout_seconds} {state}");
        }
    }
}
