//! Remove what the run created outside the databases and the copy engine: the schedule, the copy (after a rollback),
//! the snapshot, parameter groups, and secrets.
//!
//! Changes:      scheduler, RDS (never the source), Secrets Manager
//! Repeatable:   yes; what is gone stays gone, what goes is waited for
//! If it dies:   AWS goes on deleting; the next look sees what is left
//!
//! Everything is found by name and goes only if it carries the run's tag; the target needs more proof than that
//! (`target.rs`). What stays although the run made it is named in the output: the copy of the source's parameter group,
//! because detaching it would cost a reboot, after OPEN the one that the target lives with, and a target of which it is
//! not proven that it can never open.
//!
//! The working login's secret and the mark go last, once nothing else is left: a recovery that finds the mark knows how
//! the cutover ended, and one that does not find it has nothing to undo.

mod groups;
mod secrets;
mod target;

use pgleap_contract::steps::{Part, RemoveResourcesInput, RemoveResourcesOutput};
use pgleap_contract::{Outcome, Purpose};
use pgleap_rds::Rds;
use pgleap_schedule::Schedules;
use pgleap_step_kit::prelude::*;

/// Everything that can go now is told to go.
pub async fn run(ctx: &Ctx, input: RemoveResourcesInput) -> StepResult<Polled<RemoveResourcesOutput>> {
    let run = &input.run;
    let mark = pgleap_mark::read(ctx, run, input.generation).await?;
    pgleap_mark::refuse_contradiction(mark.as_ref(), input.outcome)?;
    let rds = Rds::new(ctx);
    let mut left = Left::default();

    let (schedules, names) = (Schedules::new(ctx), run.names());
    schedules.delete(&names.switch_schedule()).await?;
    schedules.delete(&names.deadline_schedule()).await?;
    match (input.outcome, run.purpose) {
        // Both servers were there before, and both stay.
        (_, Purpose::FailBack) => {}
        (Outcome::Back, _) => target::remove(&rds, run, mark.as_ref(), &mut left).await?,
        (Outcome::Open, _) => target::remove_its_snapshot(&rds, run, &mut left).await?,
    }
    if run.purpose.is_upgrade() {
        groups::remove(&rds, run, &mut left).await?;
    }
    secrets::remove(ctx, run, &secrets::first(run), &mut left).await?;
    if (run.purpose, input.outcome) == (Purpose::FailBack, Outcome::Back) {
        // The path stays open, and with it everything that it needs.
        secrets::remove(ctx, run, &[names.cutover_secret(input.generation)], &mut left).await?;
        return Ok(left.answer());
    }
    if input.part == Part::All && left.nothing_goes() {
        if input.outcome == Outcome::Open {
            target::release(&rds, run).await?;
        }
        schedules.delete(&names.fail_back_schedule()).await?;
        schedules.delete(&names.closing_schedule()).await?;
        let last = secrets::last(run, input.generation, mark.is_some());
        secrets::remove(ctx, run, &last, &mut left).await?;
    }
    Ok(left.answer())
}

/// What is not gone: for a while, or for good.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Left {
    going: Vec<String>,
    kept: Vec<String>,
}

impl Left {
    /// It goes; the next look sees whether it is gone.
    pub(crate) fn going(&mut self, what: impl Into<String>) {
        self.going.push(what.into());
    }

    /// It stays.
    pub(crate) fn kept(&mut self, what: impl Into<String>) {
        self.kept.push(what.into());
    }

    /// Whether the answer to "go" was yes, "gone already", or "not now".
    pub(crate) fn asked<T>(&mut self, what: &str, answer: Result<T, AwsError>) -> StepResult<()> {
        match answer {
            Ok(_) => self.going(what),
            Err(error) if error.is(Class::NotFound) => {}
            Err(error) if error.is(Class::WrongState) => self.going(format!("{what}: {}", error.message)),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Nothing is waited for.
    fn nothing_goes(&self) -> bool {
        self.going.is_empty()
    }

    fn answer(self) -> Polled<RemoveResourcesOutput> {
        if self.nothing_goes() {
            let stays = match self.kept.is_empty() {
                true => String::new(),
                false => format!(". The run kept: {}", self.kept.join("; ")),
            };
            Polled::Done(RemoveResourcesOutput { kept: self.kept, stays })
        } else {
            Polled::Waiting(self.going.join("; "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gone_is_gone_and_not_now_is_waited_for() {
        let refused = |class| AwsError {
            doing: String::new(),
            class,
            code: String::new(),
            message: "busy".to_owned(),
            advice: None,
        };
        let mut left = Left::default();

        left.asked("snapshot s", Err::<(), _>(refused(Class::NotFound))).expect("gone");
        assert_eq!(left, Left::default());
        left.asked("snapshot s", Err::<(), _>(refused(Class::WrongState))).expect("not now");
        left.asked("instance i", Ok(())).expect("goes");

        assert!(left.asked("group g", Err::<(), _>(refused(Class::Denied))).is_err());
        assert_eq!(left.answer(), Polled::Waiting("snapshot s: busy; instance i".to_owned()));
    }

    #[test]
    fn what_stays_is_named_and_not_waited_for() {
        let mut left = Left::default();

        left.kept("group g");

        assert_eq!(
            left.answer(),
            Polled::Done(RemoveResourcesOutput {
                kept: vec!["group g".to_owned()],
                stays: ". The run kept: group g".to_owned()
            })
        );
    }
}
