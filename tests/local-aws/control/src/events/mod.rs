//! EventBridge's rules: what matches a rule's pattern goes to the rule's targets.

mod input;
mod pattern;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use local_aws_core::{ACCOUNT, ApiError, BoxFuture, Call, Clock, Deliver, Event, EventBus, REGION, Reply, Service};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinHandle;

use crate::targets::{RetryPolicy, deliver_with_retries};

/// Most bytes of a PutEvents request.
const LONGEST_REQUEST: usize = 256 * 1024;

/// EventBridge's rules on the default bus.
pub struct EventRules {
    rules: Arc<Mutex<BTreeMap<String, Rule>>>,
    bus: EventBus,
    lost: Arc<AtomicBool>,
    listener: JoinHandle<()>,
}

#[derive(Debug, Clone)]
struct Rule {
    /// The members of PutRule's request.
    members: Value,
    pattern: Value,
    targets: BTreeMap<String, Value>,
}

impl EventRules {
    /// Listens on the bus from now on and tells the rules' targets.
    pub fn new(clock: Clock, bus: &EventBus, targets: Arc<dyn Deliver>) -> Self {
        let rules: Arc<Mutex<BTreeMap<String, Rule>>> = Arc::default();
        let lost: Arc<AtomicBool> = Arc::default();
        let (known, all_lost, mut events) = (rules.clone(), lost.clone(), bus.subscribe());
        let listener = tokio::spawn(async move {
            loop {
                match events.recv().await {
                    Ok(_) if all_lost.load(Ordering::Acquire) => {}
                    Ok(event) => tell(&known, &envelope(&event), clock, &targets),
                    Err(RecvError::Lagged(missed)) => {
                        tracing::error!(missed, "events came faster than rules were matched")
                    }
                    Err(RecvError::Closed) => return,
                }
            }
        });
        Self { rules, bus: bus.clone(), lost, listener }
    }

    /// A fault: no event reaches a rule any more, as may happen to events that AWS delivers by best effort.
    pub fn lose_events(&self) {
        self.lost.store(true, Ordering::Release);
    }

    fn answer(&self, call: &Call) -> Reply {
        if let Some(bus) = call.str("EventBusName").filter(|bus| *bus != "default") {
            return Err(not_found(&format!("Event bus {bus} does not exist.")));
        }
        match call.operation.as_str() {
            "PutRule" => self.put_rule(call),
            "DescribeRule" => self.with_rule(call.required("Name")?, |rule| Ok(rule.members.clone())),
            "DeleteRule" => self.delete_rule(call),
            "PutTargets" => self.put_targets(call),
            "RemoveTargets" => self.remove_targets(call),
            "ListTargetsByRule" => self.with_rule(call.required("Rule")?, |rule| {
                Ok(json!({"Targets": rule.targets.values().collect::<Vec<_>>()}))
            }),
            "PutEvents" => self.put_events(call),
            other => Err(ApiError::not_implemented(other)),
        }
    }

    fn put_rule(&self, call: &Call) -> Reply {
        let name = call.required("Name")?;
        let Some(text) = call.str("EventPattern") else {
            let nothing = "Parameter(s) EventPattern or ScheduleExpression must be specified.";
            return Err(match call.str("ScheduleExpression") {
                Some(_) => ApiError::not_implemented("PutRule with a ScheduleExpression only"),
                None => ApiError::new(400, "ValidationException", nothing),
            });
        };
        let pattern = serde_json::from_str(text).map_err(|error| error.to_string());
        let pattern = pattern.and_then(|pattern| pattern::check(&pattern).map(|()| pattern));
        let pattern = pattern.map_err(|reason| {
            ApiError::new(400, "InvalidEventPatternException", format!("Event pattern is not valid. Reason: {reason}"))
        })?;
        let arn = format!("arn:aws:events:{REGION}:{ACCOUNT}:rule/{name}");
        let mut members = json!({"Name": name, "Arn": arn, "EventBusName": "default", "State": call.str("State").unwrap_or("ENABLED")});
        for member in ["EventPattern", "Description", "RoleArn"] {
            if let Some(value) = call.str(member) {
                members[member] = value.into();
            }
        }
        let mut rules = self.rules();
        let targets = rules.remove(name).map(|rule| rule.targets).unwrap_or_default();
        rules.insert(name.to_owned(), Rule { members, pattern, targets });
        Ok(json!({"RuleArn": arn}))
    }

    /// Deleting what is not there succeeds; a rule with targets cannot be deleted.
    fn delete_rule(&self, call: &Call) -> Reply {
        let name = call.required("Name")?;
        let mut rules = self.rules();
        if rules.get(name).is_some_and(|rule| !rule.targets.is_empty()) {
            return Err(ApiError::new(400, "ValidationException", "Rule can't be deleted since it has targets."));
        }
        rules.remove(name);
        Ok(json!({}))
    }

    fn put_targets(&self, call: &Call) -> Reply {
        self.with_rule(call.required("Rule")?, |rule| {
            for target in call.input["Targets"].as_array().into_iter().flatten() {
                let id = target["Id"].as_str().unwrap_or_default();
                rule.targets.insert(id.to_owned(), target.clone());
            }
            Ok(json!({"FailedEntryCount": 0, "FailedEntries": []}))
        })
    }

    fn remove_targets(&self, call: &Call) -> Reply {
        self.with_rule(call.required("Rule")?, |rule| {
            let ids = call.input["Ids"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let unknown: Vec<Value> = ids
                .filter(|id| rule.targets.remove(*id).is_none())
                .map(|id| json!({"TargetId": id, "ErrorCode": "ResourceNotFoundException", "ErrorMessage": "no such target"}))
                .collect();
            Ok(json!({"FailedEntryCount": unknown.len(), "FailedEntries": unknown}))
        })
    }

    /// An entry that cannot be taken is refused by itself, the others are taken.
    fn put_events(&self, call: &Call) -> Reply {
        if call.input["Entries"].to_string().len() > LONGEST_REQUEST {
            let text = "Total size of the entries in the request is over the limit.";
            return Err(ApiError::new(400, "ValidationException", text));
        }
        let text = |entry: &Value, member: &str| entry[member].as_str().unwrap_or_default().to_owned();
        let mut entries = Vec::new();
        for entry in call.input["Entries"].as_array().into_iter().flatten() {
            let detail = match detail_of(entry) {
                Ok(detail) => detail,
                Err((code, reason)) => {
                    entries.push(json!({"ErrorCode": code, "ErrorMessage": reason}));
                    continue;
                }
            };
            let resources = entry["Resources"].as_array().into_iter().flatten().filter_map(Value::as_str);
            self.bus.publish(Event {
                source: text(entry, "Source"),
                detail_type: text(entry, "DetailType"),
                resources: resources.map(str::to_owned).collect(),
                detail,
            });
            entries.push(json!({"EventId": uuid::Uuid::new_v4().to_string()}));
        }
        let failed = entries.iter().filter(|entry| entry.get("ErrorCode").is_some()).count();
        Ok(json!({"FailedEntryCount": failed, "Entries": entries}))
    }

    fn with_rule(&self, name: &str, change: impl FnOnce(&mut Rule) -> Reply) -> Reply {
        let mut rules = self.rules();
        let rule = rules.get_mut(name);
        change(rule.ok_or_else(|| not_found(&format!("Rule {name} does not exist on EventBus default.")))?)
    }

    fn rules(&self) -> MutexGuard<'_, BTreeMap<String, Rule>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for EventRules {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

impl Service for EventRules {
    fn name(&self) -> &'static str {
        "events"
    }

    fn call<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Reply> {
        Box::pin(async move { self.answer(call) })
    }
}

/// The detail of an entry that can be taken, or why it cannot.
fn detail_of(entry: &Value) -> Result<Value, (&'static str, String)> {
    for member in ["Source", "DetailType", "Detail"] {
        if entry[member].as_str().is_none_or(str::is_empty) {
            let reason = format!("Parameter {member} is not valid. Reason: {member} is a required argument.");
            return Err(("InvalidArgument", reason));
        }
    }
    if entry["Source"].as_str().is_some_and(|source| source.starts_with("aws.")) {
        return Err(("NotAuthorizedForSource", "Not authorized for the source.".to_owned()));
    }
    let detail: Option<Value> = entry["Detail"].as_str().and_then(|text| serde_json::from_str(text).ok());
    detail.filter(Value::is_object).ok_or(("MalformedDetail", "Detail is malformed.".to_owned()))
}

/// Deliver an event to the targets of every rule that it matches, each on a task of its own.
fn tell(rules: &Mutex<BTreeMap<String, Rule>>, event: &Value, clock: Clock, targets: &Arc<dyn Deliver>) {
    let matching: Vec<Value> = {
        let rules = rules.lock().unwrap_or_else(PoisonError::into_inner);
        let enabled = rules.values().filter(|rule| rule.members["State"] != "DISABLED");
        enabled
            .filter(|rule| pattern::matches(&rule.pattern, event))
            .flat_map(|rule| rule.targets.values().cloned())
            .collect()
    };
    for target in matching {
        let (event, targets) = (event.clone(), targets.clone());
        tokio::spawn(async move {
            let arn = target["Arn"].as_str().unwrap_or_default();
            let delivered = match input::of(&target, &event) {
                Ok(input) => deliver_with_retries(targets.as_ref(), arn, &input, RetryPolicy::of(&target), clock).await,
                Err(reason) => Err(ApiError::internal(reason)),
            };
            if let Err(error) = delivered {
                tracing::warn!(target = arn, %error, "a rule's target did not take an event");
            }
        });
    }
}

/// An event as rules and targets see it.
fn envelope(event: &Event) -> Value {
    let mut envelope = Map::new();
    envelope.insert("version".to_owned(), "0".into());
    envelope.insert("id".to_owned(), uuid::Uuid::new_v4().to_string().into());
    envelope.insert("detail-type".to_owned(), event.detail_type.clone().into());
    envelope.insert("source".to_owned(), event.source.clone().into());
    envelope.insert("account".to_owned(), ACCOUNT.into());
    let now = OffsetDateTime::now_utc().replace_nanosecond(0).unwrap_or_else(|_| OffsetDateTime::now_utc());
    envelope.insert("time".to_owned(), now.format(&Rfc3339).unwrap_or_default().into());
    envelope.insert("region".to_owned(), REGION.into());
    envelope.insert("resources".to_owned(), event.resources.clone().into());
    envelope.insert("detail".to_owned(), event.detail.clone());
    Value::Object(envelope)
}

fn not_found(text: &str) -> ApiError {
    ApiError::new(400, "ResourceNotFoundException", text)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::mpsc;

    use super::*;

    struct Recorder(mpsc::UnboundedSender<Value>);

    impl Deliver for Recorder {
        fn deliver<'a>(&'a self, _: &'a str, input: Value) -> BoxFuture<'a, Result<(), ApiError>> {
            let _nobody_listens = self.0.send(input);
            Box::pin(async { Ok(()) })
        }
    }

    fn call(rules: &EventRules, operation: &str, input: Value) -> Result<Value, String> {
        rules.answer(&Call::new(operation, input)).map_err(|error| error.code)
    }

    fn status_change(status: &str) -> Event {
        Event {
            source: "aws.states".to_owned(),
            detail_type: "Step Functions Execution Status Change".to_owned(),
            resources: vec!["arn:aws:states:eu-west-1:111122223333:execution:upgrade:r1".to_owned()],
            detail: json!({"status": status, "name": "r1", "stateMachineArn": "arn:m"}),
        }
    }

    #[tokio::test]
    async fn a_matching_event_reaches_the_target_and_another_does_not() {
        let (sender, mut delivered) = mpsc::unbounded_channel();
        let bus = EventBus::default();
        let rules = EventRules::new(Clock::new(0.001), &bus, Arc::new(Recorder(sender)));
        let pattern = json!({"source": ["aws.states"], "detail": {"status": ["FAILED", "TIMED_OUT", "ABORTED"], "stateMachineArn": ["arn:m"]}});
        call(&rules, "PutRule", json!({"Name": "ended-badly", "EventPattern": pattern.to_string()})).unwrap();
        let target = json!({"Id": "t", "Arn": "arn:aws:lambda:x", "InputPath": "$.detail"});
        call(&rules, "PutTargets", json!({"Rule": "ended-badly", "Targets": [target]})).unwrap();

        for status in ["RUNNING", "SUCCEEDED", "ABORTED"] {
            bus.publish(status_change(status));
        }

        assert_eq!(delivered.recv().await.unwrap()["status"], "ABORTED");
        assert!(tokio::time::timeout(Duration::from_millis(100), delivered.recv()).await.is_err());

        rules.lose_events();
        bus.publish(status_change("ABORTED"));

        assert!(tokio::time::timeout(Duration::from_millis(100), delivered.recv()).await.is_err(), "it was lost");
    }

    #[tokio::test]
    async fn an_event_of_ones_own_is_published_and_one_that_cannot_be_is_refused_by_itself() {
        let (sender, _delivered) = mpsc::unbounded_channel();
        let bus = EventBus::default();
        let mut published = bus.subscribe();
        let rules = EventRules::new(Clock::new(1.0), &bus, Arc::new(Recorder(sender)));
        let entry = |source: &str, detail: &str| json!({"Source": source, "DetailType": "Phase", "Detail": detail});
        let entries =
            [entry("pgleap", "{\"run\": \"r\"}"), entry("", "{}"), entry("aws.rds", "{}"), entry("pgleap", "[]")];

        let answer = call(&rules, "PutEvents", json!({"Entries": entries})).unwrap();

        let codes: Vec<_> =
            answer["Entries"].as_array().unwrap().iter().map(|entry| entry["ErrorCode"].as_str()).collect();
        assert_eq!(codes, [None, Some("InvalidArgument"), Some("NotAuthorizedForSource"), Some("MalformedDetail")]);
        assert_eq!(
            (answer["FailedEntryCount"].clone(), published.recv().await.unwrap().detail),
            (json!(3), json!({"run": "r"}))
        );
        let large = entry("pgleap", &json!({"x": "x".repeat(LONGEST_REQUEST)}).to_string());
        assert_eq!(call(&rules, "PutEvents", json!({"Entries": [large]})), Err("ValidationException".to_owned()));
    }

    #[tokio::test]
    async fn rules_are_kept_and_refused_as_the_api_does() {
        let (sender, _delivered) = mpsc::unbounded_channel();
        let rules = EventRules::new(Clock::new(1.0), &EventBus::default(), Arc::new(Recorder(sender)));
        let pattern = json!({"source": ["aws.states"]}).to_string();
        call(&rules, "PutRule", json!({"Name": "a", "EventPattern": pattern})).unwrap();
        call(&rules, "PutTargets", json!({"Rule": "a", "Targets": [{"Id": "t", "Arn": "arn"}]})).unwrap();

        assert_eq!(call(&rules, "DeleteRule", json!({"Name": "a"})), Err("ValidationException".to_owned()));
        assert_eq!(
            call(&rules, "RemoveTargets", json!({"Rule": "a", "Ids": ["t", "u"]})).unwrap()["FailedEntryCount"],
            1
        );
        assert_eq!(call(&rules, "DeleteRule", json!({"Name": "a"})), Ok(json!({})));
        assert_eq!(call(&rules, "DescribeRule", json!({"Name": "a"})), Err("ResourceNotFoundException".to_owned()));
        let bad = json!({"Name": "b", "EventPattern": "{\"source\": \"aws.states\"}"});
        assert_eq!(call(&rules, "PutRule", bad), Err("InvalidEventPatternException".to_owned()));
    }
}
