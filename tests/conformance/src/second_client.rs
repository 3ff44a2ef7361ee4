//! Runs the Python side.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context as _, bail};
use tokio::process::Command;

/// Run one of the modules in `second_client/` against a gateway; its report is the error if it fails.
///
/// `more` are further environment variables that the module reads.
pub async fn second_client(module: &str, gateway_url: &str, more: &[(&str, &str)]) -> anyhow::Result<()> {
    let module = format!("second_client.{module}");
    let subject = [("SUBJECT_URL", gateway_url)];
    run_python(&["-m", "unittest", "--verbose", &module], &[&subject, more].concat()).await
}

/// The models in the repository are those that `cut.py` makes of the pinned botocore.
pub async fn cut_models_are_fresh() -> anyhow::Result<()> {
    run_python(&["../local-aws/core/models/cut.py", "--check"], &[]).await
}

async fn run_python(arguments: &[&str], environment: &[(&str, &str)]) -> anyhow::Result<()> {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let python = python(&here)?;
    let mut command = Command::new(&python);
    command
        .args(arguments)
        .current_dir(&here)
        .env_clear()
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let done = command.output().await.with_context(|| format!("run {}", python.display()))?;
    if !done.status.success() {
        bail!("run python {}: {}\n{}", arguments.join(" "), done.status, String::from_utf8_lossy(&done.stderr));
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
