//! A streaming standby of a running server: what a read replica is to its source.

use tokio_postgres::Config;
use tokio_postgres::config::Host;

use crate::addresses::free_port;
use crate::cluster::Cluster;
use crate::config::{Listen, ServerFiles, Setting};
use crate::program::run;
use crate::servers::Servers;
use crate::tls::connect;
use crate::{Error, Result};

/// A standby refuses to start with less of these than its primary has.
/// Source: PostgreSQL documentation, "Hot Standby", Administrator's Overview.
const AT_LEAST: [&str; 5] = [
    "max_connections",
    "max_worker_processes",
    "max_wal_senders",
    "max_prepared_transactions",
    "max_locks_per_transaction",
];

impl Servers {
    /// A standby that streams from `primary` as a role with REPLICATION, by a `pg_basebackup` of it. It listens without TLS.
    pub async fn start_standby(&self, major: u16, name: &str, primary: &Config, password: &str) -> Result<Cluster> {
        let listen = self.own_address()?;
        let settings = settings_of(primary).await?;
        let cluster = self.create_cluster(major, name).await?;
        let data = cluster.data_folder();
        std::fs::remove_dir_all(&data).map_err(Error::file("remove", &data))?;
        let mut backup = cluster.programs().command("pg_basebackup", cluster.folder());
        backup.arg("-d").arg(primary_conninfo(primary, password)).arg("-D").arg(&data);
        backup.args(["--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast"]);
        run(backup).await?;
        cluster.start(ServerFiles::plain(listen, settings)).await?;
        Ok(cluster)
    }

    fn own_address(&self) -> Result<Listen> {
        let port = free_port()?;
        Ok(Listen { address: self.addresses().take(port)?, port })
    }
}

async fn settings_of(primary: &Config) -> Result<Vec<Setting>> {
    let client = connect(primary).await?;
    let sql = "SELECT name, setting FROM pg_settings WHERE name = ANY ($1)";
    let rows = client.query(sql, &[&&AT_LEAST[..]]).await.map_err(Error::sql("read the primary's settings"))?;
    Ok(rows.iter().map(|row| Setting::new(row.get::<_, String>(0), row.get::<_, String>(1))).collect())
}

fn primary_conninfo(primary: &Config, password: &str) -> String {
    let host = primary.get_hosts().iter().find_map(|host| match host {
        Host::Tcp(name) => Some(name.as_str()),
        _ => None,
    });
    let port = primary.get_ports().first().copied().unwrap_or(5432);
    let user = crate::REPLICATOR;
    format!("host={} port={port} user={user} password={password} sslmode=disable", host.unwrap_or_default())
}
