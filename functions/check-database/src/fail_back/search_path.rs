//! Functions in generated columns, indexes and check constraints that do not find their names without a search path: the process that
//! applies changes on the source has none. The first such change would stop it.
//! Source: PostgreSQL documentation, "Logical Replication", "Security"; tried on 13 to 18.

use pgleap_contract::Finding;
use pgleap_pg::{PgError, Session};

use crate::holds;
use crate::query::{Asked, NAMED};

pub(crate) const ID: &str = "fail-back-search-path";

pub(crate) async fn check(session: &Session, asked: &Asked) -> Result<Vec<Finding>, PgError> {
    let missing = holds::without_search_path(session, asked).await?;
    let (named, others) = missing.split_at(missing.len().min(NAMED));
    let mut findings: Vec<_> = named.iter().map(finding).collect();
    if !others.is_empty() {
        let objects = others.iter().map(|missing| missing.what.clone()).collect();
        findings.push(Finding::blocker(ID, format!("and {} more of the same", others.len()), "").about(objects, 0));
    }
    Ok(findings)
}

fn finding(missing: &holds::Missing) -> Finding {
    let holds::Missing { what, reason } = missing;
    let found = format!(
        "{what} cannot be computed without a search path ({reason}): with failBack, the source could not apply the changes of the target"
    );
    Finding::blocker(
        ID,
        found,
        "set a search path for the functions that it calls: ALTER FUNCTION .. SET search_path = ..",
    )
}
