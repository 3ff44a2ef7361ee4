//! How long a change of a record takes to reach the name servers.

use std::str::FromStr;
use std::time::Duration;

/// Route 53 gives a zone so many name servers.
pub(crate) const SERVERS: usize = 4;

/// How long a change of a record takes to reach the name servers. No time scale applies to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Propagation {
    /// All name servers have a change after the same time.
    Fixed(Duration),
    /// Each name server has a change after its own time between these two, drawn separately for every change.
    Spread {
        /// Shortest time.
        shortest: Duration,
        /// Longest time.
        longest: Duration,
    },
}

impl Propagation {
    /// What Route 53 may take: within 60 s in general, and usually less.
    pub const REALISTIC: Self = Self::Spread { shortest: Duration::from_secs(2), longest: Duration::from_secs(40) };

    /// Each name server's delay for one change. `draw` gives a number from 0 to 1.
    pub(crate) fn delays(self, draw: &mut dyn FnMut() -> f64) -> [Duration; SERVERS] {
        match self {
            Self::Fixed(delay) => [delay; SERVERS],
            Self::Spread { shortest, longest } => {
                std::array::from_fn(|_| shortest + longest.saturating_sub(shortest).mul_f64(draw().clamp(0.0, 1.0)))
            }
        }
    }
}

impl From<Duration> for Propagation {
    fn from(delay: Duration) -> Self {
        Self::Fixed(delay)
    }
}

/// Seconds, or `realistic`, as on the command line.
impl FromStr for Propagation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "realistic" {
            return Ok(Self::REALISTIC);
        }
        let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        seconds.map(Self::Fixed).ok_or_else(|| format!("'{text}' is neither a number of seconds nor 'realistic'"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_server_has_its_own_delay_unless_it_is_fixed() {
        let mut draws = [0.0, 0.5, 0.25, 1.0].into_iter();

        let spread = Propagation::REALISTIC.delays(&mut || draws.next().unwrap());

        assert_eq!(spread.map(|delay| delay.as_secs_f64()), [2.0, 21.0, 11.5, 40.0]);
        assert_eq!(Propagation::Fixed(Duration::from_secs(1)).delays(&mut || 0.5), [Duration::from_secs(1); SERVERS]);
    }

    #[test]
    fn an_operator_gives_seconds_or_asks_for_what_is_realistic() {
        assert_eq!("realistic".parse(), Ok(Propagation::REALISTIC));
        assert_eq!("0.5".parse(), Ok(Propagation::Fixed(Duration::from_millis(500))));
        for wrong in ["", "fast", "-1", "NaN"] {
            assert!(wrong.parse::<Propagation>().is_err(), "{wrong}");
        }
    }
}
