//! A change of a group reaches the instances that have it.

use std::sync::Arc;

use super::groups::UserValue;
use crate::delays;
use crate::instances::machine_of;
use crate::parameter_groups::{Values, values_of};
use crate::service::Shared;

/// One parameter set (`Some`) or reset (`None`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) name: String,
    pub(super) value: Option<UserValue>,
    pub(super) is_immediate: bool,
}

impl Shared {
    /// Immediate changes go to the running servers in the background; the others make the instances wait for a
    /// reboot, as does everything in a group that was attached and not read yet.
    pub(super) fn bring_to_instances(self: &Arc<Self>, group: &str, changes: &[Change]) {
        let immediate: Vec<String> =
            changes.iter().filter(|change| change.is_immediate).map(|change| change.name.clone()).collect();
        let waits_for_reboot = immediate.len() < changes.len();
        let mut state = self.state();
        for instance in state.instances.values_mut().filter(|instance| instance.group.name == group) {
            instance.group.waits_for_reboot |= waits_for_reboot;
            if immediate.is_empty() || !instance.group.in_effect {
                continue;
            }
            instance.group.applying += 1;
            let (rds, resource_id, names) = (self.clone(), instance.resource_id.clone(), immediate.clone());
            tokio::spawn(async move { rds.apply_dynamic(&resource_id, &names).await });
        }
    }

    async fn apply_dynamic(&self, resource_id: &str, names: &[String]) {
        self.pause(delays::APPLYING).await;
        if let Err(error) = self.reload_parameters(resource_id, names).await {
            tracing::error!(resource_id, %error, "dynamic parameters cannot be applied");
        }
        let identifier = self.with_instance(resource_id, |instance| {
            instance.group.applying = instance.group.applying.saturating_sub(1);
            instance.identifier.clone()
        });
        if let Some(identifier) = identifier {
            self.tell_instance(&identifier, 92, "Finished updating DB parameter group.");
        }
    }

    async fn reload_parameters(&self, resource_id: &str, names: &[String]) -> anyhow::Result<()> {
        let Some(busy) = self.state().by_resource_id(resource_id).map(|instance| instance.busy.clone()) else {
            return Ok(());
        };
        let _busy = busy.lock().await;
        let (group, machine) = {
            let mut state = self.state();
            let Some(instance) = state.by_resource_id(resource_id) else { return Ok(()) };
            let (name, machine) = (instance.group.name.clone(), machine_of(instance, self.around.port));
            (state.group(&name)?, machine)
        };
        let catalog = self.catalogs.of(group.major).await?;
        let values = values_of(&catalog, &group.values, &machine);
        let mut state = self.state();
        let Some(instance) = state.by_resource_id(resource_id) else { return Ok(()) };
        take_over(&mut instance.running, &values, names);
        let cluster = instance.cluster.clone();
        drop(state);
        let Some(files) = self.server_files(resource_id) else { return Ok(()) };
        if let Some(cluster) = cluster.filter(|cluster| cluster.is_running()) {
            cluster.reload(files)?;
        }
        Ok(())
    }
}

/// Only the named parameters change; others of the group may wait for a reboot.
fn take_over(running: &mut Values, wanted: &Values, names: &[String]) {
    for name in names {
        match wanted.get(name) {
            Some(value) => running.insert(name.clone(), value.clone()),
            None => running.remove(name),
        };
    }
}
