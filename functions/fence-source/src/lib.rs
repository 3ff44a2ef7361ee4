//! Fence the source: nobody but the run can write to it any more, so that what remains to apply is finite.
//!
//! Changes:      target (CONNECT of the owner's login, which the preparation still needed); source (CONNECT of
//!               everybody but the run's logins, in every database of the owner, saved first; their sessions)
//! Repeatable:   yes; a fenced source is fenced again, and what was saved first stays saved
//! Undo:         unfence-source
//! If it dies:   before the first REVOKE nothing has changed; after it, unfence-source and the dead-man schedule apply
//! Fails with:   FenceFailed (somebody else could still write when the time was up), DeadlinePassed

use std::time::{Duration, Instant};

use pgleap_contract::steps::{FenceSourceOutput, UnderFence};
use pgleap_pg::Session;
use pgleap_pg::access::{self, Others};
use pgleap_step_kit::{Deadline, prelude::*};

/// Longest time for ending sessions: a backend that does not end within it is stuck, and waiting costs the clients.
const LONGEST: Duration = Duration::from_secs(20);

/// Shut the target's last door, then the source; end sessions; prove that nobody else can write.
pub async fn run(ctx: &Ctx, input: UnderFence) -> StepResult<FenceSourceOutput> {
    let deadline = Deadline::of(input.cutover);
    let names = input.run.id.names();
    let (work, dms) = (names.work_login(), names.dms_login());
    let keep = [work.as_str(), dms.as_str()];
    let (source, target) =
        tokio::try_join!(ctx.as_work(&input.run, &input.source), ctx.as_work(&input.run, &input.target))?;

    // The record will name the target soon: the owner's login may be an application's too.
    access::shut(&target, &keep).await?;
    access::end_others(&target, &keep).await?;

    deadline.check("fence the source")?;
    let began = Instant::now();
    access::shut(&source, &keep).await?;
    let sessions_ended = end_sessions(&source, &keep, &deadline).await?;
    let position = source.row("read the WAL position", "SELECT pg_current_wal_insert_lsn()::text", &[]).await?;
    Ok(FenceSourceOutput {
        fence_lsn: position.get(0),
        sessions_ended,
        milliseconds: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
    })
}

async fn end_sessions(source: &Session, keep: &[&str], deadline: &Deadline) -> StepResult<u64> {
    let began = Instant::now();
    let mut ended = 0;
    loop {
        ended += access::end_others(source, keep).await?;
        let others = access::others(source, keep).await?;
        match decide(&others, began.elapsed()) {
            Verdict::Fenced => return Ok(ended),
            Verdict::LookAgain => deadline.pause("fence the source", &describe(&others)).await?,
            Verdict::GiveUp => return Err(StepError::new(ErrorCode::FenceFailed, describe(&others))),
        }
    }
}

#[derive(Debug, PartialEq)]
enum Verdict {
    Fenced,
    LookAgain,
    GiveUp,
}

/// A door or a prepared transaction does not go away by waiting; sessions and starting backends do.
fn decide(others: &Others, elapsed: Duration) -> Verdict {
    if others.none() {
        Verdict::Fenced
    } else if others.prepared > 0 || !others.doors.is_empty() || elapsed > LONGEST {
        Verdict::GiveUp
    } else {
        Verdict::LookAgain
    }
}

fn describe(others: &Others) -> String {
    format!(
        "prove the fence: {} sessions and {} starting backends of others, {} prepared transactions, doors open: [{}]",
        others.sessions,
        others.starting,
        others.prepared,
        others.doors.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_goes_away_by_itself_is_waited_for() {
        let seconds = Duration::from_secs;
        let others = |sessions, starting, prepared, doors: &[&str]| Others {
            sessions,
            starting,
            prepared,
            doors: doors.iter().map(ToString::to_string).collect(),
        };
        let cases = [
            (others(0, 0, 0, &[]), seconds(0), Verdict::Fenced),
            (others(3, 0, 0, &[]), seconds(1), Verdict::LookAgain),
            (others(0, 1, 0, &[]), seconds(1), Verdict::LookAgain),
            (others(1, 0, 0, &[]), seconds(21), Verdict::GiveUp),
            (others(0, 0, 1, &[]), seconds(0), Verdict::GiveUp),
            (others(0, 0, 0, &["orders: PUBLIC"]), seconds(0), Verdict::GiveUp),
        ];
        for (seen, elapsed, verdict) in cases {
            assert_eq!(decide(&seen, elapsed), verdict, "{seen:?}");
        }
    }
}
