//! Route 53 of the local AWS, seen by botocore and by the functions' own SDK crate.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_route53::types::{Change, ChangeAction, ChangeBatch, ResourceRecord, ResourceRecordSet, RrType};
use conformance_tests::{rust_sdk_config, second_client};
use local_aws_core::{ChangeBatchErrors, Controls, Gateway};
use local_aws_route53::{Route53, Zones};

async fn gateway(change_batch_errors: ChangeBatchErrors) -> Gateway {
    let service = Route53::new(Zones::new(Duration::from_millis(300)));
    let controls = Controls { change_batch_errors, ..Controls::default() };
    let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Gateway::bind(free, vec![Arc::new(service)], Vec::new(), controls).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn botocore_finds_route53_as_published() {
    let gateway = gateway(ChangeBatchErrors::Usual).await;

    second_client("route53", &gateway.url(), &[]).await.unwrap();
}

fn delete_what_is_not_there() -> ChangeBatch {
    let record = ResourceRecordSet::builder().name("db.example.com").r#type(RrType::Cname).ttl(60);
    let record = record.resource_records(ResourceRecord::builder().value("x.").build().unwrap()).build().unwrap();
    let change = Change::builder().action(ChangeAction::Delete).resource_record_set(record).build().unwrap();
    ChangeBatch::builder().changes(change).build().unwrap()
}

#[tokio::test]
async fn a_refused_batch_reaches_the_rust_sdk_in_both_of_its_forms() {
    for (form, code) in [(ChangeBatchErrors::Usual, Some("InvalidChangeBatch")), (ChangeBatchErrors::Messages, None)] {
        let gateway = gateway(form).await;
        let route53 = aws_sdk_route53::Client::new(&rust_sdk_config(&gateway.url()).await);
        let zone = route53.create_hosted_zone().name("example.com").caller_reference("one").send().await.unwrap();
        let id = zone.hosted_zone().unwrap().id();

        let change = route53.change_resource_record_sets().hosted_zone_id(id).change_batch(delete_what_is_not_there());
        let refused = change.send().await.unwrap_err();

        let body = String::from_utf8_lossy(refused.raw_response().unwrap().body().bytes().unwrap()).into_owned();
        assert!(body.contains("but it was not found"), "{body}");
        assert_eq!(refused.into_service_error().meta().code(), code, "{form:?}");
    }
}
