//! The command line.

use std::path::PathBuf;

use anyhow::{Result, bail, ensure};
use clap::{Args, Parser, Subcommand};
use local_aws::Propagation;

use crate::bulk::Bulk;
use crate::compare::CompareArguments;
use crate::disturbance::Disturbance;
use crate::dump;
use crate::fail_back::{self, Ending};
use crate::follow::Follow;
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
    /// Rehearse a whole run, from a new source to the report.
    Run(Box<RunArguments>),
    /// Rehearse every disturbance that a run promises to survive, one after the other.
    Scenarios(ScenariosArguments),
    /// Rehearse every disturbance at every state and every AWS operation. Each combination is a cell.
    Matrix(MatrixArguments),
    /// Measure several ways to upgrade the same database under the same load, pgleap among them.
    Compare(CompareArguments),
}

/// Which cells, and how.
#[derive(Debug, Clone, Args)]
pub struct MatrixArguments {
    /// List the cells without running them.
    #[arg(long)]
    pub list: bool,
    /// Run only the cells whose names contain this text, or match it if it contains a `*`.
    #[arg(long, value_name = "NAME")]
    pub only: Option<String>,
    /// Keep the existing results of this commit and run only the missing cells.
    #[arg(long)]
    pub resume: bool,
    /// Run a few cells, chosen by the commit, for at most this many seconds.
    #[arg(long, value_name = "SECONDS")]
    pub sample: Option<u64>,
    /// Number of rehearsals that run in parallel.
    #[arg(long, default_value_t = 1)]
    pub jobs: usize,
    /// Run without disturbances, and record which state calls which AWS operation.
    #[arg(long)]
    pub survey: bool,
    /// Folder for the results, with one folder for each commit.
    #[arg(long, value_name = "FOLDER", default_value = "target/matrix")]
    pub results: PathBuf,
}

/// Which disturbances.
#[derive(Debug, Clone, Args)]
pub struct ScenariosArguments {
    /// Scenarios, as for `run --break` or `run --faults`, or `plan`. All scenarios if none is named.
    #[arg(value_name = "WHAT")]
    pub names: Vec<String>,
    /// Folder for the reports, with one folder for each scenario.
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
    /// Plain SQL dump (of pg_dump, or a sample database) to use as the source instead of the built-in database. The rehearsal
    /// restores it as the database's owner. It reports statements that fail and skips them. psql commands work, with paths
    /// relative to the file, except those that connect elsewhere or wait for a person. Clients write to the tables of the dump.
    #[arg(long, value_name = "FILE.sql")]
    pub dump: Option<PathBuf>,
    /// Copy engine. If it is not given, the run chooses.
    #[arg(long, value_name = "auto|dms|native", value_parser = ["auto", "dms", "native"])]
    pub engine: Option<String>,
    /// With --dump: clients also change keys that no foreign key refers to.
    #[arg(long, requires = "dump")]
    pub key_updates: bool,
    /// Let the database belong to an ordinary role with CREATEROLE that is not an rds_superuser. The run logs in as that role.
    #[arg(long)]
    pub owner: bool,
    /// Leave everything running at the end and print how to connect. Press Ctrl-C to stop it.
    #[arg(long)]
    pub keep: bool,
    /// What the clients read the host from, each time they connect.
    #[arg(long, value_enum, default_value_t)]
    pub clients: Follow,
    /// Size of the built-in source in MB.
    #[arg(long, default_value_t = 300)]
    pub megabytes: u32,
    /// Additional data in the source.
    #[command(flatten)]
    pub bulk: Bulk,
    /// Transactions per second of all clients together.
    #[arg(long, default_value_t = 250)]
    pub tps: u32,
    /// Additional clients that open a connection for every transaction, one a second each.
    #[arg(long, default_value_t = 0)]
    pub visitors: u32,
    /// Factor for the delays of AWS and for the waits of the state machine: 0.01 turns 300 s into 3 s. The default is 0.01, and
    /// 0.0015 with --fail-back expire.
    #[arg(long)]
    pub time_scale: Option<f64>,
    /// Time that a change of a record takes to reach the name servers of Route 53: seconds, or `realistic` for 2 to 40 s, drawn
    /// separately for each name server and change. --time-scale does not apply to it.
    #[arg(long, value_name = "SECONDS|realistic", default_value = "realistic")]
    pub propagation: Propagation,
    /// Seconds for which the clients' resolver keeps every answer at least, whatever the record's TTL is. Some resolvers between
    /// applications and Route 53 do so, for example CoreDNS with its `cache` plugin (5 s by default).
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub minimum_ttl: u32,
    /// JSON file that is merged into the execution's input, member by member.
    #[arg(long, value_name = "FILE.json")]
    pub input_file: Option<PathBuf>,
    /// Disturb the run; can be given several times. WHERE is a step (`fence-source`) or a state (`FenceSource`,
    /// `recover/UnfenceSource`, `fail-back/FenceSource`). For the N-th call of its function: kill:WHERE[:N[:MS]] kills the process after MS
    /// milliseconds; lose:WHERE[:N] kills it after its work is done and before it answers;
    /// zombie:WHERE[:N[:SECONDS[:MS]]] freezes it and ends the call for its caller; fail:WHERE[:ERROR] fails every call until
    /// the run has ended. stop-execution:WHERE stops the execution at this point; leave:WHERE also loses the event that would
    /// start the recovery. Just before a call: ddl:WHERE and truncate:WHERE change the source; source-sql:WHERE[:N]:SQL (or
    /// @FILE), target-sql:… and source-sql-beside:… run statements; crash-target:WHERE, late-deadline:WHERE,
    /// other-run-goes-back:WHERE, drop-role-under-session:WHERE and stop-source:WHERE do what their names say. For AWS calls
    /// of one STEP, or of all with `*`: throttle:, 5xx:, hang:, lost: and denied:STEP:service:Operation. approve, reject,
    /// reject-reboot, reject-then-approve, no-answer and restart-while-waiting make the run ask a person, and decide what the
    /// person does.
    #[arg(long = "break", value_name = "WHAT")]
    pub disturbances: Vec<Disturbance>,
    /// Statement to run on the source before everything else, as its superuser; can be given several times.
    #[arg(long, value_name = "SQL")]
    pub prepare: Vec<String>,
    /// Failures, separated by commas. Failures that the run must repair or survive: out-of-memory, lob-errors[:MEGABYTES of a value
    /// in the table in error], slot-lost, instance-reboot, table-suspended, task-stopped, security-group, disk-full,
    /// source-failover, idle-functions, late-tags, zone-elsewhere, stale-secrets, slow-look-ups, late-changes, decodes-already.
    /// Failures that end the run: wal-piles-up, wrong-secret, key-updated, equal-row-deleted, value-clamped, memory-stays-short,
    /// table-fails, rule-missing, source-disk-fills, source-disk-full, target-disk-full. Failures of native replication, each of
    /// which implies --engine native: no-seed-function, seed-null, writer-on-copy, native-slot-lost, native-wal-piles-up,
    /// target-dies-after-advance, native-conflict, no-replication-workers, native-owner (as --owner).
    #[arg(long, value_name = "WHAT,WHAT", value_delimiter = ',')]
    pub faults: Vec<Trouble>,
    /// Keep a fail-back path after the upgrade: 72 hours, unless --input-file says otherwise. return: clients write to the new
    /// server, then everybody returns to the old one. accept: the same, with a table that only the new server has. expire: nobody
    /// fails back until the path closes. void: what the old server cannot follow happens on the new one, and failing back is
    /// refused. --break with a state of that machine (`fail-back/DrainSource`) disturbs the first attempt to fail back.
    #[arg(long, value_enum, value_name = "return|accept|expire|void", conflicts_with = "plan")]
    pub fail_back: Option<Ending>,
    /// With --fail-back return or accept: seconds for which clients write to the new server.
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    pub write_seconds: u64,
    /// Run the state machine in mode `plan`, and prove that it changed nothing.
    #[arg(long, conflicts_with_all = ["disturbances", "faults"])]
    pub plan: bool,
    /// Folder with the functions' binaries. If it is not given, the folder of this program.
    #[arg(long, value_name = "FOLDER")]
    pub binaries: Option<PathBuf>,
    /// Folder with the zips of `make build` (target/lambda), to use the builds that are deployed.
    #[arg(long, value_name = "FOLDER", conflicts_with = "binaries")]
    pub functions: Option<PathBuf>,
    /// Folder for the reports, with one folder for each run.
    #[arg(long, value_name = "FOLDER", default_value = "target/rehearsal")]
    pub reports: PathBuf,
}

/// 300 s of AWS are 3 s here.
const TIME_SCALE: f64 = 0.01;

impl RunArguments {
    /// The target's identifier, as `start-run` makes it.
    pub fn target_instance(&self) -> String {
        format!("{SOURCE}-v{}", self.to)
    }

    /// Whether the database belongs to an ordinary role.
    pub fn has_ordinary_owner(&self) -> bool {
        self.owner || self.faults.iter().any(|fault| matches!(fault, Trouble::NativeOwner | Trouble::Production))
    }

    /// The factor for the delays of AWS.
    pub fn time_scale(&self) -> f64 {
        self.time_scale.or(self.fail_back.and_then(Ending::time_scale)).unwrap_or(TIME_SCALE)
    }

    /// What clap cannot see by itself.
    pub fn check(&self) -> Result<()> {
        ensure!(self.from < self.to, "--to {} must be newer than --from {}", self.to, self.from);
        let scale = self.time_scale();
        ensure!(scale > 0.0 && scale <= 1.0, "--time-scale must be greater than 0 and at most 1");
        let of_fail_back = fail_back::disturbances(&self.disturbances).0;
        let leads_back = matches!(self.fail_back, Some(Ending::Return | Ending::Accept));
        if let Some(one) = of_fail_back.first().filter(|_| !leads_back) {
            bail!("--break {one} needs --fail-back return");
        }
        ensure!(
            self.dump.is_none() || matches!(self.fail_back, None | Some(Ending::Return | Ending::Expire)),
            "--fail-back accept and void change tables of the built-in database, so they do not work with --dump"
        );
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
