//! Swap the record: its value becomes the target's endpoint, and everything else stays.
//!
//! Changes:      record (value of each member that names the source), the run's record secret (id of the change)
//! Repeatable:   yes; a record that names the target already is left alone
//! If it dies:   not swapped, the next call swaps; swapped with its answer lost, a later call sees it
//!
//! Called under the fence it submits and leaves, because the target admits nobody before OPEN anyway. If the record is switched
//! before the fence, and after OPEN, it is called until the change is in sync on all name servers.
//!
//! A call that arrives late changes nothing: the record is read first, then the mark, then the batch is submitted. A rollback
//! before the mark was read is seen there; one after it has put back a TTL that the batch does not match.

use pgleap_contract::Run;
use pgleap_contract::steps::{RecordOutput, SwapRecordInput};
use pgleap_mark::State;
use pgleap_record::{Member, Memory, Records, same_host};
use pgleap_step_kit::{Deadline, WarmUp, prelude::*};

/// Connect to Route 53, which is far away.
pub async fn prepare(ctx: &Ctx, cutover: WarmUp) -> StepResult<()> {
    let records = Records::new(ctx);
    tokio::try_join!(async { Ok(records.members(&cutover.run.record).await?) }, Memory::load(ctx, &cutover.run))
        .map(drop)
}

/// Submit the change unless it is made; if asked for, look whether it is in sync.
pub async fn run(ctx: &Ctx, input: SwapRecordInput) -> StepResult<Polled<RecordOutput>> {
    let run = &input.run;
    let records = Records::new(ctx);
    let (memory, members) = tokio::join!(Memory::load(ctx, run), records.members(&run.record));
    let members = members?;
    // Without it nobody could put the TTL back.
    let mut memory = memory?.ok_or_else(|| StepError::bug("swap record: lower-ttl has not saved the record"))?;

    if let Some(cutover) = input.cutover {
        Deadline::of(cutover).check("swap record")?;
    }
    let changes = match decide(&members, &input) {
        Verdict::Changed(reason) => return Err(record_changed(run, &reason)),
        Verdict::Swap if input.await_sync && input.cutover.is_some() => {
            return Err(record_changed(run, "it leads to the source again"));
        }
        Verdict::Swap if !is_lowered(&members, &memory, &input) => {
            return Err(record_changed(run, "its TTL is no longer the one that the run set for the cutover"));
        }
        Verdict::Swap => pgleap_record::plan(&members, |member| swapped(member, &input)),
        Verdict::Swapped if !input.await_sync => return Ok(submitted(&input)),
        Verdict::Swapped => match &memory.changes.swapped {
            Some(change_id) => {
                let in_sync = records.is_in_sync(change_id).await?;
                return Ok(if in_sync { Polled::Done(RecordOutput { in_sync }) } else { submitted(&input) });
            }
            None => pgleap_record::resubmit(&members),
        },
    };
    let comment = format!("pgleap run {}: moves clients to {}", run.id, input.target.host);
    may_submit(ctx, &input).await?;
    match records.submit(&run.record, comment, changes).await {
        Ok(change_id) => {
            memory.changes.swapped = Some(change_id);
            memory.keep(ctx, run).await;
            Ok(submitted(&input))
        }
        // No longer as it was read: an earlier call's request came late, or somebody else changed it.
        Err(error) if error.is(Class::Refused) => {
            let members = records.members(&run.record).await?;
            match decide(&members, &input) {
                Verdict::Swapped => Ok(submitted(&input)),
                Verdict::Swap | Verdict::Changed(_) => Err(record_changed(run, &error.message)),
            }
        }
        Err(error) => Err(error.into()),
    }
}

/// That is all, unless the sync is awaited.
fn submitted(input: &SwapRecordInput) -> Polled<RecordOutput> {
    if input.await_sync {
        Polled::Waiting("Route 53 is propagating the change of the record to all its name servers".to_owned())
    } else {
        Polled::Done(RecordOutput { in_sync: false })
    }
}

/// Before OPEN only for a cutover that is armed, undecided and in time; after it only where the target is open.
async fn may_submit(ctx: &Ctx, input: &SwapRecordInput) -> StepResult<()> {
    if let Some(cutover) = input.cutover {
        pgleap_mark::prove_armed(ctx, &input.run, cutover.generation).await?;
        return Deadline::of(cutover).check("swap record");
    }
    match pgleap_mark::read(ctx, &input.run, input.generation).await? {
        Some(mark) if mark.state == State::Open => Ok(()),
        mark => Err(StepError::bug(format!("swap record: after OPEN the mark says {mark:?}"))),
    }
}

/// Whether a batch made of these members would match nothing after a rollback.
fn is_lowered(members: &[Member], memory: &Memory, input: &SwapRecordInput) -> bool {
    let wanted = input.run.record.cutover_ttl_seconds;
    let lowered = |member: &Member| member.ttl() == Some(pgleap_record::cutover_ttl(memory.ttl_of(member), wanted));
    input.await_sync || members.iter().filter(|member| member.ttl().is_some()).all(lowered)
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Swap,
    Swapped,
    Changed(String),
}

/// At least one member must name one of the two; members that name neither (a weight of 0 on a page that says
/// "maintenance", say) are the operator's own business.
fn decide(members: &[Member], input: &SwapRecordInput) -> Verdict {
    let names = |host: &str| members.iter().any(|member| member.value().is_some_and(|value| same_host(value, host)));
    if names(&input.source.host) {
        return Verdict::Swap;
    }
    if names(&input.target.host) {
        return Verdict::Swapped;
    }
    let values: Vec<&str> = members.iter().filter_map(Member::value).take(10).collect();
    Verdict::Changed(format!(
        "it names {} instead of {} or {}",
        if values.is_empty() { "nothing".to_owned() } else { values.join(", ") },
        input.source.host,
        input.target.host
    ))
}

fn swapped(member: &Member, input: &SwapRecordInput) -> (String, u32) {
    let value = member.value().unwrap_or_default();
    let value = if same_host(value, &input.source.host) { &input.target.host } else { value };
    (value.to_owned(), member.ttl().unwrap_or_default())
}

fn record_changed(run: &Run, reason: &str) -> StepError {
    StepError::new(ErrorCode::RecordChanged, format!("swap record {}: {reason}", run.record.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const SOURCE: &str = "db.x.rds.amazonaws.com";
    const TARGET: &str = "db-v18.x.rds.amazonaws.com";

    fn input() -> SwapRecordInput {
        let run = json!({
            "id": "r", "executionArn": "arn", "mode": "upgrade",
            "source": { "instance": "db", "loginSecret": "s" }, "target": { "version": "18", "instance": "db-v18" },
            "record": { "zoneId": "Z", "name": "db.example.com" }, "copy": {}, "choices": {}, "limits": {},
        });
        let server = |host: &str| json!({ "host": host, "port": 5432, "database": "orders" });
        serde_json::from_value(json!({ "run": run, "source": server(SOURCE), "target": server(TARGET) }))
            .expect("input")
    }

    fn member(value: &str) -> Member {
        Member::cname("db.example.com.", value, 1)
    }

    #[test]
    fn a_record_that_names_neither_side_is_not_touched() {
        let cases = [
            (vec![SOURCE], "swap"),
            (vec!["DB.x.rds.amazonaws.com."], "swap"),
            (vec![SOURCE, "maintenance.example.com"], "swap"),
            (vec![TARGET, SOURCE], "swap"),
            (vec![TARGET], "swapped"),
            (vec!["elsewhere.example.com"], "changed"),
            (vec![], "changed"),
        ];
        for (values, expected) in cases {
            let members: Vec<_> = values.iter().map(|value| member(value)).collect();
            let said = match decide(&members, &input()) {
                Verdict::Swap => "swap",
                Verdict::Swapped => "swapped",
                Verdict::Changed(_) => "changed",
            };
            assert_eq!(said, expected, "{values:?}");
        }
    }

    #[test]
    fn only_the_value_of_a_member_that_names_the_source_changes() {
        assert_eq!(swapped(&member(SOURCE), &input()), (TARGET.to_owned(), 1));
        assert_eq!(swapped(&member("maintenance.example.com"), &input()), ("maintenance.example.com".to_owned(), 1));
    }
}
