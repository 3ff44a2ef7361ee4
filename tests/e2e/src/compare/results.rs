//! One file for each run of each way, by commit, so that a comparison that was interrupted goes on where it was.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::trial::{Parameters, Trial};
use super::way::Way;

/// The results of one commit.
pub(super) struct Results {
    folder: PathBuf,
    trials: BTreeMap<(Way, u32), Trial>,
}

impl Results {
    /// Those that there are.
    ///
    /// # Errors
    /// One was measured with other parameters: they cannot be compared. Or a file cannot be read.
    pub(super) fn open(folder: &Path, parameters: &Parameters) -> Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
        let mut trials = BTreeMap::new();
        for entry in std::fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
            let path = entry.context("list the results")?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let text = std::fs::read(&path).with_context(|| format!("read {}", path.display()))?;
            let trial: Trial = serde_json::from_slice(&text).with_context(|| format!("parse {}", path.display()))?;
            ensure!(
                trial.parameters == *parameters,
                "{} was measured with other parameters ({:?}); choose another folder with --results, or delete it",
                path.display(),
                trial.parameters
            );
            trials.insert((trial.way, trial.run), trial);
        }
        Ok(Self { folder: folder.to_owned(), trials })
    }

    /// Where they are.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether this run need not be repeated.
    pub(super) fn has(&self, way: Way, run: u32) -> bool {
        self.trials.contains_key(&(way, run))
    }

    /// Write one down, at once. A reader sees the whole file or none.
    pub(super) fn add(&mut self, way: Way, run: u32, trial: Trial) -> Result<()> {
        let path = self.folder.join(format!("{way}-{run}.json"));
        let new = path.with_extension("new");
        std::fs::write(&new, serde_json::to_vec_pretty(&trial)?).with_context(|| format!("write {}", new.display()))?;
        std::fs::rename(&new, &path).with_context(|| format!("write {}", path.display()))?;
        self.trials.insert((way, run), trial);
        Ok(())
    }

    /// The runs of each way that has any.
    pub(super) fn by_way(&self) -> BTreeMap<Way, Vec<&Trial>> {
        let mut by_way: BTreeMap<Way, Vec<&Trial>> = BTreeMap::new();
        self.trials.iter().for_each(|((way, _run), trial)| by_way.entry(*way).or_default().push(trial));
        by_way
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::machine::Machine;
    use crate::compare::trial::Measured;

    fn parameters(tps: u32) -> Parameters {
        Parameters { megabytes: 20, tps, visitors: 4, propagation: "realistic".to_owned() }
    }

    #[test]
    fn a_run_with_a_result_is_not_repeated_and_other_parameters_are_not_mixed() {
        let folder = tempfile::tempdir().unwrap();
        let trial = Trial {
            way: Way::DmsByHand,
            run: 2,
            commit: "abc".to_owned(),
            began_at: "2026-11-30".to_owned(),
            parameters: parameters(250),
            machine: Machine::default(),
            measured: Measured { lost: 3, connected_seconds: vec![1.5], ..Measured::default() },
        };
        let mut results = Results::open(folder.path(), &parameters(250)).unwrap();
        results.add(Way::DmsByHand, 2, trial.clone()).unwrap();
        std::fs::write(folder.path().join("in-place-1.new"), "{\"half").unwrap();

        let again = Results::open(folder.path(), &parameters(250)).unwrap();

        assert!(again.has(Way::DmsByHand, 2) && !again.has(Way::DmsByHand, 1) && !again.has(Way::InPlace, 1));
        assert_eq!(again.by_way()[&Way::DmsByHand], [&trial]);
        let other = Results::open(folder.path(), &parameters(100)).err().unwrap().to_string();
        assert!(other.contains("other parameters"), "{other}");
    }
}
