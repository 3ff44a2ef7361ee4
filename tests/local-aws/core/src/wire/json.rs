//! JSON bodies: by member names, moments as epoch seconds.

use serde_json::{Map, Value};

use crate::model::{Kind, Member, Model, Place, Problem};
use crate::wire::scalar;
use crate::wire::xml::join;

/// A body by its shape's members that stand in bodies. Types are judged later, by the model's check.
pub(crate) fn decode(model: &Model, members: &[Member], body: &Value) -> Result<Map<String, Value>, Problem> {
    structure(model, &members.iter().filter(|member| member.place == Place::Body).collect::<Vec<_>>(), body, "")
}

fn structure(model: &Model, members: &[&Member], body: &Value, path: &str) -> Result<Map<String, Value>, Problem> {
    let Value::Object(sent) = body else {
        let found = "another type".to_owned();
        return Err(Problem::WrongType { path: path.to_owned(), expected: "Structure", found });
    };
    let mut found = Map::new();
    for (name, value) in sent.iter().filter(|(_, value)| !value.is_null()) {
        let member = members.iter().find(|member| member.wire(&member.name) == name);
        let Some(member) = member else { return Err(Problem::Unknown { path: join(path, name) }) };
        let path = join(path, &member.name);
        found.insert(member.name.clone(), node(model, &member.shape, value, &path)?);
    }
    Ok(found)
}

fn node(model: &Model, shape: &str, value: &Value, path: &str) -> Result<Value, Problem> {
    match (&model.shape(shape).kind, value) {
        (Kind::Structure(members), Value::Object(_)) => {
            structure(model, &members.iter().collect::<Vec<_>>(), value, path).map(Value::Object)
        }
        (Kind::List { element, .. }, Value::Array(items)) => {
            let items = items.iter().enumerate();
            let items =
                items.map(|(index, item)| node(model, &element.shape, item, &join(path, &(index + 1).to_string())));
            items.collect::<Result<Vec<_>, _>>().map(Value::Array)
        }
        (Kind::Map { value: element, .. }, Value::Object(entries)) => {
            let entries = entries.iter();
            let entries =
                entries.map(|(key, entry)| Ok((key.clone(), node(model, &element.shape, entry, &join(path, key))?)));
            entries.collect::<Result<Map<_, _>, _>>().map(Value::Object)
        }
        // Some clients write moments as text.
        (kind @ Kind::Timestamp(_), Value::String(text)) => Ok(scalar::from_text(kind, text).unwrap_or(value.clone())),
        _ => Ok(value.clone()),
    }
}

/// The members that stand in bodies as a JSON object. `value` has been checked against the shape.
pub(crate) fn encode(model: &Model, members: &[Member], value: &Value) -> Value {
    let body = members.iter().filter(|member| member.place == Place::Body);
    let body = body.filter_map(|member| {
        let found = value.get(&member.name).filter(|found| !found.is_null())?;
        Some((member.wire(&member.name).to_owned(), encode_node(model, &member.shape, found)))
    });
    Value::Object(body.collect())
}

fn encode_node(model: &Model, shape: &str, value: &Value) -> Value {
    match (&model.shape(shape).kind, value) {
        (Kind::Structure(members), Value::Object(_)) => encode(model, members, value),
        (Kind::List { element, .. }, Value::Array(items)) => {
            items.iter().map(|item| encode_node(model, &element.shape, item)).collect()
        }
        (Kind::Map { value: element, .. }, Value::Object(entries)) => {
            entries.iter().map(|(key, entry)| (key.clone(), encode_node(model, &element.shape, entry))).collect()
        }
        (Kind::Timestamp(_), Value::Number(seconds)) => scalar::rounded(seconds.as_f64().unwrap_or(0.0)),
        _ => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(operation: &str, body: Value) -> Result<Map<String, Value>, Problem> {
        let model = Model::of("dms").unwrap();
        decode(model, model.input_members(&model.operations[operation]), &body)
    }

    #[test]
    fn bodies_are_decoded_by_member_names() {
        let body = json!({"ReplicationTaskIdentifier": "t", "CdcStartTime": 1.5, "Tags": [{"Key": "k", "Value": "v"}],
            "TaskData": null});

        let input = read("CreateReplicationTask", body).unwrap();

        assert_eq!(
            Value::Object(input),
            json!({"ReplicationTaskIdentifier": "t", "CdcStartTime": 1.5, "Tags": [{"Key": "k", "Value": "v"}]})
        );
    }

    #[test]
    fn an_unknown_member_is_refused_at_any_depth() {
        let cases = [(json!({"Nope": 1}), "Nope"), (json!({"Tags": [{"Key": "k"}, {"Kye": "k"}]}), "Tags.2.Kye")];
        for (body, path) in cases {
            assert_eq!(read("CreateReplicationTask", body), Err(Problem::Unknown { path: path.to_owned() }));
        }
    }

    #[test]
    fn moments_leave_as_epoch_seconds_to_the_millisecond() {
        let model = Model::of("dms").unwrap();
        let members = model.output_members(&model.operations["DescribeReplicationTasks"]);
        let output = json!({"ReplicationTasks": [{"ReplicationTaskCreationDate": 1.234_567, "Status": null}]});

        assert_eq!(
            encode(model, members, &output),
            json!({"ReplicationTasks": [{"ReplicationTaskCreationDate": 1.235}]})
        );
    }
}
