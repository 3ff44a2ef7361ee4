//! Schedules that fire, and those that do not.

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
    scaled(1.0)
}

fn scaled(scale: f64) -> (Scheduler, mpsc::UnboundedReceiver<(String, Value)>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (Scheduler::new(Clock::new(scale), Duration::ZERO, Arc::new(Recorder(sender))), receiver)
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
async fn a_schedule_that_is_hours_ahead_waits_in_scaled_time_and_a_deadline_does_not() {
    let (scheduler, mut fired) = scaled(0.000_1);
    call(&scheduler, "CreateSchedule", input("deadline", 3_500)).unwrap();
    call(&scheduler, "CreateSchedule", with(input("far", 7_200), "ActionAfterCompletion", "DELETE")).unwrap();

    assert!(fired.recv().await.is_some());
    assert!(tokio::time::timeout(Duration::from_millis(600), fired.recv()).await.is_err());
    assert_eq!(scheduler.names(), ["deadline"]);
}

#[tokio::test]
async fn a_rate_fires_at_once_and_then_at_its_interval_until_it_is_deleted() {
    let (scheduler, mut fired) = scaled(0.001);
    let started = Instant::now();
    let rate = with(input("watch", 5), "ScheduleExpression", "rate(15 minutes)");
    call(&scheduler, "CreateSchedule", rate).unwrap();

    let mut times = Vec::new();
    for _ in 0..3 {
        fired.recv().await.unwrap();
        times.push(started.elapsed().as_millis());
    }
    let shown = call(&scheduler, "GetSchedule", json!({"Name": "watch"})).unwrap();
    call(&scheduler, "DeleteSchedule", json!({"Name": "watch"})).unwrap();

    assert!(times[0] < 900 && times[2] >= 1_700, "{times:?}");
    assert_eq!(shown["ScheduleExpression"], "rate(15 minutes)");
    assert!(tokio::time::timeout(Duration::from_millis(1_500), fired.recv()).await.is_err());
}

#[tokio::test]
async fn a_rate_ends_at_its_end_date_and_deletes_itself_then() {
    let (scheduler, mut fired) = scaled(0.001);
    let mut rate = with(input("watch", 5), "ScheduleExpression", "rate(1 minute)");
    rate["EndDate"] = (scheduler.inner.clock.epoch_seconds() + 150.0).into();
    call(&scheduler, "CreateSchedule", with(rate, "ActionAfterCompletion", "DELETE")).unwrap();

    for _ in 0..3 {
        fired.recv().await.unwrap();
    }
    assert!(tokio::time::timeout(Duration::from_millis(300), fired.recv()).await.is_err());
    assert!(scheduler.names().is_empty());
}

#[tokio::test]
async fn a_disabled_schedule_is_listed_and_fires_when_it_is_enabled() {
    let (scheduler, mut fired) = scaled(0.001);
    let rate = with(input("watch", 5), "ScheduleExpression", "rate(1 minute)");
    call(&scheduler, "CreateSchedule", with(rate.clone(), "State", "DISABLED")).unwrap();

    assert!(tokio::time::timeout(Duration::from_millis(200), fired.recv()).await.is_err());
    let listed = call(&scheduler, "ListSchedules", json!({"State": "DISABLED"})).unwrap();
    assert_eq!(listed["Schedules"][0]["Name"], "watch");
    call(&scheduler, "UpdateSchedule", rate).unwrap();
    assert!(fired.recv().await.is_some());
}

/// A target that takes nothing, ever.
struct Busy(mpsc::UnboundedSender<()>);

impl Deliver for Busy {
    fn deliver<'a>(&'a self, _: &'a str, _: Value) -> BoxFuture<'a, Result<(), ApiError>> {
        let _nobody_listens = self.0.send(());
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn a_rate_does_not_wait_for_its_last_delivery() {
    let (sender, mut offered) = mpsc::unbounded_channel();
    let scheduler = Scheduler::new(Clock::new(0.001), Duration::ZERO, Arc::new(Busy(sender)));
    call(&scheduler, "CreateSchedule", with(input("watch", 5), "ScheduleExpression", "rate(1 minute)")).unwrap();

    for _ in 0..3 {
        offered.recv().await.unwrap();
    }
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
        ("CreateSchedule", with(input("zone", 5), "ScheduleExpressionTimezone", "Mars/Olympus"), "ValidationException"),
        ("CreateSchedule", with(input("group", 5), "GroupName", "mine"), "ResourceNotFoundException"),
        ("CreateSchedule", with(input("daily", 5), "ScheduleExpression", "cron(0 8 * * ? *)"), "NotImplemented"),
        ("CreateSchedule", with(input("often", 5), "ScheduleExpression", "rate(1 minutes)"), "ValidationException"),
        ("GetSchedule", json!({"Name": "none"}), "ResourceNotFoundException"),
        ("UpdateSchedule", input("none", 5), "ResourceNotFoundException"),
        ("DeleteSchedule", json!({"Name": "none"}), "ResourceNotFoundException"),
    ];

    for (operation, input, code) in cases {
        assert_eq!(call(&scheduler, operation, input.clone()), Err(code.to_owned()), "{operation} {input}");
    }
}
