//! Running one PostgreSQL program as the servers' user.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::server_user::ServerUser;
use crate::{Error, Result};

/// The programs of one major, ready to run.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    pub(crate) major: u16,
    pub(crate) home: PathBuf,
    pub(crate) user: ServerUser,
}

/// Enough of a program's output to see why it failed.
const OUTPUT_TAIL: usize = 4000;

impl Programs {
    /// The folder of the programs.
    pub(crate) fn bin(&self) -> PathBuf {
        self.home.join("bin")
    }

    /// A command with nothing of our own environment: `PGHOST` and its like would steer it elsewhere, and another
    /// major's libraries would break it. Its working directory lies in the scratch folder, so the watchdog finds it.
    pub(crate) fn command(&self, program: &str, working_folder: &Path) -> Command {
        let mut command = Command::new(self.bin().join(program));
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into()))
            .env("LD_LIBRARY_PATH", self.home.join("lib"))
            .env("HOME", working_folder)
            .env("LC_ALL", "C.UTF-8")
            .env("TZ", "UTC")
            .current_dir(working_folder)
            .stdin(Stdio::null());
        self.user.apply(&mut command);
        command
    }
}

/// Run a command to its end without blocking other tasks; its output only matters when it fails.
pub(crate) async fn run(mut command: Command) -> Result<()> {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let started = program.clone();
    let output = blocking(move || {
        command.output().map_err(|source| Error::Program {
            program: started,
            status: "not started".to_owned(),
            output: source.to_string(),
        })
    })
    .await?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    Err(Error::Program {
        program,
        status: output.status.to_string(),
        output: tail(text.trim(), OUTPUT_TAIL).to_owned(),
    })
}

/// Work that blocks, away from the threads that serve everything else.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("blocking work is never cancelled and does not panic")
}

/// The last bytes of a text, from a character's beginning.
pub(crate) fn tail(text: &str, bytes: usize) -> &str {
    let mut start = text.len().saturating_sub(bytes);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    &text[start..]
}
