//! Certificates of authorities, for endpoints that verify.

use std::sync::Arc;

use local_aws_core::{ApiError, Call, Reply};
use serde_json::{Value, json};

use super::errors::{already_exists, invalid_state, invalid_value, not_found};
use super::filters::{Item, Rules, select};
use super::identifiers::{arn, identifier, resource_id};
use super::records::{Certificate, present};
use super::service::Inner;
use super::tags;

pub(crate) fn import(dms: &Arc<Inner>, call: &Call) -> Reply {
    let identifier = identifier(call, "CertificateIdentifier", 255)?;
    let pem = call.str("CertificatePem").unwrap_or_default();
    if !pem.contains("BEGIN CERTIFICATE") {
        return Err(invalid_value("The parameter CertificatePem must hold a certificate in PEM form."));
    }
    let arn = arn("cert", &resource_id(call)?);
    let mut records = dms.records();
    if records.certificates.values().any(|certificate| certificate.identifier == identifier) {
        return Err(already_exists("Certificate", &identifier));
    }
    let certificate = Certificate { arn: arn.clone(), identifier, pem: pem.to_owned(), created: dms.now() };
    let answer = json(&certificate);
    records.certificates.insert(arn.clone(), certificate);
    tags::set_on_create(&mut records, &arn, call);
    Ok(json!({ "Certificate": answer }))
}

pub(crate) fn describe(dms: &Arc<Inner>, call: &Call) -> Reply {
    const RULES: Rules = Rules {
        kind: "Certificate",
        filters: &["certificate-arn", "certificate-id"],
        largest_page: 100,
        misses_are_errors: true,
    };
    let items = dms
        .records()
        .certificates
        .values()
        .map(|certificate| Item {
            value: json(certificate),
            names: vec![
                ("certificate-arn", certificate.arn.clone()),
                ("certificate-id", certificate.identifier.clone()),
            ],
        })
        .collect();
    let page = select(call, items, &RULES)?;
    Ok(present(json!({"Certificates": page.items, "Marker": page.marker})))
}

pub(crate) fn delete(dms: &Arc<Inner>, call: &Call) -> Reply {
    let arn = call.required("CertificateArn")?;
    let mut records = dms.records();
    let certificate = records.certificates.get(arn).ok_or_else(|| missing(arn))?;
    let answer = json(certificate);
    let is_used =
        |endpoint: &super::records::Endpoint| endpoint.echo.get("CertificateArn").and_then(Value::as_str) == Some(arn);
    if records.endpoints.values().any(is_used) {
        return Err(invalid_state(format!("Certificate {arn} is in use by an endpoint.")));
    }
    records.certificates.remove(arn);
    records.tags.remove(arn);
    Ok(json!({ "Certificate": answer }))
}

pub(crate) fn missing(arn: &str) -> ApiError {
    not_found(format!("Certificate {arn} not found."))
}

fn json(certificate: &Certificate) -> Value {
    json!({"CertificateIdentifier": certificate.identifier, "CertificateArn": certificate.arn,
        "CertificatePem": certificate.pem, "CertificateCreationDate": certificate.created})
}
