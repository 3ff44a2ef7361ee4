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

/// A project with one function, one step of an engine and a build that only writes their zips.
fn small_project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    for file in [
        "Cargo.toml",
        "Cargo.lock",
        "rust-toolchain.toml",
        "crates/one/src/lib.rs",
        "functions/step/src/main.rs",
        "engines/some/copy/src/main.rs",
        "engines/some/library/src/lib.rs",
    ] {
        write(file, "");
    }
    let build = "mkdir -p target/lambda/step target/lambda/copy
        touch target/lambda/step/bootstrap.zip target/lambda/copy/bootstrap.zip
        case $(uname -m) in aarch64 | arm64) echo arm64 ;; *) echo x86_64 ;; esac >target/lambda/architecture";
    write("scripts/build-functions.sh", build);
    let script = std::fs::read_to_string(repository().join("scripts/release-functions.sh")).unwrap();
    write("scripts/release-functions.sh", &script);
    folder
}

#[test]
fn functions_are_built_for_a_rehearsal_only_where_they_are_missing_or_old_and_it_says_why() {
    let project = small_project();
    let said = || {
        let output = Command::new("bash").arg(project.path().join("scripts/release-functions.sh")).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let at = |name: &str, seconds: i64| {
        let touched =
            Command::new("touch").arg(format!("--date={seconds} seconds")).arg(project.path().join(name)).status();
        assert!(touched.unwrap().success());
    };

    assert!(said().contains("target/lambda/step/bootstrap.zip is missing"));
    let are_fresh = || ["step", "copy"].map(|step| at(&format!("target/lambda/{step}/bootstrap.zip"), 60));
    are_fresh();
    assert_eq!(said(), "");
    for source in ["crates/one/src/lib.rs", "engines/some/library/src/lib.rs"] {
        at(source, 120);
        assert!(said().contains(&format!("{source} is newer than target/lambda/")), "{source}");
        at(source, -60);
        are_fresh();
    }
    std::fs::remove_file(project.path().join("target/lambda/copy/bootstrap.zip")).unwrap();
    assert!(said().contains("target/lambda/copy/bootstrap.zip is missing"));
    are_fresh();
    std::fs::write(project.path().join("target/lambda/architecture"), "z80").unwrap();
    assert!(said().contains("target/lambda is not for"));
}
