//! Endpoints: what they say and how the data plane reads it.

use std::sync::Arc;
use std::time::Duration;

use local_aws_core::{ApiError, Call, Reply};
use serde_json::{Map, Value, json};

use super::errors::{already_exists, invalid_combination, invalid_state, invalid_value, not_found};
use super::filters::{Item, Rules, select};
use super::identifiers::{arn, identifier, resource_id};
use super::quotas::{Quota, refuse_one_more};
use super::records::{Endpoint, Records, present};
use super::service::Inner;
use super::tags;
use crate::data::access::{Access, Credentials};
use crate::data::tls::SslMode;

const DELETION: Duration = Duration::from_secs(5);

const RULES: Rules = Rules {
    kind: "Endpoint",
    filters: &["endpoint-arn", "endpoint-type", "endpoint-id", "engine-name"],
    largest_page: 100,
    misses_are_errors: true,
};

/// Top-level members that come back as they were sent.
const ECHOED: [&str; 9] = [
    "Username",
    "ServerName",
    "Port",
    "DatabaseName",
    "ExtraConnectionAttributes",
    "KmsKeyId",
    "CertificateArn",
    "SslMode",
    "ServiceAccessRoleArn",
];

pub(crate) fn create(dms: &Arc<Inner>, call: &Call) -> Reply {
    let identifier = identifier(call, "EndpointIdentifier", 255)?;
    let kind = call.required("EndpointType")?.to_uppercase();
    let engine = call.required("EngineName")?.to_owned();
    if !["postgres", "aurora-postgresql"].contains(&engine.as_str()) {
        return Err(invalid_value(format!("the local stand-in does not serve engine {engine}")));
    }
    let endpoint = Endpoint {
        arn: arn("endpoint", &resource_id(call)?),
        identifier,
        kind,
        engine,
        status: "active",
        echo: Map::from_iter([("SslMode".to_owned(), json!("none"))]),
        settings: Map::new(),
        password: None,
    };
    let mut records = dms.records();
    if records.endpoints.values().any(|other| other.identifier == endpoint.identifier || other.arn == endpoint.arn) {
        return Err(already_exists("Endpoint", &endpoint.identifier));
    }
    refuse_one_more(&records, Quota::Endpoints)?;
    let endpoint = changed(&records, endpoint, call, false)?;
    let answer = json(&endpoint);
    let arn = endpoint.arn.clone();
    records.endpoints.insert(arn.clone(), endpoint);
    tags::set_on_create(&mut records, &arn, call);
    Ok(json!({ "Endpoint": answer }))
}

pub(crate) fn modify(dms: &Arc<Inner>, call: &Call) -> Reply {
    let arn = call.required("EndpointArn")?.to_owned();
    let mut records = dms.records();
    let current = find(&records, &arn)?;
    let running = |status: &str| ["starting", "running", "stopping"].contains(&status);
    if records.tasks.values().any(|task| (task.source == arn || task.target == arn) && running(task.status)) {
        return Err(invalid_state(format!("Endpoint {arn} is in use by a running replication task.")));
    }
    let copy = Endpoint {
        arn: current.arn.clone(),
        identifier: current.identifier.clone(),
        kind: current.kind.clone(),
        engine: current.engine.clone(),
        status: current.status,
        echo: current.echo.clone(),
        settings: current.settings.clone(),
        password: current.password.clone(),
    };
    let endpoint = changed(&records, copy, call, call.flag("ExactSettings"))?;
    let answer = json(&endpoint);
    records.endpoints.insert(arn, endpoint);
    Ok(json!({ "Endpoint": answer }))
}

pub(crate) fn describe(dms: &Arc<Inner>, call: &Call) -> Reply {
    let items = dms
        .records()
        .endpoints
        .values()
        .map(|endpoint| Item {
            value: json(endpoint),
            names: vec![
                ("endpoint-arn", endpoint.arn.clone()),
                ("endpoint-type", endpoint.kind.to_lowercase()),
                ("endpoint-id", endpoint.identifier.clone()),
                ("engine-name", endpoint.engine.clone()),
            ],
        })
        .collect();
    let page = select(call, items, &RULES)?;
    Ok(present(json!({"Endpoints": page.items, "Marker": page.marker})))
}

pub(crate) fn delete(dms: &Arc<Inner>, call: &Call) -> Reply {
    let arn = call.required("EndpointArn")?.to_owned();
    let mut records = dms.records();
    find(&records, &arn)?;
    if records.tasks.values().any(|task| task.source == arn || task.target == arn) {
        return Err(invalid_state(format!("Endpoint {arn} is part of one or more replication tasks.")));
    }
    records.connections.retain(|(_, endpoint), _| *endpoint != arn);
    let endpoint = records.endpoints.get_mut(&arn).ok_or_else(|| missing(&arn))?;
    endpoint.status = "deleting";
    let answer = json(endpoint);
    drop(records);
    dms.later(DELETION, move |dms| {
        let mut records = dms.records();
        records.endpoints.remove(&arn);
        records.tags.remove(&arn);
    });
    Ok(json!({ "Endpoint": answer }))
}

/// The endpoint behind an ARN.
pub(crate) fn find<'a>(records: &'a Records, arn: &str) -> Result<&'a Endpoint, ApiError> {
    records.endpoints.get(arn).ok_or_else(|| missing(arn))
}

fn missing(arn: &str) -> ApiError {
    not_found(format!("Endpoint {arn} not found."))
}

fn changed(records: &Records, mut endpoint: Endpoint, call: &Call, exact: bool) -> Result<Endpoint, ApiError> {
    for member in ECHOED {
        if let Some(value) = call.input.get(member) {
            endpoint.echo.insert(member.to_owned(), value.clone());
        }
    }
    if let Some(password) = call.str("Password") {
        endpoint.password = Some(password.to_owned());
    }
    if let Some(Value::Object(settings)) = call.input.get("PostgreSQLSettings") {
        if exact {
            endpoint.settings.clear();
        }
        endpoint.settings.extend(settings.clone());
    }
    check(records, &endpoint)?;
    Ok(endpoint)
}

fn check(records: &Records, endpoint: &Endpoint) -> Result<(), ApiError> {
    let text = |member: &str| endpoint.settings.get(member).and_then(Value::as_str);
    if text("SecretsManagerSecretId").is_some() {
        if text("SecretsManagerAccessRoleArn").is_none() {
            return Err(invalid_combination("SecretsManagerSecretId needs SecretsManagerAccessRoleArn."));
        }
        let clear = ["Username", "Password", "ServerName", "Port"];
        if clear.iter().any(|member| endpoint.settings.contains_key(*member) || endpoint.echo.contains_key(*member)) {
            return Err(invalid_combination(
                "Clear-text values for UserName, Password, ServerName and Port cannot be specified along with \
                 SecretsManagerSecretId.",
            ));
        }
    }
    if text("PluginName") == Some("pglogical") {
        return Err(invalid_value("the local stand-in does not serve PluginName pglogical"));
    }
    if text("AuthenticationMethod") == Some("iam") {
        return Err(invalid_value("the local stand-in does not serve AuthenticationMethod iam"));
    }
    let certificate = endpoint.echo.get("CertificateArn").and_then(Value::as_str);
    if let Some(certificate) = certificate.filter(|arn| !records.certificates.contains_key(*arn)) {
        return Err(super::certificates::missing(certificate));
    }
    let mode = endpoint.echo.get("SslMode").and_then(Value::as_str).unwrap_or("none");
    match SslMode::parse(mode) {
        None => Err(invalid_value(format!("Invalid SslMode {mode}."))),
        Some(SslMode::VerifyCa | SslMode::VerifyFull) if certificate.is_none() => {
            Err(invalid_combination(format!("SslMode {mode} needs a CertificateArn.")))
        }
        Some(_) => Ok(()),
    }
}

fn json(endpoint: &Endpoint) -> Value {
    let mut settings = endpoint.settings.clone();
    settings.remove("Password");
    let mut members = endpoint.echo.clone();
    let own = json!({
        "EndpointIdentifier": endpoint.identifier,
        "EndpointType": endpoint.kind,
        "EngineName": endpoint.engine,
        "EngineDisplayName": "PostgreSQL",
        "Status": endpoint.status,
        "EndpointArn": endpoint.arn,
        "PostgreSQLSettings": settings,
    });
    if let Value::Object(own) = own {
        members.extend(own);
    }
    Value::Object(members)
}

impl Endpoint {
    /// A setting, from wherever it can stand.
    pub(crate) fn text(&self, member: &str) -> Option<String> {
        let value = self.settings.get(member).or_else(|| self.echo.get(member))?;
        match value {
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }

    /// A yes-or-no setting, from the settings or the extra connection attributes.
    pub(crate) fn flag(&self, member: &str, default: bool) -> bool {
        let named = self.settings.get(member).and_then(Value::as_bool);
        named.or_else(|| self.attribute(member).map(|value| is_true(&value))).unwrap_or(default)
    }

    /// An extra connection attribute, its name in any case.
    pub(crate) fn attribute(&self, name: &str) -> Option<String> {
        let attributes = self.echo.get("ExtraConnectionAttributes").and_then(Value::as_str)?;
        attributes
            .split(';')
            .filter_map(|pair| pair.split_once('='))
            .find(|(key, _)| key.trim().eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim().to_owned())
    }

    /// How the data plane reaches the server.
    pub(crate) fn access(&self, dms: &Inner, records: &Records, from: std::net::Ipv4Addr) -> Access {
        let credentials = match self.text("SecretsManagerSecretId") {
            Some(secret) => Credentials::Secret(secret),
            None => Credentials::Given {
                host: self.text("ServerName").unwrap_or_default(),
                port: self.text("Port").and_then(|port| port.parse().ok()).unwrap_or(5432),
                user: self.text("Username").unwrap_or_default(),
                password: self
                    .settings
                    .get("Password")
                    .and_then(Value::as_str)
                    .map(str::to_owned)
                    .or_else(|| self.password.clone())
                    .unwrap_or_default(),
            },
        };
        let certificate = self.echo.get("CertificateArn").and_then(Value::as_str);
        Access {
            seams: dms.seams.clone(),
            credentials,
            database: self.text("DatabaseName").unwrap_or_default(),
            ssl_mode: self.text("SslMode").and_then(|mode| SslMode::parse(&mode)).unwrap_or_default(),
            authority: certificate.and_then(|arn| records.certificates.get(arn)).map(|found| found.pem.clone()),
            from,
            after_connect: (self.kind == "TARGET").then(|| self.text("AfterConnectScript")).flatten(),
        }
    }
}

fn is_true(text: &str) -> bool {
    ["true", "1", "y", "yes"].iter().any(|word| text.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(attributes: &str, settings: Value) -> Endpoint {
        let Value::Object(settings) = settings else { panic!("settings are an object") };
        Endpoint {
            arn: String::new(),
            identifier: String::new(),
            kind: "SOURCE".to_owned(),
            engine: "postgres".to_owned(),
            status: "active",
            echo: Map::from_iter([("ExtraConnectionAttributes".to_owned(), json!(attributes))]),
            settings,
            password: None,
        }
    }

    #[test]
    fn settings_come_from_members_or_extra_attributes() {
        let both =
            endpoint("mapunboundednumericasstring=Y; MapBooleanAsBoolean=true", json!({"MapBooleanAsBoolean": false}));

        assert!(both.flag("MapUnboundedNumericAsString", false));
        assert!(!both.flag("MapBooleanAsBoolean", false));
        assert!(both.flag("CaptureDdls", true));
        assert_eq!(both.attribute("unboundedVarcharMaxSize"), None);
    }

    #[test]
    fn a_password_never_comes_back() {
        let answer = json(&endpoint("", json!({"Username": "u", "Password": "secret"})));

        assert!(!answer.to_string().contains("secret"));
        assert_eq!(answer["EndpointType"], "SOURCE");
    }
}
