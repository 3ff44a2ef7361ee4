//! Every dependency that a manifest declares is used by its crate: by the library or program, or by tests alone.

use std::path::{Path, PathBuf};

use contract_tests::machine::repository;

/// It selects features for all crates at once (crates/hack) and is named by none.
const NAMED_BY_NONE: &str = "hack";

#[test]
fn every_declared_dependency_is_used() {
    let mut unused = Vec::new();
    for manifest in manifests() {
        let folder = manifest.parent().expect("a folder");
        let text = std::fs::read_to_string(&manifest).expect("a manifest");
        let (code, all) = (texts(&folder.join("src"), &[]), texts(folder, &["target"]));
        for (section, name) in dependencies(&text) {
            let used_in = if section == "dependencies" { &code } else { &all };
            if name != NAMED_BY_NONE && !names(used_in, &name.replace('-', "_")) {
                let place = folder.strip_prefix(repository()).unwrap_or(folder);
                unused.push(format!("{}: {name} of [{section}]", place.display()));
            }
        }
    }
    assert!(unused.is_empty(), "declared and not used:\n{}", unused.join("\n"));
}

#[test]
fn a_name_is_a_whole_word() {
    assert!(names("use serde::Serialize;", "serde") && names("serde_json::json!", "serde_json"));
    assert!(!names("use serde_json::json;", "serde"));
    let sections = dependencies(
        "[package]\nname = \"x\"\n[dependencies]\na.workspace = true\n# b\n\n[dev-dependencies]\nc-d = { path = \"y\" }\n",
    );
    assert_eq!(sections, [("dependencies", "a"), ("dev-dependencies", "c-d")]);
}

fn manifests() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for root in ["crates", "engines", "functions", "tests"] {
        collect(&repository().join(root), &["target", "hack"], &mut |path| {
            if path.ends_with("Cargo.toml") {
                found.push(path.to_owned());
            }
        });
    }
    assert!(found.len() > 60, "{} manifests", found.len());
    found
}

/// Section and name of each dependency.
fn dependencies(manifest: &str) -> Vec<(&str, &str)> {
    let (mut section, mut found) = ("", Vec::new());
    for line in manifest.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.split(']').next().unwrap_or_default();
        } else if section.ends_with("dependencies") && line.contains('=') && !line.starts_with('#') {
            found.push((section, line.split(['.', ' ', '=']).next().unwrap_or_default()));
        }
    }
    found
}

/// The Rust code below a folder, in one text.
fn texts(folder: &Path, without: &[&str]) -> String {
    let mut all = String::new();
    collect(folder, without, &mut |path| {
        if path.extension().is_some_and(|extension| extension == "rs") {
            all.push_str(&std::fs::read_to_string(path).expect("a text"));
        }
    });
    all
}

fn collect(folder: &Path, without: &[&str], found: &mut dyn FnMut(&Path)) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            if !without.iter().any(|name| path.ends_with(name)) {
                collect(&path, without, found);
            }
        } else {
            found(&path);
        }
    }
}

fn names(text: &str, word: &str) -> bool {
    let is_inside = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    text.match_indices(word).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + word.len()..]);
        !before.ends_with(is_inside) && !after.starts_with(is_inside)
    })
}
