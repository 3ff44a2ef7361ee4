//! What an operator sends to the state machine: the input of an execution.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Approval, Clients, CopyRequest, Window};

/// The input of an execution. Only `source`, `target` and `record` are required.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunRequest {
    /// The database that the run upgrades from.
    pub source: Source,
    /// The database that the run creates.
    pub target: Target,
    /// The record that clients follow.
    pub record: Record,
    /// Name of the run. If it is absent, the execution's name, if that fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// Whether to upgrade or only to plan.
    #[serde(default)]
    pub mode: Mode,
    /// What copies the data and follows the changes.
    #[serde(default)]
    pub copy: CopyRequest,
    /// How clients are moved.
    #[serde(default)]
    pub cutover: CutoverSettings,
    /// Clients that do not follow the record.
    #[serde(default)]
    pub clients: Clients,
    /// What the run may do about the network.
    #[serde(default)]
    pub network: Network,
    /// What the operator accepts.
    #[serde(default)]
    pub choices: Choices,
    /// Who is asked before users are interrupted.
    #[serde(default)]
    pub approval: Approval,
    /// When users may be interrupted. If it is absent, at any time.
    #[serde(default)]
    pub window: Option<Window>,
    /// Limits of the run.
    #[serde(default)]
    pub limits: Limits,
    /// Whether there is a fail-back path after the target is open. Off unless it is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fail_back: Option<FailBack>,
    /// Tags of your own for everything that the run creates, if your organization requires them, at most eight. DMS
    /// tasks do not get these tags, because the run itself needs all ten that DMS allows on a task.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// The fail-back path after the target is open: the old server follows the new one, so that everybody can return to it without
/// losing a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FailBack {
    /// For how many hours after OPEN. Both instances are paid for meanwhile.
    #[serde(default = "FailBack::default_hours")]
    #[cfg_attr(feature = "schema", schemars(range(min = FailBack::KEEP_HOURS.0, max = FailBack::KEEP_HOURS.1)))]
    pub keep_hours: u32,
}

impl FailBack {
    /// Least and most of `keep_hours`: a step of the fail-back path may use an execution's history, which is kept for 90 days.
    pub const KEEP_HOURS: (u32, u32) = (1, 720);

    fn default_hours() -> u32 {
        72
    }
}

/// `upgrade` carries out the whole run; `plan` ends after preflight with the findings and changes nothing.
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

/// The database that the run upgrades from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Source {
    /// RDS instance identifier of the source.
    pub instance: String,
    /// Name of the database. If it is absent, the instance's `DBName`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// ARN of the secret with the `username` and `password` of the database's owner.
    pub login_secret: String,
}

/// The database that the run creates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Target {
    /// Requested version: either a major version (`18` means its newest reachable minor version) or an exact one
    /// (`18.4`).
    pub version: String,
    /// RDS instance identifier of the target. If it is absent, `<source>-v<major>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
}

/// The Route 53 record that clients follow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Record {
    /// ID of the hosted zone, without `/hostedzone/`.
    pub zone_id: String,
    /// Full name of the record, e.g. `orders-db.example.internal`.
    pub name: String,
    /// TTL of the record during the cutover, in seconds.
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

/// How clients are moved.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CutoverSettings {
    /// When the record is switched to the target.
    #[serde(default)]
    pub switch_record: SwitchRecord,
}

/// When the record is switched to the target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum SwitchRecord {
    /// The run decides before the cutover, from the DNS propagation and the connections that it measured. Without these
    /// measurements, and if clients open many new connections, `withDrain`.
    #[default]
    Auto,
    /// Before the fence. Open sessions keep working on the source until every name server has the change, and reconnect
    /// to the target at once. New connections are refused from the first new answer until the target is open.
    BeforeFence,
    /// Behind the fence, while the source drains. No connection is refused before the fence, but clients wait until the
    /// change of the record has reached their name server.
    WithDrain,
}

/// Settings of DMS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DmsSettings {
    /// Class of the replication instance, e.g. `dms.r6i.large`. If it is absent, the run chooses one by the size of the
    /// database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_class: Option<String>,
    /// Where the replication instance is placed.
    #[serde(default)]
    pub network: DmsNetwork,
    /// Number of rows per second that DMS can read again from the source to get their large values. Preflight compares
    /// the source's rate of changes with it. The default is an estimate, so give the number that you measured if you
    /// have one.
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

/// Where the replication instance is placed. It must reach both databases and Secrets Manager.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum DmsNetwork {
    /// In the subnets and security groups of the stack's functions, which already reach both databases and Secrets
    /// Manager.
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
    /// If the connection test of DMS times out, add the one inbound rule that lets the replication instance reach the
    /// databases. The run removes the rule at its end, also after a failure. Requires the stack's parameter
    /// `AllowIngressRules`.
    #[serde(default)]
    pub authorize_ingress: bool,
}

/// What to do about tables without a key. DMS silently drops their updates and deletes unless the WAL contains the
/// whole row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum KeylessTables {
    /// Preflight reports them as a blocker.
    #[default]
    Refuse,
    /// The run sets `REPLICA IDENTITY FULL` on them, and restores the previous setting at its end.
    ReplicaIdentityFull,
}

/// What to do about tables that could not be compared before the cutover, because their rows change all the time or
/// reading them takes longer than `limits.verifySeconds`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum UncomparedTables {
    /// The question before the cutover names them, and a yes accepts them. Requires `approval.cutover`.
    Ask,
    /// The run ends before the cutover and names them.
    Refuse,
    /// The run continues, and the report names them.
    Accept,
}

/// What to do about read replicas of the source, which the run neither moves nor replaces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ReadReplicas {
    /// Preflight reports them as a blocker.
    #[default]
    Refuse,
    /// They stay with the source. From the fence on, they refuse new connections, and open sessions read data that no
    /// longer changes. The target has no replicas until somebody creates them.
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
    /// Tables that could not be compared. If it is absent, `ask` if `approval.cutover` is set, and `refuse` otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uncompared_tables: Option<UncomparedTables>,
    /// Read replicas of the source.
    #[serde(default)]
    pub read_replicas: ReadReplicas,
    /// Names of roles that may be created and dropped during the run, for example by a tool that issues short-lived
    /// logins. `%` matches any text, as in `v-token-%`. The run ignores changes of these roles. Roles that are created
    /// after the snapshot do not exist on the target, and neither do their grants.
    #[serde(default)]
    pub ignored_roles: Vec<String>,
    /// Other databases of the instance that you accept to go live as of the snapshot.
    #[serde(default)]
    pub as_of_snapshot_databases: Vec<String>,
    /// Schemas that you accept to go live as of the snapshot.
    #[serde(default)]
    pub as_of_snapshot_schemas: Vec<String>,
}

/// Longest outage that the operator accepts, in seconds, as far as a limit is set. It is compared with the upper bound of the
/// forecast.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MaxOutage {
    /// Of clients that are connected when the cutover begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connected: Option<f64>,
    /// Of clients that open a connection during the cutover.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<f64>,
}

/// Limits of the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Limits {
    /// Longest time from the first REVOKE to OPEN, in seconds. When it is over, the run rolls back.
    #[cfg_attr(feature = "schema", schemars(range(min = Limits::CUTOVER_SECONDS.0, max = Limits::CUTOVER_SECONDS.1)))]
    pub cutover_seconds: u32,
    /// Longest time from the change of the record to the fence, in seconds, if the record is switched before the fence.
    /// When it is over, the run rolls back.
    #[cfg_attr(feature = "schema", schemars(range(min = Limits::SWITCH_SECONDS.0, max = Limits::SWITCH_SECONDS.1)))]
    pub switch_seconds: u32,
    /// Longest outage that you accept. The plan and the gate compare their forecasts with it, and the run does not begin a
    /// cutover that is expected to exceed it.
    pub max_outage_seconds: MaxOutage,
    /// Longest time that the run waits before the cutover until its guardrails and the forecast hold, in hours.
    #[cfg_attr(feature = "schema", schemars(range(min = Limits::GATE_HOURS.0, max = Limits::GATE_HOURS.1)))]
    pub gate_hours: u32,
    /// Largest replication lag at which the fence may begin, in seconds.
    #[cfg_attr(feature = "schema", schemars(range(min = Limits::MAX_LAG_SECONDS.0, max = Limits::MAX_LAG_SECONDS.1)))]
    pub max_lag_seconds: u32,
    /// Largest age of a transaction on the source at which the fence may begin, in seconds.
    #[cfg_attr(feature = "schema", schemars(range(min = Limits::MAX_TRANSACTION_SECONDS.0, max = Limits::MAX_TRANSACTION_SECONDS.1)))]
    pub max_transaction_seconds: u32,
    /// Longest time that the comparison of rows may take, in seconds.
    #[cfg_attr(feature = "schema", schemars(range(min = Limits::VERIFY_SECONDS.0, max = Limits::VERIFY_SECONDS.1)))]
    pub verify_seconds: u32,
    /// Longest time for reading what the snapshot brought, in seconds, so that the first reads after the cutover are
    /// fast. 0 means none. It includes the checks of indexes.
    #[cfg_attr(feature = "schema", schemars(range(min = Limits::WARM_SECONDS.0, max = Limits::WARM_SECONDS.1)))]
    pub warm_seconds: u32,
    /// Largest class that the run may give the replication instance when it runs out of memory, e.g. `dms.r6i.2xlarge`.
    /// If it is absent, any class that the Region offers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_replication_instance_class: Option<String>,
    /// Largest amount of WAL that the source may keep for the copy engine, in GB (10^9 bytes). When it is reached, the
    /// run ends and lets the source free the WAL.
    #[cfg_attr(feature = "schema", schemars(range(min = Limits::MAX_RETAINED_WAL_GB.0, max = Limits::MAX_RETAINED_WAL_GB.1)))]
    pub max_retained_wal_gb: u32,
}

/// Least and most of each.
impl Limits {
    /// Of `cutover_seconds`.
    pub const CUTOVER_SECONDS: (u32, u32) = (10, 600);
    /// Of `switch_seconds`: the least is what Route 53 may take for a change.
    pub const SWITCH_SECONDS: (u32, u32) = (60, 900);
    /// Of `gate_hours`.
    pub const GATE_HOURS: (u32, u32) = (1, 4);
    /// Of the members of `max_outage_seconds`, in milliseconds: an hour.
    pub const MAX_OUTAGE_MILLISECONDS: (u32, u32) = (100, 3_600_000);
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

impl Limits {
    /// `max_retained_wal_gb` in the unit of `max_slot_wal_keep_size`, rounded down: MB of 2^20 bytes.
    pub fn max_retained_wal_mb(&self) -> u64 {
        u64::from(self.max_retained_wal_gb) * 1_000_000_000 / (1 << 20)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            cutover_seconds: 60,
            switch_seconds: 180,
            max_outage_seconds: MaxOutage::default(),
            gate_hours: 1,
            max_lag_seconds: 5,
            max_transaction_seconds: 15,
            verify_seconds: 3_600,
            warm_seconds: 3_600,
            max_replication_instance_class: None,
            max_retained_wal_gb: 50,
        }
    }
}
