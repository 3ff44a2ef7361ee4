//! What statements about one table are made of: the text of a row, its key, ranges of keys. Pure but for the catalogs.

use pgleap_pg::{PgError, Session, ident};

use crate::progress::Table;

/// Values of a key's columns as text, in the key's order. Of a table without a usable key: the hash of the whole row.
pub(crate) type Key = Vec<String>;

/// Columns of a table, and the primary key by which its rows are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Quoted for a statement.
    pub(crate) table: String,
    pub(crate) columns: Vec<String>,
    /// Empty if there is no key whose values can be compared by operators of `pg_catalog`.
    pub(crate) key: Vec<KeyColumn>,
}

/// A column of the primary key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyColumn {
    pub(crate) name: String,
    /// To cast a text to.
    pub(crate) data_type: String,
    pub(crate) collation: Option<String>,
}

/// Keys above `after`, up to and including `upto`, in the order of the side's own index. Collations of two majors may
/// order texts differently; see `scan` for why that loses no row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) after: Option<Key>,
    pub(crate) upto: Option<Key>,
}

/// From the source's catalogs.
pub(crate) async fn read(source: &Session, table: &Table) -> Result<Layout, PgError> {
    let rows = source.rows("read columns", include_str!("layout.sql"), &[&table.quoted()]).await?;
    let mut key: Vec<(i32, bool, KeyColumn)> = Vec::new();
    for row in &rows {
        if let Some(place) = row.get::<_, Option<i32>>(1) {
            let column = KeyColumn { name: row.get(0), data_type: row.get(2), collation: row.get(3) };
            key.push((place, row.get(4), column));
        }
    }
    key.sort_by_key(|(place, _, _)| *place);
    let is_usable = key.iter().all(|(_, comparable, _)| *comparable);
    let key = if is_usable { key.into_iter().map(|(_, _, column)| column).collect() } else { Vec::new() };
    Ok(Layout { table: table.quoted(), columns: rows.iter().map(|row| row.get(0)).collect(), key })
}

impl Layout {
    pub(crate) fn has_key(&self) -> bool {
        !self.key.is_empty()
    }

    /// The hash of a row's text, whose form is the same on all majors (tested from 13 to 18); the C collation keeps a
    /// nondeterministic one out of it.
    pub(crate) fn row_hash(&self) -> String {
        hash(self.columns.iter())
    }

    /// The hash by which rows are put into buckets: of the key, or of the whole row.
    pub(crate) fn bucket_hash(&self) -> String {
        if self.has_key() { hash(self.key.iter().map(|column| &column.name)) } else { self.row_hash() }
    }

    /// The hash of each column, in their order.
    pub(crate) fn column_hashes(&self) -> String {
        let hashes: Vec<String> = self.columns.iter().map(|column| hash([column].into_iter())).collect();
        format!("ARRAY[{}]::bigint[]", hashes.join(", "))
    }

    /// The key as an array of texts.
    pub(crate) fn key_text(&self) -> String {
        let columns: Vec<String> = self.key.iter().map(|column| format!("t.{}::text", ident(&column.name))).collect();
        format!("ARRAY[{}]", columns.join(", "))
    }

    pub(crate) fn key_order(&self) -> String {
        let columns: Vec<String> = self.key.iter().map(|column| format!("t.{}", ident(&column.name))).collect();
        columns.join(", ")
    }

    /// A condition whose parameters begin with `$1`, and their number.
    pub(crate) fn within(&self, range: &Range) -> (String, usize) {
        let mut next = 1;
        let mut conditions = Vec::new();
        for (bound, operator) in [(&range.after, ">"), (&range.upto, "<=")] {
            if bound.is_some() {
                let values: Vec<String> =
                    self.key.iter().enumerate().map(|(at, column)| column.value(&format!("${}", next + at))).collect();
                conditions.push(format!("ROW({}) {operator} ROW({})", self.key_order(), values.join(", ")));
                next += self.key.len();
            }
        }
        let condition = if conditions.is_empty() { "true".to_owned() } else { conditions.join(" AND ") };
        (condition, next - 1)
    }

    /// That a row has the key in columns `k.k1`, `k.k2`, .. as texts.
    pub(crate) fn is_key(&self) -> String {
        let equal = |(at, column): (usize, &KeyColumn)| {
            format!("t.{} = {}", ident(&column.name), column.value(&format!("k.k{}", at + 1)))
        };
        self.key.iter().enumerate().map(equal).collect::<Vec<_>>().join(" AND ")
    }
}

impl KeyColumn {
    /// A text as a value to compare the column with.
    fn value(&self, text: &str) -> String {
        let collate = self.collation.as_ref().map_or(String::new(), |collation| format!(" COLLATE {collation}"));
        format!("{text}::text::{}{collate}", self.data_type)
    }
}

fn hash<'a>(columns: impl Iterator<Item = &'a String>) -> String {
    let columns: Vec<String> = columns.map(|column| format!("t.{}", ident(column))).collect();
    format!("hashtextextended(ROW({})::text COLLATE \"C\", 0)", columns.join(", "))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn layout(key: &[(&str, &str, Option<&str>)]) -> Layout {
        let key = key.iter().map(|(name, data_type, collation)| KeyColumn {
            name: (*name).to_owned(),
            data_type: (*data_type).to_owned(),
            collation: collation.map(str::to_owned),
        });
        Layout {
            table: "\"My \"\"s\".\"T\"".to_owned(),
            columns: vec!["a".to_owned(), "B\"c".to_owned()],
            key: key.collect(),
        }
    }

    #[test]
    fn names_are_quoted() {
        let layout = layout(&[("B\"c", "integer", None)]);

        assert!(layout.row_hash().contains("ROW(t.\"a\", t.\"B\"\"c\")::text"), "{}", layout.row_hash());
        assert!(layout.bucket_hash().contains("ROW(t.\"B\"\"c\")::text"), "{}", layout.bucket_hash());
        assert_eq!(layout.key_text(), "ARRAY[t.\"B\"\"c\"::text]");
        assert_eq!(Layout { columns: vec![], key: vec![], ..layout }.row_hash().matches("ROW()::text").count(), 1);
    }

    #[test]
    fn a_range_compares_as_the_columns_type_and_in_its_collation() {
        let layout = layout(&[("a", "integer", None), ("B\"c", "character(5)", Some("pg_catalog.\"de-x\""))]);
        let key = || Some(vec!["1".to_owned(), "x".to_owned()]);

        let (condition, parameters) = layout.within(&Range { after: key(), upto: key() });

        let above =
            "ROW(t.\"a\", t.\"B\"\"c\") > ROW($1::text::integer, $2::text::character(5) COLLATE pg_catalog.\"de-x\")";
        let upto =
            "ROW(t.\"a\", t.\"B\"\"c\") <= ROW($3::text::integer, $4::text::character(5) COLLATE pg_catalog.\"de-x\")";
        assert_eq!((condition, parameters), (format!("{above} AND {upto}"), 4));
        assert_eq!(layout.within(&Range::default()), ("true".to_owned(), 0));
        assert!(layout.is_key().starts_with("t.\"a\" = k.k1::text::integer AND "), "{}", layout.is_key());
    }
}
