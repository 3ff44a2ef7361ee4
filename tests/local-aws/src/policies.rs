//! A function may call what its policy in the template lists, and nothing else.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use local_aws_core::{ACCOUNT, ApiError, Authorize, Caller};
use local_aws_lambda::LambdaHost;
use serde_json::Value;

/// The policies of the deployed functions, by the function's name, which is its access key id. Clones share them.
///
/// Only actions are matched, not resources and conditions: a refusal here is one on AWS too, but not the other way.
#[derive(Debug, Clone, Default)]
pub(crate) struct Policies {
    allowed: Arc<RwLock<HashMap<String, Vec<String>>>>,
}

impl Policies {
    /// A function and its `Policies` property; names of managed policies allow nothing that the stand-in serves.
    pub(crate) fn set(&self, function: &str, policies: &Value) {
        let allowed = listed(policies).flat_map(|policy| listed(&policy["Statement"])).filter(|statement| statement["Effect"] == "Allow");
        let actions = allowed.flat_map(|statement| listed(&statement["Action"])).filter_map(Value::as_str).map(str::to_owned);
        let actions = actions.collect();
        self.allowed.write().unwrap_or_else(PoisonError::into_inner).insert(function.to_owned(), actions);
    }

    /// Callers without a policy are no functions, and may do everything.
    fn allows(&self, caller: &str, action: &str) -> bool {
        let allowed = self.allowed.read().unwrap_or_else(PoisonError::into_inner);
        allowed.get(caller).is_none_or(|actions| actions.iter().any(|listed| covers(listed, action)))
    }
}

/// IAM writes one thing and a list of one alike.
fn listed(value: &Value) -> impl Iterator<Item = &Value> {
    match value {
        Value::Array(values) => values.as_slice(),
        Value::Null => &[],
        one => std::slice::from_ref(one),
    }
    .iter()
}

/// `rds:Describe*` covers `rds:DescribeDBInstances`; letters match in either case.
fn covers(listed: &str, action: &str) -> bool {
    let (listed, action) = (listed.to_ascii_lowercase(), action.to_ascii_lowercase());
    match listed.split_once('*') {
        Some((start, end)) => action.len() >= start.len() + end.len() && action.starts_with(start) && action.ends_with(end),
        None => listed == action,
    }
}

/// The action that IAM knows for a call.
fn action(service: &str, operation: &str) -> String {
    match (service, operation) {
        ("lambda", "Invoke") => "lambda:InvokeFunction".to_owned(),
        _ => format!("{service}:{operation}"),
    }
}

/// What the gateway asks before each call: planned kills first, then the test's own rules, then the policies.
pub(crate) struct Gate {
    pub(crate) functions: LambdaHost,
    pub(crate) policies: Policies,
    pub(crate) own: Option<Arc<dyn Authorize>>,
}

impl Authorize for Gate {
    fn authorize(&self, caller: &Caller, service: &str, operation: &str, input: &Value) -> Result<(), ApiError> {
        self.functions.before_call(caller)?;
        if let Some(own) = &self.own {
            own.authorize(caller, service, operation, input)?;
        }
        let action = action(service, operation);
        if self.policies.allows(&caller.access_key_id, &action) {
            return Ok(());
        }
        let user = format!("arn:aws:sts::{ACCOUNT}:assumed-role/{0}/{0}", caller.access_key_id);
        let text = format!("User: {user} is not authorized to perform: {action} because no identity-based policy allows the {action} action");
        let (status, code) = match service {
            "rds" | "route53" => (403, "AccessDenied"),
            "lambda" | "scheduler" => (403, "AccessDeniedException"),
            _ => (400, "AccessDeniedException"),
        };
        Err(ApiError::new(status, code, text))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_function_may_do_what_its_policies_list() {
        let policies = Policies::default();
        policies.set("swap", &json!(["AWSLambdaVPCAccessExecutionRole", {"Statement": [
            {"Effect": "Allow", "Action": ["route53:GetChange", "rds:Describe*"], "Resource": "*"},
            {"Effect": "Allow", "Action": "scheduler:CreateSchedule", "Resource": "*"},
        ]}]));

        let cases = [
            ("swap", "route53:GetChange", true),
            ("swap", "rds:DescribeDBInstances", true),
            ("swap", "scheduler:CreateSchedule", true),
            ("swap", "rds:DeleteDBInstance", false),
            ("swap", "lambda:InvokeFunction", false),
            ("operator", "rds:DeleteDBInstance", true),
        ];
        for (caller, action, expected) in cases {
            assert_eq!(policies.allows(caller, action), expected, "{caller} {action}");
        }
    }
}
