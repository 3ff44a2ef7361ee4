//! Parts of an instance's description.

use aws_sdk_rds::types::DbInstance;

/// What RDS answered, as it was.
#[derive(Debug, Clone, PartialEq)]
pub struct Described(pub(crate) DbInstance);

impl Default for Described {
    fn default() -> Self {
        Self(DbInstance::builder().build())
    }
}

/// Where an instance listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Host name.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// The parameter group of an instance. It has exactly one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AttachedGroup {
    /// Its name.
    pub name: String,
    /// `in-sync`, `pending-reboot`, `applying`, ..; `unknown` if RDS says none.
    pub status: String,
}

/// A subnet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subnet {
    /// `subnet-..`.
    pub id: String,
    /// Its Availability Zone.
    pub zone: String,
}

/// A role that an instance may take for a feature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Its ARN.
    pub arn: String,
    /// `s3Import`, ..
    pub feature: String,
}

/// Enhanced Monitoring.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Monitoring {
    /// In seconds; 0: off.
    pub interval: i32,
    /// ARN of the role with which it writes.
    pub role: Option<String>,
}

/// Performance Insights.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Insights {
    /// They are on.
    pub enabled: bool,
    /// KMS key.
    pub key: Option<String>,
    /// For how long they are kept, in days.
    pub days: Option<i32>,
    /// Of Database Insights: `standard` or `advanced`.
    pub mode: Option<String>,
}
