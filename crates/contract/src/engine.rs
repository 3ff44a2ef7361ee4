//! Copy engines: what may be asked for, what was chosen, and what steps that every engine shares must know of one.

use serde::{Deserialize, Serialize};

use crate::{DmsSettings, Phase};

/// What copies the data and follows the changes, as the operator requests it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CopyRequest {
    /// The copy engine.
    #[serde(default)]
    pub engine: EngineChoice,
    /// Settings of DMS, if it is the engine.
    #[serde(default)]
    pub dms: DmsSettings,
}

/// The requested copy engine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum EngineChoice {
    /// DMS if preflight finds nothing that DMS cannot carry, and native replication otherwise. The run decides once, in
    /// preflight.
    #[default]
    Auto,
    /// The named engine.
    #[serde(untagged)]
    One(CopyEngine),
}

/// What copies the data and follows its changes, as steps are told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CopySettings {
    /// The copy engine.
    #[serde(default)]
    pub engine: CopyEngine,
    /// Preflight has not decided yet, so `engine` is only the first of [`Self::candidates`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub undecided: bool,
    /// Settings of DMS, if it is the engine.
    #[serde(default)]
    pub dms: DmsSettings,
}

impl CopySettings {
    /// The engines that preflight looks at.
    pub fn candidates(&self) -> Vec<CopyEngine> {
        if self.undecided { CopyEngine::CHOSEN_FROM.to_vec() } else { vec![self.engine] }
    }

    /// As decided.
    pub fn decided(self, engine: CopyEngine) -> Self {
        Self { engine, undecided: false, ..self }
    }
}

impl From<CopyRequest> for CopySettings {
    fn from(request: CopyRequest) -> Self {
        let (engine, undecided) = match request.engine {
            EngineChoice::Auto => (CopyEngine::default(), true),
            EngineChoice::One(engine) => (engine, false),
        };
        Self { engine, undecided, dms: request.dms }
    }
}

/// What copies the data and follows the changes. Each engine is a folder of `engines/`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum CopyEngine {
    /// AWS Database Migration Service: a full load, then the changes.
    #[default]
    Dms,
    /// Native logical replication: the restored snapshot is the load, and a subscription follows the changes.
    Native,
}

/// What steps that every engine shares must know of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineTraits {
    /// Its name, as the input has it, and its folder's.
    pub name: &'static str,
    /// It drops or alters some changes without a word, so the run watches the source for them.
    pub drops_changes_silently: bool,
    /// A TRUNCATE on the source reaches the target.
    pub carries_truncate: bool,
    /// The target's rows are those of the snapshot; else the engine empties the tables and loads them.
    pub keeps_rows_of_snapshot: bool,
    /// In which states (`pg_trigger.tgenabled`) triggers and rules act on what the engine writes to the target.
    /// Source: PostgreSQL, ALTER TABLE, ENABLE REPLICA | ALWAYS TRIGGER.
    pub sets_off_triggers: &'static str,
    /// The phase in which the source begins to keep WAL for it.
    pub keeps_wal_since: Phase,
}

impl CopyEngine {
    /// Those that the run chooses from, the preferred one first.
    pub const CHOSEN_FROM: &[CopyEngine] = &[CopyEngine::Dms, CopyEngine::Native];

    /// What is known of it.
    pub const fn traits(self) -> EngineTraits {
        match self {
            CopyEngine::Dms => EngineTraits {
                name: "dms",
                drops_changes_silently: true,
                carries_truncate: false,
                keeps_rows_of_snapshot: false,
                // DMS's sessions are ordinary ones, and may set the replica role.
                sets_off_triggers: "OAR",
                keeps_wal_since: Phase::Load,
            },
            CopyEngine::Native => EngineTraits {
                name: "native",
                drops_changes_silently: false,
                carries_truncate: true,
                keeps_rows_of_snapshot: true,
                sets_off_triggers: "AR",
                keeps_wal_since: Phase::CopyInstance,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_engine_is_asked_for_by_its_name_and_else_chosen_by_the_run() {
        let settings = |engine: serde_json::Value| -> CopySettings {
            serde_json::from_value::<CopyRequest>(engine).expect("a request").into()
        };

        for engine in CopyEngine::CHOSEN_FROM {
            let named = settings(json!({ "engine": engine.traits().name }));
            assert_eq!((named.engine, named.candidates()), (*engine, vec![*engine]));
        }
        for left_to_the_run in [json!({}), json!({"engine": "auto"})] {
            let undecided = settings(left_to_the_run);
            assert_eq!(undecided.candidates(), CopyEngine::CHOSEN_FROM);
            assert_eq!(undecided.decided(CopyEngine::Native).candidates(), [CopyEngine::Native]);
        }
        assert!(serde_json::from_value::<CopyRequest>(json!({"engine": "rsync"})).is_err());
    }
}
