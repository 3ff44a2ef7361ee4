//! The text that PostgreSQL's `test_decoding` plugin writes, taken apart.
//!
//! DMS reads changes in this form, so everything that the form cannot say (which columns an update changed, the
//! key of a deleted row without a replica identity, a large value that stood still) is something that DMS cannot
//! know. Nothing here does I/O; the cases in the tests were written by servers of majors 13, 15 and 18.

use std::fmt;

/// One message of the plugin, with the row of a change not yet taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Message<'a> {
    /// A committed transaction begins.
    Begin {
        /// The transaction's id.
        xid: u32,
    },
    /// It ends.
    Commit {
        /// The moment of the commit on the source, as the server wrote it.
        at: Option<&'a str>,
    },
    /// A row changed.
    Change(ChangeText<'a>),
    /// Tables were emptied; DMS does not carry that.
    Truncate,
    /// A logical message or anything else without rows.
    Other,
}

/// A change whose table is known and whose row is still text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChangeText<'a> {
    /// The table's schema.
    pub(crate) schema: String,
    /// The table's name; a partition's own, never its parent's.
    pub(crate) table: String,
    /// What happened.
    pub(crate) operation: Operation,
    /// The row or rows: [`parse_row`] takes it apart.
    pub(crate) row: &'a str,
}

/// What happened to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    /// A new row.
    Insert,
    /// A changed row.
    Update,
    /// A deleted row.
    Delete,
}

impl fmt::Display for Operation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Insert => "INSERT",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
        })
    }
}

/// The columns of a row by name, in the table's order; absent columns were null in an old row.
pub(crate) type Tuple = Vec<(String, Datum)>;

/// A column's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Datum {
    /// SQL null.
    Null,
    /// A value stored out of line that the update did not touch and the log does not hold.
    UnchangedToast,
    /// The value in the type's text form.
    Text(String),
}

/// The rows of one change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Row {
    /// The old row or its key: present when the replica identity gave one.
    pub(crate) old: Option<Tuple>,
    /// The new row.
    pub(crate) new: Option<Tuple>,
}

/// A text that is not what the plugin writes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("read test_decoding text: expected {expected} at byte {at}")]
pub(crate) struct Malformed {
    expected: &'static str,
    at: usize,
}

/// Take a message apart as far as its table.
pub(crate) fn parse_message(text: &str) -> Result<Message<'_>, Malformed> {
    if let Some(rest) = text.strip_prefix("table ") {
        return parse_table_message(rest);
    }
    if let Some(rest) = text.strip_prefix("BEGIN ") {
        let xid = rest.trim().parse().map_err(|_| Malformed { expected: "a transaction id", at: 6 })?;
        return Ok(Message::Begin { xid });
    }
    if let Some(rest) = text.strip_prefix("COMMIT") {
        let at = rest.split_once("(at ").and_then(|(_, time)| time.strip_suffix(')'));
        return Ok(Message::Commit { at });
    }
    Ok(Message::Other)
}

/// Take the row or rows of a change apart.
pub(crate) fn parse_row(operation: Operation, text: &str) -> Result<Row, Malformed> {
    let mut cursor = Cursor { text, at: 0 };
    if cursor.eat(" (no-tuple-data)") {
        return Ok(Row::default());
    }
    match operation {
        Operation::Insert => Ok(Row { old: None, new: Some(cursor.tuple()?) }),
        Operation::Delete => Ok(Row { old: Some(cursor.tuple()?), new: None }),
        Operation::Update => {
            let old = if cursor.eat(" old-key:") {
                let tuple = cursor.tuple()?;
                cursor.expect(" new-tuple:", "the new tuple")?;
                Some(tuple)
            } else {
                None
            };
            let new = if cursor.eat(" (no-tuple-data)") { None } else { Some(cursor.tuple()?) };
            Ok(Row { old, new })
        }
    }
}

fn parse_table_message(text: &str) -> Result<Message<'_>, Malformed> {
    let mut cursor = Cursor { text, at: 0 };
    let schema = cursor.identifier()?;
    cursor.expect(".", "a dot after the schema")?;
    let table = cursor.identifier()?;
    if cursor.eat(", ") {
        return Ok(Message::Truncate);
    }
    cursor.expect(": ", "a colon after the table")?;
    for (word, operation) in
        [("INSERT:", Operation::Insert), ("UPDATE:", Operation::Update), ("DELETE:", Operation::Delete)]
    {
        if cursor.eat(word) {
            return Ok(Message::Change(ChangeText { schema, table, operation, row: cursor.rest() }));
        }
    }
    cursor.expect("TRUNCATE:", "an operation")?;
    Ok(Message::Truncate)
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn eat(&mut self, word: &str) -> bool {
        let found = self.rest().starts_with(word);
        if found {
            self.at += word.len();
        }
        found
    }

    fn expect(&mut self, word: &str, expected: &'static str) -> Result<(), Malformed> {
        if self.eat(word) { Ok(()) } else { Err(Malformed { expected, at: self.at }) }
    }

    /// A name as `quote_identifier` writes it.
    fn identifier(&mut self) -> Result<String, Malformed> {
        if self.rest().starts_with('"') {
            return self.quoted('"');
        }
        let end = self.rest().find(['.', ':', '[', ',']).ok_or(Malformed { expected: "a name", at: self.at })?;
        let name = self.rest()[..end].to_owned();
        self.at += end;
        Ok(name)
    }

    /// A text between two marks, the mark itself doubled inside.
    fn quoted(&mut self, mark: char) -> Result<String, Malformed> {
        let start = self.at;
        let mut value = String::new();
        let mut rest = &self.rest()[1..];
        loop {
            let end = rest.find(mark).ok_or(Malformed { expected: "a closing quote", at: start })?;
            value.push_str(&rest[..end]);
            rest = &rest[end + 1..];
            if !rest.starts_with(mark) {
                self.at = self.text.len() - rest.len();
                return Ok(value);
            }
            value.push(mark);
            rest = &rest[1..];
        }
    }

    /// A type between brackets; the type may hold brackets itself (`text[]`) and quoted names with brackets.
    fn skip_type(&mut self) -> Result<(), Malformed> {
        let start = self.at;
        let mut depth = 0_usize;
        let mut in_quotes = false;
        for (offset, byte) in self.rest().bytes().enumerate() {
            match byte {
                b'"' => in_quotes = !in_quotes,
                b'[' if !in_quotes => depth += 1,
                b']' if !in_quotes => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                self.at += offset + 1;
                return self.expect(":", "a colon after the type");
            }
        }
        Err(Malformed { expected: "a closing bracket", at: start })
    }

    fn tuple(&mut self) -> Result<Tuple, Malformed> {
        let mut tuple = Tuple::new();
        while !self.rest().is_empty() && !self.rest().starts_with(" new-tuple:") {
            self.expect(" ", "a blank before a column")?;
            let name = self.identifier()?;
            self.skip_type()?;
            tuple.push((name, self.datum()?));
        }
        Ok(tuple)
    }

    fn datum(&mut self) -> Result<Datum, Malformed> {
        if self.rest().starts_with('\'') {
            return self.quoted('\'').map(Datum::Text);
        }
        if self.eat("B'") {
            self.at -= 1;
            return self.quoted('\'').map(Datum::Text);
        }
        let end = self.rest().find(' ').unwrap_or(self.rest().len());
        let word = &self.rest()[..end];
        self.at += end;
        Ok(match word {
            "null" => Datum::Null,
            "unchanged-toast-datum" => Datum::UnchangedToast,
            value => Datum::Text(value.to_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captured(major: u8) -> Vec<String> {
        let path = format!("{}/testdata/test_decoding-{major}.json", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    fn changes(lines: &[String]) -> Vec<(String, Operation, Row)> {
        let mut found = Vec::new();
        for line in lines {
            if let Message::Change(change) = parse_message(line).unwrap() {
                let row = parse_row(change.operation, change.row).unwrap();
                found.push((format!("{}.{}", change.schema, change.table), change.operation, row));
            }
        }
        found
    }

    fn text(value: &str) -> Datum {
        Datum::Text(value.to_owned())
    }

    fn value(tuple: Option<&Tuple>, name: &str) -> Datum {
        tuple.unwrap().iter().find(|(column, _)| column == name).unwrap().1.clone()
    }

    #[test]
    fn captured_texts_of_three_majors_say_the_same() {
        let without_xids = |major| changes(&captured(major));

        assert_eq!(without_xids(13), without_xids(18));
        assert_eq!(without_xids(15), without_xids(18));
        assert_eq!(without_xids(18).len(), 20);
    }

    #[test]
    fn every_kind_of_value_is_read() {
        let found = changes(&captured(18));
        let (_, _, first) = &found[0];
        let cases = [
            ("t", "it's \\ a\nnew line"),
            ("n", "1.50"),
            ("b", "true"),
            ("bt", "101"),
            ("vb", "1"),
            ("d", "2024-05-06 07:08:09.123456+00"),
            ("by", "\\xdeadbeef"),
            ("arr", "{a,\"b c\",NULL,\"q\\\"uote\"}"),
            ("j", "{\"k\": \"it's\"}"),
        ];

        for (column, expected) in cases {
            assert_eq!(value(first.new.as_ref(), column), text(expected), "{column}");
        }
        let (_, _, second) = &found[1];
        assert_eq!(value(second.new.as_ref(), "t"), Datum::Null);
        assert_eq!(value(second.new.as_ref(), "n"), text("NaN"));
        assert_eq!(value(second.new.as_ref(), "f"), text("Infinity"));
    }

    #[test]
    fn quoted_names_and_bracketed_types_are_read() {
        let found = changes(&captured(18));
        let (table, _, row) =
            found.iter().find(|(table, ..)| table.starts_with("Odd")).expect("the odd table was captured");

        assert_eq!(table, "Odd.Schema.Mixed \"Q\" Case");
        let expected = [("Id", "-9"), ("na]me", "v[1]: 'x'"), ("select", "o'k"), ("moods", "{sad,o'k}"), ("dm", "dom")];
        let expected: Tuple = expected.iter().map(|(name, value)| ((*name).to_owned(), text(value))).collect();
        assert_eq!(row.new.as_ref().unwrap(), &expected);
    }

    #[test]
    fn old_rows_keys_and_missing_rows_are_told_apart() {
        let found = changes(&captured(18));
        let of = |name: &str, operation: Operation| {
            found.iter().find(|(table, what, _)| table == name && *what == operation).unwrap().2.clone()
        };

        assert_eq!(of("app.keyless", Operation::Update).old, None);
        assert_eq!(of("app.keyless", Operation::Delete), Row::default());
        let full = of("app.full_identity", Operation::Update);
        assert_eq!(full.old.unwrap(), vec![("a".to_owned(), text("1")), ("c".to_owned(), text("c"))]);
        assert_eq!(of("app.plain", Operation::Delete).old.unwrap(), vec![("id".to_owned(), text("3"))]);
        let moved = found.iter().filter(|(table, ..)| table == "app.plain").nth(3).unwrap();
        assert_eq!(moved.2.old.as_ref().unwrap(), &vec![("id".to_owned(), text("1"))]);
        assert_eq!(value(moved.2.new.as_ref(), "id"), text("3"));
    }

    #[test]
    fn a_large_value_that_stood_still_is_no_value() {
        let found = changes(&captured(18));
        let updates: Vec<_> =
            found.iter().filter(|(table, what, _)| table == "app.big" && *what == Operation::Update).collect();

        assert_eq!(value(updates[1].2.new.as_ref(), "body"), Datum::UnchangedToast);
        assert_eq!(value(updates[1].2.new.as_ref(), "note"), text("m"));
    }

    #[test]
    fn words_of_the_plugin_as_names_and_values_are_no_words_of_the_plugin() {
        let found = changes(&captured(18));
        let rows: Vec<_> = found.iter().filter(|(table, ..)| table == "app.null").collect();

        assert_eq!(value(rows[0].2.new.as_ref(), "null"), text("null"));
        assert_eq!(value(rows[0].2.new.as_ref(), "unchanged-toast-datum"), Datum::Null);
        assert_eq!(value(rows[1].2.new.as_ref(), "null"), text(""));
    }

    #[test]
    fn messages_without_rows_are_named() {
        let cases = [
            ("BEGIN 766", Message::Begin { xid: 766 }),
            ("COMMIT 766", Message::Commit { at: None }),
            ("COMMIT 766 (at 2026-01-02 03:04:05.6+00)", Message::Commit { at: Some("2026-01-02 03:04:05.6+00") }),
            ("table a.b, c.\"D\": TRUNCATE: (no-flags)", Message::Truncate),
            ("table a.b: TRUNCATE: cascade", Message::Truncate),
            ("message: transactional: 1 prefix: p, sz: 1 content:c", Message::Other),
        ];

        for (line, expected) in cases {
            assert_eq!(parse_message(line).unwrap(), expected, "{line}");
        }
    }

    #[test]
    fn a_broken_text_is_refused() {
        for line in ["BEGIN x", "table a", "table a.b: MERGE: x", "table a.\"b: INSERT: x"] {
            assert!(parse_message(line).is_err(), "{line}");
        }
        for row in [" a[integer]1", " a[integer:1", " a[text]:'open", "a[text]:'x'"] {
            assert!(parse_row(Operation::Insert, row).is_err(), "{row}");
        }
    }
}
