//! Finds a package's own files in the places where package managers put them: nothing is downloaded, nothing is run.
//!
//! A folder counts only if what is in it says the very version: a cache of another version says nothing. Files that are larger
//! than [`LARGEST`] are not read, and in the scanned tree no symbolic link is followed out of it.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

use self::composer::Listed;
use self::installed::Installed;
use super::expression::{Meaning, read as meaning};
use super::maven::{self, Coordinates};
use super::names;
use crate::package::Package;

mod beam;
mod composer;
mod dart;
mod gem;
mod installed;
mod node;
mod nuget;
mod yarn;

/// The largest file that is looked at, in bytes.
const LARGEST: u64 = 1 << 20;

/// Folders that package managers share between projects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caches {
    /// Cargo's home, which holds `registry/src`.
    pub cargo: Option<PathBuf>,
    /// Go's module cache.
    pub go: Option<PathBuf>,
    /// Maven's local repository.
    pub maven: Option<PathBuf>,
    /// NuGet's global packages.
    pub nuget: Option<PathBuf>,
    /// Homes of RubyGems: folders with `specifications`, or with such folders below `ruby`.
    pub gems: Vec<PathBuf>,
    /// Dart's cache, which holds `hosted`.
    pub dart: Option<PathBuf>,
    /// Yarn's cache of archives for all projects.
    pub yarn: Option<PathBuf>,
}

impl Caches {
    fn all(&self) -> impl Iterator<Item = &Path> {
        let single = [&self.go, &self.maven, &self.nuget, &self.dart, &self.yarn].into_iter().flatten();
        single.chain(&self.gems).map(PathBuf::as_path)
    }
}

/// Where packages of an ecosystem, by its purl type, are looked for; empty if nowhere.
pub(super) fn places(purl_type: &str) -> &'static str {
    match purl_type {
        "cargo" => "vendor/ or Cargo's registry/src",
        "npm" => "node_modules/ or Yarn's cache",
        "pypi" => "a virtual environment (.venv, venv, env, .env, virtualenv) or site-packages/",
        "golang" => "Go's module cache or vendor/",
        "maven" => "Maven's local repository",
        "nuget" => "NuGet's global packages",
        "gem" => "vendor/bundle/ or the homes of RubyGems",
        "composer" => "vendor/",
        "pub" => "Dart's cache",
        "hex" => "deps/",
        _ => "",
    }
}

/// What a package says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Own {
    /// The words in its manifest, and the manifest.
    pub stated: Option<(String, String)>,
    /// Its licence files with their texts, in the order of their names.
    pub texts: Vec<Text>,
    /// Its NOTICE files, which are passed on with it (Apache-2.0, section 4d) and are no licence.
    pub notices: Vec<Text>,
}

/// A licence file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// Where it is, for a person.
    pub from: String,
    /// What it says.
    pub text: String,
}

/// Looks for packages of the lockfiles under one root.
#[derive(Debug)]
pub struct Finder<'a> {
    root: &'a Path,
    real_root: Option<PathBuf>,
    caches: &'a Caches,
    registries: Vec<PathBuf>,
    installed: HashMap<PathBuf, Installed>,
    /// What Composer says that it installed, by the folder that it did so in.
    composed: HashMap<PathBuf, Listed>,
    /// The names in folders that are asked for by the beginnings of names.
    listed: HashMap<PathBuf, Vec<String>>,
}

impl<'a> Finder<'a> {
    /// A finder below `root`, and in the caches.
    pub fn new(root: &'a Path, caches: &'a Caches) -> Self {
        let source = caches.cargo.as_ref().map(|home| home.join("registry/src"));
        let mut registries: Vec<PathBuf> = source.map(|source| folders(&source)).unwrap_or_default();
        registries.sort();
        Self {
            root,
            real_root: root.canonicalize().ok(),
            caches,
            registries,
            installed: HashMap::new(),
            composed: HashMap::new(),
            listed: HashMap::new(),
        }
    }

    /// What the package says of itself, if it is anywhere. `input` is the lockfile's path below the root.
    pub fn find(&mut self, input: &str, package: &Package) -> Option<Own> {
        match package.ecosystem.purl_type() {
            "cargo" => self.crate_of(input, package),
            "npm" => self.npm(input, package),
            "pypi" => self.python(input, package),
            "golang" => self.go(input, package),
            "maven" => self.maven(package),
            "nuget" => self.nuget(package),
            "gem" => self.gem(input, package),
            "composer" => self.composer(input, package),
            "pub" => self.dart(package),
            "hex" => self.hex(input, package),
            _ => None,
        }
    }

    fn crate_of(&self, input: &str, package: &Package) -> Option<Own> {
        let (name, version) = (&package.name, &package.version);
        let full = format!("{name}-{version}");
        let vendored = self.above(input).into_iter().flat_map(|dir| {
            let vendor = dir.join("vendor");
            [vendor.join(&full), vendor.join(name)]
        });
        let cached = self.registries.iter().map(|registry| registry.join(&full));
        vendored.chain(cached).find_map(|folder| {
            let manifest = folder.join("Cargo.toml");
            let text = self.read(&manifest)?;
            let document = text.parse::<toml_edit::DocumentMut>().ok()?;
            let told = document.get("package")?;
            let word = |key: &str| told.get(key).and_then(toml_edit::Item::as_str);
            if word("name") != Some(name) || word("version") != Some(version) {
                return None;
            }
            let stated = word("license").map(|words| (words.to_owned(), self.shown(&manifest)));
            let named = word("license-file").and_then(|file| inside(&folder, file));
            Some(Own { stated, texts: self.texts(&folder, named.as_deref()), notices: self.notices(&folder) })
        })
    }

    fn python(&mut self, input: &str, package: &Package) -> Option<Own> {
        for dir in self.above(input) {
            let below = self.installed.entry(dir.clone()).or_insert_with(|| Installed::python(&dir));
            let folders = below.folders.get(package.name.as_str()).cloned().unwrap_or_default();
            if let Some(own) = folders.iter().find_map(|folder| self.distribution(folder, package)) {
                return Some(own);
            }
        }
        None
    }

    fn distribution(&self, folder: &Path, package: &Package) -> Option<Own> {
        let metadata = folder.join("METADATA");
        let text = self.read(&metadata)?;
        let head = text.split("\n\n").next().unwrap_or(&text);
        let fields = |name: &str| {
            let begin = format!("{name}:");
            head.lines().filter_map(move |line| line.strip_prefix(&*begin).map(|rest| rest.trim().to_owned()))
        };
        if fields("Version").next().as_deref() != Some(&package.version) {
            return None;
        }
        let understood = |words: &String| !names::is_silent(words) && !words.is_empty();
        let classified: Vec<String> =
            fields("Classifier").filter(|one| one.starts_with("License ::")).filter(understood).collect();
        // `License` was for short names, and many put the whole text there; a single classifier says the same shorter.
        let stated = fields("License-Expression").next().or_else(|| match &classified[..] {
            [one] => Some(one.clone()),
            _ => None,
        });
        let short = || fields("License").next().filter(understood);
        let stated = match stated {
            // A vague classifier (`Apache Software License`) beside an exact field: the field.
            Some(words) if matches!(names::find(&words), Some(names::Name::OneOf(_))) => short().or(Some(words)),
            Some(words) => Some(words),
            None => short(),
        };
        let kept = folder.join("licenses");
        let notices = [&*kept, folder].map(|folder| self.notices(folder)).concat();
        let mut texts = self.texts(&kept, None);
        if texts.is_empty() {
            texts = self.texts(folder, None);
        }
        Some(Own { stated: stated.map(|words| (words, self.shown(&metadata))), texts, notices })
    }

    /// The path of a POM says its version; what it does not say its parents may.
    fn maven(&self, package: &Package) -> Option<Own> {
        const MOST_PARENTS: usize = 16;
        let repository = self.caches.maven.as_ref()?;
        let mut at = Coordinates::of(&package.name, &package.version)?;
        let mut own = None;
        for _ in 0..MOST_PARENTS {
            let Some(file) = at.path().map(|path| repository.join(path)) else { break };
            let Some(pom) = self.read(&file).map(|text| maven::read(&text)) else { break };
            let found = own.get_or_insert_with(Own::default);
            if let Some(words) = pom.stated() {
                found.stated = Some((words, self.shown(&file)));
                break;
            }
            let Some(parent) = pom.parent else { break };
            at = parent;
        }
        own
    }

    fn go(&self, input: &str, package: &Package) -> Option<Own> {
        let vendored = self.above(input).into_iter().map(|dir| dir.join("vendor").join(&package.name));
        let escaped = |text: &str| {
            let mut out = String::new();
            for letter in text.chars() {
                if letter.is_ascii_uppercase() {
                    out.push('!');
                }
                out.push(letter.to_ascii_lowercase());
            }
            out
        };
        let cached = self
            .caches
            .go
            .as_ref()
            .map(|cache| cache.join(format!("{}@v{}", escaped(&package.name), escaped(&package.version))));
        // A vendored folder carries no version; `go build` itself refuses one that is not go.mod's.
        cached.into_iter().chain(vendored).find(|folder| folder.is_dir()).map(|folder| {
            let mut texts = self.texts(&folder, None);
            if texts.is_empty() {
                // A module in a folder of its repository: `go mod vendor` leaves the licence beside the packages.
                texts = folders(&folder).iter().flat_map(|inner| self.texts(inner, None)).take(1).collect();
            }
            Own { stated: None, texts, notices: self.notices(&folder) }
        })
    }

    /// The lockfile's folder and those above it, up to the root.
    fn above(&self, input: &str) -> Vec<PathBuf> {
        let file = if input == "." { self.root.to_owned() } else { self.root.join(input) };
        let start = if self.root.is_file() { self.root.parent() } else { file.parent() };
        let top = if self.root.is_file() { self.root.parent().unwrap_or(self.root) } else { self.root };
        let mut found = Vec::new();
        let mut at = start;
        while let Some(dir) = at.filter(|dir| dir.starts_with(top)) {
            found.push(dir.to_owned());
            at = dir.parent();
        }
        found
    }

    /// The licence files of a folder: the named one, then those that are called so; else those that REUSE keeps in `LICENSES`.
    fn texts(&self, folder: &Path, named: Option<&Path>) -> Vec<Text> {
        let mut files = named_so(folder, is_licence_file);
        if files.is_empty() && named.is_none() {
            files = named_so(&folder.join("LICENSES"), |name| name.ends_with(".txt") || name.ends_with(".md"));
        }
        if let Some(named) = named {
            files.retain(|file| file != named);
            files.insert(0, named.to_owned());
        }
        files.iter().filter_map(|file| self.text(file)).collect()
    }

    /// The NOTICE files of a folder.
    fn notices(&self, folder: &Path) -> Vec<Text> {
        named_so(folder, is_notice_file).iter().filter_map(|file| self.text(file)).collect()
    }

    fn text(&self, file: &Path) -> Option<Text> {
        Some(Text { from: self.shown(file), text: self.read(file)? })
    }

    /// A small regular file, not outside of the root if it is reached through it.
    fn read(&self, file: &Path) -> Option<String> {
        self.bytes(file, LARGEST).map(decoded)
    }

    /// The bytes of a regular file that is not larger.
    fn bytes(&self, file: &Path, largest: u64) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        self.open(file, largest)?.take(largest).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    fn open(&self, file: &Path, largest: u64) -> Option<fs::File> {
        self.is_ours(file, largest).then(|| fs::File::open(file).ok()).flatten()
    }

    /// Whether it is a regular file that is not larger, and below the root where it is reached through it.
    fn is_ours(&self, file: &Path, largest: u64) -> bool {
        if file.starts_with(self.root) {
            let top = self.real_root.as_deref();
            let top = top.and_then(Path::parent).filter(|_| self.root.is_file()).or(top);
            let is_below = top.is_some_and(|top| file.canonicalize().is_ok_and(|real| real.starts_with(top)));
            if !is_below {
                return false;
            }
        }
        fs::metadata(file).is_ok_and(|found| found.is_file() && found.len() <= largest)
    }

    /// The names in a folder that begin so; the folder is read once.
    fn beginning(&mut self, folder: &Path, begin: &str) -> Vec<PathBuf> {
        let names = self.listed.entry(folder.to_owned()).or_insert_with(|| {
            let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
            let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
            names.sort();
            names
        });
        let at = names.partition_point(|name| name.as_str() < begin);
        let such = names.get(at..).unwrap_or_default().iter().take_while(|name| name.starts_with(begin));
        such.map(|name| folder.join(name)).collect()
    }

    /// Below the root its path there, in a cache the part below the cache.
    fn shown(&self, file: &Path) -> String {
        let below = |base: &Path| file.strip_prefix(base).ok().map(|rest| rest.display().to_string());
        below(self.root)
            .or_else(|| self.registries.iter().find_map(|registry| below(registry)))
            .or_else(|| self.caches.all().find_map(below))
            .unwrap_or_else(|| file.display().to_string())
    }
}

/// Several licences in one expression, each by its SPDX name where it has one.
pub(super) fn joined<'w>(all: impl IntoIterator<Item = &'w String>, with: &str) -> Option<String> {
    let mut seen = HashSet::new();
    let all: Vec<&String> = all.into_iter().filter(|one| seen.insert(*one)).collect();
    if let [one] = all[..] {
        return Some(one.clone());
    }
    let side = |words: &&String| {
        let words = match meaning(words) {
            Meaning::Clear(expression) => expression.to_string(),
            _ => (*words).clone(),
        };
        if words.contains(' ') { format!("({words})") } else { words }
    };
    Some(all.iter().map(side).collect::<Vec<_>>().join(with)).filter(|words| !words.is_empty())
}

/// Whether a part of a path leads nowhere else.
fn is_part(part: &str) -> bool {
    !part.is_empty() && !part.starts_with('.') && !part.contains(['/', '\\', ':', '\0'])
}

/// UTF-16 where its mark says so, else UTF-8, else Latin-1.
fn decoded(bytes: Vec<u8>) -> String {
    let wide = |of: fn([u8; 2]) -> u16| {
        let units = bytes.chunks_exact(2).skip(1).map(|pair| of([pair[0], pair[1]]));
        char::decode_utf16(units).map(|char| char.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
    };
    match bytes.get(..2) {
        Some([0xff, 0xfe]) => wide(u16::from_le_bytes),
        Some([0xfe, 0xff]) => wide(u16::from_be_bytes),
        _ => {
            String::from_utf8(bytes).unwrap_or_else(|error| error.into_bytes().iter().map(|b| char::from(*b)).collect())
        }
    }
}

/// A file of a package's own folder; none if the path leads out of it.
fn inside(folder: &Path, file: &str) -> Option<PathBuf> {
    let is_inside = |part| matches!(part, Component::Normal(_) | Component::CurDir);
    let path = Path::new(file);
    path.components().all(is_inside).then(|| folder.join(path)).filter(|path| path.is_file())
}

/// The folders in a folder, sorted; no links.
fn folders(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let entries = entries.filter_map(Result::ok).filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    found.sort();
    found
}

/// The files of a folder whose names are such, in the order of these.
fn named_so(folder: &Path, is_such: fn(&str) -> bool) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    let is_named = |file: &PathBuf| file.file_name().and_then(|name| name.to_str()).is_some_and(is_such);
    files.retain(|file| is_named(file) && file.is_file());
    files.sort();
    files
}

/// `NOTICE`, `NOTICE.txt`, `NOTICE.md`, in any case.
fn is_notice_file(name: &str) -> bool {
    matches!(&*name.to_ascii_lowercase(), "notice" | "notice.txt" | "notice.md")
}

/// `LICENSE`, `LICENCE.md`, `LICENSE-MIT`, `MIT-LICENSE.txt`, `COPYING.LESSER`, `UNLICENSE`, ...
fn is_licence_file(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let is_text = match lower.rsplit_once('.') {
        Some((_, extension)) => {
            !matches!(extension, "rs" | "js" | "ts" | "py" | "go" | "json" | "html" | "toml" | "png")
        }
        None => true,
    };
    let stem = lower.rsplit_once('.').map_or(&*lower, |(stem, _)| stem);
    let begins = ["license", "licence", "copying", "unlicense", "unlicence"];
    is_text
        && (begins.iter().any(|begin| lower.starts_with(begin))
            || stem.ends_with("-license")
            || stem.ends_with("-licence"))
}
