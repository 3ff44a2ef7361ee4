//! The values of a group: described, modified, reset.

use local_aws_core::{ApiError, Call, Reply};
use serde_json::{Value, json};

use super::apply::Change;
use super::catalog::Catalog;
use super::groups::{ParameterGroup, UserValue};
use crate::engine_versions::major_of_family;
use crate::errors;
use crate::paging::{Filters, answer, one};
use crate::service::Shared;

/// Parameters that one request may name.
const MOST_PARAMETERS: usize = 20;

/// A parameter as a request names it.
struct Requested<'a> {
    name: &'a str,
    value: Option<&'a str>,
    apply_method: &'a str,
}

impl Shared {
    pub(crate) async fn modify_parameter_group(self: &std::sync::Arc<Self>, call: &Call) -> Reply {
        let group = self.state().custom_group(call.required("DBParameterGroupName")?)?.clone();
        let catalog = self.catalogs.of(group.major).await?;
        let requested = requested(call)?;
        if requested.is_empty() {
            return Err(errors::value("At least one parameter must be given."));
        }
        let mut changes = Vec::new();
        for parameter in &requested {
            changes.push(judged(&catalog, parameter)?);
        }
        self.change_group(&group.name, changes)
    }

    pub(crate) async fn reset_parameter_group(self: &std::sync::Arc<Self>, call: &Call) -> Reply {
        let group = self.state().custom_group(call.required("DBParameterGroupName")?)?.clone();
        let catalog = self.catalogs.of(group.major).await?;
        // ResetAllParameters is the default of the API, and excludes a list.
        let requested = requested(call)?;
        let reset_all = call.input.get("ResetAllParameters").and_then(Value::as_bool).unwrap_or(requested.is_empty());
        let changes: Result<Vec<Change>, ApiError> = match (reset_all, requested.as_slice()) {
            (true, []) => Ok(group.values.keys().map(|name| reset_of(&catalog, name)).collect()),
            (false, [_, ..]) => requested.iter().map(|parameter| judged_reset(&catalog, parameter)).collect(),
            _ => Err(errors::combination("Give either ResetAllParameters or a list of parameters.")),
        };
        self.change_group(&group.name, changes?)
    }

    fn change_group(self: &std::sync::Arc<Self>, name: &str, changes: Vec<Change>) -> Reply {
        {
            let mut state = self.state();
            let group = state.custom_group(name)?;
            for change in &changes {
                match &change.value {
                    Some(value) => group.values.insert(change.name.clone(), value.clone()),
                    None => group.values.remove(&change.name),
                };
            }
        }
        self.bring_to_instances(name, &changes);
        self.tell_group_changed(name);
        one("DBParameterGroupName", name.into())
    }

    pub(crate) async fn describe_parameters(&self, call: &Call) -> Reply {
        let group = self.state().group(call.required("DBParameterGroupName")?)?;
        let catalog = self.catalogs.of(group.major).await?;
        answer(call, "Parameters", listed(call, &catalog, Some(&group))?)
    }

    pub(crate) async fn describe_engine_default_parameters(&self, call: &Call) -> Reply {
        let family = call.required("DBParameterGroupFamily")?;
        let major = major_of_family(family)
            .ok_or_else(|| errors::value(format!("The parameter DBParameterGroupFamily {family} is not valid")))?;
        let catalog = self.catalogs.of(major).await?;
        let mut page = answer(call, "Parameters", listed(call, &catalog, None)?)?;
        page["DBParameterGroupFamily"] = family.into();
        one("EngineDefaults", page)
    }
}

fn requested(call: &Call) -> Result<Vec<Requested<'_>>, ApiError> {
    let list = call.input.get("Parameters").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if list.len() > MOST_PARAMETERS {
        return Err(errors::value(format!(
            "A maximum of {MOST_PARAMETERS} parameters can be modified in a single request."
        )));
    }
    list.iter()
        .map(|parameter| {
            let text = |member: &str| parameter.get(member).and_then(Value::as_str);
            let missing = |member: &str| errors::combination(format!("Parameters must contain the member {member}."));
            Ok(Requested {
                name: text("ParameterName").ok_or_else(|| missing("ParameterName"))?,
                value: text("ParameterValue"),
                apply_method: text("ApplyMethod").ok_or_else(|| missing("ApplyMethod"))?,
            })
        })
        .collect()
}

/// A change that may be made, or why not.
fn judged(catalog: &Catalog, requested: &Requested<'_>) -> Result<Change, ApiError> {
    let mut change = judged_reset(catalog, requested)?;
    let value =
        requested.value.ok_or_else(|| errors::combination("Parameters must contain the member ParameterValue."))?;
    catalog.parameter(requested.name)?.refuse_value(value)?;
    change.value = Some(UserValue { value: value.to_owned(), apply_method: requested.apply_method.to_owned() });
    Ok(change)
}

fn judged_reset(catalog: &Catalog, requested: &Requested<'_>) -> Result<Change, ApiError> {
    let parameter = catalog.parameter(requested.name)?;
    if !parameter.is_modifiable {
        return Err(errors::value(format!("The parameter {} cannot be modified.", parameter.name)));
    }
    let is_immediate = requested.apply_method == "immediate";
    if parameter.is_static && is_immediate {
        return Err(errors::combination("cannot use immediate apply method for static parameter"));
    }
    Ok(Change { name: parameter.name.clone(), value: None, is_immediate })
}

/// A reset of everything applies each parameter as soon as its type allows.
fn reset_of(catalog: &Catalog, name: &str) -> Change {
    let is_static = catalog.parameters.get(name).is_some_and(|parameter| parameter.is_static);
    Change { name: name.to_owned(), value: None, is_immediate: !is_static }
}

fn listed(call: &Call, catalog: &Catalog, group: Option<&ParameterGroup>) -> Result<Vec<Value>, ApiError> {
    let filters = Filters::of(call, &["parameter-name"])?;
    let with_value = |parameter: &super::catalog::Parameter| {
        let mut json = parameter.to_json();
        if let Some(set) = group.and_then(|group| group.values.get(&parameter.name)) {
            json["ParameterValue"] = set.value.as_str().into();
            json["Source"] = json!("user");
            json["ApplyMethod"] = set.apply_method.as_str().into();
        }
        json
    };
    let all = catalog.parameters.values().filter(|parameter| filters.allow("parameter-name", &parameter.name));
    let source = call.str("Source").map(|source| if source == "engine" { "engine-default" } else { source });
    Ok(all.map(with_value).filter(|json| source.is_none_or(|source| json["Source"] == source)).collect())
}
