//! Whether one could still fail back without losing anything, from what was seen of both sides. Pure.

use std::collections::BTreeMap;

use pgleap_contract::steps::CheckFailBackOutput;

/// What was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Why the slot was dropped, if it was just now.
    pub(crate) too_much: Option<String>,
    pub(crate) slot_exists: bool,
    pub(crate) slot_is_lost: bool,
    /// The old server's worker runs.
    pub(crate) is_running: bool,
    /// What the subscription could not apply.
    pub(crate) problems: Vec<String>,
    /// Changes on the new server that are not replicated: `table shop.audit: new`.
    pub(crate) changes: Vec<String>,
}

impl Seen {
    /// Whether a row that is written now could arrive.
    pub(crate) fn can_arrive(&self) -> bool {
        self.slot_exists && !self.slot_is_lost && self.is_running
    }

    /// What would be lost or left behind. What the operator accepts does not count.
    pub(crate) fn void(&self, accept: &[String]) -> Vec<String> {
        let mut void = Vec::new();
        match self {
            Seen { too_much: Some(reason), .. } => void.push(format!(
                "the run dropped the slot from which the old server follows, because it would have filled the disk of \
                 the new one ({reason}); the old server can no longer follow"
            )),
            Seen { slot_exists: false, .. } => void.push(
                "the slot from which the old server follows no longer exists on the new one, so the old server has \
                 missed changes"
                    .to_owned(),
            ),
            Seen { slot_is_lost: true, .. } => void.push(
                "the new server no longer keeps the WAL that the old one has not received (max_slot_wal_keep_size), so \
                 the old server can no longer follow"
                    .to_owned(),
            ),
            Seen { is_running: false, .. } => void.push(
                "the old server is not connected to the new one at the moment; it follows again as soon as it can"
                    .to_owned(),
            ),
            _ => {}
        }
        void.extend(
            self.problems.iter().map(|problem| format!("the old server cannot apply what it receives: {problem}")),
        );
        let counts = self.changes.iter().filter(|change| !accept.contains(change));
        void.extend(counts.map(|change| {
            format!("{change} (changed on the new server since OPEN; the old server does not have this change)")
        }));
        void
    }
}

/// A table whose columns are the same on both sides again, because somebody has made the same change on the old one.
pub(crate) fn is_healed(change: &str, on_new: &BTreeMap<String, String>, on_old: &BTreeMap<String, String>) -> bool {
    let table = change.strip_prefix("table ").and_then(|rest| rest.strip_suffix(": changed"));
    table.is_some_and(|table| on_new.contains_key(table) && on_new.get(table) == on_old.get(table))
}

/// In one text, and whether it differs from what people were told last.
pub(crate) fn output(void: Vec<String>, told: Option<&str>) -> CheckFailBackOutput {
    let text = void.join("; ");
    let is_news = text != told.unwrap_or_default();
    CheckFailBackOutput { void, text, is_news, ..CheckFailBackOutput::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_would_be_lost_is_named_once() {
        let good = Seen { slot_exists: true, is_running: true, ..Seen::default() };
        let cases = [
            (good.clone(), None),
            (Seen { slot_exists: false, ..good.clone() }, Some("no longer exists")),
            (Seen { slot_is_lost: true, ..good.clone() }, Some("max_slot_wal_keep_size")),
            (Seen { is_running: false, ..good.clone() }, Some("not connected")),
            (Seen { too_much: Some("60 GB".to_owned()), slot_exists: false, ..good.clone() }, Some("filled the disk")),
            (Seen { problems: vec!["3 times".to_owned()], ..good.clone() }, Some("cannot apply")),
            (Seen { changes: vec!["table shop.new: new".to_owned()], ..good }, Some("table shop.new: new (changed")),
        ];
        for (seen, expected) in cases {
            let void = seen.void(&[]);

            assert_eq!(void.len(), usize::from(expected.is_some()), "{void:?}");
            assert!(void.iter().zip(expected).all(|(said, words)| said.contains(words)), "{void:?}");
        }
    }

    #[test]
    fn a_change_is_accepted_in_the_words_in_which_it_is_named() {
        let change = "table shop.new: new".to_owned();
        let seen = Seen { slot_exists: true, is_running: true, changes: vec![change.clone()], ..Seen::default() };

        assert!(seen.void(&[change]).is_empty());
        assert_eq!(seen.void(&["table shop.other: new".to_owned()]).len(), 1);
    }

    #[test]
    fn only_a_table_with_the_same_columns_on_both_sides_is_healed() {
        let tables = |columns: &str| BTreeMap::from([("shop.t".to_owned(), columns.to_owned())]);
        let cases = [
            ("table shop.t: changed", "a", true),
            ("table shop.t: changed", "b", false),
            ("table shop.u: changed", "a", false),
            ("table shop.t: new", "a", false),
            ("view shop.t: changed", "a", false),
        ];
        for (change, on_old, healed) in cases {
            assert_eq!(is_healed(change, &tables("a"), &tables(on_old)), healed, "{change} {on_old}");
        }
    }

    #[test]
    fn people_are_told_when_the_text_changes() {
        let void = || vec!["x".to_owned()];

        assert!(output(void(), None).is_news);
        assert!(!output(void(), Some("x")).is_news);
        assert!(output(Vec::new(), Some("x")).is_news, "that it is good again is news too");
        assert!(!output(Vec::new(), None).is_news);
    }
}
