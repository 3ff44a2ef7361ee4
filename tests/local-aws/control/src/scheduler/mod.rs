//! EventBridge Scheduler: schedules that really fire, once or at a rate.
//!
//! A schedule that fires once within the next hour is a deadline of the run, and fires in real time. Recurring schedules
//! and those further ahead wait in scaled time, so that days of waiting can be rehearsed in minutes. AWS may fire up to a
//! minute late, here as late as the configuration says.

mod expression;
mod firings;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use local_aws_core::{ACCOUNT, ApiError, BoxFuture, Call, Clock, Deliver, REGION, Reply, Service};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use self::firings::{Bounds, Firings};
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
    /// Fires at `targets`, each time `lateness` late; the lateness is scaled where the schedule's time is.
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
        let expression = expression::parse(call.required("ScheduleExpression")?, zone)?;
        let date = |member: &str| call.input.get(member).and_then(Value::as_f64);
        let bounds = Bounds { start: date("StartDate"), end: date("EndDate") };
        let firings = Firings::of(expression, bounds, now, self.inner.clock, self.inner.lateness)?;
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
        let timer = tokio::spawn(fire(self.inner.clone(), name.to_owned(), members.clone(), firings));
        Ok(Schedule { members, token, timer })
    }
}

/// Wait and deliver, as often as the schedule says, and clean up if it says so.
async fn fire(scheduler: Arc<Inner>, name: String, members: Value, firings: Firings) {
    if members["State"] == "DISABLED" {
        return;
    }
    let mut next = Instant::now() + firings.first;
    for number in 1.. {
        tokio::time::sleep_until(next).await;
        // On a task of its own: deleting the schedule stops the timer, not a delivery that has begun; and a recurring
        // schedule fires again whether or not the target has taken the last delivery.
        let delivery = tokio::spawn(deliver(scheduler.clone(), name.clone(), members.clone()));
        if firings.times == Some(number) {
            let _delivery_failed_and_said_so = delivery.await;
            break;
        }
        next += firings.interval;
    }
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
mod tests;
