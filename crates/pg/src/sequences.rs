//! Where sequences stand: read on the source and put on the target while nobody writes. The SQL is in `sequences.sql`.

use std::collections::HashMap;

use pgleap_contract::Cutover;
use tokio_postgres::types::ToSql;

use crate::access::until;
use crate::{PgError, Session, ident};

const SQL: &str = include_str!("sequences.sql");

/// Values are read and put so many at a time: each sequence of a transaction holds a lock of the server's lock table.
const CHUNK: usize = 1_000;

/// Where sequences stand: name, value and whether it was handed out, column by column as they are sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Values {
    names: Vec<String>,
    values: Vec<i64>,
    called: Vec<bool>,
}

/// What both sides had when the sequences were set ahead of the fence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ahead {
    /// The values that were set.
    pub source: Values,
    /// Where the target's stood afterwards.
    pub target: Values,
}

impl Values {
    /// Those that moved on the source since they were set ahead, and those that no longer stand on the target as they did then.
    pub fn to_set(&self, on_target: &Values, ahead: &Ahead) -> Values {
        let (source_before, target_before) = (ahead.source.by_name(), ahead.target.by_name());
        let target_now = on_target.by_name();
        let mut wanted = Values::default();
        for (name, value, called) in self.iter() {
            let rests_on_source = source_before.get(name) == Some(&(value, called));
            let rests_on_target = target_before.contains_key(name) && target_before.get(name) == target_now.get(name);
            if !rests_on_source || !rests_on_target {
                wanted.names.push(name.to_owned());
                wanted.values.push(value);
                wanted.called.push(called);
            }
        }
        wanted
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    fn by_name(&self) -> HashMap<&str, (i64, bool)> {
        self.iter().map(|(name, value, called)| (name, (value, called))).collect()
    }

    fn iter(&self) -> impl Iterator<Item = (&str, i64, bool)> {
        let names = self.names.iter().map(String::as_str);
        names.zip(&self.values).zip(&self.called).map(|((name, value), called)| (name, *value, *called))
    }
}

/// Install the functions as the owner, on either side; the working login may call them. Safe to repeat.
pub async fn install(owner: &Session, work_login: &str) -> Result<(), PgError> {
    let work = ident(work_login);
    let mut sql = format!("BEGIN; {SQL}");
    for function in
        ["pgleap.sequence_values(oid, int)", "pgleap.set_sequences(int, timestamptz, text[], bigint[], boolean[])"]
    {
        sql.push_str(&format!(
            "REVOKE ALL ON FUNCTION {function} FROM PUBLIC; GRANT EXECUTE ON FUNCTION {function} TO {work};"
        ));
    }
    sql.push_str("COMMIT");
    owner.run("install the functions of the sequences", &sql).await
}

/// Where every user sequence stands.
pub async fn read(source: &Session) -> Result<Values, PgError> {
    let sql = "SELECT id, name, value, called FROM pgleap.sequence_values($1, $2)";
    let most = i32::try_from(CHUNK).expect("a thousand fits");
    let mut found = Values::default();
    let mut after = 0_u32;
    loop {
        let page = source.rows("read sequences", sql, &[&after, &most]).await?;
        for row in &page {
            found.names.push(row.get(1));
            found.values.push(row.get(2));
            found.called.push(row.get(3));
        }
        match page.last() {
            Some(last) if page.len() == CHUNK => after = last.get(0),
            _ => return Ok(found),
        }
    }
}

/// Put them, with head-room in the direction of the increment, never backwards, and only while the cutover is undecided
/// and in time. Answers how many stand as wanted.
pub async fn set(target: &Session, cutover: &Cutover, values: &Values) -> Result<u64, PgError> {
    let sql = format!("SELECT pgleap.set_sequences($1, {}, $3, $4, $5)", until(2));
    let (generation, deadline) = (cutover.generation.number(), cutover.deadline_epoch_ms);
    let mut count = 0;
    let chunks = values.names.chunks(CHUNK).zip(values.values.chunks(CHUNK)).zip(values.called.chunks(CHUNK));
    for ((names, values), called) in chunks {
        let parameters: [&(dyn ToSql + Sync); 5] = [&generation, &deadline, &names, &values, &called];
        let row = target.row("set sequences", &sql, &parameters).await?;
        count += row.get::<_, i64>(0).unsigned_abs();
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sequences_that_moved_on_a_side_are_set_again() {
        let values = |all: &[(&str, i64, bool)]| Values {
            names: all.iter().map(|(name, ..)| (*name).to_owned()).collect(),
            values: all.iter().map(|(_, value, _)| *value).collect(),
            called: all.iter().map(|(.., called)| *called).collect(),
        };
        let ahead = Ahead {
            source: values(&[("a", 1, true), ("b", 1, false), ("c", 7, true), ("reset", 5, true), ("gone", 1, true)]),
            target: values(&[("a", 101, true), ("b", 1, false), ("c", 107, true), ("reset", 105, true)]),
        };
        let on_source =
            values(&[("a", 1, true), ("b", 1, true), ("c", 8, true), ("reset", 5, true), ("new", 1, false)]);
        let on_target =
            values(&[("a", 101, true), ("b", 1, false), ("c", 107, true), ("reset", 1, false), ("new", 1, false)]);

        // An unlogged sequence is reset when the target crashes.
        let expected = values(&[("b", 1, true), ("c", 8, true), ("reset", 5, true), ("new", 1, false)]);
        assert_eq!(on_source.to_set(&on_target, &ahead), expected);
        assert_eq!(on_source.to_set(&on_target, &Ahead::default()), on_source);
    }
}
