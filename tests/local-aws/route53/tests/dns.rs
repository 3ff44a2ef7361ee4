//! The name servers, asked over UDP and TCP.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use local_aws_core::{Call, Hosts, checked};
use local_aws_route53::{DnsServer, Route53, Zones};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

const ENDPOINT: &str = "db-1.x.eu-west-1.rds.amazonaws.com";

struct Served {
    api: Route53,
    zone: Value,
    dns: DnsServer,
}

async fn served(propagation: Duration) -> Served {
    let zones = Zones::new(propagation);
    let hosts = Hosts::default();
    hosts.set(ENDPOINT, Ipv4Addr::new(127, 1, 0, 1));
    let api = Route53::new(zones.clone());
    let made = json!({"Name": "example.com", "CallerReference": "one"});
    let zone = checked(&api, &Call::new("CreateHostedZone", made)).await.unwrap()["HostedZone"]["Id"].clone();
    let dns = DnsServer::start(zones, hosts).await.unwrap();
    Served { api, zone, dns }
}

impl Served {
    async fn upsert(&self, value: &str, ttl: u32) -> Value {
        let record =
            json!({"Name": "db.example.com", "Type": "CNAME", "TTL": ttl, "ResourceRecords": [{"Value": value}]});
        let batch = json!({"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]});
        let input = json!({"HostedZoneId": self.zone, "ChangeBatch": batch});
        checked(&self.api, &Call::new("ChangeResourceRecordSets", input)).await.unwrap()["ChangeInfo"]["Id"].clone()
    }

    async fn ask_udp(&self, name: &str) -> Message {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.send_to(&question(name), self.dns.address()).await.unwrap();
        let mut answer = vec![0; 4096];
        let received = tokio::time::timeout(Duration::from_secs(5), socket.recv(&mut answer)).await;
        Message::from_vec(&answer[..received.expect("an answer over UDP").unwrap()]).unwrap()
    }

    async fn ask_tcp(&self, name: &str) -> Message {
        let mut stream = TcpStream::connect(self.dns.address()).await.unwrap();
        let question = question(name);
        stream.write_u16(u16::try_from(question.len()).unwrap()).await.unwrap();
        stream.write_all(&question).await.unwrap();
        let mut answer = vec![0; usize::from(stream.read_u16().await.unwrap())];
        stream.read_exact(&mut answer).await.unwrap();
        Message::from_vec(&answer).unwrap()
    }
}

fn question(name: &str) -> Vec<u8> {
    let mut message = Message::new(7, MessageType::Query, OpCode::Query);
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), RecordType::A));
    message.to_vec().unwrap()
}

fn answers(message: &Message) -> Vec<String> {
    message.answers.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn both_transports_answer_the_chain_to_the_endpoint() {
    let served = served(Duration::ZERO).await;
    served.upsert(ENDPOINT, 60).await;

    for answer in [served.ask_udp("db.example.com.").await, served.ask_tcp("db.example.com.").await] {
        let values: Vec<(String, String)> =
            answer.answers.iter().map(|record| (record.name.to_string(), record.data.to_string())).collect();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let endpoint = format!("{ENDPOINT}.");
        assert_eq!(values, [pair("db.example.com.", &endpoint), pair(&endpoint, "127.1.0.1")]);
        let ttls: Vec<u32> = answer.answers.iter().map(|record| record.ttl).collect();
        assert!((1..=60).contains(&ttls[0]) && (1..=5).contains(&ttls[1]), "{ttls:?}");
        assert!(answer.metadata.recursion_available && !answer.metadata.authoritative);
    }
}

#[tokio::test]
async fn a_name_that_is_not_there_is_denied_with_the_zones_soa() {
    let served = served(Duration::ZERO).await;

    let answer = served.ask_udp("nothing.example.com.").await;

    assert_eq!(answer.metadata.response_code, ResponseCode::NXDomain);
    assert_eq!(answer.authorities.len(), 1);
}

#[tokio::test]
async fn clients_see_the_old_value_until_the_change_is_in_sync() {
    let served = served(Duration::ZERO).await;
    // A TTL of 0, so that the resolver asks a name server each time.
    served.upsert("first.example.com", 0).await;
    served.api.zones().set_propagation(Duration::from_millis(300));
    let submitted = Instant::now();

    let change = served.upsert("second.example.com", 0).await;

    let mut last = (Value::Null, String::new());
    while submitted.elapsed() < Duration::from_secs(10) {
        let status = checked(&served.api, &Call::new("GetChange", json!({"Id": change}))).await.unwrap()["ChangeInfo"]
            ["Status"]
            .clone();
        last = (status, answers(&served.ask_udp("db.example.com.").await)[0].clone());
        let early = submitted.elapsed() < Duration::from_millis(300);
        if early {
            assert!(last.1.contains("first.example.com"), "{last:?}");
        }
        if last.0 == "INSYNC" {
            break;
        }
    }
    assert_eq!(last.0, "INSYNC");
    assert!(last.1.contains("second.example.com"), "{last:?}");
    assert!(submitted.elapsed() >= Duration::from_millis(300));
}
