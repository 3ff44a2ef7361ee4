//! Edits that a page describes, so that a test can carry them out: fenced blocks whose first line names a file.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, ensure};

/// One block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The file, from the repository's root.
    pub file: String,
    text: String,
    is_change: bool,
}

/// The blocks of a page, in order.
pub fn blocks(page: &str) -> Vec<Block> {
    let (mut found, mut open): (Vec<Block>, Option<Block>) = (Vec::new(), None);
    for line in page.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (Some(_), Some(_)) => found.extend(open.take()),
            (Some(block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, Some(info)) => {
                if let Some((language, file)) = info.split_once(' ') {
                    open = Some(Block { file: file.to_owned(), text: String::new(), is_change: language == "diff" });
                }
            }
            (None, None) => {}
        }
    }
    found
}

/// How many edits a person counts: a new folder is one, and a file that is changed is one.
pub fn edits(blocks: &[Block]) -> usize {
    let place = |block: &Block| match block.is_change {
        true => block.file.clone(),
        false => block.file.split('/').take(2).collect::<Vec<_>>().join("/"),
    };
    blocks.iter().map(place).collect::<BTreeSet<_>>().len()
}

impl Block {
    /// Carry it out in a copy of the repository.
    pub fn apply(&self, root: &Path) -> Result<()> {
        let path = root.join(&self.file);
        if !self.is_change {
            std::fs::create_dir_all(path.parent().context("a file in a folder")?)?;
            return std::fs::write(&path, &self.text).with_context(|| format!("write {}", path.display()));
        }
        let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        let (before, after) = (self.side('+'), self.side('-'));
        let places = text.matches(&before).count();
        ensure!(places == 1, "{}: what is to be changed stands there {places} times:\n{before}", self.file);
        std::fs::write(&path, text.replacen(&before, &after, 1)).with_context(|| format!("write {}", path.display()))
    }

    /// The text without the lines of the other side.
    fn side(&self, other: char) -> String {
        let lines = self.text.lines().filter(|line| !line.starts_with(other));
        lines.map(|line| format!("{}\n", line.get(1..).unwrap_or_default())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "Words.\n\n```rust functions/a/src/lib.rs\nfn a() {}\n```\n\n```toml functions/a/Cargo.toml\nx = 1\n```\n\n```\nno file\n```\n\n```diff b.txt\n one\n-two\n+three\n```\n";

    #[test]
    fn blocks_without_a_file_are_words() {
        let found = blocks(PAGE);

        let files: Vec<_> = found.iter().map(|block| block.file.as_str()).collect();
        assert_eq!(files, ["functions/a/src/lib.rs", "functions/a/Cargo.toml", "b.txt"]);
        assert_eq!(edits(&found), 2);
        assert_eq!((found[2].side('+'), found[2].side('-')), ("one\ntwo\n".to_owned(), "one\nthree\n".to_owned()));
    }
}
