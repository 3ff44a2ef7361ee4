//! Other names that lead to the source's endpoint: clients that use them do not move with the record, and the fence shuts them
//! out permanently.

use pgleap_contract::Finding;

use crate::facts::Facts;

const ID: &str = "other-record";
/// How many are named.
const NAMED: usize = 10;

pub(crate) fn check(facts: &Facts) -> Vec<Finding> {
    if facts.other_records.is_empty() {
        return Vec::new();
    }
    let named: Vec<_> = facts.other_records.iter().take(NAMED).map(|name| name.trim_end_matches('.')).collect();
    let more = facts.other_records.len() - named.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let found = format!(
        "the zone contains other names that lead to the source: {}{more}. The run does not move them, and the fence shuts their \
         clients out",
        named.join(", ")
    );
    let remedy = format!("change them to CNAMEs to {}, or move their clients", facts.run.record.name);
    vec![Finding::warning(ID, found, remedy)]
}

#[cfg(test)]
mod tests {
    use crate::checks::tests::assert_found;

    #[test]
    fn another_name_of_the_source_is_found() {
        assert_found(|facts| facts.other_records = vec!["reports.example.com.".to_owned()], &["w other-record"]);
    }
}
