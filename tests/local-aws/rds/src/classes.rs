//! Instance classes: their memory, and on which majors they can be ordered.

use local_aws_core::{ApiError, Call, Reply};
use serde_json::{Value, json};

use crate::engine_versions::{self, EngineVersion};
use crate::errors;
use crate::paging::{Filters, answer_within};
use crate::service::Shared;

/// One class.
#[derive(Debug)]
pub(crate) struct Class {
    pub(crate) name: &'static str,
    pub(crate) memory_bytes: u64,
    pub(crate) cpus: u64,
    /// First and last major on which it can be ordered.
    majors: std::ops::RangeInclusive<u16>,
}

const GIB: u64 = 1 << 30;

const fn class(name: &'static str, gib: u64, cpus: u64, first: u16, last: u16) -> Class {
    Class { name, memory_bytes: gib * GIB, cpus, majors: first..=last }
}

/// A choice of the classes of the guide, old ones among them that no new major takes.
const CLASSES: &[Class] = &[
    class("db.t2.micro", 1, 1, 10, 13),
    class("db.t2.medium", 4, 2, 10, 13),
    class("db.m4.large", 8, 2, 10, 14),
    class("db.r4.large", 15, 2, 10, 14),
    class("db.t3.micro", 1, 2, 10, 18),
    class("db.t3.small", 2, 2, 10, 18),
    class("db.t3.medium", 4, 2, 10, 18),
    class("db.t3.large", 8, 2, 10, 18),
    class("db.t4g.micro", 1, 2, 12, 18),
    class("db.t4g.medium", 4, 2, 12, 18),
    class("db.t4g.large", 8, 2, 12, 18),
    class("db.m5.large", 8, 2, 10, 18),
    class("db.m5.xlarge", 16, 4, 10, 18),
    class("db.m6g.large", 8, 2, 12, 18),
    class("db.m6g.xlarge", 16, 4, 12, 18),
    class("db.m7g.large", 8, 2, 13, 18),
    class("db.r5.large", 16, 2, 10, 18),
    class("db.r5.xlarge", 32, 4, 10, 18),
    class("db.r6g.large", 16, 2, 12, 18),
    class("db.r6g.xlarge", 32, 4, 12, 18),
    class("db.r7g.large", 16, 2, 13, 18),
];

const STORAGE_TYPES: [&str; 4] = ["gp2", "gp3", "io1", "io2"];

/// A class by name.
pub(crate) fn find(name: &str) -> Option<&'static Class> {
    CLASSES.iter().find(|class| class.name == name)
}

/// The class, if an instance of this version can have it.
pub(crate) fn orderable(name: &str, version: &EngineVersion) -> Result<&'static Class, ApiError> {
    find(name).filter(|class| class.majors.contains(&version.major)).ok_or_else(|| {
        errors::combination(format!(
            "RDS does not support creating a DB instance with the following combination: DBInstanceClass={name}, \
             Engine=postgres, EngineVersion={}, LicenseModel=postgresql-license. For supported combinations of instance \
             class and database engine version, see the documentation.",
            version.text
        ))
    })
}

impl Shared {
    pub(crate) fn describe_orderable_options(&self, call: &Call) -> Reply {
        Filters::of(call, &[])?;
        let is_postgres = call.required("Engine")? == "postgres";
        let version = call.str("EngineVersion");
        let class = call.str("DBInstanceClass");
        let mut options = Vec::new();
        for offered in engine_versions::offered(&self.around.servers.majors()) {
            if !is_postgres || version.is_some_and(|wanted| wanted != offered.text) {
                continue;
            }
            let classes = CLASSES.iter().filter(|known| known.majors.contains(&offered.major));
            for known in classes.filter(|known| class.is_none_or(|wanted| wanted == known.name)) {
                options.extend(STORAGE_TYPES.iter().map(|storage| option(known, offered, storage)));
            }
        }
        answer_within(call, "OrderableDBInstanceOptions", options, 1000)
    }
}

fn option(class: &Class, version: &EngineVersion, storage: &str) -> Value {
    json!({
        "Engine": "postgres",
        "EngineVersion": version.text,
        "DBInstanceClass": class.name,
        "LicenseModel": "postgresql-license",
        "AvailabilityZones": [{ "Name": "eu-west-1a" }, { "Name": "eu-west-1b" }, { "Name": "eu-west-1c" }],
        "MultiAZCapable": true,
        "ReadReplicaCapable": true,
        "Vpc": true,
        "SupportsStorageEncryption": true,
        "StorageType": storage,
        "SupportsIops": storage.starts_with("io") || storage == "gp3",
        "SupportsEnhancedMonitoring": true,
        "SupportsIAMDatabaseAuthentication": true,
        "SupportsPerformanceInsights": true,
        "MinStorageSize": if storage.starts_with("io") { 100 } else { 20 },
        "MaxStorageSize": 65536,
        "SupportedEngineModes": ["provisioned"],
        "SupportsStorageAutoscaling": true,
        "SupportedNetworkTypes": ["IPV4"],
    })
}
