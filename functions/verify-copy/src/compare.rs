//! Comparing one table whose clients go on writing.

use std::time::Instant;

use pgleap_step_kit::prelude::*;

use crate::judge::{self, Round};
use crate::layout::{self, Layout};
use crate::progress::{self, Table, Why};
use crate::scan::{self, Chunk};
use crate::sums::{Answer, Sides, whole};

/// The largest table that is read at once where it could be read by ranges of its key: minutes, and a snapshot as old.
const WHOLE_BYTES: i64 = 8 << 30;
/// So many rows that differ are settled before more are looked for.
const MANY_OPEN: usize = 5_000;
/// How often a chunk may have more differences than can be looked at one by one.
const REPEATS: i32 = 10;

/// What a visit to a table led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Visit {
    /// The same rows on both sides.
    Equal,
    /// It is to be visited again.
    Pending,
    /// The target is behind, so that no other table can be judged now either.
    Behind,
    /// It cannot be compared.
    Uncompared(Why),
    /// Rows are different, in words.
    Differs(String),
}

/// Sum up both sides at once: enough for the many tables that nobody writes to just now. Equal sums are equal tables,
/// whenever they were taken; different ones say nothing yet.
pub(crate) async fn first_look(sides: &Sides<'_>, table: &Table) -> StepResult<Visit> {
    let layout = layout::read(sides.source, table).await?;
    if layout.has_key() && table.bytes > WHOLE_BYTES {
        return Ok(Visit::Pending);
    }
    let (source, target) =
        tokio::try_join!(whole(sides.source, &layout, sides.until), whole(sides.target, &layout, sides.until))?;
    Ok(match source.with(target) {
        Answer::Got((source, target)) if source == target => Visit::Equal,
        Answer::TooSlow if !layout.has_key() => Visit::Uncompared(too_slow(&layout)),
        _ => Visit::Pending,
    })
}

/// Go on where the last visit ended: read chunks until `leave`, settle the rows that differ.
pub(crate) async fn visit(sides: &Sides<'_>, table: &Table, leave: Instant) -> StepResult<Visit> {
    let layout = layout::read(sides.source, table).await?;
    let mut cursor = table.cursor.clone();
    loop {
        let open = progress::open_rows(sides.target, table).await?;
        if !open.is_empty() && (cursor.scanned || open.len() >= MANY_OPEN || cursor.repeats > 0) {
            match judge::round(sides, &layout, &open).await? {
                Round::Open(0) => (),
                Round::Open(_) | Round::Busy => return Ok(Visit::Pending),
                Round::Behind => return Ok(Visit::Behind),
                Round::TooSlow => return Ok(Visit::Uncompared(too_slow(&layout))),
                Round::Differs(what) => return Ok(Visit::Differs(what)),
            }
        }
        if cursor.scanned {
            let given_up = progress::rows_given_up(sides.target, table).await?;
            return Ok(if given_up == 0 { Visit::Equal } else { Visit::Uncompared(never_still(given_up)) });
        }
        if cursor.repeats >= REPEATS {
            return Ok(Visit::Uncompared(
                "too many of its rows change at the same time to compare them one by one".to_owned(),
            ));
        }
        if Instant::now() >= leave {
            return Ok(Visit::Pending);
        }
        match scan::chunk(sides, table, &layout, &cursor).await? {
            Chunk::Read(differing, next) => {
                progress::note_chunk(sides.target, table, &next, &differing).await?;
                cursor = next;
            }
            Chunk::Busy => return Ok(Visit::Pending),
            Chunk::TooSlow => return Ok(Visit::Uncompared(too_slow(&layout))),
        }
    }
}

fn never_still(rows: i64) -> Why {
    format!("clients changed {rows} of its rows at every attempt; the other rows are equal")
}

fn too_slow(layout: &Layout) -> Why {
    if layout.has_key() {
        "reading its rows takes too long".to_owned()
    } else {
        "it has no primary key, so it cannot be read in parts, and reading it at once takes too long".to_owned()
    }
}
