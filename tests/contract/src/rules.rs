//! `tests/without/rules.yaml`: the rules that keep rows from being lost, each with the change that takes it away and the
//! test that notices.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::machine::repository;

/// A rule, and the project without it.
#[derive(Debug, Clone, Deserialize)]
pub struct Rule {
    /// What holds.
    pub rule: String,
    #[serde(flatten)]
    first: Edit,
    /// Where it is kept in two places.
    #[serde(default)]
    also: Vec<Edit>,
    /// Arguments of `cargo test`, separated by spaces.
    pub run: String,
    /// Path of the test that must fail without the rule.
    pub test: String,
}

/// One change of one file.
#[derive(Debug, Clone, Deserialize)]
pub struct Edit {
    /// The file, from the repository's root.
    pub file: String,
    find: String,
    replace: String,
}

impl Edit {
    /// The file's text without the rule.
    pub fn taken_out_of(&self, text: &str) -> Result<String> {
        let find = self.find.trim_end_matches('\n');
        let places = text.matches(find).count();
        ensure!(places == 1, "{}: the text to be replaced stands there {places} times: {find}", self.file);
        Ok(text.replacen(find, self.replace.trim_end_matches('\n'), 1))
    }
}

impl Rule {
    /// All of them, in the order of the file.
    pub fn read() -> Result<Vec<Self>> {
        let path = repository().join("tests/without/rules.yaml");
        let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        Ok(serde_yaml_ng::from_str(&text)?)
    }

    /// Every change that it takes.
    pub fn edits(&self) -> impl Iterator<Item = &Edit> {
        [&self.first].into_iter().chain(&self.also)
    }

    /// The name of the test's function.
    pub fn test_function(&self) -> &str {
        self.test.rsplit("::").next().unwrap_or(&self.test)
    }
}
