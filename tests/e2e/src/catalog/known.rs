//! The one list of differences that a major upgrade makes by itself, each with its reason and its test.

use super::{Catalog, Facts, ObjectName};

/// A difference between majors that is not the run's doing.
pub struct KnownDifference {
    /// Short name.
    pub id: &'static str,
    /// Why it is no difference, with its source.
    pub why: &'static str,
    /// Applied to an object of either side; false removes the object. The first number is the major it was read
    /// from, the second the other side's.
    normalise: fn(&Majors, &ObjectName, &mut Facts) -> bool,
}

/// Which majors are compared.
#[derive(Debug, Clone, Copy)]
struct Majors {
    older: u16,
    newer: u16,
}

impl Majors {
    /// The change that came with `major` lies between the two.
    fn cross(&self, major: u16) -> bool {
        self.older < major && self.newer >= major
    }
}

/// Everything that is known. An entry that no pair of majors needs is removed from here.
pub const KNOWN_DIFFERENCES: &[KnownDifference] = &[
    KnownDifference {
        id: "maintain-privilege",
        why: "17 adds the privilege MAINTAIN; an upgrade grants it to everybody who had all privileges on a relation \
              (PostgreSQL 17 release notes)",
        normalise: |majors, _, facts| {
            if majors.cross(17)
                && let Some(grants) = facts.get_mut("grants")
            {
                *grants =
                    grants.split(", ").filter(|grant| !grant.contains("=MAINTAIN")).collect::<Vec<_>>().join(", ");
            }
            true
        },
    },
    KnownDifference {
        id: "not-null-constraints",
        why: "18 lists NOT NULL as constraints with generated names; whether a column is NOT NULL is compared with the \
              column (PostgreSQL 18 release notes)",
        normalise: |majors, object, facts| {
            !(majors.cross(18) && object.kind == "constraint" && facts.get("type").is_some_and(|kind| kind == "n"))
        },
    },
    KnownDifference {
        id: "unlogged-partitioned-table",
        why: "18 has no UNLOGGED partitioned tables, because this never had an effect, and pg_upgrade makes them \
              ordinary ones; their partitions stay UNLOGGED (PostgreSQL 18 release notes)",
        normalise: |majors, object, facts| {
            if majors.cross(18) && object.kind == "table" && facts.contains_key("partitioned") {
                facts.remove("persistence");
            }
            true
        },
    },
    KnownDifference {
        id: "extension-owner",
        why: "pg_upgrade creates extensions again as the bootstrap superuser and does not restore their owner \
              (seen on every pair of majors)",
        normalise: |_, object, facts| {
            if object.kind == "extension" {
                facts.remove("owner");
            }
            true
        },
    },
];

/// Apply the list to both sides.
pub fn normalise(source: &mut Catalog, target: &mut Catalog) {
    let majors = Majors { older: source.major.min(target.major), newer: source.major.max(target.major) };
    for catalog in [source, target] {
        catalog
            .objects
            .retain(|object, facts| KNOWN_DIFFERENCES.iter().all(|known| (known.normalise)(&majors, object, facts)));
        catalog.objects.values_mut().for_each(sort_grants);
    }
}

/// Servers sort by their own collation.
fn sort_grants(facts: &mut Facts) {
    if let Some(grants) = facts.get_mut("grants") {
        let mut entries: Vec<_> = grants.split(", ").collect();
        entries.sort_unstable();
        *grants = entries.join(", ");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sides of majors 13 and 18 that hold one object each.
    fn after(kind: &str, older: &[(&str, &str)], newer: &[(&str, &str)]) -> (Catalog, Catalog) {
        let side = |major, facts: &[(&str, &str)]| {
            let object = ObjectName { kind: kind.to_owned(), name: "x".to_owned() };
            let facts = facts.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            Catalog { major, objects: [(object, facts)].into() }
        };
        let (mut source, mut target) = (side(13, older), side(18, newer));
        normalise(&mut source, &mut target);
        (source, target)
    }

    #[test]
    fn maintain_privilege_is_no_difference_and_other_grants_are() {
        let (source, target) = after(
            "table",
            &[("grants", "a=SELECT by o, o=SELECT by o")],
            &[("grants", "a=SELECT by o, o=MAINTAIN by o, o=SELECT by o")],
        );
        assert_eq!(source.objects, target.objects);

        let (source, target) = after("table", &[("grants", "a=SELECT by o")], &[("grants", "")]);
        assert_ne!(source.objects, target.objects);
    }

    #[test]
    fn not_null_constraints_are_no_difference_and_checks_are() {
        let (_, target) = after("constraint", &[("type", "c")], &[("type", "n")]);
        assert!(target.objects.is_empty());

        let (source, _) = after("constraint", &[("type", "c")], &[("type", "n")]);
        assert_eq!(source.objects.len(), 1);
    }

    #[test]
    fn unlogged_partitioned_table_is_no_difference_and_an_unlogged_partition_is() {
        let (source, target) = after(
            "table",
            &[("partitioned", "RANGE (d)"), ("persistence", "u")],
            &[("partitioned", "RANGE (d)"), ("persistence", "p")],
        );
        assert_eq!(source.objects, target.objects);

        let (source, target) = after("table", &[("persistence", "u")], &[("persistence", "p")]);
        assert_ne!(source.objects, target.objects);
    }

    #[test]
    fn extension_owner_is_no_difference_and_its_schema_is() {
        let (source, target) =
            after("extension", &[("owner", "a"), ("schema", "s")], &[("owner", "b"), ("schema", "s")]);
        assert_eq!(source.objects, target.objects);

        let (source, target) = after("extension", &[("schema", "s")], &[("schema", "t")]);
        assert_ne!(source.objects, target.objects);
    }

    #[test]
    fn every_entry_says_why_and_has_a_test() {
        let tests = include_str!("known.rs");
        for known in KNOWN_DIFFERENCES {
            assert!(known.why.contains('('), "{} names no source", known.id);
            let name = format!("fn {}_is_no_difference", known.id.replace('-', "_"));
            let plural = format!("fn {}_are_no_difference", known.id.replace('-', "_"));
            assert!(tests.contains(&name) || tests.contains(&plural), "{} has no test", known.id);
        }
    }
}
