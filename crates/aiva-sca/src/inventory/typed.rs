//! What has the wrong type in Python's TOML manifests, or says no version where one belongs, told by its line: it is never taken for
//! something that was left out, which would allow any version.

use toml_edit::{Array, InlineTable, Item, TableLike, Value};

use super::manifest::Manifest;
use super::python::is_specifier;
use super::reading::{Reading, quote};

/// The fields by which an entry says where a package comes from, and which version of it.
const FIELDS: [&str; 11] = ["version", "git", "hg", "svn", "bzr", "path", "file", "url", "uri", "index", "source"];

/// What is wrong with the entry of a package; `example` is a version as it belongs there.
pub(super) fn wrong(item: &Item, example: &str) -> Option<String> {
    let array = || item.as_array().into_iter().flat_map(Array::iter);
    let text = item.as_str().into_iter().chain(array().filter_map(Value::as_str)).find(|text| !is_version(text));
    if let Some(text) = text {
        return Some(no_version(text, example));
    }
    if let Some(odd) = array().find(|one| !one.is_str() && !one.is_inline_table()) {
        return Some(format!(
            "an entry of the type {} in its list, where {example:?} or a table belongs,",
            odd.type_name()
        ));
    }
    tables(item).into_iter().find_map(|table| field(table, example))
}

/// The same of where a package is taken from: one table, or one for each marker.
pub(super) fn wrong_source(item: &Item) -> Option<String> {
    let all = tables(item);
    if all.is_empty() {
        return Some(format!("is of the type {}, where a table belongs,", item.type_name()));
    }
    all.into_iter().find_map(|table| field(table, "")).map(|wrong| format!("has {wrong}"))
}

fn field(table: &dyn TableLike, example: &str) -> Option<String> {
    FIELDS.iter().find_map(|key| {
        let item = table.get(key)?;
        match item.as_str() {
            Some(text) if *key == "version" && !is_version(text) => Some(no_version(text, example)),
            Some(_) => None,
            None => {
                let text = if *key == "version" { format!("a text ({example:?})") } else { "a text".to_owned() };
                Some(format!("a `{key}` of the type {}, where {text} belongs,", item.type_name()))
            }
        }
    })
}

/// A marker may stand behind it.
fn is_version(text: &str) -> bool {
    is_specifier(text.split(';').next().unwrap_or(text))
}

fn no_version(text: &str, example: &str) -> String {
    format!("{}, which is no version ({example:?}),", quote(text))
}

/// The tables of `[[a]]`, `a = [{}]`, or the one that an item is.
pub(super) fn tables(item: &Item) -> Vec<&dyn TableLike> {
    if let Some(all) = item.as_array_of_tables() {
        return all.iter().map(|table| table as &dyn TableLike).collect();
    }
    if let Some(all) = item.as_array() {
        let inline = all.iter().filter_map(|value| value.as_inline_table());
        return inline.map(|table| table as &dyn TableLike).collect();
    }
    item.as_table_like().into_iter().collect()
}

/// Notes what is no list where one belongs, and in a list what is no text.
pub(super) fn doubt_list(manifest: &Manifest, (key, item, line): (&str, &Item, u32), reading: &mut Reading) {
    if !item.is_array() {
        return reading.problem(line, format!("{} is no list: nothing of it is read", quote(key)));
    }
    // PEP 735: the entries of another group, which are read where they stand.
    let is_group = |table: &InlineTable| table.get("include-group").is_some_and(Value::is_str);
    for (value, line) in manifest.values(item) {
        if !value.is_str() && !value.as_inline_table().is_some_and(is_group) {
            let (key, kind) = (quote(key), value.type_name());
            let message = format!(
                "an entry of the type {kind} in the list {key}, where a text such as \"name>=1.2\" belongs: it is not judged"
            );
            reading.problem(line, message);
        }
    }
}

/// The table at this path; notes what stands in the place of one, or of one that holds it.
pub(super) fn table_at<'m>(manifest: &'m Manifest, path: &[&str], reading: &mut Reading) -> Option<&'m dyn TableLike> {
    let mut table = manifest.table(&[])?;
    for key in path {
        table = table_in(manifest, table, key, reading)?;
    }
    Some(table)
}

/// The table under a key of another one; notes what stands in the place of one.
pub(super) fn table_in<'m>(
    manifest: &Manifest,
    above: &'m dyn TableLike,
    key: &str,
    reading: &mut Reading,
) -> Option<&'m dyn TableLike> {
    let item = above.get(key)?;
    let table = item.as_table_like();
    if table.is_none() {
        let line = manifest.line(above, key, item);
        let message = format!("{} is no table of packages: nothing of it is read", quote(key));
        // Several paths lead through one; no more of them are kept than a few.
        if !reading.problems.iter().any(|known| known.line == line && known.message == message) {
            reading.problem(line, message);
        }
    }
    table
}
