//! The lag in seconds: PostgreSQL knows how far a reader is behind in bytes, and the looks remember when the source wrote
//! where.

use pgleap_contract::steps::WalMark;

/// How long ago the source wrote what its reader has confirmed last. Between two looks it is taken to have written evenly;
/// what is older than every look is as old as the oldest one at least.
pub(crate) fn seconds(marks: &[WalMark], now: WalMark, confirmed: u64) -> u64 {
    if confirmed >= now.written {
        return 0;
    }
    let marks: Vec<WalMark> = marks.iter().copied().chain([now]).collect();
    let Some(next) = marks.iter().position(|mark| mark.written > confirmed) else { return 0 };
    let confirmed_at = match next.checked_sub(1).map(|before| marks[before]) {
        None => marks[next].at,
        Some(before) => {
            let (span, wrote) = (marks[next].at.saturating_sub(before.at), marks[next].written - before.written);
            let part = (confirmed - before.written) as f64 / wrote as f64;
            before.at + (span as f64 * part) as u64
        }
    };
    now.at.saturating_sub(confirmed_at)
}

/// The marks of the next look: what is confirmed needs but one of them. Where there are too many, every second one goes,
/// so that the oldest stays.
pub(crate) fn remember(marks: &[WalMark], now: WalMark, confirmed: u64) -> Vec<WalMark> {
    let behind = marks.iter().rposition(|mark| mark.written <= confirmed).unwrap_or(0);
    let mut kept: Vec<WalMark> = marks[behind.min(marks.len())..].to_vec();
    if kept.len() >= WalMark::MOST {
        kept = kept.into_iter().step_by(2).collect();
    }
    kept.push(now);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(at: u64, written: u64) -> WalMark {
        WalMark { at, written }
    }

    #[test]
    fn the_age_of_what_is_not_confirmed_is_read_off_the_looks() {
        let marks = [mark(100, 1_000), mark(160, 4_000), mark(220, 4_000)];
        let now = mark(280, 5_000);
        let cases = [
            ("nothing is behind", 5_000, 0),
            ("half of the last minute", 4_500, 30),
            ("the source was idle before", 4_000, 60),
            ("in the first minute", 2_500, 150),
            ("at the first look", 1_000, 180),
            ("before the first look", 10, 180),
        ];
        for (case, confirmed, expected) in cases {
            assert_eq!(seconds(&marks, now, confirmed), expected, "{case}");
        }
        assert_eq!(seconds(&[], now, 10), 0, "a first look knows nothing of before");
    }

    #[test]
    fn marks_are_few_and_the_oldest_that_is_needed_stays() {
        let mut marks = Vec::new();
        for look in 0..1_000 {
            marks = remember(&marks, mark(look * 60, look * 1_000), 500);
            assert!(marks.len() <= WalMark::MOST, "{marks:?}");
        }
        assert_eq!((marks[0], marks[marks.len() - 1]), (mark(0, 0), mark(59_940, 999_000)));

        let caught_up = remember(&marks, mark(60_000, 1_000_000), 999_500);

        assert_eq!(caught_up, [mark(59_940, 999_000), mark(60_000, 1_000_000)]);
    }
}
