//! Every disturbance that a run promises to bear, one rehearsal after the other, a line each.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::process::Command;

use crate::cli::{Disturbance, ScenariosArguments};

/// Each a disturbance of the command line, in the order of the run. `docs/semantics.md` names the promise of each.
pub const ALL: &[&str] = &[
    "reject-reboot",
    "ddl:snapshot-source",
    "kill:tell-people",
    "kill:upgrade-target:2",
    "kill:prepare-target",
    "kill:copy-data:2",
    "ddl:copy-data",
    "truncate:copy-data",
    "stop-execution:copy-data",
    "truncate:verify-copy",
    "approve",
    "approve-by-link",
    "reject-by-link",
    "reject",
    "reject-then-approve",
    "no-answer",
    "wal-while-waiting",
    "restart-while-waiting",
    "ddl:guard-cutover",
    "kill:fence-source:1:40",
    "lose:fence-source",
    "stop-execution:fence-source",
    "kill:swap-record",
    "kill:drain-source:1:60",
    "lose:drain-source",
    "stop-execution:drain-source",
    "leave:drain-source",
    "kill:complete-target:1:40",
    "lose:complete-target",
    "kill:open-target:1:8",
    "lose:open-target",
    "stop-execution:open-target",
    "kill:confirm-cutover",
    "stop-execution:confirm-cutover",
    "kill:settle-target",
];

/// A run that only looks: what a plan promises.
const PLAN: &str = "plan";

/// Each a list of trouble for `run --faults`, which the run mends, or ends cleanly with.
pub const TROUBLES: &[&str] = &[
    "out-of-memory",
    "lob-errors",
    "lob-errors:60",
    "lob-errors:120",
    "slot-lost",
    "instance-reboot",
    "table-suspended",
    "task-stopped",
    "wal-piles-up",
    "memory-stays-short",
    "table-fails",
    "security-group",
    "rule-missing",
    "disk-full",
    "source-disk-fills",
    "source-disk-full",
    "target-disk-full",
    "source-failover",
    "key-updated",
    "equal-row-deleted",
    "value-clamped",
    "out-of-memory,lob-errors,slot-lost,instance-reboot",
];

/// Rehearse them; true if every promise was kept. Each runs in a process of its own, its screen in a file.
pub async fn run(arguments: &ScenariosArguments) -> Result<bool> {
    let chosen: Vec<(&str, Vec<String>)> = match &arguments.names[..] {
        [] => [PLAN].iter().chain(ALL).chain(TROUBLES).map(|name| (*name, options(name))).collect(),
        names => names.iter().map(|name| (name.as_str(), options(name))).collect(),
    };
    let mut failed = 0;
    for (name, options) in &chosen {
        let began = Instant::now();
        let broken = rehearse(name, options, &arguments.reports).await?;
        failed += usize::from(!broken.is_empty());
        say(&line(name, &broken, began.elapsed().as_secs()));
    }
    say(&format!("{} passed, {failed} failed", chosen.len() - failed));
    Ok(failed == 0)
}

/// How the command line of one run asks for a scenario.
fn options(name: &str) -> Vec<String> {
    match name {
        PLAN => vec!["--plan".to_owned()],
        name if name.parse::<Disturbance>().is_ok() => vec!["--break".to_owned(), name.to_owned()],
        name => vec!["--faults".to_owned(), name.to_owned()],
    }
}

/// What was promised and not kept.
async fn rehearse(name: &str, options: &[String], reports: &Path) -> Result<Vec<String>> {
    let folder = reports.join(name.replace(':', "-"));
    std::fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    let screen = folder.join("screen.log");
    let log = File::create(&screen).with_context(|| format!("create {}", screen.display()))?;
    let own = std::env::current_exe().context("find this program")?;
    let status = Command::new(own)
        .args(["run", "--megabytes", "20", "--reports"])
        .arg(&folder)
        .args(options)
        .stdin(Stdio::null())
        .stdout(log.try_clone().context("share the log")?)
        .stderr(log)
        .kill_on_drop(true)
        .status()
        .await
        .with_context(|| format!("rehearse {name}"))?;
    let report = folder.join("latest/report.json");
    let text = std::fs::read_to_string(&report).with_context(|| format!("read {}", report.display()))?;
    let report: Value = serde_json::from_str(&text).context("parse the report")?;
    ensure!(report["scenario"]["name"].as_str().is_some(), "{}: the report is not of a scenario", screen.display());
    let listed = report["scenario"]["broken"].as_array().cloned().unwrap_or_default();
    let mut broken: Vec<_> = listed.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    if !status.success() && broken.is_empty() {
        broken.push(format!("the rehearsal ended with {status}, see {}", screen.display()));
    }
    Ok(broken)
}

fn line(name: &str, broken: &[String], seconds: u64) -> String {
    match broken {
        [] => format!("{name:<34} as promised   {seconds:>4} s"),
        broken => format!("{name:<34} FAILED        {seconds:>4} s  {}", broken.join("; ")),
    }
}

#[expect(clippy::print_stdout, reason = "a table for people and scripts")]
fn say(text: &str) {
    println!("{text}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trouble::Trouble;

    #[test]
    fn every_scenario_is_a_disturbance() {
        for name in ALL {
            let parsed: Disturbance = name.parse().unwrap();
            assert!(parsed.to_string().starts_with(name), "{name}");
        }
    }

    #[test]
    fn every_trouble_can_be_planned() {
        for name in TROUBLES.iter().flat_map(|names| names.split(',')) {
            assert_eq!(name.parse::<Trouble>().unwrap().to_string(), name);
        }
    }

    #[test]
    fn a_broken_promise_is_told() {
        assert!(line("kill:copy-data", &[], 50).contains("as promised"));
        assert!(line("kill:copy-data", &["1 rows were lost".to_owned()], 50).ends_with("1 rows were lost"));
    }
}
