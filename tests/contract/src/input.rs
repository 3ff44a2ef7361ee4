//! The operator's input as a JSON Schema, from the contract's own types and their documentation.

use anyhow::Result;
use serde_json::Value;

#[path = "../../../crates/contract/src/approval.rs"]
#[allow(dead_code, unreachable_pub, reason = "as below")]
mod approval;
#[path = "../../../crates/contract/src/clients.rs"]
#[allow(dead_code, unreachable_pub, reason = "as below")]
mod clients;
#[path = "../../../crates/contract/src/engine.rs"]
#[allow(dead_code, unreachable_pub, reason = "the contract's own file, compiled here once more for its derives")]
mod engine;
#[path = "../../../crates/contract/src/request.rs"]
#[allow(dead_code, unreachable_pub, reason = "the contract's own file, compiled here once more for its derives")]
mod request;

#[path = "../../../crates/contract/src/window.rs"]
#[allow(dead_code, unreachable_pub, reason = "as below")]
mod window;

pub(crate) use approval::Approval;
pub(crate) use clients::Clients;
pub(crate) use engine::CopyRequest;
pub(crate) use request::DmsSettings;
pub(crate) use window::Window; // request.rs looks for it in its crate's root

/// What an execution may be started with.
pub fn schema() -> Result<Value> {
    let mut schema = serde_json::to_value(schemars::schema_for!(request::RunRequest))?;
    schema["title"] = "Input of a run".into();
    Ok(schema)
}

/// Where the schema is kept, from the repository's root.
pub const SCHEMA: &str = "statemachine/input.schema.json";

/// The schema as it is kept.
pub fn schema_text() -> Result<String> {
    Ok(serde_json::to_string_pretty(&schema()?)? + "\n")
}
