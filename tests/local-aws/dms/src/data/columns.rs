//! How DMS carries a column, by its type and the endpoints' settings; and a table as the data plane sees it.

use super::mapping::LobRule;
use super::settings::TargetMetadata;

/// How the two endpoints' settings change the way of some types. A mapping counts only when both endpoints have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TypeMappings {
    /// `MapBooleanAsBoolean`.
    pub(crate) boolean_as_boolean: bool,
    /// `MapUnboundedNumericAsString`.
    pub(crate) unbounded_numeric_as_string: bool,
    /// `unboundedVarcharMaxSize`, characters.
    pub(crate) unbounded_varchar_max: u64,
}

/// A type's facts from the catalogs, domains already followed to their base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TypeFacts {
    /// `pg_type.typname` of the base type.
    pub(crate) name: String,
    /// Its schema.
    pub(crate) schema: String,
    /// `pg_type.typtype` of the base type.
    pub(crate) kind: char,
    /// Whether it is an array.
    pub(crate) is_array: bool,
    /// The column's or the domain's type modifier, -1 for none.
    pub(crate) modifier: i32,
}

/// The way of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carriage {
    /// As it is.
    Plain,
    /// As `true` and `false` in a varchar(5).
    BooleanAsText,
    /// Rounded to (28,6).
    NumericAsDecimal,
    /// As text; more than 28 digits do not pass as a change.
    NumericAsText,
    /// Cut at so many characters.
    UnboundedVarchar(u64),
    /// As it is, infinities clamped.
    Timestamp,
    /// As such, without its zone: what the source's session calls its time of day.
    ZonedTimestamp,
    /// Hours, minutes and seconds; fraction and zone are cut.
    TimeOfDay,
    /// As a large value.
    Lob,
    /// As a large value of bytes.
    BinaryLob,
    /// Not at all: a value makes the table fail, null passes.
    Unsupported,
}

/// Types of PostgreSQL that DMS's documentation lists as not supported.
const UNSUPPORTED: [&str; 11] =
    ["inet", "macaddr", "macaddr8", "tsvector", "tsquery", "line", "lseg", "box", "path", "circle", "oid"];

/// Types that become CLOB, NCLOB or BLOB.
const LOBS: [&str; 9] = ["text", "citext", "json", "jsonb", "xml", "hstore", "polygon", "geometry", "geography"];

/// How a column of a type travels.
pub(crate) fn carriage(facts: &TypeFacts, mappings: &TypeMappings) -> Carriage {
    if facts.is_array {
        return Carriage::Lob;
    }
    let name = facts.name.as_str();
    if facts.kind != 'b' || UNSUPPORTED.contains(&name) {
        return Carriage::Unsupported;
    }
    match name {
        "bytea" => Carriage::BinaryLob,
        "bool" if !mappings.boolean_as_boolean => Carriage::BooleanAsText,
        "numeric" if facts.modifier < 0 && mappings.unbounded_numeric_as_string => Carriage::NumericAsText,
        "numeric" if facts.modifier < 0 => Carriage::NumericAsDecimal,
        "varchar" if facts.modifier < 0 => Carriage::UnboundedVarchar(mappings.unbounded_varchar_max),
        "timestamp" => Carriage::Timestamp,
        "timestamptz" => Carriage::ZonedTimestamp,
        "time" | "timetz" => Carriage::TimeOfDay,
        _ if LOBS.contains(&name) => Carriage::Lob,
        _ if facts.schema == "pg_catalog" => Carriage::Plain,
        _ => Carriage::Unsupported,
    }
}

/// A column that the task carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// The type's name with its modifier, as a cast on the target writes it.
    pub(crate) type_name: String,
    pub(crate) carriage: Carriage,
    pub(crate) is_array: bool,
    pub(crate) not_null: bool,
}

impl Column {
    /// Whether it travels apart from its row.
    pub(crate) fn is_lob(&self) -> bool {
        matches!(self.carriage, Carriage::Lob | Carriage::BinaryLob)
    }
}

/// How a table's large values travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LobMode {
    /// Whole, in a second statement; in the load only those of more than so many KB.
    Full(u64),
    /// With their row, cut at so many KB.
    Limited(u64),
    /// Not at all.
    NotCarried,
}

/// The way of a table's large values: its own rule, then the task's settings; without a key they do not travel.
pub(crate) fn lob_mode(rule: Option<LobRule>, settings: &TargetMetadata, has_key: bool) -> LobMode {
    match rule {
        _ if !has_key => LobMode::NotCarried,
        Some(LobRule::None) => LobMode::NotCarried,
        Some(LobRule::Limited(kilobytes)) => LobMode::Limited(kilobytes),
        Some(LobRule::Unlimited) => LobMode::Full(settings.inline_lob_max_size),
        None if settings.full_lob_mode => LobMode::Full(settings.inline_lob_max_size),
        None => LobMode::Limited(settings.lob_max_size),
    }
}

/// How the row of a change is found on the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Identity {
    /// By a key's columns, which stay the same; positions in [`Table::columns`].
    Key(Vec<usize>),
    /// By every column that can be compared: `REPLICA IDENTITY FULL` without a key.
    FullRow,
    /// Not at all: updates and deletes are dropped.
    None,
}

/// A selected table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) schema: String,
    pub(crate) name: String,
    /// Columns that the task carries, in the table's order.
    pub(crate) columns: Vec<Column>,
    pub(crate) lob_mode: LobMode,
    /// The columns that find a row's large values: a primary key, else a unique key without nulls.
    pub(crate) lob_key: Option<Vec<usize>>,
    /// The primary key's columns, for a table that DMS makes.
    pub(crate) primary_key: Option<Vec<usize>>,
    pub(crate) identity: Identity,
    /// The columns that an old row shows: the replica identity's, where it is an index.
    pub(crate) identity_index: Option<Vec<usize>>,
    /// Rows by the source's statistics.
    pub(crate) estimated_rows: u64,
    pub(crate) load_order: i64,
    /// Why DMS would not take the table at all.
    pub(crate) refusal: Option<String>,
}

impl Table {
    /// The quoted name.
    pub(crate) fn qualified(&self) -> String {
        format!("{}.{}", quoted(&self.schema), quoted(&self.name))
    }

    /// Positions of the large columns.
    pub(crate) fn lobs(&self) -> Vec<usize> {
        (0..self.columns.len()).filter(|position| self.columns[*position].is_lob()).collect()
    }

    /// The position of a column.
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }
}

/// A name in double quotes, safe in any statement.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text in single quotes.
pub(crate) fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') { format!(" E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

/// What the load selects for a column.
pub(crate) fn select_expression(column: &Column, lob_mode: LobMode) -> String {
    let name = quoted(&column.name);
    match (column.carriage, lob_mode) {
        (Carriage::Plain | Carriage::NumericAsText, _) => name,
        (Carriage::BooleanAsText, _) => format!("{name}::text"),
        (Carriage::TimeOfDay, _) => format!("left({name}::text, {TIME_OF_DAY})"),
        (Carriage::NumericAsDecimal, _) => format!("{name}::numeric(28,6)"),
        (Carriage::UnboundedVarchar(limit), _) => format!("left({name}, {limit})"),
        (Carriage::Timestamp, _) => {
            format!("CASE {name} WHEN 'infinity' THEN '{LATEST}' WHEN '-infinity' THEN '{EARLIEST}' ELSE {name} END")
        }
        (Carriage::ZonedTimestamp, _) => format!(
            "CASE {name} WHEN 'infinity' THEN '{LATEST}' WHEN '-infinity' THEN '{EARLIEST}' ELSE {name}::timestamp END"
        ),
        (Carriage::Lob | Carriage::BinaryLob, LobMode::Limited(kilobytes)) => limited_expression(column, kilobytes),
        (Carriage::Lob | Carriage::BinaryLob, LobMode::Full(inline)) if inline > 0 => {
            format!("CASE WHEN NOT {} THEN {name} END", travels_apart(column, inline))
        }
        (Carriage::Lob | Carriage::BinaryLob | Carriage::Unsupported, _) => "NULL".to_owned(),
    }
}

/// Characters of a time of day as DMS has it: `23:59:59`.
pub(crate) const TIME_OF_DAY: usize = 8;
/// What DMS makes of an infinite timestamp.
pub(crate) const LATEST: &str = "9999-12-31 23:59:59";
/// What DMS makes of a negative infinite timestamp.
pub(crate) const EARLIEST: &str = "4713-01-01 00:00:00 BC";

/// Whether a value of a load in full LOB mode comes in a second statement: with `InlineLobMaxSize` only a larger one does.
pub(crate) fn travels_apart(column: &Column, inline_kilobytes: u64) -> String {
    let name = quoted(&column.name);
    match (inline_kilobytes, column.carriage) {
        (0, _) => format!("({name} IS NOT NULL)"),
        (kilobytes, Carriage::BinaryLob) => format!("coalesce(octet_length({name}) > {}, false)", kilobytes * 1024),
        (kilobytes, _) => format!("coalesce(octet_length({name}::text) > {}, false)", kilobytes * 1024),
    }
}

/// Bytes of a binary value that a limit holds: the limit must be three times the value's size.
fn binary_limit(kilobytes: u64) -> u64 {
    kilobytes * 1024 / 3
}

/// A large value cut at `LobMaxSize`. Text counts two bytes a character and four outside the basic plane.
fn limited_expression(column: &Column, kilobytes: u64) -> String {
    let name = quoted(&column.name);
    if column.carriage == Carriage::BinaryLob {
        let bytes = binary_limit(kilobytes);
        return format!("substring({name} FROM 1 FOR {bytes})");
    }
    let units = kilobytes * 1024 / 2;
    let text = format!("{name}::text");
    let head = format!("left({text}, {units})");
    let wide =
        format!("char_length({head}) - char_length(regexp_replace({head}, '[\\U00010000-\\U0010FFFF]', '', 'g'))");
    format!("CASE WHEN octet_length({text}) <= {units} THEN {text} ELSE left({text}, {units} - ({wide})) END")
}

/// Whether a large value as text is cut in limited mode, and what is left of it.
pub(crate) fn limited_value(column: &Column, value: &str, kilobytes: u64) -> Option<String> {
    if column.carriage == Carriage::BinaryLob {
        let digits = usize::try_from(binary_limit(kilobytes) * 2).unwrap_or(usize::MAX);
        return (value.len() > digits + 2).then(|| value[..digits + 2].to_owned());
    }
    let units = usize::try_from(kilobytes * 1024 / 2).unwrap_or(usize::MAX);
    if value.len() <= units || value.encode_utf16().count() <= units {
        return None;
    }
    let wide = value.chars().take(units).filter(|character| character.len_utf16() == 2).count();
    Some(value.chars().take(units - wide).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_MAPPINGS: TypeMappings =
        TypeMappings { boolean_as_boolean: false, unbounded_numeric_as_string: false, unbounded_varchar_max: 8000 };

    fn facts(name: &str, kind: char, modifier: i32) -> TypeFacts {
        TypeFacts { name: name.to_owned(), schema: "pg_catalog".to_owned(), kind, is_array: false, modifier }
    }

    fn column(carriage: Carriage) -> Column {
        Column { name: "c".to_owned(), type_name: "text".to_owned(), carriage, is_array: false, not_null: false }
    }

    #[test]
    fn types_travel_as_documented() {
        let mapped = TypeMappings { boolean_as_boolean: true, unbounded_numeric_as_string: true, ..NO_MAPPINGS };
        let cases = [
            (facts("int4", 'b', -1), NO_MAPPINGS, Carriage::Plain),
            (facts("bpchar", 'b', 14), NO_MAPPINGS, Carriage::Plain),
            (facts("varchar", 'b', 14), NO_MAPPINGS, Carriage::Plain),
            (facts("varchar", 'b', -1), NO_MAPPINGS, Carriage::UnboundedVarchar(8000)),
            (facts("numeric", 'b', 655_366), NO_MAPPINGS, Carriage::Plain),
            (facts("numeric", 'b', -1), NO_MAPPINGS, Carriage::NumericAsDecimal),
            (facts("numeric", 'b', -1), mapped, Carriage::NumericAsText),
            (facts("bool", 'b', -1), NO_MAPPINGS, Carriage::BooleanAsText),
            (facts("bool", 'b', -1), mapped, Carriage::Plain),
            (facts("text", 'b', -1), NO_MAPPINGS, Carriage::Lob),
            (facts("jsonb", 'b', -1), NO_MAPPINGS, Carriage::Lob),
            (facts("bytea", 'b', -1), NO_MAPPINGS, Carriage::BinaryLob),
            (facts("timestamptz", 'b', -1), NO_MAPPINGS, Carriage::ZonedTimestamp),
            (facts("uuid", 'b', -1), NO_MAPPINGS, Carriage::Plain),
            (facts("cidr", 'b', -1), NO_MAPPINGS, Carriage::Plain),
            (facts("money", 'b', -1), NO_MAPPINGS, Carriage::Plain),
            (facts("time", 'b', -1), NO_MAPPINGS, Carriage::TimeOfDay),
            (facts("timetz", 'b', 3), NO_MAPPINGS, Carriage::TimeOfDay),
            (facts("oid", 'b', -1), NO_MAPPINGS, Carriage::Unsupported),
            (facts("inet", 'b', -1), NO_MAPPINGS, Carriage::Unsupported),
            (facts("tsvector", 'b', -1), NO_MAPPINGS, Carriage::Unsupported),
            (facts("mood", 'e', -1), NO_MAPPINGS, Carriage::Unsupported),
            (facts("int4range", 'r', -1), NO_MAPPINGS, Carriage::Unsupported),
            (facts("pair", 'c', -1), NO_MAPPINGS, Carriage::Unsupported),
        ];

        for (facts, mappings, expected) in cases {
            assert_eq!(carriage(&facts, &mappings), expected, "{facts:?}");
        }
        let array = TypeFacts { is_array: true, ..facts("_mood", 'b', -1) };
        assert_eq!(carriage(&array, &NO_MAPPINGS), Carriage::Lob);
        let foreign = TypeFacts { schema: "public".to_owned(), ..facts("vector", 'b', -1) };
        assert_eq!(carriage(&foreign, &NO_MAPPINGS), Carriage::Unsupported);
        let extension = TypeFacts { schema: "public".to_owned(), ..facts("citext", 'b', -1) };
        assert_eq!(carriage(&extension, &NO_MAPPINGS), Carriage::Lob);
    }

    #[test]
    fn large_values_need_a_key_and_a_rule_of_the_table_wins() {
        let settings = |full_lob_mode| TargetMetadata {
            support_lobs: true,
            full_lob_mode,
            lob_max_size: 32,
            inline_lob_max_size: 16,
            task_recovery_table_enabled: false,
        };
        let cases = [
            (None, true, true, LobMode::Full(16)),
            (None, false, true, LobMode::Limited(32)),
            (Some(LobRule::Limited(8)), true, true, LobMode::Limited(8)),
            (Some(LobRule::Unlimited), false, true, LobMode::Full(16)),
            (Some(LobRule::None), true, true, LobMode::NotCarried),
            (None, true, false, LobMode::NotCarried),
        ];

        for (rule, full, has_key, expected) in cases {
            assert_eq!(lob_mode(rule, &settings(full), has_key), expected);
        }
    }

    #[test]
    fn limited_values_are_cut_in_two_byte_units() {
        let text = column(Carriage::Lob);
        let bytes = column(Carriage::BinaryLob);
        let cases = [
            (&text, "x".repeat(512), None),
            (&text, "x".repeat(513), Some("x".repeat(512))),
            (&text, "ü".repeat(512), None),
            (&text, "🐘".repeat(256), None),
            (&text, "🐘".repeat(300), Some("🐘".repeat(212))),
            (&bytes, format!("\\x{}", "00".repeat(341)), None),
            (&bytes, format!("\\x{}", "00".repeat(342)), Some(format!("\\x{}", "00".repeat(341)))),
        ];

        for (column, value, expected) in cases {
            assert_eq!(limited_value(column, &value, 1), expected, "{} bytes", value.len());
        }
    }

    #[test]
    fn texts_and_names_are_quoted() {
        assert_eq!(quoted("a\"b"), "\"a\"\"b\"");
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal("a\\b"), " E'a\\\\b'");
    }
}
