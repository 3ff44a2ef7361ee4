//! What each step declares of itself: `functions/<step>/step.yaml`, or `engines/<engine>/<step>/step.yaml` for a step of a copy
//! engine.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use pgleap_contract::{ErrorCode, Phase};
use serde::Deserialize;
use serde_yaml_ng::Value;

use crate::engines;
use crate::machine::{MACHINES, Machine, only_warms, repository, step_of};

/// A step as its folder declares it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Declared {
    /// In a few words, for lists of functions.
    pub does: String,
    /// The phase that it belongs to; none for a step of several.
    #[serde(default)]
    pub phase: Option<Phase>,
    /// Whether every upgrade that goes well calls it.
    pub runs: Runs,
    /// What it speaks to.
    pub reaches: Reaches,
    /// Of its function, in MB.
    pub memory: u32,
    /// Of its function, in seconds.
    pub timeout: u32,
    /// What takes back what it did.
    pub undo: String,
    /// Error codes that it may end with, and what each means here.
    pub fails_with: String,
    /// Variables of the function, as CloudFormation has them.
    #[serde(default)]
    environment: Value,
    /// Statements of its policy, as CloudFormation has them.
    #[serde(default)]
    policy: Value,
    /// The file, for what is taken from it as it is written.
    #[serde(skip)]
    text: String,
    /// From the repository's root, e.g. `functions/fence-source`.
    #[serde(skip)]
    pub folder: String,
}

/// How often a step runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Runs {
    /// In every upgrade that goes well.
    Always,
    /// Where something is asked for, has to be repaired, or is rolled back.
    Sometimes,
}

/// A function in the VPC reaches databases and Secrets Manager and nothing else of AWS: Route 53 has no endpoint there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reaches {
    /// It lives in the VPC.
    Databases,
    /// It lives outside.
    Aws,
}

impl Declared {
    /// The copy engine whose step it is, by its folder.
    pub fn engine(&self) -> Option<&str> {
        self.folder.strip_prefix("engines/")?.split('/').next()
    }

    /// What stands under a key of the file, line by line, without its indentation: comments and tags are kept.
    fn block(&self, key: &str) -> Vec<&str> {
        let opens = |line: &str| line.split(" #").next() == Some(&format!("{key}:"));
        let lines = self.text.lines().skip_while(|line| !opens(line)).skip(1);
        lines.take_while(|line| line.starts_with(' ')).map(|line| line.strip_prefix("  ").unwrap_or(line)).collect()
    }

    /// Variables of the function.
    pub fn environment(&self) -> Vec<&str> {
        self.block("environment")
    }

    /// Their names, as YAML has them.
    pub fn variables(&self) -> BTreeSet<&str> {
        self.environment.as_mapping().into_iter().flat_map(|of| of.keys()).filter_map(Value::as_str).collect()
    }

    /// Statements of its policy.
    pub fn policy(&self) -> Vec<&str> {
        self.block("policy")
    }

    /// How many they are, as YAML has them.
    pub fn statements(&self) -> usize {
        self.policy.as_sequence().map_or(0, Vec::len)
    }

    /// The error codes among the words of `fails-with`.
    pub fn error_codes(&self) -> BTreeSet<&str> {
        let words = self.fails_with.split(|letter: char| !letter.is_ascii_alphanumeric());
        words.filter(|word| ErrorCode::ALL.iter().any(|code| code.word() == *word)).collect()
    }
}

/// One step, with its name.
pub type Step = (String, Declared);

/// Every step in the order in which the machines name them, the upgrade's first.
pub fn steps() -> Result<Vec<Step>> {
    let mut declared = read_all()?;
    let mut ordered = Vec::new();
    for machine in MACHINES {
        for (state, definition) in Machine::read(machine)?.states() {
            let Some(step) = step_of(&definition).filter(|_| !only_warms(&definition)) else { continue };
            if let Some(found) = declared.remove(&step) {
                ordered.push((step, found));
            } else {
                let is_known = ordered.iter().any(|(known, _)| *known == step);
                ensure!(
                    is_known,
                    "state {state} calls {step}, and no folder of functions/ or engines/ has its step.yaml"
                );
            }
        }
    }
    ensure!(declared.is_empty(), "no state calls {:?}", declared.keys());
    Ok(ordered)
}

/// The folders that have steps, from the repository's root.
pub fn roots() -> Result<Vec<String>> {
    let engines = engines::names()?;
    Ok(std::iter::once("functions".to_owned()).chain(engines.iter().map(|name| format!("engines/{name}"))).collect())
}

pub(crate) fn read_all() -> Result<BTreeMap<String, Declared>> {
    let mut found = BTreeMap::new();
    for root in roots()? {
        for entry in std::fs::read_dir(repository().join(&root)).with_context(|| format!("list {root}"))?.flatten() {
            let path = entry.path().join("step.yaml");
            if !path.is_file() {
                continue; // a page, the list of the steps, a library of an engine
            }
            let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
            let declared: Declared =
                serde_yaml_ng::from_str(&text).with_context(|| format!("read {}", path.display()))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let folder = format!("{root}/{name}");
            let before = found.insert(name.clone(), Declared { text, folder, ..declared });
            ensure!(before.is_none(), "there are two steps {name}");
        }
    }
    Ok(found)
}
