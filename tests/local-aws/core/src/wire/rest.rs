//! The REST protocols: the operation in method and path, members in path, query string, headers and body.

use axum::http::HeaderMap;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use crate::model::{Kind, Member, Model, Operation, Place, Problem, TimestampFormat, type_name};
use crate::wire::xml::{self, join};
use crate::wire::{Malformed, json, query, scalar};

/// What a path says.
#[derive(Debug)]
pub(crate) enum Route<'a> {
    /// An operation, with the labels of its path.
    Served(&'a Operation, Vec<(String, String)>),
    /// An operation of the service that is not served here.
    NotServed(&'a str),
    /// No operation of the service.
    Unknown,
}

/// The operation of a method and a path (without query string).
pub(crate) fn route<'a>(model: &'a Model, method: &str, path: &str) -> Route<'a> {
    let served = model.operations.values().filter(|operation| operation.method == method);
    for operation in served {
        if let Some(labels) = labels(&operation.uri, path) {
            return Route::Served(operation, labels);
        }
    }
    let not_served = model.not_served.iter().find(|(_, route)| {
        let (other_method, uri) = route.split_once(' ').unwrap_or_default();
        other_method == method && labels(uri, path).is_some()
    });
    not_served.map_or(Route::Unknown, |(name, _)| Route::NotServed(name))
}

/// The labels of a path if it fits the template; a slash at the end of either makes no difference.
fn labels(template: &str, path: &str) -> Option<Vec<(String, String)>> {
    let template = template.split('?').next().unwrap_or(template);
    let wanted: Vec<&str> = template.trim_matches('/').split('/').collect();
    let found: Vec<&str> = path.trim_matches('/').split('/').collect();
    let mut labels = Vec::new();
    for (at, part) in wanted.iter().enumerate() {
        let label = part.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        match label.map(|label| label.strip_suffix('+').ok_or(label)) {
            Some(Ok(greedy)) => {
                let rest = found.get(at..)?.join("/");
                labels.push((greedy.to_owned(), percent_decode_str(&rest).decode_utf8_lossy().into_owned()));
                return Some(labels);
            }
            Some(Err(label)) => {
                let text = found.get(at).filter(|text| !text.is_empty())?;
                labels.push((label.to_owned(), percent_decode_str(text).decode_utf8_lossy().into_owned()));
            }
            None if found.get(at) == Some(part) => {}
            None => return None,
        }
    }
    (wanted.len() == found.len()).then_some(labels)
}

/// A request's input, wherever its members stand.
pub(crate) struct Sent<'a> {
    pub(crate) labels: &'a [(String, String)],
    pub(crate) query: &'a str,
    pub(crate) headers: &'a HeaderMap,
}

/// The members outside the body.
pub(crate) fn decode_outside(
    model: &Model,
    operation: &Operation,
    sent: &Sent<'_>,
) -> Result<Map<String, Value>, Problem> {
    let members = model.input_members(operation);
    let mut found = Map::new();
    for (label, text) in sent.labels {
        let member = placed(members, Place::Uri, label).ok_or_else(|| Problem::Unknown { path: label.clone() })?;
        found.insert(member.name.clone(), single(model, member, text)?);
    }
    for (key, text) in query::form(sent.query) {
        let member = placed(members, Place::QueryString, &key).ok_or_else(|| Problem::Unknown { path: key.clone() })?;
        insert_query(model, member, &text, &mut found)?;
    }
    for member in members.iter().filter(|member| member.place == Place::Header) {
        let text = sent.headers.get(member.wire(&member.name)).and_then(|value| value.to_str().ok());
        if let Some(text) = text {
            found.insert(member.name.clone(), single(model, member, text)?);
        }
    }
    Ok(found)
}

fn placed<'a>(members: &'a [Member], place: Place, name: &str) -> Option<&'a Member> {
    members.iter().find(|member| member.place == place && member.wire(&member.name) == name)
}

/// A list in a query string is its key, repeated.
fn insert_query(model: &Model, member: &Member, text: &str, found: &mut Map<String, Value>) -> Result<(), Problem> {
    match &model.shape(&member.shape).kind {
        Kind::List { element, .. } => {
            let value = single(model, element, text)?;
            let list = found.entry(member.name.clone()).or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(items) = list {
                items.push(value);
            }
        }
        _ => {
            found.insert(member.name.clone(), single(model, member, text)?);
        }
    }
    Ok(())
}

fn single(model: &Model, member: &Member, text: &str) -> Result<Value, Problem> {
    let kind = &model.shape(&member.shape).kind;
    scalar::from_text(kind, text).ok_or_else(|| Problem::WrongType {
        path: member.name.clone(),
        expected: type_name(kind),
        found: text.to_owned(),
    })
}

/// The members in a JSON body.
pub(crate) fn decode_json_body(
    model: &Model,
    operation: &Operation,
    body: &str,
) -> Result<Map<String, Value>, Malformed> {
    if body.trim().is_empty() {
        return Ok(Map::new());
    }
    let body: Value = serde_json::from_str(body).map_err(|error| Malformed::Body(error.to_string()))?;
    Ok(json::decode(model, model.input_members(operation), &body)?)
}

/// The members in an XML body.
pub(crate) fn decode_xml_body(
    model: &Model,
    operation: &Operation,
    body: &str,
) -> Result<Map<String, Value>, Malformed> {
    let (Some(shape), false) = (&operation.input, body.trim().is_empty()) else { return Ok(Map::new()) };
    let root = xml::parse(body).map_err(Malformed::Body)?;
    let expected = operation.input_root.as_deref().unwrap_or(shape);
    if root.name != expected {
        return Err(Malformed::Body(format!("the root element is {}, not {expected}", root.name)));
    }
    let Value::Object(found) = xml::decode(model, shape, &root, "")? else { return Ok(Map::new()) };
    let outside = model
        .input_members(operation)
        .iter()
        .find(|member| member.place != Place::Body && found.contains_key(&member.name));
    match outside {
        Some(member) => Err(Problem::Unknown { path: join("", &member.name) }.into()),
        None => Ok(found),
    }
}

/// The output's members that stand in headers.
pub(crate) fn headers(model: &Model, operation: &Operation, output: &Value) -> Vec<(String, String)> {
    let members = model.output_members(operation).iter().filter(|member| member.place == Place::Header);
    members
        .filter_map(|member| {
            let value = output.get(&member.name).filter(|value| !value.is_null())?;
            let text = scalar::to_text(&model.shape(&member.shape).kind, value, TimestampFormat::Rfc822);
            Some((member.wire(&member.name).to_ascii_lowercase(), text))
        })
        .collect()
}

/// An XML answer's body; empty if the operation has no output.
pub(crate) fn encode_xml(model: &Model, operation: &Operation, output: &Value) -> String {
    let Some(shape) = &operation.output else { return String::new() };
    let Kind::Structure(members) = &model.shape(shape).kind else { return String::new() };
    let namespace = model.xml_namespace.as_deref().unwrap_or_default();
    let mut body = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{shape} xmlns=\"{namespace}\">");
    xml::encode_members(model, members.iter().filter(|member| member.place == Place::Body), output, &mut body);
    body.push_str(&format!("</{shape}>"));
    body
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn name_of(service: &str, method: &str, path: &str) -> String {
        match route(Model::of(service).unwrap(), method, path) {
            Route::Served(operation, labels) => format!("{} {labels:?}", operation.name),
            Route::NotServed(name) => format!("not served: {name}"),
            Route::Unknown => "unknown".to_owned(),
        }
    }

    #[test]
    fn method_and_path_name_the_operation() {
        let cases = [
            ("route53", "POST", "/2013-04-01/hostedzone/Z1/rrset/", "ChangeResourceRecordSets [(\"Id\", \"Z1\")]"),
            ("route53", "POST", "/2013-04-01/hostedzone/Z1/rrset", "ChangeResourceRecordSets [(\"Id\", \"Z1\")]"),
            ("route53", "GET", "/2013-04-01/hostedzone/Z1/rrset", "ListResourceRecordSets [(\"Id\", \"Z1\")]"),
            ("route53", "GET", "/2013-04-01/hostedzone/Z1", "GetHostedZone [(\"Id\", \"Z1\")]"),
            ("route53", "GET", "/2013-04-01/hostedzone", "not served: ListHostedZones"),
            ("route53", "GET", "/2013-04-01/hostedzonesbyname", "ListHostedZonesByName []"),
            ("route53", "GET", "/2013-04-01/nothing", "unknown"),
            ("scheduler", "PUT", "/schedules/a%20b", "UpdateSchedule [(\"Name\", \"a b\")]"),
            ("scheduler", "GET", "/schedules", "ListSchedules []"),
        ];
        for (service, method, path, expected) in cases {
            assert_eq!(name_of(service, method, path), expected, "{method} {path}");
        }
    }

    fn xml(operation: &str, body: &str) -> Result<Value, Malformed> {
        let model = Model::of("route53").unwrap();
        decode_xml_body(model, &model.operations[operation], body).map(Value::Object)
    }

    #[test]
    fn xml_bodies_are_decoded_by_the_models_element_names() {
        let record = "<ResourceRecordSet><Name>a&amp;b.</Name><Type>CNAME</Type><TTL>60</TTL><ResourceRecords>\
            <ResourceRecord><Value>x.</Value></ResourceRecord><ResourceRecord><Value>y.</Value></ResourceRecord>\
            </ResourceRecords></ResourceRecordSet>";
        let change = format!("<Change><Action>UPSERT</Action>{record}</Change>");
        let body = format!(
            "<?xml version=\"1.0\"?><ChangeResourceRecordSetsRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\">\
             <ChangeBatch><Comment/><Changes>{change}</Changes></ChangeBatch></ChangeResourceRecordSetsRequest>"
        );

        let input = xml("ChangeResourceRecordSets", &body).unwrap();

        let record =
            json!({"Name": "a&b.", "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": "x."}, {"Value": "y."}]});
        let change = json!({"Action": "UPSERT", "ResourceRecordSet": record});
        assert_eq!(input, json!({"ChangeBatch": {"Comment": "", "Changes": [change]}}));
    }

    #[test]
    fn xml_bodies_that_do_not_fit_are_refused_by_name() {
        let wrapped = |inside: &str| format!("<CreateHostedZoneRequest>{inside}</CreateHostedZoneRequest>");
        let cases = [
            ("<Other/>".to_owned(), "the root element is Other, not CreateHostedZoneRequest"),
            (wrapped("<Nmae>x</Nmae>"), "Unknown { path: \"Nmae\" }"),
            (wrapped("<VPC><Id>x</Id></VPC>"), "Unknown { path: \"VPC.Id\" }"),
            (wrapped("<Name><x/></Name>"), "WrongType { path: \"Name\", expected: \"String\""),
            (
                wrapped("<HostedZoneConfig><PrivateZone>maybe</PrivateZone></HostedZoneConfig>"),
                "path: \"HostedZoneConfig.PrivateZone\", expected: \"Boolean\", found: \"maybe\"",
            ),
            ("<CreateHostedZoneRequest>".to_owned(), "not closed"),
        ];
        for (body, expected) in cases {
            let refused = format!("{:?}", xml("CreateHostedZone", &body).unwrap_err());

            assert!(refused.contains(expected), "{refused}");
        }
    }

    fn outside(service: &str, method: &str, target: &str) -> Result<Value, Problem> {
        let model = Model::of(service).unwrap();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let Route::Served(operation, labels) = route(model, method, path) else { panic!("{target} is not served") };
        let sent = Sent { labels: &labels, query, headers: &HeaderMap::new() };
        decode_outside(model, operation, &sent).map(Value::Object)
    }

    #[test]
    fn path_and_query_hold_members_too() {
        let cases = [
            (
                ("route53", "GET", "/2013-04-01/hostedzone/Z1/rrset?name=a%2Eb&type=CNAME&maxitems=2"),
                json!({"HostedZoneId": "Z1", "StartRecordName": "a.b", "StartRecordType": "CNAME", "MaxItems": "2"}),
            ),
            (
                ("scheduler", "GET", "/schedules?ScheduleGroup=default&MaxResults=5"),
                json!({"GroupName": "default", "MaxResults": 5}),
            ),
            (("scheduler", "DELETE", "/schedules/a%2Fb?clientToken=t"), json!({"Name": "a/b", "ClientToken": "t"})),
        ];
        for ((service, method, target), expected) in cases {
            assert_eq!(outside(service, method, target), Ok(expected), "{target}");
        }
        let unknown = outside("scheduler", "GET", "/schedules?Nope=1");
        assert_eq!(unknown, Err(Problem::Unknown { path: "Nope".to_owned() }));
        assert!(outside("scheduler", "GET", "/schedules?MaxResults=many").is_err());
    }

    #[test]
    fn an_answer_is_split_into_headers_and_body() {
        let model = Model::of("route53").unwrap();
        let operation = &model.operations["CreateHostedZone"];
        let output = json!({"HostedZone": {"Id": "/hostedzone/Z1", "Name": "a.", "CallerReference": "r"},
            "DelegationSet": {"NameServers": ["x", "y"]}, "Location": "https://r/Z1"});

        let body = encode_xml(model, operation, &output);

        assert_eq!(headers(model, operation, &output), [("location".to_owned(), "https://r/Z1".to_owned())]);
        assert!(
            body.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<CreateHostedZoneResponse xmlns="),
            "{body}"
        );
        assert!(
            body.contains("<NameServers><NameServer>x</NameServer><NameServer>y</NameServer></NameServers>"),
            "{body}"
        );
        assert!(!body.contains("Location"), "{body}");
    }
}
