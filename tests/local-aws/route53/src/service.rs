//! Route 53's API.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::Instant;

use local_aws_core::{ApiError, BoxFuture, Call, Reply, Service};
use serde_json::{Value, json};

use crate::change::{Refusal, apply};
use crate::names::{bare_id, canonical, sort_key};
use crate::record_set::Key;
use crate::zones::{State, Zone, Zones, name_servers};

/// Record sets in a page at most, and where the caller says nothing (API reference, ListResourceRecordSets).
const RECORD_PAGE: usize = 300;
/// Zones in a page at most, and where the caller says nothing (API reference, ListHostedZonesByName).
const ZONE_PAGE: usize = 100;

/// The service behind the gateway.
#[derive(Debug, Clone)]
pub struct Route53 {
    zones: Zones,
}

impl Route53 {
    /// Serves these zones.
    pub fn new(zones: Zones) -> Self {
        Self { zones }
    }

    /// The zones that it serves.
    pub fn zones(&self) -> &Zones {
        &self.zones
    }

    fn answer(&self, call: &Call) -> Reply {
        let mut state = self.zones.lock();
        match call.operation.as_str() {
            "CreateHostedZone" => create_zone(&mut state, call),
            "GetHostedZone" => get_zone(&state, call),
            "DeleteHostedZone" => delete_zone(&mut state, call),
            "ListHostedZonesByName" => list_zones(&state, call),
            "ChangeResourceRecordSets" => change_records(&mut state, call),
            "ListResourceRecordSets" => list_records(&state, call),
            "GetChange" => get_change(&state, call),
            other => Err(ApiError::not_implemented(other)),
        }
    }
}

impl Service for Route53 {
    fn name(&self) -> &'static str {
        "route53"
    }

    fn call<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Reply> {
        Box::pin(async move { self.answer(call) })
    }
}

fn create_zone(state: &mut State, call: &Call) -> Reply {
    let (name, reference) = (canonical(call.required("Name")?), call.required("CallerReference")?);
    if state.zones.values().any(|zone| zone.caller_reference == reference) {
        let text = format!("A hosted zone has already been created with the specified caller reference: {reference}");
        return Err(ApiError::new(409, "HostedZoneAlreadyExists", text));
    }
    let config = &call.input["HostedZoneConfig"];
    let vpc = call.input.get("VPC").cloned();
    if config["PrivateZone"].as_bool().unwrap_or(false) && vpc.is_none() {
        return Err(ApiError::new(400, "InvalidInput", "A private hosted zone needs a VPC."));
    }
    let zone = Zone::new(&name, reference, config["Comment"].as_str(), vpc.clone());
    let (id, description, records) = (zone.id.clone(), described(&zone), zone.records.clone());
    state.zones.insert(id.clone(), zone);
    let change = state.submit(&id, records, None, Instant::now());
    Ok(json!({
        "HostedZone": description, "ChangeInfo": change, "DelegationSet": {"NameServers": name_servers()}, "VPC": vpc,
        "Location": format!("https://route53.amazonaws.com/2013-04-01/hostedzone/{id}"),
    }))
}

fn get_zone(state: &State, call: &Call) -> Reply {
    let zone = find_zone(state, call.required("Id")?)?;
    let mut answer = json!({"HostedZone": described(zone)});
    match &zone.vpc {
        Some(vpc) => answer["VPCs"] = json!([vpc]),
        None => answer["DelegationSet"] = json!({"NameServers": name_servers()}),
    }
    Ok(answer)
}

fn delete_zone(state: &mut State, call: &Call) -> Reply {
    let zone = find_zone(state, call.required("Id")?)?;
    let only_apex =
        |record: &&crate::record_set::RecordSet| record.name() == zone.name && matches!(record.kind(), "SOA" | "NS");
    if !zone.records.values().all(|record| only_apex(&record)) {
        let text = "The specified hosted zone contains non-required resource record sets and so cannot be deleted.";
        return Err(ApiError::new(400, "HostedZoneNotEmpty", text));
    }
    let id = zone.id.clone();
    state.zones.remove(&id);
    let change = state.submit(&id, BTreeMap::new(), None, Instant::now());
    Ok(json!({"ChangeInfo": change}))
}

fn list_zones(state: &State, call: &Call) -> Reply {
    let (name, id) = (call.str("DNSName"), call.str("HostedZoneId"));
    if id.is_some() && name.is_none() {
        return Err(ApiError::new(400, "InvalidInput", "HostedZoneId is only taken together with DNSName."));
    }
    let limit = page_size(call, ZONE_PAGE)?;
    let start = (name.map(|name| sort_key(&canonical(name))).unwrap_or_default(), id.map(bare_id).unwrap_or_default());
    let from = |zone: &&Zone| (sort_key(&zone.name), zone.id.as_str()) >= (start.0.clone(), start.1);
    let mut found = state.by_name().into_iter().filter(from);
    let page: Vec<Value> = found.by_ref().take(limit).map(described).collect();
    let next = found.next();
    Ok(json!({
        "HostedZones": page, "DNSName": name, "HostedZoneId": id, "IsTruncated": next.is_some(),
        "NextDNSName": next.map(|zone| &zone.name), "NextHostedZoneId": next.map(|zone| &zone.id),
        "MaxItems": limit.to_string(),
    }))
}

fn change_records(state: &mut State, call: &Call) -> Reply {
    let zone = find_zone(state, call.required("HostedZoneId")?)?;
    let batch = &call.input["ChangeBatch"];
    let changes = batch["Changes"].as_array().cloned().unwrap_or_default();
    let records = apply(&zone.name, &zone.records, &changes).map_err(refused)?;
    let id = zone.id.clone();
    Ok(json!({"ChangeInfo": state.submit(&id, records, batch["Comment"].as_str(), Instant::now())}))
}

fn refused(refusal: Refusal) -> ApiError {
    match refusal {
        Refusal::Input(text) => ApiError::new(400, "InvalidInput", text),
        Refusal::Batch(reasons) => ApiError::new(400, "InvalidChangeBatch", format!("[{}]", reasons.join(", "))),
    }
}

fn list_records(state: &State, call: &Call) -> Reply {
    let zone = find_zone(state, call.required("HostedZoneId")?)?;
    let limit = page_size(call, RECORD_PAGE)?;
    let start = match (call.str("StartRecordName"), call.str("StartRecordType"), call.str("StartRecordIdentifier")) {
        (Some(name), kind, None) => Bound::Included(Key::starting_at(name, kind, None)),
        (Some(name), Some(kind), identifier) => Bound::Included(Key::starting_at(name, Some(kind), identifier)),
        (None, None, None) => Bound::Unbounded,
        _ => return Err(ApiError::new(400, "InvalidInput", "A start needs a name, and an identifier needs a type.")),
    };
    let mut found = zone.records.range((start, Bound::Unbounded)).map(|(_, record)| record);
    let page: Vec<&Value> = found.by_ref().take(limit).map(|record| record.members()).collect();
    let next = found.next();
    Ok(json!({
        "ResourceRecordSets": page, "IsTruncated": next.is_some(), "MaxItems": limit.to_string(),
        "NextRecordName": next.map(|record| record.name()), "NextRecordType": next.map(|record| record.kind()),
        "NextRecordIdentifier": next.and_then(|record| record.identifier()),
    }))
}

fn get_change(state: &State, call: &Call) -> Reply {
    let id = bare_id(call.required("Id")?);
    let change = state.change_info(id, Instant::now());
    let change =
        change.ok_or_else(|| ApiError::new(404, "NoSuchChange", format!("Could not find resource with ID: {id}")))?;
    Ok(json!({"ChangeInfo": change}))
}

fn find_zone<'a>(state: &'a State, id: &str) -> Result<&'a Zone, ApiError> {
    let id = bare_id(id);
    let zone = state.zones.get(id);
    zone.ok_or_else(|| ApiError::new(404, "NoSuchHostedZone", format!("No hosted zone found with ID: {id}")))
}

/// The model's `HostedZone`.
fn described(zone: &Zone) -> Value {
    json!({
        "Id": format!("/hostedzone/{}", zone.id), "Name": zone.name, "CallerReference": zone.caller_reference,
        "Config": {"Comment": zone.comment, "PrivateZone": zone.vpc.is_some()},
        "ResourceRecordSetCount": zone.records.len(),
    })
}

fn page_size(call: &Call, most: usize) -> Result<usize, ApiError> {
    match call.str("MaxItems") {
        None => Ok(most),
        Some(text) => match text.parse() {
            Ok(size) if size >= 1 => Ok(most.min(size)),
            _ => Err(ApiError::new(400, "InvalidInput", format!("Invalid value '{text}' for MaxItems"))),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use local_aws_core::checked;

    use super::*;

    async fn zone() -> (Route53, String) {
        let service = Route53::new(Zones::new(Duration::from_secs(60)));
        let made = json!({"Name": "Example.com", "CallerReference": "one"});
        let id = call(&service, "CreateHostedZone", made).await.unwrap();
        (service, id["HostedZone"]["Id"].as_str().unwrap().to_owned())
    }

    async fn call(service: &Route53, operation: &str, input: Value) -> Reply {
        checked(service, &Call::new(operation, input)).await
    }

    async fn upsert(service: &Route53, zone: &str, records: &[Value]) -> Reply {
        let changes: Vec<Value> =
            records.iter().map(|record| json!({"Action": "UPSERT", "ResourceRecordSet": record})).collect();
        let batch = json!({"Comment": "why", "Changes": changes});
        call(service, "ChangeResourceRecordSets", json!({"HostedZoneId": zone, "ChangeBatch": batch})).await
    }

    #[tokio::test]
    async fn a_change_shows_at_once_and_is_pending() {
        let (service, zone) = zone().await;
        let record = json!({"Name": "db.example.com", "Type": "CNAME", "TTL": 5, "ResourceRecords": [{"Value": "x."}],
            "SetIdentifier": "s", "Weight": 7, "HealthCheckId": "h"});

        let change = upsert(&service, &zone, std::slice::from_ref(&record)).await.unwrap()["ChangeInfo"].clone();

        let listed = call(&service, "ListResourceRecordSets", json!({"HostedZoneId": zone})).await.unwrap();
        let mut expected = record;
        expected["Name"] = json!("db.example.com.");
        assert_eq!(listed["ResourceRecordSets"][2], expected);
        assert_eq!((&change["Status"], &change["Comment"]), (&json!("PENDING"), &json!("why")));
        let again = call(&service, "GetChange", json!({"Id": change["Id"]})).await.unwrap();
        assert_eq!(again["ChangeInfo"], change);
    }

    #[tokio::test]
    async fn a_change_is_in_sync_after_the_delay() {
        let (service, zone) = zone().await;
        service.zones.set_propagation(Duration::ZERO);
        let record =
            json!({"Name": "a.example.com", "Type": "A", "TTL": 5, "ResourceRecords": [{"Value": "10.0.0.1"}]});

        let change = upsert(&service, &zone, &[record]).await.unwrap();

        assert_eq!(change["ChangeInfo"]["Status"], "INSYNC");
    }

    #[tokio::test]
    async fn record_sets_are_listed_by_reversed_labels_in_pages() {
        let (service, zone) = zone().await;
        let names = ["b.example.com", "a.b.example.com", "z.example.com", "a.example.com", "*.example.com"];
        let records =
            names.map(|name| json!({"Name": name, "Type": "TXT", "TTL": 5, "ResourceRecords": [{"Value": "\"x\""}]}));
        upsert(&service, &zone, &records).await.unwrap();

        let mut seen = Vec::new();
        let mut input = json!({"HostedZoneId": zone, "MaxItems": "2"});
        loop {
            let page = call(&service, "ListResourceRecordSets", input.clone()).await.unwrap();
            let names = page["ResourceRecordSets"].as_array().unwrap().iter();
            seen.extend(names.map(|record| record["Name"].as_str().unwrap().to_owned()));
            if page["IsTruncated"] == false {
                break;
            }
            input["StartRecordName"] = page["NextRecordName"].clone();
            input["StartRecordType"] = page["NextRecordType"].clone();
        }

        let expected = ["", "", "\\052.", "a.", "b.", "a.b.", "z."].map(|label| format!("{label}example.com."));
        assert_eq!(seen, expected);
    }

    #[tokio::test]
    async fn zones_are_found_by_name() {
        let (service, zone) = zone().await;
        call(&service, "CreateHostedZone", json!({"Name": "other.org", "CallerReference": "two"})).await.unwrap();

        let found =
            call(&service, "ListHostedZonesByName", json!({"DNSName": "example.com", "MaxItems": "1"})).await.unwrap();

        assert_eq!(found["HostedZones"][0]["Id"], json!(zone));
        assert_eq!((&found["IsTruncated"], &found["NextDNSName"]), (&json!(true), &json!("other.org.")));
    }

    #[tokio::test]
    async fn what_is_not_there_is_named() {
        let (service, zone) = zone().await;
        let record =
            json!({"Name": "a.example.com", "Type": "A", "TTL": 5, "ResourceRecords": [{"Value": "10.0.0.1"}]});
        upsert(&service, &zone, &[record]).await.unwrap();
        let cases = [
            ("GetHostedZone", json!({"Id": "Z0"}), 404, "NoSuchHostedZone", "No hosted zone found with ID: Z0"),
            (
                "ListResourceRecordSets",
                json!({"HostedZoneId": "Z0"}),
                404,
                "NoSuchHostedZone",
                "No hosted zone found with ID: Z0",
            ),
            ("GetChange", json!({"Id": "/change/C0"}), 404, "NoSuchChange", "Could not find resource with ID: C0"),
            ("DeleteHostedZone", json!({"Id": zone}), 400, "HostedZoneNotEmpty", "contains non-required"),
            (
                "CreateHostedZone",
                json!({"Name": "x.", "CallerReference": "one"}),
                409,
                "HostedZoneAlreadyExists",
                "one",
            ),
            ("CreateReusableDelegationSet", json!({}), 501, "NotImplemented", "CreateReusableDelegationSet"),
        ];
        for (operation, input, status, code, text) in cases {
            let error = call(&service, operation, input).await.unwrap_err();

            assert_eq!((error.status, error.code.as_str()), (status, code));
            assert!(error.message.contains(text), "{error}");
        }
    }
}
