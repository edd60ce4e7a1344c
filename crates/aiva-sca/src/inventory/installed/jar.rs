//! Java archives: the Maven coordinates that builds leave in them, also in archives within (`BOOT-INF/lib`, `WEB-INF/lib`).
//!
//! An archive without coordinates is named by its manifest or its file name and stays *not judged*: a group cannot be guessed.
//! Nothing is unpacked to disk. How deep archives are nested, how many there are and what they unpack to is bounded, and a bound
//! that was met is a problem of the file.

use std::io::{Cursor, Read as _};

use zip::ZipArchive;

use super::super::reading::{Reading, quote};
use crate::package::{Ecosystem, NotJudged, Package};

const DEEPEST: usize = 5;
/// What all archives within one may unpack to together, and how many entries they may have.
const MOST_BYTES: u64 = 1 << 30;
const MOST_ENTRIES: usize = 500_000;
/// An archive within is held in memory while it is read.
const LARGEST_ARCHIVE: u64 = 256 << 20;
/// Larger descriptions are none.
const LARGEST_TEXT: u64 = 1 << 20;

/// Whether a file of this name is a Java archive.
pub(crate) fn is_archive(name: &str) -> bool {
    let end = name.rsplit_once('.').map_or("", |(_, end)| end);
    ["jar", "war", "ear", "par"].iter().any(|known| end.eq_ignore_ascii_case(known))
}

/// Reads an archive and those within: each with its place in the outer one (`!/BOOT-INF/lib/a.jar`, empty for itself).
pub(crate) fn read(name: &str, bytes: &[u8]) -> Vec<(String, Reading)> {
    let mut walk = Walk { bytes: MOST_BYTES, entries: MOST_ENTRIES, readings: Vec::new() };
    walk.archive(String::new(), name, bytes, 0);
    walk.readings
}

struct Walk {
    bytes: u64,
    entries: usize,
    readings: Vec<(String, Reading)>,
}

#[derive(Default)]
struct Coordinates {
    group: String,
    artifact: String,
    version: String,
}

impl Walk {
    fn archive(&mut self, place: String, name: &str, bytes: &[u8], depth: usize) {
        let mut archive = match ZipArchive::new(Cursor::new(bytes)) {
            Ok(archive) => archive,
            Err(error) => {
                let reading = Reading::failed(0, format!("no archive that can be read: {}", shown(&error.to_string())));
                return self.readings.push((place, reading));
            }
        };
        let at = self.readings.len();
        self.readings.push((place.clone(), Reading::default()));
        let mut reading = Reading::default();
        let mut manifest = Coordinates::default();
        for entry in 0..archive.len() {
            if self.entries == 0 {
                reading.problem(0, "more entries than any archive has: the rest was not read");
                break;
            }
            self.entries -= 1;
            let inner = match archive.name_for_index(entry) {
                Some(Ok(inner)) => inner.into_owned(),
                Some(Err(error)) => {
                    reading.problem(0, format!("an entry without a name: {}", shown(&error.to_string())));
                    continue;
                }
                None => continue,
            };
            let is_properties = inner.starts_with("META-INF/maven/") && inner.ends_with("/pom.properties");
            let largest = match () {
                () if is_properties || inner == "META-INF/MANIFEST.MF" => LARGEST_TEXT,
                () if is_archive(&inner) && depth < DEEPEST => self.bytes.min(LARGEST_ARCHIVE),
                () if is_archive(&inner) => {
                    reading.problem(0, format!("{} is nested too deep: not read", quote(&inner)));
                    continue;
                }
                () => continue,
            };
            let content = match self.content(&mut archive, entry, largest) {
                Ok(content) => content,
                Err(why) => {
                    reading.problem(0, format!("{} could not be read: {why}", quote(&inner)));
                    continue;
                }
            };
            if is_properties {
                let found = properties(&content);
                match found.group.is_empty() || found.artifact.is_empty() || found.version.is_empty() {
                    true => reading.problem(0, format!("{} lacks a group, a name or a version", quote(&inner))),
                    false => {
                        let name = format!("{}:{}", found.group, found.artifact);
                        reading.packages.push(Package::new(Ecosystem::Maven, name, found.version, 1));
                    }
                }
            } else if inner == "META-INF/MANIFEST.MF" {
                manifest = of_manifest(&content);
            } else {
                let within = if place.is_empty() { format!("!/{inner}") } else { format!("{place}!/{inner}") };
                self.archive(shown(&within), &inner, &content, depth + 1);
            }
        }
        let held_others = self.readings.len() > at + 1;
        if reading.packages.is_empty() && reading.problems.is_empty() && !held_others {
            reading.not_judged.push(unnamed(name, manifest));
        }
        if let Some(slot) = self.readings.get_mut(at) {
            slot.1 = reading.close();
        }
    }

    fn content(
        &mut self,
        archive: &mut ZipArchive<Cursor<&[u8]>>,
        entry: usize,
        largest: u64,
    ) -> Result<Vec<u8>, String> {
        let file = archive.by_index(entry).map_err(|error| shown(&error.to_string()))?;
        let mut content = Vec::new();
        // What an entry says of its length is not believed.
        file.take(largest + 1).read_to_end(&mut content).map_err(|error| shown(&error.to_string()))?;
        if content.len() as u64 > largest {
            return Err("it is larger than the limit".to_owned());
        }
        self.bytes -= (content.len() as u64).min(self.bytes);
        Ok(content)
    }
}

/// A text of the archive, as it may be shown.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}

fn properties(content: &[u8]) -> Coordinates {
    let mut found = Coordinates::default();
    for line in String::from_utf8_lossy(content).lines() {
        let Some((key, value)) = line.trim().split_once(['=', ':']) else { continue };
        let value = shown(value.trim());
        match key.trim() {
            "groupId" => found.group = value,
            "artifactId" => found.artifact = value,
            "version" => found.version = value,
            _ => {}
        }
    }
    found
}

fn of_manifest(content: &[u8]) -> Coordinates {
    let mut found = Coordinates::default();
    for line in String::from_utf8_lossy(content).lines() {
        let Some((key, value)) = line.split_once(": ") else { continue };
        let value = shown(value.trim());
        match key {
            "Bundle-SymbolicName" => found.artifact = value.split(';').next().unwrap_or_default().to_owned(),
            "Implementation-Title" if found.artifact.is_empty() => found.artifact = value,
            "Bundle-Version" | "Specification-Version" if found.version.is_empty() => found.version = value,
            "Implementation-Version" => found.version = value,
            _ => {}
        }
    }
    found
}

/// An archive that says no coordinates: by its manifest, else by its file name (`guava-31.1-jre.jar`).
fn unnamed(path: &str, manifest: Coordinates) -> NotJudged {
    let file = path.rsplit('/').next().unwrap_or(path);
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let dash = stem.match_indices('-').find(|(at, _)| stem[at + 1..].starts_with(|c: char| c.is_ascii_digit()));
    let (name, version) = dash.map_or((stem, ""), |(at, _)| (&stem[..at], &stem[at + 1..]));
    let name = if manifest.artifact.is_empty() { shown(name) } else { manifest.artifact };
    let version = if manifest.version.is_empty() { shown(version) } else { manifest.version };
    let name = if name.is_empty() { "archive".to_owned() } else { name };
    NotJudged::new(Ecosystem::Maven, name, version, 1, "the archive does not say its Maven coordinates")
}
