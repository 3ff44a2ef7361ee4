//! A change as the statements that carry it out on the target. Pure: a table and a row in, SQL and values out.

use super::columns::{Carriage, Column, EARLIEST, Identity, LATEST, LobMode, TIME_OF_DAY, Table, literal, quoted};
use super::test_decoding::{Datum, Operation, Row, Tuple};

/// Digits that a numeric without precision keeps as a change.
const NUMERIC_DIGITS: usize = 28;

/// A statement with its values in text form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statement {
    pub(crate) sql: String,
    pub(crate) values: Vec<Option<String>>,
}

/// Large values to be read from the source and written to the row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LobWork {
    /// Positions of the columns.
    pub(crate) columns: Vec<usize>,
    /// The row's key, by the table's LOB key.
    pub(crate) key: Vec<String>,
}

/// A change, ready but for the large values of limited mode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Plan {
    /// DMS does not carry it.
    Ignored,
    /// DMS cannot carry it.
    Refused(String),
    /// The row without its large values, and those that follow in a second statement.
    Write {
        operation: Operation,
        assignments: Vec<Assignment>,
        /// The row's place: empty for an insert.
        place: Vec<Assignment>,
        lobs: Option<LobWork>,
    },
}

/// A column and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Assignment {
    pub(crate) column: usize,
    pub(crate) value: Option<String>,
}

/// What a change means for the target.
pub(crate) fn plan(table: &Table, operation: Operation, row: &Row) -> Plan {
    let planned = match operation {
        Operation::Insert => plan_insert(table, row),
        Operation::Update => plan_update(table, row),
        Operation::Delete => plan_delete(table, row),
    };
    planned.unwrap_or_else(Plan::Refused)
}

fn plan_insert(table: &Table, row: &Row) -> Result<Plan, String> {
    let Some(new) = &row.new else { return Ok(Plan::Ignored) };
    let (assignments, lobs) = new_values(table, new, true)?;
    Ok(Plan::Write { operation: Operation::Insert, assignments, place: Vec::new(), lobs })
}

fn plan_update(table: &Table, row: &Row) -> Result<Plan, String> {
    let Some(new) = &row.new else { return Ok(Plan::Ignored) };
    let place = match &table.identity {
        Identity::None => return Ok(Plan::Ignored),
        Identity::FullRow => match &row.old {
            Some(old) => full_row(table, old)?,
            None => return Ok(Plan::Ignored),
        },
        Identity::Key(key) => {
            let Some(place) = key_values(table, key, new)? else { return Ok(Plan::Ignored) };
            let moved = row.old.as_ref().map(|old| key_values(table, key, old)).transpose()?.flatten();
            if moved.is_some_and(|old_place| old_place != place) {
                return Ok(Plan::Ignored);
            }
            place
        }
    };
    let (mut assignments, lobs) = new_values(table, new, false)?;
    if let Identity::Key(key) = &table.identity {
        assignments.retain(|assignment| !key.contains(&assignment.column));
    }
    Ok(Plan::Write { operation: Operation::Update, assignments, place, lobs })
}

fn plan_delete(table: &Table, row: &Row) -> Result<Plan, String> {
    let Some(old) = &row.old else { return Ok(Plan::Ignored) };
    let place = match &table.identity {
        Identity::None => None,
        Identity::FullRow => Some(full_row(table, old)?),
        Identity::Key(key) => match key_values(table, key, old)? {
            Some(place) => Some(place),
            None => table.identity_index.as_ref().map(|index| key_values(table, index, old)).transpose()?.flatten(),
        },
    };
    Ok(place.map_or(Plan::Ignored, |place| Plan::Write {
        operation: Operation::Delete,
        assignments: Vec::new(),
        place,
        lobs: None,
    }))
}

/// Values of a new row: plain ones to be written with it, large ones to be looked up.
fn new_values(table: &Table, new: &Tuple, is_insert: bool) -> Result<(Vec<Assignment>, Option<LobWork>), String> {
    let mut assignments = Vec::with_capacity(new.len());
    let mut lobs = Vec::new();
    for (name, datum) in new {
        let Some(position) = table.position(name) else { continue };
        let column = &table.columns[position];
        match datum {
            Datum::UnchangedToast => {}
            Datum::Null => assignments.push(Assignment { column: position, value: None }),
            Datum::Text(_) if column.is_lob() && table.lob_mode == LobMode::NotCarried => {}
            Datum::Text(_) if column.is_lob() => {
                lobs.push(position);
                if is_insert {
                    assignments.push(Assignment { column: position, value: None });
                }
            }
            Datum::Text(text) => {
                let value = Some(carried(column, text)?);
                assignments.push(Assignment { column: position, value });
            }
        }
    }
    if lobs.is_empty() {
        return Ok((assignments, None));
    }
    let key = table.lob_key.as_deref().unwrap_or_default();
    let key = key_values(table, key, new)?.unwrap_or_default();
    let key = key.into_iter().filter_map(|assignment| assignment.value).collect();
    Ok((assignments, Some(LobWork { columns: lobs, key })))
}

/// The key's values in a row; none if the row does not show all of them.
fn key_values(table: &Table, key: &[usize], tuple: &Tuple) -> Result<Option<Vec<Assignment>>, String> {
    let mut place = Vec::with_capacity(key.len());
    for position in key {
        let column = &table.columns[*position];
        match tuple.iter().find(|(name, _)| *name == column.name) {
            Some((_, Datum::Text(text))) => {
                place.push(Assignment { column: *position, value: Some(carried(column, text)?) });
            }
            _ => return Ok(None),
        }
    }
    Ok(Some(place))
}

/// Every comparable column of an old row; columns that it does not show were null.
fn full_row(table: &Table, old: &Tuple) -> Result<Vec<Assignment>, String> {
    let mut place = Vec::with_capacity(table.columns.len());
    for (position, column) in table.columns.iter().enumerate() {
        if column.is_lob() || column.carriage == Carriage::Unsupported {
            continue;
        }
        let value = match old.iter().find(|(name, _)| *name == column.name) {
            Some((_, Datum::Text(text))) => Some(carried(column, text)?),
            Some((_, Datum::UnchangedToast)) => continue,
            _ => None,
        };
        place.push(Assignment { column: position, value });
    }
    Ok(place)
}

/// A value as it arrives after DMS's types in between.
fn carried(column: &Column, text: &str) -> Result<String, String> {
    match column.carriage {
        Carriage::Unsupported => Err(format!("Data type of column '{}' is not supported", column.name)),
        Carriage::NumericAsText => {
            let digits = text.bytes().filter(u8::is_ascii_digit).count();
            if digits > NUMERIC_DIGITS {
                return Err(format!("Numeric value of column '{}' has more than 28 digits", column.name));
            }
            Ok(text.to_owned())
        }
        Carriage::UnboundedVarchar(limit) => {
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            Ok(text.chars().take(limit).collect())
        }
        Carriage::TimeOfDay => Ok(text.chars().take(TIME_OF_DAY).collect()),
        Carriage::Timestamp | Carriage::ZonedTimestamp => Ok(match text {
            "infinity" => LATEST.to_owned(),
            "-infinity" => EARLIEST.to_owned(),
            finite if column.carriage == Carriage::ZonedTimestamp => without_zone(finite),
            finite => finite.to_owned(),
        }),
        _ => Ok(text.to_owned()),
    }
}

/// `2020-10-25 02:30:00+01` without its last part, which is there in every style but that of ISO too, as a word.
fn without_zone(text: &str) -> String {
    let (text, era) = text.strip_suffix(" BC").map_or((text, ""), |text| (text, " BC"));
    let time = text.find(' ').map_or(0, |at| at + 1);
    let zone = text[time..].find(['+', '-']).map_or(text.len(), |at| time + at);
    format!("{}{era}", &text[..zone])
}

/// How an insert treats a row that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnDuplicate {
    /// An error.
    Fail,
    /// Nothing: the load brought it.
    Keep,
}

/// The statement that writes a row.
pub(crate) fn write(
    table: &Table,
    operation: Operation,
    assignments: &[Assignment],
    place: &[Assignment],
    on_duplicate: OnDuplicate,
) -> Option<Statement> {
    let target = table.qualified();
    let mut values = Vec::with_capacity(assignments.len() + place.len());
    let sql = match operation {
        Operation::Insert => {
            let columns: Vec<_> =
                assignments.iter().map(|assignment| quoted(&table.columns[assignment.column].name)).collect();
            let marks: Vec<_> = assignments.iter().map(|assignment| mark(table, assignment, &mut values)).collect();
            let tail = if on_duplicate == OnDuplicate::Keep { " ON CONFLICT DO NOTHING" } else { "" };
            format!("INSERT INTO {target} ({}) VALUES ({}){tail}", columns.join(","), marks.join(","))
        }
        Operation::Update => {
            if assignments.is_empty() {
                return None;
            }
            let set = equations(table, assignments, &mut values, ",");
            format!("UPDATE {target} SET {set} WHERE {}", condition(table, place, &mut values))
        }
        Operation::Delete => format!("DELETE FROM {target} WHERE {}", condition(table, place, &mut values)),
    };
    Some(Statement { sql, values })
}

/// The second statement: large values of a row.
pub(crate) fn write_lobs(table: &Table, work: &LobWork, found: Vec<Option<String>>) -> Statement {
    let mut values = Vec::with_capacity(found.len() + work.key.len());
    let assignments: Vec<_> =
        work.columns.iter().zip(found).map(|(column, value)| Assignment { column: *column, value }).collect();
    let set = equations(table, &assignments, &mut values, ",");
    let place = lob_place(table, work);
    let sql = format!("UPDATE {} SET {set} WHERE {}", table.qualified(), condition(table, &place, &mut values));
    Statement { sql, values }
}

/// The look-up of a row's large values on the source.
pub(crate) fn read_lobs(table: &Table, work: &LobWork) -> Statement {
    let columns: Vec<_> =
        work.columns.iter().map(|column| format!("{}::text", quoted(&table.columns[*column].name))).collect();
    let mut values = Vec::with_capacity(work.key.len());
    let place = lob_place(table, work);
    let condition = condition(table, &place, &mut values);
    Statement { sql: format!("SELECT {} FROM {} WHERE {condition}", columns.join(","), table.qualified()), values }
}

fn lob_place(table: &Table, work: &LobWork) -> Vec<Assignment> {
    let key = table.lob_key.as_deref().unwrap_or_default();
    key.iter()
        .zip(&work.key)
        .map(|(column, value)| Assignment { column: *column, value: Some(value.clone()) })
        .collect()
}

fn mark(table: &Table, assignment: &Assignment, values: &mut Vec<Option<String>>) -> String {
    values.push(assignment.value.clone());
    match table.columns[assignment.column].carriage {
        Carriage::NumericAsDecimal => format!("CAST(${} AS numeric(28,6))", values.len()),
        _ => format!("${}", values.len()),
    }
}

fn equations(table: &Table, list: &[Assignment], values: &mut Vec<Option<String>>, separator: &str) -> String {
    let equations: Vec<_> = list
        .iter()
        .map(|assignment| {
            let name = quoted(&table.columns[assignment.column].name);
            format!("{name}={}", mark(table, assignment, values))
        })
        .collect();
    equations.join(separator)
}

fn condition(table: &Table, place: &[Assignment], values: &mut Vec<Option<String>>) -> String {
    let conditions: Vec<_> = place
        .iter()
        .map(|assignment| {
            let name = quoted(&table.columns[assignment.column].name);
            if assignment.value.is_none() {
                return format!("{name} IS NULL");
            }
            format!("{name}={}", mark(table, assignment, values))
        })
        .collect();
    if conditions.is_empty() { "false".to_owned() } else { conditions.join(" AND ") }
}

/// A statement with its values in it, as DMS writes it into its exceptions table.
pub(crate) fn as_text(statement: &Statement) -> String {
    let mut text = statement.sql.clone();
    for (number, value) in statement.values.iter().enumerate().rev() {
        let value = value.as_deref().map_or_else(|| "NULL".to_owned(), literal);
        text = text.replace(&format!("${}", number + 1), &value);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::test_decoding::parse_row;

    fn column(name: &str, carriage: Carriage) -> Column {
        Column { name: name.to_owned(), type_name: "text".to_owned(), carriage, is_array: false, not_null: false }
    }

    fn table(identity: Identity, lob_mode: LobMode) -> Table {
        Table {
            schema: "app".to_owned(),
            name: "T".to_owned(),
            columns: vec![
                column("id", Carriage::Plain),
                column("note", Carriage::Plain),
                column("body", Carriage::Lob),
            ],
            lob_mode,
            lob_key: Some(vec![0]),
            primary_key: Some(vec![0]),
            identity,
            identity_index: None,
            estimated_rows: 0,
            load_order: 0,
            refusal: None,
        }
    }

    fn sql(table: &Table, operation: Operation, text: &str) -> Vec<String> {
        let row = parse_row(operation, text).unwrap();
        match plan(table, operation, &row) {
            Plan::Ignored => vec!["ignored".to_owned()],
            Plan::Refused(reason) => vec![reason],
            Plan::Write { operation, assignments, place, lobs } => {
                let main = write(table, operation, &assignments, &place, OnDuplicate::Fail);
                let mut texts: Vec<_> = main.iter().map(as_text).collect();
                if let Some(work) = lobs {
                    texts.push(as_text(&read_lobs(table, &work)));
                    let found = work.columns.iter().map(|_| Some("re-read".to_owned())).collect();
                    texts.push(as_text(&write_lobs(table, &work, found)));
                }
                texts
            }
        }
    }

    #[test]
    fn a_row_is_written_first_and_its_large_values_after_it() {
        let keyed = table(Identity::Key(vec![0]), LobMode::Full(0));

        assert_eq!(
            sql(&keyed, Operation::Insert, " id[integer]:1 note[text]:'n' body[text]:'b'"),
            [
                r#"INSERT INTO "app"."T" ("id","note","body") VALUES ('1','n',NULL)"#,
                r#"SELECT "body"::text FROM "app"."T" WHERE "id"='1'"#,
                r#"UPDATE "app"."T" SET "body"='re-read' WHERE "id"='1'"#,
            ]
        );
        assert_eq!(
            sql(&keyed, Operation::Update, " id[integer]:1 note[text]:'n' body[text]:null"),
            [r#"UPDATE "app"."T" SET "note"='n',"body"=NULL WHERE "id"='1'"#]
        );
        assert_eq!(
            sql(&keyed, Operation::Update, " id[integer]:1 note[text]:'n' body[text]:unchanged-toast-datum"),
            [r#"UPDATE "app"."T" SET "note"='n' WHERE "id"='1'"#]
        );
        assert_eq!(sql(&keyed, Operation::Delete, " id[integer]:1"), [r#"DELETE FROM "app"."T" WHERE "id"='1'"#]);
    }

    #[test]
    fn what_dms_does_not_carry_is_ignored() {
        let keyed = table(Identity::Key(vec![0]), LobMode::Full(0));
        let keyless = table(Identity::None, LobMode::NotCarried);
        let cases = [
            (&keyed, Operation::Update, " old-key: id[integer]:1 new-tuple: id[integer]:2 note[text]:'n'"),
            (&keyed, Operation::Delete, " (no-tuple-data)"),
            (&keyless, Operation::Update, " id[integer]:1 note[text]:'n'"),
            (&keyless, Operation::Delete, " (no-tuple-data)"),
        ];

        for (table, operation, row) in cases {
            assert_eq!(sql(table, operation, row), ["ignored"], "{row}");
        }
        assert_eq!(
            sql(&keyless, Operation::Insert, " id[integer]:1 note[text]:'n' body[text]:'lost'"),
            [r#"INSERT INTO "app"."T" ("id","note") VALUES ('1','n')"#]
        );
    }

    #[test]
    fn a_full_old_row_finds_rows_without_a_key() {
        let full = table(Identity::FullRow, LobMode::NotCarried);

        assert_eq!(
            sql(&full, Operation::Update, " old-key: id[integer]:1 new-tuple: id[integer]:2 note[text]:'n'"),
            [r#"UPDATE "app"."T" SET "id"='2',"note"='n' WHERE "id"='1' AND "note" IS NULL"#]
        );
        assert_eq!(
            sql(&full, Operation::Delete, " id[integer]:1 note[text]:'n' body[text]:'b'"),
            [r#"DELETE FROM "app"."T" WHERE "id"='1' AND "note"='n'"#]
        );
    }

    #[test]
    fn values_change_as_their_types_do() {
        let cases = [
            (Carriage::Timestamp, "infinity", Ok(LATEST.to_owned())),
            (Carriage::ZonedTimestamp, "-infinity", Ok(EARLIEST.to_owned())),
            (Carriage::ZonedTimestamp, "2020-10-25 02:30:00.5+01", Ok("2020-10-25 02:30:00.5".to_owned())),
            (Carriage::ZonedTimestamp, "0044-03-15 00:00:00-00:01:15 BC", Ok("0044-03-15 00:00:00 BC".to_owned())),
            (Carriage::TimeOfDay, "23:59:59.999999+02", Ok("23:59:59".to_owned())),
            (Carriage::UnboundedVarchar(3), "abcdef", Ok("abc".to_owned())),
            (Carriage::NumericAsText, "1.5", Ok("1.5".to_owned())),
            (
                Carriage::NumericAsText,
                "12345678901234567890123456789",
                Err("Numeric value of column 'c' has more than 28 digits".to_owned()),
            ),
            (Carriage::Unsupported, "x", Err("Data type of column 'c' is not supported".to_owned())),
        ];

        for (carriage, text, expected) in cases {
            assert_eq!(carried(&column("c", carriage), text), expected, "{text}");
        }
        let mut decimal = table(Identity::Key(vec![0]), LobMode::Full(0));
        decimal.columns[1].carriage = Carriage::NumericAsDecimal;
        let texts = sql(&decimal, Operation::Update, " id[integer]:1 note[numeric]:1.23456789");
        assert_eq!(texts, [r#"UPDATE "app"."T" SET "note"=CAST('1.23456789' AS numeric(28,6)) WHERE "id"='1'"#]);
    }
}
