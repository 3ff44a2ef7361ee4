//! One API call as a service sees it, and the two things it can answer.

use serde_json::Value;

/// Who signed the request, from the access key id in its SigV4 credential scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The access key id as sent; the stand-in gives each function its own.
    pub access_key_id: String,
}

/// A decoded request.
#[derive(Debug, Clone)]
pub struct Call {
    /// The operation's name in the model, e.g. `DescribeDBInstances`.
    pub operation: String,
    /// The input by the model's member names; absent members are absent, never null.
    pub input: Value,
    /// Who signed the request.
    pub caller: Caller,
    /// The id that the answer carries.
    pub request_id: String,
}

impl Call {
    /// A call made inside the process, for tests of a service without a wire.
    pub fn new(operation: &str, input: Value) -> Self {
        Self {
            operation: operation.to_owned(),
            input,
            caller: Caller { access_key_id: "in-process".to_owned() },
            request_id: uuid::Uuid::new_v4().to_string(),
        }
    }

    /// A string member, if it was sent.
    pub fn str(&self, member: &str) -> Option<&str> {
        self.input.get(member).and_then(Value::as_str)
    }

    /// A string member that the model requires.
    pub fn required(&self, member: &str) -> Result<&str, ApiError> {
        self.str(member).ok_or_else(|| {
            ApiError::new(400, "MissingParameter", format!("The request must contain the parameter {member}."))
        })
    }

    /// A boolean member, false if it was not sent.
    pub fn flag(&self, member: &str) -> bool {
        self.input.get(member).and_then(Value::as_bool).unwrap_or(false)
    }

    /// An integer member, if it was sent.
    pub fn int(&self, member: &str) -> Option<i64> {
        self.input.get(member).and_then(Value::as_i64)
    }
}

/// What a service answers: the output by the model's member names, or an error.
pub type Reply = Result<Value, ApiError>;

/// An error as AWS would send it: the code *on the wire* (`DBInstanceNotFound`, not the shape's name).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    /// HTTP status.
    pub status: u16,
    /// Code on the wire.
    pub code: String,
    /// Text for the caller.
    pub message: String,
}

impl ApiError {
    /// An error with its HTTP status, wire code and text.
    pub fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into() }
    }

    /// The answer to an operation that the stand-in does not serve: typed, by name, never silent.
    pub fn not_implemented(operation: &str) -> Self {
        Self::new(501, "NotImplemented", format!("the local stand-in does not serve {operation}"))
    }

    /// Something of the stand-in itself broke (a process, a disk): AWS's `InternalFailure` with the cause in the text.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        Self::new(500, "InternalFailure", format!("local stand-in: {cause:#}"))
    }
}
