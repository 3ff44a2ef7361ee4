//! Errors of AWS, sorted by what a step can do about them. Steps match classes, never an SDK's enums and, but for
//! the few answers that AWS tells apart by text alone, never text.

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use pgleap_contract::redact;

/// What a step can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Too many calls; the SDK has already tried again.
    Throttled,
    /// The thing does not exist.
    NotFound,
    /// The thing exists already.
    AlreadyThere,
    /// The thing's state forbids it for the moment.
    WrongState,
    /// A permission is missing.
    Denied,
    /// No answer, or a failure on AWS's side.
    Unavailable,
    /// A quota of the account is reached: only a person raises it.
    Quota,
    /// AWS has no capacity of the kind at the moment.
    Capacity,
    /// AWS refuses the combination of parameters: the text says why.
    Refused,
    /// Anything else: a defect of ours.
    Bug,
}

/// An error of an AWS call.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{doing}: {message} ({code}){}", .advice.as_ref().map(|advice| format!("; {advice}")).unwrap_or_default())]
pub struct AwsError {
    /// What was attempted: verb and object.
    pub doing: String,
    /// What to do about it.
    pub class: Class,
    /// Code on the wire, or the kind of transport failure.
    pub code: String,
    /// AWS's words.
    pub message: String,
    /// What a person can do about it, where more is known than the class says.
    pub advice: Option<String>,
}

impl AwsError {
    /// Whether it is of this class.
    pub fn is(&self, class: Class) -> bool {
        self.class == class
    }

    /// The same with advice for whoever has to grant something, if that is what it takes.
    #[must_use]
    pub fn advise_if_denied(mut self, advice: impl FnOnce() -> String) -> Self {
        if self.is(Class::Denied) && self.advice.is_none() {
            self.advice = Some(advice());
        }
        self
    }
}

/// Says what was attempted and sorts the error.
pub trait Doing<T> {
    /// Name the attempt: verb and object.
    fn doing(self, doing: impl Into<String>) -> Result<T, AwsError>;
}

impl<T, E, R> Doing<T> for Result<T, SdkError<E, R>>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    fn doing(self, doing: impl Into<String>) -> Result<T, AwsError> {
        self.map_err(|error| sort(doing.into(), &error))
    }
}

/// `None` where AWS says that the thing does not exist.
pub trait Optional<T> {
    /// Turn "not found" into `None`.
    fn optional(self) -> Result<Option<T>, AwsError>;
}

impl<T> Optional<T> for Result<T, AwsError> {
    fn optional(self) -> Result<Option<T>, AwsError> {
        match self {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.is(Class::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

pub(crate) fn sort<E, R>(doing: String, error: &SdkError<E, R>) -> AwsError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    match error.as_service_error() {
        Some(service) => {
            let code = service.code().unwrap_or("Unknown").to_owned();
            let message = redact(service.message().unwrap_or("AWS gives no message"));
            AwsError { doing, class: class_of(&code), code, message, advice: None }
        }
        None => match causes(error).find_map(|cause| cause.downcast_ref::<AwsError>()) {
            // No credentials: the call that should have brought them has an error of its own, sorted already.
            Some(cause) => AwsError { doing: format!("{doing}: {}", cause.doing), ..cause.clone() },
            None => {
                let (code, message) = (transport(error).to_owned(), chain(error));
                AwsError { doing, class: Class::Unavailable, code, message, advice: None }
            }
        },
    }
}

fn transport<E, R>(error: &SdkError<E, R>) -> &'static str {
    match error {
        SdkError::ConstructionFailure(_) => "the request could not be built",
        SdkError::TimeoutError(_) => "time-out",
        SdkError::DispatchFailure(_) => "no connection",
        _ => "the response could not be parsed",
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    for cause in causes(error) {
        text.push_str(": ");
        text.push_str(&cause.to_string());
    }
    text
}

/// What an error was caused by, the nearest first.
pub(crate) fn causes<'a>(
    error: &'a dyn std::error::Error,
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(error.source(), |cause| cause.source())
}

/// The one table of codes. RDS drops `Fault` from most codes on the wire, DMS keeps it, Scheduler says `Exception`.
fn class_of(code: &str) -> Class {
    let name = code.trim_end_matches("Exception").trim_end_matches("Fault");
    match name {
        "Throttling"
        | "Throttled"
        | "RequestLimitExceeded"
        | "TooManyRequests"
        | "PriorRequestNotComplete"
        | "RequestThrottled"
        | "SlowDown" => Class::Throttled,
        "KMSThrottling" => Class::Throttled,
        // Whatever is wrong with a key, it is for the key's owner to put right.
        _ if name.starts_with("KMS") => Class::Denied,
        "AccessDenied"
        | "UnauthorizedOperation"
        | "AuthorizationError"
        | "NotAuthorized"
        | "UnrecognizedClient"
        | "ExpiredToken"
        | "InvalidClientTokenId"
        | "RegionDisabled"
        | "SignatureDoesNotMatch" => Class::Denied,
        "InternalFailure" | "InternalServer" | "InternalService" | "InternalServiceError" | "ServiceUnavailable" => {
            Class::Unavailable
        }
        "InsufficientDBInstanceCapacity"
        | "InsufficientStorageClusterCapacity"
        | "InsufficientResourceCapacity"
        | "ProvisionedIopsNotAvailableInAZ" => Class::Capacity,
        // Not for want of capacity: the type does not go with the instance, today or tomorrow.
        "StorageTypeNotSupported"
        | "NetworkTypeNotSupported"
        | "InvalidParameterCombination"
        | "InvalidParameterValue"
        | "InvalidParameter"
        | "InvalidRequest"
        | "Validation"
        | "InvalidChangeBatch"
        | "InvalidInput" => Class::Refused,
        "ExecutionDoesNotExist"
        | "StateMachineDoesNotExist"
        | "ResourceNotFound"
        | "NoSuchHostedZone"
        | "NoSuchChange" => Class::NotFound,
        "Conflict" | "ResourceExists" | "ResourceAlreadyExists" => Class::AlreadyThere,
        // EC2 and Secrets Manager say limit where the others say quota.
        _ if name.ends_with("QuotaExceeded")
            || name.ends_with("LimitExceeded")
            || name.starts_with("QuotaExceeded.") =>
        {
            Class::Quota
        }
        _ if name.ends_with("NotFound") => Class::NotFound,
        _ if name.ends_with("AlreadyExists") => Class::AlreadyThere,
        _ if (name.starts_with("Invalid") && name.ends_with("State")) || name.ends_with("NotReady") => {
            Class::WrongState
        }
        _ => Class::Bug,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_sort_into_classes() {
        let cases = [
            ("Throttling", Class::Throttled),
            ("ThrottlingException", Class::Throttled),
            ("PriorRequestNotComplete", Class::Throttled),
            ("DBInstanceNotFound", Class::NotFound),
            ("DBInstanceNotFoundFault", Class::NotFound),
            ("ResourceNotFoundFault", Class::NotFound),
            ("ResourceNotFoundException", Class::NotFound),
            ("DBSnapshotAlreadyExists", Class::AlreadyThere),
            ("ResourceAlreadyExistsFault", Class::AlreadyThere),
            ("ResourceExistsException", Class::AlreadyThere),
            ("ConflictException", Class::AlreadyThere),
            ("InvalidDBInstanceState", Class::WrongState),
            ("InvalidResourceStateFault", Class::WrongState),
            ("InvalidDBParameterGroupState", Class::WrongState),
            ("AccessDenied", Class::Denied),
            ("AccessDeniedFault", Class::Denied),
            ("AuthorizationError", Class::Denied),
            ("AccessDeniedException", Class::Denied),
            ("RegionDisabledException", Class::Denied),
            ("InternalFailure", Class::Unavailable),
            ("InvalidParameterCombination", Class::Refused),
            ("InvalidParameterCombinationException", Class::Refused),
            ("ValidationException", Class::Refused),
            ("KMSKeyNotAccessibleFault", Class::Denied),
            ("KMSAccessDeniedFault", Class::Denied),
            ("KMSDisabledFault", Class::Denied),
            ("KMSFault", Class::Denied),
            ("KMSInvalidStateFault", Class::Denied),
            ("KMSNotFoundFault", Class::Denied),
            ("KMSThrottlingFault", Class::Throttled),
            ("InstanceQuotaExceeded", Class::Quota),
            ("SnapshotQuotaExceeded", Class::Quota),
            ("StorageQuotaExceeded", Class::Quota),
            ("StorageQuotaExceededFault", Class::Quota),
            ("DBParameterGroupQuotaExceeded", Class::Quota),
            ("DBInstanceRoleQuotaExceeded", Class::Quota),
            ("DBInstanceAutomatedBackupQuotaExceeded", Class::Quota),
            ("QuotaExceeded.DBSecurityGroup", Class::Quota),
            ("ResourceQuotaExceededFault", Class::Quota),
            ("ServiceQuotaExceededException", Class::Quota),
            ("LimitExceededException", Class::Quota),
            ("RulesPerSecurityGroupLimitExceeded", Class::Quota),
            ("RequestLimitExceeded", Class::Throttled),
            ("InsufficientDBInstanceCapacity", Class::Capacity),
            ("InsufficientResourceCapacityFault", Class::Capacity),
            ("ProvisionedIopsNotAvailableInAZFault", Class::Capacity),
            ("StorageTypeNotSupported", Class::Refused),
            ("NeverHeardOf", Class::Bug),
        ];
        for (code, class) in cases {
            assert_eq!(class_of(code), class, "{code}");
        }
    }
}
