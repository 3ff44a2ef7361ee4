//! Classes of replication instances: which one is larger, by the rule of their names. What the Region offers is asked,
//! never listed here.

/// Memory of a class in GiB, by the rule of AWS's names: `large` has 4 (compute), 8 (burstable, general) or 16 (memory),
/// and each size twice that of the one before it, `2xlarge` twice `xlarge`, `9xlarge` nine times
/// (AWS documentation, DMS replication instance types). None for a name that does not follow it.
pub fn memory_gib(class: &str) -> Option<f64> {
    let (family, size) = split(class)?;
    let large = match family.chars().next()? {
        'c' => 4.0,
        't' | 'm' => 8.0,
        'r' => 16.0,
        _ => return None,
    };
    let times = match size {
        "micro" => 0.125,
        "small" => 0.25,
        "medium" => 0.5,
        "large" => 1.0,
        "xlarge" => 2.0,
        _ => 2.0 * size.strip_suffix("xlarge")?.parse::<f64>().ok()?,
    };
    Some(large * times)
}

/// The next class on the way up: of the same family if it has one, else the one with the least memory above this one's,
/// rather of a family made for memory, rather a newer one. None above `limit`.
pub fn next_larger(class: &str, offered: &[String], limit: Option<&str>) -> Option<String> {
    let has = memory_gib(class)?;
    let most = limit.map_or(Some(f64::INFINITY), memory_gib)?;
    let (family, _) = split(class)?;
    let mut larger: Vec<(f64, &str, &String)> = offered
        .iter()
        .filter_map(|offered| Some((memory_gib(offered)?, split(offered)?.0, offered)))
        .filter(|(memory, _, _)| *memory > has && *memory <= most)
        .collect();
    larger.sort_by(|left, right| {
        left.0
            .total_cmp(&right.0)
            .then(right.1.starts_with('r').cmp(&left.1.starts_with('r')))
            .then(right.1.cmp(left.1))
    });
    let same_family = larger.iter().find(|(_, of, _)| *of == family);
    same_family.or(larger.first()).map(|(_, _, offered)| (*offered).clone())
}

fn split(class: &str) -> Option<(&str, &str)> {
    class.strip_prefix("dms.")?.split_once('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_follows_from_the_name() {
        let cases = [
            ("dms.t3.micro", Some(1.0)),
            ("dms.t3.medium", Some(4.0)),
            ("dms.t3.large", Some(8.0)),
            ("dms.c5.large", Some(4.0)),
            ("dms.c5.9xlarge", Some(72.0)),
            ("dms.r6i.large", Some(16.0)),
            ("dms.r5.24xlarge", Some(768.0)),
            ("db.r5.large", None),
            ("dms.z1.large", None),
            ("dms.r5.huge", None),
            ("", None),
        ];
        for (class, expected) in cases {
            assert_eq!(memory_gib(class), expected, "{class}");
        }
    }

    #[test]
    fn a_class_grows_within_its_family_and_within_the_limit() {
        let offered = ["t3.medium", "t3.large", "c5.4xlarge", "c5.9xlarge", "r5.large", "r6i.large", "r6i.xlarge"]
            .map(|name| format!("dms.{name}"));
        let cases = [
            ("dms.t3.small", None, Some("dms.t3.medium")),
            ("dms.t3.medium", None, Some("dms.t3.large")),
            ("dms.t3.large", None, Some("dms.r6i.large")),
            ("dms.r5.large", None, Some("dms.r6i.xlarge")),
            ("dms.r6i.large", None, Some("dms.r6i.xlarge")),
            ("dms.c5.4xlarge", None, Some("dms.c5.9xlarge")),
            ("dms.c5.9xlarge", None, None),
            ("dms.t3.medium", Some("dms.t3.large"), Some("dms.t3.large")),
            ("dms.t3.large", Some("dms.t3.large"), None),
            ("dms.t3.large", Some("dms.r5.large"), Some("dms.r6i.large")),
            ("unknown", None, None),
        ];
        for (class, limit, expected) in cases {
            assert_eq!(next_larger(class, &offered, limit).as_deref(), expected, "{class} up to {limit:?}");
        }
    }
}
