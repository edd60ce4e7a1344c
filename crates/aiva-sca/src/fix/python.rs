//! One package moved in what Python's tools ask for: `pyproject.toml`, `Pipfile`, requirements.

use toml_edit::{Array, DocumentMut, Item, TableLike};

use super::ask::{Ask, Edited, Stands};
use super::edit::{Pen, holds, put, set, set_value};
use super::requirement::moved;
use crate::inventory::poetry_requirement;
use crate::package::Ecosystem;
use crate::purl::pypi_name;

/// Tables of a `Pipfile` that are no lists of packages.
const OTHERS: [&str; 5] = ["source", "requires", "scripts", "pipenv", "build-system"];

pub(super) fn pipfile(document: &mut DocumentMut, pen: &mut Pen<'_>) {
    for (category, table) in document.iter_mut() {
        if OTHERS.contains(&category.get()) {
            continue;
        }
        for (key, item) in table.as_table_like_mut().into_iter().flat_map(TableLike::iter_mut) {
            if pypi_name(key.get()) == pen.ask.name {
                set(item, key.get(), pen, |old, to| moved(Ecosystem::PyPi, if old == "*" { "" } else { old }, to));
            }
        }
    }
}

pub(super) fn pyproject(document: &mut DocumentMut, pen: &mut Pen<'_>) {
    if let Some(project) = document.get_mut("project").and_then(Item::as_table_like_mut) {
        if let Some(list) = project.get_mut("dependencies") {
            listed(list, pen);
        }
        if let Some(extras) = project.get_mut("optional-dependencies").and_then(Item::as_table_like_mut) {
            extras.iter_mut().for_each(|(_, list)| listed(list, pen));
        }
    }
    if let Some(groups) = document.get_mut("dependency-groups").and_then(Item::as_table_like_mut) {
        groups.iter_mut().for_each(|(_, list)| listed(list, pen));
    }
    // Of what a lockfile pins nothing builds the project.
    let build = document.get_mut("build-system").filter(|_| pen.ask.stands != Stands::Locked);
    if let Some(list) = build.and_then(Item::as_table_like_mut).and_then(|build| build.get_mut("requires")) {
        listed(list, pen);
    }
    let Some(tool) = document.get_mut("tool").and_then(Item::as_table_like_mut) else { return };
    let uv = tool.get_mut("uv").and_then(Item::as_table_like_mut);
    if let Some(list) = uv.and_then(|uv| uv.get_mut("override-dependencies")) {
        listed(list, pen);
    }
    let resolution = tool.get_mut("pdm").and_then(Item::as_table_like_mut).and_then(|pdm| pdm.get_mut("resolution"));
    poetry_table(
        resolution.and_then(Item::as_table_like_mut).and_then(|resolution| resolution.get_mut("overrides")),
        pen,
    );
    let poetry = tool.get_mut("poetry");
    if let Some(poetry) = poetry.and_then(Item::as_table_like_mut) {
        for key in ["dependencies", "dev-dependencies"] {
            poetry_table(poetry.get_mut(key), pen);
        }
        if let Some(groups) = poetry.get_mut("group").and_then(Item::as_table_like_mut) {
            for (_, group) in groups.iter_mut() {
                poetry_table(group.as_table_like_mut().and_then(|group| group.get_mut("dependencies")), pen);
            }
        }
    }
}

fn poetry_table(table: Option<&mut Item>, pen: &mut Pen<'_>) {
    let Some(table) = table.and_then(Item::as_table_like_mut) else { return };
    for (key, item) in table.iter_mut() {
        if pypi_name(key.get()) == pen.ask.name {
            pen.said = poetry_requirement(item);
            set(item, key.get(), pen, poetry);
            // One requirement for each machine or Python.
            for one in item.as_array_mut().into_iter().flat_map(Array::iter_mut) {
                if let Some(version) = one.as_inline_table_mut().and_then(|table| table.get_mut("version")) {
                    set_value(version, key.get(), pen, poetry);
                }
            }
            pen.said = None;
        }
    }
}

/// Poetry's bare `1.2` is exact, and `^` and `~` are cargo's; the rest is PEP 440.
fn poetry(requirement: &str, to: &str) -> Option<String> {
    Some(match requirement {
        "*" => format!(">={to}"),
        one if one.contains('|') => {
            let mut all = one.split('|').map(str::trim).filter(|one| !one.is_empty());
            let fitting = all.clone().find(|one| holds(Ecosystem::PyPi, one, to));
            return poetry(fitting.or_else(|| all.next_back())?, to);
        }
        one if one.contains(',') => return moved(Ecosystem::PyPi, one, to),
        one if one.starts_with('^') => format!("^{to}"),
        one if one.starts_with('~') && !one.starts_with("~=") => format!("~{to}"),
        one if one.starts_with(|c: char| c.is_ascii_digit()) && !one.contains('*') => to.to_owned(),
        one => return moved(Ecosystem::PyPi, one, to),
    })
}

fn listed(list: &mut Item, pen: &mut Pen<'_>) {
    let Some(list) = list.as_array_mut() else { return };
    for value in list.iter_mut() {
        if let Some(new) = value.as_str().and_then(|text| line(text, pen)) {
            put(value, new);
        }
    }
}

/// A PEP 508 requirement with the package moved; `None` where it is about another package, or stays.
fn line(text: &str, pen: &mut Pen<'_>) -> Option<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let start = text.len() - text.trim_start().len();
    let rest = text.get(start..).unwrap_or_default();
    let own = rest.get(..rest.find(|c| !is_name(c)).unwrap_or(rest.len())).unwrap_or_default();
    let name = pen.ask.name;
    if own.is_empty() || pypi_name(own) != name {
        return None;
    }
    let after = rest.get(own.len()..).unwrap_or_default();
    // Extras stay with the name; markers, hashes and comments stay behind.
    let extras = match after.trim_start().strip_prefix('[').and_then(|inside| inside.find(']')) {
        Some(end) => after.len() - after.trim_start().len() + end + 2,
        None => 0,
    };
    let (extras, after) = after.split_at_checked(extras).unwrap_or(("", after));
    let end = [";", " #", "\t#", " --", "\\"].iter().filter_map(|stop| after.find(stop)).min().unwrap_or(after.len());
    let (specifier, tail) = after.split_at_checked(end).unwrap_or((after, ""));
    if specifier.trim_start().starts_with('@') {
        pen.refused.push(format!("{name} comes from an address"));
        return None;
    }
    let blank = specifier.len() - specifier.trim_start().len();
    let trail = specifier.get(specifier.trim_end().len()..).unwrap_or_default();
    let bare = specifier.trim().trim_start_matches('(').trim_end_matches(')');
    let (to, _) = pen.ask.to(bare)?;
    if tail.contains("--hash") {
        pen.refused.push(format!("{name} is pinned with hashes; compile the requirements again with {name}>={to}"));
        return None;
    }
    // What goes on in the next line may be its hashes.
    if text.trim_end().ends_with('\\') {
        pen.refused.push(format!("{name} goes on over several lines; move it to {to} by hand"));
        return None;
    }
    let new = pen.write(own, bare, |old, to| moved(Ecosystem::PyPi, old, to))?;
    let lead = text.get(..start + own.len()).unwrap_or_default();
    let blanks = specifier.get(..blank).filter(|_| !bare.is_empty()).unwrap_or_default();
    Some(format!("{lead}{extras}{blanks}{new}{trail}{tail}"))
}

/// Only the lines that were judged: a name may stand in several files that take each other in.
pub(super) fn requirements(text: &str, ask: &Ask<'_>) -> Edited {
    let mut out = String::with_capacity(text.len() + 8);
    // A line says enough by itself.
    let by_line = Ask { stands: Stands::HereSomehow, ..*ask };
    let mut pen = Pen::new(&by_line);
    for (number, whole) in text.split_inclusive('\n').enumerate() {
        let body = whole.trim_end_matches(['\n', '\r']);
        let wanted = u32::try_from(number + 1).is_ok_and(|number| ask.lines.contains(&number));
        match wanted.then(|| line(body, &mut pen)).flatten() {
            Some(new) => {
                out.push_str(&new);
                out.push_str(whole.get(body.len()..).unwrap_or_default());
            }
            None => out.push_str(whole),
        }
    }
    pen.done(out)
}
