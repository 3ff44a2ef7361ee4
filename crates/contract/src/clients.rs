//! Clients that do not follow the record: they read the host from a secret, or a function of the operator's moves them.

use serde::{Deserialize, Serialize};

/// Clients that do not follow the record. The run moves them together with the drain, and moves them back in a rollback.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Clients {
    /// Secrets from which applications read the host, at most ten.
    #[serde(default)]
    pub secrets: Vec<ClientSecret>,
    /// Lambda functions of your own that move clients, at most five.
    #[serde(default)]
    pub hooks: Vec<Hook>,
}

impl Clients {
    /// Most secrets.
    pub const MAX_SECRETS: usize = 10;
    /// Most hooks.
    pub const MAX_HOOKS: usize = 5;

    /// Whether there is nothing to move.
    pub fn is_empty(&self) -> bool {
        self.secrets.is_empty() && self.hooks.is_empty()
    }
}

/// A secret from which applications read the host. Its value is a JSON object, and the run changes only its member `host`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClientSecret {
    /// ARN of the secret. The stack's parameter `ClientSecretArns` must contain it.
    pub secret_id: String,
    /// The host that the secret has before the cutover. If it is absent, the source's endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The host that the secret gets at the cutover, for example the endpoint of a second RDS Proxy. If it is absent, the
    /// target's endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

/// A Lambda function of your own that moves clients at the cutover, and back in a rollback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Hook {
    /// ARN of the function. The stack's parameter `HookFunctionArns` must contain it.
    pub function_arn: String,
    /// Longest time that a call may take, in seconds. The function's own timeout may not be longer, and half of
    /// `limits.cutoverSeconds` may not be shorter.
    #[serde(default = "Hook::default_timeout")]
    #[cfg_attr(feature = "schema", schemars(range(min = Hook::TIMEOUT_SECONDS.0, max = Hook::TIMEOUT_SECONDS.1)))]
    pub timeout_seconds: u32,
}

impl Hook {
    /// Least and most of `timeout_seconds`: the step that calls hooks lives for a little longer.
    pub const TIMEOUT_SECONDS: (u32, u32) = (1, 120);

    fn default_timeout() -> u32 {
        10
    }
}
