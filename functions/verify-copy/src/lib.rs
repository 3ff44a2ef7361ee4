//! Verify the copy while clients keep working: both sides have the same rows, and nobody has changed the source's
//! schema.
//!
//! Changes:      target (tables `pgleap.verified`, `pgleap.verify_row`: what was compared); source (marker rows)
//! Repeatable:   yes; a table that was found equal is not compared again, a large one is gone on with
//! If it dies:   the chunk under comparison is compared again
//!
//! Each call compares tables for a while and leaves; the machine calls again until none is pending. Rows are counted and
//! hashed by the servers: what travels is sums, and keys of the few rows that differ.
//!
//! A table that clients write to differs at almost every look, and that says nothing. So it is read in chunks, by ranges
//! of its primary key, and only rows that differ in a chunk are looked at again, one by one (`scan`, `judge`). A table
//! whose rows never stand still, or that is too large for its budget, is not compared; the output names it. For it the
//! drain's marker and what the copy engine notes are the only proof, so going on with it takes somebody's consent
//! (`choices.uncomparedTables`).

mod compare;
mod judge;
mod layout;
mod marker;
mod progress;
mod scan;
mod sums;

use std::time::{Duration, Instant};

use pgleap_contract::UncomparedTables;
use pgleap_contract::steps::{UncomparedTable, VerifyCopyInput, VerifyCopyOutput};
use pgleap_pg::Session;
use pgleap_step_kit::prelude::*;
use pgleap_step_kit::source_watch::{self, Pace};
use pgleap_step_kit::unchanged::refuse_changed_source;
use pgleap_step_kit::wal::refuse_too_much_wal;

use crate::compare::Visit;
use crate::progress::{Table, Totals};
use crate::sums::Sides;

/// How long a call goes on taking up tables, and chunks of a table: nothing is compared while the machine waits for the next.
const SLICE: Duration = Duration::from_secs(600);
/// How long the statements of one call may take: the Lambda's life, less a margin to write down what was found.
const CALL: Duration = Duration::from_secs(780);
/// The watch on the source's changes has a part of it.
const PACE: Pace = Pace::of(Duration::from_secs(90));

/// Compare for a while.
pub async fn run(ctx: &Ctx, input: VerifyCopyInput) -> StepResult<Polled<VerifyCopyOutput>> {
    let began = Instant::now();
    let run = &input.run;
    let (source, target) = tokio::try_join!(ctx.as_owner(run, &input.source), ctx.as_target_owner(run, &input.target))?;
    source_watch::keep_up(ctx, run, &input.source, PACE).await?;
    refuse_too_much_wal(&source, &input.source, &run.limits).await?;
    refuse_problems(run, &source, &target).await?;
    refuse_changed_source(run, &source).await?;

    progress::begin(&source, &target, input.mends).await?;
    let budget_left = progress::seconds_since_begin(&target).await? < f64::from(run.limits.verify_seconds);
    if budget_left {
        sums::prepare(&source).await?;
        sums::prepare(&target).await?;
        let sides = Sides { run, source: &source, target: &target, until: began + CALL };
        if let Some(difference) = compare_pending(&sides, began + SLICE).await? {
            // What the engine noted meanwhile, or somebody did to the source, explains a difference better.
            refuse_problems(run, &source, &target).await?;
            refuse_changed_source(run, &source).await?;
            return Err(StepError::new(ErrorCode::CopyDiffers, difference));
        }
    } else {
        let why = format!("limits.verifySeconds ({} s) ended before it was compared", run.limits.verify_seconds);
        progress::give_up_pending(&target, &why).await?;
    }
    let totals = progress::totals(&target).await?;
    if totals.pending > 0 {
        return Ok(Polled::Waiting(pending(&totals)));
    }
    // What changed while we looked, a TRUNCATE say, may have made a table "stand still".
    refuse_changed_source(run, &source).await?;
    let uncompared = progress::uncompared(&target).await?;
    refuse_without_consent(run, totals.uncompared, &uncompared)?;
    let (tables_equal, tables_uncompared) = (totals.equal, totals.uncompared);
    Ok(Polled::Done(VerifyCopyOutput { tables_equal, tables_uncompared, uncompared }))
}

/// First looks at all tables, then visits to the ones that were different. Answers a difference that counts.
async fn compare_pending(sides: &Sides<'_>, leave: Instant) -> StepResult<Option<String>> {
    for visited in [false, true] {
        for table in progress::pending(sides.target, visited).await? {
            if Instant::now() >= leave {
                return Ok(None);
            }
            let visit = match visited {
                false => compare::first_look(sides, &table).await?,
                true => compare::visit(sides, &table, leave).await?,
            };
            match visit {
                Visit::Equal => progress::note_equal(sides.target, &table).await?,
                Visit::Pending => progress::note_visit(sides.target, &table).await?,
                Visit::Behind => return Ok(None),
                Visit::Uncompared(why) => give_up(sides, &table, &why).await?,
                Visit::Differs(what) => return Ok(Some(format!("compare table {table}: {what}"))),
            }
        }
    }
    Ok(None)
}

async fn give_up(sides: &Sides<'_>, table: &Table, why: &String) -> StepResult<()> {
    tracing::info!(table = table.to_string(), why, "the run could not compare a table");
    Ok(progress::note_uncompared(sides.target, table, why).await?)
}

/// Without a question that could name them, tables that were not compared end the run, unless the input accepts them.
fn refuse_without_consent(run: &Run, count: u64, listed: &[UncomparedTable]) -> StepResult<()> {
    if count == 0 || run.uncompared_tables() != UncomparedTables::Refuse {
        return Ok(());
    }
    let mut named: Vec<String> = listed.iter().map(|one| format!("{} ({})", one.table, one.why)).collect();
    let more = count - named.len() as u64;
    if more > 0 {
        named.push(format!("and {more} more"));
    }
    let message = format!(
        "{count} of the tables could not be compared: {}. To continue without comparing them, set \
         choices.uncomparedTables to accept, or to ask together with approval.cutover",
        named.join("; ")
    );
    Err(StepError::new(ErrorCode::TablesNotCompared, message))
}

async fn refuse_problems(run: &Run, source: &Session, target: &Session) -> StepResult<()> {
    let problems = pgleap_engines::problems(run, source, target).await?;
    if problems.is_empty() {
        return Ok(());
    }
    Err(StepError::new(ErrorCode::TablesInError, format!("verify the copy: {}", problems.join("; "))))
}

fn pending(totals: &Totals) -> String {
    let all = totals.pending + totals.equal + totals.uncompared;
    format!("{} of {all} tables are equal, {} remain to be compared", totals.equal, totals.pending)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pgleap_contract::steps::TableName;
    use serde_json::{Value, json};

    fn run(choice: Value, approval: bool) -> Run {
        serde_json::from_value(json!({
            "id": "r", "executionArn": "arn", "mode": "upgrade", "copy": {}, "limits": {},
            "choices": if choice.is_null() { json!({}) } else { json!({ "uncomparedTables": choice }) },
            "approval": { "cutover": approval }, "source": { "instance": "orders", "loginSecret": "s" },
            "target": { "version": "18" }, "record": { "zoneId": "Z", "name": "db.example.com" }
        }))
        .expect("a run")
    }

    #[test]
    fn tables_that_were_not_compared_need_consent() {
        let table = TableName { schema: "shop".to_owned(), table: "hot".to_owned() };
        let listed = [UncomparedTable { table, why: "it never stands still".to_owned() }];
        let cases = [
            (json!(null), false, false),
            (json!(null), true, true),
            (json!("refuse"), true, false),
            (json!("ask"), true, true),
            (json!("accept"), false, true),
        ];
        for (choice, approval, goes_on) in cases {
            let run = run(choice.clone(), approval);

            assert!(refuse_without_consent(&run, 0, &[]).is_ok());
            let answer = refuse_without_consent(&run, 7, &listed);
            assert_eq!(answer.is_ok(), goes_on, "{choice} {approval}");
            if let Err(error) = answer {
                assert_eq!(error.code, ErrorCode::TablesNotCompared);
                for words in
                    ["7 of the tables", "shop.hot (it never stands still)", "and 6 more", "choices.uncomparedTables"]
                {
                    assert!(error.message.contains(words), "{words} is not in {}", error.message);
                }
            }
        }
    }
}
