//! DescribeTableStatistics.

use std::sync::Arc;

use local_aws_core::{Call, Reply};
use serde_json::{Value, json};

use super::filters::{Item, Rules, select};
use super::records::present;
use super::service::Inner;
use super::tasks;
use crate::data::statistics::{TableName, TableProgress};

const RULES: Rules = Rules {
    kind: "Table",
    filters: &["schema-name", "table-name", "table-state"],
    largest_page: 500,
    misses_are_errors: false,
};

pub(crate) fn describe(dms: &Arc<Inner>, call: &Call) -> Reply {
    let arn = call.required("ReplicationTaskArn")?;
    let progress = Arc::clone(&tasks::find(&dms.records(), arn)?.progress);
    let items = progress
        .lock()
        .tables
        .iter()
        .map(|(name, table)| Item {
            value: json(name, table),
            names: vec![
                ("schema-name", name.0.clone()),
                ("table-name", name.1.clone()),
                ("table-state", table.state.text().to_owned()),
            ],
        })
        .collect();
    let page = select(call, items, &RULES)?;
    Ok(present(json!({"ReplicationTaskArn": arn, "TableStatistics": page.items, "Marker": page.marker})))
}

fn json(name: &TableName, table: &TableProgress) -> Value {
    present(json!({
        "SchemaName": name.0, "TableName": name.1,
        "Inserts": table.captured.inserts, "Deletes": table.captured.deletes, "Updates": table.captured.updates,
        "Ddls": 0,
        "AppliedInserts": table.applied.inserts, "AppliedDeletes": table.applied.deletes,
        "AppliedUpdates": table.applied.updates, "AppliedDdls": 0,
        "FullLoadRows": table.full_load_rows, "FullLoadCondtnlChkFailedRows": 0,
        "FullLoadErrorRows": table.full_load_error_rows,
        "FullLoadStartTime": table.full_load_started, "FullLoadEndTime": table.full_load_ended,
        "FullLoadReloaded": table.reloaded,
        "LastUpdateTime": (table.updated > 0.0).then_some(table.updated),
        "TableState": table.state.text(),
        "ValidationPendingRecords": 0, "ValidationFailedRecords": 0, "ValidationSuspendedRecords": 0,
        "ValidationState": "Not enabled",
    }))
}
