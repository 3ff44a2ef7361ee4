//! A check that is a query: one row for each offender, worded here.

use pgleap_contract::data_types::{self, Travel};
use pgleap_contract::{Finding, KeylessTables, Run, Severity};
use pgleap_pg::{PgError, Session};

use crate::facts::Facts;

/// What most queries begin with: which schemas and tables are carried. Takes `$1`.
const CARRIED: &str = include_str!("carried.sql");

/// How many offenders a check names; the rest are counted.
pub(crate) const NAMED: usize = 20;

/// What queries and wordings need to know.
pub(crate) struct Asked {
    /// Schemas that go live as of the snapshot.
    pub(crate) skipped: Vec<String>,
    /// The login of the input.
    pub(crate) login: String,
    pub(crate) keyless: KeylessTables,
}

impl Asked {
    pub(crate) fn of(run: &Run, facts: &Facts) -> Self {
        Self {
            skipped: run.choices.as_of_snapshot_schemas.clone(),
            login: facts.login.name.clone(),
            keyless: run.choices.keyless_tables,
        }
    }
}

/// One check. `found` and `remedy` may hold `{what}` and `{why}`, the columns of a row, and `{login}`.
pub(crate) struct Query {
    pub(crate) id: &'static str,
    pub(crate) severity: Severity,
    /// A SELECT of `what` and `why`, both text, from the tables of `carried.sql` and the catalogs.
    pub(crate) sql: &'static str,
    pub(crate) found: &'static str,
    pub(crate) remedy: &'static str,
    /// Whether it is asked at all.
    pub(crate) when: fn(&Asked) -> bool,
}

pub(crate) fn always(_: &Asked) -> bool {
    true
}

impl Query {
    /// Ask and word the answer.
    pub(crate) async fn ask(&self, session: &Session, asked: &Asked) -> Result<Vec<Finding>, PgError> {
        if !(self.when)(asked) {
            return Ok(Vec::new());
        }
        let offenders = offenders(session, self.id, self.sql, asked).await?;
        let word = |template: &str, what: &str, why: &str| {
            template.replace("{login}", &asked.login).replace("{what}", what).replace("{why}", why)
        };
        let mut findings: Vec<_> = offenders
            .named
            .iter()
            .map(|(what, why)| self.finding(word(self.found, what, why), word(self.remedy, what, why)))
            .collect();
        if offenders.more > 0 {
            findings.push(self.finding(format!("and {} more of the same", offenders.more), String::new()));
        }
        Ok(findings)
    }

    fn finding(&self, found: String, remedy: String) -> Finding {
        match self.severity {
            Severity::Blocker => Finding::blocker(self.id, found, remedy),
            Severity::Warning => Finding::warning(self.id, found, remedy),
        }
    }
}

/// The first offenders, and how many there are beyond them.
pub(crate) struct Offenders {
    pub(crate) named: Vec<(String, String)>,
    pub(crate) more: i64,
}

pub(crate) async fn offenders(session: &Session, id: &str, sql: &str, asked: &Asked) -> Result<Offenders, PgError> {
    let sql = sql.replace("{apart}", &apart());
    let sql = format!(
        "WITH {CARRIED}, offenders AS ({sql}) \
         SELECT o.what::text, coalesce(o.why::text, ''), count(*) OVER () FROM offenders o ORDER BY 1, 2 LIMIT {NAMED}"
    );
    let rows = session.rows(&format!("check {id}"), &sql, &[&asked.skipped]).await?;
    let all: i64 = rows.first().map_or(0, |row| row.get(2));
    let named: Vec<_> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    Ok(Offenders { more: all - i64::try_from(named.len()).unwrap_or(i64::MAX), named })
}

/// Types whose values travel apart from their row, as an array literal: what `{apart}` in a query stands for.
fn apart() -> String {
    let names =
        data_types::TABLE.iter().filter(|data_type| data_type.travel == Travel::Apart).map(|data_type| data_type.name);
    format!("'{{{}}}'::name[]", names.collect::<Vec<_>>().join(","))
}
