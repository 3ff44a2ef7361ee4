//! Columns by type: which types are in use is a short list, judged by the table of the contract; only then are columns
//! of the types that do not travel listed.

use pgleap_contract::Finding;
use pgleap_contract::data_types::{self, BaseType, DataType, Evidence, Travel};
use pgleap_pg::{PgError, Session};

use crate::query::{Asked, offenders};

pub(crate) const ID: &str = "type-not-carried";
const PARTLY: &str = "type-unproven";

/// Types of columns that are carried, each once.
const IN_USE: &str = "\
    SELECT DISTINCT 1 AS one, b.typname, b.typtype::text, b.known, (CASE WHEN a.atttypmod <> -1 THEN a.atttypmod ELSE b.modifier END) <> -1, b.is_array \
    FROM carried c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' \
    JOIN base_types b ON b.typ = a.atttypid";

/// Columns whose base type is one of a list, as `{name/kind/known/array}`.
fn columns_of(types: &[InUse]) -> String {
    let list: Vec<_> = types.iter().map(|used| pgleap_pg::literal(&used.key())).collect();
    format!(
        "SELECT format('%s.%I', c.name, a.attname) AS what, format_type(a.atttypid, a.atttypmod) AS why \
         FROM carried c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' \
         JOIN base_types b ON b.typ = a.atttypid \
         WHERE concat_ws('/', b.typname, b.typtype, b.known, b.is_array) IN ({})",
        list.join(", ")
    )
}

/// A type in use, and how it travels.
#[derive(Debug, Clone)]
struct InUse {
    name: String,
    kind: String,
    known: bool,
    array: bool,
    travels: DataType,
}

impl InUse {
    fn key(&self) -> String {
        let word = |flag: bool| if flag { "t" } else { "f" };
        format!("{}/{}/{}/{}", self.name, self.kind, word(self.known), word(self.array))
    }
}

pub(crate) async fn check(session: &Session, asked: &Asked) -> Result<Vec<Finding>, PgError> {
    let in_use = in_use(session, asked).await?;
    let (blocked, carried): (Vec<_>, Vec<_>) =
        in_use.into_iter().partition(|used| used.travels.travel == Travel::Blocked);
    let mut findings = Vec::new();
    if !blocked.is_empty() {
        let columns = offenders(session, ID, &columns_of(&blocked), asked).await?;
        let remedy = "change the column's type, or accept that its schema goes live as of the snapshot (choices.asOfSnapshotSchemas)";
        findings.extend(columns.named.iter().map(|(column, data_type)| {
            Finding::blocker(ID, format!("column {column}: DMS does not carry {data_type}"), remedy)
        }));
        if columns.more > 0 {
            findings.push(Finding::blocker(ID, format!("and {} more columns of such types", columns.more), remedy));
        }
    }
    let unproven: Vec<_> = carried.into_iter().filter(|used| used.travels.evidence == Evidence::Assumed).collect();
    if !unproven.is_empty() {
        let columns = offenders(session, PARTLY, &columns_of(&unproven), asked).await?;
        let mut named: Vec<_> =
            columns.named.iter().take(5).map(|(column, data_type)| format!("{column} ({data_type})")).collect();
        let more = columns.more + i64::try_from(columns.named.len() - named.len()).unwrap_or(0);
        if more > 0 {
            named.push(format!("and {more} more"));
        }
        let found = format!("AWS says of these types only that DMS carries them in part: {}", named.join(", "));
        findings.push(Finding::warning(
            PARTLY,
            found,
            "look at what the comparison of rows says of them, or rehearse on a copy",
        ));
    }
    Ok(findings)
}

async fn in_use(session: &Session, asked: &Asked) -> Result<Vec<InUse>, PgError> {
    let sql = format!("WITH {} {IN_USE}", include_str!("../carried.sql"));
    let rows = session.rows("list types in use", &sql, &[&asked.skipped]).await?;
    Ok(rows
        .iter()
        .map(|row| {
            let (name, kind, known, array): (String, String, bool, bool) =
                (row.get(1), row.get(2), row.get(3), row.get(5));
            let base =
                BaseType { name: &name, kind: kind.chars().next().unwrap_or('?'), known, bounded: row.get(4), array };
            InUse { travels: data_types::of(base), name, kind, known, array }
        })
        .collect())
}
