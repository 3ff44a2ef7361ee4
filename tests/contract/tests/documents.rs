//! The documents say what is there: tests that are named exist, lists are whole. How they are shown: `pages.rs`.

use std::collections::HashSet;
use std::path::Path;

use contract_tests::machine::{files, repository};

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What stands between `open` and `close`, each time.
fn between<'a>(text: &'a str, open: &'a str, close: char) -> impl Iterator<Item = &'a str> {
    text.split(open).skip(1).filter_map(move |rest| rest.split(close).next())
}

/// Names of all functions, in Rust and Python.
fn functions() -> HashSet<String> {
    let code = files(&repository(), &[".rs", ".py"]);
    let name = |line: &str| {
        let line = format!(" {}", line.trim_start());
        let rest = [" fn ", " def "].iter().find_map(|word| line.split_once(word))?.1;
        Some(rest.split(['(', '<']).next().unwrap_or_default().to_owned())
    };
    code.iter().flat_map(|path| read(path).lines().filter_map(name).collect::<Vec<_>>()).collect()
}

#[test]
fn every_sentence_of_the_semantics_has_tests_that_exist() {
    let (page, functions) = (read(&repository().join("docs/semantics.md")), functions());
    let scenarios = read(&repository().join("tests/e2e/src/scenarios.rs"));
    let rows: Vec<_> = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| sentence")).collect();
    assert!(rows.len() > 30, "{}", rows.len());
    for row in rows {
        let tests: Vec<_> = between(row, "`", '`').step_by(2).collect();
        assert!(!tests.is_empty(), "{row} has no test");
        for test in tests {
            let exists = match test.strip_prefix("scenario: ") {
                Some(scenario) => scenarios.contains(&format!("\"{scenario}\"")),
                None => functions.contains(test),
            };
            assert!(exists, "{test} does not exist");
        }
    }
}

#[test]
fn every_scenario_stands_in_the_semantics() {
    let page = read(&repository().join("docs/semantics.md"));
    let scenarios = read(&repository().join("tests/e2e/src/scenarios.rs"));
    let list = scenarios.split("pub const ALL").nth(1).and_then(|rest| rest.split("];").next()).expect("the list");
    let names: Vec<_> = between(list, "    \"", '"').collect();
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        assert!(page.contains(&format!("`scenario: {name}`")), "{name} is promised nowhere");
    }
}

#[test]
fn every_test_of_the_fidelity_ledgers_exists() {
    let functions = functions();
    let paths: Vec<_> = files(&repository(), &[".rs", ".py"]);
    let is_name =
        |word: &&str| word.len() > 8 && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_' || b.is_ascii_digit());
    let mut missing = Vec::new();
    for ledger in files(&repository().join("docs/fidelity"), &[".md"]) {
        for row in read(&ledger).lines().filter(|line| line.starts_with("| ")) {
            let test = row.trim_end_matches('|').trim_end().rsplit(" | ").next().unwrap_or_default();
            for word in between(test, "`", '`').step_by(2).flat_map(|span| span.split("::")) {
                let is_file = word.ends_with(".rs") || word.ends_with(".py");
                let exists = !is_file || paths.iter().any(|path| path.ends_with(word));
                if !exists || (is_name(&word) && word.contains('_') && !functions.contains(word)) {
                    missing.push(format!("{}: {word}", ledger.display()));
                }
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn every_ledger_stands_in_the_index() {
    let index = read(&repository().join("docs/fidelity.md"));
    for ledger in files(&repository().join("docs/fidelity"), &[".md"]) {
        let name = ledger.file_name().and_then(|name| name.to_str()).expect("a name");
        assert!(index.contains(&format!("(fidelity/{name})")), "{name} is not in docs/fidelity.md");
    }
}

/// The texts of all Rust files of a folder and the folders in it.
fn rust_files(folder: &Path) -> Vec<String> {
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() {
            texts.extend(rust_files(&entry));
        } else if entry.extension().is_some_and(|ending| ending == "rs") {
            texts.push(std::fs::read_to_string(&entry).expect("a text"));
        }
    }
    texts
}

/// Ids of checks are texts of their files: `const ID: &str = "record-ttl"`, or `id: "record-ttl"` of a query.
#[test]
fn every_check_of_preflight_is_on_its_page() {
    let page = std::fs::read_to_string(repository().join("docs/preflight.md")).expect("the page");
    for step in ["check-instance", "check-database"] {
        for text in rust_files(&repository().join("functions").join(step).join("src")) {
            let ids = text.lines().filter_map(|line| {
                let line = line.trim();
                let value = line.strip_prefix("id: \"").or_else(|| {
                    line.strip_prefix("const ").and_then(|rest| rest.split_once(": &str = \"")).map(|(_, value)| value)
                })?;
                value.split_once('"').map(|(id, _)| id)
            });
            let is_id = |text: &&str| {
                text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-' || byte.is_ascii_digit())
            };
            for id in ids.filter(is_id) {
                assert!(page.contains(&format!("`{id}`")), "docs/preflight.md does not tell of {id} ({step})");
            }
        }
    }
}

/// That it also works is shown by `make test-new-step`.
#[test]
fn a_step_is_added_in_six_edits() {
    let page = read(&repository().join("docs/adding-a-step.md"));
    let blocks = contract_tests::page::blocks(&page);

    assert!(blocks.len() > 8, "{} blocks", blocks.len());
    assert_eq!(contract_tests::page::edits(&blocks), 6);
}
