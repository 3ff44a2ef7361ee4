//! Names of the versions that a run makes. A version's name says which run made it, in which direction and from which
//! version, so a repeated call makes the same version, and nothing has to be remembered.

use pgleap_contract::{Generation, Run};
use sha2::{Digest, Sha256};

use crate::hook::Direction;

/// The versions of one cutover in one direction.
#[derive(Debug, Clone)]
pub(crate) struct Versions {
    prefix: String,
}

impl Versions {
    pub(crate) fn of(run: &Run, generation: Generation, direction: Direction) -> Self {
        Self { prefix: digest(&format!("{}\n{generation}\n{direction:?}", run.execution_arn)) }
    }

    /// The version that is made from this one. Secrets Manager allows 32 to 64 characters.
    pub(crate) fn made_from(&self, version: &str) -> String {
        format!("{}-{}", self.prefix, digest(version))
    }

    /// Whether this is one of them.
    pub(crate) fn contain(&self, version: &str) -> bool {
        version.strip_prefix(&self.prefix).is_some_and(|rest| rest.starts_with('-'))
    }
}

/// 24 hexadecimal digits: 96 bits.
fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(12).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_version_says_who_made_it_and_from_what() {
        let run: Run = serde_json::from_value(json!({
            "id": "r", "executionArn": "arn", "mode": "upgrade", "copy": {}, "choices": {}, "limits": {},
            "source": { "instance": "db", "loginSecret": "s" }, "target": { "version": "18" },
            "record": { "zoneId": "Z", "name": "db.example.com" },
        }))
        .expect("a run");
        let forward = Versions::of(&run, Generation::FORWARD, Direction::Forward);
        let back = Versions::of(&run, Generation::FORWARD, Direction::Back);

        let version = forward.made_from("v0");

        assert!((32..=64).contains(&version.len()), "{version}");
        assert_eq!(version, forward.made_from("v0"));
        assert_ne!(version, forward.made_from("v1"));
        assert_ne!(version, back.made_from("v0"));
        assert!(forward.contain(&version) && !back.contain(&version) && !forward.contain("v0"));
    }
}
