//! Every text that a run leaves where people look, for the search for secrets.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::leaks::Text;
use crate::report::Report;
use crate::said;
use crate::stage::Stage;

/// A server's log, in its folder below the scratch folder.
const SERVER_LOG: &str = "postgresql.log";

/// Histories of every execution of every machine, with all their data; logs of functions, interpreter and servers;
/// what the stand-in says; the report.
pub async fn of_run(stage: &Stage, report: &Report) -> Result<Vec<Text>> {
    let mut texts = histories(stage).await?;
    let scratch = stage.aws().scratch_folder();
    let mut files = files_in(stage.aws().log_folder());
    files.extend(files_in(scratch).into_iter().filter(|path| path.ends_with(SERVER_LOG)));
    for path in files {
        let Ok(bytes) = std::fs::read(&path) else { continue }; // a server that goes takes its log along
        let place = path.strip_prefix(scratch).unwrap_or(&path).display().to_string();
        texts.push(Text { place, text: String::from_utf8_lossy(&bytes).into_owned() });
    }
    texts.push(Text { place: "what the stand-in said".to_owned(), text: said::so_far() });
    texts.push(Text { place: "the report".to_owned(), text: serde_json::to_string(report)? });
    Ok(texts)
}

/// As they are on the wire: the SDK's own text of an event hides inputs and outputs.
async fn histories(stage: &Stage) -> Result<Vec<Text>> {
    let states = stage.aws().states().context("there is no Step Functions")?;
    let mut texts = Vec::new();
    let machines =
        [stage.upgrade_machine()?, stage.recover_machine()?, stage.fail_back_machine()?, stage.watch_machine()?];
    for machine in machines {
        let listed = states.call("ListExecutions", &json!({ "stateMachineArn": machine })).await;
        let executions = listed.context("list executions")?["executions"].take();
        for execution in executions.as_array().into_iter().flatten() {
            let arn = execution["executionArn"].as_str().context("an execution has no ARN")?;
            let mut text = String::new();
            let mut token = Value::Null;
            loop {
                let mut request = json!({ "executionArn": arn, "maxResults": 1000, "includeExecutionData": true });
                if let Value::String(token) = token.take() {
                    request["nextToken"] = token.into();
                }
                let mut page = states.call("GetExecutionHistory", &request).await.context("read a history")?;
                text.push_str(&page["events"].to_string());
                token = page["nextToken"].take();
                if token.is_null() {
                    break;
                }
            }
            ensure!(text.contains("ExecutionStarted"), "the history of {arn} has no beginning");
            texts.push(Text { place: format!("the history of {arn}"), text });
        }
    }
    Ok(texts)
}

/// Of a folder and the folders in it.
fn files_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .flat_map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => files_in(&entry.path()),
            Ok(kind) if kind.is_file() => vec![entry.path()],
            _ => Vec::new(),
        })
        .collect()
}
