//! `rehearsal`: a whole upgrade on this computer, watched from outside.

use std::process::ExitCode;

use clap::Parser;
use rehearsal::cli::{Cli, Command};

#[tokio::main]
async fn main() -> ExitCode {
    rehearsal::said::listen();
    let kept = match Cli::parse().command {
        Command::Run(arguments) => rehearsal::run::run(*arguments).await,
        Command::Compare(arguments) => rehearsal::compare::run(&arguments).await,
        Command::Matrix(arguments) => rehearsal::matrix::run(&arguments).await,
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
