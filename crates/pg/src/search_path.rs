//! The search path under which applications work. Functions that checks, generated columns, indexes and materialized views
//! call may look names up by it; the run's own sessions, and DMS's, must then have it too.
//!
//! A setting of the database is everybody's. Where only roles have one, it counts if those that may write agree, or those
//! that own the tables do, or, where none of those has one, the others; else nobody can say which one a function needs.

use crate::{PgError, Session, ident};

const PATHS: &str = include_str!("search_path.sql");
/// What PostgreSQL has where nothing is set.
const DEFAULT: [&str; 2] = ["$user", "public"];
const OWN: &str = "$user";

/// The search path of the applications.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchPath {
    /// Schemas, not quoted, in their order.
    schemas: Vec<String>,
    /// Roles that have different ones, each with its path, where they do not agree.
    pub differs: Vec<String>,
}

/// What is set for a role, or for the database.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Setting {
    role: Option<String>,
    path: String,
    /// There is a schema of the role's name.
    has_schema: bool,
    owner: bool,
    writes: bool,
}

impl SearchPath {
    /// As the value of `SET search_path = ..`.
    pub fn sql(&self) -> String {
        match self.schemas.as_slice() {
            [] => "''".to_owned(),
            schemas => schemas.iter().map(|schema| ident(schema)).collect::<Vec<_>>().join(", "),
        }
    }

    /// Nothing was set.
    pub fn is_default(&self) -> bool {
        self.schemas == DEFAULT
    }
}

impl Default for SearchPath {
    fn default() -> Self {
        Self { schemas: DEFAULT.map(str::to_owned).to_vec(), differs: Vec::new() }
    }
}

/// Find it out.
pub async fn of_applications(session: &Session) -> Result<SearchPath, PgError> {
    let rows = session.rows("list the search paths", PATHS, &[]).await?;
    let settings = rows.iter().map(|row| Setting {
        role: row.get(0),
        path: row.get(1),
        has_schema: row.get(2),
        owner: row.get(3),
        writes: row.get(4),
    });
    Ok(decide(settings.collect()))
}

fn decide(settings: Vec<Setting>) -> SearchPath {
    if let Some(database) = settings.iter().find(|setting| setting.role.is_none()) {
        return SearchPath { schemas: elements(&database.path), differs: Vec::new() };
    }
    let of = |counts: fn(&Setting) -> bool| distinct(&settings.iter().filter(|one| counts(one)).collect::<Vec<_>>());
    let (writers, owners, others) = (of(|one| one.writes), of(|one| one.owner), of(|one| !one.writes));
    let deciding = if writers.is_empty() { others } else { writers };
    match (deciding.as_slice(), owners.as_slice()) {
        ([], _) => SearchPath::default(),
        ([one], _) | (_, [one]) => SearchPath { schemas: one.clone(), differs: Vec::new() },
        _ => {
            let differs = settings
                .iter()
                .map(|setting| format!("{} ({})", setting.role.as_deref().unwrap_or_default(), setting.path));
            SearchPath { differs: differs.collect(), ..SearchPath::default() }
        }
    }
}

fn distinct(settings: &[&Setting]) -> Vec<Vec<String>> {
    let mut paths: Vec<_> = settings.iter().map(|setting| of_role(setting)).collect();
    paths.sort();
    paths.dedup();
    paths
}

/// `$user` is another schema for each role, and none for most.
fn of_role(setting: &Setting) -> Vec<String> {
    let role = setting.role.clone().unwrap_or_default();
    elements(&setting.path)
        .into_iter()
        .filter(|schema| schema != OWN || setting.has_schema)
        .map(|schema| if schema == OWN { role.clone() } else { schema })
        .collect()
}

/// The schemas of a path as it is stored: parted by commas, quoted where need be, else in lower case.
fn elements(path: &str) -> Vec<String> {
    let mut elements = Vec::new();
    let mut rest = path.trim_start();
    while !rest.is_empty() {
        let (element, behind) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_element(quoted),
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                (rest[..end].trim().to_lowercase(), &rest[end..])
            }
        };
        elements.push(element);
        rest = behind.trim_start().strip_prefix(',').unwrap_or_default().trim_start();
    }
    elements.retain(|element| !element.is_empty());
    elements
}

/// To the quote that is not doubled.
fn quoted_element(quoted: &str) -> (String, &str) {
    let mut element = String::new();
    let mut rest = quoted;
    while let Some(end) = rest.find('"') {
        element.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(behind) => {
                element.push('"');
                rest = behind;
            }
            None => return (element, rest),
        }
    }
    element.push_str(rest);
    (element, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(role: &str, path: &str, has_schema: bool, owner: bool) -> Setting {
        Setting { role: Some(role.to_owned()), path: path.to_owned(), has_schema, owner, writes: true }
    }

    fn reader(role: &str, path: &str) -> Setting {
        Setting { role: Some(role.to_owned()), path: path.to_owned(), has_schema: false, owner: false, writes: false }
    }

    #[test]
    fn the_databases_path_counts_before_those_of_roles_that_agree() {
        let database =
            Setting { role: None, path: "app, public".to_owned(), has_schema: false, owner: false, writes: false };
        let cases = [
            ("nothing", vec![], r#""$user", "public""#, 0),
            ("the database's", vec![database, role("a", "b", false, false)], r#""app", "public""#, 0),
            ("one role", vec![role("a", "app, public", false, false)], r#""app", "public""#, 0),
            (
                "two that agree",
                vec![role("a", "app,public", false, false), role("b", "\"$user\", app, public", false, true)],
                r#""app", "public""#,
                0,
            ),
            ("its own schema", vec![role("app", "\"$user\", public", true, false)], r#""app", "public""#, 0),
            ("the owner's", vec![role("a", "x", false, false), role("b", "app", false, true)], r#""app""#, 0),
            ("none agree", vec![role("a", "x", false, false), role("b", "y", false, false)], r#""$user", "public""#, 2),
            ("who only reads does not count", vec![role("a", "x", false, false), reader("b", "y")], r#""x""#, 0),
            ("unless nobody else has one", vec![reader("a", "x"), reader("b", "x")], r#""x""#, 0),
            ("empty", vec![role("a", "\"\"", false, false)], "''", 0),
        ];
        for (what, settings, sql, differs) in cases {
            let found = decide(settings);

            assert_eq!((found.sql().as_str(), found.differs.len()), (sql, differs), "{what}");
        }
    }

    #[test]
    fn a_path_is_read_as_postgresql_reads_it_and_written_so_that_it_is_one() {
        let cases = [
            ("App, \"Odd, \"\"name\"\"\"", vec!["app", "Odd, \"name\""]),
            ("a;DROP/**/TABLE/**/x", vec!["a;drop/**/table/**/x"]),
            (" a ,  \"b\" ", vec!["a", "b"]),
            ("\"\"", vec![]),
            ("\"unterminated", vec!["unterminated"]),
        ];
        for (path, schemas) in cases {
            assert_eq!(elements(path), schemas, "{path}");
        }
        let odd = SearchPath { schemas: elements("a;DROP/**/TABLE/**/x, \"b\"\"c\""), differs: Vec::new() };
        assert_eq!(odd.sql(), r#""a;drop/**/table/**/x", "b""c""#);
    }
}
