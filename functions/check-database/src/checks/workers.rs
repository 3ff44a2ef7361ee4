//! Background workers: the target takes over this setting and uses the workers to build its indexes. DMS itself starts none on
//! either side (it reads a slot with test_decoding), so the number that AWS recommends for DMS is not required here.
//! Source: PostgreSQL documentation, max_worker_processes (8 by default, and at least that on RDS).

use pgleap_contract::Finding;

use crate::facts::Facts;

const ID: &str = "few-workers";

/// PostgreSQL's default.
const USUAL: i64 = 8;

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let workers = facts.server.max_worker_processes;
    if workers >= USUAL {
        return Vec::new();
    }
    let found = format!(
        "max_worker_processes is {workers}, so the target will build its indexes slowly, with one process each"
    );
    vec![Finding::warning(
        ID,
        found,
        format!("raise it to {USUAL} or more (a static parameter, which takes effect at the next reboot)"),
    )]
}

#[cfg(test)]
mod tests {
    use crate::checks::tests::assert_found;

    #[test]
    fn want_of_workers_is_found() {
        assert_found(|facts| facts.server.max_worker_processes = 4, &["w few-workers"]);
    }
}
