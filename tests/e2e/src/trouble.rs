//! Trouble that a run must mend: planned before it begins, each with the one repair that must stand in the report.
//!
//! A new one is a variant, its word, and an arm in each of the small matches below.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use aws_config::SdkConfig;
use local_aws_dms::Fault;
use local_aws_lambda::Progress;
use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;
use tokio::task::JoinHandle;
use tokio_postgres::Client;

use crate::observer::{Access, connect};

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
}

/// What deeds are done with.
pub struct Tools {
    /// The source's database.
    pub source: Access,
    /// The target's.
    pub target: Access,
    /// How SDK clients reach the local AWS.
    pub sdk: SdkConfig,
}

/// Every slot that nobody reads: what an administrator drops, or `max_slot_wal_keep_size` invalidates.
const LOSE_SLOT: &str = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active";

/// More than a gigabyte of WAL in few bytes: a segment that is switched counts whole.
const PILE_UP: &str = "DO $$ BEGIN FOR n IN 1..70 LOOP
    PERFORM pg_logical_emit_message(false, 'rehearsal', 'x'); PERFORM pg_switch_wal(); END LOOP; END $$";

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

impl Trouble {
    /// Plan it: faults of the local DMS, and what the source needs for them.
    pub async fn plan(self, source: &Client) -> Result<Option<Fault>> {
        let fault = match self {
            Trouble::OutOfMemory => "out-of-memory at 10% with 5 GiB and 8 GiB by appetite".to_owned(),
            Trouble::InstanceReboot => "reboot-instance at 30%".to_owned(),
            // The ground is closed by the caller, who has it.
            Trouble::SlotLost
            | Trouble::TableSuspended
            | Trouble::TaskStopped
            | Trouble::WalPilesUp
            | Trouble::SecurityGroup => return Ok(None),
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

    /// What is done to the source on the way.
    pub fn deed(self) -> Option<Deed> {
        match self {
            Trouble::SlotLost => Some(Deed { step: "analyze-target", act: Act::OnSource(LOSE_SLOT) }),
            Trouble::WalPilesUp => Some(Deed { step: "rebuild-target", act: Act::OnSource(PILE_UP) }),
            Trouble::TableSuspended => Some(Deed { step: "verify-copy", act: Act::OnTarget(LOSE_ROWS) }),
            Trouble::TaskStopped => Some(Deed { step: "lower-ttl", act: Act::StopTask }),
            Trouble::OutOfMemory | Trouble::LobErrors { .. } | Trouble::InstanceReboot | Trouble::SecurityGroup => None,
        }
    }

    /// What the execution's input has otherwise.
    pub fn input(self) -> Option<Value> {
        match self {
            Trouble::WalPilesUp => Some(json!({ "limits": { "maxRetainedWalGb": 1 } })),
            Trouble::SecurityGroup => Some(json!({ "network": { "authorizeIngress": true } })),
            _ => None,
        }
    }

    /// The error that the run ends with, and a word of its cause, if nothing mends the trouble.
    pub fn ends_with(self) -> Option<(&'static str, &'static str)> {
        match self {
            Trouble::WalPilesUp => Some(("TooMuchWal", "limits.maxRetainedWalGb")),
            Trouble::LobErrors { megabytes } if megabytes > 100 => Some(("TablesInError", "limited LOB mode holds")),
            _ => None,
        }
    }

    /// The kind of the repair that must stand in the report.
    pub fn repair(self) -> &'static str {
        match self {
            Trouble::TaskStopped => "changes-broken",
            Trouble::WalPilesUp => "none",
            Trouble::OutOfMemory => "out-of-memory",
            Trouble::SlotLost => "slot-lost",
            Trouble::SecurityGroup => "security-group",
            Trouble::LobErrors { .. } | Trouble::InstanceReboot | Trouble::TableSuspended => "tables-in-error",
        }
    }
}

impl Deed {
    /// Do it once, when its step begins for the first time; ended with what is returned.
    pub fn arm(self, mut invocations: Receiver<Progress>, tools: Tools) -> Armed {
        Armed(tokio::spawn(async move {
            let suffix = format!("-{}", self.step);
            while let Ok(progress) = invocations.recv().await {
                if !matches!(&progress, Progress::Started { function, .. } if function.ends_with(&suffix)) {
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

impl Act {
    async fn done_with(self, tools: &Tools) -> Result<()> {
        match self {
            Act::OnSource(sql) => Ok(connect(&tools.source).await?.batch_execute(sql).await?),
            Act::OnTarget(sql) => Ok(connect(&tools.target).await?.batch_execute(sql).await?),
            Act::StopTask => {
                let dms = aws_sdk_databasemigration::Client::new(&tools.sdk);
                let tasks = dms.describe_replication_tasks().send().await?.replication_tasks.unwrap_or_default();
                let arn = tasks.into_iter().next().and_then(|task| task.replication_task_arn);
                let arn = arn.context("there is no task to stop")?;
                dms.stop_replication_task().replication_task_arn(arn).send().await?;
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

impl FromStr for Trouble {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        Ok(match text.split_once(':').map_or((text, None), |(word, number)| (word, Some(number))) {
            ("out-of-memory", None) => Self::OutOfMemory,
            ("lob-errors", megabytes) => Self::LobErrors { megabytes: megabytes.map_or(Ok(0), str::parse)? },
            ("slot-lost", None) => Self::SlotLost,
            ("instance-reboot", None) => Self::InstanceReboot,
            ("table-suspended", None) => Self::TableSuspended,
            ("task-stopped", None) => Self::TaskStopped,
            ("security-group", None) => Self::SecurityGroup,
            ("wal-piles-up", None) => Self::WalPilesUp,
            _ => bail!(
                "{text:?} is none of out-of-memory, lob-errors[:MEGABYTES], slot-lost, instance-reboot, table-suspended, \
                 task-stopped, security-group, wal-piles-up"
            ),
        })
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::OutOfMemory => f.write_str("out-of-memory"),
            Trouble::LobErrors { megabytes: 0 } => f.write_str("lob-errors"),
            Trouble::LobErrors { megabytes } => write!(f, "lob-errors:{megabytes}"),
            Trouble::SlotLost => f.write_str("slot-lost"),
            Trouble::InstanceReboot => f.write_str("instance-reboot"),
            Trouble::TableSuspended => f.write_str("table-suspended"),
            Trouble::TaskStopped => f.write_str("task-stopped"),
            Trouble::SecurityGroup => f.write_str("security-group"),
            Trouble::WalPilesUp => f.write_str("wal-piles-up"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn troubles_are_read_and_written() {
        for text in [
            "out-of-memory",
            "lob-errors",
            "lob-errors:60",
            "slot-lost",
            "instance-reboot",
            "task-stopped",
            "wal-piles-up",
        ] {
            assert_eq!(text.parse::<Trouble>().expect("a trouble").to_string(), text);
        }
        for text in ["", "slot", "lob-errors:x", "slot-lost:3"] {
            assert!(text.parse::<Trouble>().is_err(), "{text}");
        }
    }
}
