//! `rehearsal`: a whole upgrade on this computer, watched from outside.

use std::process::ExitCode;

use clap::Parser;
use rehearsal::cli::{Cli, Command};
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("error")))
        .init();
    let kept = match Cli::parse().command {
        Command::Run(arguments) => rehearsal::run::run(*arguments).await,
        Command::Scenarios(arguments) => rehearsal::scenarios::run(&arguments).await,
    };
    match kept {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
