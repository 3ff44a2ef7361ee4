//! A check that is a query: one row for each offender, worded here.

use pgleap_contract::data_types::{self, Travel};
use pgleap_contract::{CopyEngine, Finding, KeylessTables, Names, Run, Severity};
use pgleap_pg::{PgError, Session, expressions, identifying};
use tokio_postgres::Row;

use crate::dms::nulls::{is_not_true_of_null, is_null_of_null};
use crate::facts::Facts;

/// What most queries begin with: which schemas and tables are carried. Takes `$1`.
const CARRIED: &str = include_str!("carried.sql");

/// How many offenders of a check get their own finding; the others share one, which lists them.
pub(crate) const NAMED: usize = 20;
/// How many a finding about all of them names in its text.
const FIRST: usize = 5;
/// How many offenders of a check are listed at all; the rest are counted.
pub(crate) const LISTED: usize = 2_000;

/// What queries and wordings need to know.
pub(crate) struct Asked {
    /// Schemas that go live as of the snapshot.
    pub(crate) skipped: Vec<String>,
    /// The login of the input.
    pub(crate) login: String,
    pub(crate) keyless: KeylessTables,
    /// The source's major.
    pub(crate) major: i32,
    /// The wanted one.
    pub(crate) target_major: i32,
    /// Native replication copies, and no other engine may still be chosen.
    pub(crate) is_native: bool,
}

impl Asked {
    pub(crate) fn of(run: &Run, facts: &Facts) -> Self {
        Self {
            skipped: run.choices.as_of_snapshot_schemas.clone(),
            login: facts.login.name.clone(),
            keyless: run.choices.keyless_tables,
            major: facts.major,
            target_major: target_major(&run.target.version),
            is_native: run.copy.candidates() == [CopyEngine::Native],
        }
    }

    /// Whether this major is passed or reached on the way.
    pub(crate) fn crosses(&self, major: i32) -> bool {
        self.major < major && self.target_major >= major
    }

    /// What placeholders of a query stand for.
    pub(crate) fn fill(&self, sql: &str) -> String {
        // The function exists from 15 on, as does the column that it is compared with.
        let collation = if self.major >= 15 { "pg_database_collation_actual_version(d.oid)" } else { "NULL::text" };
        sql.replace("{identifying}", identifying::INDEXES)
            .replace("{texts}", include_str!("dms/texts.sql"))
            .replace("{primary_keys}", include_str!("dms/primary_keys.sql"))
            .replace("{large}", include_str!("dms/large.sql"))
            .replace("{is_null_of_null}", &is_null_of_null("d.adbin"))
            .replace("{expressions_are_null}", &is_null_of_null("m.indexprs"))
            .replace("{is_not_true_of_null}", &is_not_true_of_null("m.indpred", "ARRAY[m.attnum::int]"))
            .replace("{reader}", Names::READER_ROLE)
            .replace("{apart}", &of_travel(Travel::Apart))
            .replace("{in_row}", &of_travel(Travel::InRow))
            .replace("{major}", &self.major.to_string())
            .replace("{target_major}", &self.target_major.to_string())
            .replace("{is_native}", if self.is_native { "true" } else { "false" })
            .replace("{is_changeable}", &expressions::is_changeable("k.conbin"))
            .replace("{database_collation_version}", collation)
    }
}

/// One check. `found` and `remedy` may hold `{what}` and `{why}`, the columns of a row, and `{login}`.
pub(crate) struct Query {
    pub(crate) id: &'static str,
    pub(crate) severity: Severity,
    /// A SELECT of `what` and `why`, and where each row has a remedy of its own `remedy`, all text, from the tables of
    /// `carried.sql` and the catalogs. It may hold `{apart}`, `{major}`, `{target_major}`, `{is_native}`, `{is_changeable}` (of the constraint
    /// `k`), `{in_row}`, `{reader}`, and what the files in `dms` that are parts of queries stand for.
    pub(crate) sql: &'static str,
    pub(crate) found: &'static str,
    /// Empty where each row has its own.
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
        let word = |template: &str, row: &Offender| {
            template.replace("{login}", &asked.login).replace("{what}", &row.what).replace("{why}", &row.why)
        };
        let (named, others) = offenders.listed.split_at(offenders.listed.len().min(NAMED));
        let remedy = |row: &Offender| row.remedy.clone().unwrap_or_else(|| word(self.remedy, row));
        let mut findings: Vec<_> = named.iter().map(|row| self.finding(word(self.found, row), remedy(row))).collect();
        if !others.is_empty() {
            let found = format!("and {} more of the same", others.len() + offenders.left_out);
            let objects = others.iter().map(|row| row.what.clone()).collect();
            findings.push(self.finding(found, String::new()).about(objects, offenders.left_out));
        }
        Ok(findings)
    }

    /// Ask, and word the answer as one finding. In `found` `{count}` stands for how many there are and `{what}` for the first.
    pub(crate) async fn ask_together(&self, session: &Session, asked: &Asked) -> Result<Vec<Finding>, PgError> {
        if !(self.when)(asked) {
            return Ok(Vec::new());
        }
        let offenders = offenders(session, self.id, self.sql, asked).await?;
        if offenders.listed.is_empty() {
            return Ok(Vec::new());
        }
        let objects: Vec<_> = offenders.listed.iter().map(|row| format!("{} ({})", row.what, row.why)).collect();
        let mut what = objects[..objects.len().min(FIRST)].join(", ");
        if objects.len() > FIRST {
            what.push_str(", ..");
        }
        let count = (objects.len() + offenders.left_out).to_string();
        let found = self.found.replace("{count}", &count).replace("{what}", &what);
        Ok(vec![self.finding(found, self.remedy.to_owned()).about(objects, offenders.left_out)])
    }

    fn finding(&self, found: String, remedy: String) -> Finding {
        match self.severity {
            Severity::Blocker => Finding::blocker(self.id, found, remedy),
            Severity::Warning => Finding::warning(self.id, found, remedy),
        }
    }
}

/// A row of a check's query.
pub(crate) struct Offender {
    what: String,
    why: String,
    /// The remedy for this row, if the query has a column `remedy`; otherwise, the remedy of the check applies.
    remedy: Option<String>,
}

/// The first offenders, and how many there are beyond them.
pub(crate) struct Offenders {
    listed: Vec<Offender>,
    left_out: usize,
}

async fn offenders(session: &Session, id: &str, sql: &str, asked: &Asked) -> Result<Offenders, PgError> {
    // PostgreSQL has no statistics of these parts and expects a row or two: in loops they take minutes on thousands of tables.
    let loops = if sql.contains("{primary_keys}") { "off" } else { "on" };
    let sql = asked.fill(sql);
    let sql = format!(
        "WITH {CARRIED}, offenders AS ({sql}) \
         SELECT o.what::text, coalesce(o.why::text, ''), to_jsonb(o) ->> 'remedy', count(*) OVER () \
         FROM offenders o ORDER BY 1, 2 LIMIT {LISTED}"
    );
    session.run(&format!("check {id}"), &format!("SET enable_nestloop = {loops}")).await?;
    let rows = session.rows(&format!("check {id}"), &sql, &[&asked.skipped]).await;
    session.run(&format!("check {id}"), "RESET enable_nestloop").await?;
    let rows = rows?;
    let all = rows.first().map_or(0, |row| usize::try_from(row.get::<_, i64>(3)).unwrap_or(0));
    let row = |row: &Row| Offender { what: row.get(0), why: row.get(1), remedy: row.get(2) };
    let listed: Vec<_> = rows.iter().map(row).collect();
    Ok(Offenders { left_out: all - listed.len(), listed })
}

/// Types whose values travel so by DMS, as an array literal.
fn of_travel(travel: Travel) -> String {
    let names = data_types::TABLE.iter().filter(|data_type| data_type.travel == travel).map(|data_type| data_type.name);
    format!("'{{{}}}'::name[]", names.collect::<Vec<_>>().join(","))
}

/// The major version of the requested version, which may be exact or only a major version; 0 if the text is not a version, which is
/// check-instance's finding.
pub(crate) fn target_major(version: &str) -> i32 {
    version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_major_is_crossed_if_it_lies_on_the_way() {
        let asked = |major, target: &str| Asked {
            skipped: Vec::new(),
            login: String::new(),
            keyless: KeylessTables::Refuse,
            major,
            target_major: target_major(target),
            is_native: false,
        };
        let cases = [(13, "18", true), (13, "14.5", true), (14, "18", false), (12, "13", false), (13, "x", false)];
        for (from, to, crosses) in cases {
            assert_eq!(asked(from, to).crosses(14), crosses, "{from} to {to}");
        }
    }
}
