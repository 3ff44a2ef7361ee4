//! Where sequences stand on both sides.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::Serialize;
use tokio_postgres::Client;

use super::OF_THE_RUN;

/// One sequence on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SequenceComparison {
    /// Schema and name.
    pub name: String,
    /// Last value on the source; absent if it was never called.
    pub source: Option<i64>,
    /// Last value on the target before it was opened; absent if it was never called or is not there.
    pub target: Option<i64>,
    /// The target goes on behind every value that the source has given.
    pub past: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct State {
    last: Option<i64>,
    increment: i64,
    cycles: bool,
}

pub(super) type States = BTreeMap<String, State>;

pub(super) async fn read(client: &Client) -> Result<States> {
    let sql = format!(
        "SELECT format('%I.%I', schemaname, sequencename), last_value, increment_by, cycle FROM pg_sequences
         WHERE schemaname !~ '^pg_' AND schemaname NOT IN {OF_THE_RUN}"
    );
    let rows = client.query(sql.as_str(), &[]).await.context("read sequences")?;
    let state = |row: &tokio_postgres::Row| State { last: row.get(1), increment: row.get(2), cycles: row.get(3) };
    Ok(rows.iter().map(|row| (row.get(0), state(row))).collect())
}

pub(super) fn compare(source: &States, target: &States) -> Vec<SequenceComparison> {
    source
        .iter()
        .map(|(name, ours)| {
            let theirs = target.get(name);
            let last = theirs.and_then(|state| state.last);
            SequenceComparison { name: name.clone(), source: ours.last, target: last, past: past(ours, theirs) }
        })
        .collect()
}

/// At or past the source's, in the direction of the increment; a cycling sequence gives its values again anyway.
fn past(source: &State, target: Option<&State>) -> bool {
    let Some(target) = target else { return false };
    match (source.last, target.last) {
        (None, _) => true,
        (Some(_), None) => source.cycles,
        (Some(ours), Some(theirs)) => {
            source.cycles || if source.increment > 0 { theirs >= ours } else { theirs <= ours }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn past_is_judged_in_the_direction_of_the_increment() {
        let state = |last, increment, cycles| State { last, increment, cycles };
        let cases = [
            (state(Some(10), 1, false), Some(state(Some(10), 1, false)), true),
            (state(Some(10), 1, false), Some(state(Some(9), 1, false)), false),
            (state(Some(-10), -2, false), Some(state(Some(-12), -2, false)), true),
            (state(Some(-10), -2, false), Some(state(Some(-8), -2, false)), false),
            (state(Some(10), 1, false), Some(state(None, 1, false)), false),
            (state(None, 1, false), Some(state(None, 1, false)), true),
            (state(Some(60), 1, true), Some(state(Some(3), 1, true)), true),
            (state(None, 1, false), None, false),
        ];
        for (source, target, expected) in cases {
            assert_eq!(past(&source, target.as_ref()), expected, "{source:?} {target:?}");
        }
    }
}
