//! The source's major is one that the run's queries were tried on.

use pgleap_contract::Finding;

use crate::facts::Facts;
use crate::versions::RdsVersion;

const ID: &str = "source-version";

/// Below, catalogs lack what the run reads, and the rules of what stops an upgrade (WITH OIDS, abstime, sql_identifier) are others.
const OLDEST: u32 = 12;
/// From here on everything was tried on real servers.
const TRIED: u32 = 13;

pub(crate) fn check(facts: &Facts) -> Vec<Finding> {
    let Some(version) = facts.source.found().and_then(|instance| RdsVersion::parse(&instance.version)) else {
        return Vec::new();
    };
    let major = version.major;
    if major < OLDEST {
        let found = format!("the source runs PostgreSQL {major}; nothing below {OLDEST} can be upgraded by this run");
        return vec![Finding::blocker(ID, found, format!("upgrade it to {TRIED} in place first"))];
    }
    if major < TRIED {
        let found = format!("the source runs PostgreSQL {major}; nothing below {TRIED} was tried");
        return vec![Finding::warning(ID, found, "rehearse on a copy of your own database first")];
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use crate::checks::tests::{assert_found, instance};

    #[test]
    fn a_source_that_is_too_old_is_found() {
        assert_found(|facts| instance(facts).version = "11.22-rds.20240418".to_owned(), &["b source-version"]);
        assert_found(|facts| instance(facts).version = "12.22".to_owned(), &["w source-version"]);
    }
}
