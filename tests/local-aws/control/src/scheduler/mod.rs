//! EventBridge Scheduler: one-shot schedules that really fire.
//!
//! Times are real and never scaled, because a schedule of the run is a deadline. AWS may fire up to a minute late, here
//! as late as the configuration says.

mod expression;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use local_aws_core::{ACCOUNT, ApiError, BoxFuture, Call, Clock, Deliver, REGION, Reply, Service};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::targets::{RetryPolicy, deliver_with_retries};

/// The Scheduler of a stand-in.
pub struct Scheduler {
    inner: Arc<Inner>,
}

struct Inner {
    clock: Clock,
    lateness: Duration,
    targets: Arc<dyn Deliver>,
    schedules: Mutex<BTreeMap<String, Schedule>>,
}

struct Schedule {
    /// The members of the request, which are those of GetSchedule's answer.
    members: Value,
    token: Option<String>,
    timer: JoinHandle<()>,
}

impl Drop for Schedule {
    fn drop(&mut self) {
        self.timer.abort();
    }
}

impl Scheduler {
    /// Fires at `targets`, each time `lateness` late.
    pub fn new(clock: Clock, lateness: Duration, targets: Arc<dyn Deliver>) -> Self {
        Self { inner: Arc::new(Inner { clock, lateness, targets, schedules: Mutex::default() }) }
    }

    /// The names of the schedules that are there: a run must leave none behind.
    pub fn names(&self) -> Vec<String> {
        self.inner.schedules().keys().cloned().collect()
    }

    fn answer(&self, call: &Call) -> Reply {
        match call.operation.as_str() {
            "CreateSchedule" => self.create(call),
            "GetSchedule" => self.get(call),
            "UpdateSchedule" => self.update(call),
            "DeleteSchedule" => self.delete(call),
            "ListSchedules" => self.list(call),
            other => Err(ApiError::not_implemented(other)),
        }
    }

    fn create(&self, call: &Call) -> Reply {
        let name = named(call)?;
        let token = call.str("ClientToken");
        let mut schedules = self.inner.schedules();
        if let Some(existing) = schedules.get(name) {
            // The same token is the same request, asked again because its answer was lost.
            return match (token, existing.token.as_deref()) {
                (Some(sent), Some(kept)) if sent == kept => Ok(json!({"ScheduleArn": existing.members["Arn"]})),
                _ => Err(ApiError::new(409, "ConflictException", format!("Schedule {name} already exists."))),
            };
        }
        let schedule = self.schedule(name, call, self.inner.clock.epoch_seconds())?;
        let answer = json!({"ScheduleArn": schedule.members["Arn"]});
        schedules.insert(name.to_owned(), schedule);
        Ok(answer)
    }

    fn get(&self, call: &Call) -> Reply {
        let name = named(call)?;
        self.inner.schedules().get(name).map(|schedule| schedule.members.clone()).ok_or_else(|| not_found(name))
    }

    /// Replaces the whole schedule: what is not sent goes back to its default.
    fn update(&self, call: &Call) -> Reply {
        let name = named(call)?;
        let mut schedules = self.inner.schedules();
        let created = schedules.get(name).ok_or_else(|| not_found(name))?.members["CreationDate"].as_f64();
        let schedule = self.schedule(name, call, created.unwrap_or_default())?;
        let answer = json!({"ScheduleArn": schedule.members["Arn"]});
        schedules.insert(name.to_owned(), schedule);
        Ok(answer)
    }

    fn delete(&self, call: &Call) -> Reply {
        let name = named(call)?;
        self.inner.schedules().remove(name).map(|_| json!({})).ok_or_else(|| not_found(name))
    }

    fn list(&self, call: &Call) -> Reply {
        let schedules = self.inner.schedules();
        let prefix = call.str("NamePrefix").unwrap_or_default();
        let state = call.str("State");
        let all: Vec<Value> = schedules
            .values()
            .map(|schedule| &schedule.members)
            .filter(|members| members["Name"].as_str().is_some_and(|name| name.starts_with(prefix)))
            .filter(|members| state.is_none_or(|state| members["State"] == state))
            .map(summary)
            .collect();
        let size = usize::try_from(call.int("MaxResults").unwrap_or(100)).unwrap_or(100);
        let start = match call.str("NextToken") {
            None => 0,
            Some(token) => token.parse().map_err(|_| invalid("Invalid NextToken."))?,
        };
        let mut answer = json!({"Schedules": all.iter().skip(start).take(size).collect::<Vec<_>>()});
        if start + size < all.len() {
            answer["NextToken"] = (start + size).to_string().into();
        }
        Ok(answer)
    }

    /// Check a request and set the timer.
    fn schedule(&self, name: &str, call: &Call, created: f64) -> Result<Schedule, ApiError> {
        let now = self.inner.clock.epoch_seconds();
        let zone = call.str("ScheduleExpressionTimezone").unwrap_or("UTC");
        let at = expression::epoch_seconds(call.required("ScheduleExpression")?, zone)?;
        if at <= now {
            return Err(invalid("Invalid Schedule Expression: the time has passed."));
        }
        if let Some(input) = call.input["Target"]["Input"].as_str() {
            serde_json::from_str::<Value>(input).map_err(|_| invalid("Target input must be valid JSON."))?;
        }
        let mut members = call.input.clone();
        let defaults = [
            ("Arn", format!("arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/default/{name}")),
            ("GroupName", "default".to_owned()),
            ("State", "ENABLED".to_owned()),
            ("ScheduleExpressionTimezone", "UTC".to_owned()),
            ("ActionAfterCompletion", "NONE".to_owned()),
        ];
        for (member, value) in defaults {
            if members.get(member).is_none() {
                members[member] = value.into();
            }
        }
        members["CreationDate"] = created.into();
        members["LastModificationDate"] = now.into();
        let token = call.str("ClientToken").map(str::to_owned);
        if let Some(members) = members.as_object_mut() {
            members.remove("ClientToken");
        }
        let wait = Duration::from_secs_f64(at - now) + self.inner.lateness;
        let timer = tokio::spawn(fire(self.inner.clone(), name.to_owned(), members.clone(), wait));
        Ok(Schedule { members, token, timer })
    }
}

/// Wait, deliver, and clean up if the schedule says so.
async fn fire(scheduler: Arc<Inner>, name: String, members: Value, wait: Duration) {
    tokio::time::sleep(wait).await;
    if members["State"] == "DISABLED" {
        return;
    }
    // On a task of its own: deleting the schedule stops the timer, not a delivery that has begun.
    let delivery = tokio::spawn(deliver(scheduler.clone(), name.clone(), members.clone()));
    let _delivery_failed_and_said_so = delivery.await;
    if members["ActionAfterCompletion"] == "DELETE" {
        scheduler.schedules().remove(&name);
    }
}

async fn deliver(scheduler: Arc<Inner>, name: String, members: Value) {
    let target = &members["Target"];
    let arn = target["Arn"].as_str().unwrap_or_default();
    let input =
        target["Input"].as_str().and_then(|input| serde_json::from_str(input).ok()).unwrap_or_else(|| json!({}));
    let policy = RetryPolicy::of(target);
    match deliver_with_retries(scheduler.targets.as_ref(), arn, &input, policy, scheduler.clock).await {
        Ok(()) => tracing::info!(schedule = name, target = arn, "the schedule fired"),
        Err(error) => tracing::warn!(schedule = name, target = arn, %error, "the schedule's target did not take it"),
    }
}

impl Inner {
    fn schedules(&self) -> MutexGuard<'_, BTreeMap<String, Schedule>> {
        self.schedules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service for Scheduler {
    fn name(&self) -> &'static str {
        "scheduler"
    }

    fn call<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Reply> {
        Box::pin(async move { self.answer(call) })
    }
}

/// The schedule's name; only the default group exists.
fn named(call: &Call) -> Result<&str, ApiError> {
    match call.str("GroupName") {
        None | Some("default") => call.required("Name"),
        Some(group) => {
            Err(ApiError::new(404, "ResourceNotFoundException", format!("Schedule group {group} does not exist.")))
        }
    }
}

fn summary(members: &Value) -> Value {
    let mut summary = json!({"Target": {"Arn": members["Target"]["Arn"]}});
    for member in ["Arn", "CreationDate", "GroupName", "LastModificationDate", "Name", "State"] {
        summary[member] = members[member].clone();
    }
    summary
}

fn not_found(name: &str) -> ApiError {
    ApiError::new(404, "ResourceNotFoundException", format!("Schedule {name} does not exist."))
}

fn invalid(text: &str) -> ApiError {
    ApiError::new(400, "ValidationException", text)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use time::OffsetDateTime;
    use time::macros::format_description;
    use tokio::sync::mpsc;

    use super::*;

    struct Recorder(mpsc::UnboundedSender<(String, Value)>);

    impl Deliver for Recorder {
        fn deliver<'a>(&'a self, arn: &'a str, input: Value) -> BoxFuture<'a, Result<(), ApiError>> {
            let _nobody_listens = self.0.send((arn.to_owned(), input));
            Box::pin(async { Ok(()) })
        }
    }

    fn scheduler() -> (Scheduler, mpsc::UnboundedReceiver<(String, Value)>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Scheduler::new(Clock::new(1.0), Duration::ZERO, Arc::new(Recorder(sender))), receiver)
    }

    /// A schedule of the given name in so many seconds; seconds are the finest that an expression knows.
    fn input(name: &str, seconds: i64) -> Value {
        let at = OffsetDateTime::now_utc() + time::Duration::seconds(seconds);
        let at = at.format(format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]")).unwrap();
        json!({
            "Name": name,
            "ScheduleExpression": format!("at({at})"),
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": {"Arn": "arn:aws:lambda:eu-west-1:111122223333:function:unfence", "RoleArn": "arn:aws:iam::111122223333:role/x", "Input": "{\"runId\":\"r\"}"},
        })
    }

    fn with(mut input: Value, member: &str, value: &str) -> Value {
        input[member] = value.into();
        input
    }

    fn call(scheduler: &Scheduler, operation: &str, input: Value) -> Result<Value, String> {
        scheduler.answer(&Call::new(operation, input)).map_err(|error| error.code)
    }

    #[tokio::test]
    async fn a_schedule_fires_at_its_time_and_deletes_itself() {
        let (scheduler, mut fired) = scheduler();
        let started = Instant::now();
        call(&scheduler, "CreateSchedule", with(input("deadline", 2), "ActionAfterCompletion", "DELETE")).unwrap();

        let (arn, input) = fired.recv().await.unwrap();

        assert!((Duration::from_millis(900)..Duration::from_secs(3)).contains(&started.elapsed()));
        assert!(arn.ends_with(":function:unfence"));
        assert_eq!(input, json!({"runId": "r"}));
        let end = Instant::now() + Duration::from_secs(2);
        while !scheduler.names().is_empty() && Instant::now() < end {
            tokio::task::yield_now().await;
        }
        assert!(scheduler.names().is_empty());
    }

    #[tokio::test]
    async fn a_deleted_schedule_does_not_fire_and_a_moved_one_fires_once() {
        let (scheduler, mut fired) = scheduler();
        call(&scheduler, "CreateSchedule", input("deleted", 1)).unwrap();
        call(&scheduler, "CreateSchedule", input("moved", 1)).unwrap();

        call(&scheduler, "DeleteSchedule", json!({"Name": "deleted"})).unwrap();
        call(&scheduler, "UpdateSchedule", input("moved", 2)).unwrap();

        assert!(fired.recv().await.is_some());
        assert!(tokio::time::timeout(Duration::from_millis(300), fired.recv()).await.is_err());
        assert_eq!(scheduler.names(), ["moved"], "without DELETE it stays");
    }

    #[tokio::test]
    async fn a_name_is_taken_once_but_a_request_can_be_repeated() {
        let (scheduler, _fired) = scheduler();
        let create = |token| call(&scheduler, "CreateSchedule", with(input("deadline", 60), "ClientToken", token));

        assert_eq!(create("a"), create("a"));
        assert_eq!(create("b"), Err("ConflictException".to_owned()));
        assert_eq!(call(&scheduler, "GetSchedule", json!({"Name": "deadline"})).unwrap()["State"], "ENABLED");
    }

    #[tokio::test]
    async fn what_cannot_be_is_refused() {
        let (scheduler, _fired) = scheduler();
        let cases = [
            ("CreateSchedule", input("late", -5), "ValidationException"),
            ("CreateSchedule", with(input("odd", 5), "ScheduleExpression", "at(tomorrow)"), "ValidationException"),
            (
                "CreateSchedule",
                with(input("zone", 5), "ScheduleExpressionTimezone", "Mars/Olympus"),
                "ValidationException",
            ),
            ("CreateSchedule", with(input("group", 5), "GroupName", "mine"), "ResourceNotFoundException"),
            ("CreateSchedule", with(input("often", 5), "ScheduleExpression", "rate(1 minute)"), "NotImplemented"),
            ("GetSchedule", json!({"Name": "none"}), "ResourceNotFoundException"),
            ("UpdateSchedule", input("none", 5), "ResourceNotFoundException"),
            ("DeleteSchedule", json!({"Name": "none"}), "ResourceNotFoundException"),
        ];

        for (operation, input, code) in cases {
            assert_eq!(call(&scheduler, operation, input.clone()), Err(code.to_owned()), "{operation} {input}");
        }
    }
}
