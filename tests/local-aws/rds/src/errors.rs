//! Refusals, by RDS's codes on the wire. Texts: quoted where public ones are known (`docs/fidelity/rds.md` says
//! which), else in their manner.

use local_aws_core::ApiError;

pub(crate) fn instance_not_found(identifier: &str) -> ApiError {
    ApiError::new(404, "DBInstanceNotFound", format!("DBInstance {identifier} not found."))
}

pub(crate) fn instance_exists() -> ApiError {
    ApiError::new(400, "DBInstanceAlreadyExists", "DB instance already exists")
}

pub(crate) fn instance_state(text: impl Into<String>) -> ApiError {
    ApiError::new(400, "InvalidDBInstanceState", text)
}

pub(crate) fn snapshot_not_found(identifier: &str) -> ApiError {
    ApiError::new(404, "DBSnapshotNotFound", format!("DBSnapshot {identifier} not found."))
}

pub(crate) fn snapshot_exists(identifier: &str) -> ApiError {
    let text =
        format!("Cannot create the snapshot because a snapshot with the identifier {identifier} already exists.");
    ApiError::new(400, "DBSnapshotAlreadyExists", text)
}

pub(crate) fn snapshot_state(text: impl Into<String>) -> ApiError {
    ApiError::new(400, "InvalidDBSnapshotState", text)
}

pub(crate) fn group_not_found(name: &str) -> ApiError {
    ApiError::new(404, "DBParameterGroupNotFound", format!("DBParameterGroup not found: {name}"))
}

pub(crate) fn group_exists(name: &str) -> ApiError {
    ApiError::new(400, "DBParameterGroupAlreadyExists", format!("Parameter group {name} already exists"))
}

pub(crate) fn group_state(text: impl Into<String>) -> ApiError {
    ApiError::new(400, "InvalidDBParameterGroupState", text)
}

pub(crate) fn proxy_not_found(name: &str) -> ApiError {
    ApiError::new(404, "DBProxyNotFoundFault", format!("DBProxy {name} not found."))
}

pub(crate) fn proxy_target_group_not_found() -> ApiError {
    ApiError::new(404, "DBProxyTargetGroupNotFoundFault", "Requested resource not found")
}

pub(crate) fn quota(code: &'static str, text: impl Into<String>) -> ApiError {
    ApiError::new(400, code, text)
}

pub(crate) fn value(text: impl Into<String>) -> ApiError {
    ApiError::new(400, "InvalidParameterValue", text)
}

pub(crate) fn combination(text: impl Into<String>) -> ApiError {
    ApiError::new(400, "InvalidParameterCombination", text)
}
