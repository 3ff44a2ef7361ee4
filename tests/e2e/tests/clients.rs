//! The clients against real servers: a switch by hand, seen from outside, and damage that they must notice.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use local_aws_core::{Call, Hosts, Service};
use local_aws_postgres::{
    Binaries, CertificateAuthority, Cluster, Durability, Encryption, Listen, Scratch, ServerFiles, Servers, Setting,
    Shutdown, free_port,
};
use local_aws_route53::{DnsServer, Route53, Zones};
use rehearsal::clients::{Clients, Crew, Kind, Observed, OwnCounts, OwnTables, Way, find_rows, invariants};
use rehearsal::connect::{Connector, Login};
use rehearsal::fixture::{self, Size};
use rehearsal::follow::HostSource;
use rehearsal::names::{Answer, Names};
use serde_json::json;
use tokio_postgres::Client;

const RECORD: &str = "shop-db.example.internal";
const MASTER: &str = "
    CREATE ROLE rds_superuser NOLOGIN;
    CREATE ROLE shop_admin LOGIN CREATEDB CREATEROLE PASSWORD 'secret' IN ROLE rds_superuser;
    CREATE DATABASE shop OWNER shop_admin";

/// Two names with an address each, and a record that leads to one of them.
struct Bench {
    _scratch: Scratch,
    servers: Servers,
    authority: CertificateAuthority,
    route53: Route53,
    zone: String,
    dns: DnsServer,
    hosts: Hosts,
    port: u16,
}

impl Bench {
    async fn new() -> Self {
        let scratch = Scratch::create().unwrap();
        let servers = Servers::new(&scratch, Binaries::find().unwrap(), Durability::UntilPowerFails).unwrap();
        let authority = CertificateAuthority::create(scratch.path()).unwrap();
        let (zones, hosts) = (Zones::new(Duration::from_millis(200)), Hosts::default());
        let route53 = Route53::new(zones.clone());
        let dns = DnsServer::start(zones, hosts.clone()).await.unwrap();
        let zone = route53
            .call(&Call::new("CreateHostedZone", json!({ "Name": "example.internal", "CallerReference": "test" })))
            .await
            .unwrap()["HostedZone"]["Id"]
            .as_str()
            .unwrap()
            .trim_start_matches("/hostedzone/")
            .to_owned();
        let port = free_port().unwrap();
        Self { _scratch: scratch, servers, authority, route53, zone, dns, hosts, port }
    }

    fn endpoint(&self, name: &str) -> (String, Listen) {
        let host = format!("{name}.abc123.eu-west-1.rds.amazonaws.com");
        let address = self.servers.addresses().take(self.port).unwrap();
        self.hosts.set(&host, address);
        (host, Listen { address, port: self.port })
    }

    fn files(&self, host: &str, listen: Listen) -> ServerFiles {
        ServerFiles {
            listen,
            encryption: Encryption::Required(self.authority.issue(host).unwrap()),
            closed_databases: vec![],
            peer: None,
            settings: vec![Setting::new("max_connections", "60")],
        }
    }

    async fn point_record_at(&self, host: &str) {
        let record = json!({ "Name": RECORD, "Type": "CNAME", "TTL": 1, "ResourceRecords": [{ "Value": host }] });
        let changes = json!({ "Changes": [{ "Action": "UPSERT", "ResourceRecordSet": record }] });
        let call = Call::new("ChangeResourceRecordSets", json!({ "HostedZoneId": self.zone, "ChangeBatch": changes }));
        let change = self.route53.call(&call).await.unwrap()["ChangeInfo"]["Id"].clone();
        let began = Instant::now();
        // A resolver that was asked too early would keep the refusal.
        while self.route53.call(&Call::new("GetChange", json!({ "Id": change }))).await.unwrap()["ChangeInfo"]["Status"]
            == "PENDING"
        {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let names = Names::new(self.dns.address()).unwrap();
        while !names.resolve(RECORD).await.is_ok_and(|answer| answer.endpoint == host) {
            assert!(began.elapsed() < Duration::from_secs(10), "{RECORD} does not lead to {host}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn connector(&self) -> Connector {
        Connector::new(self.authority.certificate_path(), self.port).unwrap()
    }

    async fn loaded(&self, major: u16) -> (Cluster, Listen) {
        let (cluster, listen, master) = self.started(major).await;
        fixture::load(&master, Size::of_megabytes(0)).await.unwrap();
        (cluster, listen)
    }

    /// An empty database that the record leads to, and a session of its owner.
    async fn started(&self, major: u16) -> (Cluster, Listen, Client) {
        let cluster = self.servers.create_cluster(major, "source").await.unwrap();
        let (host, listen) = self.endpoint("source");
        cluster.start(self.files(&host, listen)).await.unwrap();
        let admin = cluster.admin("postgres").await.unwrap();
        for statement in MASTER.split_inclusive(';') {
            admin.batch_execute(statement).await.unwrap();
        }
        let answer = Answer { endpoint: host.clone(), address: listen.address };
        let master = self.connector().connect(&answer, &login("shop_admin", "secret"), "load").await.unwrap();
        self.point_record_at(&host).await;
        (cluster, listen, master)
    }

    fn start_clients(&self) -> Clients {
        let members = vec![
            (Kind::App, login("shop_app", "app-of-the-rehearsal"), 4),
            (Kind::Owner, login("shop_owner", "owner-of-the-rehearsal"), 2),
            (Kind::Master, login("shop_admin", "secret"), 2),
        ];
        self.start_crew(members, Arc::default())
    }

    fn start_crew(&self, members: Vec<(Kind, Login, u32)>, own: Arc<OwnTables>) -> Clients {
        let crew = Crew { members, tps: 200, visitors: 0, size: Size::of_megabytes(0), own };
        let names = Arc::new(Names::new(self.dns.address()).unwrap());
        Clients::start(&crew, &Way { names, connector: self.connector(), host: HostSource::Name(RECORD.to_owned()) })
    }
}

fn login(user: &str, password: &str) -> Login {
    Login { user: user.to_owned(), password: password.to_owned(), database: "shop".to_owned() }
}

async fn until_acknowledged(clients: &Clients, wanted: u64) {
    let began = Instant::now();
    while clients.acknowledged() < wanted {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "{} of {wanted} writes, {:?}",
            clients.acknowledged(),
            clients.trouble()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn judged(observed: &Observed, cluster: &Cluster) -> (u64, u64) {
    let admin = cluster.admin("shop").await.unwrap();
    let found = find_rows(&admin, &[Kind::App, Kind::Owner, Kind::Master], &OwnTables::default(), &observed.ledger)
        .await
        .unwrap();
    let judgement = observed.ledger.judge(&found);
    assert_eq!(judgement.examples.is_empty(), judgement.lost + judgement.duplicated == 0);
    (judgement.lost, judgement.duplicated)
}

#[tokio::test]
async fn clients_follow_the_record_to_an_upgraded_server_and_miss_nothing() {
    let bench = Bench::new().await;
    let (source, at_source) = bench.loaded(15).await;
    let clients = bench.start_clients();
    until_acknowledged(&clients, 300).await;

    source.stop(Shutdown::Fast).await.unwrap();
    let (target, _logs) = source.upgrade(18, "target", &[]).await.unwrap();
    let (host, at_target) = bench.endpoint("target");
    target.start(bench.files(&host, at_target)).await.unwrap();
    bench.point_record_at(&host).await;
    let at_switch = clients.acknowledged();
    until_acknowledged(&clients, at_switch + 300).await;
    let observed = clients.stop().await;

    assert_eq!(observed.faults, [].into(), "errors that no switch explains");
    assert_eq!(judged(&observed, &target).await, (0, 0));
    let broken: Vec<_> = invariants(&target.admin("shop").await.unwrap()).await.unwrap();
    assert!(broken.iter().all(|invariant| invariant.holds), "{broken:#?}");
    let outage = observed.together.outage(at_source.address, at_target.address).unwrap();
    assert!((0.5..60.0).contains(&outage), "{outage}");
    assert!(observed.each.iter().all(|one| one.outage(at_source.address, at_target.address).unwrap() >= outage));
    assert_eq!(observed.together.acknowledged.len(), 2, "{:?}", observed.together);
}

#[tokio::test]
async fn clients_notice_a_lost_row_a_stale_row_and_a_row_that_is_there_twice() {
    let bench = Bench::new().await;
    let (server, listen) = bench.loaded(16).await;
    let clients = bench.start_clients();
    until_acknowledged(&clients, 600).await;
    let observed = clients.stop().await;
    assert_eq!(observed.together.acknowledged.keys().copied().collect::<Vec<Ipv4Addr>>(), [listen.address]);
    assert_eq!(judged(&observed, &server).await, (0, 0));

    let admin = server.admin("shop").await.unwrap();
    let damage = "
        DELETE FROM shop.invoices WHERE token IN (SELECT token FROM shop.invoices ORDER BY id DESC LIMIT 1);
        UPDATE shop.documents SET body = body || '.' WHERE id IN (SELECT id FROM shop.documents WHERE title = 'from a client' LIMIT 1);
        INSERT INTO pgbench_history SELECT * FROM pgbench_history LIMIT 2;";
    admin.batch_execute(damage).await.unwrap();

    assert_eq!(judged(&observed, &server).await, (2, 2));
    assert!(!invariants(&admin).await.unwrap()[0].holds);
}

#[tokio::test]
async fn clients_write_to_tables_that_they_know_from_the_catalogs_only_and_notice_what_is_lost_there() {
    let bench = Bench::new().await;
    let (server, _, owner) = bench.started(15).await;
    owner.batch_execute(include_str!("../schema/operators.sql")).await.unwrap();
    let own = Arc::new(OwnTables::find(&owner, true).await.unwrap());
    let refused =
        |table: &str| own.not_written.iter().find(|one| one.table.ends_with(table)).map(|one| one.reason.as_str());
    assert_eq!(refused("\"refused\""), Some("closed"));
    assert!(
        ["ruled", "small", "country"].iter().all(|name| refused(&format!("\"{name}\"")).is_some()),
        "{:?}",
        own.not_written
    );
    assert_eq!((own.names().len(), own.not_written.len()), (8, 4), "{:?}", own.not_written);
    let nothing_stays = "SELECT (SELECT count(*) FROM app.customer) = 500 AND (SELECT count(*) FROM app.token) = 0";
    assert!(owner.query_one(nothing_stays, &[]).await.unwrap().get::<_, bool>(0));

    let clients = bench.start_crew(vec![(Kind::Own, login("shop_admin", "secret"), 6)], Arc::clone(&own));
    until_acknowledged(&clients, 1_500).await;
    let observed = clients.stop().await;

    assert_eq!(observed.faults, [].into(), "{:?}", observed.own_writes);
    assert_eq!(observed.own_writes.len(), 8, "{:?}", observed.own_writes);
    let sum = |count: fn(&OwnCounts) -> u64| observed.own_writes.values().map(count).sum::<u64>();
    let sums =
        [sum(|c| c.inserts), sum(|c| c.updates), sum(|c| c.deletes), sum(|c| c.key_updates), sum(|c| c.rejected)];
    assert!(sums[..4].iter().all(|count| *count > 10), "{sums:?}");
    assert!(sums[4] < 150, "{:?}", observed.own_writes);
    let admin = server.admin("shop").await.unwrap();
    let lost = async || {
        let found = find_rows(&admin, &[Kind::Own], &own, &observed.ledger).await.unwrap();
        observed.ledger.judge(&found).lost
    };
    assert_eq!(lost().await, 0);

    let damage = "
        UPDATE app.purchase SET scan = 'x' WHERE id IN (SELECT max(id) FROM app.purchase);
        DELETE FROM app.event WHERE id IN (SELECT id FROM app.event WHERE id <> ALL (SELECT md5(n::text)::uuid FROM generate_series(1, 300) n) LIMIT 1);
        DELETE FROM app.log WHERE at = (SELECT at FROM app.log GROUP BY at HAVING count(*) = 1 LIMIT 1)";
    admin.batch_execute(damage).await.unwrap();
    assert_eq!(lost().await, 3);
}
