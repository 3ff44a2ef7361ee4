//! Arm the cutover: record durably that a fence is possible from here on, protect the target from deletion, and create
//! the dead-man schedule, which starts the recovery at the deadline even if this execution is stopped. If the record is switched
//! before the fence, this is done twice: for the change of the record, and for the fence, which has a deadline of its own.
//!
//! Changes:      the run's mark (a secret); target (loses the tag that permits its deletion); scheduler (one one-shot
//!               schedule, which deletes itself once it has fired)
//! Repeatable:   yes; an armed deadline is never moved, its time is answered again
//! If it dies:   each part exists or not; the next call finds it
//!
//! Each part is read back before the next. Where one is denied the run ends here, and the source never noticed.
//!
//! A stopped execution, the machine's own time-out and the limit of its history run no Catch. From here on they do not
//! need one. The schedule fires at the deadline or up to a minute later: the precision of EventBridge Scheduler. The
//! steps themselves keep the deadline to the millisecond; the schedule is for when there is no step left. It carries all
//! that the recovery needs to undo the first REVOKE. Schedules carry no tags (only their groups do), so the name alone
//! says whose it is.

mod target;

use std::time::{SystemTime, UNIX_EPOCH};

use pgleap_contract::steps::{ArmDeadlineInput, ArmDeadlineOutput, Arming};
use pgleap_contract::{Cutover, SwitchRecord};
use pgleap_rds::Rds;
use pgleap_schedule::{NewSchedule, Schedules, When};
use pgleap_step_kit::{Deadline, prelude::*};
use pgleap_window::Interruption;
use serde_json::json;

/// Between this step and the first REVOKE lies the start of one Lambda. The limit is counted from the REVOKE, so this
/// much comes on top; in seconds.
const HEAD_ROOM_SECONDS: i64 = 5;
/// A step under the fence ends at the deadline; its state waits so many seconds longer than the limit.
const STEP_HEAD_ROOM_SECONDS: u32 = 20;

/// What the schedule starts.
#[derive(Debug, Clone)]
pub struct Recovery {
    /// ARN of the state machine that recovers.
    pub machine_arn: String,
    /// ARN of the role that may start it.
    pub role_arn: String,
}

impl Recovery {
    /// As the deployment says; a missing variable is a defect of it.
    pub fn from_environment() -> StepResult<Self> {
        let variable = |name: &str| {
            std::env::var(name).map_err(|_| StepError::bug(format!("read the environment: {name} is not set")))
        };
        Ok(Self { machine_arn: variable("PGLEAP_RECOVER_ARN")?, role_arn: variable("PGLEAP_SCHEDULE_ROLE_ARN")? })
    }
}

/// Answer the armed deadline, or arm it.
pub async fn run(ctx: &Ctx, input: ArmDeadlineInput) -> StepResult<ArmDeadlineOutput> {
    run_with(ctx, input, Recovery::from_environment()?).await
}

/// The same, with what the environment says at hand.
pub async fn run_with(ctx: &Ctx, input: ArmDeadlineInput, recovery: Recovery) -> StepResult<ArmDeadlineOutput> {
    let run = &input.run;
    let schedules = Schedules::new(ctx);
    let armed_before = armed(&schedules, &input).await?;
    match &input.switch {
        Some(switch) => Deadline::of(*switch).check("arm the deadline")?,
        None if armed_before.is_none() => refuse_outside_window(&input, now_seconds())?,
        None => {}
    }
    pgleap_mark::arm(ctx, run, input.generation).await?;
    if run.purpose.is_upgrade() {
        target::protect(&Rds::new(ctx), run).await?;
    }
    let deadline = match armed_before {
        Some(deadline) => deadline,
        None => arm(&schedules, &input, &recovery).await?,
    };
    if input.switch.is_some() {
        // From here on the fence's own deadline applies. If the other one has just passed, the recovery claims the rollback, and
        // the fence is refused.
        schedules.delete(&run.names().switch_schedule()).await?;
    }
    if deadline <= now_seconds() {
        let message = format!("arm the deadline of run {}: the deadline has passed, so the run rolls back", run.id);
        return Err(StepError::new(ErrorCode::DeadlinePassed, message));
    }
    Ok(ArmDeadlineOutput {
        cutover: Cutover { generation: input.generation, deadline_epoch_ms: deadline * 1_000 },
        step_seconds: seconds(&input) + STEP_HEAD_ROOM_SECONDS,
    })
}

/// The deadline of the schedule that exists, in seconds since the epoch.
async fn armed(schedules: &Schedules, input: &ArmDeadlineInput) -> StepResult<Option<i64>> {
    let name = schedule_name(input);
    let Some(found) = schedules.find(&name).await? else { return Ok(None) };
    if !is_ours(&found.input, input) {
        let message =
            format!("arm the deadline: schedule {name} belongs to another execution; start the run with another runId");
        return Err(StepError::new(ErrorCode::BadInput, message));
    }
    let odd = || StepError::bug(format!("read schedule {name}: it has the expression {:?}", found.expression));
    found.at().ok_or_else(odd).map(Some)
}

/// A second call of this step finds the schedule by name.
async fn arm(schedules: &Schedules, input: &ArmDeadlineInput, recovery: &Recovery) -> StepResult<i64> {
    let run = &input.run;
    let name = schedule_name(input);
    let deadline = deadline(now_seconds(), seconds(input));
    let schedule = NewSchedule {
        name: &name,
        description: format!("pgleap run {}: rolls back to the source at the deadline", run.id),
        when: When::At(deadline),
        machine_arn: &recovery.machine_arn,
        role_arn: &recovery.role_arn,
        input: target_input(input),
    };
    match schedules.create(schedule).await {
        Ok(()) => Ok(deadline),
        // Somebody was faster: the deadline that is armed is the one that holds.
        Err(error) if error.is(Class::AlreadyThere) => {
            armed(schedules, input).await?.ok_or_else(|| StepError::new(ErrorCode::ResourceBusy, error.to_string()))
        }
        Err(error) => Err(error.into()),
    }
}

/// The last look before users are interrupted: cutover and way back would have to be over when the window closes.
fn refuse_outside_window(input: &ArmDeadlineInput, now: i64) -> StepResult<()> {
    let Some(window) = &input.run.window else { return Ok(()) };
    let switch = match input.part {
        Arming::Switch => SwitchRecord::BeforeFence,
        Arming::Fence => SwitchRecord::WithDrain,
    };
    let opening = pgleap_window::next(window, Interruption::cutover(&input.run.limits, switch), now);
    let opening = opening.map_err(|reason| StepError::new(ErrorCode::BadInput, reason))?;
    if opening.holds(now) {
        return Ok(());
    }
    let message = format!(
        "arm the deadline: there is not enough time for a cutover and a rollback before {} ({}); the window opens \
         again at {}",
        window.end,
        window.time_zone,
        pgleap_window::text(opening.opens)
    );
    Err(StepError::new(ErrorCode::WindowOver, message))
}

/// All that undoing the fence needs, so that it waits for no service that knows it too.
fn target_input(input: &ArmDeadlineInput) -> String {
    json!({
        "executionArn": input.run.execution_arn,
        "reason": "deadline",
        "run": input.run,
        "source": input.source,
        "target": input.target,
        "generation": input.generation,
    })
    .to_string()
}

/// Whether a schedule was made for this cutover, by what it would start.
fn is_ours(schedule_input: &str, input: &ArmDeadlineInput) -> bool {
    let found: serde_json::Value = serde_json::from_str(schedule_input).unwrap_or_default();
    found["executionArn"] == json!(input.run.execution_arn) && found["generation"] == json!(input.generation)
}

fn schedule_name(input: &ArmDeadlineInput) -> String {
    let names = input.run.names();
    match input.part {
        Arming::Switch => names.switch_schedule(),
        Arming::Fence => names.deadline_schedule(),
    }
}

/// The limit of what begins, in seconds.
fn seconds(input: &ArmDeadlineInput) -> u32 {
    match input.part {
        Arming::Switch => input.run.limits.switch_seconds,
        Arming::Fence => input.run.limits.cutover_seconds,
    }
}

/// Whole seconds, as a schedule has them, never earlier than the limit allows; in seconds since the epoch.
fn deadline(now_seconds: i64, limit_seconds: u32) -> i64 {
    now_seconds + 1 + i64::from(limit_seconds) + HEAD_ROOM_SECONDS
}

fn now_seconds() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    i64::try_from(since.as_secs()).expect("a clock before the end of time")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deadline_leaves_room_for_the_fence_to_begin() {
        assert_eq!(deadline(1_000, 60), 1_000 + 60 + HEAD_ROOM_SECONDS + 1);
    }
}
