//! Watch the copy from the side of the databases: how far it is, how fast, how long it will take, and what it costs the
//! source.
//!
//! Changes:      source (what the watch on its changes found, and a marker row, in schema `pgleap`; its slot moves on)
//! Repeatable:   yes; what was found before is found again
//! If it dies:   the next look
//!
//! Rows are the servers' own estimates and bytes the sizes of tables without their indexes: a person wants to know
//! whether it moves and when it ends. The figures are also metrics (embedded metric format).

mod lag;

use std::time::Duration;

use dms_databases::notes;
use pgleap_contract::steps::{CopyProgress, CopyReading, WalMark, WatchCopyInput, WatchCopyOutput};
use pgleap_pg::{PgError, Session, marker, slots::Slot};
use pgleap_step_kit::metrics::{self, Unit};
use pgleap_step_kit::prelude::*;
use pgleap_step_kit::source_watch::{self, Pace};
use pgleap_step_kit::wal::refuse_too_much_wal;

/// The function lives for 75 s, and the looks of a long load are half an hour apart.
const PACE: Pace = Pace { reading: Duration::from_secs(40), loads: true, ..Pace::of(Duration::from_secs(75)) };

/// One look.
pub async fn run(ctx: &Ctx, input: WatchCopyInput) -> StepResult<WatchCopyOutput> {
    let run = &input.run;
    source_watch::keep_up(ctx, run, &input.source, PACE).await?;
    let (source, target) = tokio::try_join!(ctx.as_owner(run, &input.source), ctx.as_target_owner(run, &input.target))?;
    let slot = refuse_too_much_wal(&source, &input.source, &run.limits).await?;
    // DMS confirms what it has read at a commit of this database: without one, other databases' WAL would pile up behind its slot.
    marker::write(&source, "load").await?;
    let (to_do, done) = tokio::try_join!(size(&source), size(&target))?;
    let mut reading = reading(&input.progress, &slot, to_do, done, input.earlier.as_ref());
    if input.progress.tables_loaded == 0 {
        reading.held_up = held_up(&ctx.as_work(run, &input.source).await?).await?;
    }
    if !reading.held_up.is_empty() {
        tracing::warn!(held_up = ?reading.held_up, "DMS's slot waits for transactions that are older than it");
    }
    tell(run, &reading);
    Ok(WatchCopyOutput { reading, said: said(ctx, &input).await })
}

/// DMS's own words about the tables in error. They explain and decide nothing, so a look does not fail for want of them.
async fn said(ctx: &Ctx, input: &WatchCopyInput) -> String {
    if input.progress.tables_errored == 0 {
        return "nothing".to_owned();
    }
    let read = async { StepResult::Ok(notes::said(&ctx.as_work(&input.run, &input.target).await?).await?) };
    match read.await {
        Ok(said) if !said.is_empty() => said.join("; "),
        Ok(_) => "nothing".to_owned(),
        Err(error) => {
            tracing::warn!(error = %error, "the run could not read DMS's control tables");
            "nothing that could be read".to_owned()
        }
    }
}

/// The working login sees what other roles' sessions do, where the owner may grant that.
async fn held_up(source: &Session) -> Result<Vec<String>, PgError> {
    let most = CopyReading::MOST_HELD_UP as i64;
    let rows = source.rows("list transactions that delay the slot", include_str!("held_up.sql"), &[&most]).await?;
    Ok(rows.iter().map(|row| row.get::<_, String>(0).chars().take(CopyReading::LONGEST_HELD_UP).collect()).collect())
}

/// What a side has.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Size {
    tables: i64,
    rows: i64,
    bytes: i64,
    at: f64,
}

async fn size(session: &Session) -> Result<Size, PgError> {
    let row = session.row("measure the tables", include_str!("size.sql"), &[]).await?;
    Ok(Size { tables: row.get(0), rows: row.get(1), bytes: row.get(2), at: row.get(3) })
}

fn reading(copy: &CopyProgress, slot: &Slot, all: Size, there: Size, earlier: Option<&CopyReading>) -> CopyReading {
    let bytes_done = there.bytes.min(all.bytes);
    let rate = earlier.and_then(|earlier| rate(earlier, bytes_done, all.at));
    let left = all.bytes - bytes_done;
    let now = WalMark { at: all.at as u64, written: slot.written.unsigned_abs() };
    let confirmed = (slot.written - slot.lag_bytes.max(0)).unsigned_abs();
    let marks = earlier.map_or(&[][..], |earlier| &earlier.wal_marks);
    CopyReading {
        at: all.at as u64,
        percent: u32::try_from(copy.percent).unwrap_or(0),
        tables_done: u64::try_from(copy.tables_loaded).unwrap_or(0),
        tables: all.tables.unsigned_abs(),
        rows_done: there.rows.min(all.rows).unsigned_abs(),
        rows: all.rows.unsigned_abs(),
        bytes_done: bytes_done.unsigned_abs(),
        bytes: all.bytes.unsigned_abs(),
        bytes_per_second: rate.map(|rate| rate as u64),
        seconds_left: rate.filter(|rate| *rate >= 1.0).map(|rate| (left as f64 / rate) as u64),
        lag_bytes: slot.lag_bytes.max(0).unsigned_abs(),
        lag_seconds: lag::seconds(marks, now, confirmed),
        wal_marks: lag::remember(marks, now, confirmed),
        retained_wal_bytes: slot.retained_bytes.max(0).unsigned_abs(),
        held_up: Vec::new(),
    }
}

/// None between two looks that say nothing: too near, or a load that was begun again.
fn rate(earlier: &CopyReading, bytes_done: i64, now: f64) -> Option<f64> {
    let seconds = now - earlier.at as f64;
    let more = bytes_done - i64::try_from(earlier.bytes_done).unwrap_or(i64::MAX);
    (seconds >= 1.0 && more >= 0).then(|| more as f64 / seconds)
}

fn tell(run: &Run, reading: &CopyReading) {
    let mut figures = vec![
        ("CopyPercent", Unit::Percent, f64::from(reading.percent)),
        ("CopyTablesDone", Unit::Count, reading.tables_done as f64),
        ("CopyTables", Unit::Count, reading.tables as f64),
        ("CopyRowsDone", Unit::Count, reading.rows_done as f64),
        ("CopyRows", Unit::Count, reading.rows as f64),
        ("CopyBytesDone", Unit::Bytes, reading.bytes_done as f64),
        ("CopyBytes", Unit::Bytes, reading.bytes as f64),
        ("LagBytes", Unit::Bytes, reading.lag_bytes as f64),
        ("LagSeconds", Unit::Seconds, reading.lag_seconds as f64),
        ("RetainedWalBytes", Unit::Bytes, reading.retained_wal_bytes as f64),
    ];
    figures.extend(reading.bytes_per_second.map(|rate| ("CopyRate", Unit::BytesPerSecond, rate as f64)));
    figures.extend(reading.seconds_left.map(|seconds| ("CopySecondsLeft", Unit::Seconds, seconds as f64)));
    metrics::tell(run, &figures);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_and_time_left_come_from_two_looks() {
        let all = |at| Size { tables: 4, rows: 1_000, bytes: 10_000, at };
        let there = |bytes| Size { tables: 4, rows: 500, bytes, at: 0.0 };
        let (copy, slot) = (CopyProgress::default(), Slot::default());
        let first = reading(&copy, &slot, all(100.0), there(1_000), None);
        assert_eq!((first.bytes_per_second, first.seconds_left), (None, None));
        let cases = [
            ("a second look", 110.0, 3_000, Some(200), Some(35)),
            ("no progress", 110.0, 1_000, Some(0), None),
            ("too near", 100.5, 3_000, None, None),
            ("begun again", 110.0, 10, None, None),
            ("more than there is", 110.0, 90_000, Some(900), Some(0)),
        ];
        for (case, at, bytes, rate, left) in cases {
            let second = reading(&copy, &slot, all(at), there(bytes), Some(&first));

            assert_eq!((second.bytes_per_second, second.seconds_left), (rate, left), "{case}");
            assert!(second.bytes_done <= second.bytes, "{case}");
        }
    }
}
