//! Prints a state machine as the JSON that Step Functions takes.

use std::io::Write;

use anyhow::Result;
use clap::Parser;
use contract_tests::machine::{function_name, pascal, render, source_of};

/// Render statemachine/<NAME>.asl.yaml as JSON.
#[derive(Parser)]
struct Arguments {
    /// upgrade, recover, fail-back or watch-fail-back
    name: String,
    /// Prefix of the functions' ARNs
    #[arg(long, default_value = "arn:aws:lambda:eu-west-1:111122223333:function:")]
    arn_prefix: String,
    /// Keep the placeholders for a deployment to fill in
    #[arg(long)]
    placeholders: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let source = source_of(&arguments.name)?;
    let machine = render(&source, |step| match arguments.placeholders {
        true => format!("${{{}FunctionArn}}", pascal(step)),
        false => format!("{}{}", arguments.arn_prefix, function_name(step)),
    })?;
    writeln!(std::io::stdout(), "{}", serde_json::to_string_pretty(&machine)?)?;
    Ok(())
}
