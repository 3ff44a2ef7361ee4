//! `bench-lambda`: the cold start of every function, from the process's start to its first request for work, with the
//! memory that it holds by then. Judged against fixed bounds and against a function that does nothing, measured in the
//! same rounds, so that a busy computer slows both.

mod start;
mod table;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Parser;
use local_aws_lambda::Template;

use start::{Start, start};
use table::Row;

/// Measure the cold start of every function.
#[derive(Debug, Parser)]
struct Arguments {
    /// Folder with the functions' binaries, one named as each step.
    #[arg(long)]
    binaries: PathBuf,
    /// The function that does nothing.
    #[arg(long)]
    empty: PathBuf,
    /// Starts of each function.
    #[arg(long, default_value_t = 20)]
    starts: usize,
}

/// How often the starts are repeated for what seems to break a bound: a computer that was busy for a moment proves nothing.
const ROUNDS: usize = 4;

/// Variable of the template that names the file of authorities.
const ROOTS: &str = "SSL_CERT_FILE";

/// A function and how it is started.
struct Candidate {
    name: String,
    binary: PathBuf,
    environment: BTreeMap<String, String>,
    starts: Vec<Start>,
    /// It seems to break a bound, and is started more often.
    is_doubted: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut candidates = vec![empty(&arguments.empty)];
    candidates.extend(functions(&arguments.binaries)?);
    for candidate in &candidates {
        start(&candidate.binary, &candidate.environment).await?; // the first one reads the file from the disk
    }
    let mut rows = Vec::new();
    for round in 0..ROUNDS {
        for _ in 0..arguments.starts {
            for candidate in candidates.iter_mut().filter(|candidate| round == 0 || candidate.is_doubted) {
                candidate.starts.push(start(&candidate.binary, &candidate.environment).await?);
            }
        }
        rows = candidates.iter().map(|candidate| Row::new(&candidate.name, &candidate.starts)).collect();
        let doubted: Vec<bool> = rows.iter().map(|row: &Row| !row.breaks(&rows[0]).is_empty()).collect();
        if !doubted.contains(&true) {
            break;
        }
        candidates.iter_mut().zip(doubted).for_each(|(candidate, is_doubted)| candidate.is_doubted = is_doubted);
        candidates[0].is_doubted = true; // the empty one, beside the others
    }
    let broken = print(&rows, arguments.starts);
    if broken > 0 {
        bail!("{broken} of the bounds are broken");
    }
    Ok(())
}

fn empty(binary: &Path) -> Candidate {
    let environment = of_lambda("empty", 128);
    Candidate {
        name: "empty".to_owned(),
        binary: binary.to_owned(),
        environment,
        starts: Vec::new(),
        is_doubted: false,
    }
}

/// Every function of the template, with its own variables.
fn functions(binaries: &Path) -> Result<Vec<Candidate>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/template.yaml");
    let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let parameters = [
        ("SourceInstance", "orders-db"),
        ("LoginSecretArn", "arn:aws:secretsmanager:eu-west-1:1:secret:owner"),
        ("HostedZoneId", "Z0"),
        ("RecordName", "orders-db.example.internal"),
        ("AnswerLinks", "yes"),
    ];
    let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let functions = Template::read(&text, &parameters)?.functions(binaries)?;
    Ok(functions
        .into_iter()
        .map(|function| {
            let mut environment = of_lambda(&function.name, function.memory_mib);
            environment.extend(function.environment);
            environment.entry(ROOTS.to_owned()).and_modify(|file| *file = roots_of_this_computer(file));
            let name = function.binary.file_name().unwrap_or_default().to_string_lossy().into_owned();
            Candidate { name, binary: function.binary, environment, starts: Vec::new(), is_doubted: false }
        })
        .collect())
}

/// As many authorities as on Lambda, from where this computer has them.
fn roots_of_this_computer(on_lambda: &str) -> String {
    let here = [on_lambda, "/etc/ssl/certs/ca-certificates.crt"].into_iter().find(|file| Path::new(file).is_file());
    here.unwrap_or(on_lambda).to_owned()
}

/// What Lambda sets.
fn of_lambda(function: &str, memory_mib: u64) -> BTreeMap<String, String> {
    let memory = memory_mib.to_string();
    let variables = [
        ("AWS_LAMBDA_FUNCTION_NAME", function),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory.as_str()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "bench"),
        ("AWS_SECRET_ACCESS_KEY", "bench"),
        ("PATH", "/usr/bin:/bin"),
    ];
    variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

#[allow(clippy::print_stdout, reason = "the table is what this program is for")]
fn print(rows: &[Row], starts: usize) -> usize {
    let [empty, functions @ ..] = rows else { return 0 };
    println!("process start to first request for work, {starts} starts or more each\n{}", table::head());
    let mut broken = 0;
    for row in rows {
        println!("{}", row.line(empty));
    }
    for row in functions {
        for bound in row.breaks(empty) {
            broken += 1;
            println!("{}: {bound}", row.name);
        }
    }
    broken
}
