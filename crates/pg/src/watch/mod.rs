//! A watch on the source for what DMS does not carry as it is: updates of keys, changes of rows of which there are equal
//! ones, values that it clamps or cuts.
//!
//! A slot of the run's own, made before DMS's, is read in bounded pieces. A piece is peeked at, what it holds is written to a
//! table of the run and committed, and only then the slot moves on: a lost answer, or a call that dies, loses nothing,
//! because the same piece read again is written to the same rows.
//!
//! A piece ends at a position, and a transaction belongs to the piece in which its commit record starts: peeking goes on to
//! the end of the record that crosses the position, and decoding from a position leaves out the commits that start before it.
//! Source: PostgreSQL, logicalfuncs.c (`pg_logical_slot_get_changes_guts`), snapbuild.c (`SnapBuildXactNeedsSkip`).
//!
//! Rows of the user's tables do not travel, but for the few that may matter; tables get no triggers.

mod images;
mod line;
mod verdict;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use pgleap_contract::data_types::{self, ValueTest};
use tokio_postgres::Row;

use crate::slot::look;
use crate::{Lsn, PgError, Session, ident, literal};

pub use verdict::FoundKind;
use verdict::{Compared, Form, Table};

/// WAL that is read at a time, at least and at most: what it decodes to lies on the source meanwhile, in memory or in a
/// temporary file. A piece is as long as what must be decoded again before it, so that a transaction of hours makes reading
/// twice as slow and not quadratic.
const PIECE: (u64, u64) = (32 << 20, 512 << 20);
/// Changes that travel at a time.
const AT_ONCE: usize = 2_000;
/// How many findings are named; the rest are counted.
const NAMED: i64 = 5;

/// List what is watched, once, as the owner of schema `pgleap`; `reader` is the login that reads the slot.
pub async fn install(owner: &Session, reader: &str) -> Result<(), PgError> {
    let row = |(name, bounded, test): (&str, bool, ValueTest)| format!("('{name}', {bounded}, '{}')", test.word());
    let tests: Vec<String> = data_types::tests().map(row).collect();
    let sql =
        format!(include_str!("tables.sql"), reader = ident(reader), reader_name = reader, tests = tests.join(", "));
    owner.run("list what is watched", &sql).await
}

/// Whether what is read lies before the load of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// It does: the load brings every row as it is then, but for values that it changes too.
    TheLoad,
    /// It may not.
    Nothing,
}

/// Read the slot up to `upto`, for as long as `time`; answers how many bytes of WAL are left. As the login that may
/// replicate; the slot must be there.
pub async fn read(session: &Session, slot: &str, upto: Lsn, before: Before, time: Duration) -> Result<u64, PgError> {
    read_pieces(session, slot, upto, before, time, Last::IsLetGo).await
}

/// The same, to the last piece that will ever be read: the slot stays in front of it, because moving it decodes it again,
/// which takes as long as reading it did.
pub async fn read_last(session: &Session, slot: &str, upto: Lsn, time: Duration) -> Result<u64, PgError> {
    read_pieces(session, slot, upto, Before::Nothing, time, Last::IsKept).await
}

/// Whether the slot moves behind the last piece that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    IsLetGo,
    IsKept,
}

async fn read_pieces(
    session: &Session,
    slot: &str,
    upto: Lsn,
    before: Before,
    time: Duration,
    last: Last,
) -> Result<u64, PgError> {
    let began = Instant::now();
    let rules = Rules::read(session).await?;
    loop {
        let state = look(session, slot).await?;
        let Some(confirmed) = state.confirmed else { return Ok(upto.0) };
        let left = upto.0.saturating_sub(confirmed.0);
        if left == 0 || began.elapsed() >= time {
            return Ok(left);
        }
        let end = Lsn(upto.0.min(confirmed.0 + state.decoded_again.clamp(PIECE.0, PIECE.1)));
        piece(session, slot, end, before, &rules).await?;
        if end == upto && last == Last::IsKept {
            return Ok(0);
        }
        let advance = "SELECT pg_replication_slot_advance($1::text::name, $2::text::pg_lsn)";
        session.rows("advance the slot of the watch", advance, &[&slot, &end.to_string()]).await?;
        if end == upto {
            return Ok(0);
        }
    }
}

/// What was found, for people, the oldest first; empty if nothing was.
pub async fn found(session: &Session) -> Result<Vec<String>, PgError> {
    let sql = "SELECT 'table ' || name || ': ' || detail, count(*) OVER () FROM pgleap.watch_found ORDER BY first_lsn, name, kind LIMIT $1";
    let rows = session.rows("read what the watch found", sql, &[&NAMED]).await?;
    let mut named: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let all = rows.first().map_or(0, |row| row.get::<_, i64>(1));
    if all > NAMED {
        named.push(format!("and {} more", all - NAMED));
    }
    Ok(named)
}

/// What all tables together are watched for, so that most changes are dropped where they are.
struct Rules {
    has_keyless: bool,
    suspicious: String,
    has_long: bool,
}

impl Rules {
    async fn read(session: &Session) -> Result<Self, PgError> {
        let sql = "SELECT coalesce(bool_or(key = '{}'), false),
                          ARRAY(SELECT DISTINCT t FROM pgleap.watch_table, unnest(tests) t ORDER BY 1) FROM pgleap.watch_table";
        let row = session.row("read what is watched", sql, &[]).await?;
        let tests: Vec<String> = row.get(1);
        let tests: Vec<ValueTest> = tests.iter().filter_map(|word| test_of(word)).collect();
        let patterns: Vec<&str> = tests.iter().filter_map(|test| pattern(*test)).collect();
        // A pattern that nothing matches: a change is not empty.
        let suspicious = if patterns.is_empty() { "^$".to_owned() } else { patterns.join("|") };
        Ok(Self { has_keyless: row.get(0), suspicious, has_long: tests.contains(&ValueTest::Characters8000) })
    }
}

/// What a value that does not pass leaves in the text of a change, whatever else does.
fn pattern(test: ValueTest) -> Option<&'static str> {
    match test {
        ValueTest::Finite => Some(":'-?infinity'"),
        ValueTest::Number => Some(":NaN|:-?Infinity"),
        ValueTest::Digits28 => Some(":NaN|:-?Infinity|:-?[0-9.]{29}"),
        ValueTest::Characters8000 => None,
        ValueTest::WholeSeconds => Some(r":'[0-9]{2}:[0-9]{2}:[0-9]{2}\."),
    }
}

fn test_of(word: &str) -> Option<ValueTest> {
    ValueTest::ALL.iter().copied().find(|test| test.word() == word)
}

/// The first finding of a table and kind, with its position and the last one's.
type Found = BTreeMap<(String, &'static str), (String, String, String)>;

/// One piece, in one transaction: all of what it holds is noted, or nothing.
async fn piece(session: &Session, slot: &str, end: Lsn, before: Before, rules: &Rules) -> Result<(), PgError> {
    let declare = format!(
        include_str!("changes.sql"),
        slot = literal(slot),
        upto = literal(&end.to_string()),
        old = rules.has_keyless,
        suspicious = literal(&rules.suspicious),
        long = rules.has_long
    );
    // A table that somebody has locked is asked again later, not waited for.
    let begin = "BEGIN; SET LOCAL quote_all_identifiers = off; SET LOCAL synchronous_commit = on; SET LOCAL lock_timeout = '1s'";
    session.run("read the changes of the source", &format!("{begin}; {declare}")).await?;
    let fetch = format!("FETCH {AT_ONCE} FROM changes");
    let mut found = Found::new();
    loop {
        let rows = session.rows("read the changes of the source", &fetch, &[]).await?;
        judge(session, &rows, before, &mut found).await?;
        if rows.len() < AT_ONCE {
            break;
        }
    }
    note(session, &found).await?;
    if rules.has_keyless {
        images::forget(session, end).await?;
    }
    session.run("record what the watch found", "COMMIT").await
}

async fn judge(session: &Session, rows: &[Row], before: Before, found: &mut Found) -> Result<(), PgError> {
    let mut seen = images::Seen::default();
    for row in rows {
        let (lsn, name, data): (&str, &str, &str) = (row.get(0), row.get(1), row.get(8));
        let table = table_of(row);
        let change = line::parse(data).map_err(|reason| PgError::failed("read the changes of the source", reason))?;
        let kept = |kind: FoundKind| before == Before::Nothing || !kind.is_covered_by_a_load();
        for finding in verdict::findings(&change, &table).into_iter().filter(|finding| kept(finding.kind)) {
            add(found, name, finding.kind, finding.detail, lsn);
        }
        let is_condemned = found.contains_key(&(name.to_owned(), FoundKind::Twins.word()));
        if let Some(image) = verdict::image(&change, &table).filter(|_| kept(FoundKind::Twins) && !is_condemned) {
            seen.add(name, lsn, image, table.image);
        }
    }
    for (name, lsn) in seen.twins(session).await? {
        let detail = "an update or delete of a row that has duplicates, in a table without a primary key".to_owned();
        add(found, &name, FoundKind::Twins, detail, &lsn);
    }
    Ok(())
}

fn add(found: &mut Found, name: &str, kind: FoundKind, detail: String, lsn: &str) {
    let entry = found.entry((name.to_owned(), kind.word())).or_insert_with(|| (detail, lsn.to_owned(), String::new()));
    entry.2 = lsn.to_owned();
}

fn table_of(row: &Row) -> Table {
    let list = |place: usize| -> Vec<String> { row.get(place) };
    let forms = list(5).into_iter().map(|form| match form.as_str() {
        "exact" => Form::Exact,
        "number" => Form::Number,
        "padded" => Form::Padded,
        _ => Form::Unknown,
    });
    let compared = list(3).into_iter().zip(list(4)).zip(forms);
    let tests = list(6).into_iter().zip(list(7)).filter_map(|(column, word)| Some((column, test_of(&word)?)));
    Table {
        key: list(2),
        image: compared.map(|((column, type_name), form)| Compared { column, type_name, form }).collect(),
        tests: tests.collect(),
    }
}

async fn note(session: &Session, found: &Found) -> Result<(), PgError> {
    let sql = "INSERT INTO pgleap.watch_found (name, kind, detail, first_lsn, last_lsn)
               VALUES ($1, $2, $3, $4::text::pg_lsn, $5::text::pg_lsn)
               ON CONFLICT (name, kind) DO UPDATE SET last_lsn = greatest(watch_found.last_lsn, excluded.last_lsn)";
    for ((name, kind), (detail, first, last)) in found {
        session.rows("record what the watch found", sql, &[name, kind, detail, first, last]).await?;
    }
    Ok(())
}
