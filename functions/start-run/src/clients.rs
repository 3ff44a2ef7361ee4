//! Clients that do not follow the record: what the input says about them, checked by itself.

use std::collections::BTreeSet;

use pgleap_contract::{ClientSecret, Clients, Hook, Limits};

use crate::request::{filled, within};

/// The reason with the name of the field.
pub(crate) fn check(clients: &Clients, limits: &Limits) -> Result<(), String> {
    at_most("clients.secrets", clients.secrets.len(), Clients::MAX_SECRETS)?;
    at_most("clients.hooks", clients.hooks.len(), Clients::MAX_HOOKS)?;
    once("clients.secrets", clients.secrets.iter().map(|secret| secret.secret_id.as_str()))?;
    once("clients.hooks", clients.hooks.iter().map(|hook| hook.function_arn.as_str()))?;
    clients.secrets.iter().try_for_each(secret)?;
    clients.hooks.iter().try_for_each(|named| hook(named, limits))
}

fn secret(secret: &ClientSecret) -> Result<(), String> {
    arn("clients.secrets", &secret.secret_id, "secretsmanager", "secret")?;
    for (field, host) in [("from", &secret.from), ("host", &secret.host)] {
        if let Some(host) = host {
            filled(&format!("clients.secrets: {field}"), host)?;
        }
    }
    Ok(())
}

/// A hook that takes longer than half of the cutover's time would leave too little of it for everything else.
fn hook(hook: &Hook, limits: &Limits) -> Result<(), String> {
    arn("clients.hooks", &hook.function_arn, "lambda", "function")?;
    let (least, most) = Hook::TIMEOUT_SECONDS;
    within("clients.hooks: timeoutSeconds", hook.timeout_seconds, (least, most.min(limits.cutover_seconds / 2)))
}

/// Policies name the ARN, so a name alone would be denied.
fn arn(field: &str, text: &str, service: &str, kind: &str) -> Result<(), String> {
    let parts: Vec<&str> = text.split(':').collect();
    match parts[..] {
        ["arn", _partition, of, _region, _account, resource, ..] if of == service && resource == kind => Ok(()),
        _ => Err(format!("{field}: {text:?} is not the ARN of a {kind}")),
    }
}

fn at_most(field: &str, count: usize, most: usize) -> Result<(), String> {
    if count > most { Err(format!("{field}: {count} entries are more than the limit of {most}")) } else { Ok(()) }
}

fn once<'a>(field: &str, names: impl Iterator<Item = &'a str>) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    match names.into_iter().find(|name| !seen.insert(*name)) {
        Some(twice) => Err(format!("{field}: {twice:?} is there twice")),
        None => Ok(()),
    }
}
