//! Errors of PostgreSQL without what they quote of rows.

/// Longest text of one error, in characters.
const LONGEST: usize = 300;

/// The first line of an error, with what PostgreSQL quotes from a row left out: its other lines (DETAIL, CONTEXT) show rows
/// too, its first one a value only behind a colon or the word `value`.
pub fn without_values(error: &str) -> String {
    let mut line = error.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("no reason given").to_owned();
    for before in [": \"", "value \""] {
        while let Some(start) = line.find(before).map(|at| at + before.len() - 1) {
            let end = line[start + 1..].rfind('"').map_or(line.len(), |end| start + 1 + end + 1);
            line.replace_range(start..end, "(a value)");
        }
    }
    line.chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_without_values_of_rows() {
        let cases = [
            ("permission denied for table t", "permission denied for table t"),
            ("relation \"app.t\" does not exist", "relation \"app.t\" does not exist"),
            ("invalid input syntax for type integer: \"se\"cret\"", "invalid input syntax for type integer: (a value)"),
            ("value \"99999\" is out of range for type smallint", "value (a value) is out of range for type smallint"),
            ("duplicate key violates \"t_pkey\"\nDETAIL:  Key (id)=(5) exists.", "duplicate key violates \"t_pkey\""),
            ("\n  RetCode: SQL_ERROR  SqlState: 42501\nx", "RetCode: SQL_ERROR  SqlState: 42501"),
            ("", "no reason given"),
        ];
        for (error, expected) in cases {
            assert_eq!(without_values(error), expected, "{error}");
        }
        assert_eq!(without_values(&"x".repeat(900)).len(), LONGEST);
    }
}
