//! Writes functions/README.md anew.

use anyhow::{Context, Result};
use contract_tests::machine::repository;

fn main() -> Result<()> {
    let page = contract_tests::steps_page::render()?;
    std::fs::write(repository().join("functions/README.md"), page).context("write functions/README.md")
}
