//! The source has a major version on which the run's queries have been tested.

use pgleap_contract::Finding;

use crate::facts::Facts;
use crate::versions::RdsVersion;

const ID: &str = "source-version";

/// Below, the catalogs lack what the run reads, and other things stop an upgrade (WITH OIDS, abstime, sql_identifier).
const OLDEST: u32 = 12;
/// From here on, everything has been tested on real servers.
const TRIED: u32 = 13;

pub(crate) fn check(facts: &Facts) -> Vec<Finding> {
    let Some(version) = facts.source.found().and_then(|instance| RdsVersion::parse(&instance.version)) else {
        return Vec::new();
    };
    let major = version.major;
    if major < OLDEST {
        let found = format!("the source runs PostgreSQL {major}; the run can upgrade only version {OLDEST} or later");
        return vec![Finding::blocker(ID, found, format!("first upgrade it in place to version {TRIED}"))];
    }
    if major < TRIED {
        let found =
            format!("the source runs PostgreSQL {major}; pgleap has been tested only with version {TRIED} and later");
        return vec![Finding::warning(ID, found, "rehearse with a copy of your own database first")];
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
