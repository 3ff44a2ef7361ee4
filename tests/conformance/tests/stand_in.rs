//! The whole local AWS, seen by botocore.
#![allow(clippy::unwrap_used, reason = "a test")]

use conformance_tests::second_client;
use local_aws::{Config, LocalAws};

/// Run a module of the second client against a stand-in of its own. Step Functions is moto's own and has its own
/// self-test.
async fn botocore_accepts(module: &str, services: &str) {
    let aws = LocalAws::start(Config { step_functions: false, ..Config::default() }).await.unwrap();

    let found = second_client(module, &aws.url(), &[("SUBJECT_SERVICES", services)]).await;

    aws.stop().await;
    found.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_control_services_are_as_published() {
    botocore_accepts("control", "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rds_is_as_published() {
    botocore_accepts("rds", "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_an_operation_answers_its_model_allows() {
    botocore_accepts("sweep", "rds,route53,secretsmanager,scheduler,events").await;
}
