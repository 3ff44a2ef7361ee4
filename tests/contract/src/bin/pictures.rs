//! Prints every picture of `docs/pictures` as JSON, for `scripts/draw-pictures.mjs`.

use anyhow::{Context, Result};
use contract_tests::{declared, pictures};

fn main() -> Result<()> {
    let pictures = pictures::all(&declared::steps()?)?;
    serde_json::to_writer(std::io::stdout(), &pictures).context("print the pictures")
}
