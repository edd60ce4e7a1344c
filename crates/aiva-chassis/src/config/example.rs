//! Writes the annotated example from the declarations.
//!
//! Promises: every key is in it, with its documentation, its default or an example, and its environment names. A line that
//! starts with `# ` is prose; one that starts with `#` and no blank is configuration that is switched off: without the `#` it
//! loads too. As it stands the example is exactly the defaults.

use super::read::{Field, Key, Section, Shape};
use super::source::{Node, Value};

/// The annotated example of the tree `T`, opened by `intro`.
pub fn example<T: Section + Field>(intro: &str) -> String {
    let mut out = String::new();
    for line in intro.lines() {
        prose(&mut out, line);
    }
    section(&mut out, "", &T::keys(), false);
    out
}

/// The scalars of a table first, then its tables, as TOML needs them.
fn section(out: &mut String, path: &str, keys: &[Key], off: bool) {
    let (tables, scalars): (Vec<&Key>, Vec<&Key>) = keys.iter().partition(|key| table_of(&key.shape).is_some());
    for key in scalars {
        for line in key.doc {
            prose(out, line.trim());
        }
        for alias in &key.aliases {
            prose(out, &format!("Also from the environment: {}.", alias.name));
        }
        let (value, is_default) = value_of(key);
        out.push_str(if off || !is_default { "#" } else { "" });
        out.push_str(&format!("{} = {value}\n", key.name));
    }
    for key in tables {
        let Some(Inner { doc, keys, kind }) = table_of(&key.shape) else { continue };
        let name = if path.is_empty() { key.name.to_owned() } else { format!("{path}.{}", key.name) };
        out.push('\n');
        for line in doc {
            prose(out, line.trim());
        }
        let (off, header, name) = match kind {
            Kind::Plain => (off, format!("[{name}]"), name),
            Kind::Optional => (true, format!("[{name}]"), name),
            Kind::List => (true, format!("[[{name}]]"), name),
            Kind::Map => (true, format!("[{name}.NAME]"), format!("{name}.NAME")),
        };
        out.push_str(&format!("{}{header}\n", if off { "#" } else { "" }));
        section(out, &name, keys, off);
    }
}

fn prose(out: &mut String, line: &str) {
    out.push_str(if line.is_empty() { "#" } else { "# " });
    out.push_str(line);
    out.push('\n');
}

enum Kind {
    Plain,
    Optional,
    List,
    Map,
}

struct Inner<'a> {
    doc: &'static [&'static str],
    keys: &'a [Key],
    kind: Kind,
}

/// The table behind a key, if it is one.
fn table_of(shape: &Shape) -> Option<Inner<'_>> {
    let (inner, kind) = match shape {
        Shape::Optional(inner) => (&**inner, Kind::Optional),
        Shape::List(inner) => (&**inner, Kind::List),
        Shape::Map(inner) => (&**inner, Kind::Map),
        plain => (plain, Kind::Plain),
    };
    match inner {
        Shape::Section(doc, keys) => Some(Inner { doc, keys, kind }),
        _ => None,
    }
}

/// What stands behind the `=`, and whether it is the default.
fn value_of(key: &Key) -> (String, bool) {
    match (&key.default, key.example, &key.shape) {
        (Some(default), ..) => (written(default), true),
        (None, Some(example), _) => (example.to_owned(), false),
        (None, None, Shape::List(_)) => ("[]".to_owned(), true),
        (None, None, Shape::Map(_)) => ("{}".to_owned(), true),
        (None, None, _) => ("\"\"".to_owned(), false),
    }
}

fn written(value: &Value) -> String {
    match value {
        Value::Text(text) => toml_edit::Value::from(text).to_string(),
        Value::Bare(_, text) => text.clone(),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(|Node { value, .. }| written(value)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Table(_) => "{}".to_owned(),
    }
}
