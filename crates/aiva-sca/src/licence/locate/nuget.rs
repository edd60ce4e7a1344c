//! NuGet's global packages: `NAME/VERSION/NAME.nuspec`, in small letters.

use super::super::names;
use super::{Finder, Own, inside, is_part};
use crate::inventory::xml::{self, Visit};
use crate::package::Package;
use crate::purl::decode;

impl Finder<'_> {
    pub(super) fn nuget(&self, package: &Package) -> Option<Own> {
        let cache = self.caches.nuget.as_ref()?;
        let name = package.name.to_lowercase();
        let versions = [package.version.to_lowercase(), normal(&package.version)];
        if !is_part(&name) || !versions.iter().all(|version| is_part(version)) {
            return None;
        }
        versions.iter().find_map(|version| {
            let folder = cache.join(&name).join(version);
            let file = folder.join(format!("{name}.nuspec"));
            let Nuspec { kind, words, url } = read(&self.read(&file)?);
            let named = (kind == "file").then(|| inside(&folder, &words.replace('\\', "/"))).flatten();
            let words = if kind == "file" || words.is_empty() { by_url(&url) } else { Some(words) };
            // The text in the package says more than an address does.
            let words = words.filter(|_| named.is_none());
            let stated = words.map(|words| (words, self.shown(&file)));
            Some(Own { stated, texts: self.texts(&folder, named.as_deref()), notices: self.notices(&folder) })
        })
    }
}

/// A version as NuGet writes it in paths: three numbers, a fourth that is not 0, no words about the build.
fn normal(version: &str) -> String {
    let version = version.split('+').next().unwrap_or(version).to_lowercase();
    let (numbers, rest) = version.split_once('-').map_or((&*version, None), |(numbers, rest)| (numbers, Some(rest)));
    let mut numbers: Vec<&str> = numbers.split('.').map(|one| one.trim_start_matches('0')).collect();
    numbers.iter_mut().filter(|one| one.is_empty()).for_each(|one| *one = "0");
    numbers.resize(numbers.len().max(3), "0");
    if numbers.len() == 4 && numbers.last() == Some(&"0") {
        numbers.pop();
    }
    numbers.join(".") + &rest.map(|rest| format!("-{rest}")).unwrap_or_default()
}

/// The expression in an address of NuGet's, or the licence whose page it is.
fn by_url(url: &str) -> Option<String> {
    const NUGET: [&str; 2] = ["https://licenses.nuget.org/", "http://licenses.nuget.org/"];
    match NUGET.iter().find_map(|begin| url.strip_prefix(begin)) {
        Some(words) => decode(words),
        None => names::find_url(url),
    }
}

/// What counts of a `.nuspec`.
#[derive(Default)]
struct Nuspec {
    kind: String,
    words: String,
    url: String,
}

fn read(text: &str) -> Nuspec {
    let mut nuspec = Nuspec::default();
    let _ = xml::tell(text.trim_start_matches('\u{feff}'), &mut nuspec);
    nuspec
}

fn place(path: &[String]) -> Option<&str> {
    match path {
        [package, metadata, last] if package == "package" && metadata == "metadata" => Some(last),
        _ => None,
    }
}

impl Visit for Nuspec {
    fn open(&mut self, path: &[String], attributes: &[(String, String)], _line: u32) {
        if place(path) == Some("license") {
            let kind = attributes.iter().find(|(name, _)| name == "type");
            self.kind = kind.map(|(_, value)| value.to_ascii_lowercase()).unwrap_or_default();
        }
    }

    fn close(&mut self, path: &[String], text: &str, _line: u32) {
        match place(path) {
            Some("license") => text.clone_into(&mut self.words),
            Some("licenseUrl") => text.clone_into(&mut self.url),
            _ => {}
        }
    }
}
