//! Connection tests: real connections, DMS's texts.

use std::sync::Arc;
use std::time::Duration;

use local_aws_core::{ApiError, Call, Reply};
use serde_json::json;

use super::errors::{invalid_state, not_found};
use super::filters::{Item, Rules, select};
use super::records::{Connection, Records, present};
use super::service::Inner;
use super::{endpoints, instances};
use crate::data::failure::Failure;

const TEST: Duration = Duration::from_secs(15);
const DELETION: Duration = Duration::from_secs(5);

const RULES: Rules = Rules {
    kind: "Connection",
    filters: &["endpoint-arn", "replication-instance-arn"],
    largest_page: 100,
    misses_are_errors: true,
};

pub(crate) fn test(dms: &Arc<Inner>, call: &Call) -> Reply {
    let key = key(call)?;
    let mut records = dms.records();
    let instance = instances::find(&records, &key.0)?;
    instances::must_be_available(instance)?;
    let from = instance.address;
    let endpoint = endpoints::find(&records, &key.1)?;
    let identifier = endpoint.identifier.clone();
    let access = endpoint.access(dms, &records, from);
    if records.connections.get(&key).is_some_and(|connection| connection.status == "testing") {
        return Err(invalid_state("Connection is already being tested"));
    }
    records.connections.insert(key.clone(), Connection { status: "testing", failure: None });
    let answer = json(&records, &key)?;
    drop(records);
    let background = Arc::clone(dms);
    dms.spawn(async move {
        background.clock.sleep(TEST).await;
        let outcome = if background.faults.refuses_connection(&identifier) {
            Err(Failure::Connection("timeout expired".to_owned()))
        } else {
            try_out(&access).await
        };
        let connection = match outcome {
            Ok(()) => Connection { status: "successful", failure: None },
            Err(failure) => Connection { status: "failed", failure: Some(failure.connection_test_text()) },
        };
        let mut records = background.records();
        if let Some(tested) = records.connections.get_mut(&key) {
            *tested = connection;
        }
    });
    Ok(json!({ "Connection": answer }))
}

async fn try_out(access: &crate::data::access::Access) -> Result<(), Failure> {
    let session = access.connect("AWS DMS connection test").await?;
    session.batch_execute("SELECT 1").await?;
    Ok(())
}

pub(crate) fn describe(dms: &Arc<Inner>, call: &Call) -> Reply {
    let records = dms.records();
    let mut items = Vec::new();
    for key in records.connections.keys() {
        items.push(Item {
            value: json(&records, key)?,
            names: vec![("replication-instance-arn", key.0.clone()), ("endpoint-arn", key.1.clone())],
        });
    }
    let page = select(call, items, &RULES)?;
    Ok(present(json!({"Connections": page.items, "Marker": page.marker})))
}

pub(crate) fn delete(dms: &Arc<Inner>, call: &Call) -> Reply {
    let key = key(call)?;
    let mut records = dms.records();
    let connection =
        records.connections.get_mut(&key).ok_or_else(|| not_found("No Connection found matching provided filters."))?;
    if connection.status == "testing" {
        return Err(invalid_state("Connection is being tested"));
    }
    connection.status = "deleting";
    let answer = json(&records, &key)?;
    drop(records);
    dms.later(DELETION, move |dms| {
        dms.records().connections.remove(&key);
    });
    Ok(json!({ "Connection": answer }))
}

/// Refused unless both endpoints were tested with success on the task's instance.
pub(crate) fn must_be_successful(records: &Records, instance: &str, endpoint: &str) -> Result<(), ApiError> {
    let key = (instance.to_owned(), endpoint.to_owned());
    if records.connections.get(&key).is_some_and(|connection| connection.status == "successful") {
        return Ok(());
    }
    let instance = &instances::find(records, instance)?.identifier;
    let endpoint = &endpoints::find(records, endpoint)?.identifier;
    Err(invalid_state(format!(
        "Test connection for replication instance {instance} and endpoint {endpoint} should be successful for \
         starting the replication task"
    )))
}

fn key(call: &Call) -> Result<(String, String), ApiError> {
    Ok((call.required("ReplicationInstanceArn")?.to_owned(), call.required("EndpointArn")?.to_owned()))
}

fn json(records: &Records, key: &(String, String)) -> Result<serde_json::Value, ApiError> {
    let instance = instances::find(records, &key.0)?;
    let endpoint = endpoints::find(records, &key.1)?;
    let connection = records.connections.get(key).ok_or_else(|| not_found("No Connection found."))?;
    Ok(connection.json(instance, endpoint))
}
