//! DMS's errors, by their codes on the wire.

use local_aws_core::ApiError;

pub(crate) fn not_found(text: impl Into<String>) -> ApiError {
    ApiError::new(400, "ResourceNotFoundFault", text)
}

pub(crate) fn invalid_state(text: impl Into<String>) -> ApiError {
    ApiError::new(400, "InvalidResourceStateFault", text)
}

pub(crate) fn already_exists(kind: &str, identifier: &str) -> ApiError {
    ApiError::new(400, "ResourceAlreadyExistsFault", format!("{kind} {identifier} already exists."))
}

pub(crate) fn quota(text: impl Into<String>) -> ApiError {
    ApiError::new(400, "ResourceQuotaExceededFault", text)
}

/// Real and absent from the published model.
pub(crate) fn invalid_value(text: impl Into<String>) -> ApiError {
    ApiError::new(400, "InvalidParameterValueException", text)
}

/// Real and absent from the published model.
pub(crate) fn invalid_combination(text: impl Into<String>) -> ApiError {
    ApiError::new(400, "InvalidParameterCombinationException", text)
}
