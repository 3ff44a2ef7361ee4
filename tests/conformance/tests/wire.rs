//! The wire of every operation that is served, seen by botocore.
#![allow(clippy::unwrap_used, reason = "a test")]

use conformance_tests::{cut_models_are_fresh, mirror_gateway, second_client};

#[tokio::test(flavor = "multi_thread")]
async fn botocore_sends_and_reads_every_member_of_every_operation() {
    let gateway = mirror_gateway().await.unwrap();

    second_client("wire", &gateway.url(), &[]).await.unwrap();
}

#[tokio::test]
async fn the_cut_models_are_what_cutting_them_again_would_make() {
    cut_models_are_fresh().await.unwrap();
}
