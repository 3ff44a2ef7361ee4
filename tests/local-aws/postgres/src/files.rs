//! Copies of data folders.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::server_user::ServerUser;
use crate::{Error, Result};

/// Make a folder that only the servers' user may enter. Not the folders above it: a copy that is late must not bring back
/// a scratch folder that is gone.
pub(crate) fn make_private_folder(path: &Path, user: ServerUser) -> Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(Error::file("make", path)(error)),
        _ => {}
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(Error::file("close", path))?;
    user.own(path)
}

/// Write a file that only the servers' user may read.
pub(crate) fn write_private_file(path: &Path, content: &str, user: ServerUser) -> Result<()> {
    fs::write(path, content).map_err(Error::file("write", path))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(Error::file("close", path))?;
    user.own(path)
}

/// Copy a folder for the servers' user. `wanted` sees the path below the folder; what it refuses is left out, with
/// everything below it. A file that vanishes meanwhile is left out too: a live data folder is copied like this.
pub(crate) fn copy_folder(from: &Path, to: &Path, user: ServerUser, wanted: &dyn Fn(&Path) -> bool) -> Result<()> {
    copy_below(from, Path::new(""), to, user, wanted)
}

fn copy_below(root: &Path, below: &Path, to: &Path, user: ServerUser, wanted: &dyn Fn(&Path) -> bool) -> Result<()> {
    make_private_folder(to, user)?;
    let folder = root.join(below);
    for entry in fs::read_dir(&folder).map_err(Error::file("list", &folder))? {
        let entry = entry.map_err(Error::file("list", &folder))?;
        let relative = below.join(entry.file_name());
        if !wanted(&relative) {
            continue;
        }
        let target = to.join(entry.file_name());
        let copied = match entry.file_type() {
            Ok(kind) if kind.is_dir() => copy_below(root, &relative, &target, user, wanted),
            Ok(_) => copy_file(&entry.path(), &target, user),
            Err(error) => Err(Error::file("look at", &entry.path())(error)),
        };
        match copied {
            Err(Error::File { source, path, .. }) if source.kind() == ErrorKind::NotFound && path.starts_with(root) => {
            }
            other => other?,
        }
    }
    Ok(())
}

fn copy_file(from: &Path, to: &Path, user: ServerUser) -> Result<()> {
    fs::copy(from, to).map_err(Error::file("copy", from))?;
    user.own(to)
}
