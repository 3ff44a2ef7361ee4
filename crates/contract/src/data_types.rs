//! How each type of PostgreSQL travels through DMS: the one table that preflight, and whoever asks, goes by.
//!
//! Sources, unless a row says otherwise: AWS DMS user guide, "Using a PostgreSQL database as an AWS DMS source" (source
//! data types, limitations, data types that do not move) and "LOB support for source databases". A type that is not in
//! the table does not travel.

use Evidence::{Assumed, Documented};
use Travel::{Apart, Blocked, InRow};
use ValueTest::{Characters8000, Digits28, Finite, Number, WholeSeconds};

/// How a value gets to the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Travel {
    /// With its row.
    InRow,
    /// Apart from its row, read again from the source: needs a key, and a column that may be null for a moment.
    Apart,
    /// Not at all.
    Blocked,
}

/// What the values themselves must be like, because some do not arrive as they left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ValueTest {
    /// No infinity: DMS clamps it.
    Finite,
    /// At most 28 significant digits, and a number: more do not pass as a change.
    Digits28,
    /// A number: no NaN, no infinity.
    Number,
    /// At most 8,000 characters: DMS cuts a varchar without a length there.
    Characters8000,
    /// No fraction of a second: DMS's type for a time of day has none.
    WholeSeconds,
}

impl ValueTest {
    /// Every one.
    pub const ALL: &[ValueTest] = &[Finite, Digits28, Number, Characters8000, WholeSeconds];

    /// Its name where a database keeps it.
    pub fn word(self) -> &'static str {
        match self {
            Finite => "finite",
            Digits28 => "digits-28",
            Number => "number",
            Characters8000 => "characters-8000",
            WholeSeconds => "whole-seconds",
        }
    }

    /// Whether a value, as PostgreSQL prints it, arrives as it left.
    pub fn admits(self, text: &str) -> bool {
        let is_number = !["NaN", "Infinity", "-Infinity"].contains(&text);
        match self {
            Finite => !["infinity", "-infinity"].contains(&text),
            Number => is_number,
            Digits28 => {
                let digits = text.bytes().filter(u8::is_ascii_digit).skip_while(|digit| *digit == b'0').count();
                is_number && digits <= 28
            }
            Characters8000 => text.len() <= 8_000 || text.chars().count() <= 8_000,
            WholeSeconds => !text.contains('.'),
        }
    }

    /// A value that it does not admit, in words.
    pub fn offence(self) -> &'static str {
        match self {
            Finite => "an infinite date, which DMS clamps",
            Number => "NaN or an infinity, which DMS does not carry",
            Digits28 => "a number that DMS does not carry (more than 28 digits, NaN or an infinity)",
            Characters8000 => "a text of more than 8,000 characters, which DMS truncates",
            WholeSeconds => "a time of day with a fraction of a second, which DMS drops",
        }
    }
}

/// On what a row of the table rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// AWS says so.
    Documented,
    /// AWS is silent or says "partly" without a word on what is lost.
    Assumed,
}

/// One type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DataType {
    /// `pg_type.typname`, or a word for a whole kind of types.
    pub name: &'static str,
    /// How its values travel.
    pub travel: Travel,
    /// What its values must be like.
    pub test: Option<ValueTest>,
    /// On what that rests.
    pub evidence: Evidence,
    /// Why its values do not travel; empty where they do.
    pub why_not: &'static str,
}

/// What the catalogs say of a column's type, domains followed to their base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BaseType<'a> {
    /// `pg_type.typname` of the type, or of an array's element type.
    pub name: &'a str,
    /// Its `pg_type.typtype`: `b`, `c`, `e`, `r`, `m`, `p`.
    pub kind: char,
    /// It is in `pg_catalog`, or belongs to an extension: nobody else's type of that name.
    pub known: bool,
    /// It has a modifier: `numeric(10,2)`.
    pub bounded: bool,
    /// The column holds arrays of it.
    pub array: bool,
}

const fn row(name: &'static str, travel: Travel, test: Option<ValueTest>, evidence: Evidence) -> DataType {
    DataType { name, travel, test, evidence, why_not: "" }
}

const fn blocked(name: &'static str, why_not: &'static str, evidence: Evidence) -> DataType {
    DataType { name, travel: Blocked, test: None, evidence, why_not }
}

const LISTED: &str = "AWS lists it among the types that DMS does not migrate";
const NOT_LISTED: &str = "AWS does not list it among the types that DMS supports";

/// An array of whatever element travels.
pub const ARRAY: DataType = row("array", Apart, None, Documented);
/// What the table does not know.
pub const UNKNOWN: DataType = blocked("unknown type", NOT_LISTED, Assumed);

/// Kinds that users define.
const KINDS: &[(char, DataType)] = &[
    ('e', blocked("enum", LISTED, Documented)),
    ('c', blocked("composite", LISTED, Documented)),
    ('r', blocked("range", LISTED, Documented)),
    ('m', blocked("multirange", NOT_LISTED, Assumed)), // newer than the documentation's list; a set of ranges
];

/// Types whose modifier makes the difference: without one.
const UNBOUNDED: &[DataType] = &[
    row("numeric", InRow, Some(Digits28), Documented), // with MapUnboundedNumericAsString on both endpoints
    row("varchar", InRow, Some(Characters8000), Documented), // unboundedVarcharMaxSize
    row("bpchar", InRow, Some(Characters8000), Assumed),
];

/// All others, by name.
pub const TABLE: &[DataType] = &[
    row("int2", InRow, None, Documented),
    row("int4", InRow, None, Documented),
    row("int8", InRow, None, Documented),
    row("float4", InRow, None, Documented),
    row("float8", InRow, None, Documented),
    row("numeric", InRow, Some(Number), Documented),
    row("bool", InRow, None, Documented), // with MapBooleanAsBoolean on both endpoints
    row("bpchar", InRow, None, Documented),
    row("varchar", InRow, None, Documented),
    row("date", InRow, Some(Finite), Documented),
    row("time", InRow, Some(WholeSeconds), Documented), // DMS's TIME: hours, minutes, seconds
    row("timestamp", InRow, Some(Finite), Documented),
    row("timestamptz", InRow, Some(Finite), Documented),
    row("uuid", InRow, None, Documented),
    row("bit", InRow, None, Documented),
    row("varbit", InRow, None, Documented),
    row("interval", InRow, None, Assumed), // "partly"
    row("money", InRow, None, Documented), // becomes NUMERIC(38,4) on the way
    row("cidr", InRow, None, Documented),
    row("point", InRow, None, Assumed), // becomes a string on the way
    row("char", InRow, None, Assumed),
    row("name", InRow, None, Assumed),
    row("text", Apart, None, Documented),
    row("citext", Apart, None, Documented),
    row("bytea", Apart, None, Documented),
    row("json", Apart, None, Documented),
    row("jsonb", Apart, None, Documented),
    row("xml", Apart, None, Assumed), // "partly"
    row("hstore", Apart, None, Documented),
    row("geometry", Apart, None, Documented), // of PostGIS, from PostgreSQL to PostgreSQL
    row("geography", Apart, None, Documented),
    row("polygon", Apart, None, Assumed), // listed as CLOB, and not among those that do not move
    blocked("timetz", "DMS carries it as TIME, which has hours, minutes and seconds, but no time zone", Documented),
    blocked("oid", "AWS says that DMS does not migrate the OID type", Documented),
    blocked("inet", LISTED, Documented),
    blocked("macaddr", LISTED, Documented),
    blocked("macaddr8", NOT_LISTED, Assumed), // a kind of macaddr
    blocked("tsvector", LISTED, Documented),
    blocked("tsquery", LISTED, Documented),
    blocked("line", LISTED, Documented),
    blocked("lseg", LISTED, Documented),
    blocked("box", LISTED, Documented),
    blocked("path", LISTED, Documented),
    blocked("circle", LISTED, Documented),
];

/// The tests that columns of one type go by: its name, whether it has a modifier, the test.
pub fn tests() -> impl Iterator<Item = (&'static str, bool, ValueTest)> {
    let of_name = |name, bounded| of(BaseType { name, kind: 'b', known: true, bounded, array: false }).test;
    let both = TABLE.iter().flat_map(|row| [(row.name, true), (row.name, false)]);
    both.filter_map(move |(name, bounded)| Some((name, bounded, of_name(name, bounded)?)))
}

/// How a column of this type travels.
pub fn of(base: BaseType<'_>) -> DataType {
    let element = of_element(base);
    match (base.array, element.travel) {
        (true, InRow | Apart) => ARRAY,
        _ => element,
    }
}

fn of_element(base: BaseType<'_>) -> DataType {
    if let Some((_, kind)) = KINDS.iter().find(|(kind, _)| *kind == base.kind) {
        return *kind;
    }
    let named = |table: &'static [DataType]| table.iter().find(|data_type| data_type.name == base.name).copied();
    let unbounded = if base.bounded { None } else { named(UNBOUNDED) };
    match (base.kind, base.known) {
        ('b', true) => unbounded.or_else(|| named(TABLE)).unwrap_or(UNKNOWN),
        _ => UNKNOWN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    const PLAIN: BaseType<'_> = BaseType { name: "int4", kind: 'b', known: true, bounded: false, array: false };

    #[test]
    fn every_type_travels_one_way() {
        let names: HashSet<_> = TABLE.iter().map(|data_type| data_type.name).collect();

        assert_eq!(names.len(), TABLE.len());
        assert!(UNBOUNDED.iter().all(|data_type| names.contains(data_type.name)));
    }

    #[test]
    fn a_value_that_does_not_arrive_is_told_from_one_that_does() {
        let cases = [
            (Finite, "9999-12-31", true),
            (Finite, "-infinity", false),
            (Number, "1e300", true),
            (Number, "NaN", false),
            (Digits28, "-0.0000000000000000000000000000000012", true),
            (Digits28, "12345678901234567890.123456789", false),
            (Digits28, "Infinity", false),
            (Characters8000, &"é".repeat(8_000), true),
            (Characters8000, &"é".repeat(8_001), false),
            (WholeSeconds, "23:59:59", true),
            (WholeSeconds, "23:59:59.5", false),
        ];
        for (test, text, admitted) in cases {
            assert_eq!(test.admits(text), admitted, "{test:?} {text:.40}");
        }
    }

    #[test]
    fn every_test_has_types_that_go_by_it() {
        let all: Vec<_> = tests().collect();

        assert!(ValueTest::ALL.iter().all(|test| all.iter().any(|(.., used)| used == test)), "{all:?}");
        assert!(all.contains(&("numeric", true, Number)) && all.contains(&("numeric", false, Digits28)));
        assert!(!all.iter().any(|(name, bounded, _)| (*name, *bounded) == ("varchar", true)));
    }

    #[test]
    fn types_are_found_by_kind_modifier_and_name() {
        let cases = [
            (PLAIN, InRow, None),
            (BaseType { name: "cidr", ..PLAIN }, InRow, None),
            (BaseType { name: "money", ..PLAIN }, InRow, None),
            (BaseType { name: "time", bounded: true, ..PLAIN }, InRow, Some(WholeSeconds)),
            (BaseType { name: "timetz", ..PLAIN }, Blocked, None),
            (BaseType { name: "oid", ..PLAIN }, Blocked, None),
            (BaseType { name: "geometry", bounded: true, ..PLAIN }, Apart, None),
            (BaseType { name: "numeric", ..PLAIN }, InRow, Some(Digits28)),
            (BaseType { name: "numeric", bounded: true, ..PLAIN }, InRow, Some(Number)),
            (BaseType { name: "varchar", ..PLAIN }, InRow, Some(Characters8000)),
            (BaseType { name: "varchar", bounded: true, ..PLAIN }, InRow, None),
            (BaseType { name: "timestamptz", bounded: true, ..PLAIN }, InRow, Some(Finite)),
            (BaseType { name: "jsonb", ..PLAIN }, Apart, None),
            (BaseType { array: true, ..PLAIN }, Apart, None),
            (BaseType { name: "inet", array: true, ..PLAIN }, Blocked, None),
            (BaseType { name: "mood", kind: 'e', known: false, ..PLAIN }, Blocked, None),
            (BaseType { name: "mood", kind: 'e', known: false, array: true, ..PLAIN }, Blocked, None),
            (BaseType { name: "int4", kind: 'c', known: false, ..PLAIN }, Blocked, None),
            (BaseType { name: "int4", known: false, ..PLAIN }, Blocked, None),
            (BaseType { name: "vector", ..PLAIN }, Blocked, None),
            (BaseType { name: "regproc", ..PLAIN }, Blocked, None),
        ];
        for (base, travel, test) in cases {
            let found = of(base);

            assert_eq!((found.travel, found.test), (travel, test), "{base:?}");
            assert_eq!(found.why_not.is_empty(), travel != Blocked, "{base:?}");
        }
    }
}
