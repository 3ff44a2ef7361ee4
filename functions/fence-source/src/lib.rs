//! Fence the source: nobody but the run can write to it any more, so that the rest of the changes is finite.
//!
//! Changes:      target (CONNECT of the owner's login, which the preparation still needed); source (CONNECT of
//!               everybody but the run's logins, in every database of the owner, saved first; their sessions)
//! Repeatable:   yes, while the cutover is undecided; a fenced source is fenced again, and what was saved first stays saved
//! If it dies:   before the first REVOKE nothing has changed; after it, unfence-source and the dead-man schedule apply

use std::time::{Duration, Instant};

use pgleap_contract::steps::{FenceSourceOutput, UnderFence};
use pgleap_pg::Session;
use pgleap_pg::access::{self, Others};
use pgleap_step_kit::{Deadline, WarmUp, prelude::*};

/// Longest time for ending sessions: a backend that does not end within it is stuck, and waiting costs the clients.
const LONGEST: Duration = Duration::from_secs(20);

/// Open the sessions, and let the servers load what the proof of the fence needs.
pub async fn prepare(ctx: &Ctx, cutover: WarmUp) -> StepResult<()> {
    let WarmUp { run, source, target, .. } = &cutover;
    let names = run.names();
    let (work, copy) = (names.work_login(), names.copy_login());
    let sessions = ctx.open_ahead(run, [source, target]).await?;
    for session in &sessions {
        access::others(session, &[&work, &copy]).await?;
    }
    let [on_source, on_target] = sessions;
    ctx.keep_sessions(run, [(source, on_source), (target, on_target)]);
    Ok(())
}

/// Fence, until the deadline at most.
pub async fn run(ctx: &Ctx, input: UnderFence) -> StepResult<FenceSourceOutput> {
    let deadline = Deadline::of(input.cutover);
    deadline.bound("fence the source", fence(ctx, &input, &deadline)).await
}

/// Prove the mark; shut the target's last door, then the source; end sessions; prove that nobody else can write.
async fn fence(ctx: &Ctx, input: &UnderFence, deadline: &Deadline) -> StepResult<FenceSourceOutput> {
    let (run, cutover) = (&input.run, &input.cutover);
    let names = run.names();
    let (work, copy) = (names.work_login(), names.copy_login());
    let keep = [work.as_str(), copy.as_str()];
    let ((), [source, target]) = tokio::try_join!(
        pgleap_mark::prove_armed(ctx, run, cutover.generation),
        ctx.as_work_until(run, [&input.source, &input.target], deadline)
    )?;
    let (source, target) = (source?, target?);

    // The record will name the target soon: the owner's login may be an application's too.
    access::shut(&target, cutover, &keep).await?;
    access::end_others(&target, &keep).await?;

    let began = Instant::now();
    let kept = run.kept_by_fence();
    let keep: Vec<&str> = kept.iter().map(String::as_str).collect();
    access::shut(&source, cutover, &keep).await?;
    let sessions_ended = end_sessions(&source, &keep, deadline).await?;
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
    let mut starting_at_first = None;
    loop {
        ended += access::end_others(source, keep).await?;
        let others = access::others(source, keep).await?.started_before(&mut starting_at_first);
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
        "prove the fence: {} sessions, {} background workers and {} starting backends of others, {} prepared \
         transactions, databases that others may connect to: [{}]",
        others.sessions,
        others.workers,
        others.starting.len(),
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
        let others = |sessions, starting: i32, prepared, doors: &[&str]| Others {
            sessions,
            starting: (0..starting).collect(),
            prepared,
            doors: doors.iter().map(ToString::to_string).collect(),
            ..Others::default()
        };
        let worker = Others { workers: 1, ..Others::default() };
        let cases = [
            (others(0, 0, 0, &[]), seconds(0), Verdict::Fenced),
            (others(3, 0, 0, &[]), seconds(1), Verdict::LookAgain),
            (others(0, 1, 0, &[]), seconds(1), Verdict::LookAgain),
            (others(1, 0, 0, &[]), seconds(21), Verdict::GiveUp),
            (worker.clone(), seconds(1), Verdict::LookAgain),
            (worker, seconds(21), Verdict::GiveUp),
            (others(0, 0, 1, &[]), seconds(0), Verdict::GiveUp),
            (others(0, 0, 0, &["orders: PUBLIC"]), seconds(0), Verdict::GiveUp),
        ];
        for (seen, elapsed, verdict) in cases {
            assert_eq!(decide(&seen, elapsed), verdict, "{seen:?}");
        }
    }
}
