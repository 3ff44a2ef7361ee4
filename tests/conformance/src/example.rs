//! A value for every member of a shape.

use base64::Engine as _;
use local_aws_core::model::{Kind, Model, Operation, Place, Shape};
use serde_json::{Map, Value, json};

/// Nothing in the served models nests deeper; a shape that holds itself would end here.
const DEEPEST: usize = 12;

/// An output with every member, lists of two, and texts that need escaping wherever any text is allowed.
pub(crate) fn output(model: &Model, operation: &Operation) -> Value {
    let members = model.output_members(operation).iter();
    let filled = members.map(|member| {
        let shape = model.shape(&member.shape);
        let value = match (member.place, &shape.kind) {
            (Place::Header, Kind::String { .. }) => json!("https://header.example/a?b=c"),
            _ => value(model, &member.shape, &member.name, 0),
        };
        (member.name.clone(), value)
    });
    Value::Object(filled.collect::<Map<_, _>>())
}

fn value(model: &Model, shape_name: &str, name: &str, depth: usize) -> Value {
    let shape = model.shape(shape_name);
    match &shape.kind {
        Kind::Structure(_) if depth > DEEPEST => json!({}),
        Kind::Structure(members) => {
            let filled = members
                .iter()
                .map(|member| (member.name.clone(), value(model, &member.shape, &member.name, depth + 1)));
            Value::Object(filled.collect())
        }
        Kind::List { element, .. } => {
            let length = shape.max.map_or(2, |max| if max < 2.0 { 1 } else { 2 });
            let items = (0..length).map(|n| value(model, &element.shape, &format!("{name}{n}"), depth + 1));
            Value::Array(items.collect())
        }
        Kind::Map { key, value: element } => {
            let length = length(model.shape(&key.shape), 1);
            let entries = ["a", "b"].map(|key| (key.repeat(length), value(model, &element.shape, key, depth + 1)));
            Value::Object(entries.into_iter().collect())
        }
        // A string in botocore's model, a number in the one that the Rust SDK is made from.
        Kind::String { .. } if shape_name == "PageMaxItems" => json!("7"),
        Kind::String { choices, charset } => match choices.first() {
            Some(choice) => json!(choice),
            None if charset.is_some() => json!("a".repeat(length(shape, 3))),
            None => json!(text(shape, name)),
        },
        Kind::Boolean => json!(true),
        Kind::Integer | Kind::Long => whole_number(shape),
        Kind::Double => json!(1.5),
        Kind::Timestamp(_) => json!(1_769_853_600.125),
        Kind::Blob => json!(base64::engine::general_purpose::STANDARD.encode([0, 1, 254, 255])),
    }
}

/// With characters that XML and JSON escape, cut and padded to the shape's length.
fn text(shape: &Shape, name: &str) -> String {
    let wanted = format!("{name} <&\"'> \u{fc}\u{20ac}\u{1f600}\\ \t\n\r.");
    wanted.chars().cycle().take(length(shape, wanted.chars().count())).collect()
}

fn length(shape: &Shape, wanted: usize) -> usize {
    let least = shape.min.unwrap_or(0.0) as usize;
    let most = shape.max.map_or(usize::MAX, |max| max as usize);
    wanted.max(least).min(most)
}

fn whole_number(shape: &Shape) -> Value {
    json!(7_i64.max(shape.min.unwrap_or(f64::MIN) as i64).min(shape.max.unwrap_or(f64::MAX) as i64))
}
