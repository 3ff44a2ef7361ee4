//! Phrases of a private meaning do not come back: in pages, in messages of the product, in the template and the machines.

use std::path::{Path, PathBuf};

use contract_tests::machine::{files, repository};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    phrase: String,
    /// What a reader expects instead.
    say: String,
    /// Of what it was said.
    #[serde(rename = "for")]
    of: String,
    /// Texts that contain it rightly.
    #[serde(default)]
    except: Vec<String>,
}

fn list() -> Vec<Entry> {
    let text = std::fs::read_to_string(repository().join("tests/contract/english.yaml")).expect("the list");
    serde_yaml_ng::from_str(&text).expect("a list of phrases")
}

/// What people read in a file: a page without its code, the literals of Rust code without its tests, all of a YAML file.
fn texts(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("md") => vec![prose(&text)],
        Some("rs") => literals(text.split("#[cfg(test)]").next().unwrap_or_default()),
        _ => vec![text],
    }
}

fn prose(page: &str) -> String {
    let outside = page.split("```").step_by(2).collect::<Vec<_>>().join("\n");
    outside.split('`').step_by(2).collect::<Vec<_>>().join(" ")
}

/// Every string of a file, comments left out; a line that ends with a backslash goes on in the next.
fn literals(code: &str) -> Vec<String> {
    let code: Vec<_> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n").replace("\\\"", "'");
    let strings = code.split('"').skip(1).step_by(2);
    strings.map(|text| text.split("\\\n").map(str::trim_start).collect::<Vec<_>>().join("")).collect()
}

fn places() -> Vec<PathBuf> {
    let root = repository();
    let mut places = files(&root, &[".md"]);
    for folder in ["crates", "engines", "functions", "cli"] {
        let code = files(&root.join(folder), &[".rs"]);
        let of_tests =
            |path: &PathBuf| path.strip_prefix(&root).is_ok_and(|path| path.iter().any(|part| part == "tests"));
        places.extend(code.into_iter().filter(|path| !of_tests(path)));
    }
    for folder in ["infra", "statemachine", "engines", "functions"] {
        places.extend(files(&root.join(folder), &[".yaml"]));
    }
    places
}

#[test]
fn no_phrase_of_the_list_is_written_again() {
    let (list, places) = (list(), places());
    assert!(list.len() > 20 && places.len() > 400, "{} phrases, {} files", list.len(), places.len());
    let mut found = Vec::new();
    for path in &places {
        for text in texts(path) {
            for Entry { phrase, say, of, except } in &list {
                let text = except.iter().fold(text.clone(), |text, rightly| text.replace(rightly, ""));
                if holds(&text.to_lowercase(), phrase) {
                    let place = path.strip_prefix(repository()).unwrap_or(path).display().to_string();
                    found.push(format!("{place}: {phrase:?} (of {of}): say {say:?}"));
                }
            }
        }
    }
    assert_eq!(found, Vec::<String>::new());
}

/// As words of their own: "formatted" holds no "matte".
fn holds(text: &str, phrase: &str) -> bool {
    let is_letter = |letter: Option<char>| letter.is_some_and(char::is_alphabetic);
    text.match_indices(phrase).any(|(at, _)| {
        !is_letter(text[..at].chars().next_back()) && !is_letter(text[at + phrase.len()..].chars().next())
    })
}

#[test]
fn a_phrase_is_found_in_prose_and_in_messages_and_not_in_code() {
    assert!(holds(&prose("It is gone for good.\n```\nfor good\n```\n"), "for good"));
    assert!(!holds(&prose("Run `for good` in code."), "for good"));
    assert!(!holds("for goodness", "for good"));
    let code = "// for good\nlet text = format!(\"gone \\\n    for good {x}\");";
    assert_eq!(literals(code), ["gone for good {x}"]);
}
