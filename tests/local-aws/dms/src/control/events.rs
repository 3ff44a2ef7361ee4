//! Events: kept for DescribeEvents, published for EventBridge's rules.

use std::sync::Arc;

use local_aws_core::{Call, Event, Reply};
use serde_json::json;

use super::filters::{Item, Rules, select};
use super::records::{EventRecord, present};
use super::service::Inner;

/// What an event is about.
#[derive(Clone, Copy)]
pub(crate) enum About {
    Instance,
    Task,
}

/// One event in DMS's words.
pub(crate) struct Happened<'a> {
    pub(crate) about: About,
    pub(crate) arn: &'a str,
    pub(crate) identifier: &'a str,
    /// `DMS-EVENT-0069`; the event of a failed task carries none.
    pub(crate) id: Option<&'static str>,
    pub(crate) kind: &'static str,
    pub(crate) category: &'static str,
    pub(crate) message: String,
}

/// Keep an event and tell the bus.
pub(crate) fn tell(dms: &Inner, happened: Happened<'_>) {
    let (source_type, detail_type, kind) = match happened.about {
        About::Instance => ("replication-instance", "DMS Replication Instance State Change", "REPLICATION_INSTANCE"),
        About::Task => ("replication-task", "DMS Replication Task State Change", "REPLICATION_TASK"),
    };
    dms.records().events.push(EventRecord {
        source_type,
        source_identifier: happened.identifier.to_owned(),
        category: happened.category,
        message: happened.message.clone(),
        at: dms.now(),
    });
    dms.bus.publish(Event {
        source: "aws.dms".to_owned(),
        detail_type: detail_type.to_owned(),
        resources: vec![happened.arn.to_owned()],
        detail: present(json!({"eventId": happened.id, "eventType": happened.kind,
            "detailMessage": happened.message, "type": kind, "category": happened.category,
            "resourceLink": format!("https://console.aws.amazon.com/dms/v2/home#{}", happened.arn)})),
    });
}

pub(crate) fn describe(dms: &Arc<Inner>, call: &Call) -> Reply {
    const RULES: Rules =
        Rules { kind: "Event", filters: &["replication-instance-id"], largest_page: 100, misses_are_errors: false };
    let wanted_type = call.str("SourceType");
    let wanted_identifier = call.str("SourceIdentifier");
    let until = call.input.get("EndTime").and_then(serde_json::Value::as_f64).unwrap_or(f64::MAX);
    let since = call.input.get("StartTime").and_then(serde_json::Value::as_f64).unwrap_or_else(|| {
        let minutes = call.int("Duration").unwrap_or(60);
        dms.now() - 60.0 * minutes as f64
    });
    let items = dms
        .records()
        .events
        .iter()
        .filter(|event| wanted_type.is_none_or(|wanted| wanted == event.source_type))
        .filter(|event| wanted_identifier.is_none_or(|wanted| wanted == event.source_identifier))
        .filter(|event| (since..=until).contains(&event.at))
        .map(|event| Item {
            value: json!({"SourceIdentifier": event.source_identifier, "SourceType": event.source_type,
                "Message": event.message, "EventCategories": [event.category], "Date": event.at}),
            names: vec![("replication-instance-id", event.source_identifier.clone())],
        })
        .collect();
    let page = select(call, items, &RULES)?;
    Ok(present(json!({"Events": page.items, "Marker": page.marker})))
}
