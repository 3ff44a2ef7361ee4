//! Writes the operator's input as a JSON Schema, from the contract.

use anyhow::Result;
use contract_tests::input;

fn main() -> Result<()> {
    Ok(std::fs::write(input::schema_path(), input::schema_text()?)?)
}
