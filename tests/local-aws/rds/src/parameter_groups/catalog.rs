//! The parameters of a family, read from the real server of its major.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use local_aws_core::ApiError;
use local_aws_postgres::{Servers, Setting};
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use tokio_postgres::Row;

use super::rds_parameters::{NARROWER_BOUNDS, NOT_MODIFIABLE, own_parameters, system_values};
use crate::errors;

/// One parameter of a family.
#[derive(Debug, Clone)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) data_type: &'static str,
    pub(crate) is_static: bool,
    pub(crate) allowed_values: Option<String>,
    pub(crate) is_modifiable: bool,
    /// What RDS sets where the user sets nothing; `None` leaves it to the engine.
    pub(crate) system_value: Option<String>,
}

/// A family's parameters, and what else depends on the server's programs.
#[derive(Debug)]
pub(crate) struct Catalog {
    pub(crate) parameters: BTreeMap<String, Parameter>,
    /// Extensions that this major can create.
    pub(crate) extensions: BTreeSet<String>,
}

/// Catalogs by major, each read once, when first asked for.
pub(crate) struct Catalogs {
    servers: Servers,
    cells: Mutex<HashMap<u16, Arc<OnceCell<Arc<Catalog>>>>>,
}

const SETTINGS_QUERY: &str = "SELECT name, coalesce(unit, ''), short_desc, context, vartype, min_val, max_val, enumvals
    FROM pg_settings WHERE context <> 'internal'";

impl Catalogs {
    pub(crate) fn new(servers: Servers) -> Self {
        Self { servers, cells: Mutex::default() }
    }

    pub(crate) async fn of(&self, major: u16) -> Result<Arc<Catalog>, ApiError> {
        let cell = {
            let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
            cells.entry(major).or_default().clone()
        };
        let catalog = cell.get_or_try_init(|| self.read(major)).await;
        catalog.cloned().map_err(ApiError::internal)
    }

    async fn read(&self, major: u16) -> local_aws_postgres::Result<Arc<Catalog>> {
        // Parameters of these libraries are part of every family on RDS.
        let preloaded = vec![Setting::new("shared_preload_libraries", "pg_stat_statements,auto_explain")];
        let name = format!("catalog-{major}-{:08x}", fastrand::u32(..));
        let cluster = self.servers.start_plain(major, &name, preloaded).await?;
        let rows = async {
            let admin = cluster.admin("postgres").await?;
            let sql = |source| local_aws_postgres::Error::Sql { what: "read the parameters".to_owned(), source };
            let settings = admin.query(SETTINGS_QUERY, &[]).await.map_err(sql)?;
            let extensions = admin.query("SELECT name::text FROM pg_available_extensions", &[]).await.map_err(sql)?;
            Ok((settings, extensions))
        };
        let read = rows.await;
        cluster.remove().await?;
        let (settings, extensions) = read?;
        Ok(Arc::new(Catalog {
            parameters: parameters(major, settings.iter().map(from_row)),
            extensions: extensions.iter().map(|row| row.get(0)).collect(),
        }))
    }
}

fn parameters(major: u16, of_the_engine: impl Iterator<Item = Parameter>) -> BTreeMap<String, Parameter> {
    let mut all: BTreeMap<String, Parameter> =
        of_the_engine.chain(own_parameters(major)).map(|parameter| (parameter.name.clone(), parameter)).collect();
    for (name, value) in system_values() {
        if let Some(parameter) = all.get_mut(name) {
            parameter.system_value = Some(value.to_owned());
        }
    }
    for (name, bounds) in NARROWER_BOUNDS {
        if let Some(parameter) = all.get_mut(*name) {
            parameter.allowed_values = Some((*bounds).to_owned());
        }
    }
    all
}

fn from_row(row: &Row) -> Parameter {
    let text = |column: &str| row.get::<_, Option<String>>(column);
    let (name, unit, vartype): (String, String, String) = (row.get(0), row.get(1), row.get("vartype"));
    let description: String = row.get("short_desc");
    let (data_type, allowed_values) = match vartype.as_str() {
        "bool" => ("boolean", Some("0,1".to_owned())),
        "integer" | "real" => {
            let bounds = text("min_val").zip(text("max_val")).map(|(least, most)| format!("{least}-{most}"));
            (if vartype == "real" { "float" } else { "integer" }, bounds)
        }
        "enum" => ("string", row.get::<_, Option<Vec<String>>>("enumvals").map(|values| values.join(","))),
        _ => ("string", None),
    };
    Parameter {
        description: if unit.is_empty() { description } else { format!("({unit}) {description}") },
        is_static: row.get::<_, String>("context") == "postmaster",
        is_modifiable: !NOT_MODIFIABLE.contains(&name.as_str()),
        name,
        data_type,
        allowed_values,
        system_value: None,
    }
}

impl Catalog {
    pub(crate) fn parameter(&self, name: &str) -> Result<&Parameter, ApiError> {
        let key = name.to_ascii_lowercase();
        self.parameters.get(&key).ok_or_else(|| errors::value(format!("Could not find parameter with name: {name}")))
    }
}

impl Parameter {
    /// Whether this value may be set; formulas are judged when they are computed, by the server.
    pub(crate) fn refuse_value(&self, value: &str) -> Result<(), ApiError> {
        let Some(allowed) = self.allowed_values.as_deref() else { return Ok(()) };
        let is_formula = value.contains(['{', '(']);
        if is_formula || value.is_empty() || fits(value, self.data_type, allowed) {
            return Ok(());
        }
        Err(errors::value(format!("Invalid parameter value: {value} for: {} allowed values are: {allowed}", self.name)))
    }

    /// As `Parameter` of the API, without a value.
    pub(crate) fn to_json(&self) -> Value {
        let mut json = json!({
            "ParameterName": self.name,
            "Description": self.description,
            "Source": if self.system_value.is_some() { "system" } else { "engine-default" },
            "ApplyType": if self.is_static { "static" } else { "dynamic" },
            "DataType": self.data_type,
            "IsModifiable": self.is_modifiable,
            "ApplyMethod": "pending-reboot",
        });
        if let Some(allowed) = &self.allowed_values {
            json["AllowedValues"] = allowed.as_str().into();
        }
        if let Some(value) = &self.system_value {
            json["ParameterValue"] = value.as_str().into();
        }
        json
    }
}

fn fits(value: &str, data_type: &str, allowed: &str) -> bool {
    match data_type {
        "integer" | "float" => value.parse::<f64>().is_ok_and(|number| {
            // The bounds may be negative, so the dash that parts them is the first one after a digit.
            let dash = allowed.char_indices().skip(1).find(|(_, letter)| *letter == '-').map(|(place, _)| place);
            let Some((least, most)) = dash.map(|place| (&allowed[..place], &allowed[place + 1..])) else { return true };
            let inside = |bound: &str, is_inside: fn(f64, f64) -> bool| {
                bound.parse().map_or(true, |bound| is_inside(number, bound))
            };
            inside(least, |number, least| number >= least) && inside(most, |number, most| number <= most)
        }),
        "list" => value.split(',').all(|item| allowed.split(',').any(|choice| choice == item.trim())),
        _ => allowed.split(',').any(|choice| choice.eq_ignore_ascii_case(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_judged_by_type() {
        let cases = [
            ("64", "integer", "64-2147483647", true),
            ("63", "integer", "64-2147483647", false),
            ("-1", "integer", "-1-100", true),
            ("-2", "integer", "-1-100", false),
            ("many", "integer", "-1-100", false),
            ("0.5", "float", "0-1", true),
            ("1.5", "float", "0-1", false),
            ("1", "boolean", "0,1", true),
            ("on", "boolean", "0,1", false),
            ("replica", "string", "origin,replica,local", true),
            ("none", "string", "origin,replica,local", false),
        ];

        for (value, data_type, allowed, expected) in cases {
            assert_eq!(fits(value, data_type, allowed), expected, "{value} in {allowed}");
        }
    }
}
