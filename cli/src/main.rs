//! `pgleap`: plan, start, watch and answer runs of a stack.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use aws_config::BehaviorVersion;
use aws_sdk_sfn::Client;
use clap::{Args, Parser, Subcommand};
use pgleap_cli::answer::Waiting;
use pgleap_cli::follow::{Execution, Unread};
use pgleap_cli::stack::Stack;
use pgleap_cli::watch;
use serde_json::{Value, json};

/// Plan, start, watch and answer runs of a pgleap stack.
///
/// Credentials and Region come from where the AWS CLI takes them (AWS_PROFILE, AWS_REGION).
#[derive(Parser)]
#[command(name = "pgleap", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Check everything and show the plan of an upgrade; changes nothing
    Plan {
        #[command(flatten)]
        stack: OfStack,
        /// The input of the run, a JSON file
        #[arg(long)]
        input: PathBuf,
    },
    /// Start an upgrade and follow it; Ctrl-C ends the command and not the upgrade
    Start {
        #[command(flatten)]
        stack: OfStack,
        /// The input of the run, a JSON file
        #[arg(long)]
        input: PathBuf,
    },
    /// Follow the newest run, or the one that is named, to its end; changes nothing
    Watch {
        #[command(flatten)]
        of: OfExecution,
    },
    /// Show the question that the newest run waits with, and answer it
    Answer {
        #[command(flatten)]
        of: OfExecution,
        /// Answer yes without being asked
        #[arg(long, conflicts_with = "no")]
        yes: bool,
        /// Answer no, with the reason
        #[arg(long, value_name = "REASON")]
        no: Option<String>,
    },
}

#[derive(Args)]
struct OfStack {
    /// The name of the stack
    #[arg(long)]
    stack: String,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct OfExecution {
    /// The name of the stack, for its newest run
    #[arg(long)]
    stack: Option<String>,
    /// The ARN of an execution
    #[arg(long)]
    execution: Option<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse().command).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _nobody_reads = writeln!(std::io::stderr(), "pgleap: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// True if what was asked for went well.
async fn run(command: Command) -> Result<bool> {
    let client = Client::new(&aws_config::load_defaults(BehaviorVersion::latest()).await);
    match command {
        Command::Plan { stack, input } => {
            let mut input = read(&input)?;
            input["mode"] = json!("plan");
            start(client, &stack, &input).await
        }
        Command::Start { stack, input } => start(client, &stack, &read(&input)?).await,
        Command::Watch { of } => follow(client.clone(), &named(&client, of).await?).await,
        Command::Answer { of, yes, no } => answer(&client, &named(&client, of).await?, yes, no).await,
    }
}

fn read(path: &Path) -> Result<Value> {
    let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    let input: Value = serde_json::from_str(&text).with_context(|| format!("parse {}", path.display()))?;
    if !input.is_object() {
        bail!("{}: the input of a run is a JSON object", path.display());
    }
    Ok(input)
}

async fn start(client: Client, of: &OfStack, input: &Value) -> Result<bool> {
    let execution = Stack::new(client.clone(), &of.stack).start(input).await?;
    say(&format!("started {execution}"));
    follow(client, &execution).await
}

/// The execution that is named, or the stack's newest.
async fn named(client: &Client, of: OfExecution) -> Result<String> {
    let OfExecution { stack, execution } = of;
    if let Some(execution) = execution {
        return Ok(execution);
    }
    let name = stack.context("say --stack or --execution")?;
    let stack = Stack::new(client.clone(), &name);
    let newest = stack.newest(&stack.machine("upgrade").await?).await?;
    newest.with_context(|| format!("stack {name} has never started a run"))
}

async fn follow(client: Client, arn: &str) -> Result<bool> {
    let mut execution = Execution::new(client, arn);
    say(&format!("following {arn}"));
    let standing = watch::watch(&mut execution).await?;
    watch::summary(&execution.history, &standing).iter().for_each(|line| say(line));
    Ok(standing.status.as_str() == "SUCCEEDED")
}

async fn answer(client: &Client, arn: &str, yes: bool, no: Option<String>) -> Result<bool> {
    let mut execution = Execution::new(client.clone(), arn);
    match execution.read().await {
        Ok(standing) if standing.is_over() => bail!("the run has ended; it waits for no answer"),
        Ok(_) => {}
        Err(Unread::Refused(why) | Unread::Lost(why)) => bail!("{why}"),
    }
    let question = execution.history.question().context("the run waits for no answer at the moment")?;
    let waiting = Waiting::read(question)?;
    say(&waiting.text());
    let (yes, reason) = match no {
        Some(reason) => (false, reason),
        None if yes => (true, String::new()),
        None => ask()?,
    };
    waiting.answer(client, yes, &reason).await?;
    say(if yes { "Answered yes." } else { "Answered no." });
    Ok(true)
}

/// At the terminal; without one, or with anything but yes or no, nothing is answered.
fn ask() -> Result<(bool, String)> {
    if !std::io::stdin().is_terminal() {
        bail!("nothing was answered: say --yes or --no REASON");
    }
    match prompt("\nYour answer, yes or no: ")?.to_lowercase().as_str() {
        "yes" => Ok((true, String::new())),
        "no" => Ok((false, prompt("Why not (the report shows it): ")?)),
        _ => bail!("nothing was answered: please answer yes or no"),
    }
}

fn prompt(text: &str) -> Result<String> {
    let mut stdout = std::io::stdout();
    write!(stdout, "{text}").and_then(|()| stdout.flush()).context("ask")?;
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).context("read the answer")?;
    Ok(line.trim().to_owned())
}

fn say(line: &str) {
    let _nobody_reads = writeln!(std::io::stdout(), "{line}");
}
