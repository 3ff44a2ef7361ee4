//! `at(2026-11-22T10:30:00)` in a time zone.

use local_aws_core::ApiError;
use time::PrimitiveDateTime;
use time::macros::format_description;

/// When a schedule fires, in epoch seconds. Recurring expressions and zones other than UTC are refused by name: nothing
/// here needs them, and a wrong guess would fire at the wrong time.
pub(super) fn epoch_seconds(expression: &str, zone: &str) -> Result<f64, ApiError> {
    let recurring = ["rate(", "cron("].iter().any(|start| expression.starts_with(start));
    if recurring {
        return Err(ApiError::not_implemented(&format!("the schedule expression {expression}")));
    }
    let form = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
    let inner = expression.strip_prefix("at(").and_then(|rest| rest.strip_suffix(')'));
    let local = inner.and_then(|inner| PrimitiveDateTime::parse(inner, form).ok());
    let local = local.ok_or_else(|| {
        ApiError::new(400, "ValidationException", format!("Invalid Schedule Expression {expression}."))
    })?;
    match zone {
        "UTC" | "Etc/UTC" | "GMT" | "Etc/GMT" => Ok(local.assume_utc().unix_timestamp() as f64),
        _ if zone.contains('/') && std::path::Path::new("/usr/share/zoneinfo").join(zone).is_file() => {
            Err(ApiError::not_implemented(&format!("the time zone {zone}")))
        }
        _ => Err(ApiError::new(400, "ValidationException", format!("Invalid ScheduleExpressionTimezone {zone}."))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_in_utc() {
        assert_eq!(epoch_seconds("at(1970-01-02T00:00:01)", "UTC"), Ok(86_401.0));
        for bad in ["at(1970-01-02)", "1970-01-02T00:00:01", "at(1970-01-02T00:00:01Z)", "at(1970-13-02T00:00:01)"] {
            assert_eq!(
                epoch_seconds(bad, "UTC").map_err(|error| error.code),
                Err("ValidationException".to_owned()),
                "{bad}"
            );
        }
    }
}
