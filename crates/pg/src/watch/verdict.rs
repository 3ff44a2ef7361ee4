//! What a change means for the copy: pure.

use pgleap_contract::data_types::ValueTest;

use super::line::{Change, Kind, Tuple, Value};

/// How much of a key is shown.
const SHOWN: usize = 80;

/// What the run knows of a table: a row of `pgleap.watch_table`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Table {
    /// Columns of the primary key; none where there is none.
    pub(crate) key: Vec<String>,
    /// Without a key: the columns by which equal rows are looked for, and how they are compared.
    pub(crate) image: Vec<Compared>,
    /// Columns whose values are tested.
    pub(crate) tests: Vec<(String, ValueTest)>,
}

/// A column by which equal rows are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Compared {
    pub(crate) column: String,
    /// With its modifier, as a cast spells it.
    pub(crate) type_name: String,
    /// How its text is made the same for equal values.
    pub(crate) form: Form,
}

/// When texts of equal values are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Always.
    Exact,
    /// Once zeros behind the point are gone, and the sign of a zero.
    Number,
    /// Once spaces at the end are gone.
    Padded,
    /// Not by any rule of ours.
    Unknown,
}

/// Something that DMS does not carry as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) kind: FoundKind,
    /// For people: the key, the column.
    pub(crate) detail: String,
}

/// What DMS does with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FoundKind {
    /// It ignores an update of a key.
    Key,
    /// It changes every row that is equal.
    Twins,
    /// It ignores a change whose old row it cannot find.
    NotLogged,
    /// It writes another value.
    Value,
}

impl FoundKind {
    /// As `pgleap.watch_found` has it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Twins => "twins",
            Self::NotLogged => "not-logged",
            Self::Value => "value",
        }
    }

    /// A load that begins afterwards brings the row as it is; a value it changes just the same.
    pub(crate) fn is_covered_by_a_load(self) -> bool {
        self != Self::Value
    }
}

/// The old row, by the columns that are compared; null where it is null.
pub(crate) type Image = Vec<Option<String>>;

/// What is wrong with a change by itself.
pub(crate) fn findings(change: &Change<'_>, table: &Table) -> Vec<Finding> {
    let mut found = Vec::new();
    let touches_a_row = matches!(change.kind, Kind::Update | Kind::Delete);
    if touches_a_row && table.key.is_empty() && change.old.is_none() {
        let detail = "an update or delete whose old row is not in the WAL".to_owned();
        found.push(Finding { kind: FoundKind::NotLogged, detail });
    }
    if let (Kind::Update, Some(old), Some(new)) = (change.kind, &change.old, &change.new) {
        found.extend(key_update(old, new, &table.key));
    }
    if let Some(new) = &change.new {
        found.extend(values(new, table));
    }
    found
}

/// The old row of a change of a table without a key.
pub(crate) fn image(change: &Change<'_>, table: &Table) -> Option<Image> {
    let old = change.old.as_ref().filter(|_| table.key.is_empty())?;
    let value = |compared: &Compared| match old.get(&compared.column) {
        Value::Text(text) => Some(text.clone()),
        Value::Null | Value::Unchanged => None,
    };
    Some(table.image.iter().map(value).collect())
}

/// The same text for old rows that a comparison would call equal.
pub(crate) fn normal(image: &Image, compared: &[Compared]) -> String {
    let form = |(value, compared): (&Option<String>, &Compared)| match (value, compared.form) {
        (None, _) => "n".to_owned(),
        (Some(_), Form::Unknown) => "?".to_owned(),
        (Some(text), Form::Exact) => format!("{}:{text}", text.len()),
        (Some(text), Form::Number) => number(text).to_owned(),
        (Some(text), Form::Padded) => {
            let text = text.trim_end_matches(' ');
            format!("{}:{text}", text.len())
        }
    };
    image.iter().zip(compared).map(form).collect::<Vec<_>>().join(",")
}

fn number(text: &str) -> &str {
    let is_plain = text.contains('.') && !text.contains(['e', 'E']);
    let short = if is_plain { text.trim_end_matches('0').trim_end_matches('.') } else { text };
    if short == "-0" { "0" } else { short }
}

/// The log shows an old key when it changed, and wherever it is large or the whole row is logged.
fn key_update(old: &Tuple, new: &Tuple, key: &[String]) -> Option<Finding> {
    let changed = |column: &String| match (old.get(column), new.get(column)) {
        (_, Value::Unchanged) => false,
        (before, after) => before != after,
    };
    if !key.iter().any(changed) {
        return None;
    }
    let names = shown(&key.join(", "));
    let detail =
        format!("an update of its key: ({names}) = ({}) became ({})", values_of(old, key), values_of(new, key));
    Some(Finding { kind: FoundKind::Key, detail })
}

fn values(new: &Tuple, table: &Table) -> impl Iterator<Item = Finding> {
    let offends = |(column, test): &&(String, ValueTest)| match new.get(column) {
        Value::Text(text) => !test.admits(text),
        Value::Null | Value::Unchanged => false,
    };
    table.tests.iter().filter(offends).map(|(column, test)| {
        let of = if table.key.is_empty() {
            String::new()
        } else {
            format!(" where ({}) = ({})", shown(&table.key.join(", ")), values_of(new, &table.key))
        };
        Finding { kind: FoundKind::Value, detail: format!("{} in column {column}{of}", test.offence()) }
    })
}

fn values_of(tuple: &Tuple, key: &[String]) -> String {
    let value = |column: &String| match tuple.get(column) {
        Value::Text(text) => text.clone(),
        Value::Null => "null".to_owned(),
        Value::Unchanged => "as before".to_owned(),
    };
    shown(&key.iter().map(value).collect::<Vec<_>>().join(", "))
}

fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}..", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::line::parse;
    use super::*;

    fn keyed(key: &[&str]) -> Table {
        Table { key: key.iter().map(|column| (*column).to_owned()).collect(), ..Table::default() }
    }

    fn tested(tests: &[(&str, ValueTest)]) -> Table {
        let tests = tests.iter().map(|(column, test)| ((*column).to_owned(), *test)).collect();
        Table { tests, ..keyed(&["id"]) }
    }

    fn details(line: &str, table: &Table) -> Vec<String> {
        findings(&parse(line).expect(line), table).into_iter().map(|finding| finding.detail).collect()
    }

    #[test]
    fn only_a_key_that_changed_is_found() {
        let cases = [
            (
                "table a.t: UPDATE: old-key: id[integer]:2 new-tuple: id[integer]:1002 n[integer]:0",
                Some("(id) = (2) became (1002)"),
            ),
            ("table a.t: UPDATE: old-key: id[integer]:2 n[integer]:1 new-tuple: id[integer]:2 n[integer]:3", None),
            ("table a.t: UPDATE: old-key: id[text]:'long' new-tuple: id[text]:unchanged-toast-datum", None),
            ("table a.t: UPDATE: id[integer]:2 n[integer]:3", None),
            ("table a.t: DELETE: id[integer]:2", None),
            ("table a.t: INSERT: id[integer]:2", None),
        ];
        for (line, expected) in cases {
            let found = details(line, &keyed(&["id"]));

            assert_eq!(found.len(), usize::from(expected.is_some()), "{line}: {found:?}");
            assert!(found.iter().zip(expected).all(|(found, part)| found.contains(part)), "{found:?}");
        }
        let line = "table a.t: UPDATE: old-key: p[integer]:7 r[integer]:1 new-tuple: p[integer]:7 r[integer]:2";
        assert_eq!(details(line, &keyed(&["p", "r"])), ["an update of its key: (p, r) = (7, 1) became (7, 2)"]);
    }

    #[test]
    fn values_that_dms_changes_are_found_in_new_rows_only() {
        let table = tested(&[("at", ValueTest::Finite), ("n", ValueTest::Digits28), ("o", ValueTest::WholeSeconds)]);
        let cases = [
            ("at[timestamp with time zone]:'infinity' n[numeric]:null", 1),
            ("at[date]:'-infinity' n[numeric]:NaN", 2),
            ("at[date]:'2025-01-01' n[numeric]:1.5 s[text]:'infinity'", 0),
            ("n[numeric]:0.0000000000000000000000000001", 0),
            ("n[numeric]:-12345678901234567890123456789", 1),
            ("o[time without time zone]:'12:00:00.5'", 1),
            ("o[time without time zone]:'12:00:00'", 0),
        ];
        for (columns, expected) in cases {
            let line = format!("table a.t: UPDATE: id[integer]:3 {columns}");

            assert_eq!(details(&line, &table).len(), expected, "{line}");
        }
        let old = "table a.t: DELETE: id[integer]:3 at[date]:'infinity'";
        assert!(details(old, &table).is_empty());
        let line = "table a.t: INSERT: id[integer]:3 at[timestamp with time zone]:'infinity'";
        let said = &details(line, &table)[0];
        assert!(said.contains("column at where (id) = (3)"), "{said}");
    }

    #[test]
    fn a_change_without_key_and_old_row_is_found_and_a_long_key_is_cut() {
        let none = Table::default();
        assert_eq!(details("table a.t: DELETE: (no-tuple-data)", &none).len(), 1);
        assert_eq!(details("table a.t: UPDATE: n[integer]:1", &none).len(), 1);
        assert!(details("table a.t: INSERT: n[integer]:1", &none).is_empty());

        let line = format!("table a.t: UPDATE: old-key: id[text]:'{}' new-tuple: id[text]:'b'", "ä".repeat(5_000));
        assert!(details(&line, &keyed(&["id"]))[0].len() < 400);
    }

    #[test]
    fn equal_rows_have_one_normal_form() {
        let of = |form| Compared { column: "c".to_owned(), type_name: "t".to_owned(), form };
        let normal = |form, text: Option<&str>| normal(&vec![text.map(str::to_owned)], &[of(form)]);
        let same = [
            (Form::Number, "1.50", "1.5"),
            (Form::Number, "10.00", "10"),
            (Form::Number, "-0", "0"),
            (Form::Padded, "ab  ", "ab"),
            (Form::Unknown, "1 mon", "30 days"),
        ];
        for (form, one, other) in same {
            assert_eq!(normal(form, Some(one)), normal(form, Some(other)), "{one} {other}");
        }
        for (form, one, other) in [(Form::Exact, "a", "b"), (Form::Number, "10", "1"), (Form::Number, "1e10", "1e1")] {
            assert_ne!(normal(form, Some(one)), normal(form, Some(other)), "{one} {other}");
        }
        assert_ne!(normal(Form::Exact, None), normal(Form::Exact, Some("n")));
    }
}
