//! Single values as text: in forms, XML, paths, query strings and headers every value is text.

use serde_json::{Number, Value, json};
use time::format_description::well_known::{Rfc2822, Rfc3339};
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

use crate::model::{Kind, TimestampFormat};

/// A text by its shape; `None` if it is not of that type.
pub(crate) fn from_text(kind: &Kind, text: &str) -> Option<Value> {
    match kind {
        Kind::String { .. } | Kind::Blob => Some(Value::String(text.to_owned())),
        Kind::Boolean => match text {
            "true" | "True" => Some(Value::Bool(true)),
            "false" | "False" => Some(Value::Bool(false)),
            _ => None,
        },
        Kind::Integer => text.trim().parse::<i32>().ok().map(|number| json!(number)),
        Kind::Long => text.trim().parse::<i64>().ok().map(|number| json!(number)),
        Kind::Double => text.trim().parse::<f64>().ok().and_then(Number::from_f64).map(Value::Number),
        Kind::Timestamp(_) => moment_from_text(text).map(|seconds| json!(seconds)),
        Kind::Structure(_) | Kind::List { .. } | Kind::Map { .. } => None,
    }
}

/// A value as text; moments in `format` where the shape has no format of its own.
pub(crate) fn to_text(kind: &Kind, value: &Value, format: TimestampFormat) -> String {
    match (kind, value) {
        (Kind::Timestamp(own), Value::Number(_)) => {
            let format = if *own == TimestampFormat::Protocol { format } else { *own };
            moment_to_text(value.as_f64().unwrap_or(0.0), format)
        }
        (_, Value::String(text)) => text.clone(),
        (_, other) => other.to_string(),
    }
}

/// Epoch seconds, to the millisecond, as AWS gives them.
pub(crate) fn rounded(seconds: f64) -> Value {
    let milliseconds = (seconds * 1000.0).round();
    let whole = (milliseconds / 1000.0).trunc() as i64;
    if milliseconds % 1000.0 == 0.0 { json!(whole) } else { json!(milliseconds / 1000.0) }
}

fn moment_from_text(text: &str) -> Option<f64> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return Some(seconds);
    }
    let moment = OffsetDateTime::parse(text, &Rfc3339).or_else(|_| OffsetDateTime::parse(text, &Rfc2822)).ok()?;
    let milliseconds = (moment.unix_timestamp_nanos() / 1_000_000) as f64;
    Some(milliseconds / 1000.0)
}

fn moment_to_text(seconds: f64, format: TimestampFormat) -> String {
    if format == TimestampFormat::UnixTimestamp {
        return rounded(seconds).to_string();
    }
    let milliseconds = (seconds * 1000.0).round() as i128;
    let moment = OffsetDateTime::from_unix_timestamp_nanos(milliseconds * 1_000_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
        .to_offset(UtcOffset::UTC);
    let text = if format == TimestampFormat::Rfc822 {
        moment.format(format_description!(
            "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
        ))
    } else {
        moment.format(format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z"))
    };
    text.expect("a moment in UTC has every part of these formats")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_each_protocol_writes_them() {
        let cases = [
            (1_769_853_600.0, TimestampFormat::Iso8601, "2026-01-31T10:00:00.000Z"),
            (1_769_853_600.123, TimestampFormat::Iso8601, "2026-01-31T10:00:00.123Z"),
            (1_769_853_600.123, TimestampFormat::UnixTimestamp, "1769853600.123"),
            (1_769_853_600.0, TimestampFormat::UnixTimestamp, "1769853600"),
            (1_769_853_600.0, TimestampFormat::Rfc822, "Sat, 31 Jan 2026 10:00:00 GMT"),
        ];
        for (seconds, format, expected) in cases {
            let kind = Kind::Timestamp(TimestampFormat::Protocol);

            assert_eq!(to_text(&kind, &json!(seconds), format), expected);
        }
    }

    #[test]
    fn moments_are_read_in_any_form() {
        let texts =
            ["2026-01-31T10:00:00Z", "2026-01-31T11:00:00.000+01:00", "1769853600", "Sat, 31 Jan 2026 10:00:00 +0000"];
        for text in texts {
            let kind = Kind::Timestamp(TimestampFormat::Protocol);

            assert_eq!(from_text(&kind, text), Some(json!(1_769_853_600.0)), "{text}");
        }
    }

    #[test]
    fn a_text_of_another_type_is_no_value() {
        let cases =
            [(Kind::Integer, "ten"), (Kind::Integer, "3000000000"), (Kind::Boolean, "yes"), (Kind::Long, "1.5")];
        for (kind, text) in cases {
            assert_eq!(from_text(&kind, text), None, "{kind:?} {text}");
        }
    }
}
