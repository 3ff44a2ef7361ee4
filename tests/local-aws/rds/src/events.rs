//! Events: kept for DescribeEvents, published for EventBridge.

use local_aws_core::{ApiError, Call, Event, Reply};
use serde_json::{Value, json};

use crate::names::{group_arn, instance_arn, snapshot_arn};
use crate::service::Shared;
use crate::{errors, paging};

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    Instance,
    Snapshot,
    Group,
}

impl Subject {
    fn api_name(self) -> &'static str {
        match self {
            Self::Instance => "db-instance",
            Self::Snapshot => "db-snapshot",
            Self::Group => "db-parameter-group",
        }
    }

    fn bus_names(self) -> (&'static str, &'static str) {
        match self {
            Self::Instance => ("RDS DB Instance Event", "DB_INSTANCE"),
            Self::Snapshot => ("RDS DB Snapshot Event", "SNAPSHOT"),
            Self::Group => ("RDS DB Parameter Group Event", "DB_PARAM"),
        }
    }

    fn arn(self, identifier: &str) -> String {
        match self {
            Self::Instance => instance_arn(identifier),
            Self::Snapshot => snapshot_arn(identifier),
            Self::Group => group_arn(identifier),
        }
    }
}

/// One recorded event.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    date: f64,
    subject: Subject,
    identifier: String,
    category: &'static str,
    message: String,
}

/// DescribeEvents looks back this far when it is not told otherwise.
const DEFAULT_MINUTES: i64 = 60;

impl Shared {
    /// Record and publish. `number` is that of the guide, e.g. 6 for `RDS-EVENT-0006`.
    pub(crate) fn tell(&self, subject: Subject, identifier: &str, number: u16, message: impl Into<String>) {
        let (message, date, category) = (message.into(), self.now(), category(number));
        let (detail_type, source_type) = subject.bus_names();
        let arn = subject.arn(identifier);
        self.around.events.publish(Event {
            source: "aws.rds".to_owned(),
            detail_type: detail_type.to_owned(),
            resources: vec![arn.clone()],
            detail: json!({
                "EventCategories": [category],
                "SourceType": source_type,
                "SourceArn": arn,
                "Date": date,
                "Message": message,
                "SourceIdentifier": identifier,
                "EventID": format!("RDS-EVENT-{number:04}"),
            }),
        });
        self.state().events.push(Recorded { date, subject, identifier: identifier.to_owned(), category, message });
    }

    /// An event of an instance.
    pub(crate) fn tell_instance(&self, identifier: &str, number: u16, message: impl Into<String>) {
        self.tell(Subject::Instance, identifier, number, message);
    }

    pub(crate) fn describe_events(&self, call: &Call) -> Reply {
        let (start, end) = self.event_span(call)?;
        let categories: Vec<&str> = call
            .input
            .get("EventCategories")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let wanted = |event: &&Recorded| {
            (start..=end).contains(&event.date)
                && call.str("SourceType").is_none_or(|kind| kind == event.subject.api_name())
                && call.str("SourceIdentifier").is_none_or(|id| id.eq_ignore_ascii_case(&event.identifier))
                && (categories.is_empty() || categories.contains(&event.category))
        };
        if call.str("SourceIdentifier").is_some() && call.str("SourceType").is_none() {
            return Err(errors::combination("SourceType must be specified when SourceIdentifier is specified"));
        }
        let events = self.state().events.iter().filter(wanted).map(Recorded::to_json).collect();
        paging::answer(call, "Events", events)
    }

    fn event_span(&self, call: &Call) -> Result<(f64, f64), ApiError> {
        let seconds = |member: &str| call.input.get(member).and_then(Value::as_f64);
        let end = seconds("EndTime").unwrap_or_else(|| self.now());
        let minutes = call.int("Duration").unwrap_or(DEFAULT_MINUTES);
        let start = seconds("StartTime").unwrap_or(end - minutes as f64 * 60.0);
        if start > end {
            return Err(errors::combination("The start time must be before the end time."));
        }
        Ok((start, end))
    }
}

impl Recorded {
    fn to_json(&self) -> Value {
        json!({
            "SourceIdentifier": self.identifier,
            "SourceType": self.subject.api_name(),
            "Message": self.message,
            "EventCategories": [self.category],
            "Date": self.date,
            "SourceArn": self.subject.arn(&self.identifier),
        })
    }
}

/// The guide's category of an event's number.
fn category(number: u16) -> &'static str {
    match number {
        1 | 2 => "backup",
        3 | 41 => "deletion",
        4 | 6 | 221 => "availability",
        5 | 40 | 42 => "creation",
        7 | 89 | 222 => "low storage",
        13 | 15 | 49 | 50 | 51 => "failover",
        31 | 35 | 36 | 278 => "failure",
        43 => "restoration",
        158 | 178 | 264..=270 => "maintenance",
        _ => "configuration change",
    }
}
