//! Which versions there are and which are reachable from which.

use local_aws_core::{ACCOUNT, ApiError, Call, REGION, Reply};
use serde_json::{Value, json};

use crate::errors;
use crate::paging::{Filters, answer};
use crate::service::Shared;

/// A version that the API offers. Whatever its minor, the server behind it is the installed one of its major.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct EngineVersion {
    /// e.g. `13.20` or `13.23-rds.20260714`
    pub(crate) text: &'static str,
    pub(crate) major: u16,
    /// Year and month in which RDS released it: an upgrade never leads to an older release.
    released: u32,
    /// The last major that it can be upgraded to in one step; old minors only reach the next one.
    reaches: u16,
}

const fn version(text: &'static str, major: u16, released: u32, reaches: u16) -> EngineVersion {
    EngineVersion { text, major, released, reaches }
}

/// Each major has an old minor that only reaches the next major, one of the middle, and a new one: plans of one hop,
/// of two, and with a minor upgrade first can all be played. In ascending order.
const VERSIONS: &[EngineVersion] = &[
    version("13.7", 13, 202_206, 14),
    version("13.20", 13, 202_502, 17),
    version("13.23", 13, 202_511, 18),
    version("13.23-rds.20260714", 13, 202_607, 18),
    version("14.5", 14, 202_209, 15),
    version("14.17", 14, 202_502, 17),
    version("14.23", 14, 202_608, 18),
    version("15.4", 15, 202_308, 16),
    version("15.12", 15, 202_502, 17),
    version("15.19", 15, 202_608, 18),
    version("16.1", 16, 202_311, 17),
    version("16.8", 16, 202_502, 17),
    version("16.15", 16, 202_608, 18),
    version("17.2", 17, 202_411, 17),
    version("17.4", 17, 202_502, 18),
    version("17.11", 17, 202_608, 18),
    version("18.1", 18, 202_511, 18),
    version("18.6", 18, 202_608, 18),
];

/// The major of a new instance whose version nobody names.
const DEFAULT_MAJOR: u16 = 17;

impl EngineVersion {
    /// Where ModifyDBInstance can lead, in ascending order.
    fn targets(&self) -> impl Iterator<Item = &'static EngineVersion> {
        let place = VERSIONS.iter().position(|version| version == self).unwrap_or(VERSIONS.len());
        let (major, released, reaches) = (self.major, self.released, self.reaches);
        VERSIONS
            .iter()
            .skip(place + 1)
            .filter(move |target| target.major == major || (target.major <= reaches && target.released >= released))
    }

    pub(crate) fn can_become(&self, target: &EngineVersion) -> bool {
        self.targets().any(|candidate| candidate == target)
    }

    /// Parameter groups of another family do not fit.
    pub(crate) fn family(&self) -> String {
        family(self.major)
    }
}

pub(crate) fn family(major: u16) -> String {
    format!("postgres{major}")
}

/// The major of a parameter group family.
pub(crate) fn major_of_family(family: &str) -> Option<u16> {
    let major = family.strip_prefix("postgres")?.parse().ok()?;
    VERSIONS.iter().any(|version| version.major == major).then_some(major)
}

/// The versions of the majors that are installed.
pub(crate) fn offered(majors: &[u16]) -> Vec<&'static EngineVersion> {
    VERSIONS.iter().filter(|version| majors.contains(&version.major)).collect()
}

/// A version by its text; a major alone means its newest minor without a suffix, nothing the newest of the default.
pub(crate) fn resolve(text: Option<&str>, majors: &[u16]) -> Result<&'static EngineVersion, ApiError> {
    let offered = offered(majors);
    let newest_of = |major: u16| {
        offered.iter().rev().find(|version| version.major == major && !version.text.contains("-rds.")).copied()
    };
    let found = match text {
        None => newest_of(DEFAULT_MAJOR),
        Some(text) => match text.parse() {
            Ok(major) => newest_of(major),
            Err(_) => offered.iter().find(|version| version.text == text).copied(),
        },
    };
    found.ok_or_else(|| errors::combination(format!("Cannot find version {} for postgres", text.unwrap_or("default"))))
}

impl Shared {
    pub(crate) fn describe_engine_versions(&self, call: &Call) -> Reply {
        let filters =
            Filters::of(call, &["db-parameter-group-family", "engine", "engine-version", "status", "engine-mode"])?;
        let default = resolve(None, &self.around.servers.majors()).ok();
        let wanted = |version: &&EngineVersion| {
            let text_fits =
                call.str("EngineVersion").is_none_or(|text| text == version.text || text.parse() == Ok(version.major));
            text_fits
                && call.str("Engine").is_none_or(|engine| engine == "postgres")
                && call.str("DBParameterGroupFamily").is_none_or(|family| family == version.family())
                && (!call.flag("DefaultOnly") || default == Some(*version))
                && filters.allow("db-parameter-group-family", &version.family())
                && filters.allow("engine", "postgres")
                && filters.allow("engine-version", version.text)
                && filters.allow("engine-mode", "provisioned")
                && filters.allow("status", "available")
        };
        let majors = self.around.servers.majors();
        let versions = offered(&majors).into_iter().filter(wanted).map(|version| to_json(version, &majors)).collect();
        answer(call, "DBEngineVersions", versions)
    }
}

fn to_json(version: &EngineVersion, majors: &[u16]) -> Value {
    let targets = version.targets().filter(|target| majors.contains(&target.major));
    json!({
        "Engine": "postgres",
        "MajorEngineVersion": version.major.to_string(),
        "EngineVersion": version.text,
        "DBParameterGroupFamily": version.family(),
        "DBEngineDescription": "PostgreSQL",
        "DBEngineVersionArn": format!("arn:aws:rds:{REGION}:{ACCOUNT}:db-engine-version:postgres/{}", version.text),
        "DBEngineVersionDescription": format!("PostgreSQL {}", version.text),
        "ValidUpgradeTarget": targets.map(|target| json!({
            "Engine": "postgres",
            "EngineVersion": target.text,
            "Description": format!("PostgreSQL {}", target.text),
            "AutoUpgrade": false,
            "IsMajorVersionUpgrade": target.major != version.major,
        })).collect::<Vec<_>>(),
        "ExportableLogTypes": ["iam-db-auth-error", "postgresql", "upgrade"],
        "SupportsLogExportsToCloudwatchLogs": true,
        "SupportsReadReplica": true,
        "SupportedEngineModes": ["provisioned"],
        "Status": "available",
        "SupportedCACertificateIdentifiers": ["rds-ca-rsa2048-g1", "rds-ca-ecc384-g1", "rds-ca-rsa4096-g1"],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [u16; 6] = [13, 14, 15, 16, 17, 18];

    fn can(from: &str, to: &str) -> bool {
        resolve(Some(from), &ALL).unwrap().can_become(resolve(Some(to), &ALL).unwrap())
    }

    #[test]
    fn paths_of_one_hop_and_of_several_exist() {
        let cases = [
            ("13.7", "14.23", true),
            ("13.7", "18.6", false),
            ("13.7", "13.23", true),
            ("13.20", "17.11", true),
            ("13.20", "18.6", false),
            ("13.23", "18.6", true),
            ("13.23", "14.5", false),
            ("14.23", "18.6", true),
            ("14.23", "18.1", false),
            ("18.6", "17.11", false),
            ("13.23", "13.23", false),
        ];

        for (from, to, expected) in cases {
            assert_eq!(can(from, to), expected, "{from} -> {to}");
        }
    }

    #[test]
    fn a_major_alone_means_its_newest_minor() {
        assert_eq!(resolve(Some("13"), &ALL).unwrap().text, "13.23");
        assert_eq!(resolve(None, &ALL).unwrap().text, "17.11");
        assert!(resolve(Some("12.22"), &ALL).is_err());
        assert!(resolve(Some("13.20"), &[14, 15]).is_err());
    }

    #[test]
    fn versions_stand_in_ascending_order() {
        let numbers = |version: &EngineVersion| -> Vec<u64> {
            version.text.split(['.', '-']).filter_map(|part| part.parse().ok()).collect()
        };

        assert!(VERSIONS.is_sorted_by_key(numbers));
    }
}
