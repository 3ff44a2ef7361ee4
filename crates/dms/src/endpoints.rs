//! The two endpoints. Logins by reference to the run's secrets, so no password passes through here.

use aws_sdk_databasemigration::types::{
    DmsSslModeValue, Endpoint as Described, PluginNameValue, PostgreSqlSettings, ReplicationEndpointTypeValue,
};
use pgleap_contract::{ErrorCode, Run};
use pgleap_step_kit::aws::{AwsError, Class, Doing, Optional};
use pgleap_step_kit::{StepError, StepResult, arn};

use crate::Dms;
use crate::find::{filter, tags};

/// How long one statement of DMS may take, in seconds; its default of 60 ends long reads of a large table.
const STATEMENT_SECONDS: i32 = 86_400;

/// On both sides, or neither: numeric without precision travels as text, else it is rounded to 28 digits, 6 of them
/// behind the point (AWS documentation, PostgreSQL as a source for DMS).
const BOTH: &str = "MapUnboundedNumericAsString=true";

/// On the source: varchar without a length is cut here, in bytes. Preflight refuses longer values than 8,000 characters, of at
/// most four bytes each. DMS takes memory for the whole length, in each of the rows that it holds, so more would cost and serve
/// nothing (AWS documentation, PostgreSQL as a source for DMS; estimates of memory).
const OF_SOURCE: &str = "unboundedVarcharMaxSize=32000";

/// An endpoint as the run wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedEndpoint<'a> {
    /// Its identifier.
    pub name: String,
    /// Source or target.
    pub side: Side,
    /// The database behind it.
    pub database: &'a str,
    /// Name of the run's secret with its login, host and port.
    pub secret: String,
    /// ARN of the role with which DMS reads the run's secrets.
    pub secret_role: &'a str,
}

/// What DMS does at an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Side {
    /// It reads rows and changes: by `test_decoding`, without its own triggers for DDL or a heartbeat, and rather fails than
    /// to cut a large value or trailing blanks.
    Source,
    /// It writes them.
    Target {
        /// What it does first in each session, as SQL.
        after_connect: Option<String>,
    },
}

/// An endpoint that exists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Endpoint {
    /// It is on its way out.
    pub is_being_deleted: bool,
    name: String,
    arn: Option<String>,
}

impl Endpoint {
    /// Its ARN.
    ///
    /// # Errors
    /// It has none.
    pub fn arn(&self) -> Result<&str, AwsError> {
        arn(&format!("endpoint {}", self.name), self.arn.as_deref())
    }
}

impl WantedEndpoint<'_> {
    fn settings(&self) -> PostgreSqlSettings {
        let both = PostgreSqlSettings::builder()
            .secrets_manager_access_role_arn(self.secret_role)
            .secrets_manager_secret_id(&self.secret)
            .database_name(self.database)
            .execute_timeout(STATEMENT_SECONDS)
            .map_boolean_as_boolean(true);
        match &self.side {
            Side::Source => both
                .plugin_name(PluginNameValue::TestDecoding)
                .capture_ddls(false)
                .heartbeat_enable(false)
                .fail_tasks_on_lob_truncation(true)
                .trim_space_in_char(false)
                .build(),
            Side::Target { after_connect } => both.set_after_connect_script(after_connect.clone()).build(),
        }
    }

    fn attributes(&self) -> String {
        match &self.side {
            Side::Source => [BOTH, OF_SOURCE].join(";"),
            Side::Target { .. } => BOTH.to_owned(),
        }
    }
}

/// The role with which DMS reads the run's secrets, from the function's environment.
pub fn secret_role() -> StepResult<String> {
    std::env::var("PGLEAP_DMS_SECRET_ROLE_ARN")
        .map_err(|_| StepError::bug("read the environment: PGLEAP_DMS_SECRET_ROLE_ARN is not set"))
}

impl Dms {
    /// The endpoint of this name.
    pub async fn endpoint(&self, id: &str) -> Result<Option<Endpoint>, AwsError> {
        let found = self.describe_endpoint(id).await?;
        Ok(found.map(|found| Endpoint {
            is_being_deleted: found.status() == Some("deleting"),
            name: id.to_owned(),
            arn: found.endpoint_arn,
        }))
    }

    async fn describe_endpoint(&self, id: &str) -> Result<Option<Described>, AwsError> {
        let answer = self.client.describe_endpoints().filters(filter("endpoint-id", [id])).send().await;
        let found = answer.doing(format!("describe endpoint {id}")).optional()?;
        Ok(found.and_then(|page| page.endpoints.unwrap_or_default().into_iter().next()))
    }

    /// The endpoint's ARN; made if there is none of this name.
    ///
    /// # Errors
    /// One of this name belongs to something else, or DMS refuses.
    pub async fn ensure_endpoint(&self, run: &Run, wanted: &WantedEndpoint<'_>) -> StepResult<String> {
        let name = &wanted.name;
        if let Some(found) = self.describe_endpoint(name).await? {
            return adopt(&found, wanted);
        }
        let side = match wanted.side {
            Side::Source => ReplicationEndpointTypeValue::Source,
            Side::Target { .. } => ReplicationEndpointTypeValue::Target,
        };
        let create = self
            .client
            .create_endpoint()
            .endpoint_identifier(name)
            .resource_identifier(run.names().dms_resource_id(name))
            .endpoint_type(side)
            .engine_name("postgres")
            .ssl_mode(DmsSslModeValue::Require)
            .extra_connection_attributes(wanted.attributes())
            .postgre_sql_settings(wanted.settings())
            .set_tags(Some(tags(run)));
        let made = match create.send().await.doing(format!("create endpoint {name} (secret {})", wanted.secret)) {
            Ok(answer) => answer.endpoint,
            Err(error) if error.is(Class::AlreadyThere) => self.describe_endpoint(name).await?,
            Err(error) => return Err(error.into()),
        };
        let made = made.as_ref().and_then(Described::endpoint_arn);
        Ok(arn(&format!("endpoint {name}"), made)?.to_owned())
    }

    /// Delete the endpoint of this ARN.
    pub async fn delete_endpoint(&self, name: &str, arn: &str) -> Result<(), AwsError> {
        let answer = self.client.delete_endpoint().endpoint_arn(arn).send().await;
        answer.doing(format!("delete endpoint {name}")).map(|_deleting| ())
    }
}

/// An endpoint of this name is the run's only if it reads the run's secret and database.
fn adopt(found: &Described, wanted: &WantedEndpoint<'_>) -> StepResult<String> {
    let name = &wanted.name;
    let has = found.postgre_sql_settings();
    let secret = has.and_then(PostgreSqlSettings::secrets_manager_secret_id).unwrap_or_default();
    let database = has.and_then(PostgreSqlSettings::database_name).or(found.database_name()).unwrap_or_default();
    // DMS may answer with the secret's ARN, which ends in its name and six random characters.
    if secret.contains(&wanted.secret) && database == wanted.database {
        return Ok(arn(&format!("endpoint {name}"), found.endpoint_arn())?.to_owned());
    }
    let reason = "an endpoint of this name uses another secret or database; start the run with another runId";
    Err(StepError::new(ErrorCode::BadInput, format!("create endpoint {name}: {reason}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_with_another_secret_or_database_is_not_adopted() {
        let settings = |secret: &str, database: &str| {
            PostgreSqlSettings::builder().secrets_manager_secret_id(secret).database_name(database).build()
        };
        let wanted = WantedEndpoint {
            name: "e".to_owned(),
            side: Side::Source,
            database: "orders",
            secret: "pgleap/r/copy-source".to_owned(),
            secret_role: "arn:role",
        };
        let cases = [
            ("pgleap/r/copy-source", "orders", true),
            ("arn:aws:secretsmanager:eu-west-1:1:secret:pgleap/r/copy-source-AbCdEf", "orders", true),
            ("pgleap/other/copy-source", "orders", false),
            ("pgleap/r/copy-source", "people", false),
        ];
        for (secret, database, adopted) in cases {
            let found =
                Described::builder().endpoint_arn("arn:e").postgre_sql_settings(settings(secret, database)).build();

            assert_eq!(adopt(&found, &wanted).is_ok(), adopted, "{secret} {database}");
        }
    }

    #[test]
    fn a_source_is_read_without_cutting_anything_and_a_target_begins_with_its_script() {
        let wanted = |side| WantedEndpoint {
            name: "e".to_owned(),
            side,
            database: "orders",
            secret: "pgleap/r/copy".to_owned(),
            secret_role: "arn:role",
        };
        let source = wanted(Side::Source);
        let target = wanted(Side::Target { after_connect: Some("SET x = 1".to_owned()) });

        let reads = source.settings();
        assert_eq!(reads.plugin_name(), Some(&PluginNameValue::TestDecoding));
        assert_eq!((reads.capture_ddls(), reads.heartbeat_enable()), (Some(false), Some(false)));
        assert_eq!((reads.fail_tasks_on_lob_truncation(), reads.trim_space_in_char()), (Some(true), Some(false)));
        assert_eq!(source.attributes(), "MapUnboundedNumericAsString=true;unboundedVarcharMaxSize=32000");
        let writes = target.settings();
        assert_eq!((writes.after_connect_script(), writes.plugin_name()), (Some("SET x = 1"), None));
        assert_eq!(target.attributes(), "MapUnboundedNumericAsString=true");
        for settings in [reads, writes] {
            assert_eq!(settings.secrets_manager_access_role_arn(), Some("arn:role"));
            assert_eq!(settings.secrets_manager_secret_id(), Some("pgleap/r/copy"));
            assert_eq!((settings.database_name(), settings.execute_timeout()), (Some("orders"), Some(86_400)));
            assert_eq!(settings.map_boolean_as_boolean(), Some(true));
        }
    }
}
