//! A larger replication instance, in the order that AWS gives: with no task running, modify at once, look until it is
//! available and has the class, then go on; a start that is refused for its connection tests has them made again.
//! Storage grows the same way.

use pgleap_contract::steps::RepairKind;
use pgleap_dms::{Dms, Memory, ReplicationInstance, Standing, Task};
use pgleap_step_kit::prelude::*;

use crate::failed;

/// Largest storage of a replication instance in GiB (AWS documentation, DMS quotas).
const MOST_STORAGE: i32 = 6_144;
/// A full disk is what no waiting mends, but for the one who gives more.
const FULL: &str = "storage-full";

/// What the instance shall have otherwise; nothing where neither is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Larger {
    /// The class.
    pub(crate) class: Option<String>,
    /// Storage in GiB.
    pub(crate) storage: Option<i32>,
}

impl Larger {
    /// What the task remembers.
    pub(crate) fn of(memory: &Memory) -> Self {
        Self { class: memory.class.clone(), storage: memory.storage }
    }

    fn is_wanted(&self) -> bool {
        *self != Self::default()
    }

    fn is_had_by(&self, instance: &ReplicationInstance) -> bool {
        let class = self.class.as_deref().is_none_or(|wanted| instance.class == wanted);
        class && self.storage.is_none_or(|wanted| instance.storage_gib >= wanted)
    }
}

/// How the instance is, how it shall be, in words, and what that is; or why there is no more.
pub(crate) async fn next(
    dms: &Dms,
    run: &Run,
    cause: RepairKind,
) -> StepResult<Result<(String, String, Larger), String>> {
    let instance = dms.instance(&run.names().replication_instance()).await?;
    let Some(instance) = instance else { return Ok(Err("its replication instance does not exist".to_owned())) };
    if cause == RepairKind::DiskFull {
        return Ok(next_storage(instance.storage_gib));
    }
    let offered = dms.offered_classes(&instance.engine_version).await?;
    Ok(next_class(&instance.class, &offered, run.limits.max_replication_instance_class.as_deref()))
}

fn next_class(has: &str, offered: &[String], limit: Option<&str>) -> Result<(String, String, Larger), String> {
    match (pgleap_dms::next_larger(has, offered, limit), limit) {
        (Some(class), _) => Ok((has.to_owned(), class.clone(), Larger { class: Some(class), storage: None })),
        (None, Some(limit)) => {
            Err(format!("{has} ran out of memory; limits.maxReplicationInstanceClass ({limit}) allows no larger class"))
        }
        (None, None) => Err(format!("{has} ran out of memory, and the Region offers no larger class")),
    }
}

/// Twice as much.
fn next_storage(has: i32) -> Result<(String, String, Larger), String> {
    if has >= MOST_STORAGE {
        return Err(format!("a disk of {has} GiB was full, and a replication instance cannot have a larger one"));
    }
    let wanted = (has.max(1) * 2).min(MOST_STORAGE);
    Ok((format!("{has} GiB of disk"), format!("{wanted} GiB of disk"), Larger { class: None, storage: Some(wanted) }))
}

/// The task broke, and its instance shall grow before it goes on, or before another takes its place. Answers what is waited
/// for; nothing means that it has grown. The task's tags say whether this failure has had its growth already.
pub(crate) async fn for_broken(
    dms: &Dms,
    run: &Run,
    task: &Task,
    memory: &Memory,
    cause: RepairKind,
) -> StepResult<Option<String>> {
    let broke_at = task.stopped_at;
    let larger = Larger::of(memory);
    if larger.is_wanted() && memory.broke_at == broke_at {
        return to(dms, &run.names().replication_instance(), &larger).await;
    }
    let (before, after, larger) = match next(dms, run, cause).await? {
        Ok(growth) => growth,
        Err(reason) => {
            return Err(failed(&task.name, &format!("{reason}: {}", task.words())));
        }
    };
    let waiting_for = format!("the run is enlarging the replication instance to {after}");
    let memory = Memory {
        is_loaded: memory.is_loaded,
        cause: Some(cause),
        before,
        after,
        broke_at,
        class: larger.class,
        storage: larger.storage,
        ..Memory::default()
    };
    dms.remember(task, &memory).await?;
    Ok(Some(waiting_for))
}

/// Answers what is waited for. The status may still read `available` just after the call, so what it has decides too.
pub(crate) async fn to(dms: &Dms, name: &str, larger: &Larger) -> StepResult<Option<String>> {
    if !larger.is_wanted() {
        return Ok(None);
    }
    let missing =
        || StepError::new(ErrorCode::ReplicationFailed, format!("grow replication instance {name}: it does not exist"));
    let instance = dms.instance(name).await?.ok_or_else(missing)?;
    let status = instance.status.as_str();
    let has_all = larger.is_had_by(&instance);
    match Standing::of(status) {
        Standing::Usable if has_all => return Ok(None),
        Standing::Usable => {}
        Standing::Broken if status == FULL && larger.storage.is_some() && !has_all => {}
        Standing::Passing => return Ok(Some(format!("replication instance {name} is {status}"))),
        Standing::Broken => {
            let message = format!("grow replication instance {name}: it is {status}");
            return Err(StepError::new(ErrorCode::InstanceFailed, message));
        }
    }
    let wanted = in_words(larger);
    match dms.grow_instance(&instance, larger.class.as_deref(), larger.storage, &wanted).await {
        Err(error) if !error.is(Class::WrongState) => Err(error.into()),
        _asked => Ok(Some(format!("replication instance {name} is growing to {wanted}"))),
    }
}

fn in_words(larger: &Larger) -> String {
    let storage = larger.storage.map(|gib| format!("{gib} GiB of disk"));
    [larger.class.clone(), storage].into_iter().flatten().collect::<Vec<_>>().join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_becomes_twice_as_large_up_to_the_services_maximum() {
        for (has, expected) in [(50, Some(100)), (4_000, Some(6_144)), (6_144, None)] {
            assert_eq!(next_storage(has).ok().and_then(|(_, _, larger)| larger.storage), expected, "{has}");
        }
    }
}
