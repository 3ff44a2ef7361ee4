//! Snapshots.

use aws_sdk_rds::types::DbSnapshot;
use pgleap_contract::Run;
use pgleap_step_kit::aws::{AwsError, Doing, Optional};

use crate::Rds;
use crate::tags::{self, Tags};

/// A snapshot, as RDS describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// `available`, ..; `creating` if RDS says none.
    pub status: String,
    /// How far it is.
    pub percent: i32,
    /// The instance of which it was taken.
    pub instance: String,
    /// Its tags.
    pub tags: Tags,
    /// When it was taken, in milliseconds since the epoch; none while it is being taken.
    pub created: Option<i64>,
}

impl Snapshot {
    fn of(found: DbSnapshot) -> Self {
        Self {
            tags: tags::read(found.tag_list()),
            percent: found.percent_progress.unwrap_or(0),
            created: found.snapshot_create_time.and_then(|at| at.to_millis().ok()),
            status: found.status.unwrap_or_else(|| "creating".to_owned()),
            instance: found.db_instance_identifier.unwrap_or_default(),
        }
    }

    /// Whether it carries the run's tag.
    pub fn is_ours(&self, run: &Run) -> bool {
        tags::is_ours(&self.tags, run)
    }
}

impl Rds {
    /// A snapshot, if there is one of that name.
    pub async fn snapshot(&self, name: &str) -> Result<Option<Snapshot>, AwsError> {
        let answer = self.client.describe_db_snapshots().db_snapshot_identifier(name).send().await;
        let found = answer.doing(format!("describe snapshot {name}")).optional()?;
        Ok(found.and_then(|found| found.db_snapshots.unwrap_or_default().into_iter().next()).map(Snapshot::of))
    }

    /// All snapshots of an instance that somebody has taken.
    pub async fn snapshots_of(&self, instance: &str) -> Result<Vec<Snapshot>, AwsError> {
        let request = self.client.describe_db_snapshots().db_instance_identifier(instance).snapshot_type("manual");
        let mut pages = request.into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.doing(format!("describe snapshots of {instance}"))?;
            found.extend(page.db_snapshots.unwrap_or_default().into_iter().map(Snapshot::of));
        }
        Ok(found)
    }

    /// Take the run's snapshot of its source.
    pub async fn take_snapshot(&self, run: &Run, name: &str) -> Result<(), AwsError> {
        let instance = &run.source.instance;
        let take = self.client.create_db_snapshot().db_instance_identifier(instance).db_snapshot_identifier(name);
        let answer = take.set_tags(Some(tags::of_source(run))).send().await;
        answer.doing(format!("take snapshot {name} of {instance}")).map(|_taken| ())
    }

    /// Delete a snapshot.
    pub async fn delete_snapshot(&self, name: &str) -> Result<(), AwsError> {
        let answer = self.client.delete_db_snapshot().db_snapshot_identifier(name).send().await;
        answer.doing(format!("delete snapshot {name}")).map(|_deleted| ())
    }
}
