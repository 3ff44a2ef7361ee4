//! A backup of a running cluster, with all that an RDS snapshot holds.
//!
//! An RDS snapshot is one moment of the disk: a restored copy recovers from it as from a crash, and it carries the
//! replication slots of its source. No file system that can be counted on takes such a picture, so the files are
//! copied under PostgreSQL's own online backup (full pages are written meanwhile, and the recovery starts at the
//! backup's checkpoint), with two differences to `pg_basebackup`: `pg_replslot` and `pg_logical` come along, and the
//! WAL lies in the copy, so that the first start is a crash recovery on the same timeline.
//!
//! Recovery does not repair slots: a copied slot needs the decoding snapshots and the WAL from its own position on. While
//! somebody reads the slot, that position moves, and checkpoints remove what is older. So slots, decoding snapshots and
//! WAL are copied last, one right after the other and in this order.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tokio_postgres::Client;

use crate::cluster::Cluster;
use crate::files::{copy_folder, make_private_folder, write_private_file};
use crate::program::blocking;
use crate::{Error, Result};

/// A folder that a cluster can be made of.
#[derive(Debug, Clone)]
pub struct Backup {
    folder: PathBuf,
    major: u16,
    finished_at: SystemTime,
}

/// Holds the WAL until it is copied. Temporary, so it goes with our connection whatever happens; left out of the copy.
const SLOT: &str = "rdsadmin_snapshot";

/// Folders whose content means nothing after a restart; the folders themselves must exist.
const EMPTIED: [&str; 6] = ["pg_dynshmem", "pg_notify", "pg_serial", "pg_snapshots", "pg_stat_tmp", "pg_subtrans"];

/// Folders that are copied after all others, in this order.
const LAST: [&str; 3] = ["pg_replslot", "pg_logical", "pg_wal"];

impl Backup {
    /// The copy of the data folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The major that wrote it.
    pub fn major(&self) -> u16 {
        self.major
    }

    /// Everything committed before the backup began is in it; nothing committed after this moment is.
    pub fn finished_at(&self) -> SystemTime {
        self.finished_at
    }

    /// Bytes of the copy, as they lie on disk.
    pub async fn bytes(&self) -> Result<u64> {
        let folder = self.folder.clone();
        blocking(move || folder_bytes(&folder)).await
    }

    /// A copy that was made before, e.g. one whose owner renamed it.
    pub fn existing(folder: PathBuf, major: u16, finished_at: SystemTime) -> Self {
        Self { folder, major, finished_at }
    }

    /// Remove the files.
    pub async fn remove(self) -> Result<()> {
        blocking(move || std::fs::remove_dir_all(&self.folder).map_err(Error::file("remove", &self.folder))).await
    }
}

impl Cluster {
    /// Copy the running cluster into a new folder below the scratch folder while clients read and write.
    pub async fn backup(&self, folder: &Path) -> Result<Backup> {
        let admin = self.admin("postgres").await?;
        admin
            .execute("SELECT pg_create_physical_replication_slot($1, true, true)", &[&SLOT])
            .await
            .map_err(Error::sql("hold the WAL for a backup"))?;
        start_backup(&admin, self.major()).await?;
        self.copy(folder, |path| !is_left_out(path) && LAST.iter().all(|last| !is_inside(path, last))).await?;
        let label = stop_backup(&admin, self.major()).await?;
        write_private_file(&folder.join("backup_label"), &label, self.servers().shared.user)?;
        for last in LAST {
            self.copy(folder, move |path| path.starts_with(last) && !is_left_out(path)).await?;
        }
        Ok(Backup { folder: folder.to_owned(), major: self.major(), finished_at: SystemTime::now() })
    }

    /// Copy the data folder of the stopped cluster.
    pub async fn cold_backup(&self, folder: &Path) -> Result<Backup> {
        self.copy(folder, |path| path != Path::new("postmaster.pid")).await?;
        Ok(Backup { folder: folder.to_owned(), major: self.major(), finished_at: SystemTime::now() })
    }

    async fn copy(&self, folder: &Path, wanted: impl Fn(&Path) -> bool + Send + 'static) -> Result<()> {
        let (from, to, user) = (self.data_folder(), folder.to_owned(), self.servers().shared.user);
        blocking(move || {
            make_private_folder(&to, user)?;
            copy_folder(&from, &to, user, &wanted)
        })
        .await
    }
}

async fn start_backup(admin: &Client, major: u16) -> Result<()> {
    let statement = match major {
        ..=14 => "SELECT pg_start_backup('rdsadmin', true, false)",
        _ => "SELECT pg_backup_start('rdsadmin', true)",
    };
    admin.execute(statement, &[]).await.map_err(Error::sql("start a backup")).map(drop)
}

async fn stop_backup(admin: &Client, major: u16) -> Result<String> {
    let statement = match major {
        ..=14 => "SELECT labelfile FROM pg_stop_backup(false, false)",
        _ => "SELECT labelfile FROM pg_backup_stop(false)",
    };
    let row = admin.query_one(statement, &[]).await.map_err(Error::sql("stop a backup"))?;
    Ok(row.get(0))
}

/// What lies in a folder of which the folder itself is wanted.
fn is_inside(path: &Path, folder: &str) -> bool {
    path.starts_with(folder) && path != Path::new(folder)
}

fn is_left_out(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let parent_is = |folders: &[&str]| folders.iter().any(|folder| path.parent() == Some(Path::new(folder)));
    matches!(&*name, "postmaster.pid" | "postmaster.opts" | "backup_label.old" | "pg_internal.init")
        || name.starts_with("pgsql_tmp")
        || parent_is(&EMPTIED)
        || path == Path::new("pg_replslot").join(SLOT)
}

fn folder_bytes(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder).map_err(Error::file("list", folder))? {
        let entry = entry.map_err(Error::file("list", folder))?;
        let metadata = entry.metadata().map_err(Error::file("look at", &entry.path()))?;
        bytes += if metadata.is_dir() { folder_bytes(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_come_along_and_our_own_does_not() {
        let cases = [
            ("pg_replslot", false),
            ("pg_replslot/dms", false),
            ("pg_replslot/dms/state", false),
            ("pg_replslot/rdsadmin_snapshot", true),
            ("postmaster.pid", true),
            ("base/5/1259", false),
            ("base/5/pg_internal.init", true),
            ("base/pgsql_tmp", true),
            ("pg_notify", false),
            ("pg_notify/0000", true),
            ("global/pg_control", false),
        ];

        for (path, left_out) in cases {
            assert_eq!(is_left_out(Path::new(path)), left_out, "{path}");
        }
    }
}
