//! The ranges that a workspace keeps in one place for all of its `package.json` (`catalog:`), as pnpm, yarn and bun do.
//!
//! They are in the `pnpm-workspace.yaml`, the `.yarnrc.yml` or the `package.json` of the nearest folder at or above that has any.
//! Nothing outside of the scanned root is read.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use super::find::Found;
use super::join::{above, folder, inside};
use super::json::{Json, Value};
use super::kind::Kind;
use super::package_json;
use super::reading::{Catalogued, Fault, Reading};
use super::walk::{Options, text_within};
use super::workspaces::Texts;
use super::yaml::{self, Anchored, Visit};
use crate::package::{Ecosystem, NotJudged};

/// The name of the catalog that has no name.
const DEFAULT: &str = "default";

/// Files that may have catalogs.
const FILES: [&str; 3] = ["pnpm-workspace.yaml", ".yarnrc.yml", "package.json"];

/// Why nothing is judged of an entry.
const UNKNOWN: &str = "its range is kept in a catalog of the workspace, and no pnpm-workspace.yaml, .yarnrc.yml or package.json at or \
                       above has it: scan the folder of the workspace";

/// What the files of a folder say.
#[derive(Debug, Default)]
struct Catalogs {
    /// Ranges by catalog and package.
    all: Ranges,
    /// Why a catalog is not known whole, or the range of a package in it: what stands there.
    odd: HashMap<String, Odd>,
}

/// Ranges by catalog and package.
type Ranges = HashMap<String, HashMap<String, String>>;

/// What stands in the place of a catalog, or of some of its ranges.
#[derive(Debug, Default)]
struct Odd {
    whole: Option<String>,
    by_name: HashMap<String, String>,
}

impl Catalogs {
    fn is_empty(&self) -> bool {
        self.all.is_empty() && self.odd.is_empty()
    }

    fn range(&self, catalog: &str, name: &str) -> Option<&str> {
        // A catalog that points to a catalog leads nowhere.
        self.all.get(catalog)?.get(name).map(String::as_str).filter(|range| !range.starts_with("catalog:"))
    }

    fn odd(&self, catalog: &str, name: &str) -> Option<&str> {
        let odd = self.odd.get(catalog)?;
        odd.by_name.get(name).or(odd.whole.as_ref()).map(String::as_str)
    }
}

/// The most bytes that aliases of one file may stand for.
const MOST_PUT_IN: usize = 64 * 1024;

/// The catalogs of folders, each read once, with the file that has them.
#[derive(Debug, Default)]
pub(crate) struct Kept(HashMap<String, Option<(String, Catalogs)>>);

impl Kept {
    /// Those for the manifests in a folder: the nearest that there are.
    fn of(&mut self, folder: &str, texts: Texts<'_>) -> Option<&(String, Catalogs)> {
        let known = |at: &&str| self.0.entry((*at).to_owned()).or_insert_with(|| of_folder(at, texts)).is_some();
        let holder = above(folder).find(known)?;
        self.0.get(holder)?.as_ref()
    }

    /// What a catalog, by its name behind `catalog:`, has of a package for the manifests in a folder: the file, and the range.
    pub(crate) fn find(&mut self, folder: &str, catalog: &str, name: &str, texts: Texts<'_>) -> Option<(&str, &str)> {
        let catalog = if catalog.trim().is_empty() { DEFAULT } else { catalog.trim() };
        let (file, catalogs) = self.of(folder, texts)?;
        Some((file, catalogs.range(catalog, name)?))
    }
}

/// Gives every `package.json` the ranges that it takes from a catalog.
pub(crate) fn settle(root: &Path, readings: &mut [(Found, Reading)], options: &Options) {
    let asks = |reading: &Reading| !reading.links.catalogued.is_empty();
    if !readings.iter().any(|(_, reading)| asks(reading)) {
        return;
    }
    let Ok(real_root) = root.canonicalize() else { return };
    let texts = |path: &str| text_within(&real_root, &root.join(path), options);
    let mut kept = Kept::default();
    for (found, reading) in readings.iter_mut().filter(|(found, _)| found.kind == Kind::PackageJson) {
        let asked = std::mem::take(&mut reading.links.catalogued);
        if asked.is_empty() {
            continue;
        }
        let catalogs = kept.of(folder(&found.path), &texts).map(|(_, catalogs)| catalogs);
        for Catalogued { name, catalog, scope, line } in asked {
            match catalogs.and_then(|catalogs| catalogs.range(&catalog, &name)) {
                Some(range) => package_json::ask(reading, &name, range, scope, line),
                None => {
                    let odd = catalogs.and_then(|catalogs| catalogs.odd(&catalog, &name));
                    let reason = odd.map_or(Cow::Borrowed(UNKNOWN), |odd| Cow::Owned(odd.to_owned()));
                    let entry = NotJudged::new(Ecosystem::Npm, name, format!("catalog:{catalog}"), line, reason);
                    reading.not_judged.push(NotJudged { scope, ..entry });
                }
            }
        }
    }
}

/// The catalogs of one folder; of several files that have any the first counts.
fn of_folder(at: &str, texts: Texts<'_>) -> Option<(String, Catalogs)> {
    FILES.into_iter().find_map(|name| {
        let path = inside(at, name);
        let text = texts(&path)?;
        let catalogs = match name {
            "package.json" => of_json(&text),
            file => yaml::tell(&text, || Written { file, ..Written::default() }).0.catalogs,
        };
        (!catalogs.is_empty()).then_some((path, catalogs))
    })
}

/// `catalog` and `catalogs` of a YAML file.
#[derive(Default)]
struct Written {
    /// Its name.
    file: &'static str,
    catalogs: Catalogs,
    /// How many bytes aliases were put in for.
    put_in: usize,
}

/// Which catalog a place is.
fn catalog_at<'p>(path: &'p [Cow<'_, str>]) -> Option<&'p str> {
    match path {
        [top] if top == "catalog" => Some(DEFAULT),
        [top, catalog] if top == "catalogs" => Some(catalog),
        _ => None,
    }
}

/// Which catalog takes in all of what stands at a place: its own, or that of `<<` in it, also of one in a list there.
fn taken_into<'p>(path: &'p [Cow<'_, str>]) -> Option<&'p str> {
    catalog_at(path).or_else(|| match path {
        [catalog @ .., last] if last == "<<" => catalog_at(catalog),
        [catalog @ .., last, item] if last == "<<" && item == yaml::ITEM => catalog_at(catalog),
        _ => None,
    })
}

/// What stands behind a key without a value.
const NOTHING: &str = "nothing";

/// What a value stands in that is no text where a catalog or a range belongs, and where that is.
fn in_place<'p, 'a>(path: yaml::Path<'p, 'a>, value: &str) -> Option<(yaml::Path<'p, 'a>, &'static str)> {
    let catalog = 1 + usize::from(path.first()? == "catalogs");
    catalog_at(path.get(..catalog)?)?;
    match path.get(catalog..)? {
        [item, ..] if item == yaml::ITEM => Some((path.get(..catalog)?, "a list")),
        [name, ..] if name == "<<" => None,
        [_, inner, ..] => Some((path.get(..catalog + 1)?, if inner == yaml::ITEM { "a list" } else { "a map" })),
        [_] if matches!(value, "" | "~" | "null") => Some((path, NOTHING)),
        _ => None,
    }
}

impl Written {
    fn put(&mut self, catalog: &str, name: &str, range: &str) {
        if let Some(odd) = self.catalogs.odd.get_mut(catalog) {
            odd.by_name.remove(name);
        }
        let ranges = self.catalogs.all.entry(catalog.to_owned()).or_default();
        ranges.insert(name.to_owned(), range.trim().to_owned());
    }

    /// Notes that something stands where a catalog belongs, or a range.
    fn doubt(&mut self, path: yaml::Path<'_, '_>, line: u32, what: &str) {
        let file = self.file;
        let place = |of: &str| format!("line {line} of {file} has {what} in the place of the {of}");
        if let Some(catalog) = taken_into(path) {
            self.catalogs.odd.entry(catalog.to_owned()).or_default().whole.get_or_insert_with(|| place("catalog"));
        } else if let [catalog @ .., name] = path
            && let Some(catalog) = catalog_at(catalog)
        {
            let odd = self.catalogs.odd.entry(catalog.to_owned()).or_default();
            let is_open = |known: &String| known.contains(NOTHING);
            if odd.by_name.get(&**name).is_none_or(is_open) {
                odd.by_name.insert(name.to_string(), place("range"));
            }
        }
    }
}

/// What is said of aliases that stand for more than is put in.
const TOO_MUCH: &str = "a YAML alias, which is not followed after 64 KiB of text of others,";

impl<'a> Visit<'a> for Written {
    fn key(&mut self, path: yaml::Path<'_, 'a>, line: u32) {
        // Until its value is told.
        if let Some((at, what)) = in_place(path, "") {
            self.doubt(at, line, what);
        }
    }

    fn scalar(&mut self, path: yaml::Path<'_, 'a>, value: Cow<'a, str>, line: u32) {
        if let Some((at, what)) = in_place(path, &value) {
            self.doubt(at, line, what);
        } else if taken_into(path).is_some() {
            // A key without a value is a catalog without ranges.
            if !matches!(&*value, "" | "~" | "null") {
                self.doubt(path, line, "a text");
            }
        } else if let [catalog @ .., name] = path
            && let Some(catalog) = catalog_at(catalog)
        {
            self.put(catalog, name, &value);
        }
    }

    fn reads_block(&self, path: yaml::Path<'_, 'a>) -> bool {
        path.split_last().is_some_and(|(_, catalog)| catalog_at(catalog).is_some())
    }

    fn keeps_map(&self, path: yaml::Path<'_, 'a>) -> bool {
        catalog_at(path).is_some()
    }

    fn alias_of_map(&mut self, path: yaml::Path<'_, 'a>, meant: yaml::Path<'_, 'a>, line: u32) -> bool {
        // `<<` takes in what the map does not say itself; of several the first that says it counts.
        let Some(into) = taken_into(path) else {
            self.doubt(path, line, "a YAML alias for a catalog");
            return true;
        };
        let Some(from) = catalog_at(meant).and_then(|from| self.catalogs.all.get(from)) else { return true };
        // Once too much none is looked at again.
        if self.put_in <= MOST_PUT_IN {
            self.put_in += from.iter().map(|(name, range)| name.len() + range.len()).sum::<usize>();
        }
        if self.put_in > MOST_PUT_IN {
            self.doubt(path, line, TOO_MUCH);
            return true;
        }
        let from = from.clone();
        let ranges = self.catalogs.all.entry(into.to_owned()).or_default();
        for (name, range) in from {
            ranges.entry(name).or_insert(range);
        }
        true
    }

    fn alias_of_list(&mut self, path: yaml::Path<'_, 'a>, line: u32) -> bool {
        self.doubt(path, line, "a YAML alias for a list");
        true
    }

    fn alias(&mut self, path: yaml::Path<'_, 'a>, meant: Option<&Anchored<'a>>, line: u32) -> bool {
        let Some(one) = meant else {
            self.doubt(path, line, "a YAML alias for what is written elsewhere and is not followed");
            return true;
        };
        if taken_into(path).is_some() {
            self.doubt(path, line, "a YAML alias for a text");
        } else if let [catalog @ .., name] = path
            && let Some(catalog) = catalog_at(catalog)
        {
            if self.put_in + one.value.len() > MOST_PUT_IN {
                self.doubt(path, line, TOO_MUCH);
                return true;
            }
            self.put_in += one.value.len();
            self.put(catalog, name, &one.value);
        }
        true // Elsewhere it says nothing that is read here.
    }
}

/// bun keeps them at the top, or beside the folders of its workspaces.
fn of_json(text: &str) -> Catalogs {
    let mut catalogs = Catalogs::default();
    let mut json = Json::new(text);
    // What cannot be read to its end is told of where the file itself is read.
    if json.next() == Value::Object {
        let outcome = json.object(|json, key, _| table(json, &key, &mut catalogs));
        if outcome.is_err() {
            return Catalogs::default();
        }
    }
    catalogs
}

fn table(json: &mut Json<'_>, key: &str, catalogs: &mut Catalogs) -> Result<(), Fault> {
    match (key, json.next()) {
        ("workspaces", Value::Object) => json.object(|json, key, _| match key.as_ref() {
            "catalog" | "catalogs" => table(json, &key, catalogs),
            _ => json.skip(),
        }),
        ("catalog", Value::Object) => ranges(json, DEFAULT, catalogs),
        ("catalogs", Value::Object) => json.object(|json, name, _| ranges(json, &name, catalogs)),
        _ => json.skip(),
    }
}

/// What stands in the place of a catalog or of a range.
fn odd(json: &mut Json<'_>, of: &str) -> Result<String, Fault> {
    let what = match json.next() {
        Value::Object => "a map",
        Value::Array => "a list",
        Value::Text => "a text",
        Value::Other => "no text",
    };
    let line = json.line();
    json.skip()?;
    Ok(format!("line {line} of package.json has {what} in the place of the {of}"))
}

fn ranges(json: &mut Json<'_>, catalog: &str, catalogs: &mut Catalogs) -> Result<(), Fault> {
    if json.next() != Value::Object {
        let whole = odd(json, "catalog")?;
        catalogs.odd.entry(catalog.to_owned()).or_default().whole = Some(whole);
        return Ok(());
    }
    json.object(|json, name, _| {
        if json.next() == Value::Text {
            if let Some(range) = json.string()?.map(Cow::into_owned) {
                catalogs.all.entry(catalog.to_owned()).or_default().insert(name.into_owned(), range);
            }
        } else {
            let range = odd(json, "range")?;
            catalogs.odd.entry(catalog.to_owned()).or_default().by_name.insert(name.into_owned(), range);
        }
        Ok(())
    })
}
