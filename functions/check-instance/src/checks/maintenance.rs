//! Pending maintenance: if AWS applies it automatically, it may restart the source during the run.
//! Source: Amazon RDS API reference, DescribePendingMaintenanceActions.

use pgleap_contract::Finding;

use crate::facts::Facts;

const ID: &str = "pending-maintenance";

pub(crate) fn check(facts: &Facts) -> Vec<Finding> {
    let waiting = facts.maintenance.iter();
    waiting
        .map(|waiting| {
            let when = match &waiting.at {
                Some(at) => format!("AWS applies it from {at} on, which may restart the source during the run"),
                None => "AWS does not apply it until you request it".to_owned(),
            };
            let found = format!("maintenance {} is pending for {}: {when}", waiting.action, facts.run.source.instance);
            Finding::warning(ID, found, "apply it before the run, or postpone it until after the run")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::checks::tests::assert_found;
    use pgleap_rds::Maintenance;

    #[test]
    fn maintenance_that_waits_is_found() {
        let waiting = |at: Option<&str>| Maintenance { action: "system-update".to_owned(), at: at.map(str::to_owned) };
        assert_found(
            |facts| facts.maintenance = vec![waiting(None), waiting(Some("2026-12-01"))],
            &["w pending-maintenance", "w pending-maintenance"],
        );
    }
}
