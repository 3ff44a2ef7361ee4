//! Files that are written from what is declared elsewhere: once by `make render`, and compared by a test.

mod list;
mod machine_page;
mod manifest;
mod states;
mod steps_page;
mod template;

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::declared::{Step, steps};
use crate::input;
use crate::machine::repository;

/// A file, and what it should hold.
pub struct Rendered {
    /// From the repository's root.
    pub path: String,
    /// All of it.
    pub text: String,
}

impl Rendered {
    /// Where it is on this computer.
    pub fn place(&self) -> PathBuf {
        repository().join(&self.path)
    }

    /// Whether the file is as it should be.
    pub fn is_current(&self) -> bool {
        std::fs::read_to_string(self.place()).is_ok_and(|text| text == self.text)
    }
}

/// Every rendered file.
pub fn files() -> Result<Vec<Rendered>> {
    let steps = steps()?;
    let mut files = vec![
        Rendered { path: "infra/template.yaml".to_owned(), text: template::render(&steps)? },
        Rendered { path: "crates/contract/src/steps/list.rs".to_owned(), text: list::render(&steps)? },
        Rendered { path: "functions/README.md".to_owned(), text: steps_page::render(&steps)? },
        Rendered { path: "cli/src/states.rs".to_owned(), text: states::render()? },
        Rendered { path: "docs/machine.md".to_owned(), text: machine_page::render()? },
        Rendered { path: input::SCHEMA.to_owned(), text: input::schema_text()? },
    ];
    for step in &steps {
        files.push(manifest_of(step)?);
    }
    Ok(files)
}

fn manifest_of((_, declared): &Step) -> Result<Rendered> {
    let path = format!("{}/Cargo.toml", declared.folder);
    let text = std::fs::read_to_string(repository().join(&path)).with_context(|| format!("read {path}"))?;
    Ok(Rendered { text: manifest::render(&text, declared), path })
}
