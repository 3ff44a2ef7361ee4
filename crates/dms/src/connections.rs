//! Connection tests. DMS starts no task without a good test of both endpoints from its instance.

use aws_sdk_databasemigration::Client;
use aws_sdk_databasemigration::types::Connection;
use pgleap_contract::ErrorCode;
use pgleap_step_kit::aws::{AwsError, Class, Doing, Optional};
use pgleap_step_kit::{StepError, StepResult};

use crate::find::filter;

/// How the tests of an instance's endpoints stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connections {
    /// All succeeded.
    Good,
    /// At least one is under way; what it is.
    Testing(String),
}

/// Look at the test of each endpoint, start the ones that were never made.
///
/// A failed one is `ConnectionTestFailed` with DMS's words, and is started again before that is said: a new instance's
/// network or role may need a moment, and so a retrier in the machine is all that it takes to try again, a bounded
/// number of times.
pub async fn connections(client: &Client, instance_arn: &str, endpoint_arns: &[&str]) -> StepResult<Connections> {
    let mut waiting = Vec::new();
    let mut failed = Vec::new();
    for endpoint_arn in endpoint_arns {
        let found = connection(client, instance_arn, endpoint_arn).await?;
        let name =
            found.as_ref().and_then(|c| c.endpoint_identifier.clone()).unwrap_or_else(|| (*endpoint_arn).to_owned());
        match found.as_ref().and_then(|c| c.status.as_deref()) {
            Some("successful") => {}
            None => {
                test(client, instance_arn, endpoint_arn).await?;
                waiting.push(name);
            }
            Some("failed") => {
                let said =
                    found.and_then(|c| c.last_failure_message).unwrap_or_else(|| "DMS gives no reason".to_owned());
                test(client, instance_arn, endpoint_arn).await?;
                failed.push(format!("test connection of {name}: {said}"));
            }
            Some(_testing_or_deleting) => waiting.push(name),
        }
    }
    match (failed.is_empty(), waiting.is_empty()) {
        (false, _) => Err(StepError::new(ErrorCode::ConnectionTestFailed, failed.join("; "))),
        (true, false) => Ok(Connections::Testing(waiting.join(", "))),
        (true, true) => Ok(Connections::Good),
    }
}

/// Test again endpoints whose tests DMS has forgotten or no longer believes (a database behind them was rebuilt).
pub async fn retest(client: &Client, instance_arn: &str, endpoint_arns: &[&str]) -> StepResult<()> {
    for endpoint_arn in endpoint_arns {
        test(client, instance_arn, endpoint_arn).await?;
    }
    Ok(())
}

async fn connection(client: &Client, instance: &str, endpoint: &str) -> Result<Option<Connection>, AwsError> {
    let filters = [filter("endpoint-arn", [endpoint]), filter("replication-instance-arn", [instance])];
    let answer = client.describe_connections().set_filters(Some(filters.to_vec())).send().await;
    let found = answer.doing(format!("describe connection of {endpoint}")).optional()?;
    Ok(found.and_then(|page| page.connections.unwrap_or_default().into_iter().next()))
}

async fn test(client: &Client, instance_arn: &str, endpoint_arn: &str) -> Result<(), AwsError> {
    let answer =
        client.test_connection().replication_instance_arn(instance_arn).endpoint_arn(endpoint_arn).send().await;
    match answer.doing(format!("test connection of {endpoint_arn}")) {
        // "Connection is already being tested": somebody was faster.
        Err(error) if error.is(Class::WrongState) => Ok(()),
        other => other.map(|_connection| ()),
    }
}
