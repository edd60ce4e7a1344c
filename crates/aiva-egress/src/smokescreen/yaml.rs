//! Reads a YAML document into a tree. Anchors are refused, so a file cannot grow while it is read.

use saphyr_parser::{Event, Parser};
use serde_json::{Map, Value};

/// How deep values may be nested.
const DEEPEST: usize = 16;

enum Half {
    Map(Map<String, Value>, Option<String>),
    List(Vec<Value>),
}

/// The first document; every scalar is text, but `~` and nothing are null.
pub(super) fn read(text: &str) -> Result<Value, String> {
    let mut open: Vec<Half> = Vec::new();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| error.to_string())?;
        let line = span.start.line();
        let done = match event {
            Event::Alias(_) => return Err(format!("line {line}: aliases are not read")),
            Event::MappingStart(..) | Event::SequenceStart(..) if open.len() >= DEEPEST => {
                return Err(format!("line {line}: nested too deep"));
            }
            Event::MappingStart(..) => {
                open.push(Half::Map(Map::new(), None));
                continue;
            }
            Event::SequenceStart(..) => {
                open.push(Half::List(Vec::new()));
                continue;
            }
            Event::Scalar(value, style, ..) => match value.as_ref() {
                "" | "~" | "null" if style == saphyr_parser::ScalarStyle::Plain => Value::Null,
                text => Value::String(text.to_owned()),
            },
            Event::MappingEnd | Event::SequenceEnd => match open.pop() {
                Some(Half::Map(map, _)) => Value::Object(map),
                Some(Half::List(items)) => Value::Array(items),
                None => return Err(format!("line {line}: an end without a start")),
            },
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => {
                continue;
            }
        };
        match open.last_mut() {
            None => return Ok(done),
            Some(Half::List(items)) => items.push(done),
            Some(Half::Map(map, key)) => match (key.take(), done) {
                // A list or text that is left empty means what is left out.
                (Some(key), Value::Null) => drop(map.remove(&key)),
                (Some(key), value) => {
                    if map.insert(key.clone(), value).is_some() {
                        return Err(format!("line {line}: {key:?} stands there twice"));
                    }
                }
                (None, Value::String(text)) => *key = Some(text),
                (None, _) => return Err(format!("line {line}: a key that is no text")),
            },
        }
    }
    Err("it is empty".to_owned())
}
