//! Rows that differed when their chunk was read: which of them are really different?
//!
//! A row counts as different only if it was the very same version on the source before a marker was written and after the
//! target, which had applied that marker, was read; and if all that is so once more, with the same versions on both sides,
//! a while later. A row that clients change meanwhile is settled as soon as the target holds what the source held at one
//! of the looks.

use std::time::{Duration, Instant};

use pgleap_step_kit::prelude::*;

use crate::layout::{Key, Layout};
use crate::marker;
use crate::progress::{self, Judged, OpenRow};
use crate::sums::{self, Answer, Sides, State};

/// How much later the same difference must be seen again.
const AGAIN_SECONDS: f64 = 15.0;
/// At how many visits a row may have moved before it is given up.
const VISITS: i32 = 8;
/// How long rows that move are looked at in one visit.
const SAMPLING: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(10);
/// How many rows that differ are named, and how many characters of a value of a key.
const NAMED: usize = 3;
const LONGEST_VALUE: usize = 60;

/// What a visit led to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Round {
    /// So many rows are to be looked at again.
    Open(usize),
    /// The marker did not arrive.
    Behind,
    /// A lock is in the way.
    Busy,
    /// Looking up these rows takes longer than a call has.
    TooSlow,
    /// These rows are different, in words.
    Differs(String),
}

/// One row through the looks of one visit.
#[derive(Debug, Default, Clone)]
struct Look {
    /// Before the marker, then after each look at the target.
    source: Vec<Option<State>>,
    target: Vec<Option<State>>,
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Same,
    Moves,
    Differs(String),
}

impl Look {
    fn verdict(&self) -> Verdict {
        let value = |state: &Option<State>| state.map(|state| state.value);
        let held: Vec<_> = self.source.iter().map(value).collect();
        if self.target.iter().any(|there| held.contains(&value(there))) {
            return Verdict::Same;
        }
        let stood_still = |side: &[Option<State>]| side.windows(2).all(|pair| pair[0] == pair[1]);
        match (self.source.last(), self.target.last()) {
            (Some(here), Some(there)) if stood_still(&self.source) && stood_still(&self.target) => {
                Verdict::Differs(format!("{}, {}", in_words(here), in_words(there)))
            }
            _ => Verdict::Moves,
        }
    }
}

fn in_words(state: &Option<State>) -> String {
    state.map_or("-".to_owned(), |state| format!("{}/{}", state.value, state.version))
}

/// Look at the open rows once more.
pub(crate) async fn round(sides: &Sides<'_>, layout: &Layout, open: &[OpenRow]) -> StepResult<Round> {
    let keys: Vec<Key> = open.iter().map(|row| row.key.clone()).collect();
    let before = match sums::states(sides.source, layout, &keys, sides.until).await? {
        Answer::Got(states) => states,
        Answer::Busy => return Ok(Round::Busy),
        Answer::TooSlow => return Ok(Round::TooSlow),
    };
    if !marker::arrives(sides).await? {
        return Ok(Round::Behind);
    }
    let mut looks: Vec<Look> =
        before.into_iter().map(|state| Look { source: vec![state], target: Vec::new() }).collect();
    if let Some(instead) = sample(sides, layout, &keys, &mut looks).await? {
        return Ok(instead);
    }
    let (judged, different) = judge(open, &looks);
    progress::note_judged(sides.target, &judged).await?;
    if !different.is_empty() {
        return Ok(Round::Differs(describe(sides, layout, &different).await?));
    }
    Ok(Round::Open(open.len() - judged.settled.len() - judged.open.iter().filter(|(_, _, over)| *over).count()))
}

/// Look at both sides until every row has settled or stands still, or for a while.
async fn sample(sides: &Sides<'_>, layout: &Layout, keys: &[Key], looks: &mut [Look]) -> StepResult<Option<Round>> {
    let began = Instant::now();
    loop {
        let wanted: Vec<usize> = (0..looks.len()).filter(|at| looks[*at].verdict() != Verdict::Same).collect();
        let some: Vec<Key> = wanted.iter().map(|at| keys[*at].clone()).collect();
        // The target first: what the source held before the marker is there, and what it holds now may be.
        let there = sums::states(sides.target, layout, &some, sides.until).await?;
        let here = sums::states(sides.source, layout, &some, sides.until).await?;
        let (there, here) = match there.with(here) {
            Answer::Got(both) => both,
            Answer::Busy => return Ok(Some(Round::Busy)),
            Answer::TooSlow => return Ok(Some(Round::TooSlow)),
        };
        for ((at, there), here) in wanted.into_iter().zip(there).zip(here) {
            looks[at].target.push(there);
            looks[at].source.push(here);
        }
        let moves = looks.iter().any(|look| look.verdict() == Verdict::Moves);
        if !moves || began.elapsed() >= SAMPLING {
            return Ok(None);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// What becomes of each row; the ones that are different.
fn judge<'a>(open: &'a [OpenRow], looks: &[Look]) -> (Judged, Vec<&'a OpenRow>) {
    let (mut judged, mut different) = (Judged::default(), Vec::new());
    for (row, look) in open.iter().zip(looks) {
        let is_last = row.visits + 1 >= VISITS;
        match (look.verdict(), &row.difference) {
            (Verdict::Same, _) => judged.settled.push(row.id),
            (Verdict::Differs(now), Some((before, age))) if now == *before => {
                if *age >= AGAIN_SECONDS {
                    different.push(row);
                }
            }
            (Verdict::Differs(now), _) => judged.open.push((row.id, Some(now), is_last)),
            (Verdict::Moves, _) => judged.open.push((row.id, None, is_last)),
        }
    }
    (judged, different)
}

/// The first rows by key, with the columns that differ.
async fn describe(sides: &Sides<'_>, layout: &Layout, different: &[&OpenRow]) -> StepResult<String> {
    if !layout.has_key() {
        return Ok(format!(
            "{} different rows occur more often on one side than on the other; no primary key identifies them",
            different.len()
        ));
    }
    let keys: Vec<Key> = different.iter().take(NAMED).map(|row| row.key.clone()).collect();
    let (here, there) = tokio::try_join!(
        sums::columns(sides.source, layout, &keys, sides.until),
        sums::columns(sides.target, layout, &keys, sides.until)
    )?;
    let (here, there) = match here.with(there) {
        Answer::Got(both) => both,
        _ => (vec![None; keys.len()], vec![None; keys.len()]),
    };
    let named: Vec<String> =
        keys.iter().zip(here.iter().zip(&there)).map(|(key, (here, there))| name(layout, key, here, there)).collect();
    let more = if different.len() > NAMED { "; .." } else { "" };
    Ok(format!("{} row(s) differ: {}{more}", different.len(), named.join("; ")))
}

fn name(layout: &Layout, key: &Key, here: &Option<Vec<i64>>, there: &Option<Vec<i64>>) -> String {
    let short = |value: &String| {
        let cut: String = value.chars().take(LONGEST_VALUE).collect();
        if cut.len() < value.len() { format!("{cut}..") } else { cut }
    };
    let key: Vec<String> =
        layout.key.iter().zip(key).map(|(column, value)| format!("{} = {}", column.name, short(value))).collect();
    let how = match (here, there) {
        (Some(_), None) => "is missing on the target".to_owned(),
        (None, Some(_)) => "is only on the target".to_owned(),
        (Some(here), Some(there)) => {
            let unequal = layout.columns.iter().zip(here.iter().zip(there)).filter(|(_, (here, there))| here != there);
            let names: Vec<&str> = unequal.map(|(column, _)| column.as_str()).collect();
            format!("differs in {}", names.join(", "))
        }
        (None, None) => "differed".to_owned(),
    };
    format!("{} {how}", key.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::tests::layout;

    fn at(value: i64, version: i64) -> Option<State> {
        Some(State { value, version })
    }

    fn look(source: &[Option<State>], target: &[Option<State>]) -> Look {
        Look { source: source.to_vec(), target: target.to_vec() }
    }

    #[test]
    fn a_row_differs_only_if_both_sides_stood_still() {
        let differs = |words: &str| Verdict::Differs(words.to_owned());
        let cases = [
            ("equal to what it was", look(&[at(1, 1), at(2, 2)], &[at(1, 9)]), Verdict::Same),
            ("equal to what it became", look(&[at(1, 1), at(2, 2)], &[at(2, 9)]), Verdict::Same),
            ("equal at an earlier look", look(&[at(1, 1), at(2, 2), at(3, 3)], &[at(2, 8), at(9, 9)]), Verdict::Same),
            ("deleted, and so it is there", look(&[at(1, 1), None], &[None]), Verdict::Same),
            ("moving", look(&[at(1, 1), at(2, 2)], &[at(7, 9)]), Verdict::Moves),
            ("changed and changed back", look(&[at(1, 1), at(1, 3)], &[at(2, 9)]), Verdict::Moves),
            ("moving on the target", look(&[at(1, 1); 3], &[at(7, 8), at(6, 9)]), Verdict::Moves),
            ("still", look(&[at(1, 1), at(1, 1)], &[at(7, 9)]), differs("1/1, 7/9")),
            ("missing", look(&[at(1, 1), at(1, 1)], &[None]), differs("1/1, -")),
            ("left over", look(&[None, None], &[at(7, 9)]), differs("-, 7/9")),
            ("not looked at", look(&[at(1, 1)], &[]), Verdict::Moves),
        ];
        for (case, look, verdict) in cases {
            assert_eq!(look.verdict(), verdict, "{case}");
        }
    }

    #[test]
    fn only_the_same_difference_of_the_same_versions_seen_again_after_a_while_condemns() {
        let row = |id, visits, difference: Option<(&str, f64)>| OpenRow {
            id,
            key: vec![id.to_string()],
            visits,
            difference: difference.map(|(words, age)| (words.to_owned(), age)),
        };
        let still = || look(&[at(1, 1), at(1, 1)], &[at(7, 9)]);
        let moves = || look(&[at(1, 1), at(2, 2)], &[at(7, 9)]);
        let open = [
            row(1, 0, None),
            row(2, 1, Some(("1/1, 7/9", 3.0))),
            row(3, 1, Some(("1/1, 7/9", 15.0))),
            row(4, 1, Some(("1/1, 7/8", 99.0))),
            row(5, 1, Some(("1/1, 7/9", 99.0))),
            row(6, VISITS - 1, None),
            row(7, 1, None),
        ];
        let looks = [still(), still(), still(), still(), moves(), moves(), look(&[at(1, 1)], &[at(1, 5)])];

        let (judged, different) = judge(&open, &looks);

        assert_eq!(different.iter().map(|row| row.id).collect::<Vec<_>>(), [3]);
        assert_eq!(judged.settled, [7]);
        let words = Some("1/1, 7/9".to_owned());
        assert_eq!(judged.open, [(1, words.clone(), false), (4, words, false), (5, None, false), (6, None, true)]);
    }

    #[test]
    fn a_row_is_named_by_its_key_and_its_columns_and_no_value_of_a_key_is_long() {
        let layout = layout(&[("a", "integer", None), ("B\"c", "text", None)]);
        let key = vec!["1".to_owned(), "ü".repeat(100)];
        let named = |here, there| name(&layout, &key, &here, &there);

        let differs = named(Some(vec![1, 2]), Some(vec![1, 3]));
        assert_eq!(differs, format!("a = 1, B\"c = {}.. differs in B\"c", "ü".repeat(LONGEST_VALUE)));
        assert!(named(Some(vec![1, 2]), None).ends_with("is missing on the target"));
        assert!(named(None, Some(vec![1, 2])).ends_with("is only on the target"));
    }
}
