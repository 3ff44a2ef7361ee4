//! A moment as a schedule's expression has it, to the second, in UTC.

use time::format_description::FormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

const FORMAT: &[FormatItem<'_>] = format_description!("at([year]-[month]-[day]T[hour]:[minute]:[second])");

pub(crate) fn expression(epoch_seconds: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp(epoch_seconds).expect("a time of this age");
    time.format(FORMAT).expect("every part is there")
}

pub(crate) fn parse(expression: &str) -> Option<i64> {
    let time = PrimitiveDateTime::parse(expression, FORMAT).ok()?;
    Some(time.assume_utc().unix_timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_says_the_deadline_to_the_second() {
        assert_eq!(expression(1_795_338_000), "at(2026-11-22T09:00:00)");
        for seconds in [0, 1_795_338_000, 1_795_338_059] {
            assert_eq!(parse(&expression(seconds)), Some(seconds));
        }
        for other in ["rate(1 minute)", "at(2026-11-22)", ""] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
