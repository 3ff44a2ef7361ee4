//! Versions of the DMS engine, in an order.

use std::fmt;

/// A version of the DMS engine: `3.6.1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DmsVersion(pub(crate) u32, pub(crate) u32, pub(crate) u32);

impl DmsVersion {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.').map(|part| part.parse().ok());
        let version = Self(parts.next()??, parts.next()??, parts.next().unwrap_or(Some(0))?);
        parts.next().is_none().then_some(version)
    }
}

impl fmt::Display for DmsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dms_versions_have_an_order() {
        assert!(DmsVersion::parse("3.5.4") < DmsVersion::parse("3.6.0"));
        assert_eq!(DmsVersion::parse("3.6.1").map(|version| version.to_string()), Some("3.6.1".to_owned()));
        assert_eq!(DmsVersion::parse("3.6.1.1"), None);
        assert_eq!(DmsVersion::parse("beta"), None);
    }
}
