//! One look at the chores of a phase: workers are started where work waits, and left to the server.

use std::time::{Duration, Instant};

use pgleap_contract::steps::NoOutput;
use pgleap_contract::{ErrorCode, Run, Server};
use pgleap_pg::Session;
use pgleap_pg::chores::{self, Phase, Progress};

use crate::{Ctx, Polled, StepError, StepResult};

/// How long one look stays when it is nearly done: small databases are done within one look.
const STAY: Duration = Duration::from_secs(10);
const INTERVAL: Duration = Duration::from_millis(100);

/// What a chore that failed for good means for its phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// The step fails, and the run rolls back.
    Stop,
    /// The phase is done when nothing else can be: after OPEN nothing leads back, and what failed is named.
    GoOn,
}

/// What a poll decides.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Done,
    Failed(String),
    Start(i64),
    Wait,
}

/// Look, start up to `most` workers in all, stay a moment for what is done soon.
pub async fn work_off(
    ctx: &Ctx,
    run: &Run,
    server: &Server,
    owner: &Session,
    phase: Phase,
    most: i64,
    on_failure: OnFailure,
) -> StepResult<Polled<NoOutput>> {
    let worker = run.names().application(phase.word());
    let began = Instant::now();
    loop {
        let progress = chores::look(owner, phase, &worker).await?;
        match decide(&progress, most, on_failure) {
            Verdict::Done => return Ok(Polled::Done(NoOutput {})),
            Verdict::Failed(reason) => {
                return Err(StepError::new(
                    ErrorCode::StatementFailed,
                    format!("{} the target: {reason}", phase.word()),
                ));
            }
            _ if began.elapsed() > STAY => return Ok(Polled::Waiting(describe(&progress))),
            Verdict::Start(workers) => {
                for _ in 0..workers {
                    chores::leave_worker(ctx.as_target_owner(run, server).await?, phase, &worker).await?;
                }
            }
            Verdict::Wait => {}
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// A failed chore is reported when the others of its rank are done, so that hours of their work are not lost to a
/// mistake that a repeated run would find again.
fn decide(progress: &Progress, most: i64, on_failure: OnFailure) -> Verdict {
    if progress.left == 0 || (on_failure == OnFailure::GoOn && progress.possible == 0) {
        return Verdict::Done;
    }
    let missing = most.min(progress.free) - progress.workers;
    match &progress.failed {
        Some(reason) if on_failure == OnFailure::Stop && progress.workers == 0 && progress.free == 0 => {
            Verdict::Failed(reason.clone())
        }
        _ if missing > 0 => Verdict::Start(missing),
        _ => Verdict::Wait,
    }
}

fn describe(progress: &Progress) -> String {
    format!("{} of {} deferred jobs are done; now: {}", progress.total - progress.left, progress.total, progress.at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_are_started_where_work_waits() {
        let seen = |left, workers, free, failed: Option<&str>| Progress {
            total: 10,
            left,
            possible: left - i64::from(failed.is_some()),
            workers,
            free,
            failed: failed.map(str::to_owned),
            at: String::new(),
        };
        let cases = [
            ("nothing left", seen(0, 0, 0, None), Verdict::Done),
            ("nothing left, a worker about to end", seen(0, 1, 0, None), Verdict::Done),
            ("work for many", seen(9, 0, 9, None), Verdict::Start(3)),
            ("work for one", seen(9, 0, 1, None), Verdict::Start(1)),
            ("one works, two could", seen(9, 1, 9, None), Verdict::Start(2)),
            ("the rank's last chore is in work", seen(5, 1, 1, None), Verdict::Wait),
            ("a lock is waited for", seen(1, 0, 0, None), Verdict::Wait),
            ("one failed, others work", seen(3, 1, 1, Some("x")), Verdict::Wait),
            ("one failed, others wait", seen(3, 0, 1, Some("x")), Verdict::Start(1)),
            ("one failed, nothing else can be done", seen(3, 0, 0, Some("x")), Verdict::Failed("x".to_owned())),
        ];
        for (what, progress, verdict) in cases {
            assert_eq!(decide(&progress, 3, OnFailure::Stop), verdict, "{what}");
        }
    }

    #[test]
    fn after_open_a_failure_is_waited_around_and_is_no_reason_to_stop() {
        let seen = |possible, workers, free| Progress {
            total: 10,
            left: 3,
            possible,
            workers,
            free,
            failed: Some("x".to_owned()),
            at: String::new(),
        };
        let cases = [
            ("others are in work", seen(2, 2, 0), Verdict::Wait),
            ("others could be", seen(2, 0, 2), Verdict::Start(2)),
            ("another one waits for a lock", seen(1, 0, 0), Verdict::Wait),
            ("nothing else is left", seen(0, 0, 0), Verdict::Done),
        ];
        for (what, progress, verdict) in cases {
            assert_eq!(decide(&progress, 3, OnFailure::GoOn), verdict, "{what}");
        }
    }
}
