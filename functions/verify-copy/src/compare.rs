//! Comparing one table whose clients go on writing.

use std::time::{Duration, Instant};

use pgleap_pg::{PgError, Session};
use pgleap_step_kit::prelude::*;

use crate::checksum::{self, Answer, Sum, sum};
use crate::progress::{Found, Table};

/// How often a table that differs is looked at before it counts as one that never stands still.
const TRIES: i32 = 3;
/// How long a marker may take to the target before the rest is left for the next call.
const MARKER_TIME: Duration = Duration::from_secs(10);
const MARKER_PAUSE: Duration = Duration::from_millis(100);

/// How much later the same difference must be seen again: longer than a server takes to count a session's changes.
const SUSPICION_SECONDS: f64 = 15.0;

/// Compare it. The first look takes both sums at once: enough for the many tables that nobody writes to just now.
pub(crate) async fn table(
    source: &Session,
    target: &Session,
    table: &Table,
    columns: &[String],
    until: Instant,
) -> StepResult<Found> {
    if table.tries == 0 {
        let time = left(until);
        let (s, t) = tokio::try_join!(sum(source, table, columns, time), sum(target, table, columns, time))?;
        return Ok(first_look(&s, &t));
    }
    let before = sum(source, table, columns, left(until)).await?;
    if !marker_arrives(source, target).await? {
        return Ok(Found::Nothing);
    }
    let there = sum(target, table, columns, left(until)).await?;
    let after = sum(source, table, columns, left(until)).await?;
    let changes = checksum::changes(source, table).await?;
    match later_look(table, &Sums { before, there, after }, changes) {
        Later::Found(found) => Ok(found),
        Later::Differs(what) => Err(StepError::new(
            ErrorCode::CopyDiffers,
            format!("compare table {table}: while the source stood still, {what}"),
        )),
    }
}

fn left(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now())
}

/// Equal sums are equal tables, whenever they were taken. Different ones say nothing yet.
fn first_look(source: &Answer, target: &Answer) -> Found {
    match (source, target) {
        (Answer::Sum(source), Answer::Sum(target)) if source == target => Found::Equal,
        (Answer::TooLarge, _) | (_, Answer::TooLarge) => Found::Skipped,
        _ => Found::Nothing,
    }
}

/// Between `before` and `there` everything that the source had committed arrived on the target.
struct Sums {
    before: Answer,
    there: Answer,
    after: Answer,
}

#[derive(Debug, PartialEq, Eq)]
enum Later {
    Found(Found),
    Differs(String),
}

fn later_look(table: &Table, sums: &Sums, changes: i64) -> Later {
    match (&sums.before, &sums.there, &sums.after) {
        (Answer::Sum(source), Answer::Sum(there), _) | (_, Answer::Sum(there), Answer::Sum(source))
            if source == there =>
        {
            Later::Found(Found::Equal)
        }
        (Answer::TooLarge, _, _) | (_, Answer::TooLarge, _) | (_, _, Answer::TooLarge) => Later::Found(Found::Skipped),
        (Answer::Sum(before), Answer::Sum(there), Answer::Sum(after)) if before == after => {
            suspect(table, in_words(before, there, changes))
        }
        _ if table.tries + 1 < TRIES => Later::Found(Found::Nothing),
        _ => Later::Found(Found::Skipped),
    }
}

fn suspect(table: &Table, what: String) -> Later {
    match &table.suspicion {
        Some(before) if before.what == what && before.age_seconds >= SUSPICION_SECONDS => Later::Differs(what),
        Some(before) if before.what == what => Later::Found(Found::SameSuspicion),
        _ if table.tries + 1 < TRIES => Later::Found(Found::Suspicion(what)),
        _ => Later::Found(Found::Skipped),
    }
}

fn in_words(source: &Sum, target: &Sum, changes: i64) -> String {
    format!(
        "it has {} rows with checksum {}, the target {} with {}; the source has counted {changes} changes",
        source.rows, source.hash, target.rows, target.hash
    )
}

/// A row that DMS carries in commit order: seen on the target, all that was committed before it is there too.
async fn marker_arrives(source: &Session, target: &Session) -> Result<bool, PgError> {
    let write = "INSERT INTO pgleap.marker (id, kind) VALUES (gen_random_uuid(), 'verify') RETURNING id::text";
    let id: String = source.row("write a marker", write, &[]).await?.get(0);
    let look = "SELECT EXISTS (SELECT FROM pgleap.marker WHERE id = $1::text::uuid)";
    let began = Instant::now();
    while !target.row("look for the marker", look, &[&id]).await?.get::<_, bool>(0) {
        if began.elapsed() >= MARKER_TIME {
            return Ok(false);
        }
        tokio::time::sleep(MARKER_PAUSE).await;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Suspicion;

    fn of(hash: &str) -> Answer {
        Answer::Sum(Sum { rows: 1, hash: hash.to_owned() })
    }

    #[test]
    fn a_first_look_never_condemns() {
        let cases = [
            (of("a"), of("a"), Found::Equal),
            (of("a"), of("b"), Found::Nothing),
            (Answer::Busy, of("b"), Found::Nothing),
            (of("a"), Answer::TooLarge, Found::Skipped),
        ];
        for (source, target, expected) in cases {
            assert_eq!(first_look(&source, &target), expected, "{source:?} {target:?}");
        }
    }

    #[test]
    fn only_the_same_difference_seen_again_condemns() {
        let words = |changes| match (of("a"), of("b")) {
            (Answer::Sum(a), Answer::Sum(b)) => in_words(&a, &b, changes),
            _ => String::new(),
        };
        let seen = |changes, age_seconds| Some(Suspicion { what: words(changes), age_seconds });
        let still = || (of("a"), of("b"), of("a"));
        let cases = [
            ("equal to what it was", 1, None, (of("a"), of("a"), of("c")), "equal"),
            ("equal to what it became", 1, None, (of("c"), of("a"), of("a")), "equal"),
            ("moving", 1, None, (of("a"), of("b"), of("c")), "nothing"),
            ("moving to the last", TRIES - 1, None, (of("a"), of("b"), of("c")), "skipped"),
            ("locked", 1, None, (Answer::Busy, of("b"), of("a")), "nothing"),
            ("too large", 1, None, (of("a"), Answer::TooLarge, of("a")), "skipped"),
            ("still for once", 1, None, still(), "suspicion"),
            ("still again, too soon", 2, seen(7, 3.0), still(), "same"),
            ("still again", 2, seen(7, 20.0), still(), "differs"),
            ("still again, to the last", TRIES, seen(7, 20.0), still(), "differs"),
            ("a queue that is empty again", 1, seen(5, 20.0), still(), "suspicion"),
            ("a queue to the last", TRIES - 1, seen(5, 20.0), still(), "skipped"),
        ];
        for (case, tries, suspicion, (before, there, after), expected) in cases {
            let table = Table { schema: "s".to_owned(), name: "t".to_owned(), tries, suspicion };
            let said = match later_look(&table, &Sums { before, there, after }, 7) {
                Later::Found(Found::Equal) => "equal",
                Later::Found(Found::Skipped) => "skipped",
                Later::Found(Found::Nothing) => "nothing",
                Later::Found(Found::Suspicion(_)) => "suspicion",
                Later::Found(Found::SameSuspicion) => "same",
                Later::Differs(_) => "differs",
            };
            assert_eq!(said, expected, "{case}");
        }
    }
}
