//! One rehearsal in a process of its own: its options, its screen in a file, and what its report says.

use std::fs::File;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::process::Command;

use crate::run::interrupted;

/// How a rehearsal ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ended {
    /// What was promised and not kept; empty if all was.
    pub broken: Vec<String>,
    /// How the machine ended, with its error if it has one.
    pub machine: String,
    /// How the machine that recovers ended, each time.
    pub recoveries: Vec<String>,
    /// Acknowledged rows that were lost.
    pub lost: u64,
    /// A person had to mend something, or to start the recovery by hand.
    pub called_person: bool,
    /// How long it took.
    pub seconds: u64,
}

/// A name that a folder can have.
pub fn file_name(name: &str) -> String {
    let known = |letter: char| letter.is_ascii_alphanumeric() || "-_.,".contains(letter);
    name.chars().map(|letter| if known(letter) { letter } else { '-' }).collect()
}

/// Run it. One that takes longer than `longest` is killed, and has broken its promise.
///
/// # Errors
/// Somebody interrupted it, which says nothing of what it rehearsed; or it could not be started.
pub async fn rehearse(options: &[String], folder: &Path, longest: Duration) -> Result<Ended> {
    let small = ["--megabytes", "20", "--propagation", "1"].map(str::to_owned);
    let child = run_child(&[&small, options].concat(), folder, longest).await?;
    let seconds = child.seconds;
    let Some(status) = child.status else {
        return Ok(Ended { broken: vec![format!("still running after {seconds} s")], seconds, ..Ended::default() });
    };
    let mut ended = ended(&child.report, seconds);
    if !status.success() && ended.broken.is_empty() {
        let screen = folder.join(SCREEN);
        ended.broken.push(format!("the rehearsal ended with {status}; see {}", screen.display()));
    }
    Ok(ended)
}

/// What its screen showed.
const SCREEN: &str = "screen.log";

/// A rehearsal that was run in a process of its own.
pub(crate) struct Child {
    /// Its exit status; none if it took too long and was ended.
    pub(crate) status: Option<ExitStatus>,
    /// `report.json`, or null if it wrote none.
    pub(crate) report: Value,
    /// How long it took.
    pub(crate) seconds: u64,
}

/// Run `rehearsal run` with these options. One that takes longer than `longest` is ended.
///
/// # Errors
/// Somebody interrupted it, or it could not be started.
pub(crate) async fn run_child(options: &[String], folder: &Path, longest: Duration) -> Result<Child> {
    let began = Instant::now();
    std::fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    let screen = folder.join(SCREEN);
    let log = File::create(&screen).with_context(|| format!("create {}", screen.display()))?;
    // A report of an earlier rehearsal is not this one's.
    let _none_there = std::fs::remove_file(folder.join("latest"));
    let own = std::env::current_exe().context("find this program")?;
    let mut child = Command::new(own)
        .args(["run", "--reports"])
        .arg(folder)
        .args(options)
        .stdin(Stdio::null())
        .stdout(log.try_clone().context("share the log")?)
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("start a rehearsal {options:?}"))?;
    let status = tokio::select! {
        status = tokio::time::timeout(longest, child.wait()) => status,
        () = interrupted() => {
            interrupt(&mut child).await;
            bail!("interrupted");
        }
    };
    let seconds = began.elapsed().as_secs();
    let Ok(status) = status else {
        interrupt(&mut child).await;
        return Ok(Child { status: None, report: Value::Null, seconds });
    };
    let status = Some(status.context("wait for the rehearsal")?);
    let text = std::fs::read_to_string(folder.join("latest/report.json")).unwrap_or_default();
    let report: Value = serde_json::from_str(&text).unwrap_or_default();
    Ok(Child { status, report, seconds })
}

/// It has servers to stop.
async fn interrupt(child: &mut tokio::process::Child) {
    if let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) {
        let _gone = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM);
    }
    if tokio::time::timeout(Duration::from_secs(30), child.wait()).await.is_err() {
        let _gone = child.kill().await;
    }
}

fn ended(report: &Value, seconds: u64) -> Ended {
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let error = |member: &str| report["error"][member].as_str().unwrap_or_default();
    let mut broken = texts(&report["scenario"]["broken"]);
    if !report["scenario"].is_object() && report["status"] != "SUCCEEDED" {
        broken.push(format!("{}: {}", error("error"), error("cause")));
        // What was seen before the rehearsal itself failed counts all the same.
        let lost = report["clients"]["lost"].as_u64().filter(|lost| *lost > 0);
        broken.extend(lost.map(|lost| format!("{lost} rows were lost")));
    }
    let machine = [report["machine"]["status"].as_str().unwrap_or("?"), error("error")].join(" ").trim().to_owned();
    Ended {
        broken,
        machine,
        recoveries: texts(&report["recoveries"]),
        lost: report["clients"]["lost"].as_u64().unwrap_or_default(),
        called_person: report["calledPerson"] == true,
        seconds,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_rehearsal_that_failed_without_a_verdict_is_not_as_promised() {
        let failed = json!({"status": "FAILED", "error": {"error": "RehearsalFailed", "cause": "no server"}, "clients": {"lost": 3}});
        let judged = json!({"status": "FAILED", "scenario": {"broken": []}, "machine": {"status": "ABORTED"}});

        assert_eq!(ended(&failed, 1).broken, ["RehearsalFailed: no server", "3 rows were lost"]);
        assert_eq!((ended(&judged, 1).broken.len(), ended(&judged, 1).machine.as_str()), (0, "ABORTED"));
        assert_eq!(ended(&Value::Null, 1).broken.len(), 1, "no report at all");
    }

    #[test]
    fn a_name_becomes_a_folder() {
        assert_eq!(file_name("kill:recover/StartRun:1"), "kill-recover-StartRun-1");
    }
}
