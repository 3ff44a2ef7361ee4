//! Clusters with the fixture, without the rest of the stand-in.

use local_aws_postgres::{
    Binaries, Cluster, Durability, Listen, Scratch, ServerFiles, Servers, Setting, Shutdown, connect,
};
use rehearsal::fixture::{self, Size};
use tokio_postgres::Client;

/// A master user with RDS's roles around it, as far as the fixture can tell the difference.
const MASTER: &str = "
    CREATE ROLE rds_superuser NOLOGIN;
    CREATE ROLE shop_admin LOGIN CREATEDB CREATEROLE PASSWORD 'secret' IN ROLE rds_superuser;
    GRANT pg_monitor, pg_signal_backend TO rds_superuser WITH ADMIN OPTION;";

pub(crate) struct Bench {
    servers: Servers,
    _scratch: Scratch,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let scratch = Scratch::create().unwrap();
        let servers = Servers::new(&scratch, Binaries::find().unwrap(), Durability::UntilPowerFails).unwrap();
        Self { servers, _scratch: scratch }
    }

    /// A running cluster with the smallest fixture in database `shop`.
    pub(crate) async fn source(&self, major: u16) -> Cluster {
        let cluster = self.servers.start_plain(major, &format!("source{major}"), logical()).await.unwrap();
        let admin = cluster.admin("postgres").await.unwrap();
        admin.batch_execute(MASTER).await.unwrap();
        admin.batch_execute("CREATE DATABASE shop OWNER shop_admin").await.unwrap();
        fixture::load(&master(&cluster).await, Size::of_megabytes(0)).await.unwrap();
        cluster
    }

    /// The stopped cluster's upgraded copy, running at an address of its own.
    pub(crate) async fn upgraded(&self, old: &Cluster, major: u16) -> Cluster {
        let (new, _logs) = old.upgrade(major, &format!("to{major}from{}", old.major()), &[]).await.unwrap();
        let port = local_aws_postgres::free_port().unwrap();
        let address = self.servers.addresses().take(port).unwrap();
        new.start(ServerFiles::plain(Listen { address, port }, logical())).await.unwrap();
        new
    }
}

fn logical() -> Vec<Setting> {
    vec![Setting::new("wal_level", "logical")]
}

async fn master(cluster: &Cluster) -> Client {
    let mut config = cluster.admin_config();
    connect(config.dbname("shop").user("shop_admin").password("secret")).await.unwrap()
}

/// Stop a cluster for its upgrade; the files are what it was started with.
pub(crate) async fn stop(cluster: &Cluster) -> ServerFiles {
    let files = cluster.files().unwrap();
    cluster.stop(Shutdown::Fast).await.unwrap();
    files
}
