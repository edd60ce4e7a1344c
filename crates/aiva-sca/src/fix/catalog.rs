//! One package moved in gradle's version catalog.

use std::collections::BTreeSet;

use toml_edit::{DocumentMut, Item};

use super::edit::{Pen, put, set};
use super::requirement::moved;
use crate::inventory::plugin_marker;
use crate::package::Ecosystem;

/// A version that stands in the entry itself, and one in `[versions]` that the entry refers to.
pub(super) fn catalog(document: &mut DocumentMut, pen: &mut Pen<'_>) {
    let mut references: BTreeSet<String> = BTreeSet::new();
    let mut others: Vec<(String, String)> = Vec::new();
    for table in ["libraries", "plugins"] {
        let Some(entries) = document.get_mut(table).and_then(Item::as_table_like_mut) else { continue };
        for (key, item) in entries.iter_mut() {
            let is_plugin = table == "plugins";
            if let Some(text) = item.as_str().map(str::to_owned) {
                inline(item, &text, key.get(), is_plugin, pen);
            } else if let Some(module) = module(item, is_plugin)
                && let Some(version) = item.as_table_like_mut().and_then(|table| table.get_mut("version"))
            {
                let reference = version.as_table_like().and_then(|table| table.get("ref")).and_then(Item::as_str);
                match (reference, module == pen.ask.name) {
                    (Some(name), true) => drop(references.insert(name.to_owned())),
                    (Some(name), false) => others.push((name.to_owned(), module)),
                    (None, true) => rich(version, key.get(), pen),
                    (None, false) => {}
                }
            }
        }
    }
    let Some(versions) = document.get_mut("versions").and_then(Item::as_table_like_mut) else { return };
    for name in references {
        let Some(version) = versions.get_mut(&name) else { continue };
        let before = pen.entries.len();
        rich(version, &name, pen);
        pen.entries.iter_mut().skip(before).for_each(|entry| entry.property = Some(name.clone()));
    }
    others.retain(|(name, _)| pen.entries.iter().any(|entry| entry.property.as_ref() == Some(name)));
    pen.along.extend(others.into_iter().map(|(_, module)| module));
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

/// `"1"` or `{ strictly = "1" }`. What is said in several places at once is moved by hand.
fn rich(version: &mut Item, key: &str, pen: &mut Pen<'_>) {
    let rule = |old: &str, to: &str| moved(Ecosystem::Maven, old, to);
    let Some(parts) = version.as_table_like_mut() else { return set(version, key, pen, rule) };
    let is_one = |part: &str| matches!(part, "strictly" | "require" | "prefer" | "reject" | "rejectAll");
    let words: Vec<String> = parts.iter().map(|(part, _)| part.to_owned()).filter(|part| is_one(part)).collect();
    if words.len() > 1 {
        let (words, to) = (words.join(" and "), pen.ask.highest());
        return pen.refused.push(format!("the version of {key} is said by {words}; move it to {to} by hand"));
    }
    let one = words.first().filter(|word| !word.starts_with("reject"));
    if let Some(item) = one.and_then(|word| parts.get_mut(word)) {
        set(item, key, pen, rule);
    }
}
