//! The whole local AWS, seen by botocore.
#![allow(clippy::unwrap_used, reason = "a test")]

use conformance_tests::second_client;
use local_aws::{Config, LocalAws};

/// Step Functions is moto's own and has its own self-test.
async fn stand_in() -> LocalAws {
    LocalAws::start(Config { step_functions: false, ..Config::default() }).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn botocore_finds_the_control_services_as_published() {
    let aws = stand_in().await;

    let found = second_client("control", &aws.url(), &[]).await;

    aws.stop().await;
    found.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_an_operation_answers_its_model_allows() {
    let aws = stand_in().await;

    let services = [("SUBJECT_SERVICES", "route53,secretsmanager,scheduler,events")];
    let found = second_client("sweep", &aws.url(), &services).await;

    aws.stop().await;
    found.unwrap();
}
