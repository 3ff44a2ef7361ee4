//! The mark of a cutover: a note in a secret of the run's own that says how far the cutover came.
//!
//! It is written before the fence and read back, so that no fence is possible without it: where there is no mark, the
//! source was never fenced. After the decision it says `open` or `back`. It survives both databases, and unlike a tag it
//! proves something by being there and by its absence (docs/decisions/0070-one-decision-for-one-generation.md).
//!
//! A mark is created once and never created over. From `armed` it changes to what the databases decided and then no more,
//! but for one thing: a rollback that could not ask the target may learn later that it holds the target's outcome.

use aws_sdk_secretsmanager::Client;
use pgleap_contract::{ErrorCode, Generation, Outcome, Run};
use pgleap_step_kit::aws::{Class, Doing, Optional};
use pgleap_step_kit::{Ctx, StepError, StepResult};
use serde::{Deserialize, Serialize};

/// How far a cutover came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// A fence is possible from here on.
    Armed,
    /// The target is open.
    Open,
    /// The source serves. `target_holds_back`: the rollback is recorded in the target too, so that it can never open.
    #[serde(rename_all = "camelCase")]
    Back {
        /// Proven by the target's own outcome.
        target_holds_back: bool,
    },
}

/// The content of the secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mark {
    /// ARN of the execution that armed the cutover.
    pub execution: String,
    /// Which cutover of the run.
    pub generation: Generation,
    /// How far it came.
    pub state: State,
}

/// The mark of this execution's cutover, if it armed one. An error is never "no mark"; the mark of another execution that
/// uses the same run id is.
pub async fn read(ctx: &Ctx, run: &Run, generation: Generation) -> StepResult<Option<Mark>> {
    let name = run.names().cutover_secret(generation);
    let client = Client::new(ctx.aws());
    let answer = client.get_secret_value().secret_id(&name).send().await;
    let Some(secret) = answer.doing(format!("read the mark {name}")).optional()? else { return Ok(None) };
    let mark: Mark = serde_json::from_str(secret.secret_string().unwrap_or_default())
        .map_err(|error| StepError::bug(format!("read the mark {name}: {error}")))?;
    Ok(Some(mark).filter(|mark| mark.execution == run.execution_arn && mark.generation == generation))
}

/// Refuse unless the cutover is armed and undecided: asked by whoever is about to shut a door or to move clients.
pub async fn prove_armed(ctx: &Ctx, run: &Run, generation: Generation) -> StepResult<()> {
    refuse_unarmed(run, generation, read(ctx, run, generation).await?.map(|mark| mark.state))
}

fn refuse_unarmed(run: &Run, generation: Generation, state: Option<State>) -> StepResult<()> {
    let name = run.names().cutover_secret(generation);
    match state {
        Some(State::Armed) => Ok(()),
        Some(decided) => {
            Err(StepError::new(ErrorCode::AlreadyBack, format!("check the mark {name}: it says {decided:?}")))
        }
        None => Err(StepError::bug(format!("check the mark {name}: the cutover was never armed"))),
    }
}

/// Write the mark before the first fence, and read it back. One that exists is left as it is.
pub async fn arm(ctx: &Ctx, run: &Run, generation: Generation) -> StepResult<()> {
    let name = run.names().cutover_secret(generation);
    let mark = Mark { execution: run.execution_arn.clone(), generation, state: State::Armed };
    let client = Client::new(ctx.aws());
    let answer = client
        .create_secret()
        .set_kms_key_id(pgleap_step_kit::secrets_key())
        .name(&name)
        .description(format!("pgleap run {}: how far its cutover got (not sensitive)", run.id))
        .secret_string(text(&mark))
        .set_tags(Some(pgleap_step_kit::secret_tags(run)))
        .send()
        .await;
    match answer.doing(format!("write the mark {name}")) {
        Ok(_created) => {}
        Err(error) if error.is(Class::AlreadyThere) => {}
        Err(error) => return Err(error.into()),
    }
    // One that was created a moment ago may not be seen yet: the run waits for it, and never takes its absence for an answer.
    ctx.secret(&name).await?;
    match read(ctx, run, generation).await? {
        None => Err(StepError::new(
            ErrorCode::BadInput,
            format!("read back the mark {name}: it belongs to another execution; start the run with another runId"),
        )),
        Some(mark) => refuse_unarmed(run, generation, Some(mark.state)),
    }
}

/// Note what the databases decided. A mark that says so already is left alone; `open` is never written over.
pub async fn decide(ctx: &Ctx, run: &Run, generation: Generation, state: State) -> StepResult<()> {
    let name = run.names().cutover_secret(generation);
    let Some(mark) = read(ctx, run, generation).await? else {
        return Err(StepError::bug(format!("write the mark {name}: the cutover was never armed")));
    };
    match next(mark.state, state) {
        Step::Keep => Ok(()),
        Step::Contradiction => {
            Err(StepError::bug(format!("write the mark {name}: it says {:?}, which contradicts {state:?}", mark.state)))
        }
        Step::Write => {
            let client = Client::new(ctx.aws());
            let answer =
                client.put_secret_value().secret_id(&name).secret_string(text(&Mark { state, ..mark })).send().await;
            answer.doing(format!("write the mark {name}"))?;
            Ok(())
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Step {
    Write,
    Keep,
    Contradiction,
}

fn next(now: State, wanted: State) -> Step {
    match (now, wanted) {
        (State::Armed, State::Open | State::Back { .. }) => Step::Write,
        (State::Back { target_holds_back: false }, State::Back { target_holds_back: true }) => Step::Write,
        (State::Back { .. }, State::Back { .. }) | (State::Open, State::Open) | (State::Armed, State::Armed) => {
            Step::Keep
        }
        (State::Open, _) | (State::Back { .. }, _) => Step::Contradiction,
    }
}

/// Whether a step may act for this outcome: what was decided otherwise is never undone by a payload that says so.
pub fn refuse_contradiction(mark: Option<&Mark>, outcome: Outcome) -> StepResult<()> {
    match (mark.map(|mark| mark.state), outcome) {
        (Some(State::Open), Outcome::Back) => Err(StepError::new(
            ErrorCode::UnfenceUnsafe,
            "roll back: the mark of the cutover says that the target is open, so a rollback is no longer possible",
        )),
        (Some(State::Armed), Outcome::Back) => Err(StepError::new(
            ErrorCode::UnfenceUnsafe,
            "roll back: the mark of the cutover says that it is armed; the source must be unfenced first",
        )),
        _ => Ok(()),
    }
}

fn text(mark: &Mark) -> String {
    serde_json::to_string(mark).expect("plain data")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: State = State::Back { target_holds_back: true };
    const UNASKED: State = State::Back { target_holds_back: false };

    #[test]
    fn a_decision_is_noted_once_and_open_is_never_written_over() {
        let cases = [
            (State::Armed, State::Open, Step::Write),
            (State::Armed, SAID, Step::Write),
            (State::Armed, UNASKED, Step::Write),
            (UNASKED, SAID, Step::Write),
            (SAID, UNASKED, Step::Keep),
            (State::Open, State::Open, Step::Keep),
            (State::Open, SAID, Step::Contradiction),
            (SAID, State::Open, Step::Contradiction),
            (UNASKED, State::Armed, Step::Contradiction),
        ];
        for (now, wanted, expected) in cases {
            assert_eq!(next(now, wanted), expected, "{now:?} to {wanted:?}");
        }
    }

    #[test]
    fn nothing_is_rolled_back_against_the_mark() {
        let mark = |state| Mark { execution: String::new(), generation: Generation::FORWARD, state };
        let cases = [
            (None, true, true),
            (Some(State::Armed), false, true),
            (Some(State::Open), false, true),
            (Some(SAID), true, true),
        ];
        for (state, back, open) in cases {
            let mark = state.map(mark);
            assert_eq!(refuse_contradiction(mark.as_ref(), Outcome::Back).is_ok(), back, "{mark:?}");
            assert_eq!(refuse_contradiction(mark.as_ref(), Outcome::Open).is_ok(), open, "{mark:?}");
        }
    }

    #[test]
    fn a_mark_is_plain_json() {
        let mark = Mark { execution: "arn".to_owned(), generation: Generation::FORWARD, state: UNASKED };
        let expected = r#"{"execution":"arn","generation":1,"state":{"back":{"targetHoldsBack":false}}}"#;

        assert_eq!(text(&mark), expected);
        assert_eq!(serde_json::from_str::<Mark>(expected).expect("a mark"), mark);
    }
}
