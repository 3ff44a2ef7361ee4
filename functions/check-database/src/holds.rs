//! What is true today, tested on the source: that foreign keys have no orphans, that checks whose result may change still pass, that
//! functions of generated columns and indexes find their names, that materialized views can be refreshed.
//!
//! The catalogs call all of these valid. The target finds out otherwise after hours: when its rows are loaded, when an index is
//! built, when a constraint is validated after OPEN. Each is tried in a transaction that only reads, under the search path that
//! the run will have, for a bounded time, smallest tables first. What was not tried in time is no finding: after OPEN nothing
//! of it holds up a run, and what does before is tried on one row alone.

use std::time::{Duration, Instant};

use pgleap_contract::Finding;
use pgleap_pg::search_path::{self, SearchPath};
use pgleap_pg::{PgError, PgErrorKind, Session, without_values};
use tokio_postgres::Row;

use crate::query::{Asked, NAMED};

pub(crate) const ID: &str = "search-path";
const ORPHANS: &str = "orphaned-rows";
const NOT_HELD: &str = "check-not-held";
const VIEW: &str = "view-not-refreshable";

/// Time for all of a kind together, and for one.
#[derive(Debug, Clone, Copy)]
struct Time {
    all: Duration,
    one: Duration,
}

const THOROUGH: Time = Time { all: Duration::from_secs(12), one: Duration::from_secs(5) };
/// A name that is missing is missed at the first row.
const GLANCE: Time = Time { all: Duration::from_secs(3), one: Duration::from_millis(300) };

/// Foreign keys of small tables are tried together.
const TOGETHER: usize = 50;
/// In pages of 8 KB.
const PAGES_TOGETHER: i64 = 2_000;
/// From this major on indexes are built, tables analyzed and views refreshed under this path, whatever else is set.
/// Source: PostgreSQL documentation, release notes of 17.
const RESTRICTED_FROM: i32 = 17;
const RESTRICTED: &str = "pg_catalog, pg_temp";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Computed,
    Index,
    Check,
    Domain,
    ForeignKey,
    View,
}

const KINDS: [(Kind, &str); 6] = [
    (Kind::Computed, "computed"),
    (Kind::Index, "index"),
    (Kind::Check, "check"),
    (Kind::Domain, "domain"),
    (Kind::ForeignKey, "foreign key"),
    (Kind::View, "view"),
];

#[derive(Debug, Clone)]
struct Try {
    what: String,
    sql: String,
    pages: i64,
}

/// How a try went.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    Holds,
    Broken,
    /// SQLSTATE and the server's error message.
    Fails(String, String),
    /// No time, no right, or something that a transaction which only reads may not do.
    Unknown,
}

pub(crate) async fn check(session: &Session, asked: &Asked) -> Result<Vec<Finding>, PgError> {
    let path = search_path::of_applications(session).await?;
    let tries = list(session, asked).await?;
    let mut found = Vec::new();
    for (kind, _) in KINDS {
        let of_kind: Vec<_> = tries.iter().filter(|(known, _)| *known == kind).map(|(_, what)| what.clone()).collect();
        let restricted = asked.target_major >= RESTRICTED_FROM;
        let under = if kind == Kind::View && restricted { RESTRICTED.to_owned() } else { path.sql() };
        let outcomes = try_all(session, kind, &of_kind, &under, THOROUGH).await?;
        found.extend(outcomes.iter().filter_map(|(what, outcome)| judge(kind, what, outcome, &path)));
        if kind == Kind::Index && restricted {
            let outcomes = try_all(session, kind, &of_kind, RESTRICTED, THOROUGH).await?;
            found.extend(outcomes.iter().filter_map(|(what, outcome)| judge_restricted_index(what, outcome)));
        }
    }
    Ok(bounded(found))
}

/// Something that cannot be computed because a name is not found.
pub(crate) struct Missing {
    pub(crate) what: String,
    pub(crate) reason: String,
}

/// What of a row is computed when it is written, and finds its names only by a search path.
pub(crate) async fn without_search_path(session: &Session, asked: &Asked) -> Result<Vec<Missing>, PgError> {
    let tries = list(session, asked).await?;
    let mut missing = Vec::new();
    let kinds =
        [(Kind::Computed, "generated column"), (Kind::Index, "index"), (Kind::Check, "check"), (Kind::Domain, "check")];
    for (kind, word) in kinds {
        let of_kind: Vec<_> = tries.iter().filter(|(known, _)| *known == kind).map(|(_, what)| what.clone()).collect();
        for (what, outcome) in try_all(session, kind, &of_kind, "''", GLANCE).await? {
            match outcome {
                Outcome::Fails(state, reason) if names_are_missing(&state) => {
                    missing.push(Missing { what: format!("{word} {what}"), reason });
                }
                _ => (),
            }
        }
    }
    Ok(missing)
}

async fn list(session: &Session, asked: &Asked) -> Result<Vec<(Kind, Try)>, PgError> {
    let sql = asked.fill(&format!("WITH {} {}", include_str!("carried.sql"), include_str!("holds.sql")));
    let rows = session.rows("list what can be tried", &sql, &[&asked.skipped]).await?;
    let known = |row: &Row| {
        let name: &str = row.get(0);
        let kind = KINDS.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind)?;
        Some((kind, Try { what: row.get(1), sql: row.get(2), pages: row.get(3) }))
    };
    Ok(rows.iter().filter_map(known).collect())
}

async fn try_all<'a>(
    session: &Session,
    kind: Kind,
    tries: &'a [Try],
    path: &str,
    time: Time,
) -> Result<Vec<(&'a str, Outcome)>, PgError> {
    let deadline = Instant::now() + time.all;
    let mut outcomes = Vec::new();
    let mut rest = tries;
    while !rest.is_empty() {
        let (together, later) = rest.split_at(if kind == Kind::ForeignKey { how_many(rest) } else { 1 });
        let left = deadline.saturating_duration_since(Instant::now()).min(time.one);
        if left.is_zero() {
            break;
        }
        let outcome = try_out(session, kind, together, path, left).await?;
        outcomes.extend(together.iter().map(|what| what.what.as_str()).zip(outcome));
        rest = later;
    }
    Ok(outcomes)
}

/// At least one.
fn how_many(tries: &[Try]) -> usize {
    let mut pages = 0;
    let fits = |what: &&Try| {
        pages += what.pages;
        pages <= PAGES_TOGETHER
    };
    tries.iter().take(TOGETHER).take_while(fits).count().max(1)
}

async fn try_out(
    session: &Session,
    kind: Kind,
    tries: &[Try],
    path: &str,
    limit: Duration,
) -> Result<Vec<Outcome>, PgError> {
    let doing = format!("try {}", tries.first().map_or("", |what| what.what.as_str()));
    let sql = match kind {
        Kind::ForeignKey => {
            format!("SELECT ARRAY[{}]", tries.iter().map(|what| what.sql.as_str()).collect::<Vec<_>>().join(", "))
        }
        _ => tries.first().map(|what| what.sql.clone()).unwrap_or_default(),
    };
    // An index over the function would answer in its place.
    let indexes = if kind == Kind::Check { "off" } else { "on" };
    let begin = format!(
        "BEGIN READ ONLY; SET LOCAL statement_timeout = {}; SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL search_path = {path}; \
         SET LOCAL enable_indexscan = {indexes}; SET LOCAL enable_indexonlyscan = {indexes}; SET LOCAL enable_bitmapscan = {indexes}",
        limit.as_millis().max(1)
    );
    session.run(&doing, &begin).await?;
    let answer = session.rows(&doing, &sql, &[]).await;
    session.run(&doing, "ROLLBACK").await?;
    let outcome_of = |broken: bool| if broken { Outcome::Broken } else { Outcome::Holds };
    match answer {
        Ok(rows) => Ok(match (kind, rows.first()) {
            (Kind::ForeignKey, Some(row)) => row.get::<_, Vec<bool>>(0).into_iter().map(outcome_of).collect(),
            (Kind::Check, Some(row)) => vec![outcome_of(row.get(0))],
            _ => vec![Outcome::Holds],
        }),
        Err(error) if error.kind == PgErrorKind::Unreachable => Err(error),
        Err(error) => Ok(vec![failed(&error); tries.len()]),
    }
}

fn failed(error: &PgError) -> Outcome {
    match &error.state {
        Some(state) if error.kind == PgErrorKind::Failed && !state.code().starts_with("25") => {
            Outcome::Fails(state.code().to_owned(), without_values(&error.reason))
        }
        _ => Outcome::Unknown,
    }
}

/// What an outcome means for a run.
fn judge(kind: Kind, what: &str, outcome: &Outcome, path: &SearchPath) -> Option<Finding> {
    let stays = "the constraint stays NOT VALID on the target, and the run ends with a warning";
    match (kind, outcome) {
        (_, Outcome::Holds | Outcome::Unknown) => None,
        (Kind::ForeignKey, Outcome::Broken) => {
            let remedy = format!("delete or correct those rows before the run; otherwise {stays}");
            Some(Finding::warning(ORPHANS, format!("rows of {what}"), remedy))
        }
        (Kind::Check, Outcome::Broken) => Some(not_held(what, stays)),
        (Kind::Domain, Outcome::Fails(state, _)) if state == "23514" => Some(not_held(what, stays)),
        (Kind::View, Outcome::Fails(state, reason)) => {
            let cause = if names_are_missing(state) {
                "from PostgreSQL 17 on, a refresh has no search path, so set one for the functions: ALTER FUNCTION .. SET search_path = ..".to_owned()
            } else {
                "correct or drop the view".to_owned()
            };
            let remedy = format!(
                "{cause}; otherwise the view keeps its current content on the target, and the run ends with a warning"
            );
            Some(Finding::warning(VIEW, format!("materialized view {what} cannot be refreshed: {reason}"), remedy))
        }
        (Kind::Check | Kind::Domain, Outcome::Fails(state, reason)) if names_are_missing(state) => {
            let remedy = format!("{}; otherwise {stays}", give_path());
            Some(Finding::warning(ID, format!("check {what} {}", without_names(reason, path)), remedy))
        }
        (Kind::Computed, Outcome::Fails(state, reason)) if names_are_missing(state) => {
            Some(Finding::blocker(ID, format!("generated column {what} {}", without_names(reason, path)), give_path()))
        }
        (Kind::Index, Outcome::Fails(state, reason)) if names_are_missing(state) => {
            Some(Finding::blocker(ID, format!("index {what} {}", without_names(reason, path)), give_path()))
        }
        _ => None,
    }
}

fn judge_restricted_index(what: &str, outcome: &Outcome) -> Option<Finding> {
    match outcome {
        Outcome::Fails(state, reason) if names_are_missing(state) => {
            let found = format!(
                "index {what} calls a function that needs a search path: from PostgreSQL 17 on, its table cannot be analyzed ({reason})"
            );
            Some(Finding::warning(ID, found, give_path()))
        }
        _ => None,
    }
}

fn not_held(what: &str, stays: &str) -> Finding {
    let remedy =
        format!("correct those rows or the constraint before the run; otherwise the run carries them, {stays}");
    Finding::warning(
        NOT_HELD,
        format!("rows violate constraint {what}, although it was true when they were written"),
        remedy,
    )
}

/// Syntax errors and names that are not found. Missing privileges are handled elsewhere.
fn names_are_missing(state: &str) -> bool {
    state.starts_with("42") || state == "3F000"
}

fn without_names(reason: &str, path: &SearchPath) -> String {
    let differs = match path.differs.as_slice() {
        [] => String::new(),
        roles => format!(
            "; roles that may write have different search paths, so none of them is used: {}",
            roles.iter().take(5).cloned().collect::<Vec<_>>().join(", ")
        ),
    };
    format!("cannot be computed under search_path = {}: {reason}{differs}", path.sql())
}

fn give_path() -> String {
    "set a search path for the functions that it calls: ALTER FUNCTION .. SET search_path = .. (or ALTER DATABASE .. SET search_path = ..)".to_owned()
}

/// Of each check the first offenders by name, the others as a count.
fn bounded(found: Vec<Finding>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for id in [ID, ORPHANS, NOT_HELD, VIEW] {
        let of_id: Vec<_> = found.iter().filter(|finding| finding.check == id).cloned().collect();
        let (named, others) = of_id.split_at(of_id.len().min(NAMED));
        findings.extend_from_slice(named);
        if !others.is_empty() {
            let objects = others.iter().map(|finding| finding.found.clone()).collect();
            let found = format!("and {} more of the same", others.len());
            findings.push(Finding::warning(id, found, "").about(objects, 0));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use pgleap_contract::Severity;

    #[test]
    fn a_finding_stops_a_run_only_where_the_run_could_not_go_on() {
        let fails = |state: &str| Outcome::Fails(state.to_owned(), "relation \"words\" does not exist".to_owned());
        let cases = [
            (Kind::ForeignKey, Outcome::Broken, Some((ORPHANS, Severity::Warning))),
            (Kind::ForeignKey, Outcome::Holds, None),
            (Kind::Check, Outcome::Broken, Some((NOT_HELD, Severity::Warning))),
            (Kind::Check, fails("42P01"), Some((ID, Severity::Warning))),
            (Kind::Check, fails("22012"), None),
            (Kind::Domain, fails("23514"), Some((NOT_HELD, Severity::Warning))),
            (Kind::Domain, fails("42883"), Some((ID, Severity::Warning))),
            (Kind::Computed, fails("42883"), Some((ID, Severity::Blocker))),
            (Kind::Computed, fails("22012"), None),
            (Kind::Index, fails("42P01"), Some((ID, Severity::Blocker))),
            (Kind::View, fails("22012"), Some((VIEW, Severity::Warning))),
            (Kind::View, fails("42P01"), Some((VIEW, Severity::Warning))),
            (Kind::View, Outcome::Unknown, None),
        ];
        let path = search_path::SearchPath::default();
        for (kind, outcome, expected) in cases {
            let finding = judge(kind, "x", &outcome, &path);
            let found = finding.as_ref().map(|finding| (finding.check.as_str(), finding.severity));
            assert_eq!(found, expected, "{kind:?} {outcome:?}");
        }
    }

    #[test]
    fn foreign_keys_of_small_tables_are_tried_together() {
        let tries = |pages: &[i64]| -> Vec<Try> {
            pages.iter().map(|pages| Try { what: String::new(), sql: String::new(), pages: *pages }).collect()
        };
        assert_eq!(how_many(&tries(&[0; 70])), TOGETHER);
        assert_eq!(how_many(&tries(&[1_500, 400, 400])), 2);
        assert_eq!(how_many(&tries(&[9_000, 1])), 1);
    }
}
