//! The source's catalogs under the fence, without what the run itself has put there for the time being.
//!
//! What people changed while the run ran is in them: the target must have that too.

use std::collections::BTreeSet;

use super::{Catalog, Facts, ObjectName};

/// What the names of the run's own roles and schemas begin with.
const OF_THE_RUN: &str = "pgleap";

/// The catalogs that the target is held against. `before` are the source's before the run, `fence` those under the fence;
/// `database_grants` are the database's grants when applications could connect for the last time.
pub fn as_fenced(before: &Catalog, fence: &Catalog, database_grants: Option<&str>) -> Catalog {
    let users = fence.objects.iter().filter(|(object, _)| !is_the_runs(object));
    let objects = users.map(|(object, facts)| {
        let mut facts = facts.clone();
        strip(&mut facts);
        put_back(object, &mut facts, before.objects.get(object), database_grants);
        (object.clone(), facts)
    });
    Catalog { major: fence.major, objects: objects.collect() }
}

/// A role or schema of the run's, or something in or of one: `role pgleap_x_work`, `table pgleap.marker`,
/// `settings pgleap_x_copy in shop`, `comment schema pgleap`.
fn is_the_runs(object: &ObjectName) -> bool {
    object.name.split(' ').any(|word| {
        let name = word.trim_start_matches('"');
        let identifier: String = name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        identifier == OF_THE_RUN || identifier.starts_with(&format!("{OF_THE_RUN}_"))
    })
}

/// Without grants to the run's roles, and memberships in them.
fn strip(facts: &mut Facts) {
    for fact in ["grants", "member of"] {
        if let Some(list) = facts.get_mut(fact) {
            *list = join(entries(list).filter(|entry| !entry.contains(&format!("{OF_THE_RUN}_"))));
        }
    }
    if facts.get("member of").is_some_and(String::is_empty) {
        facts.remove("member of");
    }
}

/// What the run changes for its own time, and puts back: replica identities, CONNECT.
fn put_back(object: &ObjectName, facts: &mut Facts, before: Option<&Facts>, database_grants: Option<&str>) {
    let Some(before) = before else { return };
    if let (Some(now), Some(then)) = (facts.get_mut("replica identity"), before.get("replica identity")) {
        now.clone_from(then);
    }
    if object.kind != "database" {
        return;
    }
    let doors = database_grants.or(before.get("grants").map(String::as_str)).unwrap_or_default();
    let connect = entries(doors).filter(|entry| is_connect(entry) && !entry.contains(&format!("{OF_THE_RUN}_")));
    if let Some(grants) = facts.get_mut("grants") {
        let others = grants.clone();
        *grants = join(connect.chain(entries(&others).filter(|entry| !is_connect(entry))));
    }
}

/// `role=CONNECT by owner`, with a star behind the privilege for the grant option.
fn is_connect(entry: &str) -> bool {
    entry.split_once('=').is_some_and(|(_, rest)| rest.starts_with("CONNECT"))
}

fn entries(list: &str) -> impl Iterator<Item = &str> {
    list.split(", ").filter(|entry| !entry.is_empty())
}

fn join<'a>(entries: impl Iterator<Item = &'a str>) -> String {
    entries.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::compare;

    type Object<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

    fn catalog(objects: &[Object<'_>]) -> Catalog {
        let object = |(kind, name, facts): &Object<'_>| {
            let facts = facts.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            (ObjectName { kind: (*kind).to_owned(), name: (*name).to_owned() }, facts)
        };
        Catalog { major: 15, objects: objects.iter().map(object).collect() }
    }

    const BEFORE: &[Object<'_>] = &[
        (
            "table",
            "shop.clicks",
            &[("replica identity", "d"), ("grants", "app=SELECT by owner, owner=SELECT by owner")],
        ),
        (
            "database",
            "shop",
            &[("grants", "PUBLIC=CONNECT by owner, PUBLIC=TEMPORARY by owner, owner=CREATE by owner")],
        ),
        ("role", "owner", &[("attributes", "login")]),
    ];

    #[test]
    fn what_the_run_does_for_its_own_time_is_no_change() {
        let fence = catalog(&[
            (
                "table",
                "shop.clicks",
                &[
                    ("replica identity", "f"),
                    ("grants", "app=SELECT by owner, owner=SELECT by owner, pgleap_r_copy=SELECT by owner"),
                ],
            ),
            (
                "database",
                "shop",
                &[(
                    "grants",
                    "PUBLIC=TEMPORARY by owner, owner=CREATE by owner, pgleap_r_copy=CONNECT by owner, pgleap_r_work=CONNECT* by owner",
                )],
            ),
            ("role", "owner", &[("attributes", "login"), ("member of", "pgleap_r_work with admin option")]),
            ("role", "pgleap_r_work", &[("attributes", "login")]),
            ("table", "pgleap.marker", &[("owner", "pgleap_r_work")]),
            ("function", "pgleap.shut(text[])", &[("definition", "..")]),
            ("settings", "pgleap_r_copy in all databases", &[("values", "..")]),
            ("comment", "schema pgleap_copy", &[("text", "..")]),
        ]);

        assert_eq!(as_fenced(&catalog(BEFORE), &fence, None), catalog(BEFORE));
    }

    #[test]
    fn what_people_changed_under_the_run_is_expected_of_the_target() {
        let mut fence = BEFORE.to_vec();
        fence[0].2 =
            &[("replica identity", "d"), ("grants", "app=SELECT by owner, app=UPDATE by owner, owner=SELECT by owner")];
        fence.push(("function", "shop.added(integer)", &[("definition", "CREATE FUNCTION ..")]));
        let doors =
            "PUBLIC=CONNECT by owner, PUBLIC=TEMPORARY by owner, late=CONNECT by owner, pgleap_r_work=CONNECT by owner";

        let expected = as_fenced(&catalog(BEFORE), &catalog(&fence), Some(doors));
        // The target is a copy from before.
        let lost: Vec<_> = compare(&expected, &catalog(BEFORE))
            .into_iter()
            .map(|difference| (difference.kind, difference.fact))
            .collect();

        let named = [("database", "grants"), ("function", "exists"), ("table", "grants")];
        assert_eq!(lost, named.map(|(kind, fact)| (kind.to_owned(), fact.to_owned())));
    }
}
