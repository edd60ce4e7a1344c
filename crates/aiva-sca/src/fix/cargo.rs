//! One package moved in a `Cargo.toml`, in every table that asks for it, that of a workspace too.

use toml_edit::{DocumentMut, Item, TableLike};

use super::edit::{Pen, set};
use super::requirement::moved;
use crate::package::Ecosystem;

pub(super) fn cargo_toml(document: &mut DocumentMut, pen: &mut Pen<'_>) {
    tables(document.as_table_mut(), pen);
    if let Some(workspace) = document.get_mut("workspace").and_then(Item::as_table_like_mut) {
        table(workspace, "dependencies", pen);
    }
    if let Some(targets) = document.get_mut("target").and_then(Item::as_table_like_mut) {
        for (_, target) in targets.iter_mut() {
            if let Some(target) = target.as_table_like_mut() {
                tables(target, pen);
            }
        }
    }
}

fn tables(above: &mut dyn TableLike, pen: &mut Pen<'_>) {
    for key in ["dependencies", "dev-dependencies", "dev_dependencies", "build-dependencies", "build_dependencies"] {
        table(above, key, pen);
    }
}

fn table(above: &mut dyn TableLike, key: &str, pen: &mut Pen<'_>) {
    let Some(entries) = above.get_mut(key).and_then(Item::as_table_like_mut) else { return };
    for (key, item) in entries.iter_mut() {
        let renamed = item.as_table_like().and_then(|table| table.get("package")).and_then(Item::as_str);
        if renamed.unwrap_or(key.get()) == pen.ask.name {
            set(item, key.get(), pen, |old, to| moved(Ecosystem::CratesIo, old, to));
        }
    }
}
