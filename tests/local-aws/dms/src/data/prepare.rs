//! What DMS does to a target table before it loads it.

use super::columns::{Carriage, Column, Table, TypeMappings, literal, quoted};
use super::failure::Failure;
use super::settings::PrepMode;
use super::wire::Wire;

/// Empty, replace or leave the table; make it if it is not there.
pub(crate) async fn prepare(
    target: &mut Wire,
    table: &Table,
    mode: PrepMode,
    mappings: &TypeMappings,
) -> Result<(), Failure> {
    let qualified = table.qualified();
    if mode == PrepMode::DropAndCreate {
        target.command(&format!("DROP TABLE IF EXISTS {qualified}")).await?;
    }
    let exists = target.value(&format!("SELECT to_regclass({}) IS NOT NULL", literal(&qualified))).await? == "t";
    if !exists {
        make_schema(target, &table.schema).await?;
        target.command(&creation(table, mappings)).await?;
    } else if mode == PrepMode::TruncateBeforeLoad {
        target.command(&format!("TRUNCATE TABLE {qualified}")).await?;
    }
    Ok(())
}

/// Only when it is missing: `IF NOT EXISTS` asks for a right on the database even where the schema is there.
async fn make_schema(target: &mut Wire, schema: &str) -> Result<(), Failure> {
    let name = quoted(schema);
    let exists = target.value(&format!("SELECT to_regnamespace({}) IS NOT NULL", literal(&name))).await? == "t";
    if !exists {
        target.command(&format!("CREATE SCHEMA {name}")).await?;
    }
    Ok(())
}

/// The table as DMS makes it: columns and the primary key; no defaults, no other constraint, no index.
fn creation(table: &Table, mappings: &TypeMappings) -> String {
    let mut lines: Vec<_> = table
        .columns
        .iter()
        .map(|column| {
            let tail = if column.not_null && !column.is_lob() { " NOT NULL" } else { "" };
            format!("{} {}{tail}", quoted(&column.name), made_type(column, mappings))
        })
        .collect();
    if let Some(key) = &table.primary_key {
        let names: Vec<_> = key.iter().map(|position| quoted(&table.columns[*position].name)).collect();
        lines.push(format!("PRIMARY KEY ({})", names.join(", ")));
    }
    format!("CREATE TABLE {} ({})", table.qualified(), lines.join(", "))
}

fn made_type(column: &Column, mappings: &TypeMappings) -> String {
    match column.carriage {
        Carriage::BooleanAsText => "varchar(5)".to_owned(),
        Carriage::NumericAsDecimal => "numeric(28,6)".to_owned(),
        Carriage::UnboundedVarchar(limit) => format!("varchar({limit})"),
        Carriage::Unsupported => format!("varchar({})", mappings.unbounded_varchar_max),
        Carriage::Lob if column.is_array => "text".to_owned(),
        _ => column.type_name.clone(),
    }
}
