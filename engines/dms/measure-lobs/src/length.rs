//! How long values are as DMS counts them, and what limit holds them.

use pgleap_contract::data_types::{self, BaseType, Travel};
use pgleap_contract::steps::TableName;
use pgleap_pg::{ident, literal, qualified};

/// Largest limit of limited LOB mode (AWS documentation, setting LOB support: 102,400 KB is the most that is advised).
pub(crate) const MOST_KILOBYTES: u32 = 102_400;
/// Room above the longest value, for values that come while the table is loaded again.
const ROOM_KILOBYTES: i64 = 64;

/// A column whose values travel apart from their row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    name: String,
    is_binary: bool,
}

impl Column {
    /// None if the values travel with their row.
    pub(crate) fn of(name: String, type_name: &str, is_array: bool) -> Option<Self> {
        let base = BaseType { name: type_name, kind: 'b', known: true, bounded: true, array: is_array };
        let is_lob = data_types::of(base).travel == Travel::Apart;
        is_lob.then(|| Self { name, is_binary: type_name == "bytea" && !is_array })
    }

    /// Bytes of a value as a limit counts them: DMS turns it to a binary form, and the limit must be three times the value's size
    /// (AWS documentation, "Table and collection settings rules"). Text counts two bytes a character, four for characters of
    /// four bytes, too (AWS documentation, PostgreSQL as a source), which is never more in UTF-8.
    fn length(&self, is_utf8: bool) -> String {
        let name = ident(&self.name);
        match (self.is_binary, is_utf8) {
            (true, _) => format!("3 * octet_length({name})::bigint"),
            (false, true) => format!("3 * octet_length({name}::text)::bigint"),
            (false, false) => {
                format!("greatest(3 * octet_length({name}::text)::bigint, 4 * char_length({name}::text)::bigint)")
            }
        }
    }
}

/// The longest value of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Measured {
    pub(crate) column: String,
    pub(crate) bytes: i64,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// In KB; 0: as the task has it.
    Limit(u32),
    /// No limit holds it, and full LOB mode has been tried again.
    TooLarge(Measured),
}

/// A table whose longest value is beyond limited LOB mode is loaded once more in full mode: it may be in error for
/// another reason, a restart of the instance say.
pub(crate) fn decide(measured: &[Measured], reloads: u32) -> Verdict {
    let Some(longest) = measured.iter().max_by_key(|measured| measured.bytes) else { return Verdict::Limit(0) };
    let most = i64::from(MOST_KILOBYTES);
    let needed = (longest.bytes.max(1) + 1023) / 1024;
    if needed > most {
        return if reloads == 0 { Verdict::Limit(0) } else { Verdict::TooLarge(longest.clone()) };
    }
    let roomy = (needed + needed / 4 + ROOM_KILOBYTES).min(most);
    Verdict::Limit(u32::try_from(roomy).unwrap_or(MOST_KILOBYTES))
}

/// One scan of the table; the result stays on the server. ONLY, because a table with children is carried on its own.
pub(crate) fn statement(round: i64, table: &TableName, columns: &[Column], is_utf8: bool) -> String {
    let longest: Vec<String> =
        columns.iter().enumerate().map(|(n, column)| format!("max({}) AS m{n}", column.length(is_utf8))).collect();
    let values: Vec<String> =
        columns.iter().enumerate().map(|(n, column)| format!("({}, m.m{n})", literal(&column.name))).collect();
    format!(
        "INSERT INTO pgleap.lob_length (reloads, schema, name, \"column\", bytes)
         SELECT {round}, {}, {}, v.name, coalesce(v.bytes, 0)
         FROM (SELECT {} FROM ONLY {}) m, LATERAL (VALUES {}) v(name, bytes)
         ON CONFLICT DO NOTHING",
        literal(&table.schema),
        literal(&table.table),
        longest.join(", "),
        qualified(&table.schema, &table.table),
        values.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: i64 = 1024 * 1024;

    #[test]
    fn a_limit_holds_the_longest_value_with_room() {
        let measured = |bytes| Measured { column: "scan".to_owned(), bytes };
        let cases = [
            (vec![], 0, Verdict::Limit(0)),
            (vec![measured(0)], 0, Verdict::Limit(65)),
            (vec![measured(3), measured(4 * MB)], 0, Verdict::Limit(4096 + 1024 + 64)),
            (vec![measured(60 * MB)], 0, Verdict::Limit(76_864)),
            (vec![measured(100 * MB)], 0, Verdict::Limit(102_400)),
            (vec![measured(100 * MB + 1)], 0, Verdict::Limit(0)),
            (vec![measured(100 * MB + 1), measured(7)], 1, Verdict::TooLarge(measured(100 * MB + 1))),
        ];
        for (measured, reloads, expected) in cases {
            assert_eq!(decide(&measured, reloads), expected, "{measured:?} after {reloads}");
        }
    }

    #[test]
    fn only_values_that_travel_apart_are_measured() {
        let cases = [
            ("int4", false, None),
            ("varchar", false, None),
            ("text", false, Some(false)),
            ("bytea", false, Some(true)),
            ("jsonb", false, Some(false)),
            ("int4", true, Some(false)),
            ("bytea", true, Some(false)),
        ];
        for (type_name, is_array, expected) in cases {
            let found = Column::of("c".to_owned(), type_name, is_array).map(|column| column.is_binary);

            assert_eq!(found, expected, "{type_name} {is_array}");
        }
    }

    #[test]
    fn names_are_quoted() {
        let table = TableName { schema: "My \"s".to_owned(), table: "it's".to_owned() };
        let column = Column { name: "C\"'c".to_owned(), is_binary: true };

        let sql = statement(1, &table, &[column], true);

        assert!(sql.contains("octet_length(\"C\"\"'c\")"), "{sql}");
        assert!(sql.contains("FROM ONLY \"My \"\"s\".\"it's\""), "{sql}");
        assert!(sql.contains("('C\"''c', m.m0)"), "{sql}");
    }
}
