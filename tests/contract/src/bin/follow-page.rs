//! Copies the repository's files into a folder, and carries out there what a page describes.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use contract_tests::machine::repository;
use contract_tests::page::blocks;

/// Carry out the edits of PAGE in a copy of the repository.
#[derive(Parser)]
struct Arguments {
    /// From the repository's root
    page: PathBuf,
    /// Folder of the copy; what is there is replaced
    folder: PathBuf,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    copy(&arguments.folder)?;
    let page = std::fs::read_to_string(repository().join(&arguments.page)).context("read the page")?;
    blocks(&page).iter().try_for_each(|block| block.apply(&arguments.folder))
}

/// Files that git knows or would take, so that what is built or installed does not travel. Those that stay as they are keep
/// their times: a copy that is made again is not compiled again.
fn copy(folder: &PathBuf) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    let files = Command::new("git")
        .current_dir(repository())
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .output()
        .context("list the files")?;
    ensure!(files.status.success(), "git ls-files failed");
    for file in String::from_utf8(files.stdout)?.split('\0').filter(|file| !file.is_empty()) {
        let (from, to) = (repository().join(file), folder.join(file));
        if !from.is_file() {
            continue; // deleted, and not committed yet
        }
        let text = std::fs::read(&from)?;
        if std::fs::read(&to).is_ok_and(|there| there == text) {
            continue;
        }
        std::fs::create_dir_all(to.parent().context("a folder")?)?;
        std::fs::copy(&from, &to).with_context(|| format!("copy {file}"))?;
    }
    Ok(())
}
