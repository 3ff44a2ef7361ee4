//! Writes every file that follows from what is declared elsewhere: template, list of steps, pages, manifests, input schema.

use std::io::Write;

use anyhow::{Context, Result};
use contract_tests::rendered::files;

fn main() -> Result<()> {
    for file in files()?.iter().filter(|file| !file.is_current()) {
        std::fs::write(file.place(), &file.text).with_context(|| format!("write {}", file.path))?;
        writeln!(std::io::stdout(), "  {}", file.path)?;
    }
    Ok(())
}
