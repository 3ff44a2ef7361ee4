//! What a run must remember of a task, kept as tags on the task itself: born with it, gone with it, found by whoever
//! looks next.

use aws_sdk_databasemigration::types::Tag;
use pgleap_contract::steps::{EstimatedCost, Repair, RepairKind};
use pgleap_step_kit::StepResult;
use pgleap_step_kit::aws::Doing;

use crate::{Dms, Task};

const LOADED: &str = "pgleap:loaded";
const CAUSE: &str = "pgleap:cause";
const BEFORE: &str = "pgleap:before";
const AFTER: &str = "pgleap:after";
const BROKE_AT: &str = "pgleap:broke-at";
const RESTED_AT: &str = "pgleap:rested-at";
const FIGURES: &str = "pgleap:figures";
const CLASS: &str = "pgleap:instance-class";
const STORAGE: &str = "pgleap:instance-storage";

/// Longest value of a tag (AWS documentation, DMS tags).
const LONGEST: usize = 256;

/// What is remembered of a task.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    /// Its load has ended well: from then on a failure may be resumed.
    pub is_loaded: bool,
    /// What was mended by making it, or by changing its instance.
    pub cause: Option<RepairKind>,
    /// How it was before.
    pub before: String,
    /// How it is since.
    pub after: String,
    /// When it broke, in epoch seconds.
    pub broke_at: Option<i64>,
    /// When the run itself stopped it, in epoch seconds.
    pub rested_at: Option<i64>,
    /// Tables at once and rows of a commit that it had before tables were loaded again.
    pub figures: Option<(i64, i64)>,
    /// The class that its instance shall have.
    pub class: Option<String>,
    /// The storage that its instance shall have at least, in GiB.
    pub storage: Option<i32>,
}

impl Memory {
    fn read(tags: &[Tag]) -> Self {
        let value = |key: &str| tags.iter().find(|tag| tag.key() == Some(key)).and_then(|tag| tag.value.clone());
        Self {
            is_loaded: value(LOADED).is_some(),
            cause: value(CAUSE).and_then(|word| RepairKind::of(&word)),
            before: value(BEFORE).unwrap_or_default(),
            after: value(AFTER).unwrap_or_default(),
            broke_at: value(BROKE_AT).and_then(|seconds| seconds.parse().ok()),
            rested_at: value(RESTED_AT).and_then(|seconds| seconds.parse().ok()),
            figures: value(FIGURES).and_then(|text| {
                let (tables, rows) = text.split_once(' ')?;
                Some((tables.parse().ok()?, rows.parse().ok()?))
            }),
            class: value(CLASS),
            storage: value(STORAGE).and_then(|gib| gib.parse().ok()),
        }
    }

    /// As tags.
    pub(crate) fn tags(&self) -> Vec<Tag> {
        let tag = |key: &str, value: String| Tag::builder().key(key).value(presentable(&value)).build();
        let mut tags = Vec::new();
        tags.extend(self.is_loaded.then(|| tag(LOADED, "yes".to_owned())));
        tags.extend(self.cause.map(|cause| tag(CAUSE, cause.word().to_owned())));
        tags.extend((!self.before.is_empty()).then(|| tag(BEFORE, self.before.clone())));
        tags.extend((!self.after.is_empty()).then(|| tag(AFTER, self.after.clone())));
        tags.extend(self.broke_at.map(|at| tag(BROKE_AT, at.to_string())));
        tags.extend(self.rested_at.map(|at| tag(RESTED_AT, at.to_string())));
        tags.extend(self.figures.map(|(tables, rows)| tag(FIGURES, format!("{tables} {rows}"))));
        tags.extend(self.class.clone().map(|class| tag(CLASS, class)));
        tags.extend(self.storage.map(|gib| tag(STORAGE, gib.to_string())));
        tags
    }

    /// The repair that it tells of: over once the task was started after it broke.
    pub fn repair(&self, task: &Task) -> Option<Repair> {
        let started = task.started_at.map(|at| at.floor() as i64);
        let seconds = started.zip(self.broke_at).map_or(0, |(started, broke)| started.saturating_sub(broke).max(0));
        Some(Repair {
            kind: self.cause?,
            tables: Vec::new(),
            before: self.before.clone(),
            after: self.after.clone(),
            seconds: seconds.unsigned_abs(),
            estimated_cost: EstimatedCost::of_classes(&self.before, &self.after),
        })
    }
}

impl Dms {
    /// What is remembered of a task.
    pub async fn memory(&self, task: &Task) -> StepResult<Memory> {
        let answer = self.client.list_tags_for_resource().resource_arn(task.arn()?).send().await;
        let tags = answer.doing("read the tags of the task")?.tag_list.unwrap_or_default();
        Ok(Memory::read(&tags))
    }

    /// Write it down on the task. What is remembered already and not named stays.
    pub async fn remember(&self, task: &Task, memory: &Memory) -> StepResult<()> {
        let tag = self.client.add_tags_to_resource().resource_arn(task.arn()?).set_tags(Some(memory.tags()));
        tag.send().await.doing("tag the task")?;
        Ok(())
    }
}

/// A tag's value has letters, digits, blanks and a few signs.
fn presentable(value: &str) -> String {
    let allowed = |c: char| c.is_alphanumeric() || c == ' ' || "_.:/=+-@".contains(c);
    value.chars().map(|c| if allowed(c) { c } else { '-' }).take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_remembered_is_read_again() {
        let memory = Memory {
            is_loaded: true,
            cause: Some(RepairKind::OutOfMemory),
            before: "dms.t3.medium".to_owned(),
            after: "dms.t3.large".to_owned(),
            broke_at: Some(7),
            rested_at: Some(9),
            figures: Some((8, 10_000)),
            class: Some("dms.t3.large".to_owned()),
            storage: Some(100),
        };

        assert_eq!(Memory::read(&memory.tags()), memory);
        assert_eq!(Memory::read(&[]), Memory::default());
    }

    #[test]
    fn a_value_that_aws_would_refuse_is_made_presentable() {
        let memory = Memory { before: format!("8 tables, {}", "x".repeat(300)), ..Memory::default() };

        let value = memory.tags()[0].value.clone().unwrap_or_default();

        assert!(value.starts_with("8 tables- xxx") && value.len() == LONGEST, "{value}");
    }

    #[test]
    fn a_repair_lasts_from_the_trouble_to_the_next_start() {
        let memory = Memory { cause: Some(RepairKind::SlotLost), broke_at: Some(100), ..Memory::default() };

        assert_eq!(memory.repair(&Task::default()).expect("a repair").seconds, 0);
        let started = Task { started_at: Some(130.9), ..Task::default() };
        assert_eq!(memory.repair(&started).expect("a repair").seconds, 30);
        assert_eq!(Memory::default().repair(&started), None);
    }
}
