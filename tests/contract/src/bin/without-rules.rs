//! Builds the last commit without one rule after the other, and runs the test that must notice.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use contract_tests::machine::repository;
use contract_tests::rules::Rule;

/// Take away each rule of tests/without/rules.yaml in turn, in a work tree of its own; its test must fail.
#[derive(Parser)]
struct Arguments {
    /// Only rules whose sentence or test contains this
    only: Option<String>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let is_meant =
        |rule: &Rule| arguments.only.as_deref().is_none_or(|only| rule.rule.contains(only) || rule.test.contains(only));
    let rules: Vec<Rule> = Rule::read()?.into_iter().filter(is_meant).collect();
    ensure!(!rules.is_empty(), "no rule is called that");
    let tree = Tree::make()?;
    say("every test as it is")?;
    for rule in &rules {
        let seen = tree.run(rule)?;
        ensure!(seen == Seen::Passed, "{} does not pass with every rule in place: {seen:?}", rule.test);
    }
    let mut unnoticed = 0;
    for rule in &rules {
        let began = Instant::now();
        let seen = tree.without(rule)?;
        let verdict = match &seen {
            Seen::Failed => "noticed".to_owned(),
            Seen::Passed => "NOT NOTICED".to_owned(),
            Seen::Neither(why) => format!("NOT TRIED: {why}"),
        };
        unnoticed += usize::from(seen != Seen::Failed);
        say(&format!(
            "{verdict:<12} {:>4} s  without: {}  ({})",
            began.elapsed().as_secs(),
            rule.rule,
            rule.test_function()
        ))?;
    }
    if unnoticed > 0 {
        bail!("{unnoticed} of {} rules can be taken away unnoticed", rules.len());
    }
    say(&format!("{} rules, each missed by its test", rules.len()))
}

/// What a test said.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Passed,
    Failed,
    /// It did not run.
    Neither(String),
}

/// A checkout of the last commit with a target folder of its own: a program without a rule must never be taken for the
/// project's.
struct Tree {
    root: PathBuf,
    build: PathBuf,
}

impl Tree {
    fn make() -> Result<Self> {
        let folder = repository().join("target/without");
        let tree = Self { root: folder.join("tree"), build: folder.join("build") };
        if tree.root.exists() {
            git(&tree.root, &["checkout", "--quiet", "--force", "--detach", &head()?])?;
        } else {
            std::fs::create_dir_all(&folder)?;
            git(&repository(), &["worktree", "prune"])?;
            let path = tree.root.to_str().context("the folder's name is no text")?;
            git(&repository(), &["worktree", "add", "--quiet", "--detach", path, "HEAD"])?;
            std::os::unix::fs::symlink(repository().join(".local"), tree.root.join(".local"))?;
        }
        Ok(tree)
    }

    fn without(&self, rule: &Rule) -> Result<Seen> {
        for edit in rule.edits() {
            let path = self.root.join(&edit.file);
            let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
            std::fs::write(&path, edit.taken_out_of(&text)?)?;
        }
        let seen = self.run(rule);
        git(&self.root, &["checkout", "--quiet", "--force", "HEAD"])?;
        seen
    }

    fn run(&self, rule: &Rule) -> Result<Seen> {
        let mut cargo = Command::new("cargo");
        cargo.current_dir(&self.root).env("CARGO_TARGET_DIR", &self.build).arg("test");
        cargo.args(rule.run.split(' ')).args(["--", "--exact", &rule.test]);
        let output = cargo.output().context("run cargo test")?;
        let said = String::from_utf8_lossy(&output.stdout);
        let is_verdict = |line: &&str| line.starts_with("test ") && line.contains(" ... ");
        let line = said.lines().filter(is_verdict).find(|line| line.contains(rule.test_function()));
        Ok(match line {
            Some(line) if line.ends_with("... ok") => Seen::Passed,
            Some(line) if line.ends_with("... FAILED") => Seen::Failed,
            _ => Seen::Neither(last_line_of(&String::from_utf8_lossy(&output.stderr))),
        })
    }
}

fn last_line_of(text: &str) -> String {
    text.lines()
        .rfind(|line| line.starts_with("error"))
        .or(text.lines().last())
        .unwrap_or("nothing was said")
        .to_owned()
}

fn head() -> Result<String> {
    let output = Command::new("git").current_dir(repository()).args(["rev-parse", "HEAD"]).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn git(folder: &Path, arguments: &[&str]) -> Result<()> {
    let status = Command::new("git").current_dir(folder).args(arguments).status().context("run git")?;
    ensure!(status.success(), "git {} failed", arguments.join(" "));
    Ok(())
}

fn say(text: &str) -> Result<()> {
    Ok(writeln!(std::io::stdout(), "{text}")?)
}
