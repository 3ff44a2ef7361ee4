//! Where the server programs are.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::server_user::ServerUser;
use crate::{Error, Result};

/// The variable that names the folder with a folder per major.
const HOME_VARIABLE: &str = "PGLEAP_PG_HOME";

/// Server programs by major: `<home>/<major>/bin`, as `make setup` lays them out.
#[derive(Debug, Clone)]
pub struct Binaries {
    home: PathBuf,
    /// One copy at a time; a major's copy is complete when its folder is there.
    copying: Arc<Mutex<()>>,
}

impl Binaries {
    /// The folder named by `PGLEAP_PG_HOME`, else the repository's `.local/pg`.
    pub fn find() -> Result<Self> {
        let home = std::env::var_os(HOME_VARIABLE).map_or_else(repository_home, PathBuf::from);
        Self::at(&home)
    }

    /// A given folder.
    pub fn at(home: &Path) -> Result<Self> {
        let home =
            home.canonicalize().map_err(Error::file("find the PostgreSQL servers (run `make setup`) in", home))?;
        Ok(Self { home, copying: Arc::default() })
    }

    /// The majors that are there, in ascending order.
    pub fn majors(&self) -> Vec<u16> {
        let entries = std::fs::read_dir(&self.home).into_iter().flatten().flatten();
        let mut majors: Vec<u16> = entries
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter(|major| program_in(&self.home, *major, "postgres").exists())
            .collect();
        majors.sort_unstable();
        majors
    }

    /// The folder `<home>/<major>` in a place where the servers' user can run it. Homes of users are often closed to
    /// others; then the programs are copied once into `scratch`.
    pub(crate) fn reachable_home(&self, major: u16, user: ServerUser, scratch: &Path) -> Result<PathBuf> {
        let postgres = program_in(&self.home, major, "postgres");
        if !postgres.exists() {
            return Err(Error::NoBinaries { major, path: postgres });
        }
        if user.can_traverse(&self.home) {
            return Ok(self.home.join(major.to_string()));
        }
        let _one_at_a_time = self.copying.lock().unwrap_or_else(PoisonError::into_inner);
        let copies = scratch.join("programs");
        // 13 borrows a program of 14, by a relative path.
        let lender = (major == 13).then_some(14);
        for needed in [Some(major), lender].into_iter().flatten() {
            copy_once(&self.home.join(needed.to_string()), &copies, needed, user)?;
        }
        Ok(copies.join(major.to_string()))
    }
}

fn copy_once(from: &Path, copies: &Path, major: u16, user: ServerUser) -> Result<()> {
    let (aside, complete) = (copies.join(format!("{major}.part")), copies.join(major.to_string()));
    if complete.exists() || !from.exists() {
        return Ok(());
    }
    crate::files::make_private_folder(copies, user)?;
    crate::files::copy_folder(from, &aside, user, &|_| true)?;
    std::fs::rename(&aside, &complete).map_err(Error::file("move", &aside))
}

fn program_in(home: &Path, major: u16, program: &str) -> PathBuf {
    home.join(major.to_string()).join("bin").join(program)
}

fn repository_home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../.local/pg")
}
