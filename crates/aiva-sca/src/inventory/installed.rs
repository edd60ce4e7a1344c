//! What is installed: the packages of an operating system, of languages' package managers and of compiled programs.
//!
//! For a root file system or an image, not for a repository. Which files tell is decided by their paths ([`what`]), programs by
//! how they begin; each has a pure reader in a module below. [`assemble`] then ties them together: whose release the packages
//! are of, and which files belong to a package of the distribution, whose advisories speak for them.
//!
//! Start reading at [`rootfs`] for a folder, at [`image`] for a container image.

mod apk;
mod bdb;
mod binary;
mod dpkg;
mod image;
mod jar;
mod layer;
mod ndb;
mod node;
mod python;
mod rootfs;
mod rpm;
mod sqlite;
mod store;

use std::collections::{HashMap, HashSet};

use rapidhash::v3::{RapidSecrets, rapidhash_v3_seeded};

pub use self::image::{ImageError, Platform, image};
pub(crate) use self::jar::is_archive;
pub use self::rootfs::{is_file, is_root, rootfs};
use super::door;
use super::join::folder;
use super::kind::Kind;
use super::reading::Reading;
use crate::package::{BuiltFrom, Input, Origin, Package, Source, Status};
use crate::system::{OsRelease, System};

/// What a file is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum What {
    /// Which distribution it is.
    OsRelease,
    /// dpkg's database.
    Dpkg,
    /// A part of it, as distroless images have it.
    DpkgPart,
    /// The files of one of dpkg's packages.
    DpkgFiles,
    /// apk's database.
    Apk,
    /// RPM's database.
    Rpm,
    /// What was written to RPM's database last and is not yet in it.
    RpmLog,
    /// The metadata of a Python distribution.
    Python,
    /// Where a Python distribution was installed from, if not from an index.
    PythonOrigin,
    /// Another file beside the metadata of a Python distribution: those should be there.
    PythonPart,
    /// A lockfile of an application.
    Lockfile(Kind),
    /// The manifest of an installed npm package.
    Node,
    /// A Java archive.
    Jar,
    /// A program.
    Program,
}

impl What {
    /// The kind in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OsRelease => "os-release",
            Self::Dpkg | Self::DpkgPart => "dpkg database",
            Self::DpkgFiles => "dpkg file list",
            Self::Apk => "apk database",
            Self::Rpm | Self::RpmLog => "rpm database",
            Self::Python | Self::PythonOrigin | Self::PythonPart => "installed Python package",
            Self::Lockfile(kind) => kind.name(),
            Self::Node => "installed npm package",
            Self::Jar => "Java archive",
            Self::Program => "program",
        }
    }

    const fn is_system(self) -> bool {
        matches!(self, Self::Dpkg | Self::DpkgPart | Self::Apk | Self::Rpm | Self::RpmLog)
    }
}

/// What a path below the root promises; `None` where only its content can tell whether it is a program.
pub fn what(path: &str) -> Option<What> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let above = folder.rsplit('/').next().unwrap_or_default();
    Some(match (folder, name) {
        ("etc" | "usr/lib", "os-release") => What::OsRelease,
        ("var/lib/dpkg", "status") => What::Dpkg,
        ("var/lib/dpkg/status.d", name) if !name.ends_with(".md5sums") => What::DpkgPart,
        ("var/lib/dpkg/info", name) if name.ends_with(".list") => What::DpkgFiles,
        ("lib/apk/db" | "usr/lib/apk/db", "installed") => What::Apk,
        ("var/lib/rpm" | "usr/lib/sysimage/rpm" | "usr/share/rpm", name) => match name {
            "rpmdb.sqlite" | "Packages" | "Packages.db" => What::Rpm,
            "rpmdb.sqlite-wal" => What::RpmLog,
            _ => return None,
        },
        // What pip could not remove, or did not put in place.
        _ if above.starts_with('~') => return None,
        (_, "METADATA") if above.ends_with(".dist-info") => What::Python,
        (_, "direct_url.json") if above.ends_with(".dist-info") => What::PythonOrigin,
        (_, "RECORD" | "WHEEL" | "INSTALLER") if above.ends_with(".dist-info") => What::PythonPart,
        (_, "PKG-INFO") if above.ends_with(".egg-info") || above == "EGG-INFO" => What::Python,
        (_, name) if name.ends_with(".egg-info") && above.ends_with("-packages") => What::Python,
        (_, "package.json") if is_node_package(folder) => What::Node,
        (_, name) if jar::is_archive(name) => What::Jar,
        _ => return lockfile(folder, name).map(What::Lockfile),
    })
}

/// A lockfile of an application, or what a .NET program was published with. Those of what is installed are of its authors.
fn lockfile(folder: &str, name: &str) -> Option<Kind> {
    const INSTALLED: &[&str] =
        &["node_modules", "bower_components", "site-packages", "dist-packages", "gems", "vendor"];
    let kind = Kind::of(folder, name).filter(|kind| kind.locks().is_some() || *kind == Kind::DepsJson)?;
    let is_hidden = |part: &str| part.starts_with('.') || INSTALLED.contains(&part);
    (!folder.split('/').any(is_hidden) && !folder.contains("pkg/mod/")).then_some(kind)
}

/// `node_modules/name` or `node_modules/@scope/name`.
fn is_node_package(folder: &str) -> bool {
    let mut parts = folder.rsplit('/');
    let (name, above) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let is_name = !name.is_empty() && !name.starts_with(['.', '@']);
    is_name && (above == "node_modules" || above.starts_with('@') && parts.next() == Some("node_modules"))
}

/// Which files belong to packages of the distribution, as digests of their paths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owned(HashSet<u64>);

const SEED: RapidSecrets = RapidSecrets::seed(0x6F_77_6E);

impl Owned {
    fn add(&mut self, path: &str) {
        self.0.insert(Self::digest(path));
    }

    fn has(&self, path: &str) -> bool {
        self.0.contains(&Self::digest(path))
    }

    /// `/bin/sh` and `/usr/bin/sh` are one file where `/bin` is a link, as on all distributions of today.
    fn digest(path: &str) -> u64 {
        let path = path.trim_start_matches('/');
        rapidhash_v3_seeded(path.strip_prefix("usr/").unwrap_or(path).as_bytes(), &SEED)
    }
}

/// One file that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Below the root, with `/` between parts.
    pub path: String,
    /// What it is good for.
    pub what: What,
    /// Its content, in as many inputs as it holds: an archive holds others. Paths are what follows this one's.
    pub readings: Vec<(String, Reading)>,
    /// The distribution that it names.
    pub release: Option<OsRelease>,
    /// The files that it says belong to packages.
    pub owned: Owned,
    /// Where it says that the distribution beside it comes from.
    pub source: Option<Source>,
}

impl Piece {
    /// A file that says nothing yet.
    fn new(path: &str, what: What) -> Self {
        let path = path.to_owned();
        Self { path, what, readings: Vec::new(), release: None, owned: Owned::default(), source: None }
    }
}

/// Reads one file; `None` where it says nothing: most programs.
pub fn read(path: &str, what: What, bytes: &[u8]) -> Option<Piece> {
    let mut piece = Piece::new(path, what);
    let reader: fn(&str) -> Reading = match what {
        What::OsRelease => {
            piece.release = Some(OsRelease::read(&String::from_utf8_lossy(bytes)));
            return Some(piece);
        }
        What::DpkgFiles => {
            String::from_utf8_lossy(bytes).lines().for_each(|line| piece.owned.add(line));
            return Some(piece);
        }
        What::Rpm => {
            let reading = rpm::read(bytes, &mut piece.owned);
            piece.readings.push((String::new(), reading));
            return Some(piece);
        }
        What::PythonPart => return Some(piece),
        What::PythonOrigin => {
            match python::origin(&String::from_utf8_lossy(bytes)) {
                Ok(source) => piece.source = Some(source),
                Err(fault) => piece.readings.push((String::new(), Reading::failed(fault.line, fault.message))),
            }
            return Some(piece);
        }
        What::Lockfile(kind) => {
            piece.readings.push((String::new(), kind.read(bytes)));
            return Some(piece);
        }
        What::Python => {
            // From before metadata had to be UTF-8.
            let latin = || python::read(&bytes.iter().map(|byte| char::from(*byte)).collect::<String>());
            let reading = if std::str::from_utf8(bytes).is_ok() { text(bytes, python::read) } else { latin() };
            piece.readings.push((String::new(), reading));
            return Some(piece);
        }
        What::RpmLog if bytes.is_empty() => return None,
        What::RpmLog => {
            let reason = "the database was in use: what was written last is in this log, which is not read";
            piece.readings.push((String::new(), Reading::failed(0, reason)));
            return Some(piece);
        }
        What::Jar => {
            piece.readings = jar::read(path, bytes);
            return Some(piece);
        }
        What::Program => {
            piece.readings.push((String::new(), binary::read(bytes)?));
            return Some(piece);
        }
        What::Apk => {
            let owned = &mut piece.owned;
            let reading = text(bytes, |text| apk::read(text, owned));
            piece.readings.push((String::new(), reading));
            return Some(piece);
        }
        What::Dpkg => dpkg::read,
        What::DpkgPart => dpkg::read_part,
        What::Node => node::read,
    };
    piece.readings.push((String::new(), text(bytes, reader)));
    Some(piece)
}

fn text(bytes: &[u8], read: impl FnOnce(&str) -> Reading) -> Reading {
    match door::open(bytes) {
        Ok(text) => read(&text),
        Err(fault) => Reading::failed(fault.line, fault.message),
    }
}

/// A file that could not be read.
pub(crate) fn unread(path: &str, what: What, why: String) -> Piece {
    of_reading(path, what, Reading::failed(0, why))
}

/// A file that holds one thing and owns nothing.
fn of_reading(path: &str, what: What, reading: Reading) -> Piece {
    Piece { readings: vec![(String::new(), reading)], ..Piece::new(path, what) }
}

/// Where a package comes from, if that is another name or version than its own.
fn origin(package: &Package, name: &str, version: &str) -> Option<Box<Origin>> {
    if name.is_empty() || version.is_empty() || (name == package.name && version == package.version) {
        return None;
    }
    let built_from = BuiltFrom { name: name.to_owned(), version: version.to_owned() };
    Some(Box::new(Origin { built_from: Some(built_from), ..Origin::default() }))
}

/// Whether a root without a database of packages is worth a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// An operating system.
    System,
    /// Only what languages install.
    Packages,
}

/// Ties the files of one root together.
pub(super) fn assemble(pieces: Vec<Piece>, expect: Expect) -> Vec<Input> {
    let mut releases: Vec<(&str, &OsRelease)> =
        pieces.iter().filter_map(|piece| Some((piece.path.as_str(), piece.release.as_ref()?))).collect();
    releases.sort_by_key(|(path, _)| *path); // etc before usr
    let release = releases.first().map(|(_, release)| (*release).clone());
    let has_system = pieces.iter().any(|piece| piece.what.is_system());
    let is_judged = |package: &Package| {
        let other = package.ecosystem.system().map(System::distribution);
        let system = other.map(|other| System::installed(release.as_ref().unwrap_or(&OsRelease::default()), other));
        system.is_some_and(|system| system.distribution().has_advisories())
    };
    let mut owned = HashSet::new();
    let mut packages = pieces.iter().filter(|piece| piece.what.is_system()).flat_map(|piece| &piece.readings);
    // Where nobody has advisories about the distribution, what it installed is judged by itself.
    if packages.any(|(_, reading)| reading.packages.first().is_some_and(is_judged)) {
        owned = pieces.iter().flat_map(|piece| piece.owned.0.iter().copied()).collect();
    }
    let owned = Owned(owned);
    let mut beside = Beside::of(&pieces);
    let mut inputs = Vec::new();
    for mut piece in pieces {
        if !piece.what.is_system() && owned.has(&piece.path) {
            continue;
        }
        if beside.speaks_for(&piece) {
            continue;
        }
        beside.complete(&mut piece);
        for (place, mut reading) in piece.readings {
            if piece.what.is_system() {
                settle(&mut reading, release.as_ref());
            }
            inputs.push(input(format!("{}{place}", piece.path), piece.what, reading));
        }
    }
    if !has_system && expect == Expect::System {
        let reason = "no database of dpkg, apk or rpm: if an operating system is here, its packages are not judged";
        let mut reading = Reading::unsupported(0, reason);
        // An image of one program has no system, and what it has was read.
        if release.is_none() && inputs.iter().any(|input| input.status == Status::Parsed) {
            reading.status = Status::Parsed;
        }
        inputs.push(input(".".to_owned(), What::OsRelease, reading));
    }
    inputs.sort_by(|one, other| one.path.cmp(&other.path));
    inputs
}

/// What files say of those in the same folder.
struct Beside {
    /// Where the distributions of Python come from, by their folders.
    sources: HashMap<String, Source>,
    /// The folders of distributions of Python whose metadata are there, or were told to be missing.
    described: HashSet<String>,
    /// The folders in which packages of npm are installed.
    node: HashSet<String>,
}

impl Beside {
    fn of(pieces: &[Piece]) -> Self {
        let all = |what: What| pieces.iter().filter(move |piece| piece.what == what);
        let sources =
            all(What::PythonOrigin).filter_map(|one| Some((folder(&one.path).to_owned(), one.source.clone()?)));
        let above =
            |path: &str| path.split("node_modules/").next().unwrap_or_default().trim_end_matches('/').to_owned();
        Self {
            sources: sources.collect(),
            described: all(What::Python).map(|one| folder(&one.path).to_owned()).collect(),
            node: all(What::Node).map(|one| above(&one.path)).collect(),
        }
    }

    /// Whether what is installed in the same folder says it better than this file.
    fn speaks_for(&self, piece: &Piece) -> bool {
        match piece.what {
            What::Lockfile(kind) => kind.locks() == Some(Kind::PackageJson) && self.node.contains(folder(&piece.path)),
            What::PythonPart => self.described.contains(folder(&piece.path)),
            _ => false,
        }
    }

    fn complete(&mut self, piece: &mut Piece) {
        let own = folder(&piece.path);
        match piece.what {
            What::Python => {
                if let Some(source) = self.sources.get(own) {
                    let packages = piece.readings.iter_mut().flat_map(|(_, reading)| &mut reading.packages);
                    packages.for_each(|package| package.source = source.clone());
                }
            }
            What::PythonPart => {
                self.described.insert(own.to_owned());
                let reason =
                    "a distribution without its METADATA: which package it is, and whether it works, nobody can tell";
                piece.readings.push((String::new(), Reading::failed(0, reason)));
            }
            _ => {}
        }
    }
}

/// Says of which release the packages of a database are.
fn settle(reading: &mut Reading, release: Option<&OsRelease>) {
    if release.is_none() && !reading.packages.is_empty() {
        reading.problem(0, "there is no os-release file: of which distribution these packages are is unknown");
    }
    let unknown = OsRelease::default();
    let release = release.unwrap_or(&unknown);
    for package in &mut reading.packages {
        if let Some(system) = package.ecosystem.system() {
            package.ecosystem = crate::package::Ecosystem::System(System::installed(release, system.distribution()));
        }
    }
}

fn input(path: String, what: What, reading: Reading) -> Input {
    let Reading { status, packages, not_judged, problems, links, .. } = reading;
    let edges = if packages.is_empty() || status == Status::Failed { Vec::new() } else { links.edges };
    Input {
        path,
        kind: what.name().into(),
        status,
        packages,
        not_judged,
        problems,
        edges,
        signs: links.signs,
        asks: links.asks,
    }
}
