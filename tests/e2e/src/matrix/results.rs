//! What was rehearsed, a line of JSON each, by commit.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use contract_tests::machine::repository;
use serde::{Deserialize, Serialize};

use crate::process::Ended;

/// One cell's result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Its name.
    pub cell: String,
    /// The options of the run.
    pub options: Vec<String>,
    /// The other cells that shared the run.
    #[serde(default)]
    pub with: usize,
    /// How it ended.
    #[serde(flatten)]
    pub ended: Ended,
}

/// The results of one commit.
pub struct Results {
    path: PathBuf,
    lines: BTreeMap<String, Line>,
}

impl Results {
    /// Those that there are, or none: then an older file is put aside.
    pub fn open(folder: &Path, resume: bool) -> Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
        let path = folder.join("results.jsonl");
        let mut lines = BTreeMap::new();
        if resume {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            // The last line of a run that was killed may be half of one.
            let read = text.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok());
            lines.extend(read.map(|line| (line.cell.clone(), line)));
        } else if path.exists() {
            std::fs::rename(&path, folder.join("results.old.jsonl")).context("put the older results aside")?;
        }
        Ok(Self { path, lines })
    }

    /// A cell's result.
    pub fn of(&self, cell: &str) -> Option<&Line> {
        self.lines.get(cell)
    }

    /// Write one down, at once.
    pub fn add(&mut self, line: Line) -> Result<()> {
        let mut file = OpenOptions::new().create(true).append(true).open(&self.path).context("open the results")?;
        writeln!(file, "{}", serde_json::to_string(&line)?).context("write a result")?;
        self.lines.insert(line.cell.clone(), line);
        Ok(())
    }
}

/// The commit that is checked out, with a mark if the tree is not exactly that.
pub fn commit() -> Result<String> {
    let git = |arguments: &[&str]| -> Result<String> {
        let output = Command::new("git").args(arguments).current_dir(repository()).output().context("ask git")?;
        ensure!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let clean = git(&["status", "--porcelain", "--untracked-files=no"])?.is_empty();
    Ok(git(&["rev-parse", "--short=12", "HEAD"])? + if clean { "" } else { "-changed" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_kept_and_half_a_line_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let line = |cell: &str, seconds| Line {
            cell: cell.to_owned(),
            options: Vec::new(),
            with: 0,
            ended: Ended { seconds, ..Ended::default() },
        };
        let mut results = Results::open(folder.path(), false).unwrap();
        results.add(line("a", 1)).unwrap();
        results.add(line("b", 2)).unwrap();
        let path = folder.path().join("results.jsonl");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text + "{\"cell\": \"c\"").unwrap();

        let again = Results::open(folder.path(), true).unwrap();
        let anew = Results::open(folder.path(), false).unwrap();

        assert_eq!(again.of("b").map(|line| line.ended.seconds), Some(2));
        assert!(again.of("c").is_none() && anew.of("a").is_none());
    }
}
