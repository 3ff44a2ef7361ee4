//! Schedules (EventBridge Scheduler): what starts a machine at a moment, or at intervals, whatever becomes of the one who asked.
//!
//! A schedule fires at its moment or up to a minute later, in UTC. One of a single moment deletes itself once it has fired. Schedules carry no
//! tags (only their groups do), so a schedule's name and its input alone say whose it is.

mod moment;

use aws_sdk_scheduler::Client;
use aws_sdk_scheduler::types::{
    ActionAfterCompletion, FlexibleTimeWindow, FlexibleTimeWindowMode, RetryPolicy, Target,
};
use pgleap_step_kit::prelude::*;

/// How long, and how often, the scheduler tries to start the machine.
const RETRY_SECONDS: i32 = 3_600;
const RETRIES: i32 = 60;

/// EventBridge Scheduler, for one step.
#[derive(Debug, Clone)]
pub struct Schedules {
    client: Client,
}

/// When a schedule fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Once, in seconds since the epoch; it deletes itself afterwards.
    At(i64),
    /// Again and again, at so many minutes, two or more.
    EveryMinutes(u32),
}

/// A schedule to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSchedule<'a> {
    /// Its name, unique in the account's default group.
    pub name: &'a str,
    /// What it is for, for people.
    pub description: String,
    /// When it fires.
    pub when: When,
    /// ARN of the state machine that it starts.
    pub machine_arn: &'a str,
    /// ARN of the role that may start it.
    pub role_arn: &'a str,
    /// What the machine is started with, as JSON.
    pub input: String,
}

/// A schedule that exists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Schedule {
    /// When it fires, as Scheduler writes it: `at(2026-11-22T09:00:00)`.
    pub expression: String,
    /// What its machine is started with, as JSON; empty if it has none.
    pub input: String,
}

impl Schedule {
    /// When it fires, in seconds since the epoch; none if it is not a schedule of one moment.
    pub fn at(&self) -> Option<i64> {
        moment::parse(&self.expression)
    }
}

impl Schedules {
    /// With the step's configuration.
    pub fn new(ctx: &Ctx) -> Self {
        Self { client: Client::new(ctx.aws()) }
    }

    /// A schedule, if there is one of that name.
    pub async fn find(&self, name: &str) -> Result<Option<Schedule>, AwsError> {
        let answer = self.client.get_schedule().name(name).send().await;
        let found = answer.doing(format!("read schedule {name}")).optional()?;
        Ok(found.map(|found| Schedule {
            expression: found.schedule_expression.unwrap_or_default(),
            input: found.target.and_then(|target| target.input).unwrap_or_default(),
        }))
    }

    /// Make a schedule. The SDK's own client token makes its retries one creation.
    ///
    /// # Errors
    /// `Class::AlreadyThere`: there is one of that name.
    pub async fn create(&self, new: NewSchedule<'_>) -> Result<(), AwsError> {
        let retries =
            RetryPolicy::builder().maximum_event_age_in_seconds(RETRY_SECONDS).maximum_retry_attempts(RETRIES);
        let target = Target::builder()
            .arn(new.machine_arn)
            .role_arn(new.role_arn)
            .input(new.input)
            .retry_policy(retries.build())
            .build()
            .expect("ARNs are set");
        let at_once = FlexibleTimeWindow::builder().mode(FlexibleTimeWindowMode::Off).build().expect("mode is set");
        let (expression, afterwards) = match new.when {
            When::At(moment) => (moment::expression(moment), ActionAfterCompletion::Delete),
            When::EveryMinutes(minutes) => (format!("rate({minutes} minutes)"), ActionAfterCompletion::None),
        };
        let create = self
            .client
            .create_schedule()
            .name(new.name)
            .description(new.description)
            .schedule_expression(&expression)
            .schedule_expression_timezone("UTC")
            .flexible_time_window(at_once)
            .action_after_completion(afterwards)
            .target(target);
        create.send().await.doing(format!("create schedule {} {expression}", new.name)).map(|_created| ())
    }

    /// Delete a schedule; one that is not there is deleted already.
    pub async fn delete(&self, name: &str) -> Result<(), AwsError> {
        let answer = self.client.delete_schedule().name(name).send().await;
        answer.doing(format!("delete schedule {name}")).optional().map(|_deleted| ())
    }
}
