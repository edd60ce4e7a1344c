//! How each kind of value is read: a scalar, one that may be absent, a list, a map, a secret.
//!
//! A scalar must be written as its type; environment and flags, which have no types, write it as text. A secret comes from the
//! environment or a file of its own, never from the file that others read, and what is kept of it for showing is a mask.

use std::collections::BTreeMap;

use super::{Field, Leaf, Reader, Shape, show_key};
use crate::config::Sources;
use crate::config::source::{Bare, Node, Origin, Value};
use crate::secret::Secret;
use crate::telemetry::redact::MASK;

impl<T: Leaf> Field for T {
    fn shape() -> Shape {
        Shape::Leaf(T::WHAT)
    }

    fn read(node: Option<&Node>, reader: &mut Reader<'_>) -> Option<Self> {
        let Node { value, origin } = node?;
        let text = match value {
            Value::Text(text) if T::BARE == Bare::None || T::BARE == Bare::Date || origin.is_loose() => text,
            Value::Bare(bare, text) if *bare == T::BARE || (*bare, T::BARE) == (Bare::Integer, Bare::Float) => text,
            other => {
                reader.wrong(origin, format!("expected {}, found {}", T::WHAT, other.kind()));
                return None;
            }
        };
        match T::from_text(text) {
            Ok(parsed) => {
                reader.record(origin, parsed.show());
                Some(parsed)
            }
            Err(reason) => {
                let reason = if reason.is_empty() { reason } else { format!(" ({reason})") };
                let shown = crate::telemetry::redact::text(text);
                reader.wrong(origin, format!("expected {}, found {shown:?}{reason}", T::WHAT));
                None
            }
        }
    }
}

impl<T: Field> Field for Option<T> {
    fn shape() -> Shape {
        Shape::Optional(Box::new(T::shape()))
    }

    fn read(node: Option<&Node>, reader: &mut Reader<'_>) -> Option<Self> {
        match node {
            None => Some(None),
            Some(_) => T::read(node, reader).map(Some),
        }
    }

    fn may_be_absent() -> bool {
        true
    }
}

impl<T: Field> Field for Vec<T> {
    fn shape() -> Shape {
        Shape::List(Box::new(T::shape()))
    }

    fn read(node: Option<&Node>, reader: &mut Reader<'_>) -> Option<Self> {
        let Some(Node { value, origin }) = node else { return Some(Self::new()) };
        let split;
        let items = match value {
            Value::List(items) => items,
            Value::Text(text) if origin.is_loose() && matches!(T::shape(), Shape::Leaf(_)) => {
                let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
                split = words.map(|word| Node { value: word.into(), origin: origin.clone() }).collect::<Vec<_>>();
                &split
            }
            _ if origin.is_loose() => {
                reader.wrong(origin, "a list of tables can only be set in the file");
                return None;
            }
            other => {
                reader.wrong(origin, format!("expected a list, found {}", other.kind()));
                return None;
            }
        };
        if items.is_empty() {
            reader.record(origin, "[]".to_owned());
        }
        let mut read = Self::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            read.extend(reader.inside(format!("[{index}]"), |reader| T::read(Some(item), reader)));
        }
        (read.len() == items.len()).then_some(read)
    }

    fn may_be_absent() -> bool {
        true
    }
}

impl<T: Field> Field for BTreeMap<String, T> {
    fn shape() -> Shape {
        Shape::Map(Box::new(T::shape()))
    }

    fn read(node: Option<&Node>, reader: &mut Reader<'_>) -> Option<Self> {
        let Some(Node { value, origin }) = node else { return Some(Self::new()) };
        let Value::Table(table) = value else {
            reader.wrong(origin, format!("expected a table, found {}", value.kind()));
            return None;
        };
        let mut read = Self::new();
        for (name, item) in table {
            let value = reader.inside(show_key(name), |reader| T::read(Some(item), reader));
            read.extend(value.map(|value| (name.clone(), value)));
        }
        (read.len() == table.len()).then_some(read)
    }

    fn may_be_absent() -> bool {
        true
    }
}

impl Field for Secret {
    fn shape() -> Shape {
        Shape::Secret
    }

    fn read(node: Option<&Node>, reader: &mut Reader<'_>) -> Option<Self> {
        let Node { value, origin } = node?;
        let secret = match (value, origin) {
            (Value::Text(text), Origin::Env(_)) => Ok((Self::new(text.clone()), origin.clone())),
            (Value::Text(_), Origin::Flag(_)) => {
                Err("a secret does not belong on the command line, where others can read it: use the environment"
                    .into())
            }
            (Value::Table(table), _) => lookup(table, reader.sources),
            _ => Err("a secret does not belong in the file: write { env = \"NAME\" } or { file = \"/path\" }".into()),
        };
        match secret {
            Ok((secret, _)) if secret.is_empty() => reader.wrong(origin, "the secret is empty"),
            Ok((secret, source)) => {
                reader.record(&source, format!("{MASK:?}"));
                return Some(secret);
            }
            Err(message) => reader.wrong(origin, message),
        }
        None
    }
}

/// Follows `{ env = "NAME" }` or `{ file = "/path" }`. The end of a file's last line is not part of the secret.
fn lookup(table: &BTreeMap<String, Node>, sources: &Sources<'_>) -> Result<(Secret, Origin), String> {
    let mut entries = table.iter();
    match (entries.next(), entries.next()) {
        (Some((key, Node { value: Value::Text(name), .. })), None) if key == "env" => {
            let found = sources.env.get(name).ok_or_else(|| format!("environment variable {name} is not set"))?;
            Ok((Secret::new(found.clone()), Origin::Env(name.clone())))
        }
        (Some((key, Node { value: Value::Text(path), origin })), None) if key == "file" => {
            let text = (sources.open)(path).map_err(|error| format!("{path} cannot be read: {error}"))?;
            Ok((Secret::new(text.trim_end_matches(['\r', '\n'])), origin.clone()))
        }
        _ => Err("expected exactly one of { env = \"NAME\" } and { file = \"/path\" }".into()),
    }
}
