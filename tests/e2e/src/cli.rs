//! The command line.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Parser, Subcommand};

use crate::bulk::Bulk;
use crate::person::Answers;
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
    /// the database's owner; statements that it may not carry out are counted and passed over. Clients write to its tables.
    #[arg(long, value_name = "FILE.sql")]
    pub dump: Option<PathBuf>,
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
    /// Disturb the run: kill:STEP[:N[:MS]] kills the function's process MS milliseconds into its N-th call,
    /// lose:STEP[:N] when that call's work is done and its answer is not out yet, stop-execution:STATE stops the execution there, leave:STATE
    /// too and loses the event that would start the recovery, so that only the deadline is left, ddl:STATE and
    /// truncate:STATE change the source there. approve, reject, reject-reboot, reject-then-approve, no-answer and
    /// restart-while-waiting let the run ask a person, and say what the person does.
    #[arg(long = "break", value_name = "WHAT")]
    pub disturbance: Option<Disturbance>,
    /// Trouble that the run must mend, as a list with commas: out-of-memory, lob-errors[:MEGABYTES of a value in the table
    /// in error], slot-lost, instance-reboot, table-suspended, task-stopped, security-group, disk-full, source-failover; or that ends it: wal-piles-up,
    /// key-updated, equal-row-deleted, value-clamped, memory-stays-short, table-fails, rule-missing, source-disk-fills, source-disk-full, target-disk-full.
    #[arg(long, value_name = "WHAT,WHAT", value_delimiter = ',')]
    pub faults: Vec<Trouble>,
    /// Only look: the machine in mode `plan`, and the proof that it changed nothing.
    #[arg(long, conflicts_with_all = ["disturbance", "faults"])]
    pub plan: bool,
    /// Folder with the functions' binaries; this program's own if absent.
    #[arg(long, value_name = "FOLDER")]
    pub binaries: Option<PathBuf>,
    /// Folder that gets a folder with the report for each run.
    #[arg(long, value_name = "FOLDER", default_value = "target/rehearsal")]
    pub reports: PathBuf,
}

impl RunArguments {
    /// The target's identifier, as `start-run` makes it.
    pub fn target_instance(&self) -> String {
        format!("{SOURCE}-v{}", self.to)
    }

    /// What clap cannot see by itself.
    pub fn check(&self) -> Result<()> {
        ensure!(self.faults.is_empty() || self.disturbance.is_none(), "--faults and --break are judged one at a time");
        ensure!(self.from < self.to, "--to {} must be newer than --from {}", self.to, self.from);
        ensure!(self.time_scale > 0.0 && self.time_scale <= 1.0, "--time-scale must be above 0 and at most 1");
        if let Some(dump) = &self.dump {
            ensure!(dump.is_file(), "--dump {}: there is no such file", dump.display());
        }
        Ok(())
    }
}

/// Far enough into an invocation for it to have begun its work, in milliseconds: a look takes six.
const INTO_THE_STEP: u64 = 2;

/// A planned disturbance of the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disturbance {
    /// SIGKILL of a function's process in the middle of its n-th invocation.
    Kill {
        /// The step.
        step: String,
        /// 1 is the first.
        invocation: u64,
        /// So far into it.
        milliseconds: u64,
    },
    /// SIGKILL of a function's process when its n-th invocation has done its work: the answer is lost.
    Lose {
        /// The step.
        step: String,
        /// 1 is the first.
        invocation: u64,
    },
    /// StopExecution as soon as a state has begun.
    StopExecution {
        /// The state, as a step's name.
        step: String,
    },
    /// StopExecution as soon as a state has begun, and the event of it is lost: only the deadline's schedule is left.
    Leave {
        /// The state, as a step's name.
        step: String,
    },
    /// A column is added to a table of the source.
    Ddl {
        /// The state, as a step's name.
        step: String,
    },
    /// A table of the source is truncated.
    Truncate {
        /// The state, as a step's name.
        step: String,
    },
    /// The run asks before it interrupts anybody, and a person answers so.
    Answer(Answers),
}

impl Disturbance {
    /// The step at whose beginning it happens.
    pub fn step(&self) -> &str {
        match self {
            Disturbance::Kill { step, .. }
            | Disturbance::Lose { step, .. }
            | Disturbance::StopExecution { step }
            | Disturbance::Leave { step }
            | Disturbance::Ddl { step }
            | Disturbance::Truncate { step } => step,
            Disturbance::Answer(_) => "ask-approval",
        }
    }
}

impl FromStr for Disturbance {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        if let Ok(answers) = text.parse() {
            return Ok(Self::Answer(answers));
        }
        let mut words = text.split(':');
        let (what, place) = (words.next().unwrap_or_default(), words.next());
        let Some(place) = place.filter(|place| !place.is_empty()) else { bail!("{text:?}: want WHAT:WHERE") };
        let step = kebab(place);
        ensure!(pgleap_steps().contains(&step.as_str()), "{text:?}: there is no step {step}");
        let numbers = words.map(str::parse).collect::<Result<Vec<u64>, _>>().with_context(|| format!("{text:?}"))?;
        let most = match what {
            "kill" => 2,
            "lose" => 1,
            _ => 0,
        };
        ensure!(numbers.len() <= most, "{text:?}: too many parts");
        let invocation = numbers.first().copied().unwrap_or(1);
        Ok(match what {
            "kill" => Self::Kill { step, invocation, milliseconds: numbers.get(1).copied().unwrap_or(INTO_THE_STEP) },
            "lose" => Self::Lose { step, invocation },
            "stop-execution" => Self::StopExecution { step },
            "leave" => Self::Leave { step },
            "ddl" => Self::Ddl { step },
            "truncate" => Self::Truncate { step },
            other => bail!("{other:?} is none of kill, lose, stop-execution, leave, ddl, truncate, and no answer"),
        })
    }
}

impl std::fmt::Display for Disturbance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Disturbance::Kill { step, invocation, milliseconds } => {
                write!(f, "kill:{step}:{invocation}:{milliseconds}")
            }
            Disturbance::Lose { step, invocation } => write!(f, "lose:{step}:{invocation}"),
            Disturbance::StopExecution { step } => write!(f, "stop-execution:{step}"),
            Disturbance::Leave { step } => write!(f, "leave:{step}"),
            Disturbance::Ddl { step } => write!(f, "ddl:{step}"),
            Disturbance::Truncate { step } => write!(f, "truncate:{step}"),
            Disturbance::Answer(answers) => write!(f, "{answers}"),
        }
    }
}

/// The steps that the machine calls, in no particular order.
fn pgleap_steps() -> Vec<&'static str> {
    use std::sync::OnceLock;
    static STEPS: OnceLock<Vec<String>> = OnceLock::new();
    let steps = STEPS.get_or_init(|| {
        let machine = contract_tests::Machine::read("upgrade");
        machine.map(|machine| machine.steps().into_iter().collect()).unwrap_or_default()
    });
    steps.iter().map(String::as_str).collect()
}

/// `FenceSource` → `fence-source`; kebab case stays.
fn kebab(name: &str) -> String {
    let mut kebab = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !kebab.is_empty() {
            kebab.push('-');
        }
        kebab.push(letter.to_ascii_lowercase());
    }
    kebab
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disturbance_is_named_by_step_or_state() {
        let kill =
            |invocation, milliseconds| Disturbance::Kill { step: "copy-data".to_owned(), invocation, milliseconds };
        let stop = |step: &str| Disturbance::StopExecution { step: step.to_owned() };
        let cases = [
            ("kill:copy-data", Some(kill(1, INTO_THE_STEP))),
            ("kill:copy-data:3", Some(kill(3, INTO_THE_STEP))),
            ("kill:copy-data:3:40", Some(kill(3, 40))),
            ("kill:copy-data:soon", None),
            ("lose:open-target", Some(Disturbance::Lose { step: "open-target".to_owned(), invocation: 1 })),
            ("stop-execution:DrainSource", Some(stop("drain-source"))),
            ("leave:drain-source", Some(Disturbance::Leave { step: "drain-source".to_owned() })),
            ("ddl:verify-copy", Some(Disturbance::Ddl { step: "verify-copy".to_owned() })),
            ("truncate:CopyData", Some(Disturbance::Truncate { step: "copy-data".to_owned() })),
            ("approve", Some(Disturbance::Answer(Answers::Approve))),
            ("kill", None),
            ("kill:nothing-known", None),
            ("ddl:copy-data:2", None),
            ("explode:copy-data", None),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<Disturbance>().ok(), expected, "{text}");
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }
}
