//! From a model's JSON to its types. The files are part of the program, so a fault in one is a fault of the build.

use serde_json::Value;

use super::{
    Charset, ErrorShape, JsonVersion, Kind, Member, Model, Operation, Place, Protocol, Shape, TimestampFormat,
};

/// Read one model; panics on a file that is no model, which the unit tests would find.
pub(super) fn model(name: &'static str, text: &str) -> Model {
    let root: Value = serde_json::from_str(text).expect("a model is JSON");
    let metadata = &root["metadata"];
    let shapes = root["shapes"].as_object().expect("a model has shapes");
    let operations = root["operations"].as_object().expect("a model has operations");
    Model {
        name,
        api_version: string(metadata, "apiVersion").unwrap_or_default(),
        protocol: protocol(metadata),
        signing_name: string(metadata, "signingName")
            .or_else(|| string(metadata, "endpointPrefix"))
            .expect("a model has an endpoint prefix"),
        target_prefix: string(metadata, "targetPrefix"),
        xml_namespace: string(metadata, "xmlNamespace").or_else(|| namespace_of_inputs(operations)),
        operations: operations.iter().map(|(name, node)| (name.clone(), operation(name, node, &root))).collect(),
        not_served: root["notServed"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, route)| (name.clone(), route.as_str().unwrap_or_default().to_owned()))
            .collect(),
        shapes: shapes.iter().map(|(name, node)| (name.clone(), shape(node))).collect(),
    }
}

fn protocol(metadata: &Value) -> Protocol {
    match (metadata["protocol"].as_str(), metadata["jsonVersion"].as_str()) {
        (Some("query"), _) => Protocol::Query,
        (Some("ec2"), _) => Protocol::Ec2,
        (Some("json"), Some("1.0")) => Protocol::Json(JsonVersion::V10),
        (Some("json"), _) => Protocol::Json(JsonVersion::V11),
        (Some("rest-json"), _) => Protocol::RestJson,
        (Some("rest-xml"), _) => Protocol::RestXml,
        (other, _) => panic!("a model speaks {other:?}, which no codec here does"),
    }
}

/// Route 53 names its namespace at each input only.
fn namespace_of_inputs(operations: &serde_json::Map<String, Value>) -> Option<String> {
    operations.values().find_map(|node| string(&node["input"]["xmlNamespace"], "uri"))
}

fn operation(name: &str, node: &Value, root: &Value) -> Operation {
    let errors = node["errors"].as_array().into_iter().flatten();
    Operation {
        name: name.to_owned(),
        method: string(&node["http"], "method").unwrap_or_else(|| "POST".to_owned()),
        uri: string(&node["http"], "requestUri").unwrap_or_else(|| "/".to_owned()),
        status: node["http"]["responseCode"].as_u64().map_or(200, |code| u16::try_from(code).unwrap_or(200)),
        input: string(&node["input"], "shape"),
        input_root: string(&node["input"], "locationName"),
        output: string(&node["output"], "shape"),
        result_wrapper: string(&node["output"], "resultWrapper"),
        errors: errors.filter_map(|error| string(error, "shape")).map(|shape| error_shape(&shape, root)).collect(),
    }
}

fn error_shape(name: &str, root: &Value) -> ErrorShape {
    let node = &root["shapes"][name];
    let member = node["members"]
        .as_object()
        .and_then(|members| members.keys().find(|member| member.eq_ignore_ascii_case("message")).cloned());
    ErrorShape {
        code: string(&node["error"], "code").unwrap_or_else(|| name.to_owned()),
        status: node["error"]["httpStatusCode"]
            .as_u64()
            .and_then(|code| u16::try_from(code).ok())
            .unwrap_or(if node["fault"].as_bool().unwrap_or(false) { 500 } else { 400 }),
        message_member: member.unwrap_or_else(|| "message".to_owned()),
    }
}

fn shape(node: &Value) -> Shape {
    Shape {
        kind: kind(node),
        min: node["min"].as_f64(),
        max: node["max"].as_f64(),
        sensitive: node["sensitive"].as_bool().unwrap_or(false),
    }
}

fn kind(node: &Value) -> Kind {
    match node["type"].as_str().expect("a shape has a type") {
        "structure" => Kind::Structure(members(node)),
        "list" => Kind::List {
            element: member("member", &node["member"], false),
            flattened: node["flattened"].as_bool().unwrap_or(false),
        },
        "map" => Kind::Map { key: member("key", &node["key"], false), value: member("value", &node["value"], false) },
        "string" | "character" => Kind::String {
            choices: node["enum"].as_array().into_iter().flatten().filter_map(owned).collect(),
            charset: node["pattern"].as_str().and_then(Charset::parse),
        },
        "boolean" => Kind::Boolean,
        "integer" => Kind::Integer,
        "long" => Kind::Long,
        "float" | "double" => Kind::Double,
        "timestamp" => Kind::Timestamp(timestamp_format(node)),
        "blob" => Kind::Blob,
        other => panic!("a model has a shape of type {other}, which no codec here knows"),
    }
}

fn timestamp_format(node: &Value) -> TimestampFormat {
    match node["timestampFormat"].as_str() {
        Some("iso8601") => TimestampFormat::Iso8601,
        Some("unixTimestamp") => TimestampFormat::UnixTimestamp,
        Some("rfc822") => TimestampFormat::Rfc822,
        _ => TimestampFormat::Protocol,
    }
}

fn members(node: &Value) -> Vec<Member> {
    let required: Vec<&str> = node["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let members = node["members"].as_object().into_iter().flatten();
    members.map(|(name, reference)| member(name, reference, required.contains(&name.as_str()))).collect()
}

fn member(name: &str, reference: &Value, required: bool) -> Member {
    Member {
        name: name.to_owned(),
        shape: string(reference, "shape").expect("a member has a shape"),
        wire_name: string(reference, "locationName"),
        place: match reference["location"].as_str() {
            Some("uri") => Place::Uri,
            Some("querystring") => Place::QueryString,
            Some("header") => Place::Header,
            None => Place::Body,
            Some(other) => panic!("a member is placed in {other}, which no codec here knows"),
        },
        required,
    }
}

fn string(node: &Value, key: &str) -> Option<String> {
    node.get(key).and_then(owned)
}

fn owned(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}
