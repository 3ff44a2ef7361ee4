//! Automated backups are on: the run does not need them, but without backups there is nothing else to restore if something goes wrong.

use pgleap_contract::Finding;

use crate::facts::Facts;

const ID: &str = "no-backups";

pub(crate) fn check(facts: &Facts) -> Vec<Finding> {
    let Some(_off) = facts.source.found().filter(|instance| instance.backup_days == 0) else { return Vec::new() };
    let found = format!(
        "automated backups of {} are off, and so they will be on the target; the run's snapshot is the only backup of the data",
        facts.run.source.instance
    );
    vec![Finding::warning(ID, found, "set a backup retention period on the source before the run")]
}

#[cfg(test)]
mod tests {
    use crate::checks::tests::{assert_found, instance};

    #[test]
    fn an_instance_without_backups_is_found() {
        assert_found(|facts| instance(facts).backup_days = 0, &["w no-backups"]);
    }
}
