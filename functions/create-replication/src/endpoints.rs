//! The two endpoints. Logins by reference to the run's secrets, so no password passes through here.

use aws_sdk_databasemigration::Client;
use aws_sdk_databasemigration::types::builders::PostgreSqlSettingsBuilder;
use aws_sdk_databasemigration::types::{
    DmsSslModeValue, Endpoint, PluginNameValue, PostgreSqlSettings, ReplicationEndpointTypeValue,
};
use pgleap_contract::steps::CreateReplicationInput;
use pgleap_step_kit::prelude::*;

/// How long one statement of DMS may take, in seconds; its default of 60 ends long reads of a large table.
const STATEMENT_SECONDS: i32 = 86_400;

/// On both sides, or neither: numeric without precision travels as text, else it is rounded to 28 digits, 6 of them
/// behind the point (AWS documentation, PostgreSQL as a source for DMS).
const BOTH: &str = "MapUnboundedNumericAsString=true";

/// varchar without a length is cut at 8000 characters unless this is raised to its maximum (same page).
const SOURCE_ONLY: &str = "unboundedVarcharMaxSize=10485760";

/// ARN of the source's endpoint.
pub(crate) async fn ensure_source(dms: &Client, input: &CreateReplicationInput, role: &str) -> StepResult<String> {
    let names = input.run.id.names();
    let settings = both_sides(input, role)
        .secrets_manager_secret_id(names.dms_source_secret())
        .plugin_name(PluginNameValue::TestDecoding)
        .capture_ddls(false)
        .heartbeat_enable(false)
        .fail_tasks_on_lob_truncation(true)
        .trim_space_in_char(false)
        .build();
    let wanted = Wanted {
        name: names.source_endpoint(),
        side: ReplicationEndpointTypeValue::Source,
        attributes: format!("{BOTH};{SOURCE_ONLY}"),
        settings,
    };
    ensure(dms, input, wanted).await
}

/// ARN of the target's endpoint. Under the replica role neither foreign keys nor ordinary triggers act on what DMS
/// writes; where the login may not set it, preparation has set both aside.
pub(crate) async fn ensure_target(dms: &Client, input: &CreateReplicationInput, role: &str) -> StepResult<String> {
    let names = input.run.id.names();
    let script = input.selection.replica_role.then(|| "SET session_replication_role='replica'".to_owned());
    let settings = both_sides(input, role)
        .secrets_manager_secret_id(names.dms_target_secret())
        .set_after_connect_script(script)
        .build();
    let wanted = Wanted {
        name: names.target_endpoint(),
        side: ReplicationEndpointTypeValue::Target,
        attributes: BOTH.to_owned(),
        settings,
    };
    ensure(dms, input, wanted).await
}

fn both_sides(input: &CreateReplicationInput, role: &str) -> PostgreSqlSettingsBuilder {
    PostgreSqlSettings::builder()
        .secrets_manager_access_role_arn(role)
        .database_name(&input.source.database)
        .execute_timeout(STATEMENT_SECONDS)
        .map_boolean_as_boolean(true)
}

struct Wanted {
    name: String,
    side: ReplicationEndpointTypeValue,
    attributes: String,
    settings: PostgreSqlSettings,
}

async fn ensure(dms: &Client, input: &CreateReplicationInput, wanted: Wanted) -> StepResult<String> {
    let name = wanted.name.clone();
    if let Some(found) = pgleap_dms::endpoint(dms, &name).await? {
        return adopt(&found, &wanted.settings, &name);
    }
    let secret = wanted.settings.secrets_manager_secret_id().unwrap_or_default().to_owned();
    let answer = dms
        .create_endpoint()
        .endpoint_identifier(&name)
        .endpoint_type(wanted.side)
        .engine_name("postgres")
        .ssl_mode(DmsSslModeValue::Require)
        .extra_connection_attributes(wanted.attributes)
        .postgre_sql_settings(wanted.settings)
        .tags(pgleap_dms::tag(&input.run.id))
        .send()
        .await;
    let made = match answer.doing(format!("create endpoint {name} (secret {secret})")) {
        Ok(answer) => answer.endpoint,
        Err(error) if error.is(Class::AlreadyThere) => pgleap_dms::endpoint(dms, &name).await?,
        Err(error) => return Err(error.into()),
    };
    made.and_then(|endpoint| endpoint.endpoint_arn)
        .ok_or_else(|| StepError::bug(format!("create endpoint {name}: the answer has no ARN")))
}

/// An endpoint of this name is the run's only if it reads the run's secret and database.
fn adopt(found: &Endpoint, wanted: &PostgreSqlSettings, name: &str) -> StepResult<String> {
    let has = found.postgre_sql_settings();
    let secret = has.and_then(PostgreSqlSettings::secrets_manager_secret_id).unwrap_or_default();
    let database = has.and_then(PostgreSqlSettings::database_name).or(found.database_name()).unwrap_or_default();
    // DMS may answer with the secret's ARN, which ends in its name and six random characters.
    let same_secret = secret.contains(wanted.secrets_manager_secret_id().unwrap_or_default());
    if same_secret && Some(database) == wanted.database_name() {
        return Ok(found.endpoint_arn().unwrap_or_default().to_owned());
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
        let wanted = settings("pgleap/r/dms-source", "orders");
        let cases = [
            ("pgleap/r/dms-source", "orders", true),
            ("arn:aws:secretsmanager:eu-west-1:1:secret:pgleap/r/dms-source-AbCdEf", "orders", true),
            ("pgleap/other/dms-source", "orders", false),
            ("pgleap/r/dms-source", "people", false),
        ];
        for (secret, database, adopted) in cases {
            let found =
                Endpoint::builder().endpoint_arn("arn:e").postgre_sql_settings(settings(secret, database)).build();

            assert_eq!(adopt(&found, &wanted, "e").is_ok(), adopted, "{secret} {database}");
        }
    }
}
