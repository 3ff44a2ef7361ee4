//! Reading a table chunk by chunk, on both sides at once, to find the rows that differ just now.
//!
//! A table with a primary key is read by ranges of it. The bounds come from the source, in the order of its index. Where
//! the collations of the two majors order texts differently, a range holds other rows on the target. That loses none: the
//! ranges follow each other from the lowest key to the highest, so they cover every key on either side, in whatever order
//! the bounds stand there. Rows are missing or left over in a range then, and each is looked up by its key before it
//! counts.
//!
//! A table without a usable key is one chunk, and its rows are known by the hash of what they hold.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use pgleap_step_kit::prelude::*;

use crate::layout::{Key, Layout, Range};
use crate::progress::{Cursor, Table};
use crate::sums::{self, Answer, Found, MOST_ROWS, Sides, State, Sum};

/// How many rows of one chunk are noted as different; if there are more, they are settled and the chunk is read again.
/// Rows that clients have just appended are among them: a second's worth of a busy table must fit.
const MOST_OPEN: usize = 5_000;
/// How many rows a chunk takes at the least and at the most. It grows while chunks are read quickly.
const CHUNK: (i64, i64) = (500, 200_000);
const QUICK: Duration = Duration::from_millis(500);
const SLOW: Duration = Duration::from_secs(4);
/// How long a chunk of a table with a key may take before it is made smaller.
const CHUNK_TIME: Duration = Duration::from_secs(60);
/// How many rows a bucket holds, about.
const ROWS_A_BUCKET: i64 = 64;
/// Bytes of a row, to guess the rows of a table without a key.
const BYTES_A_ROW: i64 = 64;

/// What one chunk showed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Chunk {
    /// Keys of rows that differ, and where the scan stands now.
    Read(Vec<Key>, Cursor),
    /// A lock is in the way.
    Busy,
    /// Not even the smallest chunk can be read in time.
    TooSlow,
}

/// Read the next chunk.
pub(crate) async fn chunk(sides: &Sides<'_>, table: &Table, layout: &Layout, cursor: &Cursor) -> StepResult<Chunk> {
    let began = Instant::now();
    let until = if layout.has_key() { sides.until.min(began + CHUNK_TIME) } else { sides.until };
    let range = match range(sides, layout, cursor, until).await? {
        Answer::Got(range) => range,
        Answer::Busy => return Ok(Chunk::Busy),
        Answer::TooSlow => return Ok(smaller(layout, cursor)),
    };
    let buckets = buckets(table, layout, cursor);
    match differing(sides, layout, &range, buckets, until).await? {
        Answer::Got((open, whole)) => Ok(Chunk::Read(open, next(cursor, range.upto, whole, began.elapsed()))),
        Answer::Busy => Ok(Chunk::Busy),
        Answer::TooSlow => Ok(smaller(layout, cursor)),
    }
}

async fn range(sides: &Sides<'_>, layout: &Layout, cursor: &Cursor, until: Instant) -> StepResult<Answer<Range>> {
    if !layout.has_key() {
        return Ok(Answer::Got(Range::default()));
    }
    let after = cursor.position.clone();
    let end = sums::end_of_chunk(sides.source, layout, &after, cursor.chunk, until).await?;
    Ok(match end {
        Answer::Got(upto) => Answer::Got(Range { after, upto }),
        Answer::Busy => Answer::Busy,
        Answer::TooSlow => Answer::TooSlow,
    })
}

/// Keys that differ in the range, and whether these are all.
async fn differing(
    sides: &Sides<'_>,
    layout: &Layout,
    range: &Range,
    buckets: i64,
    until: Instant,
) -> StepResult<Answer<(Vec<Key>, bool)>> {
    let (source, target) = tokio::try_join!(
        sums::by_bucket(sides.source, layout, range, buckets, until),
        sums::by_bucket(sides.target, layout, range, buckets, until)
    )?;
    let wanted = match source.with(target) {
        Answer::Got((source, target)) => unequal(&source, &target),
        Answer::Busy => return Ok(Answer::Busy),
        Answer::TooSlow => return Ok(Answer::TooSlow),
    };
    if wanted.is_empty() {
        return Ok(Answer::Got((Vec::new(), true)));
    }
    let (source, target) = tokio::try_join!(
        sums::in_buckets(sides.source, layout, range, (buckets, &wanted), until),
        sums::in_buckets(sides.target, layout, range, (buckets, &wanted), until)
    )?;
    Ok(match source.with(target) {
        Answer::Got((source, target)) => Answer::Got(different_rows(&source, &target)),
        Answer::Busy => Answer::Busy,
        Answer::TooSlow => Answer::TooSlow,
    })
}

fn unequal(source: &[(i64, Sum)], target: &[(i64, Sum)]) -> Vec<i64> {
    let there: HashMap<i64, &Sum> = target.iter().map(|(bucket, sum)| (*bucket, sum)).collect();
    let here: HashMap<i64, &Sum> = source.iter().map(|(bucket, sum)| (*bucket, sum)).collect();
    let mut all: Vec<i64> = here.keys().chain(there.keys()).copied().collect();
    all.sort_unstable();
    all.dedup();
    all.retain(|bucket| here.get(bucket) != there.get(bucket));
    all
}

/// A side that was cut at its bound says nothing of the rows at and behind its last one.
fn different_rows(source: &[Found], target: &[Found]) -> (Vec<Key>, bool) {
    let end = |side: &[Found]| side.last().filter(|_| side.len() >= MOST_ROWS).map(|last| last.bucket_hash);
    let cut = [end(source), end(target)].into_iter().flatten().min();
    let seen = |row: &&Found| cut.is_none_or(|cut| row.bucket_hash < cut);
    let mut sides: HashMap<&Key, [Option<State>; 2]> = HashMap::new();
    for (side, rows) in [source, target].into_iter().enumerate() {
        for row in rows.iter().filter(seen) {
            sides.entry(&row.key).or_default()[side] = Some(row.state);
        }
    }
    let value = |state: Option<State>| state.map(|state| state.value);
    let differ = sides.into_iter().filter(|(_, [here, there])| value(*here) != value(*there));
    let mut keys: Vec<Key> = differ.map(|(key, _)| key.clone()).collect();
    let whole = cut.is_none() && keys.len() <= MOST_OPEN;
    keys.truncate(MOST_OPEN);
    (keys, whole)
}

/// Where the scan stands after a chunk. One with too many differences is read again when these are settled.
fn next(cursor: &Cursor, upto: Option<Key>, whole: bool, took: Duration) -> Cursor {
    let chunk = if !whole || took > SLOW {
        cursor.chunk / 2
    } else if took < QUICK {
        cursor.chunk * 2
    } else {
        cursor.chunk
    };
    let chunk = chunk.clamp(CHUNK.0, CHUNK.1);
    if !whole {
        return Cursor { chunk, repeats: cursor.repeats + 1, ..cursor.clone() };
    }
    Cursor { scanned: upto.is_none(), position: upto, chunk, repeats: 0 }
}

fn smaller(layout: &Layout, cursor: &Cursor) -> Chunk {
    if !layout.has_key() || cursor.chunk <= CHUNK.0 {
        return Chunk::TooSlow;
    }
    let chunk = (cursor.chunk / 8).max(CHUNK.0);
    Chunk::Read(Vec::new(), Cursor { chunk, ..cursor.clone() })
}

/// A power of two.
fn buckets(table: &Table, layout: &Layout, cursor: &Cursor) -> i64 {
    let rows = if layout.has_key() { cursor.chunk } else { table.bytes / BYTES_A_ROW };
    let buckets = (rows / ROWS_A_BUCKET).clamp(64, 65_536);
    i64::try_from(buckets.unsigned_abs().next_power_of_two()).unwrap_or(65_536)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(key: &str, bucket_hash: i64, value: i64) -> Found {
        Found { key: vec![key.to_owned()], bucket_hash, state: State { value, version: 1 } }
    }

    #[test]
    fn buckets_that_one_side_lacks_differ_too() {
        let sum = |rows| Sum { rows, hash: rows.to_string() };
        let source = [(1, sum(1)), (2, sum(2)), (3, sum(3))];
        let target = [(4, sum(4)), (1, sum(1)), (2, sum(7))];

        assert_eq!(unequal(&source, &target), [2, 3, 4]);
        assert!(unequal(&source, &source).is_empty());
    }

    #[test]
    fn rows_differ_by_what_they_hold_and_where_they_are() {
        let source = [found("same", 1, 1), found("changed", 2, 2), found("gone", 3, 3)];
        let mut target = [found("same", 1, 1), found("changed", 2, 7), found("new", 4, 4)];
        target[0].state.version = 99; // another server counts its own

        let (mut keys, whole) = different_rows(&source, &target);
        keys.sort();

        assert_eq!((keys.concat(), whole), (vec!["changed".to_owned(), "gone".to_owned(), "new".to_owned()], true));
    }

    #[test]
    fn what_lies_behind_the_bound_of_a_side_is_not_judged() {
        let many = i64::try_from(MOST_ROWS).expect("a number");
        let source: Vec<_> = (0..many).map(|n| found(&n.to_string(), n, n)).collect();
        let mut target = source.clone();
        target[3].state.value = 7;
        target.truncate(MOST_ROWS - 1); // not cut: as if it had no more rows

        assert_eq!(different_rows(&source, &target), (vec![vec!["3".to_owned()]], false));
    }

    #[test]
    fn a_chunk_grows_while_it_is_quick_and_one_with_too_many_differences_is_read_again_smaller() {
        let cursor = Cursor { position: Some(vec!["5".to_owned()]), scanned: false, chunk: 10_000, repeats: 1 };
        let upto = Some(vec!["9".to_owned()]);
        let quick = Duration::from_millis(20);

        let on = next(&cursor, upto.clone(), true, quick);
        assert_eq!(on, Cursor { position: upto.clone(), scanned: false, chunk: 20_000, repeats: 0 });
        assert_eq!(next(&cursor, upto.clone(), true, Duration::from_secs(9)).chunk, 5_000);
        assert_eq!(next(&cursor, upto, false, quick), Cursor { chunk: 5_000, repeats: 2, ..cursor.clone() });
        assert!(next(&cursor, None, true, quick).scanned);
    }
}
