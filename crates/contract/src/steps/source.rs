//! `configure-source`, `reboot-source`, `prepare-source`, `snapshot-source`.

use serde::{Deserialize, Serialize};

/// Output of `configure-source`, once the run's parameter group (or one that already serves) is attached, with its values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConfigureSourceOutput {
    /// A static value waits for a reboot.
    pub reboot_needed: bool,
}
