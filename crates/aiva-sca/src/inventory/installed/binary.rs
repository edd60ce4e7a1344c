//! What compiled programs say of themselves: Go's build information and the list that `cargo auditable` puts in.
//!
//! ELF, PE and Mach-O. Only two sections are looked at; nothing of a program is run, and what unpacks is bounded. A program
//! without either is no input: most are C.

use libdeflater::Decompressor;
use object::read::{Object, ObjectSection, ReadCache, ReadRef};
use serde::Deserialize;

use super::super::reading::{Reading, quote};
use crate::package::{Ecosystem, Package, Scope, Source};

/// The most that a list of crates may unpack to; cargo-auditable's own reader has the same limit.
const LARGEST_LIST: usize = 8 * 1024 * 1024;
/// Larger than any section that holds build information.
const LARGEST_SECTION: u64 = 256 * 1024 * 1024;

/// Whether a file begins like a program.
pub(crate) fn is_program(start: &[u8]) -> bool {
    let magic = start.get(..4).unwrap_or_default();
    magic == b"\x7FELF"
        || magic.starts_with(b"MZ")
        || matches!(magic, [0xCF | 0xCE, 0xFA, 0xED, 0xFE] | [0xCA, 0xFE, 0xBA, 0xBE])
}

/// Reads a program; `None` where it says nothing of itself.
pub(crate) fn read(bytes: &[u8]) -> Option<Reading> {
    match object::File::parse(bytes) {
        Ok(file) => of(&file),
        // A fat Mach-O or a damaged file; only what would have told is worth a word.
        Err(error) => {
            let told = memchr::memmem::find(bytes, GO).is_some();
            told.then(|| Reading::failed(0, format!("a Go program that could not be taken apart: {error}")))
        }
    }
}

/// As [`read`], of which only the parts that tell are read. `Err` where that cannot be done: all of it has to be looked at.
pub(crate) fn read_file(file: std::fs::File) -> Result<Option<Reading>, object::Error> {
    let cache = ReadCache::new(file);
    let file = object::File::parse(&cache)?;
    Ok(of(&file))
}

fn of<'d, R: ReadRef<'d>>(file: &object::File<'d, R>) -> Option<Reading> {
    let mut readings = [go(file), rust(file)].into_iter().flatten();
    let mut reading = readings.next()?;
    for other in readings {
        reading.packages.extend(other.packages);
        other.problems.into_iter().for_each(|problem| reading.problem(problem.line, problem.message));
    }
    Some(reading.close())
}

const GO: &[u8] = b"\xFF Go buildinf:";
/// The build information begins at a multiple of this.
const ALIGNED: usize = 16;

/// Go's build information (`debug/buildinfo`).
fn go<'d, R: ReadRef<'d>>(file: &object::File<'d, R>) -> Option<Reading> {
    let own = file.section_by_name(".go.buildinfo").or_else(|| file.section_by_name("__go_buildinfo"));
    let is_own = own.is_some();
    let section = match own {
        Some(section) => section,
        // PE has no section of its own for it, and most programs have this one.
        None if matches!(file.format(), object::BinaryFormat::Pe) => file.section_by_name(".data")?,
        None => return None,
    };
    let data = if section.size() > LARGEST_SECTION { None } else { section.data().ok() };
    let Some(data) = data else { return is_own.then(damaged) };
    let Some(at) = memchr::memmem::find_iter(data, GO).find(|at| at % ALIGNED == 0) else {
        return is_own.then(damaged);
    };
    let info = data.get(at..)?;
    let Some(flags) = info.get(15).copied() else { return Some(damaged()) };
    if flags & 2 == 0 {
        return Some(Reading::unsupported(0, "a program of Go 1.17 or before: its build information is not read"));
    }
    let mut rest = info.get(32..).unwrap_or_default();
    let (Some(version), Some(modules)) = (text(&mut rest), text(&mut rest)) else { return Some(damaged()) };
    // The list stands between two marks of 16 bytes.
    let modules = match modules.len() {
        0 => "",
        length => match modules.get(16..length.saturating_sub(16)).map(std::str::from_utf8) {
            Some(Ok(modules)) if modules.is_empty() || modules.ends_with('\n') => modules,
            _ => return Some(damaged()),
        },
    };
    let Ok(version) = std::str::from_utf8(version) else { return Some(damaged()) };
    Some(go_modules(version, modules))
}

fn damaged() -> Reading {
    Reading::failed(0, "its build information is damaged")
}

/// A text behind its length.
fn text<'b>(bytes: &mut &'b [u8]) -> Option<&'b [u8]> {
    let mut length = 0_u64;
    for shift in (0..63).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        length |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            let (text, rest) = bytes.split_at_checked(usize::try_from(length).ok()?)?;
            *bytes = rest;
            return Some(text);
        }
    }
    None
}

/// The module lines (`runtime/debug.BuildInfo`), and Go's own version as that of its standard library.
fn go_modules(version: &str, modules: &str) -> Reading {
    let mut reading = Reading::default();
    let release = version.split([' ', '-']).next().and_then(|word| word.strip_prefix("go"));
    match release.filter(|release| release.starts_with(|c: char| c.is_ascii_digit())) {
        Some(release) => reading.packages.push(module("stdlib", release)),
        None => reading
            .problem(0, format!("built by an unreleased Go, {}: its standard library is not judged", quote(version))),
    }
    for line in modules.lines() {
        let mut fields = line.split('\t');
        let (kind, path, version) =
            (fields.next(), fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
        match kind {
            // What the program itself is, where it was built from a release of it.
            Some("mod") if version.starts_with('v') => {
                reading.packages.push(Package { direct: Some(true), ..module(path, version) });
            }
            Some("dep") => reading.packages.push(module(path, version)),
            Some("=>") => {
                // It takes the place of the module before it; without a version it is a folder.
                reading.packages.pop();
                let mut replacement = module(path, version);
                if version.is_empty() {
                    replacement = module(path, "0.0.0");
                    replacement.source = Source::Path(path.to_owned());
                }
                reading.packages.push(replacement);
            }
            _ => {}
        }
    }
    reading
}

fn module(path: &str, version: &str) -> Package {
    Package::new(Ecosystem::Go, path, version.strip_prefix('v').unwrap_or(version), 1)
}

/// What `cargo auditable` writes into `.dep-v0`: JSON, deflated.
#[derive(Deserialize)]
struct Auditable {
    packages: Vec<Crate>,
}

#[derive(Deserialize)]
struct Crate {
    name: String,
    version: String,
    source: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    dependencies: Vec<u32>,
    #[serde(default)]
    root: bool,
}

fn rust<'d, R: ReadRef<'d>>(file: &object::File<'d, R>) -> Option<Reading> {
    let section = file.section_by_name(".dep-v0").or_else(|| file.section_by_name("rust-deps-v0"))?;
    let failed = |why: &str| Some(Reading::failed(0, format!("its list of crates {why}")));
    if section.size() > LARGEST_LIST as u64 {
        return failed("is larger than 8 MiB");
    }
    let Ok(packed) = section.data() else { return failed("lies outside the file") };
    let Some(json) = inflate(packed) else { return failed("is damaged or larger than 8 MiB") };
    let Ok(list) = serde_json::from_slice::<Auditable>(&json) else { return failed("is no list") };
    let mut reading = Reading::default();
    let count = list.packages.len() as u32;
    let roots: Vec<u32> =
        list.packages.iter().filter(|one| one.root).flat_map(|one| one.dependencies.iter().copied()).collect();
    for (one, at) in list.packages.into_iter().zip(0..) {
        let mut package = Package::new(Ecosystem::CratesIo, one.name, one.version, 1);
        package.direct = Some(one.root || roots.contains(&at));
        package.scope = if one.kind == "build" { Scope::Build } else { Scope::Runtime };
        package.source = match &*one.source {
            "crates.io" => Source::Registry,
            "git" => Source::Git("an unnamed repository".to_owned()),
            "local" => Source::Path(String::new()),
            _ => Source::PrivateRegistry("an unnamed registry".to_owned()),
        };
        for to in one.dependencies {
            if to < count {
                reading.links.edges.push((at, to));
            } else {
                reading.problem(0, format!("{} needs a crate that is not in the list", quote(&package.name)));
            }
        }
        reading.packages.push(package);
    }
    Some(reading)
}

fn inflate(packed: &[u8]) -> Option<Vec<u8>> {
    let mut size = packed.len().saturating_mul(8).clamp(4096, LARGEST_LIST);
    loop {
        let mut json = vec![0; size];
        match Decompressor::new().zlib_decompress(packed, &mut json) {
            Ok(length) => {
                json.truncate(length);
                return Some(json);
            }
            Err(libdeflater::DecompressionError::InsufficientSpace) if size < LARGEST_LIST => {
                size = size.saturating_mul(4).min(LARGEST_LIST);
            }
            Err(_) => return None,
        }
    }
}
