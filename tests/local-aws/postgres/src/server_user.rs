//! The user that servers run as: ourselves, or somebody harmless when we are root.

use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::{Error, Result};

/// PostgreSQL refuses to run as root, and containers and build machines often are root. Then the servers run as
/// `nobody`, and the files that they touch belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ServerUser(Option<Ids>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ids {
    user: u32,
    group: u32,
}

/// `nobody` where the user database does not know the name.
const NOBODY: Ids = Ids { user: 65534, group: 65534 };

impl ServerUser {
    pub(crate) fn choose() -> Self {
        if !nix::unistd::geteuid().is_root() {
            return Self(None);
        }
        let known = nix::unistd::User::from_name("nobody").ok().flatten();
        Self(Some(known.map_or(NOBODY, |user| Ids { user: user.uid.as_raw(), group: user.gid.as_raw() })))
    }

    /// Run a command as this user.
    pub(crate) fn apply(self, command: &mut Command) {
        if let Some(ids) = self.0 {
            command.uid(ids.user).gid(ids.group);
        }
    }

    /// Give one file or folder to this user.
    pub(crate) fn own(self, path: &Path) -> Result<()> {
        match self.0 {
            Some(ids) => chown(path, Some(ids.user), Some(ids.group)).map_err(Error::file("give away", path)),
            None => Ok(()),
        }
    }

    /// Whether this user can reach what lies below a folder that it does not own.
    pub(crate) fn can_traverse(self, folder: &Path) -> bool {
        let open_to_all = |path: &Path| path.metadata().is_ok_and(|metadata| metadata.mode() & 0o001 != 0);
        self.0.is_none() || folder.ancestors().all(open_to_all)
    }
}
