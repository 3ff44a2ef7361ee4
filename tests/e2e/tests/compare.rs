//! One way of the comparison from beginning to end; the others are measured by `make compare`.

#![allow(clippy::unwrap_used, reason = "a test")]

use clap::Parser;
use rehearsal::cli::{Cli, Command};
use serde_json::Value;

#[tokio::test(flavor = "multi_thread")]
async fn a_way_is_measured_once_and_not_again_when_a_comparison_continues() {
    let folder = tempfile::tempdir().unwrap();
    let results = folder.path().display().to_string();
    let options = ["--runs", "1", "--ways", "in-place", "--tps", "50", "--propagation", "0.1", "--results", &results];
    let Command::Compare(arguments) = Cli::parse_from(["rehearsal", "compare"].into_iter().chain(options)).command
    else {
        panic!("another command");
    };

    assert!(rehearsal::compare::run(&arguments).await.unwrap());

    let of_commit = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let file = of_commit.join("in-place-1.json");
    let text = std::fs::read_to_string(&file).unwrap();
    let seen: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&seen["lost"], &seen["duplicated"]), (&Value::from(0), &Value::from(0)), "{text}");
    assert_eq!(seen["connectedSeconds"].as_array().unwrap().len(), 14, "{text}");
    let table = std::fs::read_to_string(of_commit.join("table.md")).unwrap();
    assert!(table.contains("| `in-place` | 1 |"), "{table}");

    assert!(rehearsal::compare::run(&arguments).await.unwrap());

    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
}
