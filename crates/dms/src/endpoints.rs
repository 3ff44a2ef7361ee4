//! The two endpoints. Logins by reference to the run's secrets, so no password passes through here.

use aws_sdk_databasemigration::Client;
use aws_sdk_databasemigration::types::builders::PostgreSqlSettingsBuilder;
use aws_sdk_databasemigration::types::{DmsSslModeValue, Endpoint, PostgreSqlSettings, ReplicationEndpointTypeValue};
use pgleap_contract::{ErrorCode, Run};
use pgleap_step_kit::aws::{Class, Doing};
use pgleap_step_kit::{StepError, StepResult, arn};

use crate::find::{endpoint, tag};

/// How long one statement of DMS may take, in seconds; its default of 60 ends long reads of a large table.
const STATEMENT_SECONDS: i32 = 86_400;

/// On both sides, or neither: numeric without precision travels as text, else it is rounded to 28 digits, 6 of them
/// behind the point (AWS documentation, PostgreSQL as a source for DMS).
const BOTH: &str = "MapUnboundedNumericAsString=true";

/// An endpoint as the run wants it.
pub struct WantedEndpoint {
    /// Its identifier.
    pub name: String,
    /// Source or target.
    pub side: ReplicationEndpointTypeValue,
    /// Extra connection attributes beside those of both sides, `name=value`.
    pub attributes: Option<&'static str>,
    /// Begun by [`endpoint_settings`].
    pub settings: PostgreSqlSettings,
}

/// What both sides have. `role`: the one with which DMS reads the run's secrets.
pub fn endpoint_settings(database: &str, role: &str) -> PostgreSqlSettingsBuilder {
    PostgreSqlSettings::builder()
        .secrets_manager_access_role_arn(role)
        .database_name(database)
        .execute_timeout(STATEMENT_SECONDS)
        .map_boolean_as_boolean(true)
}

/// The role with which DMS reads the run's secrets, from the function's environment.
pub fn secret_role() -> StepResult<String> {
    std::env::var("PGLEAP_DMS_SECRET_ROLE_ARN")
        .map_err(|_| StepError::bug("read environment: PGLEAP_DMS_SECRET_ROLE_ARN is not set"))
}

/// The endpoint's ARN; made if there is none of this name.
///
/// # Errors
/// One of this name belongs to something else, or DMS refuses.
pub async fn ensure_endpoint(client: &Client, run: &Run, wanted: WantedEndpoint) -> StepResult<String> {
    let name = wanted.name.clone();
    if let Some(found) = endpoint(client, &name).await? {
        return adopt(&found, &wanted.settings, &name);
    }
    let secret = wanted.settings.secrets_manager_secret_id().unwrap_or_default().to_owned();
    let attributes: Vec<&str> = [BOTH].into_iter().chain(wanted.attributes).collect();
    let answer = client
        .create_endpoint()
        .endpoint_identifier(&name)
        .resource_identifier(run.id.names().dms_resource_id(&name))
        .endpoint_type(wanted.side)
        .engine_name("postgres")
        .ssl_mode(DmsSslModeValue::Require)
        .extra_connection_attributes(attributes.join(";"))
        .postgre_sql_settings(wanted.settings)
        .tags(tag(&run.id))
        .send()
        .await;
    let made = match answer.doing(format!("create endpoint {name} (secret {secret})")) {
        Ok(answer) => answer.endpoint,
        Err(error) if error.is(Class::AlreadyThere) => endpoint(client, &name).await?,
        Err(error) => return Err(error.into()),
    };
    arn(&format!("endpoint {name}"), made.as_ref().and_then(Endpoint::endpoint_arn)).map(str::to_owned)
}

/// An endpoint of this name is the run's only if it reads the run's secret and database.
fn adopt(found: &Endpoint, wanted: &PostgreSqlSettings, name: &str) -> StepResult<String> {
    let has = found.postgre_sql_settings();
    let secret = has.and_then(PostgreSqlSettings::secrets_manager_secret_id).unwrap_or_default();
    let database = has.and_then(PostgreSqlSettings::database_name).or(found.database_name()).unwrap_or_default();
    // DMS may answer with the secret's ARN, which ends in its name and six random characters.
    let same_secret = secret.contains(wanted.secrets_manager_secret_id().unwrap_or_default());
    if same_secret && Some(database) == wanted.database_name() {
        return arn(&format!("endpoint {name}"), found.endpoint_arn()).map(str::to_owned);
    }
    let reason = "an endpoint of this name exists and reads another secret or database; give the run another runId";
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
        let wanted = settings("pgleap/r/copy-source", "orders");
        let cases = [
            ("pgleap/r/copy-source", "orders", true),
            ("arn:aws:secretsmanager:eu-west-1:1:secret:pgleap/r/copy-source-AbCdEf", "orders", true),
            ("pgleap/other/copy-source", "orders", false),
            ("pgleap/r/copy-source", "people", false),
        ];
        for (secret, database, adopted) in cases {
            let found =
                Endpoint::builder().endpoint_arn("arn:e").postgre_sql_settings(settings(secret, database)).build();

            assert_eq!(adopt(&found, &wanted, "e").is_ok(), adopted, "{secret} {database}");
        }
    }
}
