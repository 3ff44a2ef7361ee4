//! `at(2026-11-22T10:30:00)` in a time zone, and `rate(15 minutes)`.

use std::time::Duration;

use local_aws_core::ApiError;
use time::PrimitiveDateTime;
use time::macros::format_description;

/// When a schedule fires.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Expression {
    /// Once, in epoch seconds.
    At(f64),
    /// Again and again, at this interval.
    Every(Duration),
}

/// Read an expression. cron() and zones other than UTC are refused by name: nothing here needs them, and a wrong guess
/// would fire at the wrong time.
pub(super) fn parse(expression: &str, zone: &str) -> Result<Expression, ApiError> {
    refuse_zone(zone)?;
    if expression.starts_with("cron(") {
        return Err(ApiError::not_implemented(&format!("the schedule expression {expression}")));
    }
    let inner = |kind: &str| expression.strip_prefix(kind).and_then(|rest| rest.strip_suffix(')'));
    let parsed = match (inner("at("), inner("rate(")) {
        (Some(moment), _) => epoch_seconds(moment).map(Expression::At),
        (_, Some(rate)) => interval(rate).map(Expression::Every),
        _ => None,
    };
    parsed
        .ok_or_else(|| ApiError::new(400, "ValidationException", format!("Invalid Schedule Expression {expression}.")))
}

fn refuse_zone(zone: &str) -> Result<(), ApiError> {
    match zone {
        "UTC" | "Etc/UTC" | "GMT" | "Etc/GMT" => Ok(()),
        _ if zone.contains('/') && std::path::Path::new("/usr/share/zoneinfo").join(zone).is_file() => {
            Err(ApiError::not_implemented(&format!("the time zone {zone}")))
        }
        _ => Err(ApiError::new(400, "ValidationException", format!("Invalid ScheduleExpressionTimezone {zone}."))),
    }
}

fn epoch_seconds(moment: &str) -> Option<f64> {
    let form = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
    PrimitiveDateTime::parse(moment, form).ok().map(|local| local.assume_utc().unix_timestamp() as f64)
}

/// `1 minute`, `15 minutes`. The unit is singular with 1 and plural with everything else.
fn interval(rate: &str) -> Option<Duration> {
    let (value, unit) = rate.split_once(' ')?;
    let value: u32 = value.parse().ok().filter(|value| *value > 0)?;
    let seconds = match (value, unit) {
        (1, "minute") | (2.., "minutes") => 60,
        (1, "hour") | (2.., "hours") => 3_600,
        (1, "day") | (2.., "days") => 86_400,
        _ => return None,
    };
    Some(Duration::from_secs(seconds) * value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_in_utc() {
        assert_eq!(parse("at(1970-01-02T00:00:01)", "UTC"), Ok(Expression::At(86_401.0)));
    }

    #[test]
    fn a_rate_has_a_number_and_a_unit_that_agree() {
        let cases =
            [("1 minute", 60), ("5 minutes", 300), ("1 hour", 3_600), ("36 hours", 129_600), ("7 days", 604_800)];

        for (rate, seconds) in cases {
            let expected = Ok(Expression::Every(Duration::from_secs(seconds)));
            assert_eq!(parse(&format!("rate({rate})"), "UTC"), expected, "{rate}");
        }
    }

    #[test]
    fn what_is_neither_is_refused() {
        let moments = ["at(1970-01-02)", "1970-01-02T00:00:01", "at(1970-01-02T00:00:01Z)", "at(1970-13-02T00:00:01)"];
        let rates = ["rate(1 minutes)", "rate(5 minute)", "rate(0 minutes)", "rate(-5 minutes)", "rate(1.5 hours)"];
        let others = ["rate(5minutes)", "rate(30 seconds)", "rate(2 weeks)", "rate(5 minutes", "rate()", ""];

        for bad in moments.into_iter().chain(rates).chain(others) {
            let code = parse(bad, "UTC").map_err(|error| error.code);
            assert_eq!(code, Err("ValidationException".to_owned()), "{bad}");
        }
        let cron = parse("cron(0 8 * * ? *)", "UTC").map_err(|error| error.code);
        assert_eq!(cron, Err("NotImplemented".to_owned()));
    }
}
