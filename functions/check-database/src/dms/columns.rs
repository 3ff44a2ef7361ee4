//! Columns by type: which types are in use is a short list, judged by the table of the contract; only then are columns
//! of the types that do not travel listed, by type, so that many of one type hide no other.

use std::collections::BTreeMap;

use pgleap_contract::Finding;
use pgleap_contract::data_types::{self, BaseType, DataType, Evidence, Travel, UNKNOWN};
use pgleap_pg::{PgError, Session};

use crate::query::{Asked, LISTED};

pub(crate) const ID: &str = "type-not-carried";
const PARTLY: &str = "type-unproven";
const REMEDY: &str = "use copy.engine native (or auto), which carries every type; or change the type of these columns, or accept that their \
    schemas go live as they were at the snapshot (choices.asOfSnapshotSchemas)";
/// How many columns a finding's text names; its list has them all.
const NAMED: usize = 5;

/// Types of columns that are carried, each once.
const IN_USE: &str = "\
    SELECT DISTINCT 1 AS one, b.typname, b.typtype::text, b.known, (CASE WHEN a.atttypmod <> -1 THEN a.atttypmod ELSE b.modifier END) <> -1, b.is_array \
    FROM carried c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' \
    JOIN base_types b ON b.typ = a.atttypid";

/// Columns whose base type is one of a list, as `{name/kind/known/array}`: that key, column, type, and how many have the key.
fn columns_of(types: &[InUse]) -> String {
    let list: Vec<_> = types.iter().map(|used| pgleap_pg::literal(&used.key())).collect();
    format!(
        "WITH {}, columns AS ( \
             SELECT concat_ws('/', b.typname, b.typtype, b.known, b.is_array) AS key, \
                    format('%s.%I', c.name, a.attname) AS name, format_type(a.atttypid, a.atttypmod) AS type \
             FROM carried c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' \
             JOIN base_types b ON b.typ = a.atttypid \
             WHERE concat_ws('/', b.typname, b.typtype, b.known, b.is_array) IN ({})), \
         numbered AS (SELECT *, row_number() OVER (PARTITION BY key ORDER BY name) AS place, count(*) OVER (PARTITION BY key) AS all FROM columns) \
         SELECT key, name, type, n.all FROM numbered n WHERE place <= {LISTED} ORDER BY key, place",
        include_str!("../carried.sql"),
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

    /// Types that share this share a finding: all enums, all ranges, one of the server's types with its arrays.
    fn kind(&self) -> &str {
        if self.travels.name == UNKNOWN.name { &self.name } else { self.travels.name }
    }
}

/// Columns of one kind of types.
#[derive(Default)]
struct Columns {
    named: Vec<String>,
    left_out: usize,
}

impl Columns {
    fn count(&self) -> usize {
        self.named.len() + self.left_out
    }

    /// The only one, or how many and the first of them.
    fn worded(&self) -> String {
        match self.named.as_slice() {
            [one] if self.left_out == 0 => format!("column {one}"),
            all if self.count() <= NAMED => format!("columns {}", all.join(", ")),
            some => format!("{} columns, among them {}", self.count(), some[..NAMED.min(some.len())].join(", ")),
        }
    }
}

pub(crate) async fn check(session: &Session, asked: &Asked) -> Result<Vec<Finding>, PgError> {
    let in_use = in_use(session, asked).await?;
    let (blocked, carried): (Vec<_>, Vec<_>) =
        in_use.into_iter().partition(|used| used.travels.travel == Travel::Blocked);
    let unproven: Vec<_> = carried.into_iter().filter(|used| used.travels.evidence == Evidence::Assumed).collect();
    let mut findings = Vec::new();
    for (kind, columns) in by_kind(session, &blocked, asked).await? {
        let why_not = blocked.iter().find(|used| used.kind() == kind).map_or("", |used| used.travels.why_not);
        let found = format!("DMS does not carry {kind} ({why_not}): {}", columns.worded());
        findings.push(Finding::blocker(ID, found, REMEDY).about(columns.named, columns.left_out));
    }
    let mut columns = Columns::default();
    for (_, of_kind) in by_kind(session, &unproven, asked).await? {
        columns.named.extend(of_kind.named);
        columns.left_out += of_kind.left_out;
    }
    if columns.count() > 0 {
        findings.push(in_part(columns));
    }
    Ok(findings)
}

fn in_part(columns: Columns) -> Finding {
    let named = columns.named[..columns.named.len().min(NAMED)].join(", ");
    let more = columns.count().saturating_sub(NAMED);
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    let found = format!("AWS says only that DMS supports the types of these columns partly: {named}{more}");
    let remedy = "rehearse with a copy: the comparison of both sides shows whether their values arrive";
    Finding::warning(PARTLY, found, remedy).about(columns.named, columns.left_out)
}

async fn by_kind<'a>(
    session: &Session,
    types: &'a [InUse],
    asked: &Asked,
) -> Result<BTreeMap<&'a str, Columns>, PgError> {
    let mut kinds: BTreeMap<&str, Columns> = BTreeMap::new();
    if types.is_empty() {
        return Ok(kinds);
    }
    let mut last_key = String::new();
    for row in session.rows("list columns by type", &columns_of(types), &[&asked.skipped]).await? {
        let (key, name, data_type, all): (String, &str, &str, i64) = (row.get(0), row.get(1), row.get(2), row.get(3));
        let Some(used) = types.iter().find(|used| used.key() == key) else { continue };
        let columns = kinds.entry(used.kind()).or_default();
        columns.named.push(format!("{name} ({data_type})"));
        if key != last_key {
            columns.left_out += usize::try_from(all).unwrap_or(0).saturating_sub(LISTED);
            last_key = key;
        }
    }
    kinds.values_mut().for_each(|columns| columns.named.sort_unstable());
    Ok(kinds)
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
