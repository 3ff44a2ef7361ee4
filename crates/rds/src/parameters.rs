//! The user's own parameters in the family of another major: renamed, converted, or dropped where there is no successor.
//! Pure: the tables are data.

use crate::parameter_group::Values;

/// A parameter that a major no longer has.
struct Gone {
    name: &'static str,
    since: u32,
    successor: Option<&'static str>,
}

/// Source: observed, `pg_settings` of PostgreSQL 10 to 18, and the release notes of each.
#[rustfmt::skip]
const GONE: &[Gone] = &[
    Gone { name: "replacement_sort_tuples", since: 11, successor: None },
    Gone { name: "default_with_oids", since: 12, successor: None },
    Gone { name: "wal_keep_segments", since: 13, successor: Some("wal_keep_size") },
    Gone { name: "operator_precedence_warning", since: 14, successor: None },
    Gone { name: "vacuum_cleanup_index_scale_factor", since: 14, successor: None },
    Gone { name: "stats_temp_directory", since: 15, successor: None },
    Gone { name: "force_parallel_mode", since: 16, successor: Some("debug_parallel_query") },
    Gone { name: "lc_collate", since: 16, successor: None },
    Gone { name: "lc_ctype", since: 16, successor: None },
    Gone { name: "promote_trigger_file", since: 16, successor: None },
    Gone { name: "vacuum_defer_cleanup_age", since: 16, successor: None },
    Gone { name: "db_user_namespace", since: 17, successor: None },
    Gone { name: "old_snapshot_threshold", since: 17, successor: None },
    Gone { name: "trace_recovery_messages", since: 17, successor: None },
    Gone { name: "ssl_ecdh_curve", since: 18, successor: Some("ssl_groups") },
];

/// Source: PostgreSQL documentation of 12, wal_keep_segments ("normally 16 MB each").
const MEGABYTES_PER_SEGMENT: u64 = 16;

/// What a family says of one parameter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// A user may set it.
    pub modifiable: bool,
    /// As the API writes it: `0-8388607`, `on,off`, empty for anything.
    pub allowed: String,
}

/// The user's values for the new family, and those that could not be taken over, with the reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Translated {
    /// By their new names.
    pub values: Values,
    /// `name=value: reason`.
    pub dropped: Vec<String>,
}

/// Translate values to a major whose family answers `known` about a name.
pub fn translate(values: &Values, to_major: u32, known: impl Fn(&str) -> Option<Known>) -> Translated {
    let mut translated = Translated::default();
    for (name, value) in values {
        match one(name, value, to_major, &known) {
            Ok((new_name, new_value)) => {
                translated.values.insert(new_name, new_value);
            }
            Err(reason) => translated.dropped.push(format!("{name}={value}: {reason}")),
        }
    }
    translated
}

fn one(
    name: &str,
    value: &str,
    to_major: u32,
    known: &impl Fn(&str) -> Option<Known>,
) -> Result<(String, String), String> {
    let (mut name, mut value) = (name.to_owned(), value.to_owned());
    if let Some(gone) = GONE.iter().find(|gone| gone.name == name && to_major >= gone.since) {
        let successor =
            gone.successor.ok_or_else(|| format!("PostgreSQL {} removed it, and it has no successor", gone.since))?;
        if successor == "wal_keep_size" {
            value = value
                .parse::<u64>()
                .map(|segments| (segments * MEGABYTES_PER_SEGMENT).to_string())
                .map_err(|error| error.to_string())?;
        }
        name = successor.to_owned();
    }
    value = convert(&name, value, to_major);
    let known = known(&name).ok_or("the new family does not have it")?;
    if !known.modifiable {
        return Err("it cannot be set in the new family".to_owned());
    }
    if !allows(&known.allowed, &value) {
        return Err(format!("the new family allows {}", known.allowed));
    }
    Ok((name, value))
}

/// Values whose type changed.
/// Source: PostgreSQL release notes of 15 (wal_compression) and 18 (log_connections).
fn convert(name: &str, value: String, to_major: u32) -> String {
    let on = ["1", "on", "true", "yes"].contains(&value.to_ascii_lowercase().as_str());
    let off = ["0", "off", "false", "no"].contains(&value.to_ascii_lowercase().as_str());
    match name {
        "wal_compression" if to_major >= 15 && on => "pglz".to_owned(),
        "wal_compression" if to_major >= 15 && off => "off".to_owned(),
        "log_connections" if to_major >= 18 && on => "receipt,authentication,authorization".to_owned(),
        "log_connections" if to_major >= 18 && off => String::new(),
        _ => value,
    }
}

/// Whether `allowed`, as the API writes it, covers a value. Formulas are RDS's own affair.
fn allows(allowed: &str, value: &str) -> bool {
    if allowed.is_empty() || value.contains('{') {
        return true;
    }
    if let Some((least, most)) = range(allowed) {
        return value.parse::<f64>().is_ok_and(|number| (least..=most).contains(&number));
    }
    // A list of choices; some parameters take several of them at once.
    let choices: Vec<String> = allowed.split(',').map(|choice| choice.trim().to_ascii_lowercase()).collect();
    value.split(',').all(|part| part.trim().is_empty() || choices.contains(&part.trim().to_ascii_lowercase()))
}

/// `0-8388607`, `-1-2147483647`, `0.0-1.79769e+308`.
fn range(allowed: &str) -> Option<(f64, f64)> {
    let separator =
        allowed.char_indices().skip(1).find(|(at, c)| *c == '-' && !allowed[..*at].ends_with(['e', 'E', '-']))?.0;
    Some((allowed[..separator].parse().ok()?, allowed[separator + 1..].parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cross_majors() {
        let anything = Known { modifiable: true, allowed: String::new() };
        let within = |allowed: &str| Known { modifiable: true, allowed: allowed.to_owned() };
        let cases = [
            ("work_mem", "4096", 18, Some(within("64-2147483647")), Some(("work_mem", "4096"))),
            ("work_mem", "1", 18, Some(within("64-2147483647")), None),
            (
                "shared_buffers",
                "{DBInstanceClassMemory/32768}",
                18,
                Some(within("16-1073741823")),
                Some(("shared_buffers", "{DBInstanceClassMemory/32768}")),
            ),
            ("vacuum_defer_cleanup_age", "10", 15, Some(anything.clone()), Some(("vacuum_defer_cleanup_age", "10"))),
            ("vacuum_defer_cleanup_age", "10", 16, Some(anything.clone()), None),
            ("force_parallel_mode", "on", 16, Some(anything.clone()), Some(("debug_parallel_query", "on"))),
            ("force_parallel_mode", "on", 15, Some(anything.clone()), Some(("force_parallel_mode", "on"))),
            ("wal_keep_segments", "32", 14, Some(anything.clone()), Some(("wal_keep_size", "512"))),
            ("ssl_ecdh_curve", "X25519", 18, Some(anything.clone()), Some(("ssl_groups", "X25519"))),
            ("wal_compression", "1", 15, Some(within("off,on,pglz,lz4")), Some(("wal_compression", "pglz"))),
            (
                "log_connections",
                "1",
                18,
                Some(anything.clone()),
                Some(("log_connections", "receipt,authentication,authorization")),
            ),
            ("log_connections", "1", 17, Some(within("0,1")), Some(("log_connections", "1"))),
            (
                "shared_preload_libraries",
                "pg_stat_statements,pg_cron",
                18,
                Some(within("auto_explain,pg_cron,pg_stat_statements")),
                Some(("shared_preload_libraries", "pg_stat_statements,pg_cron")),
            ),
            ("shared_preload_libraries", "plrust", 18, Some(within("auto_explain,pg_cron")), None),
            ("random_page_cost", "1.1", 18, Some(within("0-1.79769e+308")), Some(("random_page_cost", "1.1"))),
            ("statement_timeout", "-1", 18, Some(within("-1-2147483647")), Some(("statement_timeout", "-1"))),
            ("rds.something", "1", 18, None, None),
            ("wal_level", "logical", 18, Some(Known::default()), None),
        ];
        for (name, value, major, known, wanted) in cases {
            let values = Values::from([(name.to_owned(), value.to_owned())]);

            let translated = translate(&values, major, |_| known.clone());

            let wanted: Values = wanted.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            assert_eq!(translated.values, wanted, "{name}={value} to {major}: {translated:?}");
            assert_eq!(translated.dropped.len(), usize::from(wanted.is_empty()), "{name}");
        }
    }
}
