//! A folder for one rehearsal or test, and the promise that nothing of it stays.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::server_user::ServerUser;
use crate::{Error, Result};

/// Waits until the process that made the scratch folder is gone, or lets go; then ends every process that works
/// inside the folder and removes it. It is a process of its own because nothing else survives a SIGKILL of ours, and
/// a shell because it must work without us.
///
/// A server's working directory is its data folder and everything else runs in the scratch folder too, so the working
/// directory tells our processes from all others exactly; no process id is remembered that could be used again.
const WATCHDOG: &str = r#"
trap '' HUP INT TERM
cat >/dev/null
inside() {
  ls -l /proc/[0-9]*/cwd 2>/dev/null | while IFS= read -r line; do
    case $line in
      *" -> $1" | *" -> $1/"*) pid=${line#*/proc/}; echo "${pid%%/*}" ;;
    esac
  done
}
tries=0
while pids=$(inside "$1"); [ -n "$pids" ] && [ $tries -lt 150 ]; do
  if [ $tries -lt 100 ]; then kill -QUIT $pids; else kill -KILL $pids; fi 2>/dev/null
  sleep 0.1
  tries=$((tries + 1))
done
[ -e "$1/.keep" ] || rm -rf "$1"
"#;

/// Longest path that leaves room for a Unix socket's name (107 bytes in all), which `pg_upgrade` needs.
const LONGEST_PATH: usize = 60;

/// Everything that the stand-in's servers write lies in one folder with a short name.
///
/// Dropping it ends the servers inside and removes the folder; so does the end of this process, however it ends.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    watchdog: Child,
}

impl Scratch {
    /// Make a folder below `$TMPDIR`, or below `/tmp` where that is too long or closed to the servers' user.
    pub fn create() -> Result<Self> {
        let mut parent = std::env::temp_dir();
        if parent.as_os_str().len() > LONGEST_PATH || !ServerUser::choose().can_traverse(&parent) {
            parent = PathBuf::from("/tmp");
        }
        let parent = parent.canonicalize().map_err(Error::file("find", &parent))?;
        let path = tempfile::Builder::new()
            .prefix("pgleap-")
            .rand_bytes(6)
            .tempdir_in(&parent)
            .map_err(Error::file("make a folder in", &parent))?
            .keep();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).map_err(Error::file("open", &path))?;
        let watchdog = Command::new("/bin/sh")
            .args(["-c", WATCHDOG, "pgleap-watchdog"])
            .arg(&path)
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(Error::file("watch", &path))?;
        Ok(Self { path, watchdog })
    }

    /// The folder: absolute, without symbolic links, short, open to all for traversing.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Leave the folder where it is at the end (the servers still end), for a person who looks into a failure.
    pub fn keep(&self) -> Result<()> {
        let marker = self.path.join(".keep");
        std::fs::write(&marker, "").map_err(Error::file("write", &marker))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        if let Err(error) = self.watchdog.wait() {
            tracing::warn!(folder = %self.path.display(), %error, "the scratch folder's watchdog cannot be awaited");
        }
    }
}
