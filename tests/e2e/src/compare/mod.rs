//! Several ways to upgrade the same database under the same load, with the same DNS propagation and the same clients: pgleap,
//! and what people do without it. What is compared was seen by the clients, whose ledger judges every way alike.

mod by_hand;
mod dms;
mod figures;
mod in_place;
mod machine;
mod pgleap;
mod read_only;
mod results;
mod scene;
mod sequences;
mod table;
mod tables;
mod trial;
mod way;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::{Args, Parser};
use local_aws::Propagation;

use crate::cli::{Cli, Command, RunArguments};
use crate::matrix::results::commit;
use crate::screen::Screen;
use results::Results;
use trial::{Parameters, Trial};
pub use way::Way;

/// Which ways, and how.
#[derive(Debug, Clone, Args)]
pub struct CompareArguments {
    /// Number of runs of each way.
    #[arg(long, default_value_t = 5)]
    pub runs: u32,
    /// Ways, separated by commas. All ways if none is named.
    #[arg(long, value_delimiter = ',', value_name = "WAY,WAY")]
    pub ways: Vec<Way>,
    /// Size of the built-in source in MB.
    #[arg(long, default_value_t = 20)]
    pub megabytes: u32,
    /// Transactions per second of all connected clients together.
    #[arg(long, default_value_t = 250)]
    pub tps: u32,
    /// Additional clients that open a connection for every transaction, one a second each.
    #[arg(long, default_value_t = 4)]
    pub visitors: u32,
    /// Time that a change of a record takes to reach the name servers of Route 53, as for `run`.
    #[arg(long, value_name = "SECONDS|realistic", default_value = "realistic", value_parser = propagation)]
    pub propagation: String,
    /// Folder for the results, with one folder for each commit. Runs that have a result there are not repeated.
    #[arg(long, value_name = "FOLDER", default_value = "target/compare")]
    pub results: PathBuf,
}

fn propagation(text: &str) -> Result<String, String> {
    text.parse::<Propagation>().map(|_known| text.to_owned())
}

impl CompareArguments {
    fn parameters(&self) -> Parameters {
        let (megabytes, tps, visitors) = (self.megabytes, self.tps, self.visitors);
        Parameters { megabytes, tps, visitors, propagation: self.propagation.clone() }
    }

    fn ways(&self) -> Vec<Way> {
        if self.ways.is_empty() { Way::ALL.to_vec() } else { self.ways.clone() }
    }
}

impl Parameters {
    /// As options of `rehearsal run`.
    fn options(&self) -> Vec<String> {
        let options = [
            ("--megabytes", self.megabytes.to_string()),
            ("--tps", self.tps.to_string()),
            ("--visitors", self.visitors.to_string()),
            ("--propagation", self.propagation.clone()),
        ];
        options.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect()
    }

    /// The same rehearsal, for a driver of our own.
    fn arguments(&self) -> Result<RunArguments> {
        let options = ["rehearsal", "run"].map(str::to_owned).into_iter().chain(self.options());
        match Cli::try_parse_from(options).context("parse the options of a rehearsal")?.command {
            Command::Run(arguments) => Ok(*arguments),
            _ => anyhow::bail!("the options of a rehearsal are those of another command"),
        }
    }
}

/// Run what has no result yet; true if every run has one at the end.
///
/// # Errors
/// Results of other parameters are there, or a file cannot be written.
pub async fn run(arguments: &CompareArguments) -> Result<bool> {
    ensure!(arguments.runs > 0, "--runs must be at least 1");
    let commit = commit()?;
    let mut results = Results::open(&arguments.results.join(&commit), &arguments.parameters())?;
    let screen = Screen::new();
    let mut complete = true;
    // Round by round, so that a computer that becomes slower is slower for every way.
    for number in 1..=arguments.runs {
        for way in arguments.ways() {
            if results.has(way, number) {
                continue;
            }
            screen.say(format!("{way}, run {number} of {}", arguments.runs));
            match trial(way, number, &commit, arguments, results.folder()).await {
                Ok(trial) => {
                    screen.say(format!("  {}", trial.line()));
                    results.add(way, number, trial)?;
                }
                Err(error) if error.to_string() == "interrupted" => return Err(error),
                Err(error) => {
                    screen.say(format!("  no result: {error:#}"));
                    complete = false;
                }
            }
        }
    }
    let (page, path) = (table::page(&arguments.parameters(), &results.by_way()), results.folder().join("table.md"));
    std::fs::write(&path, &page).with_context(|| format!("write {}", path.display()))?;
    screen.say(format!("\n{page}\ntable: {}", path.display()));
    screen.finish();
    Ok(complete)
}

async fn trial(way: Way, number: u32, commit: &str, arguments: &CompareArguments, folder: &Path) -> Result<Trial> {
    let parameters = arguments.parameters();
    let (began_at, machine) = (machine::today(), machine::Machine::read());
    let measured = match way.pgleap() {
        Some(input) => pgleap::measure(&input, &parameters, &folder.join(format!("{way}-{number}"))).await?,
        None => scene::measure(way, &parameters.arguments()?).await?,
    };
    Ok(Trial { way, run: number, commit: commit.to_owned(), began_at, parameters, machine, measured })
}
