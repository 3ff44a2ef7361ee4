//! Runs the Python side.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context as _, bail};
use tokio::process::Command;

/// Run one of the modules in `second_client/` against a gateway; its report is the error if it fails.
///
/// `more` are further environment variables that the module reads.
pub async fn second_client(module: &str, gateway_url: &str, more: &[(&str, &str)]) -> anyhow::Result<()> {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let python = python(&here)?;
    let mut command = Command::new(&python);
    command
        .args(["-m", "unittest", "--verbose", &format!("second_client.{module}")])
        .current_dir(&here)
        .env_clear()
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("SUBJECT_URL", gateway_url)
        .envs(more.iter().copied())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let done = command.output().await.with_context(|| format!("run {}", python.display()))?;
    if !done.status.success() {
        bail!("run second_client.{module}: {}\n{}", done.status, String::from_utf8_lossy(&done.stderr));
    }
    Ok(())
}

/// The project's own Python, or the one that `PGLEAP_PYTHON` names.
fn python(here: &std::path::Path) -> anyhow::Result<PathBuf> {
    if let Some(named) = std::env::var_os("PGLEAP_PYTHON") {
        return Ok(PathBuf::from(named));
    }
    let python = here.join("../../.local/venv/bin/python");
    if !python.exists() {
        bail!("find Python: {} is not there; `make setup` makes it", python.display());
    }
    Ok(python)
}
