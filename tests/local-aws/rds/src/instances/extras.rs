//! Two small operations on instances: roles for features, maintenance that waits.

use local_aws_core::{Call, Reply};
use serde_json::{Value, json};

use crate::errors;
use crate::names::instance_arn;
use crate::paging::{Filters, answer};
use crate::service::{Rds, Shared};
use crate::state::{Instance, Status};

impl Rds {
    /// Let maintenance wait for an instance (`system-update`, `db-upgrade`, ..). False if there is no such instance.
    pub fn announce_maintenance(&self, instance_id: &str, action: &str) -> bool {
        let mut state = self.shared.state();
        let found = state.instance_mut(instance_id);
        found.map(|instance| instance.maintenance.push(action.to_owned())).is_ok()
    }
}

impl Shared {
    /// No patch comes to the stand-in by itself: what is pending was announced by a test.
    pub(crate) fn describe_pending_maintenance(&self, call: &Call) -> Reply {
        let filters = Filters::of(call, &["db-instance-id", "db-cluster-id"])?;
        let state = self.state();
        let wanted = |instance: &&Instance| {
            let arn = instance_arn(&instance.identifier);
            call.str("ResourceIdentifier").is_none_or(|wanted| wanted == arn)
                && (filters.allow("db-instance-id", &instance.identifier) || filters.allow("db-instance-id", &arn))
                && filters.allow("db-cluster-id", "")
                && !instance.maintenance.is_empty()
        };
        let found = state.instances.values().filter(wanted).map(|instance| {
            let details = instance.maintenance.iter().map(|action| json!({ "Action": action, "Description": action }));
            json!({
                "ResourceIdentifier": instance_arn(&instance.identifier),
                "PendingMaintenanceActionDetails": details.collect::<Vec<_>>(),
            })
        });
        answer(call, "PendingMaintenanceActions", found.collect())
    }

    pub(crate) fn add_role(&self, call: &Call) -> Reply {
        let (arn, feature) = (call.required("RoleArn")?, call.required("FeatureName")?);
        let mut state = self.state();
        let instance = state.instance_mut(call.required("DBInstanceIdentifier")?)?;
        if instance.status != Status::Available {
            return Err(errors::instance_state("Database instance is not in available state."));
        }
        let mut roles =
            instance.attributes.get("AssociatedRoles").and_then(Value::as_array).cloned().unwrap_or_default();
        roles.push(json!({ "RoleArn": arn, "FeatureName": feature, "Status": "ACTIVE" }));
        instance.attributes.insert("AssociatedRoles".to_owned(), roles.into());
        Ok(json!({}))
    }
}
