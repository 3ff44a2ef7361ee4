//! XML: a small tree to read from, and shapes written as elements.

use quick_xml::escape::escape;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;
use serde_json::{Map, Value};

use crate::model::{Kind, Member, Model, Problem, TimestampFormat, type_name};
use crate::wire::scalar;

/// An element: its local name, its text, its children. Attributes carry nothing in these protocols but namespaces.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    /// Without its namespace prefix.
    pub(crate) name: String,
    /// All text directly inside.
    pub(crate) text: String,
    /// In document order.
    pub(crate) children: Vec<Element>,
}

/// Read a document's root element.
pub(crate) fn parse(text: &str) -> Result<Element, String> {
    let mut reader = Reader::from_str(text);
    let mut open = vec![Element::default()];
    loop {
        match reader.read_event().map_err(|error| error.to_string())? {
            Event::Start(start) => open.push(element(&start)),
            Event::Empty(start) => attach(&mut open, element(&start))?,
            Event::End(_) => {
                let done = open.pop().ok_or("an end without a start")?;
                attach(&mut open, done)?;
            }
            Event::Text(part) => append(&mut open, &part),
            Event::CData(part) => append(&mut open, &part),
            Event::GeneralRef(reference) => append(&mut open, &resolve(&reference)?),
            Event::Eof => break,
            _ => {}
        }
    }
    let mut document = open.pop().filter(|_| open.is_empty()).ok_or("an element is not closed")?;
    document.children.pop().ok_or_else(|| "there is no root element".to_owned())
}

fn element(start: &BytesStart<'_>) -> Element {
    Element { name: start.local_name().into_inner().to_owned(), ..Element::default() }
}

fn attach(open: &mut [Element], done: Element) -> Result<(), String> {
    open.last_mut().ok_or("an end without a start")?.children.push(done);
    Ok(())
}

fn append(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

fn resolve(reference: &quick_xml::events::BytesRef<'_>) -> Result<String, String> {
    if let Some(character) = reference.resolve_char_ref().map_err(|error| error.to_string())? {
        return Ok(character.to_string());
    }
    let text = quick_xml::escape::resolve_predefined_entity(reference);
    text.map(str::to_owned).ok_or_else(|| format!("the entity {} is unknown", &**reference))
}

/// An element by its shape.
pub(crate) fn decode(model: &Model, shape: &str, element: &Element, path: &str) -> Result<Value, Problem> {
    match &model.shape(shape).kind {
        Kind::Structure(members) => decode_structure(model, members, element, path),
        Kind::List { element: item, flattened: false } => {
            let items = element.children.iter().enumerate();
            items
                .map(|(index, child)| {
                    let path = join(path, &(index + 1).to_string());
                    if child.name != item.wire("member") {
                        return Err(Problem::Unknown { path: join(&path, &child.name) });
                    }
                    decode(model, &item.shape, child, &path)
                })
                .collect::<Result<Vec<_>, _>>()
                .map(Value::Array)
        }
        Kind::List { element: item, flattened: true } => {
            Ok(Value::Array(vec![decode(model, &item.shape, element, path)?]))
        }
        Kind::Map { .. } => Err(wrong(model, shape, element, path)),
        kind => match element.children.is_empty().then(|| scalar::from_text(kind, &element.text)).flatten() {
            Some(value) => Ok(value),
            None => Err(wrong(model, shape, element, path)),
        },
    }
}

fn decode_structure(model: &Model, members: &[Member], element: &Element, path: &str) -> Result<Value, Problem> {
    let mut found = Map::new();
    for child in &element.children {
        let member = members.iter().find(|member| wire_name(model, member) == child.name);
        let Some(member) = member else { return Err(Problem::Unknown { path: join(path, &child.name) }) };
        let value = decode(model, &member.shape, child, &join(path, &member.name))?;
        match (found.get_mut(&member.name), value) {
            (Some(Value::Array(earlier)), Value::Array(more)) => earlier.extend(more),
            (_, value) => {
                found.insert(member.name.clone(), value);
            }
        }
    }
    Ok(Value::Object(found))
}

fn wrong(model: &Model, shape: &str, element: &Element, path: &str) -> Problem {
    let shape = model.shape(shape);
    let found = if shape.sensitive { "***".to_owned() } else { element.text.chars().take(80).collect() };
    Problem::WrongType { path: path.to_owned(), expected: type_name(&shape.kind), found }
}

/// A flattened list's elements carry the member's name, or the list's own element name.
fn wire_name<'a>(model: &'a Model, member: &'a Member) -> &'a str {
    match &model.shape(&member.shape).kind {
        Kind::List { element, flattened: true } => element.wire(member.wire(&member.name)),
        _ => member.wire(&member.name),
    }
}

/// The members of a structure as elements, in the model's order. `value` has been checked against the shape.
pub(crate) fn encode_members<'a>(
    model: &Model,
    members: impl IntoIterator<Item = &'a Member>,
    value: &Value,
    out: &mut String,
) {
    for member in members {
        if let Some(found) = value.get(&member.name).filter(|found| !found.is_null()) {
            encode(model, &member.shape, wire_name(model, member), found, out);
        }
    }
}

fn encode(model: &Model, shape: &str, name: &str, value: &Value, out: &mut String) {
    match &model.shape(shape).kind {
        Kind::Structure(members) => {
            wrap(name, out, |out| encode_members(model, members, value, out));
        }
        Kind::List { element, flattened } => {
            let items = value.as_array().into_iter().flatten();
            if *flattened {
                items.for_each(|item| encode(model, &element.shape, name, item, out));
            } else {
                wrap(name, out, |out| {
                    items.for_each(|item| encode(model, &element.shape, element.wire("member"), item, out));
                });
            }
        }
        Kind::Map { value: element, .. } => wrap(name, out, |out| {
            for (key, entry) in value.as_object().into_iter().flatten() {
                wrap("entry", out, |out| {
                    wrap("key", out, |out| out.push_str(&escape(key.as_str())));
                    encode(model, &element.shape, element.wire("value"), entry, out);
                });
            }
        }),
        kind => {
            let text = scalar::to_text(kind, value, TimestampFormat::Iso8601);
            wrap(name, out, |out| out.push_str(&escape_text(&text)));
        }
    }
}

/// Besides the five characters of XML, a carriage return: a reader would turn a bare one into a line feed.
pub(crate) fn escape_text(text: &str) -> String {
    escape(text).replace('\r', "&#13;")
}

/// An element around what `inside` writes.
pub(crate) fn wrap(name: &str, out: &mut String, inside: impl FnOnce(&mut String)) {
    out.push('<');
    out.push_str(name);
    out.push('>');
    inside(out);
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

/// A path with one more step.
pub(crate) fn join(path: &str, step: &str) -> String {
    if path.is_empty() { step.to_owned() } else { format!("{path}.{step}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_becomes_a_tree() {
        let root =
            parse("<?xml version=\"1.0\"?>\n<n:A xmlns:n=\"u\"><B>1 &lt; 2&#33;</B><C/><B><![CDATA[<x>]]></B></n:A>")
                .unwrap();

        assert_eq!(root.name, "A");
        let children: Vec<_> = root.children.iter().map(|child| (child.name.as_str(), child.text.as_str())).collect();
        assert_eq!(children, [("B", "1 < 2!"), ("C", ""), ("B", "<x>")]);
    }

    #[test]
    fn a_broken_document_is_refused() {
        for text in ["", "<A>", "<A></B>", "<A>&nope;</A>", "no element"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
