//! What gradle's version catalog asks for.

use std::collections::{BTreeMap, BTreeSet};

use toml_edit::{Item, Table, TableLike, Value};

use super::entries::{Form, Spot, Spots};
use super::requirement::moved;
use crate::inventory::plugin_marker;
use crate::package::Ecosystem;

/// A version that stands in the entry itself, and one in `[versions]` that the entry refers to.
pub(super) fn catalog(document: &Table, spots: &mut Spots) {
    let mut references: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (table, is_plugin) in [("libraries", false), ("plugins", true)] {
        let entries = document.get(table).and_then(Item::as_table_like);
        for (key, item) in entries.into_iter().flat_map(TableLike::iter) {
            if let Some(value) = item.as_value().filter(|value| value.is_str()) {
                spots.0.extend(inline(value, key, is_plugin));
            } else if let Some(module) = module(item, is_plugin)
                && let Some(version) = item.as_table_like().and_then(|table| table.get("version"))
            {
                let reference = version.as_table_like().and_then(|table| table.get("ref")).and_then(Item::as_str);
                match reference {
                    Some(name) => drop(references.entry(name).or_default().insert(module)),
                    None => rich(version, &module, key, spots),
                }
            }
        }
    }
    let Some(versions) = document.get("versions").and_then(Item::as_table_like) else { return };
    for (name, modules) in references {
        let known = spots.0.len();
        if let Some(version) = versions.get(name) {
            modules.iter().for_each(|module| rich(version, module, name, spots));
        }
        spots.0.iter_mut().skip(known).for_each(|spot| spot.property = Some(name.to_owned()));
    }
}

/// `"group:name:version"`, and `"id:version"` of a plugin.
fn inline(value: &Value, key: &str, is_plugin: bool) -> Option<Spot> {
    let (module, version) = value.as_str()?.rsplit_once(':')?;
    let name = if is_plugin { plugin_marker(module) } else { module.to_owned() };
    let (key, said, form) = (key.to_owned(), Some(version.to_owned()), Form::Behind(module.to_owned()));
    Some(Spot { name, key, said, read: None, kept_in: None, at: value.span()?, form, property: None })
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
fn rich(version: &Item, module: &str, key: &str, spots: &mut Spots) {
    let rule = |old: &str, to: &str| moved(Ecosystem::Maven, old, to);
    let Some(parts) = version.as_table_like() else { return spots.item(module, key, version, rule) };
    let is_one = |part: &&str| matches!(*part, "strictly" | "require" | "prefer" | "reject" | "rejectAll");
    let words: Vec<&str> = parts.iter().map(|(part, _)| part).filter(is_one).collect();
    if words.len() > 1 {
        let (name, key, form) = (module.to_owned(), key.to_owned(), Form::Words(words.join(" and ")));
        return spots.0.push(Spot {
            name,
            key,
            said: Some(String::new()),
            read: None,
            kept_in: None,
            at: 0..0,
            form,
            property: None,
        });
    }
    let one = words.first().filter(|word| !word.starts_with("reject"));
    if let Some(item) = one.and_then(|word| parts.get(word)) {
        spots.item(module, key, item, rule);
    }
}
