//! What the clients were promised: the value of every row that a write was acknowledged for.
//!
//! Pure bookkeeping, held against the target's rows at the end. A write whose COMMIT got no answer may or may not have
//! happened; its row is then either as before or as meant, and nobody touches it again.

use std::collections::HashMap;

use super::work::Family;

/// Up to three numbers that stand for a row: a revision, a count, 32 bits of a hash.
pub(super) type Value = [u32; 3];

/// A hash of 64 bits as a value.
pub(super) fn of_hash(hash: i64) -> Value {
    let bits = hash.cast_unsigned();
    [(bits >> 32) as u32, bits as u32, 0]
}

/// A row: its table's family and the key that the client made.
pub(super) type Key = (Family, u128);

/// One row that a write means to change: its key, and its value afterwards (`None` if it is deleted).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Effect {
    /// The row.
    pub(super) key: Key,
    /// As it shall be.
    pub(super) after: Option<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    Known(Option<Value>),
    Either(Option<Value>, Option<Value>),
}

/// All promises.
#[derive(Debug, Default)]
pub struct Ledger {
    entries: HashMap<Key, Entry>,
    acknowledged: u64,
    unknown: u64,
}

/// What became of the promises.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Judgement {
    /// Rows that are missing, that hold another value than the last acknowledged one, or that are back after their
    /// acknowledged deletion.
    pub lost: u64,
    /// Surplus copies of rows.
    pub duplicated: u64,
    /// Writes without an answer that turned out to have happened.
    pub unknown_happened: u64,
    /// The first few wrong rows, for people.
    pub examples: Vec<String>,
}

const EXAMPLES: usize = 20;

impl Ledger {
    /// A write was acknowledged.
    pub(super) fn acknowledge(&mut self, effects: &[Effect]) {
        self.acknowledged += 1;
        for effect in effects {
            self.entries.insert(effect.key, Entry::Known(effect.after));
        }
    }

    /// A write got no answer.
    pub(super) fn lose_sight(&mut self, effects: &[Effect]) {
        self.unknown += 1;
        for effect in effects {
            let before = match self.entries.get(&effect.key) {
                Some(Entry::Known(value)) => *value,
                Some(Entry::Either(..)) | None => None,
            };
            self.entries.insert(effect.key, Entry::Either(before, effect.after));
        }
    }

    /// Number of acknowledged writes (transactions).
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// Number of writes without an answer.
    pub fn unknown(&self) -> u64 {
        self.unknown
    }

    /// Hold the promises against the rows that are there. Rows that no client wrote are nobody's affair here.
    pub fn judge(&self, found: &Found) -> Judgement {
        let mut judgement = Judgement::default();
        for (key, entry) in &self.entries {
            let rows = found.rows.get(key).map_or(&[][..], Vec::as_slice);
            let extra = rows.len().saturating_sub(1) as u64;
            judgement.duplicated += extra;
            let seen = rows.first().copied();
            let fault = match *entry {
                Entry::Known(value) => seen != value,
                Entry::Either(before, after) => {
                    judgement.unknown_happened += u64::from(seen == after && before != after);
                    seen != before && seen != after
                }
            };
            judgement.lost += u64::from(fault);
            if (fault || extra > 0) && judgement.examples.len() < EXAMPLES {
                judgement.examples.push(format!("{:?} {:032x}: promised {entry:?}, found {rows:?}", key.0, key.1));
            }
        }
        judgement
    }

    /// Whether anybody wrote this row.
    pub(super) fn knows(&self, key: &Key) -> bool {
        self.entries.contains_key(key)
    }
}

/// The rows of a database as the clients would recognise them.
#[derive(Debug, Default)]
pub struct Found {
    rows: HashMap<Key, Vec<Value>>,
}

impl Found {
    /// A row was seen.
    pub(super) fn see(&mut self, key: Key, value: Value) {
        self.rows.entry(key).or_default().push(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Key = (Family::Order, 7);
    const ONE: Option<Value> = Some([1, 0, 0]);
    const TWO: Option<Value> = Some([2, 0, 0]);

    fn effect(after: Option<Value>) -> [Effect; 1] {
        [Effect { key: KEY, after }]
    }

    #[test]
    fn every_promise_is_held_against_what_is_there() {
        type History = &'static [(bool, Option<Value>)];
        // (acknowledged?, value) in order; rows found; lost, duplicated, unknown that happened
        type Case = (&'static str, History, &'static [Value], (u64, u64, u64));
        let cases: &[Case] = &[
            ("kept", &[(true, ONE)], &[[1, 0, 0]], (0, 0, 0)),
            ("lost", &[(true, ONE)], &[], (1, 0, 0)),
            ("twice", &[(true, ONE)], &[[1, 0, 0], [1, 0, 0]], (0, 1, 0)),
            ("an older value", &[(true, ONE), (true, TWO)], &[[1, 0, 0]], (1, 0, 0)),
            ("deleted", &[(true, ONE), (true, None)], &[], (0, 0, 0)),
            ("a lost delete", &[(true, ONE), (true, None)], &[[1, 0, 0]], (1, 0, 0)),
            ("no answer, happened", &[(false, ONE)], &[[1, 0, 0]], (0, 0, 1)),
            ("no answer, did not happen", &[(false, ONE)], &[], (0, 0, 0)),
            ("no answer, twice", &[(false, ONE)], &[[1, 0, 0], [1, 0, 0]], (0, 1, 1)),
            ("update without an answer", &[(true, ONE), (false, TWO)], &[[1, 0, 0]], (0, 0, 0)),
            ("update without an answer, row gone", &[(true, ONE), (false, TWO)], &[], (1, 0, 0)),
            ("delete without an answer", &[(true, ONE), (false, None)], &[], (0, 0, 1)),
        ];
        for (name, history, rows, expected) in cases {
            let mut ledger = Ledger::default();
            for (acknowledged, value) in *history {
                if *acknowledged { ledger.acknowledge(&effect(*value)) } else { ledger.lose_sight(&effect(*value)) }
            }
            let mut found = Found::default();
            rows.iter().for_each(|value| found.see(KEY, *value));

            let judgement = ledger.judge(&found);

            let seen = (judgement.lost, judgement.duplicated, judgement.unknown_happened);
            assert_eq!(seen, *expected, "{name}");
            assert_eq!(judgement.examples.is_empty(), expected.0 + expected.1 == 0, "{name}");
        }
    }

    #[test]
    fn rows_of_nobody_are_ignored() {
        let mut found = Found::default();
        found.see(KEY, [1, 0, 0]);
        found.see(KEY, [1, 0, 0]);

        assert_eq!(Ledger::default().judge(&found), Judgement::default());
    }
}
