//! Callers of other accounts, and zones of them: Route 53 has no resource policies, so a zone is its own account's alone.

use local_aws_control::Session;
use local_aws_core::{ACCOUNT, ApiError, Caller};
use local_aws_route53::Zones;
use serde_json::Value;

/// Who makes a call: a function by its own role, or by a session of another one.
pub(super) struct Who {
    /// By what its policy is found: a function's name, or a role's ARN.
    pub(super) principal: String,
    /// As AWS names it in a refusal.
    pub(super) arn: String,
    account: String,
}

impl Who {
    pub(super) fn of(caller: &Caller, session: Option<Session>) -> Result<Self, ApiError> {
        let Some(session) = session else {
            let function = &caller.access_key_id;
            let arn = format!("arn:aws:sts::{ACCOUNT}:assumed-role/{function}/{function}");
            return Ok(Self { principal: function.clone(), arn, account: ACCOUNT.to_owned() });
        };
        if session.has_expired() {
            return Err(ApiError::new(403, "ExpiredToken", "The security token included in the request is expired"));
        }
        Ok(Self { arn: session.arn(), account: session.account().to_owned(), principal: session.role_arn })
    }

    /// What no policy of the caller's own account can allow.
    pub(super) fn in_zone(&self, zones: &Zones, operation: &str, input: &Value) -> Result<(), ApiError> {
        let id = |member: &str| input[member].as_str().unwrap_or_default();
        let owner = match operation {
            "GetChange" => zones.account_of_change(id("Id")),
            "GetHostedZone" | "DeleteHostedZone" => zones.account_of(id("Id")),
            _ => zones.account_of(id("HostedZoneId")),
        };
        // One that nobody has is the service's to answer.
        if owner.is_none_or(|owner| owner == self.account) {
            return Ok(());
        }
        Err(ApiError::new(403, "AccessDenied", format!("User: {} is not authorized to access this resource", self.arn)))
    }
}
