//! `configure-source`, `reboot-source`, `prepare-source`, `snapshot-source`.

use serde::{Deserialize, Serialize};

/// Output of `configure-source`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConfigureSourceOutput {
    /// The run's parameter group (or one that already serves) is attached, with its values.
    pub done: bool,
    /// What the next look hopes to see.
    pub waiting_for: String,
    /// A static value waits for a reboot.
    pub reboot_needed: bool,
}
