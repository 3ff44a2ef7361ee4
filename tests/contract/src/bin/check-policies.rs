//! Compares what functions were seen to call in all tests with what their policies list.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Parser;
use contract_tests::record::{Record, implied, judge, policies};

/// Every action of every policy was called or is implied, and every call was allowed.
#[derive(Parser)]
struct Arguments {
    /// Folder of the record that the stand-in kept
    record: PathBuf,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let (policies, implied, record) = (policies()?, implied()?, Record::read(&arguments.record)?);
    let wrong = judge(&policies, &record, &implied);
    let mut out = std::io::stdout();
    for line in &wrong {
        writeln!(out, "{line}")?;
    }
    if !wrong.is_empty() {
        bail!("{} differences between policies and calls", wrong.len());
    }
    let listed: usize = policies.values().map(std::collections::BTreeSet::len).sum();
    let unseen: usize = implied.values().map(std::collections::BTreeSet::len).sum();
    writeln!(
        out,
        "{listed} actions in {} policies: {unseen} implied, all others called; no call refused",
        policies.len()
    )?;
    Ok(())
}
