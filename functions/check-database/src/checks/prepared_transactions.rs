//! Prepared transactions stop the upgrade of the copy and can block the creation of the DMS slot.
//! Source: Amazon RDS user guide, "Performing a major version upgrade"; AWS DMS user guide, PostgreSQL source.

use pgleap_contract::Finding;

use crate::facts::Facts;

const ID: &str = "prepared-transaction";

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    if facts.prepared_transactions == 0 {
        return Vec::new();
    }
    let found = format!(
        "{} prepared transaction(s) are open, which stops the upgrade of the copy",
        facts.prepared_transactions
    );
    vec![Finding::blocker(
        ID,
        found,
        "end them with COMMIT PREPARED or ROLLBACK PREPARED (pg_prepared_xacts lists them)",
    )]
}

#[cfg(test)]
mod tests {
    use crate::checks::tests::assert_found;

    #[test]
    fn a_prepared_transaction_is_found() {
        assert_found(|facts| facts.prepared_transactions = 1, &["b prepared-transaction"]);
    }
}
