//! What an operator sends to the state machine: the input of an execution.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Approval, CopyRequest, Window};

/// Input of an execution. Everything but the first four fields has a default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunRequest {
    /// The database that is left.
    pub source: Source,
    /// The database that is reached.
    pub target: Target,
    /// The record that clients follow.
    pub record: Record,
    /// Name of the run; the execution's name if it is absent and fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// Upgrade, or only look.
    #[serde(default)]
    pub mode: Mode,
    /// What copies the data and follows its changes.
    #[serde(default)]
    pub copy: CopyRequest,
    /// What the run may do about the network.
    #[serde(default)]
    pub network: Network,
    /// What the operator accepts.
    #[serde(default)]
    pub choices: Choices,
    /// Who is asked before users are interrupted.
    #[serde(default)]
    pub approval: Approval,
    /// When users may be interrupted; at any time if absent.
    #[serde(default)]
    pub window: Option<Window>,
    /// Bounds.
    #[serde(default)]
    pub limits: Limits,
    /// Tags of your own on everything that the run creates, as your organisation may want them: at most eight. DMS's tasks get
    /// none, because the run itself needs the ten that DMS allows there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// `upgrade` does it, `plan` ends after preflight with the findings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// The whole run.
    #[default]
    Upgrade,
    /// Preflight only.
    Plan,
}

/// The database that is left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Source {
    /// RDS instance identifier.
    pub instance: String,
    /// Database in it; the instance's own `DBName` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// ARN of the secret with `username` and `password` of the database's owner.
    pub login_secret: String,
}

/// The database that is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Target {
    /// Wanted version: a major (`18`: its newest reachable minor) or an exact one (`18.4`).
    pub version: String,
    /// RDS instance identifier of the target; `<source>-v<major>` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
}

/// The Route 53 record that clients follow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Record {
    /// Id of the hosted zone, without `/hostedzone/`.
    pub zone_id: String,
    /// Full name, e.g. `orders-db.example.internal`.
    pub name: String,
    /// TTL in seconds while the cutover happens.
    #[serde(default = "Record::default_cutover_ttl")]
    #[cfg_attr(feature = "schema", schemars(range(min = Record::CUTOVER_TTL_SECONDS.0, max = Record::CUTOVER_TTL_SECONDS.1)))]
    pub cutover_ttl_seconds: u32,
}

impl Record {
    /// Least and most of `cutover_ttl_seconds`.
    pub const CUTOVER_TTL_SECONDS: (u32, u32) = (1, 60);

    fn default_cutover_ttl() -> u32 {
        1
    }
}

/// How DMS is set up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DmsSettings {
    /// DMS class, e.g. `dms.r6i.large`; by the size of the database if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_class: Option<String>,
    /// Where the replication instance stands.
    #[serde(default)]
    pub network: DmsNetwork,
    /// How many rows a second DMS can read once more from the source for their large values. Preflight holds the source's
    /// changes against it. The default is an estimate; give what you measured.
    #[serde(default = "DmsSettings::look_ups_per_second")]
    pub look_ups_per_second: u32,
}

impl DmsSettings {
    /// Two round trips one after the other, of about a millisecond each, in one stream. Assumed.
    fn look_ups_per_second() -> u32 {
        500
    }
}

impl Default for DmsSettings {
    fn default() -> Self {
        Self { instance_class: None, network: DmsNetwork::default(), look_ups_per_second: Self::look_ups_per_second() }
    }
}

/// Where the replication instance stands. It must reach both databases and Secrets Manager.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum DmsNetwork {
    /// In the subnets and security groups of the stack's functions, which reach both already.
    #[default]
    Stack,
    /// In the source's subnets, with its security groups.
    Source,
}

/// What the run may do about the network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Network {
    /// Add the one rule that lets the replication instance reach the databases, if its connection test times out; removed
    /// on every way out of the run. Needs the stack's parameter `AllowIngressRules`.
    #[serde(default)]
    pub authorize_ingress: bool,
}

/// What to do about tables without a key: DMS drops their updates and deletes unless the whole row is logged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum KeylessTables {
    /// A blocker.
    #[default]
    Refuse,
    /// `REPLICA IDENTITY FULL` for the time of the run, put back at the end.
    ReplicaIdentityFull,
}

/// What to do about tables that could not be compared before the cutover: their rows never stand still, or reading them
/// takes longer than `limits.verifySeconds`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum UncomparedTables {
    /// The question before the cutover names them, and a yes accepts them; needs `approval.cutover`.
    Ask,
    /// The run ends before the cutover and names them.
    Refuse,
    /// The run goes on; the report names them.
    Accept,
}

/// What to do about read replicas of the source: the run neither moves nor replaces them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ReadReplicas {
    /// A blocker.
    #[default]
    Refuse,
    /// They stay with the source. From the fence on they refuse new connections, and open sessions read data that no longer
    /// changes. The target has no replicas until somebody creates them.
    Stay,
}

/// What the operator accepts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Choices {
    /// Tables without a key.
    #[serde(default)]
    pub keyless_tables: KeylessTables,
    /// Tables that could not be compared; `ask` where `approval.cutover` is set, else `refuse`, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uncompared_tables: Option<UncomparedTables>,
    /// Read replicas of the source.
    #[serde(default)]
    pub read_replicas: ReadReplicas,
    /// Names of roles that may come and go under the run, as a tool that hands out short-lived logins makes them. `%` stands
    /// for any text: `v-token-%`. The run does not notice when they change. Those that are created after the snapshot do not
    /// exist on the target, nor do their grants.
    #[serde(default)]
    pub ignored_roles: Vec<String>,
    /// Databases that go live as they were at the snapshot.
    #[serde(default)]
    pub as_of_snapshot_databases: Vec<String>,
    /// Schemas that go live as they were at the snapshot.
    #[serde(default)]
    pub as_of_snapshot_schemas: Vec<String>,
}

/// Bounds of the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Limits {
    /// From the first REVOKE to OPEN, in seconds; then everything goes back.
    #[cfg_attr(feature = "schema", schemars(range(min = Limits::CUTOVER_SECONDS.0, max = Limits::CUTOVER_SECONDS.1)))]
    pub cutover_seconds: u32,
    /// Largest replication lag at which the fence may begin, in seconds.
    #[cfg_attr(feature = "schema", schemars(range(min = Limits::MAX_LAG_SECONDS.0, max = Limits::MAX_LAG_SECONDS.1)))]
    pub max_lag_seconds: u32,
    /// Oldest transaction on the source at which the fence may begin, in seconds.
    #[cfg_attr(feature = "schema", schemars(range(min = Limits::MAX_TRANSACTION_SECONDS.0, max = Limits::MAX_TRANSACTION_SECONDS.1)))]
    pub max_transaction_seconds: u32,
    /// Time that comparing rows may take, in seconds.
    #[cfg_attr(feature = "schema", schemars(range(min = Limits::VERIFY_SECONDS.0, max = Limits::VERIFY_SECONDS.1)))]
    pub verify_seconds: u32,
    /// Time that may go into reading what the snapshot brought, so that the first reads after the cutover are fast, in
    /// seconds; 0 for none. Checks of indexes take part of it.
    #[cfg_attr(feature = "schema", schemars(range(min = Limits::WARM_SECONDS.0, max = Limits::WARM_SECONDS.1)))]
    pub warm_seconds: u32,
    /// Largest class to which the run may grow the replication instance when it runs out of memory, e.g.
    /// `dms.r6i.2xlarge`; whatever the Region offers if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_replication_instance_class: Option<String>,
    /// Most WAL that the source may keep for DMS, in GB (10^9 bytes); then the run gives up and frees the source.
    #[cfg_attr(feature = "schema", schemars(range(min = Limits::MAX_RETAINED_WAL_GB.0, max = Limits::MAX_RETAINED_WAL_GB.1)))]
    pub max_retained_wal_gb: u32,
}

/// Least and most of each.
impl Limits {
    /// Of `cutover_seconds`.
    pub const CUTOVER_SECONDS: (u32, u32) = (10, 600);
    /// Of `max_lag_seconds`.
    pub const MAX_LAG_SECONDS: (u32, u32) = (1, 3_600);
    /// Of `max_transaction_seconds`.
    pub const MAX_TRANSACTION_SECONDS: (u32, u32) = (1, 3_600);
    /// Of `verify_seconds`: a day.
    pub const VERIFY_SECONDS: (u32, u32) = (1, 86_400);
    /// Of `warm_seconds`: a day.
    pub const WARM_SECONDS: (u32, u32) = (0, 86_400);
    /// Of `max_retained_wal_gb`: the largest storage of RDS.
    pub const MAX_RETAINED_WAL_GB: (u32, u32) = (1, 65_536);
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            cutover_seconds: 60,
            max_lag_seconds: 5,
            max_transaction_seconds: 15,
            verify_seconds: 3_600,
            warm_seconds: 3_600,
            max_replication_instance_class: None,
            max_retained_wal_gb: 50,
        }
    }
}
