//! Every dependency that a manifest declares is used by its crate: by the library or program, or by tests alone. Steps and
//! engines know no type of the AWS SDK.

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

/// A step reads as decisions over plain values of ours: what the SDK answers is read in crates/, once for all steps.
#[test]
fn no_type_of_the_sdk_stands_above_crates() {
    let (mut found, mut looked_at) = (Vec::new(), 0);
    for root in ["functions", "engines"] {
        collect(&repository().join(root), &["target"], &mut |path| {
            let place = path.strip_prefix(repository()).unwrap_or(path).display();
            let text = || std::fs::read_to_string(path).expect("a text");
            if path.extension().is_some_and(|extension| extension == "rs") {
                looked_at += 1;
                found.extend(of_sdk(&text()).map(|line| format!("{place}: {line}")));
            } else if path.ends_with("Cargo.toml") {
                let text = text();
                let names = dependencies(&text).into_iter().map(|(_, name)| name);
                found.extend(
                    names
                        .filter(|name| of_sdk(&name.replace('-', "_")).next().is_some())
                        .map(|name| format!("{place}: {name}")),
                );
            }
        });
    }
    assert!(looked_at > 150, "{looked_at} sources");
    assert!(found.is_empty(), "types of the SDK above crates/:\n{}", found.join("\n"));
}

/// Lines that name a crate of the AWS SDK, or reach for the configuration of its clients.
fn of_sdk(text: &str) -> impl Iterator<Item = &str> {
    const NAMED: [&str; 4] = ["aws_sdk_", "aws_smithy_", "aws_config", "ctx.aws()"];
    text.lines().filter(|line| NAMED.iter().any(|name| line.contains(name)))
}

#[test]
fn the_sdk_is_found_wherever_a_step_would_name_it() {
    let step =
        "use aws_sdk_rds::Client;\nlet rds = Rds::new(ctx);\nlet x = Client::new(ctx.aws());\n// aws_smithy_types\n";

    assert_eq!(of_sdk(step).count(), 3);
    assert_eq!(of_sdk("aws_credential_x and sdk\nawsome\n").count(), 0);
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
