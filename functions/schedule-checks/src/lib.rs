//! Schedule the fail-back path: a check at intervals whether it is still good, and the moment at which it closes.
//!
//! Changes:      scheduler (one recurring schedule, and one that fires once)
//! Repeatable:   yes; a moment that was set stays
//! If it dies:   each schedule exists or not; the next call finds it
//!
//! The schedules carry everything that failing back, the checks and the closing need to know. The closing comes first: a fail-back path
//! that is watched and never ends would cost money for ever.

use std::time::{SystemTime, UNIX_EPOCH};

use pgleap_contract::steps::{FailBackPath, OnBoth, ScheduleChecksOutput};
use pgleap_schedule::{NewSchedule, Schedules, When};
use pgleap_step_kit::prelude::*;
use serde_json::{Value, json};

/// How often the fail-back path is checked, in minutes: what makes it useless is notified within this time.
const MINUTES: u32 = 15;

/// Create what does not exist; answer when the path closes.
pub async fn run(ctx: &Ctx, input: OnBoth) -> StepResult<ScheduleChecksOutput> {
    let variable = |name: &str| {
        std::env::var(name).map_err(|_| StepError::bug(format!("read the environment: {name} is not set")))
    };
    let machines = Machines {
        watch: variable("PGLEAP_WATCH_ARN")?,
        recover: variable("PGLEAP_RECOVER_ARN")?,
        role: variable("PGLEAP_SCHEDULE_ROLE_ARN")?,
    };
    run_with(ctx, input, &machines).await
}

/// What the schedules start, by ARN.
#[derive(Debug, Clone)]
pub struct Machines {
    /// The machine that checks the fail-back path.
    pub watch: String,
    /// The machine that closes it.
    pub recover: String,
    /// The role that may start both.
    pub role: String,
}

/// The same, with what the environment says at hand.
pub async fn run_with(ctx: &Ctx, input: OnBoth, machines: &Machines) -> StepResult<ScheduleChecksOutput> {
    let (run, names) = (&input.run, input.run.names());
    let hours = run.fail_back.as_ref().map(|fail_back| fail_back.keep_hours);
    let hours = hours.ok_or_else(|| StepError::bug("schedule the fail-back path: the input does not ask for one"))?;
    let schedules = Schedules::new(ctx);
    let closing = json!({ "executionArn": run.execution_arn, "reason": "closing" });
    let wanted = now_seconds() + i64::from(hours) * 3_600;
    let closes =
        ensure(&schedules, run, machines, (&names.closing_schedule(), When::At(wanted), &machines.recover), &closing)
            .await?
            .unwrap_or(wanted);
    let path = FailBackPath {
        run: run.failing_back(&run.execution_arn),
        source: input.target.clone(),
        target: input.source.clone(),
    };
    let watch = json!({ "executionArn": run.execution_arn, "failBackPath": path });
    ensure(
        &schedules,
        run,
        machines,
        (&names.fail_back_schedule(), When::EveryMinutes(MINUTES), &machines.watch),
        &watch,
    )
    .await?;
    Ok(ScheduleChecksOutput { closes: pgleap_window::text(closes) })
}

/// Create a schedule of this execution unless it exists; when it fires, if it did and fires once.
async fn ensure(
    schedules: &Schedules,
    run: &Run,
    machines: &Machines,
    (name, when, machine_arn): (&str, When, &str),
    input: &Value,
) -> StepResult<Option<i64>> {
    if let Some(found) = schedules.find(name).await? {
        let found_input: Value = serde_json::from_str(&found.input).unwrap_or_default();
        if found_input["executionArn"] != json!(run.execution_arn) {
            let message = format!(
                "schedule the fail-back path: schedule {name} belongs to another execution; delete it if that has ended"
            );
            return Err(StepError::new(ErrorCode::BadInput, message));
        }
        return Ok(found.at());
    }
    let new = NewSchedule {
        name,
        description: format!("pgleap run {}: the fail-back path to the old server", run.id),
        when,
        machine_arn,
        role_arn: &machines.role,
        input: input.to_string(),
    };
    match schedules.create(new).await {
        Ok(()) => Ok(None),
        Err(error) if error.is(Class::AlreadyThere) => Err(StepError::new(ErrorCode::ResourceBusy, error.to_string())),
        Err(error) => Err(error.into()),
    }
}

fn now_seconds() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    i64::try_from(since.as_secs()).expect("a clock before the end of time")
}
