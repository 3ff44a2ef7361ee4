//! Which position is right. Pure.

use pgleap_pg::Lsn;

use crate::commits::Commit;
use crate::witnesses::Witness;

/// Everything that was seen.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// The copy's slot sends nothing before this.
    pub(crate) begins: Lsn,
    /// The source's slot was read up to this.
    pub(crate) upto: Lsn,
    /// The transactions that the copy's slot would send, in order.
    pub(crate) copy: Vec<Commit>,
    /// Those of the source's.
    pub(crate) source: Vec<Commit>,
    /// What else names a position.
    pub(crate) witnesses: Vec<Witness>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Start {
    /// The position.
    pub(crate) lsn: Lsn,
    /// What named it.
    pub(crate) witness: &'static str,
    /// How many transactions both servers have.
    pub(crate) agreed: usize,
}

const AGREED: &str = "the last commit that both servers have";

/// The copy has the transactions that both slots name first. Every position from the end of the last of them to the start of
/// the source's next is exact: a subscription is sent the transactions whose commit record starts at or after its position.
/// A witness inside of that range is taken, else the range's own beginning.
///
/// # Errors
/// A sentence that says why no position can be trusted.
pub(crate) fn decide(seen: &Seen) -> Result<Start, String> {
    let agreed = seen.copy.iter().zip(&seen.source).take_while(|(one, other)| one == other).count();
    if agreed == 0 {
        return Err(no(
            "the copy and the source have no transaction in common, although the run wrote one before the snapshot",
        ));
    }
    if let Some(own) = seen.copy.get(agreed) {
        let count = seen.copy.len() - agreed;
        return Err(no(&format!(
            "the copy has {count} transactions that the source does not have, the first with xid {} at {}: somebody wrote to \
             a table on the copy",
            own.xid, own.start
        )));
    }
    let first = seen.copy[..agreed].last().map_or(seen.begins, |commit| commit.end);
    let last = seen.source.get(agreed).map_or(seen.upto, |next| next.start);
    let fits = |witness: &&Witness| (first..=last).contains(&witness.lsn);
    if let Some(wrong) = seen.witnesses.iter().find(|witness| !witness.holds_at_first_start_only && !fits(witness)) {
        return Err(no(&format!(
            "{} reports {}, but the replication slots of both servers report {first} to {last}",
            wrong.name, wrong.lsn
        )));
    }
    let (lsn, witness) =
        seen.witnesses.iter().find(fits).map_or((first, AGREED), |witness| (witness.lsn, witness.name));
    Ok(Start { lsn, witness, agreed })
}

fn no(reason: &str) -> String {
    format!("find the start of the changes: {reason}. A wrong position would lose or duplicate rows, so the run ends")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(start: u64) -> Commit {
        Commit { start: Lsn(start), end: Lsn(start + 8), xid: 7, at: 0 }
    }

    fn seen(copy: &[u64], source: &[u64], seed: Option<u64>, replayed: Option<u64>) -> Seen {
        let witness = |holds_at_first_start_only| {
            move |lsn| Witness {
                name: if holds_at_first_start_only { "replayed" } else { "seed" },
                lsn: Lsn(lsn),
                holds_at_first_start_only,
            }
        };
        Seen {
            begins: Lsn(90),
            upto: Lsn(1_000),
            copy: copy.iter().map(|start| commit(*start)).collect(),
            source: source.iter().map(|start| commit(*start)).collect(),
            witnesses: [seed.map(witness(false)), replayed.map(witness(true))].into_iter().flatten().collect(),
        }
    }

    #[test]
    fn the_start_lies_between_the_last_common_commit_and_the_next() {
        type Expected = Result<(u64, &'static str), &'static str>;
        let cases: &[(&str, Seen, Expected)] = &[
            ("RDS's word", seen(&[100, 200], &[100, 200, 300], Some(250), None), Ok((250, "seed"))),
            ("at both ends", seen(&[100, 200], &[100, 200, 300], Some(300), None), Ok((300, "seed"))),
            ("PostgreSQL's", seen(&[100, 200], &[100, 200, 300], None, Some(208)), Ok((208, "replayed"))),
            ("RDS's first", seen(&[100], &[100, 300], Some(120), Some(130)), Ok((120, "seed"))),
            ("after a restart", seen(&[100, 200], &[100, 200, 300], None, Some(900)), Ok((208, AGREED))),
            ("nobody", seen(&[100, 200], &[100, 200], None, None), Ok((208, AGREED))),
            ("nothing came after", seen(&[100], &[100], Some(1_000), None), Ok((1_000, "seed"))),
            ("late", seen(&[100, 200], &[100, 200, 300], Some(301), None), Err("seed reports 0/12D")),
            ("early", seen(&[100, 200], &[100, 200, 300], Some(207), None), Err("seed reports 0/CF")),
            (
                "a writer on the copy",
                seen(&[100, 200, 210], &[100, 200, 300], Some(250), None),
                Err("1 transactions that"),
            ),
            ("another server", seen(&[100], &[101], None, None), Err("no transaction in common")),
            ("an empty slot", seen(&[], &[100], Some(95), None), Err("no transaction in common")),
        ];
        for (case, seen, expected) in cases {
            let answer = decide(seen);
            match (&answer, expected) {
                (Ok(start), Ok((lsn, witness))) => assert_eq!((start.lsn.0, start.witness), (*lsn, *witness), "{case}"),
                (Err(reason), Err(words)) => assert!(reason.contains(words), "{case}: {reason}"),
                _ => panic!("{case}: {answer:?}"),
            }
        }
    }

    #[test]
    fn a_commit_at_another_time_is_another_commit() {
        let mut both = seen(&[100, 200], &[100, 200, 300], Some(250), None);
        both.copy[1].at = 5;

        assert!(decide(&both).unwrap_err().contains("xid 7 at 0/C8"));
    }
}
