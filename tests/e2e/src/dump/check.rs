//! What is wrong with a dump, said before anything is started.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use super::script::{Command, Scanner};
use crate::stage::DATABASE;

/// Files that include each other in a circle end here.
const DEEPEST: usize = 16;

/// Refuse what psql could not restore here, with one sentence that names the line.
pub fn check(dump: &Path) -> Result<()> {
    ensure!(dump.is_file(), "--dump {}: the file does not exist", dump.display());
    let mut beginning = [0; 5];
    let read = File::open(dump).and_then(|mut file| file.read(&mut beginning));
    let read = read.with_context(|| format!("--dump {}: read it", dump.display()))?;
    ensure!(
        &beginning[..read] != b"PGDMP",
        "--dump {0}: this is pg_dump's custom format; convert it to plain SQL first: pg_restore --no-owner --file=dump.sql {0}",
        dump.display()
    );
    ensure!(
        !beginning[..read].starts_with(&[0x1f, 0x8b]),
        "--dump {}: this file is compressed with gzip; decompress it first",
        dump.display()
    );
    check_file(dump, &folder_of(dump), 0)
}

/// Where psql runs: relative paths in a dump are relative to the dump.
pub(super) fn folder_of(dump: &Path) -> PathBuf {
    match dump.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Whether psql would stop at the first failed statement from here on; the dump that is restored goes without it.
pub(super) fn stops_at_errors(command: &Command) -> bool {
    command.name == "set" && command.arguments().first().is_some_and(|name| name == "ON_ERROR_STOP")
}

fn check_file(file: &Path, folder: &Path, depth: usize) -> Result<()> {
    let mut folder = folder.to_owned();
    let mut scanner = Scanner::default();
    let opened = File::open(file).with_context(|| format!("--dump {}: open it", file.display()))?;
    let mut reader = BufReader::new(opened);
    let (mut line, mut number) = (Vec::new(), 0);
    while reader.read_until(b'\n', &mut line).with_context(|| format!("--dump {}: read it", file.display()))? > 0 {
        number += 1;
        for command in scanner.line(&line) {
            if command.name == "q" || command.name == "quit" {
                return Ok(());
            }
            let place = format!("--dump {}, line {number}: `\\{} {}`", file.display(), command.name, command.text);
            check_command(&command, &mut folder, file, depth, &place)?;
        }
        line.clear();
    }
    Ok(())
}

fn check_command(command: &Command, folder: &mut PathBuf, file: &Path, depth: usize, place: &str) -> Result<()> {
    let arguments = command.arguments();
    match command.name.as_str() {
        "c" | "connect" if !stays_here(&arguments) => bail!(
            "{place} connects to another database or as another role, but the rehearsal upgrades one database ({DATABASE}) \
             and restores all of it as its owner. Remove this line, and CREATE DATABASE if the dump has it (pg_dump without \
             --create writes neither)"
        ),
        "password" | "prompt" | "e" | "edit" | "ef" | "ev" => {
            bail!("{place} waits for input at a terminal; remove this line")
        }
        "watch" => bail!("{place} never ends; remove this line"),
        "set" if depth > 0 && stops_at_errors(command) => bail!(
            "{place} ends the restore at the first statement that fails. The rehearsal ignores this command in the dump \
             itself, but not in files that the dump includes; remove this line"
        ),
        "cd" => {
            if let Some(to) = arguments.first() {
                *folder = folder.join(to);
            }
        }
        "copy" => {
            if let Some(copied) = command.copied_file().filter(|name| is_plain(name)) {
                let path = folder.join(&copied);
                ensure!(path.is_file(), "{place} reads {}, which does not exist", path.display());
            }
        }
        "i" | "include" | "ir" | "include_relative" => {
            let Some(included) = arguments.first().filter(|name| is_plain(name)) else { return Ok(()) };
            // The dump itself comes through a pipe: for it both are the same.
            let is_relative = command.name.starts_with("ir") || command.name == "include_relative";
            let from = if is_relative && depth > 0 { folder_of(file) } else { folder.clone() };
            let path = from.join(included);
            ensure!(path.is_file(), "{place} includes {}, which does not exist", path.display());
            ensure!(depth < DEEPEST, "{place} includes files {DEEPEST} levels deep; do they include each other?");
            check_file(&path, folder, depth + 1)?;
        }
        _ => {}
    }
    Ok(())
}

/// No variable and no program's output, which only psql knows.
fn is_plain(name: &str) -> bool {
    !name.starts_with(':') && !name.starts_with('`') && !name.starts_with('|')
}

/// A connection to the same database as the same role.
fn stays_here(arguments: &[String]) -> bool {
    let (database, others) = match arguments.split_first() {
        Some((database, others)) => (database.as_str(), others),
        None => return true,
    };
    (database == DATABASE || database == "-") && others.iter().all(|other| other == "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of a dump in a folder with other files.
    fn said(dump: &str, others: &[(&str, &str)]) -> Result<(), String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in others.iter().chain(&[("dump.sql", dump)]) {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        check(&folder.path().join("dump.sql")).map_err(|error| {
            let text = format!("{error:#}");
            assert_eq!(text.lines().count(), 1, "{text}");
            text.replace(&folder.path().display().to_string(), "/d")
        })
    }

    #[test]
    fn a_dump_that_goes_elsewhere_is_refused_with_its_line() {
        let error = said("CREATE DATABASE chinook;\n\\c chinook;\nCREATE TABLE a (id int);\n", &[]).unwrap_err();
        assert!(
            error.starts_with("--dump /d/dump.sql, line 2: `\\c chinook;` connects to another database"),
            "{error}"
        );

        for line in
            ["\\connect x", "\\c - somebody", "\\connect -reuse-previous=on \"dbname='x'\"", "\\c shop shop_dba"]
        {
            assert!(said(line, &[]).is_err(), "{line}");
        }
        for line in ["\\connect shop", "\\c shop;", "\\c", "\\c - -", "\\connect \"shop\""] {
            assert_eq!(said(line, &[]), Ok(()), "{line}");
        }
    }

    #[test]
    fn what_waits_for_a_person_or_for_ever_is_refused() {
        for line in ["\\prompt 'name' x", "\\password bob", "SELECT 1 \\watch 2", "\\e"] {
            assert!(said(line, &[]).is_err(), "{line}");
        }
    }

    #[test]
    fn files_that_are_read_must_be_there_and_are_looked_for_beside_the_dump() {
        let error = said("CREATE TABLE a (id int);\n\\copy a FROM './a.csv' CSV;\n", &[]).unwrap_err();
        assert!(error.ends_with("reads /d/./a.csv, which does not exist"), "{error}");

        assert_eq!(said("\\copy a FROM './a.csv' CSV;\n", &[("a.csv", "1\n")]), Ok(()));
        assert_eq!(said("\\cd data\n\\copy a FROM a.csv CSV\n", &[("data/a.csv", "1\n")]), Ok(()));
        assert_eq!(said("\\i sub/a.sql\n", &[("sub/a.sql", "\\ir b.sql\n"), ("sub/b.sql", "SELECT 1;\n")]), Ok(()));
        assert!(said("\\i sub/a.sql\n", &[("sub/a.sql", "\\i b.sql\n"), ("sub/b.sql", "SELECT 1;\n")]).is_err());
        assert!(said("\\ir dump.sql\n", &[]).unwrap_err().contains("include each other"));
        let error = said("\\i a.sql\n", &[("a.sql", "\n\\c other\n")]).unwrap_err();
        assert!(error.starts_with("--dump /d/a.sql, line 2"), "{error}");
    }

    #[test]
    fn stopping_at_errors_is_passed_over_in_the_dump_and_refused_in_what_it_includes() {
        assert_eq!(said("\\set ON_ERROR_STOP 1\n", &[]), Ok(()));
        assert!(said("\\i a.sql\n", &[("a.sql", "\\set ON_ERROR_STOP 1\n")]).is_err());
    }

    #[test]
    fn other_formats_are_told_how_they_become_plain_sql() {
        assert!(said("PGDMP\u{1}\u{10}", &[]).unwrap_err().contains("pg_restore"));
        assert!(said("", &[]).is_ok());
    }
}
