//! How each type of PostgreSQL travels through DMS: the one table that preflight, and whoever asks, goes by.
//!
//! Sources, unless a row says otherwise: AWS DMS user guide, "Using a PostgreSQL database as an AWS DMS source" (source
//! data types, limitations, data types that do not move) and "LOB support for source databases". A type that is not in
//! the table does not travel.

use Evidence::{Assumed, Documented};
use Travel::{Apart, Blocked, InRow};
use ValueTest::{Characters8000, Digits28, Finite, Number};

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
    DataType { name, travel, test, evidence }
}

/// An array of whatever element travels.
pub const ARRAY: DataType = row("array", Apart, None, Documented);
/// What the table does not know.
pub const UNKNOWN: DataType = row("unknown type", Blocked, None, Assumed);

/// Kinds that users define.
const KINDS: &[(char, DataType)] = &[
    ('e', row("enum", Blocked, None, Documented)),
    ('c', row("composite", Blocked, None, Documented)),
    ('r', row("range", Blocked, None, Documented)),
    ('m', row("multirange", Blocked, None, Assumed)), // newer than the documentation's list; a set of ranges
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
    row("time", InRow, None, Documented),
    row("timestamp", InRow, Some(Finite), Documented),
    row("timestamptz", InRow, Some(Finite), Documented),
    row("uuid", InRow, None, Documented),
    row("bit", InRow, None, Documented),
    row("varbit", InRow, None, Documented),
    row("timetz", InRow, None, Assumed),   // "partly"
    row("interval", InRow, None, Assumed), // "partly"
    row("money", InRow, None, Assumed),    // becomes NUMERIC(38,4) on the way
    row("point", InRow, None, Assumed),    // becomes a string on the way
    row("char", InRow, None, Assumed),
    row("name", InRow, None, Assumed),
    row("oid", InRow, None, Assumed),
    row("text", Apart, None, Documented),
    row("citext", Apart, None, Documented),
    row("bytea", Apart, None, Documented),
    row("json", Apart, None, Documented),
    row("jsonb", Apart, None, Documented),
    row("xml", Apart, None, Assumed), // "partly"
    row("hstore", Apart, None, Documented),
    row("polygon", Apart, None, Assumed), // listed as CLOB, and not among those that do not move
    row("inet", Blocked, None, Documented),
    row("cidr", Blocked, None, Assumed), // a kind of inet
    row("macaddr", Blocked, None, Documented),
    row("macaddr8", Blocked, None, Assumed), // a kind of macaddr
    row("tsvector", Blocked, None, Documented),
    row("tsquery", Blocked, None, Documented),
    row("line", Blocked, None, Documented),
    row("lseg", Blocked, None, Documented),
    row("box", Blocked, None, Documented),
    row("path", Blocked, None, Documented),
    row("circle", Blocked, None, Documented),
];

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
    fn types_are_found_by_kind_modifier_and_name() {
        let cases = [
            (PLAIN, InRow, None),
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
        }
    }
}
