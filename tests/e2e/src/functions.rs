//! Which builds of the functions are rehearsed: those beside this program, or the zips that `make build` made and
//! `make deploy` deploys.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::cli::RunArguments;

/// Unpacks each zip as Lambda does: its one program must be allowed to run. Python is there, because the interpreter needs it.
const UNPACK: &str = "
import os, pathlib, sys, zipfile
zips, programs = map(pathlib.Path, sys.argv[1:])
programs.mkdir()
for path in zips.glob('*/bootstrap.zip'):
    with zipfile.ZipFile(path) as archive:
        if not archive.getinfo('bootstrap').external_attr >> 16 & 0o100:
            sys.exit(f'{path}: its bootstrap is no program')
        program = programs / path.parent.name
        program.write_bytes(archive.read('bootstrap'))
        program.chmod(0o755)
";

/// A folder with a program for each step, named as the step.
pub(crate) fn programs(arguments: &RunArguments, scratch: &Path) -> Result<PathBuf> {
    match (&arguments.functions, &arguments.binaries) {
        (Some(zips), _) => unpack(zips, &scratch.join("functions")),
        (None, Some(folder)) => Ok(folder.clone()),
        (None, None) => beside_this_program(),
    }
}

/// Refuse zips that are not there or not for this computer.
pub(crate) fn check(zips: &Path) -> Result<()> {
    let built = std::fs::read_to_string(zips.join("architecture"))
        .with_context(|| format!("find the functions in {}: run make build first", zips.display()))?;
    let own = if std::env::consts::ARCH == "aarch64" { "arm64" } else { std::env::consts::ARCH };
    ensure!(
        built.trim() == own,
        "the functions in {} are built for {}, but this computer is {own}; run make build ARCH={own} first",
        zips.display(),
        built.trim()
    );
    Ok(())
}

fn unpack(zips: &Path, programs: &Path) -> Result<PathBuf> {
    let ended =
        Command::new("python3").args(["-c", UNPACK]).args([zips, programs]).output().context("start python3")?;
    let messages = String::from_utf8_lossy(&ended.stderr);
    ensure!(ended.status.success(), "unpack the functions in {}: {}", zips.display(), messages.trim());
    Ok(programs.to_owned())
}

fn beside_this_program() -> Result<PathBuf> {
    let own = std::env::current_exe().context("find this program")?;
    // Test programs live one folder below.
    let folder = own.ancestors().skip(1).find(|folder| folder.join("start-run").is_file());
    let folder = folder.context("find the functions' binaries beside this program: build the workspace first")?;
    Ok(folder.to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn zip(folder: &Path, step: &str, mode: u32) {
        let script = "
import sys, zipfile
info = zipfile.ZipInfo('bootstrap')
info.external_attr = int(sys.argv[2]) << 16
zipfile.ZipFile(sys.argv[1], 'w').writestr(info, b'#!/bin/sh\\n')";
        std::fs::create_dir_all(folder.join(step)).unwrap();
        let path = folder.join(step).join("bootstrap.zip");
        let made = Command::new("python3").args(["-c", script]).arg(path).arg(mode.to_string()).status().unwrap();
        assert!(made.success());
    }

    #[test]
    fn the_zips_that_are_deployed_become_programs_or_the_reason_is_named() {
        let (folder, zips) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let unpacked =
            |name: &str| unpack(zips.path(), &folder.path().join(name)).map_err(|error| format!("{error:#}"));
        let refused = || format!("{:#}", check(zips.path()).unwrap_err());

        assert!(refused().contains("run make build first"));
        std::fs::write(zips.path().join("architecture"), "z80\n").unwrap();
        assert!(refused().contains("are built for z80"));
        let own = if std::env::consts::ARCH == "aarch64" { "arm64" } else { std::env::consts::ARCH };
        std::fs::write(zips.path().join("architecture"), own).unwrap();
        check(zips.path()).unwrap();
        zip(zips.path(), "start-run", 0o755);
        let programs = unpacked("good").unwrap();
        assert!(std::fs::metadata(programs.join("start-run")).unwrap().permissions().mode() & 0o100 != 0);
        zip(zips.path(), "plan-run", 0o644);
        assert!(unpacked("bad").unwrap_err().contains("is no program"));
    }
}
