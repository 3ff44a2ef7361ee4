//! Every name that a run creates, derived from its id: the key that lets a second run of a step find what the first made.

use crate::{Generation, Purpose, Run, RunId};

/// Names of one run.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a>(&'a RunId, Purpose);

impl RunId {
    /// The names derived from this id, of an upgrade.
    pub fn names(&self) -> Names<'_> {
        Names(self, Purpose::Upgrade)
    }
}

impl Run {
    /// The names of this run. Failing back shares its logins, secrets and schema with the upgrade; what carries the changes, the
    /// schedules and the note on the record are its own, so that a late call for one never meets what belongs to the other.
    pub fn names(&self) -> Names<'_> {
        Names(&self.id, self.purpose)
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
    /// A role that the operator may make: a policy that shows it all rows of a table with row security shows them to DMS too. A
    /// run's own logins do not exist yet when such a policy is made.
    pub const READER_ROLE: &'static str = "pgleap_reader";
    /// Table in [`Self::SCHEMA`] that DMS carries; its rows mark positions.
    pub const MARKER_TABLE: &'static str = "marker";

    /// Staging label of the versions that the run stores in clients' secrets, until they are the current ones.
    pub fn client_label(&self) -> String {
        format!("pgleap-{}", self.0)
    }

    fn resource(&self, what: &str) -> String {
        format!("pgleap-{}-{what}", self.0)
    }

    /// `what`, or its counterpart for failing back.
    fn by_purpose(&self, what: &str) -> String {
        match self.1 {
            Purpose::Upgrade => what.to_owned(),
            Purpose::FailBack => format!("back-{what}"),
        }
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

    /// `ResourceIdentifier` of the DMS resource of this name: the last part of its ARN, by which policies know it. Tags would not
    /// do: DMS takes minutes to see a new one. It allows 31 characters, so the last word shrinks to a letter and its number.
    pub fn dms_resource_id(&self, name: &str) -> String {
        format!("{}{}", self.prefix(), self.short(name))
    }

    /// The same of a task. DMS begins its slot's name with the first 16 characters of it, and what becomes of a hyphen there,
    /// which PostgreSQL refuses in that name, is not documented: so it has none.
    pub fn task_resource_id(&self, name: &str) -> String {
        format!("pgleap{:016x}{}", fnv1a(self.0.as_str()), self.short(name))
    }

    fn short(&self, name: &str) -> String {
        let prefix = self.prefix();
        let word = name.strip_prefix(&prefix).unwrap_or(name);
        word.char_indices().filter(|(at, c)| *at == 0 || c.is_ascii_digit()).map(|(_, c)| c).collect()
    }

    /// The dead-man schedule.
    pub fn deadline_schedule(&self) -> String {
        self.resource(&self.by_purpose("deadline"))
    }

    /// The dead-man schedule of the time between the record's change and the fence.
    pub fn switch_schedule(&self) -> String {
        self.resource(&self.by_purpose("switch"))
    }

    /// The login that works for the run on both sides; owns nothing but the run's own schema.
    pub fn work_login(&self) -> String {
        format!("pgleap_{}_work", self.0.as_str().replace('-', "_"))
    }

    /// The login with which the copy engine reads the source; DMS writes to the target with it too.
    pub fn copy_login(&self) -> String {
        match self.1 {
            Purpose::Upgrade => format!("pgleap_{}_copy", self.0.as_str().replace('-', "_")),
            Purpose::FailBack => self.back_login(),
        }
    }

    /// The login with which the old server follows the new one after OPEN. It reads the new server, and owns the
    /// subscription on the old one.
    pub fn back_login(&self) -> String {
        format!("pgleap_{}_back", self.0.as_str().replace('-', "_"))
    }

    /// The slot that is moved to where the old server begins to follow; the one that it follows from is copied from it.
    pub fn back_seed(&self) -> String {
        format!("{}_seed", self.back_login())
    }

    /// Secret of the login with which the old server follows the new one: `username`, `password`.
    pub fn back_secret(&self) -> String {
        format!("pgleap/{}/back", self.0)
    }

    /// The schedule that asks at intervals whether the fail-back path is still good.
    pub fn fail_back_schedule(&self) -> String {
        self.resource("fail-back")
    }

    /// The schedule that closes the fail-back path.
    pub fn closing_schedule(&self) -> String {
        self.resource("close-fail-back")
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

    /// Secret with the owner's login as the copy has it from the snapshot: the source's own may be rotated under the run.
    pub fn owner_secret(&self) -> String {
        format!("pgleap/{}/owner", self.0)
    }

    /// Secret that DMS reads for the source: `username`, `password`, `host`, `port`.
    pub fn copy_source_secret(&self) -> String {
        match self.1 {
            Purpose::Upgrade => format!("pgleap/{}/copy-source", self.0),
            Purpose::FailBack => self.back_secret(),
        }
    }

    /// Secret that DMS reads for the target: `username`, `password`, `host`, `port`.
    pub fn copy_target_secret(&self) -> String {
        format!("pgleap/{}/copy-target", self.0)
    }

    /// Secret in which the run keeps what it must know to put the record back. Holds no secret.
    pub fn record_secret(&self) -> String {
        format!("pgleap/{}/{}", self.0, self.by_purpose("record"))
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

/// The hash of Fowler, Noll and Vo: short, and the same in every version of the run.
fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_identifier_fits_dms_and_is_unique_among_its_kind() {
        let id = RunId::try_from("a2345678901234567890".to_owned()).expect("the longest id");
        let names = id.names();

        let ends = [names.source_endpoint(), names.target_endpoint()].map(|name| names.dms_resource_id(&name));
        let tasks = names.tasks().iter().map(|name| names.task_resource_id(name)).collect::<Vec<_>>();
        for kind in [&ends[..], &tasks[..]] {
            let ids: std::collections::BTreeSet<_> = kind.iter().collect();
            assert_eq!(ids.len(), kind.len(), "{ids:?}");
            assert!(ids.iter().all(|id| id.len() <= 31 && id.starts_with("pgleap")), "{ids:?}");
        }
        assert!(tasks.iter().all(|id| id.bytes().all(|byte| byte.is_ascii_alphanumeric())), "{tasks:?}");
        assert_eq!(names.dms_resource_id(&names.replication_instance()), "pgleap-a2345678901234567890-r");
        assert_eq!(fnv1a("a"), 0xaf63_dc4c_8601_ec8c); // the published value
    }
}
