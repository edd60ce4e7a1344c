//! One package moved in what Python's tools ask for: `pyproject.toml`, `Pipfile`, requirements.

use toml_edit::{Array, Item, Table, TableLike};

use super::ask::{Ask, Edited, Stands};
use super::edit::{Pen, holds};
use super::entries::{Form, Spots};
use super::requirement::moved;
use super::spans::Lines;
use crate::inventory::{Tell, poetry_requirement};
use crate::package::Ecosystem;
use crate::purl::pypi_name;

/// Tables of a `Pipfile` that are no lists of packages.
const OTHERS: [&str; 5] = ["source", "requires", "scripts", "pipenv", "build-system"];

/// What a `Pipfile` asks for.
pub(super) fn pipfile(document: &Table, spots: &mut Spots) {
    for (_, table) in document.iter().filter(|(category, _)| !OTHERS.contains(category)) {
        for (key, item) in table.as_table_like().into_iter().flat_map(TableLike::iter) {
            let rule = |old: &str, to: &str| moved(Ecosystem::PyPi, if old == "*" { "" } else { old }, to);
            spots.item(&pypi_name(key), key, item, rule);
        }
    }
}

/// What a `pyproject.toml` asks for and forces; what that of a member of a workspace forces uv does not read.
pub(super) fn pyproject(document: &Table, tell: &dyn Tell, spots: &mut Spots) {
    if let Some(project) = below(document, "project") {
        listed(project.get("dependencies"), false, spots);
        let extras = below(project, "optional-dependencies").into_iter().flat_map(TableLike::iter);
        extras.for_each(|(_, list)| listed(Some(list), false, spots));
    }
    let groups = below(document, "dependency-groups").into_iter().flat_map(TableLike::iter);
    groups.for_each(|(_, list)| listed(Some(list), false, spots));
    listed(below(document, "build-system").and_then(|build| build.get("requires")), true, spots);
    let Some(tool) = below(document, "tool") else { return };
    let of_uv = below(tool, "uv").filter(|uv| uv.contains_key("workspace") || tell.uv().is_none());
    listed(of_uv.and_then(|uv| uv.get("override-dependencies")), false, spots);
    listed(below(tool, "uv").and_then(|uv| uv.get("dev-dependencies")), false, spots);
    let of_pdm = below(tool, "pdm").and_then(|pdm| below(pdm, "dev-dependencies"));
    of_pdm.into_iter().flat_map(TableLike::iter).for_each(|(_, list)| listed(Some(list), false, spots));
    let resolution = below(tool, "pdm").and_then(|pdm| below(pdm, "resolution"));
    poetry_table(resolution.and_then(|resolution| resolution.get("overrides")), spots);
    let Some(poetry) = below(tool, "poetry") else { return };
    for key in ["dependencies", "dev-dependencies"] {
        poetry_table(poetry.get(key), spots);
    }
    for (_, group) in below(poetry, "group").into_iter().flat_map(TableLike::iter) {
        poetry_table(group.as_table_like().and_then(|group| group.get("dependencies")), spots);
    }
}

fn below<'t>(above: &'t dyn TableLike, key: &str) -> Option<&'t dyn TableLike> {
    above.get(key).and_then(Item::as_table_like)
}

fn poetry_table(table: Option<&Item>, spots: &mut Spots) {
    let table = table.and_then(Item::as_table_like);
    for (key, item) in table.into_iter().flat_map(TableLike::iter) {
        let (name, known) = (pypi_name(key), spots.0.len());
        spots.item(&name, key, item, poetry);
        // One requirement for each machine or Python.
        for one in item.as_array().into_iter().flat_map(Array::iter) {
            if let Some(version) = one.as_inline_table().and_then(|table| table.get("version")) {
                spots.value(&name, key, version, Form::Toml(poetry));
            }
        }
        let read = poetry_requirement(item);
        spots.0.iter_mut().skip(known).for_each(|spot| spot.read.clone_from(&read));
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

fn listed(list: Option<&Item>, is_build: bool, spots: &mut Spots) {
    for value in list.and_then(Item::as_array).into_iter().flat_map(Array::iter) {
        let Some(own) = value.as_str().map(named).filter(|own| !own.is_empty()) else { continue };
        spots.value(&pypi_name(own), own, value, Form::Line { is_build });
    }
}

/// The name that a requirement begins with.
fn named(text: &str) -> &str {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let rest = text.trim_start();
    rest.get(..rest.find(|c| !is_name(c)).unwrap_or(rest.len())).unwrap_or_default()
}

/// A PEP 508 requirement with the package moved; `None` where it is about another package, or stays.
pub(super) fn line(text: &str, pen: &mut Pen<'_>) -> Option<String> {
    let start = text.len() - text.trim_start().len();
    let rest = text.get(start..).unwrap_or_default();
    let own = named(text);
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
        pen.refuse(format!("{name} comes from an address"));
        return None;
    }
    let blank = specifier.len() - specifier.trim_start().len();
    let trail = specifier.get(specifier.trim_end().len()..).unwrap_or_default();
    let (open, bare, close) = in_parentheses(specifier.trim());
    let (to, _) = pen.ask.to(bare)?;
    if tail.contains("--hash") {
        pen.refuse(format!("{name} is pinned with hashes; compile the requirements again with {name}>={to}"));
        return None;
    }
    // What goes on in the next line may be its hashes.
    if text.trim_end().ends_with('\\') {
        pen.refuse(format!("{name} goes on over several lines; move it to {to} by hand"));
        return None;
    }
    let new = pen.write(own, bare, |old, to| moved(Ecosystem::PyPi, old, to))?;
    let lead = text.get(..start + own.len()).unwrap_or_default();
    let blanks = specifier.get(..blank).filter(|_| !specifier.trim().is_empty()).unwrap_or_default();
    Some(format!("{lead}{extras}{blanks}{open}{new}{close}{trail}{tail}"))
}

/// A specifier as Poetry writes it, `(>=1,<2)`, with what is before and behind it; both are empty where it stands alone.
fn in_parentheses(written: &str) -> (&str, &str, &str) {
    let inside = written.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    let bare = inside.unwrap_or(written).trim();
    let from = inside.map_or(0, |inside| 1 + inside.len() - inside.trim_start().len());
    let open = written.get(..from).unwrap_or_default();
    (open, bare, written.get(from + bare.len()..).unwrap_or_default())
}

/// Only the lines that were judged: a name may stand in several files that take each other in.
pub(super) fn requirements(text: &str, lines: &Lines, ask: &Ask<'_>) -> Edited {
    // A line says enough by itself.
    let by_line = Ask { stands: Stands::HereSomehow, ..ask.clone() };
    let mut pen = Pen::new(&by_line);
    for (_, place) in lines.of(ask) {
        let whole = text.get(place.clone()).unwrap_or_default();
        let body = whole.trim_end_matches(['\n', '\r']);
        if let Some(new) = line(body, &mut pen) {
            pen.put(place.start..place.start + body.len(), new);
        }
    }
    pen.edited()
}
