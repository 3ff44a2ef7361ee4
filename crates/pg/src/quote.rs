//! Identifiers and literals for statements that cannot take parameters (DDL, GRANT). Values elsewhere are bound.

/// A quoted identifier: `"Order ""x"""`.
pub fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A schema-qualified, quoted name.
pub fn qualified(schema: &str, name: &str) -> String {
    format!("{}.{}", ident(schema), ident(name))
}

/// A quoted string literal, independent of `standard_conforming_strings`.
pub fn literal(text: &str) -> String {
    if text.contains('\\') {
        format!(" E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_survive_quoting() {
        let cases = [("a", "\"a\""), ("A b", "\"A b\""), ("a\"b", "\"a\"\"b\"")];
        for (name, quoted) in cases {
            assert_eq!(ident(name), quoted);
        }
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal("a\\'b"), " E'a\\\\''b'");
    }
}
