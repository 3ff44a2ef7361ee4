//! Which writes a table of the operator's takes: tried on the source in a transaction that is rolled back.
//!
//! Catalogs tell types, keys and foreign keys; checks, triggers and exclusion constraints can only be tried. Rows are made
//! like rows that are there, with new values where they must be unique: so they keep most rules without knowing them.

use anyhow::Result;
use fastrand::Rng;
use tokio_postgres::Client;

use super::ask::{Row, Tried, arrays, keep, undo};
use super::catalog::{Column, Table, quote};
use super::values::Maker;
use super::{Cell, ColumnOf, Inserts, OwnTable, Update};

/// Rows that are taken as examples.
const EXAMPLES: usize = 20;
/// Rows that consist of references only are made beforehand, so many at most.
const COMBINATIONS: usize = 2_000;
/// Rows that are tried, and values for each column.
const TRIES: usize = 3;
/// Columns that are tried for updates.
const COLUMNS: usize = 12;

/// How a table can be written to, or why it cannot. The client must be in a transaction.
pub(super) async fn table(client: &Client, table: &Table, key_updates: bool, rng: &mut Rng) -> Result<Tried<OwnTable>> {
    if table.has_rules {
        return Ok(Err("a rule rewrites the statements".to_owned()));
    }
    if table.key.is_empty() && !table.columns.iter().any(is_telling) {
        return Ok(Err("it has no key, and no column for a value that identifies a row".to_owned()));
    }
    let inserts = match inserts(client, table, rng).await? {
        Ok(inserts) => inserts,
        Err(why) => return Ok(Err(why)),
    };
    let mut own = OwnTable::new(table, inserts);
    let mut rows = Vec::new();
    for number in 0..TRIES {
        let Some(values) = own.inserts.row(rng, number) else { break };
        match keep(client, &own.insert_sql(), &values).await? {
            Ok(row) => rows.push(row),
            Err(why) => return Ok(Err(why)),
        }
    }
    let Some(row) = rows.first() else { return Ok(Err("no further row can be inserted".to_owned())) };
    if own.key.is_empty() {
        return Ok(Ok(own));
    }
    let found = undo(client, &own.find_sql(), &row[2..]).await?;
    if found.as_deref().ok().and_then(|found| found.get(1)) != row.get(1) {
        return Ok(Err("a trigger changes its rows after they are written".to_owned()));
    }
    for column in changeable(table) {
        if let Some(update) = update_of(client, &own, table, column, &row[2..], rng).await? {
            own.updates.push(update);
        }
    }
    if key_updates && !table.is_referenced {
        own.moves = move_of(client, &own, table, &row[2..], rng).await?;
    }
    own.deletes = undo(client, &own.delete_sql(), &row[2..]).await?.is_ok();
    Ok(Ok(own))
}

fn is_telling(column: &Column) -> bool {
    !column.generated && column.labels.is_empty() && Maker::of(column).is_some_and(|maker| maker.tells_apart())
}

/// Columns that neither find a row nor lead to another.
fn changeable(table: &Table) -> impl Iterator<Item = &Column> {
    let may_change = |column: &&Column| {
        !column.generated
            && !column.unique
            && !column.partition
            && column.identity.is_empty()
            && !table.key.contains(&column.name)
            && !table.is_foreign(&column.name)
    };
    table.columns.iter().filter(may_change).take(COLUMNS)
}

/// The columns that an insert names, and the rows that it can be made of.
async fn inserts(client: &Client, table: &Table, rng: &mut Rng) -> Result<Tried<Inserts>> {
    let named: Vec<&Column> = table
        .columns
        .iter()
        .filter(|column| !(column.generated || column.unique && column.is_numbered() || column.identity == "a"))
        .collect();
    let columns = named.iter().map(|column| ColumnOf::new(column)).collect();
    let of_references = match of_references(client, table).await? {
        Ok(combinations) => combinations,
        Err(why) => return Ok(Err(why)),
    };
    let examples = match examples(client, table, &named, rng).await? {
        Ok(examples) => examples,
        Err(why) => return Ok(Err(why)),
    };
    let combined = of_references.as_ref().map_or(&[][..], |(columns, _)| columns.as_slice());
    let makers = match makers(table, &named, combined) {
        Ok(makers) => makers,
        Err(why) => return Ok(Err(why)),
    };
    let cells = |example: &Row, combination: Option<&Row>| -> Vec<Cell> {
        let cell = |(place, column): (usize, &&Column)| {
            let at = combined.iter().position(|name| *name == column.name);
            match (at.zip(combination).and_then(|(at, values)| values.get(at)), &makers[place]) {
                (Some(value), _) => Cell::Value(value.clone()),
                (None, Some(maker)) => Cell::Fresh(maker.clone()),
                (None, None) => Cell::Value(example.get(place).cloned().flatten()),
            }
        };
        named.iter().enumerate().map(cell).collect()
    };
    let rows: Vec<Vec<Cell>> = match &of_references {
        Some((_, combinations)) => {
            let pairs = combinations.iter().zip(examples.iter().cycle());
            pairs.map(|(combination, example)| cells(example, Some(combination))).collect()
        }
        None => examples.iter().map(|example| cells(example, None)).collect(),
    };
    let once = of_references.is_some();
    Ok(Ok(Inserts { columns, rows, once }))
}

/// How new values are made of the columns that need one in each row: unique ones, and one that marks a row without a key.
fn makers(table: &Table, named: &[&Column], combined: &[String]) -> Tried<Vec<Option<Maker>>> {
    let mark = named.iter().find(|column| table.key.is_empty() && is_telling(column)).map(|column| &column.name);
    let maker = |column: &&Column| {
        let is_new = column.unique && !table.is_foreign(&column.name) && !combined.contains(&column.name);
        Maker::of(column).filter(|maker| (is_new || mark == Some(&column.name)) && maker.tells_apart())
    };
    let makers: Vec<_> = named.iter().map(maker).collect();
    let is_made = |name: &String| match named.iter().position(|column| column.name == *name) {
        Some(place) => makers[place].is_some(),
        None => true, // the server makes it
    };
    if table.key.is_empty() || !combined.is_empty() || table.key.iter().any(is_made) {
        return Ok(makers);
    }
    Err("no column of its key can get a new value".to_owned())
}

/// Where the key is made of references and nothing else, its columns and combinations that are not there yet.
async fn of_references(client: &Client, table: &Table) -> Result<Tried<Option<(Vec<String>, Vec<Row>)>>> {
    if table.key.is_empty() || !table.key.iter().all(|column| table.is_foreign(column)) {
        return Ok(Ok(None));
    }
    let mut parts: Vec<(String, Vec<String>)> = Vec::new();
    for column in &table.key {
        if parts.iter().any(|(_, columns)| columns.contains(column)) {
            continue;
        }
        let Some(reference) = table.references.iter().find(|reference| reference.columns.contains(column)) else {
            continue;
        };
        let limit = if table.key.len() > 2 { 15 } else { 60 };
        let referenced = reference.referenced.iter().zip(&reference.columns);
        let columns: Vec<_> =
            referenced.map(|(theirs, ours)| format!("{} AS {}", quote(theirs), quote(ours))).collect();
        parts.push((
            format!(
                "(SELECT {} FROM {} ORDER BY random() LIMIT {limit}) AS part_{}",
                columns.join(", "),
                reference.table,
                parts.len()
            ),
            reference.columns.clone(),
        ));
    }
    let place = |column: &String| parts.iter().position(|(_, columns)| columns.contains(column)).unwrap_or_default();
    let value = |column: &String| format!("part_{}.{}", place(column), quote(column));
    let same: Vec<_> = table.key.iter().map(|column| format!("t.{} = {}", quote(column), value(column))).collect();
    let texts: Vec<_> = table.key.iter().map(|column| format!("{}::text", value(column))).collect();
    let sql = format!(
        "SELECT ARRAY[{}] FROM {} WHERE NOT EXISTS (SELECT FROM {} AS t WHERE {}) ORDER BY random() LIMIT {COMBINATIONS}",
        texts.join(", "),
        parts.iter().map(|(sql, _)| sql.as_str()).collect::<Vec<_>>().join(" CROSS JOIN "),
        table.sql(),
        same.join(" AND ")
    );
    Ok(match arrays(client, &sql).await? {
        Ok(rows) if rows.is_empty() => Err("all combinations of its references already exist".to_owned()),
        Ok(rows) => Ok(Some((table.key.clone(), rows))),
        Err(why) => Err(why),
    })
}

/// Rows that are there, or one that is made up.
async fn examples(client: &Client, table: &Table, named: &[&Column], rng: &mut Rng) -> Result<Tried<Vec<Row>>> {
    let texts: Vec<_> = named.iter().map(|column| format!("{}::text", quote(&column.name))).collect();
    let texts = if texts.is_empty() { "NULL::text".to_owned() } else { texts.join(", ") };
    let sql = format!(
        "SELECT ARRAY[{texts}] FROM (SELECT * FROM {} LIMIT 1000) AS samples ORDER BY random() LIMIT {EXAMPLES}",
        table.rows()
    );
    match arrays(client, &sql).await? {
        Ok(rows) if rows.is_empty() => made_up(client, table, named, rng).await,
        other => Ok(other),
    }
}

async fn made_up(client: &Client, table: &Table, named: &[&Column], rng: &mut Rng) -> Result<Tried<Vec<Row>>> {
    let mut row = Row::new();
    for column in named {
        let reference = table.references.iter().find(|reference| reference.columns.contains(&column.name));
        row.push(match (reference, Maker::of(column)) {
            (Some(reference), _) => {
                let at = reference.columns.iter().position(|own| *own == column.name).unwrap_or_default();
                let theirs = &reference.referenced[at];
                let sql = format!("SELECT ARRAY[{}::text] FROM {} ORDER BY 1 LIMIT 1", quote(theirs), reference.table);
                arrays(client, &sql)
                    .await?
                    .unwrap_or_default()
                    .into_iter()
                    .next()
                    .and_then(|row| row.into_iter().next())
                    .flatten()
            }
            (None, Some(maker)) => maker.make(rng),
            (None, None) if column.not_null => {
                return Ok(Err(format!("it is empty, and no value of type {} can be generated", column.sql_type)));
            }
            (None, None) => None,
        });
    }
    Ok(Ok(vec![row]))
}

/// An update of one column, with made values or else with those of other rows.
async fn update_of(
    client: &Client,
    own: &OwnTable,
    table: &Table,
    column: &Column,
    key: &[Option<String>],
    rng: &mut Rng,
) -> Result<Option<Update>> {
    let sql = format!(
        "SELECT ARRAY[{0}::text] FROM (SELECT {0} FROM {1} LIMIT 1000) AS samples GROUP BY 1 LIMIT {EXAMPLES}",
        quote(&column.name),
        table.rows()
    );
    let known: Row = arrays(client, &sql).await?.unwrap_or_default().into_iter().flatten().collect();
    let makers = Maker::of(column).into_iter().chain((!known.is_empty()).then_some(Maker::OneOf(known)));
    for maker in makers {
        let update = Update { column: ColumnOf::new(column), maker };
        if takes(client, &own.update_sql(&update.column), &update.maker, key, rng).await? {
            return Ok(Some(update));
        }
    }
    Ok(None)
}

/// A new value for a column of the key.
async fn move_of(
    client: &Client,
    own: &OwnTable,
    table: &Table,
    key: &[Option<String>],
    rng: &mut Rng,
) -> Result<Option<Update>> {
    let free = table.key.iter().filter(|name| !table.is_foreign(name)).filter_map(|name| table.column(name));
    for column in free.filter(|column| !column.partition && column.identity != "a") {
        let Some(maker) = Maker::of(column).filter(Maker::tells_apart) else { continue };
        let update = Update { column: ColumnOf::new(column), maker };
        if takes(client, &own.update_sql(&update.column), &update.maker, key, rng).await? {
            return Ok(Some(update));
        }
    }
    Ok(None)
}

async fn takes(client: &Client, sql: &str, maker: &Maker, key: &[Option<String>], rng: &mut Rng) -> Result<bool> {
    for _ in 0..TRIES {
        let params: Vec<_> = std::iter::once(maker.make(rng)).chain(key.iter().cloned()).collect();
        if undo(client, sql, &params).await?.is_err() {
            return Ok(false);
        }
    }
    Ok(true)
}
