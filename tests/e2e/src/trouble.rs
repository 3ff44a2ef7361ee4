//! Trouble that a run must mend: planned before it begins, each with the one repair that must stand in the report.
//!
//! A new one is a variant, its word, and an arm in each of the small matches below.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use aws_config::SdkConfig;
use aws_sdk_databasemigration::types::ReplicationTask;
use local_aws_dms::Fault;
use local_aws_lambda::Progress;
use local_aws_rds::{CopyFault, PlannedFault, Quota, Rds, Statement};
use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;
use tokio::task::JoinHandle;
use tokio_postgres::Client;

use crate::connect::Login;
use crate::observer::{Access, connect};
use crate::stage::{DATABASE, LOGIN_SECRET, SOURCE, rotated_login};

/// A planned trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The load needs more memory than the first instance has, with a usual appetite and with a small one.
    OutOfMemory,
    /// A table with large values ends in error in full LOB mode; one of its values has so many megabytes.
    LobErrors {
        /// 0: no value is added.
        megabytes: u32,
    },
    /// The source loses the slot while the task pauses after its load.
    SlotLost,
    /// The replication instance restarts in the middle of the load.
    InstanceReboot,
    /// A change finds no row on the target while the copy is verified, so DMS suspends the table.
    TableSuspended,
    /// No rule of the databases' security group lets the replication instance in.
    SecurityGroup,
    /// Somebody stops the task after the copy was verified.
    TaskStopped,
    /// The source keeps more WAL for the slot than the run may cost it. Nothing mends that.
    WalPilesUp,
    /// The load needs more memory than the largest instance that the run may have.
    MemoryStaysShort,
    /// A table cannot be loaded, in whatever LOB mode.
    TableFails,
    /// As `SecurityGroup`, and the run may not add the rule.
    RuleMissing,
    /// As `SecurityGroup`, and the group has as many rules as it may have. Nothing mends that.
    RulesReached,
    /// The account is new: ten functions may run at once.
    FewConcurrent,
    /// The replication instance's disk is full in the load.
    DiskFull,
    /// The source's databases leave little of its disk, and WAL for the slot takes most of that. Nothing mends that.
    SourceDiskFills,
    /// The source's disk is full, and its server down until its owner gives it more, which he does when the run gives up.
    SourceDiskFull,
    /// The target's disk is full, and its server down.
    TargetDiskFull,
    /// The source's standby takes over in the load: its server restarts. DMS and clients come again, nothing is mended.
    SourceFailover,
    /// Nobody has used the stack for weeks: every function is inactive, and refuses for a minute after its first call.
    IdleFunctions,
    /// Policies see the tags of what the run creates minutes later.
    LateTags,
    /// The record's hosted zone is another account's, and the stack has a role there.
    ZoneElsewhere,
    /// Secrets Manager shows what was written two seconds later.
    StaleSecrets,
    /// DMS reads each large value that does not come with its row in two milliseconds, one after the other.
    SlowLookUps,
    /// DMS gathers changes for two seconds before it applies them.
    LateChanges,
    /// The source has logical replication on: the run neither reboots it nor changes its parameter group.
    DecodesAlready,
    /// The secret that the input names has another password than the database's owner. Nothing mends that.
    WrongSecret,
    /// The source is as production has them: Multi-AZ, customer keys, insights, monitoring, storage close to its limit, a group
    /// of its own with pg_cron, a read replica, deletion protection; and the owner's secret rotates on the way.
    Production,
    /// The account's last instance is created by somebody else after preflight. Nothing mends that.
    QuotaReached,
    /// A client updates a key while indexes are built, which DMS ignores. Nothing mends that.
    KeyUpdated,
    /// A client deletes one of two equal rows while the copy is verified, and DMS would delete both.
    EqualRowDeleted,
    /// The extension that knows the seed of a restored copy cannot be created there.
    NoSeedFunction,
    /// The extension's function answers NULL.
    SeedNull,
    /// Somebody commits a row on the restored copy before the run looks.
    WriterOnCopy,
    /// While the copy is upgraded the source loses the slot that native replication goes on from.
    NativeSlotLost,
    /// While the copy is upgraded the source writes more WAL than the run may cost it, and nothing reads it yet.
    NativeWalPilesUp,
    /// The target crashes as soon as its subscription's origin has moved, and comes back.
    TargetDiesAfterAdvance,
    /// A row is on the target that a later one of the source collides with.
    NativeConflict,
    /// The target may run no worker of logical replication.
    NoReplicationWorkers,
    /// The database's owner is no rds_superuser, and so may create no subscription. Nothing mends that.
    NativeOwner,
    /// A client writes an infinite date after the copy was verified, and DMS clamps it.
    ValueClamped,
}

/// What is done when a step begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deed {
    step: &'static str,
    act: Act,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    /// On the source, as its superuser.
    OnSource(&'static str),
    /// On the target, as its superuser.
    OnTarget(&'static str),
    /// In DMS's console.
    StopTask,
    /// The standby of an instance takes over.
    FailOver(&'static str),
    /// RDS shuts the server of an instance down for want of storage.
    FillDisk(&'static str),
    /// The owner gives it more.
    GiveStorage(&'static str),
    /// RDS lets the account have no more instances than there are.
    ReachQuota,
    /// The owner of the source's database gets another password, and the secret has it.
    RotateOwner,
}

/// What deeds are done with.
pub struct Tools {
    /// The source's database.
    pub source: Access,
    /// The target's.
    pub target: Access,
    /// How SDK clients reach the local AWS.
    pub sdk: SdkConfig,
    /// Its RDS.
    pub rds: Rds,
    /// The target's identifier.
    pub target_instance: String,
}

/// Longest wait for a task to run.
const LONGEST_START: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Stands for the target's identifier, which depends on the majors.
const TARGET: &str = "";

/// DMS's slot, which nobody reads now: what an administrator drops.
const LOSE_SLOT: &str =
    "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active AND slot_name !~ '^pgleap_'";

/// More than a gigabyte of WAL in few bytes: a segment that is switched counts whole.
pub(crate) const PILE_UP: &str = "DO $$ BEGIN FOR n IN 1..70 LOOP
    PERFORM pg_logical_emit_message(false, 'rehearsal', 'x'); PERFORM pg_switch_wal(); END LOOP; END $$";

/// The same under an open transaction that has written: a slot keeps WAL from its beginning on, however fast it is read.
const PILE_UP_AND_HOLD: &str = "DO $$ BEGIN PERFORM pg_logical_emit_message(true, 'rehearsal', 'x'); FOR n IN 1..70 LOOP
    PERFORM pg_logical_emit_message(false, 'rehearsal', 'x'); PERFORM pg_switch_wal(); END LOOP; PERFORM pg_sleep(120); END $$";
/// A file of 106 GB without a block in it counts as the database's, and its disk has 107; then as above.
const FILL_DISK: &str = "DO $$ DECLARE database oid := (SELECT oid FROM pg_database WHERE datname = current_database()); BEGIN
    EXECUTE format($copy$COPY (SELECT 1) TO PROGRAM 'truncate -s 106GB base/%s/filler'$copy$, database);
    PERFORM pg_logical_emit_message(true, 'rehearsal', 'x'); FOR n IN 1..70 LOOP
    PERFORM pg_logical_emit_message(false, 'rehearsal', 'x'); PERFORM pg_switch_wal(); END LOOP; PERFORM pg_sleep(120); END $$";

/// No client's row, so that nobody else misses it.
const UPDATE_KEY: &str = "UPDATE shop.stock SET batch = 1000002 WHERE batch = 2";
/// The source is filled with equal ones.
const DELETE_TWIN: &str =
    "DELETE FROM shop.clicks WHERE ctid = (SELECT min(ctid) FROM shop.clicks WHERE token = md5('click1')::uuid)";
/// As above.
const WRITE_INFINITY: &str =
    "UPDATE shop.customers SET created_at = 'infinity' WHERE id = (SELECT min(id) FROM shop.customers)";

/// In a table without a key, where a later double would be silent.
const WRITE_ON_COPY: &str = "INSERT INTO shop.clicks (token, page) VALUES (md5('writer on copy')::uuid, 'a page')";

/// Keys that clients get within seconds: the sequence hands them out in order. A few, because it may skip one.
const TAKE_KEYS: &str = "INSERT INTO shop.invoices (id, token, number)
    SELECT (SELECT max(id) FROM shop.invoices) + n, md5('conflict' || n)::uuid, -n FROM generate_series(20, 40) n";

/// Clients update these rows all the time.
const LOSE_ROWS: &str = "DO $$ BEGIN
    IF to_regclass('shop.documents') IS NULL THEN DELETE FROM rehearsal.probe; ELSE DELETE FROM shop.documents; END IF; END $$";

/// The table with the most large values that has a key to find them by; the built-in source's is `shop.documents`.
const LOB_TABLE: &str = "
    SELECT n.nspname::text, c.relname::text,
           (SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.atttypid = 'bytea'::regtype AND NOT a.attisdropped LIMIT 1)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname !~ '^(pg_|information_schema|pgleap)'
      AND EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)
      AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND NOT a.attisdropped
                  AND a.atttypid IN ('text'::regtype, 'bytea'::regtype, 'json'::regtype, 'jsonb'::regtype))
    ORDER BY pg_total_relation_size(c.oid) DESC LIMIT 1";

impl Tools {
    fn named<'a>(&'a self, instance: &'a str) -> &'a str {
        if instance == TARGET { &self.target_instance } else { instance }
    }

    fn dms(&self) -> aws_sdk_databasemigration::Client {
        aws_sdk_databasemigration::Client::new(&self.sdk)
    }

    async fn task(&self) -> Result<Option<ReplicationTask>> {
        Ok(self.dms().describe_replication_tasks().send().await?.replication_tasks.unwrap_or_default().pop())
    }

    /// A disk is filled by a load, not before one.
    async fn await_running_task(&self) -> Result<()> {
        let began = Instant::now();
        while self.task().await?.is_none_or(|task| task.status.as_deref() != Some("running")) {
            ensure!(began.elapsed() < LONGEST_START, "no task runs after {} s", LONGEST_START.as_secs());
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Ok(())
    }
}

impl Trouble {
    /// Plan it: faults of the local DMS, and what the source needs for them.
    pub async fn plan(self, source: &Client) -> Result<Option<Fault>> {
        let fault = match self {
            Trouble::OutOfMemory => "out-of-memory at 10% with 5 GiB and 8 GiB by appetite".to_owned(),
            Trouble::InstanceReboot => "reboot-instance at 30%".to_owned(),
            Trouble::SlowLookUps => "look-ups take 2 ms".to_owned(),
            Trouble::LateChanges => "changes wait 2000 ms".to_owned(),
            Trouble::DiskFull => "disk-full at 30% below 100 GiB".to_owned(),
            Trouble::MemoryStaysShort => "out-of-memory at 10% while class < dms.r6i.large".to_owned(),
            // The ground is closed by the caller, who has it.
            Trouble::RuleMissing
            | Trouble::RulesReached
            | Trouble::FewConcurrent
            | Trouble::SourceDiskFills
            | Trouble::SourceDiskFull
            | Trouble::SourceFailover
            | Trouble::IdleFunctions
            | Trouble::LateTags
            | Trouble::ZoneElsewhere
            | Trouble::StaleSecrets
            | Trouble::DecodesAlready
            | Trouble::WrongSecret
            | Trouble::Production
            | Trouble::QuotaReached
            | Trouble::KeyUpdated
            | Trouble::EqualRowDeleted
            | Trouble::ValueClamped
            | Trouble::NoSeedFunction
            | Trouble::SeedNull
            | Trouble::WriterOnCopy
            | Trouble::NativeSlotLost
            | Trouble::NativeWalPilesUp
            | Trouble::TargetDiesAfterAdvance
            | Trouble::NativeConflict
            | Trouble::NoReplicationWorkers
            | Trouble::NativeOwner
            | Trouble::TargetDiskFull
            | Trouble::SlotLost
            | Trouble::TableSuspended
            | Trouble::TaskStopped
            | Trouble::WalPilesUp
            | Trouble::SecurityGroup => return Ok(None),
            Trouble::TableFails => {
                let row = source.query_opt(LOB_TABLE, &[]).await?.context("no table has large values and a key")?;
                format!("table-error on {}.{} in every-mode", row.get::<_, String>(0), row.get::<_, String>(1))
            }
            Trouble::LobErrors { megabytes } => {
                let row = source.query_opt(LOB_TABLE, &[]).await?.context("no table has large values and a key")?;
                let (schema, table): (String, String) = (row.get(0), row.get(1));
                if megabytes > 0 {
                    let column: Option<String> = row.get(2);
                    let column = column.with_context(|| format!("{schema}.{table} has no bytea column"))?;
                    add_value(source, &schema, &table, &column, megabytes).await?;
                }
                format!("table-error on {schema}.{table} in full-lob-mode")
            }
        };
        Ok(Some(fault.parse()?))
    }

    /// What happens to the next copy that is restored of the source. Replication by DMS meets none of it.
    pub fn of_copy(self) -> Option<PlannedFault> {
        let in_shop = |sql: &str| Statement { database: DATABASE.to_owned(), sql: sql.to_owned() };
        Some(PlannedFault::OfCopy(match self {
            Trouble::NoSeedFunction => CopyFault::NoSeedFunction,
            Trouble::SeedNull => CopyFault::SeedNull,
            Trouble::WriterOnCopy => CopyFault::Write(in_shop(WRITE_ON_COPY)),
            Trouble::NativeSlotLost => CopyFault::SlotLost,
            Trouble::TargetDiesAfterAdvance => CopyFault::DiesAfterAdvance,
            Trouble::NativeConflict => CopyFault::Conflict(in_shop(TAKE_KEYS)),
            Trouble::NoReplicationWorkers => CopyFault::NoReplicationWorkers,
            _elsewhere => return None,
        }))
    }

    /// What is done on the way.
    pub fn deeds(self) -> Vec<Deed> {
        let deeds: &[(&'static str, Act)] = match self {
            Trouble::SlotLost => &[("analyze-target", Act::OnSource(LOSE_SLOT))],
            Trouble::WalPilesUp => &[("rebuild-target", Act::OnSource(PILE_UP_AND_HOLD))],
            Trouble::NativeWalPilesUp => &[("upgrade-target", Act::OnSource(PILE_UP))],
            Trouble::TableSuspended => &[("verify-copy", Act::OnTarget(LOSE_ROWS))],
            Trouble::TaskStopped => &[("lower-ttl", Act::StopTask)],
            Trouble::SourceDiskFills => &[("rebuild-target", Act::OnSource(FILL_DISK))],
            Trouble::SourceDiskFull => {
                &[("watch-copy", Act::FillDisk(SOURCE)), ("unfence-source", Act::GiveStorage(SOURCE))]
            }
            Trouble::TargetDiskFull => &[("watch-copy", Act::FillDisk(TARGET))],
            Trouble::SourceFailover => &[("watch-copy", Act::FailOver(SOURCE))],
            Trouble::QuotaReached => &[("snapshot-source", Act::ReachQuota)],
            Trouble::Production => &[("analyze-target", Act::RotateOwner)],
            Trouble::KeyUpdated => &[("rebuild-target", Act::OnSource(UPDATE_KEY))],
            Trouble::EqualRowDeleted => &[("verify-copy", Act::OnSource(DELETE_TWIN))],
            Trouble::ValueClamped => &[("lower-ttl", Act::OnSource(WRITE_INFINITY))],
            _planned_beforehand => &[],
        };
        deeds.iter().map(|(step, act)| Deed { step, act: *act }).collect()
    }

    /// What the execution's input has otherwise.
    pub fn input(self) -> Option<Value> {
        match self {
            Trouble::WalPilesUp => Some(json!({ "limits": { "maxRetainedWalGb": 1 } })),
            Trouble::NativeWalPilesUp => {
                Some(json!({ "limits": { "maxRetainedWalGb": 1 }, "copy": { "engine": "native" } }))
            }
            Trouble::MemoryStaysShort => Some(json!({ "limits": { "maxReplicationInstanceClass": "dms.t3.large" } })),
            Trouble::SecurityGroup | Trouble::RulesReached => Some(json!({ "network": { "authorizeIngress": true } })),
            Trouble::Production => Some(json!({ "choices": { "readReplicas": "stay" } })),
            of_native if of_native == Trouble::NativeOwner || of_native.of_copy().is_some() => {
                Some(json!({ "copy": { "engine": "native" } }))
            }
            _ => None,
        }
    }

    /// The error that the run ends with, and a word of its cause, if nothing mends the trouble.
    pub fn ends_with(self) -> Option<(&'static str, &'static str)> {
        match self {
            Trouble::WalPilesUp | Trouble::NativeWalPilesUp => Some(("TooMuchWal", "limits.maxRetainedWalGb")),
            Trouble::MemoryStaysShort => Some(("ReplicationFailed", "limits.maxReplicationInstanceClass")),
            Trouble::TableFails => Some(("TablesInError", "DMS notes: shop.documents: planned fault")),
            Trouble::SourceDiskFills => Some(("TooMuchWal", "half of the")),
            Trouble::SourceDiskFull => Some(("InstanceFailed", "shop-db is storage-full")),
            Trouble::TargetDiskFull => Some(("InstanceFailed", "-v18 is storage-full")),
            Trouble::QuotaReached => Some(("QuotaExceeded", "InstanceQuotaExceeded")),
            Trouble::KeyUpdated => {
                Some(("ChangeNotCarried", "table shop.stock: an update of its key: (batch) = (2) became (1000002)"))
            }
            Trouble::EqualRowDeleted => {
                Some(("ChangeNotCarried", "table shop.clicks: an update or delete of a row that has duplicates"))
            }
            Trouble::ValueClamped => Some(("ChangeNotCarried", "table shop.customers: an infinite date")),
            Trouble::WrongSecret => Some(("PreflightBlocked", "[login]")),
            Trouble::RuleMissing => Some(("NetworkBlocked", "lacks an inbound rule")),
            Trouble::RulesReached => Some(("NetworkBlocked", "the state AuthorizeIngress")),
            Trouble::LobErrors { megabytes } if megabytes > 33 => Some(("TablesInError", "limited LOB mode holds")),
            Trouble::NativeOwner => Some(("PreflightBlocked", "[no-subscription-right]")),
            Trouble::WriterOnCopy => Some(("ReplicationFailed", "somebody wrote to a table on the copy")),
            Trouble::NativeSlotLost => {
                Some(("ReplicationFailed", "no longer keeps WAL for the run's replication slot"))
            }
            Trouble::NativeConflict => Some(("ReplicationFailed", "the target failed to apply a change")),
            Trouble::NoReplicationWorkers => Some(("ReplicationFailed", "max_logical_replication_workers")),
            _ => None,
        }
    }

    /// The kind of the repair that must stand in the report, if there is one.
    pub fn repair(self) -> Option<&'static str> {
        Some(match self {
            Trouble::TaskStopped => "changes-broken",
            Trouble::DiskFull => "disk-full",
            Trouble::OutOfMemory => "out-of-memory",
            Trouble::SlotLost => "slot-lost",
            Trouble::SecurityGroup => "security-group",
            Trouble::LobErrors { .. } | Trouble::InstanceReboot | Trouble::TableSuspended => "tables-in-error",
            _needs_none_or_ends_the_run => return None,
        })
    }
}

impl Deed {
    /// Do it once, when its step begins for the first time; ended with what is returned.
    pub fn arm(self, mut invocations: Receiver<Progress>, tools: Tools) -> Armed {
        Armed(tokio::spawn(async move {
            let suffix = format!("-{}", self.step);
            while let Ok(progress) = invocations.recv().await {
                let Progress::Started { function, state, .. } = &progress else { continue };
                if !function.ends_with(&suffix) || state.as_deref().is_some_and(only_starts_a_process) {
                    continue;
                }
                if let Err(error) = self.act.done_with(&tools).await {
                    tracing::error!(error = format!("{error:#}"), "what was planned failed");
                }
                return;
            }
        }))
    }
}

/// `pgleap-upgrade/WakeVerifyCopy`: the call that wakes a function up, and the one that warms it, do not begin its step.
fn only_starts_a_process(state: &str) -> bool {
    let name = state.rsplit('/').next().unwrap_or(state);
    name.starts_with("Wake") || name.starts_with("Warm")
}

impl Act {
    async fn done_with(self, tools: &Tools) -> Result<()> {
        match self {
            Act::OnSource(sql) => Ok(connect(&tools.source).await?.batch_execute(sql).await?),
            Act::OnTarget(sql) => Ok(connect(&tools.target).await?.batch_execute(sql).await?),
            Act::FillDisk(instance) => {
                tools.await_running_task().await?;
                tools.rds.plan(tools.named(instance), PlannedFault::StorageFull).await.context("fill a disk")
            }
            Act::FailOver(instance) => {
                tools.await_running_task().await?;
                tools.rds.plan(tools.named(instance), PlannedFault::Failover).await.context("fail over")
            }
            Act::GiveStorage(instance) => {
                let rds = aws_sdk_rds::Client::new(&tools.sdk);
                let modify = rds.modify_db_instance().db_instance_identifier(tools.named(instance));
                modify.allocated_storage(200).apply_immediately(true).send().await.context("give storage")?;
                Ok(())
            }
            Act::ReachQuota => {
                tools.rds.reach_quota(Quota::Instances);
                Ok(())
            }
            Act::RotateOwner => {
                let Login { user, password, .. } = rotated_login();
                let alter = format!("ALTER ROLE {user} PASSWORD '{password}'");
                connect(&tools.source).await?.batch_execute(&alter).await.context("change the owner's password")?;
                let value = json!({ "username": user, "password": password }).to_string();
                let secrets = aws_sdk_secretsmanager::Client::new(&tools.sdk);
                secrets.put_secret_value().secret_id(LOGIN_SECRET).secret_string(value).send().await?;
                Ok(())
            }
            Act::StopTask => {
                let arn = tools
                    .task()
                    .await?
                    .and_then(|task| task.replication_task_arn)
                    .context("there is no task to stop")?;
                tools.dms().stop_replication_task().replication_task_arn(arn).send().await?;
                Ok(())
            }
        }
    }
}

/// A deed that waits for its step.
pub struct Armed(JoinHandle<()>);

impl Drop for Armed {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A value that does not compress, in the table's first row.
async fn add_value(source: &Client, schema: &str, table: &str, column: &str, megabytes: u32) -> Result<()> {
    let sql = format!(
        "UPDATE \"{schema}\".\"{table}\" SET \"{column}\" = (
             SELECT string_agg(sha512(n::text::bytea), '') FROM generate_series(1, {megabytes} * 16384) n)
         WHERE ctid = (SELECT min(ctid) FROM \"{schema}\".\"{table}\")"
    );
    source.batch_execute(&sql).await.with_context(|| format!("add a value of {megabytes} MB"))
}

/// Every trouble and its word; that of `LobErrors` may have a number behind it.
const WORDS: &[(&str, Trouble)] = &[
    ("out-of-memory", Trouble::OutOfMemory),
    ("memory-stays-short", Trouble::MemoryStaysShort),
    ("lob-errors", Trouble::LobErrors { megabytes: 0 }),
    ("table-fails", Trouble::TableFails),
    ("table-suspended", Trouble::TableSuspended),
    ("slot-lost", Trouble::SlotLost),
    ("instance-reboot", Trouble::InstanceReboot),
    ("task-stopped", Trouble::TaskStopped),
    ("security-group", Trouble::SecurityGroup),
    ("rule-missing", Trouble::RuleMissing),
    ("disk-full", Trouble::DiskFull),
    ("wal-piles-up", Trouble::WalPilesUp),
    ("source-disk-fills", Trouble::SourceDiskFills),
    ("source-disk-full", Trouble::SourceDiskFull),
    ("target-disk-full", Trouble::TargetDiskFull),
    ("source-failover", Trouble::SourceFailover),
    ("idle-functions", Trouble::IdleFunctions),
    ("late-tags", Trouble::LateTags),
    ("zone-elsewhere", Trouble::ZoneElsewhere),
    ("stale-secrets", Trouble::StaleSecrets),
    ("slow-look-ups", Trouble::SlowLookUps),
    ("late-changes", Trouble::LateChanges),
    ("decodes-already", Trouble::DecodesAlready),
    ("wrong-secret", Trouble::WrongSecret),
    ("rules-reached", Trouble::RulesReached),
    ("few-concurrent", Trouble::FewConcurrent),
    ("production", Trouble::Production),
    ("quota-reached", Trouble::QuotaReached),
    ("key-updated", Trouble::KeyUpdated),
    ("equal-row-deleted", Trouble::EqualRowDeleted),
    ("value-clamped", Trouble::ValueClamped),
    ("no-seed-function", Trouble::NoSeedFunction),
    ("seed-null", Trouble::SeedNull),
    ("writer-on-copy", Trouble::WriterOnCopy),
    ("native-slot-lost", Trouble::NativeSlotLost),
    ("native-wal-piles-up", Trouble::NativeWalPilesUp),
    ("target-dies-after-advance", Trouble::TargetDiesAfterAdvance),
    ("native-conflict", Trouble::NativeConflict),
    ("no-replication-workers", Trouble::NoReplicationWorkers),
    ("native-owner", Trouble::NativeOwner),
];

impl FromStr for Trouble {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        if let Some(megabytes) = text.strip_prefix("lob-errors:") {
            return Ok(Self::LobErrors { megabytes: megabytes.parse()? });
        }
        let known = WORDS.iter().find(|(word, _)| *word == text);
        known.map(|(_, trouble)| *trouble).with_context(|| {
            let words: Vec<_> = WORDS.iter().map(|(word, _)| *word).collect();
            format!("{text:?} is not one of {}", words.join(", "))
        })
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::LobErrors { megabytes } if *megabytes > 0 => write!(f, "lob-errors:{megabytes}"),
            plain => f.write_str(WORDS.iter().find(|(_, trouble)| trouble == plain).map_or("", |(word, _)| word)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn troubles_are_read_and_written() {
        for text in WORDS.iter().map(|(word, _)| *word).chain(["lob-errors:30"]) {
            assert_eq!(text.parse::<Trouble>().expect("a trouble").to_string(), text);
        }
        for text in ["", "slot", "lob-errors:x", "slot-lost:3"] {
            assert!(text.parse::<Trouble>().is_err(), "{text}");
        }
    }
}
