//! The command line.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::{Args, Parser, Subcommand};

use crate::bulk::Bulk;
use crate::disturbance::Disturbance;
use crate::dump;
use crate::functions;
use crate::stage::SOURCE;
use crate::trouble::Trouble;

/// Rehearse an upgrade of an RDS for PostgreSQL database on this computer: real servers, the real state machine and
/// functions, clients that write all the time, and a proof at the end.
#[derive(Debug, Parser)]
#[command(name = "rehearsal", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// A whole run, from a new source to the report.
    Run(Box<RunArguments>),
    /// Every disturbance that a run promises to bear, one rehearsal after the other.
    Scenarios(ScenariosArguments),
    /// Every disturbance at every state and at every AWS operation, one rehearsal for each cell.
    Matrix(MatrixArguments),
}

/// Which cells, and how.
#[derive(Debug, Clone, Args)]
pub struct MatrixArguments {
    /// Name the cells and run nothing.
    #[arg(long)]
    pub list: bool,
    /// Only cells whose name contains this, or matches it where it has a `*`.
    #[arg(long, value_name = "NAME")]
    pub only: Option<String>,
    /// Keep the results of this commit and run what they lack.
    #[arg(long)]
    pub resume: bool,
    /// A few cells, chosen by the commit, for so many seconds.
    #[arg(long, value_name = "SECONDS")]
    pub sample: Option<u64>,
    /// Rehearsals at once.
    #[arg(long, default_value_t = 1)]
    pub jobs: usize,
    /// Write anew which state calls which AWS operation, from undisturbed runs.
    #[arg(long)]
    pub survey: bool,
    /// Folder that gets a folder for each commit.
    #[arg(long, value_name = "FOLDER", default_value = "target/matrix")]
    pub results: PathBuf,
}

/// Which disturbances.
#[derive(Debug, Clone, Args)]
pub struct ScenariosArguments {
    /// As for `run --break` or `run --faults`, or `plan`; all if none is named.
    #[arg(value_name = "WHAT")]
    pub names: Vec<String>,
    /// Folder that gets a folder for each.
    #[arg(long, value_name = "FOLDER", default_value = "target/rehearsal/scenarios")]
    pub reports: PathBuf,
}

/// How to rehearse.
#[derive(Debug, Clone, Args)]
pub struct RunArguments {
    /// Major version of the source.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u16).range(13..=17))]
    pub from: u16,
    /// Major version of the target.
    #[arg(long, default_value_t = 18, value_parser = clap::value_parser!(u16).range(14..=18))]
    pub to: u16,
    /// A plain SQL dump (pg_dump, or a sample database) to use as the source instead of the built-in one. Restored as
    /// the database's owner; statements that fail are reported and passed over. psql's own commands work, with paths relative
    /// to the file, but for those that connect elsewhere or wait for a person. Clients write to its tables.
    #[arg(long, value_name = "FILE.sql")]
    pub dump: Option<PathBuf>,
    /// The copy engine; what the run chooses if absent.
    #[arg(long, value_name = "auto|dms|native", value_parser = ["auto", "dms", "native"])]
    pub engine: Option<String>,
    /// With --dump: clients also change keys, where no foreign key leads to them.
    #[arg(long, requires = "dump")]
    pub key_updates: bool,
    /// The database belongs to an ordinary role with CREATEROLE that is no rds_superuser, and the run logs in as that role.
    #[arg(long)]
    pub owner: bool,
    /// Leave everything running at the end and print how to connect; Ctrl-C ends it.
    #[arg(long)]
    pub keep: bool,
    /// Size of the built-in source.
    #[arg(long, default_value_t = 300)]
    pub megabytes: u32,
    /// More than the source has of itself.
    #[command(flatten)]
    pub bulk: Bulk,
    /// Transactions a second of all clients together.
    #[arg(long, default_value_t = 250)]
    pub tps: u32,
    /// Factor on the delays that AWS would take and on the machine's waits: 0.01 turns 300 s into 3 s.
    #[arg(long, default_value_t = 0.01)]
    pub time_scale: f64,
    /// JSON that is laid over the execution's input, member by member.
    #[arg(long, value_name = "FILE.json")]
    pub input_file: Option<PathBuf>,
    /// Disturb the run; may be given several times. WHERE is a step (`fence-source`) or a state (`FenceSource`,
    /// `recover/UnfenceSource`). Of a function's N-th call there: kill:WHERE[:N[:MS]] kills its process MS milliseconds
    /// into it, lose:WHERE[:N] when its work is done and its answer is not out, zombie:WHERE[:N[:SECONDS[:MS]]] freezes it
    /// and cuts its caller off, fail:WHERE[:ERROR] fails every call until the run has ended. stop-execution:WHERE stops the
    /// execution there, leave:WHERE too and loses the event that would start the recovery. Just before a call there:
    /// ddl:WHERE and truncate:WHERE change the source, source-sql:WHERE[:N]:SQL (or @FILE), target-sql:.. and
    /// source-sql-beside:.. run statements, crash-target:WHERE, late-deadline:WHERE, other-run-goes-back:WHERE,
    /// drop-role-under-session:WHERE and stop-source:WHERE do what they say. Of AWS, for one STEP's calls or `*`:
    /// throttle:, 5xx:, hang:, lost: and denied:STEP:service:Operation. approve, reject, reject-reboot,
    /// reject-then-approve, no-answer and restart-while-waiting let the run ask a person, and say what the person does.
    #[arg(long = "break", value_name = "WHAT")]
    pub disturbances: Vec<Disturbance>,
    /// Statements on the source before everything else, as its superuser; may be given several times.
    #[arg(long, value_name = "SQL")]
    pub prepare: Vec<String>,
    /// Trouble that the run must mend, as a list with commas: out-of-memory, lob-errors[:MEGABYTES of a value in the table
    /// in error], slot-lost, instance-reboot, table-suspended, task-stopped, security-group, disk-full, source-failover, idle-functions, late-tags, zone-elsewhere, stale-secrets, slow-look-ups, late-changes, decodes-already; or that ends it: wal-piles-up,
    /// wrong-secret, key-updated, equal-row-deleted, value-clamped, memory-stays-short, table-fails, rule-missing, source-disk-fills, source-disk-full, target-disk-full.
    /// Of native replication: no-seed-function, seed-null, writer-on-copy, native-slot-lost, native-wal-piles-up, target-dies-after-advance, native-conflict, no-replication-workers, native-owner (as --owner). Each implies --engine native.
    #[arg(long, value_name = "WHAT,WHAT", value_delimiter = ',')]
    pub faults: Vec<Trouble>,
    /// Only look: the machine in mode `plan`, and the proof that it changed nothing.
    #[arg(long, conflicts_with_all = ["disturbances", "faults"])]
    pub plan: bool,
    /// Folder with the functions' binaries; this program's own if absent.
    #[arg(long, value_name = "FOLDER")]
    pub binaries: Option<PathBuf>,
    /// Folder with the zips that `make build` made (target/lambda): the builds that are deployed.
    #[arg(long, value_name = "FOLDER", conflicts_with = "binaries")]
    pub functions: Option<PathBuf>,
    /// Folder that gets a folder with the report for each run.
    #[arg(long, value_name = "FOLDER", default_value = "target/rehearsal")]
    pub reports: PathBuf,
}

impl RunArguments {
    /// The target's identifier, as `start-run` makes it.
    pub fn target_instance(&self) -> String {
        format!("{SOURCE}-v{}", self.to)
    }

    /// Whether the database belongs to an ordinary role.
    pub fn has_ordinary_owner(&self) -> bool {
        self.owner || self.faults.contains(&Trouble::NativeOwner)
    }

    /// What clap cannot see by itself.
    pub fn check(&self) -> Result<()> {
        ensure!(self.from < self.to, "--to {} must be newer than --from {}", self.to, self.from);
        ensure!(self.time_scale > 0.0 && self.time_scale <= 1.0, "--time-scale must be above 0 and at most 1");
        if let Some(dump) = &self.dump {
            dump::check(dump)?;
        }
        if let Some(zips) = &self.functions {
            functions::check(zips)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }
}
