//! STS, of which a run uses one operation: a role is assumed. Who may is the role's own decision, by its trust policy; the
//! caller's policy is asked before, as for every call.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use local_aws_core::{ACCOUNT, ApiError, BoxFuture, Call, Reply, Service};
use serde_json::json;

/// A session of a role lasts so long unless it is asked otherwise, and no longer if the caller is a session itself.
const HOUR: Duration = Duration::from_secs(3_600);

/// A role that functions may assume.
#[derive(Debug, Clone)]
struct Role {
    /// Names of the functions that its trust policy lets in.
    trusts: Vec<String>,
}

/// A session of a role, by whose access key calls are signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The role.
    pub role_arn: String,
    /// The name that the caller gave it.
    pub name: String,
    expires: SystemTime,
}

impl Session {
    /// The account of the role.
    pub fn account(&self) -> &str {
        self.role_arn.split(':').nth(4).unwrap_or_default()
    }

    /// As AWS names it where it refuses something.
    pub fn arn(&self) -> String {
        let role = self.role_arn.rsplit('/').next().unwrap_or_default();
        format!("arn:aws:sts::{}:assumed-role/{role}/{}", self.account(), self.name)
    }

    /// Whether its credentials are of no use any more.
    pub fn has_expired(&self) -> bool {
        self.expires <= SystemTime::now()
    }
}

/// The service. Clones share roles and sessions.
#[derive(Debug, Clone, Default)]
pub struct Sts(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    roles: BTreeMap<String, Role>,
    sessions: HashMap<String, Session>,
    lifetime: Option<Duration>,
}

impl Sts {
    /// A role whose trust policy lets in the functions of these names.
    pub fn add_role(&self, arn: &str, trusts: &[&str]) {
        let trusts = trusts.iter().map(|name| (*name).to_owned()).collect();
        self.kept().roles.insert(arn.to_owned(), Role { trusts });
    }

    /// The session that an access key is of, if it is one's.
    pub fn session(&self, access_key_id: &str) -> Option<Session> {
        self.kept().sessions.get(access_key_id).cloned()
    }

    /// Sessions from now on last so long, so that a test need not wait for an hour.
    pub fn set_lifetime(&self, lifetime: Duration) {
        self.kept().lifetime = Some(lifetime);
    }

    fn assume(&self, call: &Call) -> Reply {
        let (arn, name) = (call.required("RoleArn")?, call.required("RoleSessionName")?);
        for member in ["Policy", "PolicyArns", "Tags", "ExternalId", "SerialNumber", "TokenCode", "SourceIdentity"] {
            if call.input.get(member).is_some() {
                return Err(ApiError::not_implemented(&format!("AssumeRole with {member}")));
            }
        }
        let mut kept = self.kept();
        let caller = &call.caller.access_key_id;
        // AWS does not tell a role that is not there from one that does not trust the caller.
        if !kept.roles.get(arn).is_some_and(|role| role.trusts.contains(caller)) {
            let text = format!(
                "User: arn:aws:sts::{ACCOUNT}:assumed-role/{caller}/{caller} is not authorized to perform: sts:AssumeRole on \
                 resource: {arn}"
            );
            return Err(ApiError::new(403, "AccessDenied", text));
        }
        // Functions have credentials of a role themselves.
        if call.int("DurationSeconds").is_some_and(|seconds| seconds > 3_600) {
            let text =
                "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining";
            return Err(ApiError::new(400, "ValidationError", text));
        }
        let asked = call.int("DurationSeconds").and_then(|seconds| u64::try_from(seconds).ok());
        let lasts = kept.lifetime.or(asked.map(Duration::from_secs)).unwrap_or(HOUR);
        let expires = SystemTime::now() + lasts;
        let session = Session { role_arn: arn.to_owned(), name: name.to_owned(), expires };
        let key = new_id("ASIA");
        let user = json!({"Arn": session.arn(), "AssumedRoleId": format!("{}:{name}", new_id("AROA"))});
        kept.sessions.insert(key.clone(), session);
        let expiration = expires.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
        Ok(json!({
            "Credentials": {
                "AccessKeyId": key, "SecretAccessKey": "local", "SessionToken": "local", "Expiration": expiration,
            },
            "AssumedRoleUser": user,
        }))
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service for Sts {
    fn name(&self) -> &'static str {
        "sts"
    }

    fn call<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Reply> {
        Box::pin(async move {
            match call.operation.as_str() {
                "AssumeRole" => self.assume(call),
                other => Err(ApiError::not_implemented(other)),
            }
        })
    }
}

/// `ASIA` or `AROA` and sixteen capitals or digits, like AWS's.
fn new_id(prefix: &str) -> String {
    let rest = std::iter::repeat_with(|| fastrand::alphanumeric().to_ascii_uppercase());
    prefix.chars().chain(rest.take(16)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    const ROLE: &str = "arn:aws:iam::444455556666:role/dns/record";

    fn assume(sts: &Sts, caller: &str, more: Value) -> Reply {
        let mut input = json!({"RoleArn": ROLE, "RoleSessionName": "orders-swap-record"});
        input.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        let mut call = Call::new("AssumeRole", input);
        call.caller.access_key_id = caller.to_owned();
        sts.assume(&call)
    }

    #[test]
    fn a_role_lets_in_whom_it_trusts_and_nobody_else() {
        let sts = Sts::default();
        let refused = |caller: &str| assume(&sts, caller, json!({})).unwrap_err();
        assert_eq!(refused("swap").code, "AccessDenied");
        sts.add_role(ROLE, &["swap"]);

        let answer = assume(&sts, "swap", json!({})).unwrap();
        let key = answer["Credentials"]["AccessKeyId"].as_str().unwrap();
        let session = sts.session(key).unwrap();

        assert_eq!((session.account(), session.has_expired()), ("444455556666", false));
        assert_eq!(session.arn(), "arn:aws:sts::444455556666:assumed-role/record/orders-swap-record");
        assert_eq!((refused("fence").status, sts.session("swap")), (403, None));
        assert!(refused("fence").message.ends_with(&format!("to perform: sts:AssumeRole on resource: {ROLE}")));
    }

    #[test]
    fn a_session_of_a_session_lasts_an_hour_at_most() {
        let sts = Sts::default();
        sts.add_role(ROLE, &["swap"]);

        assert!(assume(&sts, "swap", json!({"DurationSeconds": 900})).is_ok());
        assert_eq!(assume(&sts, "swap", json!({"DurationSeconds": 7200})).unwrap_err().code, "ValidationError");

        sts.set_lifetime(Duration::ZERO);
        let answer = assume(&sts, "swap", json!({})).unwrap();
        assert!(sts.session(answer["Credentials"]["AccessKeyId"].as_str().unwrap()).unwrap().has_expired());
    }
}
