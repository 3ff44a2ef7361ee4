//! Positions in the source's log.

use std::fmt;
use std::str::FromStr;

/// A byte position, written `4AF/B00000D0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Lsn(pub(crate) u64);

/// A text that is no position.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("read LSN: {0} is none")]
pub(crate) struct NotAnLsn(String);

impl fmt::Display for Lsn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:X}/{:X}", self.0 >> 32, self.0 & 0xFFFF_FFFF)
    }
}

impl FromStr for Lsn {
    type Err = NotAnLsn;

    fn from_str(text: &str) -> Result<Self, NotAnLsn> {
        let refuse = || NotAnLsn(text.to_owned());
        let (high, low) = text.split_once('/').ok_or_else(refuse)?;
        let high = u32::from_str_radix(high, 16).map_err(|_| refuse())?;
        let low = u32::from_str_radix(low, 16).map_err(|_| refuse())?;
        Ok(Self((u64::from(high) << 32) | u64::from(low)))
    }
}

impl Lsn {
    /// DMS's own form of a position, as it comes back in `RecoveryCheckpoint`.
    pub(crate) fn checkpoint(self) -> String {
        format!("checkpoint:V1#1#{:08X}/{:08X}#0#0#*#0#0", self.0 >> 32, self.0 & 0xFFFF_FFFF)
    }

    /// A `CdcStartPosition`: a plain position or a checkpoint. Dates are not positions for PostgreSQL.
    pub(crate) fn from_start_position(text: &str) -> Result<Self, NotAnLsn> {
        match text.strip_prefix("checkpoint:") {
            Some(checkpoint) => {
                checkpoint.split('#').nth(2).ok_or_else(|| NotAnLsn(text.to_owned())).and_then(str::parse)
            }
            None => text.parse(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_read_and_written() {
        for (text, number) in [("0/0", 0), ("4AF/B00000D0", 0x04AF_B000_00D0), ("FFFFFFFF/1", 0xFFFF_FFFF_0000_0001)] {
            assert_eq!(text.parse::<Lsn>().unwrap(), Lsn(number));
            assert_eq!(Lsn(number).to_string(), text);
        }
        for text in ["", "4AF", "x/y", "1/2/3", "2024-01-01"] {
            assert!(text.parse::<Lsn>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_checkpoint_is_a_start_position() {
        let position = "4AF/B00000D0".parse::<Lsn>().unwrap();

        assert_eq!(position.checkpoint(), "checkpoint:V1#1#000004AF/B00000D0#0#0#*#0#0");
        assert_eq!(Lsn::from_start_position(&position.checkpoint()).unwrap(), position);
        assert_eq!(Lsn::from_start_position("4AF/B00000D0").unwrap(), position);
        assert!(Lsn::from_start_position("checkpoint:V1#1").is_err());
    }
}
