//! Two catalogs, normalised, to a list of differences.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{Catalog, Facts};

/// One difference: an object that only one side has (`fact` is then `exists`), or a fact that the sides have otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SchemaDifference {
    /// `table`, `index`, `grant`, ..
    pub kind: String,
    /// Name of the object.
    pub name: String,
    /// What differs: `definition`, `owner`, `exists`, ..
    pub fact: String,
    /// As the source had it; absent if it did not have it.
    pub source: Option<String>,
    /// As the target has it at the end; absent if it lacks it.
    pub target: Option<String>,
}

/// Everything that the target lacks, has otherwise, or has beyond the source (what a run leaves behind).
pub fn compare(source: &Catalog, target: &Catalog) -> Vec<SchemaDifference> {
    let objects: BTreeSet<_> = source.objects.keys().chain(target.objects.keys()).collect();
    let mut differences = Vec::new();
    for object in objects {
        let difference = |fact: &str, source: Option<String>, target: Option<String>| SchemaDifference {
            kind: object.kind.clone(),
            name: object.name.clone(),
            fact: fact.to_owned(),
            source,
            target,
        };
        match (source.objects.get(object), target.objects.get(object)) {
            (Some(ours), Some(theirs)) => differences.extend(
                differing(ours, theirs).into_iter().map(|(fact, (a, b))| difference(fact, a.cloned(), b.cloned())),
            ),
            (ours, theirs) => differences.push(difference("exists", ours.map(summary), theirs.map(summary))),
        }
    }
    differences
}

type Pair<'a> = (Option<&'a String>, Option<&'a String>);

fn differing<'a>(ours: &'a Facts, theirs: &'a Facts) -> BTreeMap<&'a str, Pair<'a>> {
    let names: BTreeSet<_> = ours.keys().chain(theirs.keys()).collect();
    names
        .into_iter()
        .map(|name| (name.as_str(), (ours.get(name), theirs.get(name))))
        .filter(|(_, (a, b))| a != b)
        .collect()
}

fn summary(facts: &Facts) -> String {
    facts
        .get("definition")
        .cloned()
        .unwrap_or_else(|| facts.iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>().join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::ObjectName;

    /// Kind, name, facts.
    type Object<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

    fn catalog(objects: &[Object<'_>]) -> Catalog {
        let objects = objects
            .iter()
            .map(|(kind, name, facts)| {
                let facts = facts.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
                (ObjectName { kind: (*kind).to_owned(), name: (*name).to_owned() }, facts)
            })
            .collect();
        Catalog { major: 15, objects }
    }

    #[test]
    fn what_is_missing_what_is_left_behind_and_what_changed_are_all_named() {
        let source = catalog(&[
            ("index", "a", &[("definition", "CREATE INDEX a"), ("owner", "o")]),
            ("trigger", "t", &[("state", "O")]),
            ("table", "same", &[("owner", "o")]),
        ]);
        let target = catalog(&[
            ("trigger", "t", &[("state", "D"), ("new", "x")]),
            ("schema", "pgleap", &[("owner", "o"), ("grants", "")]),
            ("table", "same", &[("owner", "o")]),
        ]);

        let found: Vec<_> = compare(&source, &target)
            .into_iter()
            .map(|d| (d.kind, d.name, d.fact, d.source.unwrap_or_default(), d.target.unwrap_or_default()))
            .collect();

        let expected = [
            ("index", "a", "exists", "CREATE INDEX a", ""),
            ("schema", "pgleap", "exists", "", "grants: ; owner: o"),
            ("trigger", "t", "new", "", "x"),
            ("trigger", "t", "state", "O", "D"),
        ];
        let expected: Vec<_> = expected
            .map(|(k, n, f, s, t)| (k.to_owned(), n.to_owned(), f.to_owned(), s.to_owned(), t.to_owned()))
            .into();
        assert_eq!(found, expected);
    }
}
