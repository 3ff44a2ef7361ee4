//! `pg_upgrade` from one major to a later one.

use std::fmt;
use std::path::Path;

use crate::cluster::Cluster;
use crate::config::Setting;
use crate::files::make_private_folder;
use crate::program::{blocking, run};
use crate::{Error, Result};

/// Why `pg_upgrade` gave up, with the logs it left. The old cluster is as it was.
#[derive(Debug)]
pub struct UpgradeFailure {
    /// The cause.
    pub error: Error,
    /// File names and their texts.
    pub logs: Vec<(String, String)>,
}

impl fmt::Display for UpgradeFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.error)
    }
}

impl std::error::Error for UpgradeFailure {}

impl From<Error> for UpgradeFailure {
    fn from(error: Error) -> Self {
        Self { error, logs: Vec::new() }
    }
}

/// Logical slots survive from 17 on, and both servers must allow them while `pg_upgrade` looks.
const SLOT_SETTINGS: &[(&str, &str)] =
    &[("wal_level", "logical"), ("max_replication_slots", "100"), ("max_wal_senders", "10")];

impl Cluster {
    /// Upgrade the stopped cluster into a new one named `name`, with the logs that `pg_upgrade` kept. The old cluster
    /// stays as it is: files are copied, so that a failure leaves a server that can be started.
    ///
    /// Both servers run with `settings` meanwhile: with PostgreSQL's own defaults `pg_dump` cannot lock many tables.
    pub async fn upgrade(
        &self,
        major: u16,
        name: &str,
        settings: &[Setting],
    ) -> std::result::Result<(Cluster, Vec<(String, String)>), UpgradeFailure> {
        let servers = self.servers();
        let target = servers.create_cluster(major, name).await?;
        let sockets = servers.shared.scratch.join(format!("s{}", servers.next_number()));
        make_private_folder(&sockets, servers.shared.user)?;

        let mut command = target.programs().command("pg_upgrade", target.folder());
        command
            .arg("--old-bindir")
            .arg(self.programs().bin())
            .arg("--new-bindir")
            .arg(target.programs().bin())
            .arg("--old-datadir")
            .arg(self.data_folder())
            .arg("--new-datadir")
            .arg(target.data_folder())
            .arg("--socketdir")
            .arg(&sockets)
            .args(["--username", crate::ADMIN, "--retain"]);
        if major >= 15 {
            command.arg("--no-sync"); // a scratch folder outlives no crash
        }
        let options = server_options(self.major(), settings);
        command.args(["--old-options", &options, "--new-options", &options]);
        let outcome = run(command).await;

        let logs = collect_logs(&target).await?;
        std::fs::remove_dir_all(&sockets).map_err(Error::file("remove", &sockets))?;
        match outcome {
            Ok(()) => Ok((target, logs)),
            Err(error) => {
                target.remove().await?;
                Err(UpgradeFailure { error, logs })
            }
        }
    }
}

/// What the servers are started with, for the shell.
fn server_options(old_major: u16, settings: &[Setting]) -> String {
    let for_slots = if old_major >= 17 { SLOT_SETTINGS } else { &[] };
    let given = settings.iter().map(|setting| (setting.name.as_str(), setting.value.as_str()));
    let all = given.chain(for_slots.iter().copied());
    all.map(|(name, value)| format!("-c {name}={value}")).collect::<Vec<_>>().join(" ")
}

/// Up to 14 `pg_upgrade` writes its logs to the working folder, later ones below the new data folder.
async fn collect_logs(target: &Cluster) -> Result<Vec<(String, String)>> {
    let (folder, output) = (target.folder().to_owned(), target.data_folder().join("pg_upgrade_output.d"));
    blocking(move || {
        let mut logs = Vec::new();
        read_logs(&folder, &mut logs)?;
        if output.exists() {
            for run in std::fs::read_dir(&output).map_err(Error::file("list", &output))?.flatten() {
                read_logs(&run.path().join("log"), &mut logs)?;
                read_logs(&run.path(), &mut logs)?;
            }
            std::fs::remove_dir_all(&output).map_err(Error::file("remove", &output))?;
        }
        logs.sort();
        Ok(logs)
    })
    .await
}

fn read_logs(folder: &Path, logs: &mut Vec<(String, String)>) -> Result<()> {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_log = name.ends_with(".log") || name.ends_with(".txt");
        if is_log && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            let text = std::fs::read(entry.path()).map_err(Error::file("read", &entry.path()))?;
            logs.push((name, String::from_utf8_lossy(&text).into_owned()));
        }
    }
    Ok(())
}
