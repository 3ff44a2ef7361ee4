//! Values that clients make up, by type.

use fastrand::Rng;

use super::catalog::Column;

/// How values of a column are made.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Maker {
    /// A whole number up to this.
    Number(i64),
    /// Digits before and behind the point.
    Decimal(u32, u32),
    /// Text of at most so many characters.
    Text(usize),
    /// A uuid.
    Uuid,
    /// A point in time, printed down to the day or the microsecond.
    Time(Precision),
    /// Bytes.
    Bytes,
    /// A JSON object.
    Json,
    /// One of these; `None` is NULL.
    OneOf(Vec<Option<String>>),
}

/// How much of a point in time is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Precision {
    /// A date.
    Day,
    /// A timestamp.
    Microsecond,
}

/// Longest text that is made, in characters.
const LONGEST: usize = 60;
/// Text shorter than this does not tell a row from all others.
const TELLING: usize = 12;

impl Maker {
    /// For a column, by its type; `None` if values of that type cannot be made up.
    pub(super) fn of(column: &Column) -> Option<Self> {
        if !column.labels.is_empty() {
            return Some(Self::OneOf(column.labels.iter().cloned().map(Some).collect()));
        }
        let (name, arguments) = split(&column.base);
        let length = arguments.first().map_or(LONGEST, |length| (*length as usize).min(LONGEST));
        Some(match name.as_str() {
            "smallint" => Self::Number(i64::from(i16::MAX)),
            "integer" => Self::Number(i64::from(i32::MAX)),
            "bigint" => Self::Number(i64::MAX),
            "numeric" => match arguments.as_slice() {
                [precision, scale] => Self::Decimal(precision.saturating_sub(*scale), *scale),
                [precision] => Self::Decimal(*precision, 0),
                _ => Self::Decimal(12, 6),
            },
            "real" | "double precision" => Self::Decimal(4, 2),
            "text" | "character varying" => Self::Text(length),
            "character" => Self::Text(arguments.first().map_or(1, |length| *length as usize)),
            "boolean" => Self::OneOf(vec![Some("true".to_owned()), Some("false".to_owned())]),
            "uuid" => Self::Uuid,
            "date" => Self::Time(Precision::Day),
            "timestamp without time zone" | "timestamp with time zone" => Self::Time(Precision::Microsecond),
            "bytea" => Self::Bytes,
            "json" | "jsonb" => Self::Json,
            _ => return None,
        })
    }

    /// Whether a made value is, as good as certainly, not there yet.
    pub(super) fn tells_apart(&self) -> bool {
        match self {
            Self::Number(largest) => *largest > i64::from(i16::MAX),
            Self::Decimal(before, behind) => before + behind >= 9,
            Self::Text(longest) => *longest >= TELLING,
            Self::Uuid | Self::Time(Precision::Microsecond) | Self::Bytes => true,
            Self::Time(Precision::Day) | Self::Json | Self::OneOf(_) => false,
        }
    }

    /// A value as its text.
    pub(super) fn make(&self, rng: &mut Rng) -> Option<String> {
        Some(match self {
            // Far above what a sequence has reached.
            Self::Number(largest) => rng.i64(largest / 2..*largest).to_string(),
            Self::Decimal(before, behind) => decimal(rng, *before, *behind),
            Self::Text(longest) => letters(rng, *longest),
            Self::Uuid => uuid(rng.u128(..)),
            Self::Time(precision) => moment(rng, *precision),
            Self::Bytes => format!("\\x{:032x}", rng.u128(..)),
            Self::Json => format!("{{\"made\": \"{:016x}\"}}", rng.u64(..)),
            Self::OneOf(values) => return values.get(rng.usize(0..values.len().max(1))).cloned().flatten(),
        })
    }
}

/// `character varying(20)` to its name and numbers. The numbers of a timestamp stand inside its name.
fn split(sql_type: &str) -> (String, Vec<u32>) {
    let Some((head, rest)) = sql_type.split_once('(') else { return (sql_type.to_owned(), Vec::new()) };
    let (inside, tail) = rest.split_once(')').unwrap_or((rest, ""));
    (format!("{head}{tail}"), inside.split(',').filter_map(|number| number.trim().parse().ok()).collect())
}

fn decimal(rng: &mut Rng, before: u32, behind: u32) -> String {
    let digits = |rng: &mut Rng, count: u32| (0..count).map(|_| rng.digit(10)).collect::<String>();
    let whole = digits(rng, before.min(12));
    let whole = if whole.is_empty() { "0".to_owned() } else { whole };
    if behind == 0 { whole } else { format!("{whole}.{}", digits(rng, behind.min(12))) }
}

fn letters(rng: &mut Rng, longest: usize) -> String {
    // All of its room up to the length that tells it apart, then as it comes.
    let length = if longest <= TELLING { longest } else { rng.usize(TELLING..=longest) };
    (0..length).map(|_| rng.alphanumeric()).collect()
}

fn uuid(bits: u128) -> String {
    let digits = format!("{bits:032x}");
    format!("{}-{}-{}-{}-{}", &digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..])
}

fn moment(rng: &mut Rng, precision: Precision) -> String {
    let day = format!("{}-{:02}-{:02}", rng.u32(2000..2030), rng.u32(1..=12), rng.u32(1..=28));
    match precision {
        Precision::Day => day,
        Precision::Microsecond => {
            let (hour, minute, second) = (rng.u32(4..24), rng.u32(0..60), rng.u32(0..60));
            format!("{day} {hour:02}:{minute:02}:{second:02}.{:06}", rng.u32(0..1_000_000))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn maker(base: &str) -> Option<Maker> {
        Maker::of(&Column { base: base.to_owned(), ..Column::default() })
    }

    #[test]
    fn values_are_made_by_type_and_within_its_length() {
        assert_eq!(maker("character varying(20)"), Some(Maker::Text(20)));
        assert_eq!(maker("timestamp(3) with time zone"), Some(Maker::Time(Precision::Microsecond)));
        assert_eq!(maker("numeric(5,2)"), Some(Maker::Decimal(3, 2)));
        assert_eq!(maker("point"), None);
        let mut rng = Rng::with_seed(1);
        for _ in 0..200 {
            assert!(maker("character(3)").unwrap().make(&mut rng).unwrap().len() == 3);
            assert!(maker("character varying(20)").unwrap().make(&mut rng).unwrap().len() <= 20);
            assert!(maker("numeric(5,2)").unwrap().make(&mut rng).unwrap().len() == 6);
            assert!(maker("integer").unwrap().make(&mut rng).unwrap().parse::<i32>().unwrap() > 1_000_000_000);
        }
    }

    #[test]
    fn only_a_value_with_room_enough_tells_a_row_apart() {
        for (base, tells) in [("integer", true), ("smallint", false), ("text", true), ("character(3)", false)] {
            assert_eq!(maker(base).unwrap().tells_apart(), tells, "{base}");
        }
    }
}
