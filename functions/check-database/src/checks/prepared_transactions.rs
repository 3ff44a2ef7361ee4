//! Prepared transactions stop the upgrade of the copy and can hang the making of DMS's slot.
//! Source: Amazon RDS user guide, "Performing a major version upgrade"; AWS DMS user guide, PostgreSQL source.

use pgleap_contract::Finding;

use crate::facts::Facts;

const ID: &str = "prepared-transaction";

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    if facts.prepared_transactions == 0 {
        return Vec::new();
    }
    let found = format!("{} prepared transaction(s) wait to be ended", facts.prepared_transactions);
    vec![Finding::blocker(ID, found, "COMMIT PREPARED or ROLLBACK PREPARED (pg_prepared_xacts names them)")]
}

#[cfg(test)]
mod tests {
    use crate::checks::tests::assert_found;

    #[test]
    fn a_prepared_transaction_is_found() {
        assert_found(|facts| facts.prepared_transactions = 1, &["b prepared-transaction"]);
    }
}
