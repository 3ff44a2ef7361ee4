//! Connection tests. DMS starts no task without a good test of both endpoints from its instance.

use aws_sdk_databasemigration::types::Connection;
use pgleap_contract::{ErrorCode, redact};
use pgleap_step_kit::aws::{AwsError, Class, Doing, Optional};
use pgleap_step_kit::{StepError, StepResult};

use crate::Dms;
use crate::explain::{Route, explain};
use crate::find::filter;

/// How the tests of an instance's endpoints stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connections {
    /// All succeeded.
    Good,
    /// At least one is under way; what it is.
    Testing(String),
}

/// A test that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedTest {
    /// The endpoint's identifier.
    pub endpoint: String,
    /// DMS's words.
    pub said: String,
}

/// The tests of an instance's endpoints, failures unexplained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tests {
    /// All succeeded.
    Good,
    /// At least one is under way; what it is.
    Testing(String),
    /// At least one failed; each of these is being tested again.
    Failed(Vec<FailedTest>),
}

/// The failures as one error: the first one's word, all explanations.
pub fn explained(failed: &[FailedTest], route: impl Fn(&str) -> Route) -> StepError {
    let explanations: Vec<_> = failed.iter().map(|test| (test, explain(&test.said, &route(&test.endpoint)))).collect();
    let code = explanations.first().map_or(ErrorCode::ConnectionTestFailed, |(_, (code, _))| *code);
    let lines = explanations.iter().map(|(test, (_, means))| format!("test connection of {}: {means}", test.endpoint));
    StepError::new(code, lines.collect::<Vec<_>>().join("; "))
}

impl Dms {
    /// Look at the test of each endpoint, start the ones that were never made.
    ///
    /// A failed one is an error whose word and message say what it means, and is started again before that is said: a new
    /// instance's network or role may need a moment, and so a retrier in the machine is all that it takes to try again, a bounded
    /// number of times.
    pub async fn connections(&self, instance_arn: &str, endpoint_arns: &[&str]) -> StepResult<Connections> {
        match self.tests(instance_arn, endpoint_arns).await? {
            Tests::Good => Ok(Connections::Good),
            Tests::Testing(names) => Ok(Connections::Testing(names)),
            Tests::Failed(failed) => {
                // Which database is behind an endpoint, DMS does not show where the login is in a secret.
                let instance = instance_arn.rsplit(':').next().unwrap_or(instance_arn);
                let route = |endpoint: &str| Route {
                    instance: format!("replication instance {instance}"),
                    host: format!("the database of {endpoint}"),
                    ..Route::default()
                };
                Err(explained(&failed, route))
            }
        }
    }

    /// As [`Dms::connections`], with the failures as DMS words them.
    pub async fn tests(&self, instance_arn: &str, endpoint_arns: &[&str]) -> StepResult<Tests> {
        let mut waiting = Vec::new();
        let mut failed = Vec::new();
        for endpoint_arn in endpoint_arns {
            let found = self.connection(instance_arn, endpoint_arn).await?;
            let endpoint = found
                .as_ref()
                .and_then(|c| c.endpoint_identifier.clone())
                .unwrap_or_else(|| (*endpoint_arn).to_owned());
            match found.as_ref().and_then(|c| c.status.as_deref()) {
                Some("successful") => {}
                None => {
                    self.test(instance_arn, endpoint_arn).await?;
                    waiting.push(endpoint);
                }
                Some("failed") => {
                    let said = redact(
                        found.as_ref().and_then(|c| c.last_failure_message.as_deref()).unwrap_or("DMS gives no reason"),
                    );
                    self.test(instance_arn, endpoint_arn).await?;
                    failed.push(FailedTest { endpoint, said });
                }
                Some(_testing_or_deleting) => waiting.push(endpoint),
            }
        }
        Ok(match (failed.is_empty(), waiting.is_empty()) {
            (false, _) => Tests::Failed(failed),
            (true, false) => Tests::Testing(waiting.join(", ")),
            (true, true) => Tests::Good,
        })
    }

    /// Test again endpoints whose tests DMS has forgotten or no longer believes (a database behind them was rebuilt).
    pub async fn retest(&self, instance_arn: &str, endpoint_arns: &[&str]) -> StepResult<()> {
        for endpoint_arn in endpoint_arns {
            self.test(instance_arn, endpoint_arn).await?;
        }
        Ok(())
    }

    async fn connection(&self, instance: &str, endpoint: &str) -> Result<Option<Connection>, AwsError> {
        let filters = [filter("endpoint-arn", [endpoint]), filter("replication-instance-arn", [instance])];
        let answer = self.client.describe_connections().set_filters(Some(filters.to_vec())).send().await;
        let found = answer.doing(format!("describe connection of {endpoint}")).optional()?;
        Ok(found.and_then(|page| page.connections.unwrap_or_default().into_iter().next()))
    }

    async fn test(&self, instance_arn: &str, endpoint_arn: &str) -> Result<(), AwsError> {
        let answer = self
            .client
            .test_connection()
            .replication_instance_arn(instance_arn)
            .endpoint_arn(endpoint_arn)
            .send()
            .await;
        match answer.doing(format!("test connection of {endpoint_arn}")) {
            // "Connection is already being tested": somebody was faster.
            Err(error) if error.is(Class::WrongState) => Ok(()),
            other => other.map(|_connection| ()),
        }
    }
}
