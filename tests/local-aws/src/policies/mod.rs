//! A function may call what its policy in the template lists, and nothing else.

mod accounts;
mod conditions;
mod late;
mod needs;
mod record;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use local_aws_control::Sts;
use local_aws_core::{ApiError, Authorize, Caller, denial_code};
use local_aws_lambda::LambdaHost;
use local_aws_route53::Zones;
use serde_json::Value;

use accounts::Who;
use conditions::{Tags, Wants, wants};
use late::LateTags;
use needs::{Need, needs};
use record::Record;

/// The policies of the deployed functions, by the function's name, which is its access key id, and of the roles that they
/// assume, by ARN. Clones share them.
///
/// Actions are matched, resources where a request names them, and conditions on the presence of tags; other conditions are
/// taken as met. So what is refused here is refused on AWS too, but not all that AWS would refuse is refused here.
#[derive(Debug, Clone, Default)]
pub(crate) struct Policies {
    statements: Arc<RwLock<HashMap<String, Vec<Statement>>>>,
    record: Arc<Record>,
    late_tags: LateTags,
}

/// An `Allow`, or a `Deny`, which wins over every `Allow`.
#[derive(Debug, Clone)]
struct Statement {
    denies: bool,
    actions: Vec<String>,
    resources: Vec<String>,
    wants: Vec<Wants>,
}

impl Policies {
    /// A function and its `Policies` property; names of managed policies allow nothing that the stand-in serves.
    pub(crate) fn set(&self, function: &str, policies: &Value) {
        let statements = listed(policies)
            .flat_map(|policy| listed(&policy["Statement"]))
            .map(|statement| Statement {
                denies: statement["Effect"] == "Deny",
                actions: texts(&statement["Action"]),
                resources: texts(&statement["Resource"]),
                wants: wants(&statement["Condition"]),
            })
            .collect();
        self.statements.write().unwrap_or_else(PoisonError::into_inner).insert(function.to_owned(), statements);
    }

    /// See [`Record::expect_refusal`].
    pub(crate) fn expect_refusal(&self, action: &str) {
        self.record.expect_refusal(action);
    }

    /// Tags on resources count so much later than they are set.
    pub(crate) fn delay_tags(&self, delay: Duration) {
        self.late_tags.delay(delay);
    }

    /// Whether the caller is held to policies; whoever is not is no function and may do everything, in every account.
    fn hold(&self, caller: &str) -> bool {
        self.statements.read().unwrap_or_else(PoisonError::into_inner).contains_key(caller)
    }

    /// The first need of a call that the caller's policy does not cover. Callers without a policy are no functions and
    /// may do everything.
    fn lacks(&self, caller: &str, needs: Vec<Need>, tags: &Tags<'_>) -> Option<Need> {
        let statements = self.statements.read().unwrap_or_else(PoisonError::into_inner);
        let statements = statements.get(caller)?;
        needs.into_iter().find(|need| {
            let mut of_need = statements.iter().filter(|statement| statement.covers(need, tags)).peekable();
            let lacks = of_need.peek().is_none() || of_need.any(|statement| statement.denies);
            self.record.note(caller, &need.action, !lacks);
            lacks
        })
    }
}

impl Statement {
    fn covers(&self, need: &Need, tags: &Tags<'_>) -> bool {
        let action = need.action.to_ascii_lowercase();
        let by_action = self.actions.iter().any(|pattern| matches(&pattern.to_ascii_lowercase(), &action));
        let by_resource = need
            .resource
            .as_ref()
            .map_or(!self.denies, |resource| self.resources.iter().any(|pattern| matches(pattern, resource)));
        by_action && by_resource && self.wants.iter().all(|wanted| tags.meet(wanted, need.resource.as_deref()))
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

fn texts(value: &Value) -> Vec<String> {
    listed(value).filter_map(Value::as_str).map(str::to_owned).collect()
}

/// IAM's wildcards: `*` is any text, `?` any one character.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.chars().next() {
        None => text.is_empty(),
        Some('*') => {
            let rest = &pattern[1..];
            text.char_indices().map(|(at, _)| at).chain([text.len()]).any(|at| matches(rest, &text[at..]))
        }
        Some(wanted) => text.chars().next().is_some_and(|found| {
            (wanted == '?' || wanted == found) && matches(&pattern[wanted.len_utf8()..], &text[found.len_utf8()..])
        }),
    }
}

/// Looks tags up by ARN.
pub(crate) type TagKeys = Arc<dyn Fn(&str) -> Option<Vec<String>> + Send + Sync>;

/// What the gateway asks before each call: planned kills first, then the test's own rules, then the policies.
pub(crate) struct Gate {
    pub(crate) functions: LambdaHost,
    pub(crate) policies: Policies,
    /// Who is behind an access key that STS gave out.
    pub(crate) sts: Sts,
    /// Whose zone is whose.
    pub(crate) zones: Zones,
    /// Keys of the tags of what has an ARN; `None` if nothing has.
    pub(crate) tag_keys: TagKeys,
    pub(crate) own: Option<Arc<dyn Authorize>>,
}

impl Authorize for Gate {
    fn authorize(&self, caller: &Caller, service: &str, operation: &str, input: &Value) -> Result<(), ApiError> {
        self.functions.before_call(caller)?;
        if let Some(own) = &self.own {
            own.authorize(caller, service, operation, input)?;
        }
        let seen = |arn: &str| (self.tag_keys)(arn).map(|keys| self.policies.late_tags.seen(arn, keys));
        let tags = Tags::of(input, &seen);
        let who = Who::of(caller, self.sts.session(&caller.access_key_id))?;
        match self.policies.lacks(&who.principal, needs(service, operation, input), &tags) {
            Some(need) => Err(denied(&who, service, &need)),
            None if service == "route53" && self.policies.hold(&who.principal) => {
                who.in_zone(&self.zones, operation, input)
            }
            None => Ok(()),
        }
    }
}

fn denied(who: &Who, service: &str, need: &Need) -> ApiError {
    let action = &need.action;
    let on = need.resource.as_ref().map(|resource| format!(" on resource: {resource}")).unwrap_or_default();
    let text = format!(
        "User: {} is not authorized to perform: {action}{on} because no identity-based policy allows the {action} action",
        who.arn
    );
    tracing::warn!(principal = who.principal, action, resource = need.resource, "a policy does not allow a call");
    let (status, code) = denial_code(service);
    ApiError::new(status, code, text)
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
            {"Effect": "Allow", "Action": "rds:DeleteDBSnapshot", "Resource": ["arn:aws:rds:eu-west-1:1:snapshot:pgleap-*"]},
            {"Effect": "Allow", "Action": "rds:RebootDBInstance", "Resource": "*"},
            {"Effect": "Deny", "Action": "rds:RebootDBInstance", "Resource": "arn:aws:rds:eu-west-1:1:db:source"},
            {"Effect": "Allow", "Action": "dms:StartReplicationTask", "Resource": "*",
             "Condition": {"Null": {"aws:ResourceTag/ours": "false"}}},
            {"Effect": "Allow", "Action": "dms:CreateEndpoint", "Resource": "*",
             "Condition": {"Null": {"aws:RequestTag/ours": "false"}}},
            {"Effect": "Allow", "Action": "dms:CreateReplicationTask", "Resource": "*",
             "Condition": {"Null": {"aws:RequestTag/other": "false"}}},
        ]}]));
        let input = json!({"Tags": [{"Key": "ours"}]});
        let tags =
            Tags::of(&input, &|arn| arn.ends_with("tagged").then(|| vec!["ours".to_owned()]).or(Some(Vec::new())));
        let lacks = |caller: &str, action: &str, resource: Option<&str>| {
            let need = Need { action: action.to_owned(), resource: resource.map(str::to_owned) };
            policies.lacks(caller, vec![need], &tags).is_some()
        };

        assert!(!lacks("swap", "route53:GetChange", None));
        assert!(!lacks("swap", "rds:DescribeDBInstances", Some("arn:aws:rds:eu-west-1:1:db:source")));
        assert!(!lacks("swap", "rds:DeleteDBSnapshot", Some("arn:aws:rds:eu-west-1:1:snapshot:pgleap-r1")));
        assert!(lacks("swap", "rds:DeleteDBSnapshot", Some("arn:aws:rds:eu-west-1:1:snapshot:mine")));
        assert!(!lacks("swap", "rds:RebootDBInstance", Some("arn:aws:rds:eu-west-1:1:db:target")));
        assert!(lacks("swap", "rds:RebootDBInstance", Some("arn:aws:rds:eu-west-1:1:db:source")));
        assert!(lacks("swap", "rds:DeleteDBInstance", None));
        assert!(!lacks("swap", "dms:StartReplicationTask", Some("arn:tagged")));
        assert!(lacks("swap", "dms:StartReplicationTask", Some("arn:plain")));
        assert!(!lacks("swap", "dms:CreateEndpoint", None));
        assert!(lacks("swap", "dms:CreateReplicationTask", None));
        assert!(!lacks("operator", "rds:DeleteDBInstance", None));
    }

    #[test]
    fn patterns_have_iams_wildcards() {
        let cases = [
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abcd", false),
            ("a-??", "a-xy", true),
            ("a-??", "a-xyz", false),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
