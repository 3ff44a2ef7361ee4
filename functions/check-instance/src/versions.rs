//! Version texts of RDS, in an order.

/// A version of RDS for PostgreSQL: `18.4`, or `12.22-rds.20250508` under Extended Support.
/// Source: Amazon RDS for PostgreSQL release notes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RdsVersion {
    pub(crate) major: u32,
    pub(crate) minor: u32,
    /// 0 without `-rds.`.
    pub(crate) patch: u32,
}

impl RdsVersion {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (number, patch) = text.split_once("-rds.").map_or((text, None), |(number, patch)| (number, Some(patch)));
        let (major, minor) = number.split_once('.').map_or((number, None), |(major, minor)| (major, Some(minor)));
        let read = |text: Option<&str>| text.map_or(Some(0), |text| text.parse().ok());
        Some(Self { major: major.parse().ok()?, minor: read(minor)?, patch: read(patch)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_have_an_order() {
        let texts = ["9.6", "13.7", "13.23", "13.23-rds.20260714", "14.5", "18", "18.1", "18.10"];
        let versions: Vec<_> = texts.iter().map(|text| RdsVersion::parse(text).expect("a version")).collect();

        assert!(versions.is_sorted());
        for text in ["", "x", "18.x", "18.1-rds.", "18.1-rds.x"] {
            assert_eq!(RdsVersion::parse(text), None, "{text}");
        }
    }
}
