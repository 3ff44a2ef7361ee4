//! What the starts say: medians, bounds, verdicts.

use std::time::Duration;

use crate::start::Start;

/// A cold start's bound, held against the fastest.
pub(crate) const MOST_FASTEST: Duration = Duration::from_millis(8);
/// .. and as a multiple of the empty function's.
pub(crate) const MOST_TIMES_EMPTY: f64 = 3.0;
/// The bound on resident memory, in bytes.
pub(crate) const MOST_RESIDENT: u64 = 16 << 20;

/// All starts of one function, in figures.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    /// The step, or `empty`.
    pub(crate) name: String,
    /// The fastest start: what bounds are held against, because other work on the computer makes starts slower and none
    /// faster.
    pub(crate) fastest: Duration,
    /// Half of the starts were faster.
    pub(crate) median: Duration,
    /// 95 of 100 starts were faster.
    pub(crate) high: Duration,
    /// The largest resident memory in bytes.
    pub(crate) resident: u64,
}

impl Row {
    /// The figures of at least one start.
    pub(crate) fn new(name: &str, starts: &[Start]) -> Self {
        let mut times: Vec<_> = starts.iter().map(|start| start.took).collect();
        times.sort_unstable();
        let resident = starts.iter().map(|start| start.resident).max().unwrap_or_default();
        let [fastest, median, high] = [1, 50, 95].map(|percent| share(&times, percent));
        Self { name: name.to_owned(), fastest, median, high, resident }
    }

    /// Which bounds it breaks, beside the empty function.
    pub(crate) fn breaks(&self, empty: &Self) -> Vec<String> {
        let times = self.times(empty);
        let mut broken = Vec::new();
        if self.fastest >= MOST_FASTEST {
            broken.push(format!(
                "{:.1} ms at best, want less than {}",
                milliseconds(self.fastest),
                MOST_FASTEST.as_millis()
            ));
        }
        if times > MOST_TIMES_EMPTY {
            broken.push(format!("{times:.1} times the empty function, want {MOST_TIMES_EMPTY} at most"));
        }
        if self.resident >= MOST_RESIDENT {
            broken.push(format!(
                "{:.1} MiB resident, want less than {}",
                mebibytes(self.resident),
                MOST_RESIDENT >> 20
            ));
        }
        broken
    }

    /// One line of the table.
    pub(crate) fn line(&self, empty: &Self) -> String {
        format!(
            "{:<20} {:>7.1} ms {:>6.1} x {:>7.1} ms {:>7.1} ms {:>7.1} MiB",
            self.name,
            milliseconds(self.fastest),
            self.times(empty),
            milliseconds(self.median),
            milliseconds(self.high),
            mebibytes(self.resident)
        )
    }

    fn times(&self, empty: &Self) -> f64 {
        self.fastest.as_secs_f64() / empty.fastest.as_secs_f64()
    }
}

/// The head of the table.
pub(crate) fn head() -> String {
    format!("{:<20} {:>10} {:>8} {:>10} {:>10} {:>11}", "step", "fastest", "empty", "median", "95th", "resident")
}

/// The smallest time that this share of the starts stayed within.
fn share(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[allow(clippy::cast_precision_loss, reason = "for people")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, milliseconds: impl IntoIterator<Item = u64>, resident: u64) -> Row {
        let start = |ms| Start { took: Duration::from_millis(ms), resident };
        Row::new(name, &milliseconds.into_iter().map(start).collect::<Vec<_>>())
    }

    #[test]
    fn the_fastest_the_median_and_the_95th_are_starts_that_happened() {
        let row = row("fence-source", (1..=20).rev(), 5 << 20);

        let milliseconds = [1, 10, 19].map(Duration::from_millis);
        assert_eq!([row.fastest, row.median, row.high], milliseconds);
    }

    #[test]
    fn every_bound_is_judged() {
        let empty = row("empty", [1, 1, 2], 4 << 20);

        assert!(row("good", [3, 3, 9], 10 << 20).breaks(&empty).is_empty());
        assert_eq!(row("slow", [8, 8, 8], 10 << 20).breaks(&empty).len(), 2, "too slow, and eight times the empty one");
        assert_eq!(row("slower", [4, 4, 4], 10 << 20).breaks(&empty).len(), 1);
        assert!(row("beside other work", [3, 9, 9, 9], 10 << 20).breaks(&empty).is_empty());
        assert_eq!(row("large", [1, 1, 1], 16 << 20).breaks(&empty).len(), 1);
    }
}
