//! Lower the record's TTL before the cutover, so that clients resolve it again soon. The lower TTL also makes sure that
//! a late change, which was prepared under it, no longer matches after the record was restored.
//!
//! Changes:      record (TTL of all its members, in one batch), the run's record secret (how it was before)
//! Repeatable:   yes; what was saved first is never saved over, a lowered TTL is left alone
//! If it dies:   saved but not lowered, the next look lowers it; lowered with its answer lost, the next look submits it
//!               once more to learn when it is in sync

use std::time::Duration;

use pgleap_contract::Run;
use pgleap_contract::steps::{LowerTtlOutput, RunOnly};
use pgleap_record::{Member, Memory, Records, Spread};
use pgleap_step_kit::prelude::*;

/// A longer time is not that of Route 53, which normally needs a minute at most, but of a run that was interrupted.
const LONGEST_PROPAGATION: Duration = Duration::from_secs(600);

/// One look; done once the lower TTL is on all name servers.
pub async fn run(ctx: &Ctx, input: RunOnly) -> StepResult<Polled<LowerTtlOutput>> {
    let run = &input.run;
    let records = Records::new(ctx);

    let members = records.members(&run.record).await?;
    check(run, &members)?;
    let mut memory = match Memory::load(ctx, run).await? {
        Some(memory) => memory,
        None => Memory::of(run, &members).create(ctx, run).await?,
    };
    let spreads = || Polled::Waiting("Route 53 is propagating the lower TTL to all name servers".to_owned());

    let changes = match decide(run, &members, &memory) {
        Verdict::Ask(change_id) => {
            let spread = records.spread(&change_id).await?;
            return Ok(if spread.in_sync { Polled::Done(done(ctx, run, memory, spread).await) } else { spreads() });
        }
        Verdict::Lower => pgleap_record::plan(&members, |member| lowered(run, &memory, member)),
        Verdict::Resubmit => pgleap_record::resubmit(&members),
    };
    let comment = format!("pgleap run {}: TTL lowered for the cutover", run.id);
    match records.submit(&run.record, comment, changes).await {
        Ok(change_id) => {
            memory.changes.lowered = Some(change_id);
            memory.keep(ctx, run).await;
            Ok(spreads())
        }
        Err(error) if error.is(Class::Refused) => Ok(Polled::Waiting(format!("{error}; the run rereads the record"))),
        Err(error) => Err(error.into()),
    }
}

/// The time of the first look that finds the change in sync is kept: a call that comes much later would measure itself.
async fn done(ctx: &Ctx, run: &Run, mut memory: Memory, spread: Spread) -> LowerTtlOutput {
    if memory.changes.propagation_ms.is_none() {
        let took = spread.since_submitted.filter(|took| *took <= LONGEST_PROPAGATION);
        memory.changes.propagation_ms = took.and_then(|took| u64::try_from(took.as_millis()).ok());
        memory.keep(ctx, run).await;
    }
    LowerTtlOutput { old_ttl_seconds: memory.longest_ttl(), propagation_milliseconds: memory.changes.propagation_ms }
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// A member's TTL is not the cutover's yet.
    Lower,
    /// Lowered; ask whether this change is in sync.
    Ask(String),
    /// Lowered, but the answer that named the change was lost.
    Resubmit,
}

fn decide(run: &Run, members: &[Member], memory: &Memory) -> Verdict {
    let is_lowered = |member: &Member| member.ttl() == Some(lowered(run, memory, member).1);
    match &memory.changes.lowered {
        _ if !members.iter().all(is_lowered) => Verdict::Lower,
        Some(change_id) => Verdict::Ask(change_id.clone()),
        None => Verdict::Resubmit,
    }
}

fn lowered(run: &Run, memory: &Memory, member: &Member) -> (String, u32) {
    let ttl = pgleap_record::cutover_ttl(memory.ttl_of(member), run.record.cutover_ttl_seconds);
    (member.value().unwrap_or_default().to_owned(), ttl)
}

/// Preflight looked at this; hours have passed since.
fn check(run: &Run, members: &[Member]) -> StepResult<()> {
    let changed = |reason: &str| {
        let message = format!("lower the TTL of {} in zone {}: {reason}", run.record.name, run.record.zone_id);
        Err(StepError::new(ErrorCode::RecordChanged, message))
    };
    if members.is_empty() {
        return changed("there is no such CNAME");
    }
    if members.iter().any(|member| member.value().is_none() || member.ttl().is_none()) {
        return changed("a member is an alias, which has no TTL of its own");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use pgleap_record::{Changes, SavedMember};
    use serde_json::json;

    fn run(cutover_ttl: u32) -> Run {
        let run = json!({
            "id": "r", "executionArn": "arn", "mode": "upgrade",
            "source": { "instance": "db", "loginSecret": "s" }, "target": { "version": "18", "instance": "db-v18" },
            "record": { "zoneId": "Z", "name": "db.example.com", "cutoverTtlSeconds": cutover_ttl },
            "copy": {}, "choices": {}, "limits": {},
        });
        serde_json::from_value(run).expect("run")
    }

    fn member(ttl: u32) -> Member {
        Member::cname("db.example.com.", "db.x.rds.amazonaws.com", ttl)
    }

    #[test]
    fn a_ttl_is_lowered_once_and_its_sync_is_asked_for() {
        let cases = [
            (300, 300, None, Verdict::Lower),
            (300, 1, Some("C1"), Verdict::Ask("C1".to_owned())),
            (300, 1, None, Verdict::Resubmit),
            (1, 1, None, Verdict::Lower),
            (1, 0, Some("C1"), Verdict::Ask("C1".to_owned())),
            (300, 300, Some("C1"), Verdict::Lower),
        ];
        for (before, now, change, expected) in cases {
            let saved = SavedMember { set_identifier: None, value: String::new(), ttl_seconds: before };
            let changes = Changes { lowered: change.map(str::to_owned), ..Changes::default() };
            let memory = Memory { record: String::new(), before: vec![saved], changes };

            assert_eq!(decide(&run(1), &[member(now)], &memory), expected, "{before} before, {now} now, {change:?}");
        }
    }

    #[test]
    fn a_record_that_is_gone_or_an_alias_is_named() {
        let alias = Member::alias("db.example.com.");

        assert!(check(&run(1), &[member(300)]).is_ok());
        for members in [vec![], vec![alias]] {
            assert_eq!(check(&run(1), &members).map_err(|error| error.code), Err(ErrorCode::RecordChanged));
        }
    }
}
