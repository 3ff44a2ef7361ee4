//! Restore the record: its value and TTL after a rollback, and only its TTL after OPEN.
//!
//! Changes:      record (value and TTL of the members that the run changed), the run's record secret (id of the change)
//! Repeatable:   yes; members that are as they were are left alone
//! If it dies:   the batch is carried out or not; the next call sees which
//!
//! The mark of the cutover is asked first: it says `back` before this step runs, so that a swap that asks it later submits
//! nothing; and where it says `open`, no payload moves clients to the source. Without a mark the run never swapped.
//!
//! What the run did not put there it does not take away: a value that is neither the saved one nor the target's
//! endpoint, or a TTL that is not the lowered one, was set by somebody since, on purpose. It stays, and the log says so.

use pgleap_contract::steps::{RecordOutput, RestoreRecordInput};
use pgleap_contract::{Outcome, Run};
use pgleap_record::{Member, Memory, Records, names_instance, same_host};
use pgleap_step_kit::prelude::*;

/// Submit what differs from what was saved. Nothing saved means that the run never touched the record.
pub async fn run(ctx: &Ctx, input: RestoreRecordInput) -> StepResult<RecordOutput> {
    let run = &input.run;
    let records = Records::new(ctx);
    let Some(mut memory) = Memory::load(ctx, run).await? else {
        return Ok(RecordOutput { in_sync: true });
    };

    let mark = pgleap_mark::read(ctx, run, input.generation).await?;
    pgleap_mark::refuse_contradiction(mark.as_ref(), input.outcome)?;
    let moves_clients = mark.is_some() && input.outcome == Outcome::Back;

    let members = records.members(&run.record).await?;
    let changes = pgleap_record::plan(&members, |member| restored(&input, &memory, moves_clients, member));
    if changes.is_empty() {
        return look(&records, &memory).await;
    }
    let comment = format!(
        "pgleap run {}: {}",
        run.id,
        if input.outcome == Outcome::Back { "record restored" } else { "TTL restored" }
    );
    match records.submit(&run.record, comment, changes).await {
        Ok(change_id) => {
            memory.changes.restored = Some(change_id);
            memory.keep(ctx, run).await;
            Ok(RecordOutput { in_sync: false })
        }
        // Changed since it was read, by a swap whose request came late or by a person: read it again.
        Err(error) if error.is(Class::Refused) => Err(StepError::new(ErrorCode::ResourceBusy, error.to_string())),
        Err(error) => Err(error.into()),
    }
}

async fn look(records: &Records, memory: &Memory) -> StepResult<RecordOutput> {
    let in_sync = match &memory.changes.restored {
        Some(change_id) => records.is_in_sync(change_id).await?,
        None => true,
    };
    Ok(RecordOutput { in_sync })
}

fn restored(input: &RestoreRecordInput, memory: &Memory, moves_clients: bool, member: &Member) -> (String, u32) {
    let value = member.value().unwrap_or_default();
    let value = if moves_clients { value_before(input, memory, member, value) } else { value.to_owned() };
    (value, ttl_before(&input.run, memory, member))
}

fn value_before(input: &RestoreRecordInput, memory: &Memory, member: &Member, value: &str) -> String {
    let saved = memory.member(member.set_identifier()).map_or(input.source.host.as_str(), |saved| &saved.value);
    let target = input.run.target.instance.as_deref().unwrap_or_default();
    if same_host(value, saved) {
        return value.to_owned();
    }
    if names_instance(value, target) {
        return saved.to_owned();
    }
    tracing::warn!(value, saved, "the record names neither the saved value nor the target: the run leaves it as it is");
    value.to_owned()
}

/// A member that came after the TTL was lowered had to take the lowered one: it gets the group's.
fn ttl_before(run: &Run, memory: &Memory, member: &Member) -> u32 {
    let (now, before) = (member.ttl().unwrap_or_default(), memory.ttl_of(member));
    if now == pgleap_record::cutover_ttl(before, run.record.cutover_ttl_seconds) { before } else { now }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pgleap_record::{Changes, SavedMember};
    use serde_json::json;

    const SOURCE: &str = "db.x.rds.amazonaws.com";
    const TARGET: &str = "db-v18.x.rds.amazonaws.com";

    fn input(outcome: &str) -> RestoreRecordInput {
        let run = json!({
            "id": "r", "executionArn": "arn", "mode": "upgrade",
            "source": { "instance": "db", "loginSecret": "s" }, "target": { "version": "18", "instance": "db-v18" },
            "record": { "zoneId": "Z", "name": "db.example.com", "cutoverTtlSeconds": 1 },
            "copy": {}, "choices": {}, "limits": {},
        });
        let source = json!({ "host": SOURCE, "port": 5432, "database": "orders" });
        serde_json::from_value(json!({ "run": run, "source": source, "outcome": outcome, "generation": 1 }))
            .expect("input")
    }

    fn member(value: &str, ttl: u32) -> Member {
        Member::cname("db.example.com.", value, ttl)
    }

    fn memory(value: &str, ttl_seconds: u32) -> Memory {
        let saved = SavedMember { set_identifier: None, value: value.to_owned(), ttl_seconds };
        Memory { record: String::new(), before: vec![saved], changes: Changes::default() }
    }

    #[test]
    fn the_record_becomes_what_it_was_and_nothing_of_others_is_taken_away() {
        let elsewhere = "elsewhere.example.com";
        let cases = [
            // outcome, saved TTL, now, expected
            ("back", 300, (TARGET, 1), (SOURCE, 300)),
            ("back", 300, (SOURCE, 1), (SOURCE, 300)),
            ("back", 300, (SOURCE, 300), (SOURCE, 300)),
            ("back", 1, (TARGET, 0), (SOURCE, 1)),
            ("never swapped", 300, (SOURCE, 1), (SOURCE, 300)),
            ("never swapped", 300, (TARGET, 1), (TARGET, 300)),
            ("back", 300, (elsewhere, 1), (elsewhere, 300)),
            ("back", 300, (TARGET, 60), (SOURCE, 60)),
            ("open", 300, (TARGET, 1), (TARGET, 300)),
            ("open", 300, (TARGET, 300), (TARGET, 300)),
            ("open", 300, (SOURCE, 1), (SOURCE, 300)),
            ("open", 300, (TARGET, 60), (TARGET, 60)),
        ];
        for (outcome, saved, (value, ttl), (expected_value, expected_ttl)) in cases {
            let input = input(if outcome == "open" { "open" } else { "back" });
            let wanted = restored(&input, &memory(SOURCE, saved), outcome == "back", &member(value, ttl));

            assert_eq!(wanted, (expected_value.to_owned(), expected_ttl), "{outcome}: {value} {ttl}");
        }
    }

    #[test]
    fn a_member_that_came_since_leads_to_the_source_again() {
        let stranger = Memory {
            before: vec![SavedMember {
                set_identifier: Some("a".to_owned()),
                value: SOURCE.to_owned(),
                ttl_seconds: 300,
            }],
            ..memory(SOURCE, 0)
        };

        assert_eq!(restored(&input("back"), &stranger, true, &member(TARGET, 1)), (SOURCE.to_owned(), 300));
    }
}
