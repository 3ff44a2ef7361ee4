//! Programs and empty clusters, from which all others are made.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use crate::files::{make_private_folder, write_private_file};
use crate::program::{Programs, blocking, run};
use crate::server_user::ServerUser;
use crate::servers::ADMIN;
use crate::{Binaries, Error, Result, Scratch};

/// An empty cluster per major: `initdb` takes a second or more, a copy of its result a tenth.
#[derive(Debug)]
pub(crate) struct Templates {
    scratch: PathBuf,
    binaries: Binaries,
    user: ServerUser,
    admin_password: String,
    made: Mutex<HashMap<u16, Arc<OnceCell<PathBuf>>>>,
}

impl Templates {
    /// Below a scratch folder, which must outlive everything that is made of them.
    pub(crate) fn new(scratch: &Scratch, binaries: Binaries, user: ServerUser) -> Result<Self> {
        let scratch = scratch.path().to_owned();
        make_private_folder(&scratch.join("templates"), user)?;
        Ok(Self { scratch, binaries, user, admin_password: random_password(), made: Mutex::default() })
    }

    /// The majors that can be served.
    pub(crate) fn majors(&self) -> Vec<u16> {
        self.binaries.majors()
    }

    /// The password of [`ADMIN`] in every cluster.
    pub(crate) fn admin_password(&self) -> &str {
        &self.admin_password
    }

    /// The programs of a major, where the servers' user can run them.
    pub(crate) async fn programs(&self, major: u16) -> Result<Programs> {
        let (binaries, user, scratch) = (self.binaries.clone(), self.user, self.scratch.clone());
        let home = blocking(move || binaries.reachable_home(major, user, &scratch)).await?;
        Ok(Programs { major, home, user })
    }

    /// The data folder of an empty cluster, made once.
    pub(crate) async fn of(&self, major: u16) -> Result<PathBuf> {
        let cell = {
            let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
            made.entry(major).or_default().clone()
        };
        cell.get_or_try_init(|| self.make(major)).await.cloned()
    }

    async fn make(&self, major: u16) -> Result<PathBuf> {
        let programs = self.programs(major).await?;
        let folder = self.scratch.join("templates");
        let (data, password_file) = (folder.join(major.to_string()), folder.join(format!("{major}.password")));
        write_private_file(&password_file, &self.admin_password, self.user)?;
        let mut command = programs.command("initdb", &folder);
        command
            .args(["--no-sync", "--locale=C.UTF-8", "--encoding=UTF8", "--username", ADMIN])
            // pg_upgrade enters by the local line; a running server's own pg_hba.conf lies elsewhere.
            .args(["--auth-local=trust", "--auth-host=scram-sha-256"])
            .arg("--pwfile")
            .arg(&password_file)
            .arg("--pgdata")
            .arg(&data);
        if major >= 18 {
            // Clusters of all majors must agree, or pg_upgrade refuses.
            command.arg("--no-data-checksums");
        }
        run(command).await?;
        remove_file(&password_file)?;
        Ok(data)
    }
}

fn remove_file(path: &Path) -> Result<()> {
    std::fs::remove_file(path).map_err(Error::file("remove", path))
}

/// For servers that listen on loopback for the length of a test: not predictable is enough.
fn random_password() -> String {
    use std::hash::{BuildHasher, Hasher};
    (0..2).map(|_| format!("{:016x}", std::collections::hash_map::RandomState::new().build_hasher().finish())).collect()
}
