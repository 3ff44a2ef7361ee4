//! RDS of the local AWS, with real servers, seen by botocore.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;

use conformance_tests::second_client;
use local_aws_core::{Clock, Controls, EventBus, Gateway, Hosts};
use local_aws_postgres::{Binaries, CertificateAuthority, Durability, Scratch, Servers};
use local_aws_rds::{Rds, Surroundings};

async fn gateway() -> (Gateway, Scratch) {
    let scratch = Scratch::create().unwrap();
    let around = Surroundings {
        clock: Clock::new(0.01),
        hosts: Hosts::default(),
        events: EventBus::default(),
        servers: Servers::new(&scratch, Binaries::find().unwrap(), Durability::default()).unwrap(),
        authority: CertificateAuthority::create(scratch.path()).unwrap(),
        port: TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port(),
        secrets: None,
    };
    let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let services: Vec<Arc<dyn local_aws_core::Service>> = vec![Arc::new(Rds::new(around))];
    (Gateway::bind(free, services, Vec::new(), Controls::default()).await.unwrap(), scratch)
}

#[tokio::test(flavor = "multi_thread")]
async fn botocore_finds_rds_as_published() {
    let (gateway, _scratch) = gateway().await;

    second_client("rds", &gateway.url(), &[]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_an_operation_of_rds_answers_its_model_allows() {
    let (gateway, _scratch) = gateway().await;

    second_client("sweep.Sweep", &gateway.url(), &[("SUBJECT_SERVICES", "rds")]).await.unwrap();
}
