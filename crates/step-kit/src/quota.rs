//! Quotas of the account.

/// How much of a kind the account may have of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota {
    /// As the service names it.
    pub name: String,
    /// How much it has.
    pub used: i64,
    /// How much it may have.
    pub max: i64,
}
