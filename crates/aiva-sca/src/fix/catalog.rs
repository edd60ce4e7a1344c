//! One package moved in gradle's version catalog.

use toml_edit::{DocumentMut, Item};

use super::edit::{Pen, put, set};
use super::requirement::moved;
use crate::inventory::plugin_marker;
use crate::package::Ecosystem;

/// A version that stands in the entry itself, and one in `[versions]` that the entry refers to.
pub(super) fn catalog(document: &mut DocumentMut, pen: &mut Pen<'_>) {
    let mut references: Vec<String> = Vec::new();
    for table in ["libraries", "plugins"] {
        let Some(entries) = document.get_mut(table).and_then(Item::as_table_like_mut) else { continue };
        for (key, item) in entries.iter_mut() {
            let is_plugin = table == "plugins";
            if let Some(text) = item.as_str().map(str::to_owned) {
                inline(item, &text, key.get(), is_plugin, pen);
            } else if module(item, is_plugin).is_some_and(|name| name == pen.ask.name)
                && let Some(version) = item.as_table_like_mut().and_then(|table| table.get_mut("version"))
            {
                match version.as_table_like().and_then(|table| table.get("ref")).and_then(Item::as_str) {
                    Some(name) => references.push(name.to_owned()),
                    None => rich(version, key.get(), pen),
                }
            }
        }
    }
    let Some(versions) = document.get_mut("versions").and_then(Item::as_table_like_mut) else { return };
    for name in references {
        if let Some(version) = versions.get_mut(&name) {
            rich(version, &name, pen);
        }
    }
}

/// `"group:name:version"`, and `"id:version"` of a plugin.
fn inline(item: &mut Item, text: &str, key: &str, is_plugin: bool, pen: &mut Pen<'_>) {
    let Some((module, version)) = text.rsplit_once(':') else { return };
    let name = if is_plugin { plugin_marker(module) } else { module.to_owned() };
    if name != pen.ask.name {
        return;
    }
    if let Some(new) = pen.write(key, version, |old, to| moved(Ecosystem::Maven, old, to))
        && let Some(value) = item.as_value_mut()
    {
        put(value, format!("{module}:{new}"));
    }
}

/// The artifact that an entry names.
fn module(item: &Item, is_plugin: bool) -> Option<String> {
    let table = item.as_table_like()?;
    let field = |key: &str| table.get(key).and_then(Item::as_str);
    if is_plugin {
        return field("id").map(plugin_marker);
    }
    field("module").map(str::to_owned).or_else(|| Some(format!("{}:{}", field("group")?, field("name")?)))
}

/// `"1"` or `{ strictly = "[1, 2[", prefer = "1.5" }`: every part that holds what has to go is moved.
fn rich(version: &mut Item, key: &str, pen: &mut Pen<'_>) {
    let rule = |old: &str, to: &str| moved(Ecosystem::Maven, old, to);
    let Some(parts) = version.as_table_like_mut() else { return set(version, key, pen, rule) };
    for (part, item) in parts.iter_mut() {
        if matches!(part.get(), "strictly" | "require" | "prefer") {
            set(item, key, pen, rule);
        }
    }
}
