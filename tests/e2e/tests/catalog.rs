//! The fixture on every major, and the differ against real upgrades: a cluster and its `pg_upgrade`d copy must not
//! differ by anything but the known list.

use local_aws_postgres::{Binaries, Cluster, Durability, Listen, Scratch, ServerFiles, Servers, Setting, Shutdown, connect};
use rehearsal::catalog::{self, Catalog, SchemaDifference};
use rehearsal::fixture::{self, Size};
use tokio_postgres::Client;

/// A master user with RDS's roles around it, as far as the fixture can tell the difference.
const MASTER: &str = "
    CREATE ROLE rds_superuser NOLOGIN;
    CREATE ROLE shop_admin LOGIN CREATEDB CREATEROLE PASSWORD 'secret' IN ROLE rds_superuser;
    GRANT pg_monitor, pg_signal_backend TO rds_superuser WITH ADMIN OPTION;";

struct Bench {
    servers: Servers,
    _scratch: Scratch,
}

impl Bench {
    fn new() -> Self {
        let scratch = Scratch::create().unwrap();
        let servers = Servers::new(&scratch, Binaries::find().unwrap(), Durability::UntilPowerFails).unwrap();
        Self { servers, _scratch: scratch }
    }

    async fn source(&self, major: u16) -> Cluster {
        let cluster = self.servers.start_plain(major, &format!("source{major}"), logical()).await.unwrap();
        let admin = cluster.admin("postgres").await.unwrap();
        admin.batch_execute(MASTER).await.unwrap();
        admin.batch_execute("CREATE DATABASE shop OWNER shop_admin").await.unwrap();
        cluster
    }
}

fn logical() -> Vec<Setting> {
    vec![Setting::new("wal_level", "logical")]
}

async fn master(cluster: &Cluster) -> Client {
    let mut config = cluster.admin_config();
    connect(config.dbname("shop").user("shop_admin").password("secret")).await.unwrap()
}

async fn read(cluster: &Cluster) -> Catalog {
    catalog::read(&cluster.admin("shop").await.unwrap()).await.unwrap()
}

async fn upgraded(old: Cluster, listen: Listen, major: u16) -> Cluster {
    old.stop(Shutdown::Fast).await.unwrap();
    let (new, _logs) = old.upgrade(major, &format!("to{major}from{}", old.major())).await.unwrap();
    new.start(ServerFiles::plain(listen, logical())).await.unwrap();
    new
}

async fn differences_of_an_upgrade(bench: &Bench, from: u16, to: u16) -> Vec<SchemaDifference> {
    let cluster = bench.source(from).await;
    fixture::load(&master(&cluster).await, Size::of_megabytes(0)).await.unwrap();
    let listen = cluster.files().unwrap().listen;
    let mut before = read(&cluster).await;

    let cluster = upgraded(cluster, listen, to).await;

    let mut after = read(&cluster).await;
    catalog::print_alike(&mut before, &after, &cluster.admin("shop").await.unwrap()).await.unwrap();
    catalog::normalise(&mut before, &mut after);
    assert!(before.objects.len() > 500, "{}", before.objects.len());
    let differences = catalog::compare(&before, &after);
    cluster.remove().await.unwrap();
    differences
}

fn lines(differences: &[SchemaDifference]) -> String {
    let line = |d: &SchemaDifference| format!("\n{} {} {}: {:?} -> {:?}", d.kind, d.name, d.fact, d.source, d.target);
    differences.iter().map(line).collect()
}

#[tokio::test]
async fn an_upgrade_alone_makes_no_difference() {
    let bench = Bench::new();
    for (from, to) in [(13, 18), (16, 17)] {
        let differences = differences_of_an_upgrade(&bench, from, to).await;

        assert!(differences.is_empty(), "{from} to {to}: {} differences{}", differences.len(), lines(&differences));
    }
}

#[tokio::test]
#[ignore = "all pairs take minutes; the two above cross every major once"]
async fn an_upgrade_between_any_two_majors_makes_no_difference() {
    for from in 13..=17 {
        for to in from + 1..=18 {
            let differences = differences_of_an_upgrade(&Bench::new(), from, to).await;

            assert!(differences.is_empty(), "{from} to {to}: {} differences{}", differences.len(), lines(&differences));
        }
    }
}
