//! What a newcomer's first command needs, and the Rust that builds it.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::Path;
use std::process::Command;

use contract_tests::machine::repository;

fn value(file: &str, key: &str) -> String {
    let text = std::fs::read_to_string(repository().join(file)).unwrap();
    let line = text.lines().find(|line| line.starts_with(&format!("{key} = "))).unwrap().to_owned();
    line.split('"').nth(1).unwrap().to_owned()
}

fn numbers(version: &str) -> Vec<u32> {
    version.split('.').map(|part| part.parse().unwrap()).collect()
}

#[test]
fn the_pinned_rust_is_exact_and_no_older_than_the_oldest() {
    let (pinned, oldest) =
        (numbers(&value("rust-toolchain.toml", "channel")), numbers(&value("Cargo.toml", "rust-version")));

    assert_eq!(pinned.len(), 3, "a channel without its last number moves");
    assert!(pinned >= oldest, "{pinned:?} {oldest:?}");
}

/// What the script says where only the named programs are there.
fn said(programs: &[&str]) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = std::env::var("PATH").unwrap();
    for program in programs {
        let found = std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file());
        std::os::unix::fs::symlink(found.unwrap(), folder.path().join(program)).unwrap();
    }
    let script = repository().join("scripts/check-needs.sh");
    let output = Command::new("/bin/sh").arg(script).env("PATH", folder.path()).output().unwrap();
    (output.status.success(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn what_the_demo_lacks_is_named_a_line_each_with_how_to_get_it() {
    let (is_enough, text) = said(&["dirname", "awk", "sed", "df"]);

    assert!(!is_enough);
    for (what, how) in [("Rust", "rustup"), ("a C compiler", "apt-get install gcc"), ("Python 3.11", "python3-venv")] {
        let line = text.lines().find(|line| line.starts_with(&format!("make demo needs {what}")));
        assert!(line.is_some_and(|line| line.contains(how)), "{what} is not in\n{text}");
    }
    assert!(text.lines().all(|line| line.starts_with("make demo needs ")), "{text}");
}

#[test]
fn the_demo_checks_before_it_fetches_and_builds() {
    let makefile = std::fs::read_to_string(repository().join("Makefile")).unwrap();
    let demo = makefile.split("\ndemo:").nth(1).unwrap().lines().nth(1).unwrap();

    assert!(demo.contains("scripts/check-needs.sh"), "{demo}");
    assert!(Path::new(&repository().join("scripts/check-needs.sh")).is_file());
}
