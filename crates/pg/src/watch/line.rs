//! What test_decoding prints of a change, read back.
//!
//! Source: PostgreSQL, contrib/test_decoding/test_decoding.c: `pg_decode_change`, `tuple_to_stringinfo`, `print_literal`.
//! Names and types are quoted as identifiers are, values in single quotes with only the quote doubled, and anything at all
//! may stand between quotes. Columns of an old row that are null are left out.

/// One change of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change<'a> {
    /// Schema and table as printed, quoted where needed.
    pub(crate) table: &'a str,
    pub(crate) kind: Kind,
    /// What the log has of the row before: by the table's replica identity.
    pub(crate) old: Option<Tuple>,
    /// The row after.
    pub(crate) new: Option<Tuple>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Insert,
    Update,
    Delete,
    /// Of tables whose names are not read.
    Truncate,
}

/// Columns that are printed, by their names without quotes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tuple(pub(crate) Vec<(String, Value)>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    /// A large value that the change left alone and the log does not hold.
    Unchanged,
    Text(String),
}

impl Tuple {
    /// A column that is not printed is null.
    pub(crate) fn get(&self, column: &str) -> &Value {
        self.0.iter().find(|(name, _)| name == column).map_or(&Value::Null, |(_, value)| value)
    }
}

/// Read a line; the error says where it is not as expected, without the values in it.
pub(crate) fn parse(line: &str) -> Result<Change<'_>, String> {
    let mut cursor = Cursor { line, at: 0 };
    cursor.expect("table ")?;
    let begin = cursor.at;
    cursor.identifier()?;
    cursor.expect(".")?;
    cursor.identifier()?;
    let table = &line[begin..cursor.at];
    let change = |kind, old, new| Change { table, kind, old, new };
    if cursor.takes(", ") || cursor.takes(": TRUNCATE:") {
        return Ok(change(Kind::Truncate, None, None));
    }
    cursor.expect(": ")?;
    let change = if cursor.takes("INSERT:") {
        change(Kind::Insert, None, cursor.tuple()?)
    } else if cursor.takes("DELETE:") {
        change(Kind::Delete, cursor.tuple()?, None)
    } else if cursor.takes("UPDATE: old-key:") {
        let old = cursor.tuple()?;
        cursor.expect(" new-tuple:")?;
        change(Kind::Update, old, cursor.tuple()?)
    } else if cursor.takes("UPDATE:") {
        change(Kind::Update, None, cursor.tuple()?)
    } else {
        return Err(cursor.unexpected("a kind of change"));
    };
    if cursor.rest().is_empty() { Ok(change) } else { Err(cursor.unexpected("the end")) }
}

struct Cursor<'a> {
    line: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a str {
        &self.line[self.at..]
    }

    fn takes(&mut self, text: &str) -> bool {
        let there = self.rest().starts_with(text);
        if there {
            self.at += text.len();
        }
        there
    }

    fn expect(&mut self, text: &str) -> Result<(), String> {
        if self.takes(text) { Ok(()) } else { Err(self.unexpected(&format!("{text:?}"))) }
    }

    fn unexpected(&self, wanted: &str) -> String {
        format!("byte {} of a decoded change is not {wanted}", self.at)
    }

    /// None for `(no-tuple-data)`.
    fn tuple(&mut self) -> Result<Option<Tuple>, String> {
        if self.takes(" (no-tuple-data)") {
            return Ok(None);
        }
        let mut tuple = Tuple::default();
        while !self.rest().is_empty() && !self.rest().starts_with(" new-tuple:") {
            self.expect(" ")?;
            let name = self.identifier()?;
            self.expect("[")?;
            self.type_name()?;
            self.expect(":")?;
            tuple.0.push((name, self.value()?));
        }
        Ok(Some(tuple))
    }

    fn identifier(&mut self) -> Result<String, String> {
        if self.takes("\"") {
            return self.quoted('"');
        }
        let rest = self.rest();
        let end = rest.find([' ', '.', ',', ':', '[']).unwrap_or(rest.len());
        if end == 0 {
            return Err(self.unexpected("a name"));
        }
        self.at += end;
        Ok(rest[..end].to_owned())
    }

    /// What follows an opening quote, to the closing one.
    fn quoted(&mut self, quote: char) -> Result<String, String> {
        let mut text = String::new();
        loop {
            let rest = self.rest();
            let Some(end) = rest.find(quote) else { return Err(self.unexpected("a closing quote")) };
            text.push_str(&rest[..end]);
            self.at += end + 1;
            if !self.rest().starts_with(quote) {
                return Ok(text);
            }
            text.push(quote);
            self.at += 1;
        }
    }

    /// To the bracket that closes the type: `integer`, `character varying[]`, `"My schema"."a]b"`.
    fn type_name(&mut self) -> Result<(), String> {
        let mut depth = 0;
        loop {
            let rest = self.rest();
            let Some(next) = rest.find(['"', '[', ']']) else { return Err(self.unexpected("the end of a type")) };
            self.at += next + 1;
            match &rest[next..=next] {
                "\"" => drop(self.quoted('"')?),
                "[" => depth += 1,
                _ if depth == 0 => return Ok(()),
                _ => depth -= 1,
            }
        }
    }

    fn value(&mut self) -> Result<Value, String> {
        if self.takes("'") || self.takes("B'") {
            return self.quoted('\'').map(Value::Text);
        }
        let rest = self.rest();
        let end = rest.find(' ').unwrap_or(rest.len());
        self.at += end;
        match &rest[..end] {
            "" => Err(self.unexpected("a value")),
            "null" => Ok(Value::Null),
            "unchanged-toast-datum" => Ok(Value::Unchanged),
            bare => Ok(Value::Text(bare.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tuple(columns: &[(&str, Value)]) -> Option<Tuple> {
        Some(Tuple(columns.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()))
    }

    fn text(value: &str) -> Value {
        Value::Text(value.to_owned())
    }

    #[test]
    fn each_kind_of_line_is_read() {
        let cases = [
            (
                "table public.t: INSERT: id[integer]:1 yes[boolean]:true n[numeric]:-1.50 s[text]:'a' z[text]:null",
                ("public.t", Kind::Insert),
                None,
                tuple(&[
                    ("id", text("1")),
                    ("yes", text("true")),
                    ("n", text("-1.50")),
                    ("s", text("a")),
                    ("z", Value::Null),
                ]),
            ),
            (
                "table app.t: UPDATE: old-key: id[integer]:1 new-tuple: id[integer]:2 big[text]:unchanged-toast-datum",
                ("app.t", Kind::Update),
                tuple(&[("id", text("1"))]),
                tuple(&[("id", text("2")), ("big", Value::Unchanged)]),
            ),
            (
                "table app.t: UPDATE: old-key: new-tuple: a[integer]:2",
                ("app.t", Kind::Update),
                tuple(&[]),
                tuple(&[("a", text("2"))]),
            ),
            ("table app.t: UPDATE: a[integer]:2", ("app.t", Kind::Update), None, tuple(&[("a", text("2"))])),
            ("table app.t: DELETE: (no-tuple-data)", ("app.t", Kind::Delete), None, None),
            ("table app.t: DELETE: id[integer]:1", ("app.t", Kind::Delete), tuple(&[("id", text("1"))]), None),
            ("table app.t: DELETE:", ("app.t", Kind::Delete), tuple(&[]), None),
            ("table app.t: TRUNCATE: (no-flags)", ("app.t", Kind::Truncate), None, None),
            ("table app.t, app.u: TRUNCATE: restart_seqs cascade", ("app.t", Kind::Truncate), None, None),
        ];
        for (line, (table, kind), old, new) in cases {
            assert_eq!(parse(line), Ok(Change { table, kind, old, new }), "{line}");
        }
    }

    #[test]
    fn quotes_hold_whatever_they_hold() {
        let line = "table \"a.b\".\"x: DELETE: \"\"y\": UPDATE: old-key: \"new-tuple:\"[\"o]d\".\"t\"\"[\"[]]:'it''s new-tuple: id[integer]:2\\' \
                    new-tuple: \"new-tuple:\"[\"o]d\".\"t\"\"[\"[]]:'\n' bits[bit varying]:B'01'";

        let change = parse(line).expect("a change");

        assert_eq!(change.table, "\"a.b\".\"x: DELETE: \"\"y\"");
        assert_eq!(change.old, tuple(&[("new-tuple:", text("it's new-tuple: id[integer]:2\\"))]));
        assert_eq!(change.new, tuple(&[("new-tuple:", text("\n")), ("bits", text("01"))]));
    }

    #[test]
    fn what_is_no_change_is_refused_without_its_values() {
        for line in [
            "",
            "BEGIN",
            "table t: INSERT: id[integer]:1",
            "table a.t: MERGE: id[integer]:1",
            "table a.t: INSERT: secret[text]:'secret",
            "table a.t: INSERT: secret[integer:1",
            "table a.t: INSERT: secret[integer]:",
            "table a.t: UPDATE: old-key: secret[integer]:1",
            "table a.t: DELETE: secret[integer]:1 new-tuple: secret[integer]:2",
        ] {
            let error = parse(line).expect_err(line);

            assert!(!error.contains("secret"), "{error}");
        }
    }
}
