//! The run as every step sees it, and the few things that steps hand to each other.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    Approval, Choices, Clients, CopyEngine, CopySettings, CutoverSettings, FailBack, Limits, Mode, Network, Record,
    Source, Target, UncomparedTables, Window,
};

/// Name of a run: short, because names derived from it must fit AWS's and PostgreSQL's limits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunId(String);

/// Why a text is no run id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("run id {0:?} is not valid: use a letter, then up to 19 of a-z, 0-9 and single hyphens, none at the end")]
pub struct RunIdError(String);

impl RunId {
    /// Longest id in bytes: `pgleap_<id>_work` must fit a role name and `pgleap-<id>-..` a DMS identifier.
    pub const LONGEST: usize = 20;

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for RunId {
    type Error = RunIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let starts_well = text.starts_with(|c: char| c.is_ascii_lowercase());
        let characters = text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        let hyphens = !text.contains("--") && !text.ends_with('-');
        if starts_well && characters && hyphens && text.len() <= Self::LONGEST {
            Ok(Self(text))
        } else {
            Err(RunIdError(text))
        }
    }
}

impl From<RunId> for String {
    fn from(id: RunId) -> Self {
        id.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The run: what the operator asked for, with every default filled in. Made once by `start-run`, never changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Run {
    /// Name of the run; every created name derives from it.
    pub id: RunId,
    /// The execution that carries the run.
    pub execution_arn: String,
    /// Upgrade, or only look.
    pub mode: Mode,
    /// The database that is left.
    pub source: Source,
    /// The database that is reached.
    pub target: Target,
    /// The record that clients follow.
    pub record: Record,
    /// What copies the data and follows its changes.
    pub copy: CopySettings,
    /// How clients are moved.
    #[serde(default)]
    pub cutover: CutoverSettings,
    /// Clients that do not follow the record; null if there are none.
    #[serde(default)]
    pub clients: Option<Clients>,
    /// What the run may do about the network.
    #[serde(default)]
    pub network: Network,
    /// What the operator accepts.
    pub choices: Choices,
    /// Who is asked before users are interrupted.
    #[serde(default)]
    pub approval: Approval,
    /// When users may be interrupted; at any time if absent.
    #[serde(default)]
    pub window: Option<Window>,
    /// Bounds.
    pub limits: Limits,
    /// Whether the old server follows the new one after OPEN; it does not if null.
    #[serde(default)]
    pub fail_back: Option<FailBack>,
    /// What its cutover is for.
    #[serde(default)]
    pub purpose: Purpose,
    /// Tags of the operator's own on everything that the run creates.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// What a cutover is for. Failing back later is a cutover of the same run with source and target exchanged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Purpose {
    /// From the old server to the new one.
    #[default]
    Upgrade,
    /// From the new server, which serves, back to the old one, which follows it.
    FailBack,
}

impl Purpose {
    /// From the old server to the new one.
    pub fn is_upgrade(self) -> bool {
        self == Self::Upgrade
    }
}

impl Run {
    /// The same run seen from the new server, as `execution_arn` carries it: what was the target is left now, and the old
    /// server is reached. What carries the changes is a subscription, whatever copied the data.
    pub fn failing_back(&self, execution_arn: &str) -> Self {
        let mut run = self.clone();
        run.execution_arn = execution_arn.to_owned();
        run.purpose = Purpose::FailBack;
        run.copy.engine = CopyEngine::Native;
        run.source.instance = self.target.instance.clone().unwrap_or_default();
        run.target.instance = Some(self.source.instance.clone());
        run
    }

    /// The instance that the stack is for: the old server, whichever way the run goes.
    pub fn stack_instance(&self) -> &str {
        match self.purpose {
            Purpose::Upgrade => &self.source.instance,
            Purpose::FailBack => self.target.instance.as_deref().unwrap_or_default(),
        }
    }

    /// Whether the run is an upgrade that keeps a fail-back path.
    pub fn keeps_fail_back(&self) -> bool {
        self.purpose.is_upgrade() && self.fail_back.is_some()
    }

    /// The logins that the fence of the source lets in: the run's own. Before OPEN nobody uses that of the fail-back path, and after it
    /// the old server follows by it behind its fence.
    pub fn kept_by_fence(&self) -> Vec<String> {
        let names = self.names();
        let mut kept = vec![names.work_login(), names.copy_login()];
        kept.extend(self.keeps_fail_back().then(|| names.back_login()));
        kept
    }

    /// What to do about tables that could not be compared: where nothing is chosen, a person who is asked anyway is asked
    /// about them too.
    pub fn uncompared_tables(&self) -> UncomparedTables {
        let unsaid = if self.approval.cutover { UncomparedTables::Ask } else { UncomparedTables::Refuse };
        self.choices.uncompared_tables.unwrap_or(unsaid)
    }
}

/// Where a PostgreSQL server listens, and the database in it that is upgraded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Server {
    /// Host name of the instance's endpoint; its certificate is verified by this name.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Database name.
    pub database: String,
    /// Storage of its instance in GiB, as far as it grows by itself; absent where RDS was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_gib: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_id_fits_every_name_made_from_it() {
        let cases = [
            ("orders-18", true),
            ("a", true),
            ("a2345678901234567890", true),
            ("", false),
            ("9a", false),
            ("A", false),
            ("a--b", false),
            ("a-", false),
            ("a_b", false),
            ("a23456789012345678901", false),
        ];
        for (text, good) in cases {
            assert_eq!(RunId::try_from(text.to_owned()).is_ok(), good, "{text:?}");
        }
    }
}
