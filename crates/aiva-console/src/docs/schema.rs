//! Names the type of a schema in a few words, and makes an example of it.

use maud::{Markup, html};

use super::node::Node;

/// What kind of value this is, with links to the schemas it names.
pub(super) fn kind(schema: &Node) -> Markup {
    if let Some(name) = schema.at("$ref").text().strip_prefix("#/components/schemas/") {
        return html! { a href=(format!("#schema-{name}")) { (name) } };
    }
    if let [only] = schema.at("allOf").items() {
        return kind(only);
    }
    let choices = [schema.at("oneOf"), schema.at("anyOf"), schema.at("allOf")];
    if let Some(choices) = choices.into_iter().find(|choices| !choices.items().is_empty()) {
        let between = if schema.has("allOf") { " and " } else { " or " };
        return html! { @for (at, choice) in choices.items().iter().enumerate() { @if at > 0 { (between) } (kind(choice)) } };
    }
    let format = schema.at("format").text();
    html! {
        @match schema.at("type").text() {
            "array" => { "list of " (kind(schema.at("items"))) }
            "object" if schema.has("additionalProperties") && !schema.has("properties") => {
                "map of " (kind(schema.at("additionalProperties")))
            }
            "" => "anything",
            other => { (other) @if !format.is_empty() { ", " (format) } }
        }
        @if schema.at("nullable").text() == "true" { ", or null" }
    }
}

/// What a schema of the reference is, as a whole.
pub(super) fn kind_of_whole(schema: &Node) -> Markup {
    match schema.at("type").text() {
        "object" => html! { "object" },
        _ => kind(schema),
    }
}

/// Limits and choices, one line; empty if there are none.
pub(super) fn limits(schema: &Node) -> String {
    let names = [
        ("default", "default "),
        ("minimum", "at least "),
        ("maximum", "at most "),
        ("minLength", "length at least "),
        ("maxLength", "length at most "),
        ("minItems", "at least (items) "),
        ("maxItems", "at most (items) "),
        ("pattern", "pattern "),
    ];
    let mut parts: Vec<String> = names
        .into_iter()
        .filter(|(key, _)| !schema.at(key).text().is_empty())
        .map(|(key, words)| format!("{words}{}", schema.at(key).text()))
        .collect();
    let choices: Vec<&str> = schema.at("enum").items().iter().map(Node::text).collect();
    if !choices.is_empty() {
        parts.insert(0, format!("one of {}", choices.join(", ")));
    }
    parts.join("; ")
}

/// An example value as JSON text: the one in the document, or one made from the required properties.
pub(super) fn example(schema: &Node, root: &Node) -> String {
    let mut out = String::new();
    write_example(schema, root, 0, &mut out);
    out
}

const DEEPEST: usize = 5;

fn write_example(schema: &Node, root: &Node, depth: usize, out: &mut String) {
    let schema = schema.follow(root);
    if schema.has("example") {
        return write_value(schema.at("example"), depth, out);
    }
    if let Some(first) =
        [schema.at("oneOf"), schema.at("anyOf"), schema.at("allOf")].iter().find_map(|list| list.items().first())
    {
        return write_example(first, root, depth, out);
    }
    if let Some(first) = schema.at("enum").items().first() {
        return write_text(first.text(), out);
    }
    match schema.at("type").text() {
        "object" if depth < DEEPEST => {
            let required: Vec<&str> = schema.at("required").items().iter().map(Node::text).collect();
            let shown = schema
                .at("properties")
                .pairs()
                .iter()
                .filter(|(name, value)| required.contains(&name.as_str()) || value.has("example"));
            let fields = shown.map(|(name, value)| (name.as_str(), value));
            write_object(fields, depth, out, |value, out| write_example(value, root, depth + 1, out));
        }
        "object" => out.push_str("{}"),
        "array" if depth < DEEPEST => {
            out.push('[');
            write_example(schema.at("items"), root, depth + 1, out);
            out.push(']');
        }
        "array" => out.push_str("[]"),
        "integer" | "number" => out.push_str(if schema.has("minimum") { schema.at("minimum").text() } else { "0" }),
        "boolean" => out.push_str("false"),
        _ => write_text(
            match schema.at("format").text() {
                "date" => "2027-01-31",
                "date-time" => "2027-01-31T09:30:00Z",
                "uuid" => "01960a3e-6f2b-7c11-9d55-3f0c5b1d2e4a",
                "uri" => "https://example.com/",
                _ => "text",
            },
            out,
        ),
    }
}

fn write_value(value: &Node, depth: usize, out: &mut String) {
    match value {
        Node::Text(text) if text.parse::<f64>().is_ok() || matches!(text.as_str(), "true" | "false" | "null") => {
            out.push_str(text)
        }
        Node::Text(text) => write_text(text, out),
        Node::List(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push_str(", ");
                }
                write_value(item, depth + 1, out);
            }
            out.push(']');
        }
        Node::Map(pairs) => {
            let fields = pairs.iter().map(|(name, value)| (name.as_str(), value));
            write_object(fields, depth, out, |value, out| write_value(value, depth + 1, out));
        }
    }
}

fn write_object<'a>(
    fields: impl Iterator<Item = (&'a str, &'a Node)>,
    depth: usize,
    out: &mut String,
    mut write: impl FnMut(&Node, &mut String),
) {
    let indent = "  ".repeat(depth + 1);
    out.push('{');
    let mut some = false;
    for (name, value) in fields {
        out.push_str(if some { ",\n" } else { "\n" });
        some = true;
        out.push_str(&indent);
        write_text(name, out);
        out.push_str(": ");
        write(value, out);
    }
    if some {
        out.push('\n');
        out.push_str(&"  ".repeat(depth));
    }
    out.push('}');
}

fn write_text(text: &str, out: &mut String) {
    out.push_str(&serde_json::Value::from(text).to_string());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_is_json() {
        let root = Node::read(concat!(
            "components: {schemas: {Loop: {type: object, required: [next, n], properties: {",
            "next: {$ref: '#/components/schemas/Loop'}, n: {type: integer}, optional: {type: string}}}}}"
        ))
        .unwrap();
        let schema = root.at("components").at("schemas").at("Loop");
        let value: serde_json::Value = serde_json::from_str(&example(schema, &root)).unwrap(); // and it ends
        assert_eq!(value["n"], 0);
        assert!(value.get("optional").is_none());
    }
}
