//! Two small operations on instances: roles for features, maintenance that never comes.

use local_aws_core::{Call, Reply};
use serde_json::{Value, json};

use crate::errors;
use crate::paging::{Filters, answer};
use crate::service::Shared;
use crate::state::Status;

impl Shared {
    /// Nothing is ever pending here: no patch comes to the stand-in by itself.
    pub(crate) fn describe_pending_maintenance(&self, call: &Call) -> Reply {
        Filters::of(call, &["db-instance-id", "db-cluster-id"])?;
        answer(call, "PendingMaintenanceActions", Vec::new())
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
