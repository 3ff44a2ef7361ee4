//! Every name that a run creates, derived from its id: the key that lets a second run of a step find what the first made.

use crate::{Generation, RunId};

/// Names of one run.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a>(&'a RunId);

impl RunId {
    /// The names derived from this id.
    pub fn names(&self) -> Names<'_> {
        Names(self)
    }
}

impl Names<'_> {
    /// Tag key on everything that a run creates; the value is the run's id.
    pub const TAG: &'static str = "pgleap:run";
    /// Tag key on what a run makes of its source first; the value is the execution's ARN, by which a run of another stack
    /// finds out whether it is still under way.
    pub const EXECUTION_TAG: &'static str = "pgleap:execution";
    /// Tag key on a target that the run may delete; the value is the run's id. It is removed before the fence, and only a
    /// rollback that is recorded in the target gives it back.
    pub const DELETABLE_TAG: &'static str = "pgleap:deletable";
    /// Schema on both sides for what a run must remember.
    pub const SCHEMA: &'static str = "pgleap";
    /// Schema on the target in which DMS keeps its control tables.
    pub const CONTROL_SCHEMA: &'static str = "pgleap_copy";
    /// Table in [`Self::SCHEMA`] that DMS carries; its rows mark positions.
    pub const MARKER_TABLE: &'static str = "marker";

    fn resource(&self, what: &str) -> String {
        format!("pgleap-{}-{what}", self.0)
    }

    /// Prefix of every AWS resource name.
    pub fn prefix(&self) -> String {
        format!("pgleap-{}-", self.0)
    }

    /// The run's copy of the source's parameter group. Kept at the end: detaching it would cost a reboot.
    pub fn source_parameter_group(&self) -> String {
        self.resource("source")
    }

    /// Parameter group of the restored copy in the source's family: starts no scheduler, no subscription worker.
    pub fn quiet_parameter_group(&self) -> String {
        self.resource("quiet")
    }

    /// Parameter group of the target in a family on the way to, or of, the wanted version.
    /// Kept at the end for the last family: the target lives with it.
    pub fn target_parameter_group(&self, family: &str) -> String {
        self.resource(&format!("target-{}", family.replace(['.', '_'], "-")))
    }

    /// Snapshot of the source.
    pub fn snapshot(&self) -> String {
        self.resource("snapshot")
    }

    /// DMS replication instance.
    pub fn replication_instance(&self) -> String {
        self.resource("replication")
    }

    /// DMS subnet group.
    pub fn replication_subnet_group(&self) -> String {
        self.resource("subnets")
    }

    /// DMS endpoint of the source.
    pub fn source_endpoint(&self) -> String {
        self.resource("source")
    }

    /// DMS endpoint of the target.
    pub fn target_endpoint(&self) -> String {
        self.resource("target")
    }

    /// DMS replication task, the first one.
    pub fn task(&self) -> String {
        self.resource("task")
    }

    /// Most tasks that a run may make, one after the other.
    pub const MOST_TASKS: usize = 8;

    /// Every name that a DMS replication task of the run may have, in order: each takes the place of the one before
    /// it, whose load broke.
    pub fn tasks(&self) -> Vec<String> {
        let later = (2..=Self::MOST_TASKS).map(|number| self.resource(&format!("task-{number}")));
        std::iter::once(self.task()).chain(later).collect()
    }

    /// The dead-man schedule.
    pub fn deadline_schedule(&self) -> String {
        self.resource("deadline")
    }

    /// The login that works for the run on both sides; owns nothing but the run's own schema.
    pub fn work_login(&self) -> String {
        format!("pgleap_{}_work", self.0.as_str().replace('-', "_"))
    }

    /// The login with which the copy engine reads the source; DMS writes to the target with it too.
    pub fn copy_login(&self) -> String {
        format!("pgleap_{}_copy", self.0.as_str().replace('-', "_"))
    }

    /// What carries changes from database to database: publication and slot on the source, subscription on the target.
    pub fn copy_stream(&self) -> String {
        self.copy_login()
    }

    /// The slot by which the run watches the source's changes.
    pub fn watch_slot(&self) -> String {
        format!("pgleap_{}_watch", self.0.as_str().replace('-', "_"))
    }

    /// A role nobody logs in as: up to 15 it holds the owner's right to drop the run's logins after an upgrade.
    pub fn keys_role(&self) -> String {
        format!("pgleap_{}_keys", self.0.as_str().replace('-', "_"))
    }

    /// Secret of the working login: `username`, `password`.
    pub fn work_secret(&self) -> String {
        format!("pgleap/{}/work", self.0)
    }

    /// Secret that DMS reads for the source: `username`, `password`, `host`, `port`.
    pub fn copy_source_secret(&self) -> String {
        format!("pgleap/{}/copy-source", self.0)
    }

    /// Secret that DMS reads for the target: `username`, `password`, `host`, `port`.
    pub fn copy_target_secret(&self) -> String {
        format!("pgleap/{}/copy-target", self.0)
    }

    /// Secret in which the run keeps what it must know to put the record back. Holds no secret.
    pub fn record_secret(&self) -> String {
        format!("pgleap/{}/record", self.0)
    }

    /// Secret in which the run notes how far a cutover came: the mark. Holds no secret.
    pub fn cutover_secret(&self, generation: Generation) -> String {
        format!("pgleap/{}/cutover-{generation}", self.0)
    }

    /// `application_name` of the run's sessions, with the object that a long statement works on.
    pub fn application(&self, about: &str) -> String {
        format!("pgleap/{}/{about}", self.0)
    }
}
