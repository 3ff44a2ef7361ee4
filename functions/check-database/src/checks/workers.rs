//! Background workers: the target takes the setting over, and builds its indexes with them. DMS itself starts none on either
//! side (it reads a slot by test_decoding), so the sum that AWS asks for is no condition here.
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
    let found = format!("max_worker_processes is {workers}: on the target indexes are built slowly, one process each");
    vec![Finding::warning(ID, found, format!("raise it to {USUAL} or more (static: the run reboots anyway)"))]
}

#[cfg(test)]
mod tests {
    use crate::checks::tests::assert_found;

    #[test]
    fn want_of_workers_is_found() {
        assert_found(|facts| facts.server.max_worker_processes = 4, &["w few-workers"]);
    }
}
