//! Compiles an OSV record into what the index holds of it: one hot record for each package, and one details document.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::evaluate::{self, Affected, Held};
use super::index::{Details, PackageDetails};
use super::layout::{UNDECIDABLE, Upper, push_bytes, push_varint};
use super::osv::{self, Record};
use super::symbols::symbols;
use crate::finding::Kind;
use crate::name::spelled;
use crate::package::Ecosystem;
use crate::version::Version;

/// Codes of [`Kind`] in a hot record. `Notice` is a RustSec word for "know this", reported as an informational vulnerability.
pub(super) const VULNERABILITY: u8 = 0;
pub(super) const MALICIOUS: u8 = 1;
pub(super) const UNSOUND: u8 = 2;
pub(super) const UNMAINTAINED: u8 = 3;
pub(super) const NOTICE: u8 = 4;

/// The kind that a code stands for, and whether it is informational unless a score says otherwise.
pub(super) const fn kind(code: u8) -> (Kind, bool) {
    match code {
        MALICIOUS => (Kind::Malicious, false),
        UNSOUND => (Kind::Unsound, true),
        UNMAINTAINED => (Kind::Unmaintained, true),
        NOTICE => (Kind::Vulnerability, true),
        _ => (Kind::Vulnerability, false),
    }
}

/// One package of a record: the name and the hot record without the place of its details.
#[derive(Debug)]
pub(super) struct HotPackage {
    pub(super) name: String,
    pub(super) flags: u8,
    pub(super) body: Vec<u8>,
}

/// A record compiled for one ecosystem.
#[derive(Debug)]
pub(super) struct Compiled<'a> {
    pub(super) packages: Vec<HotPackage>,
    pub(super) details: Details<'a>,
    /// Of a distribution: the releases that the record is about.
    pub(super) releases: BTreeSet<&'static str>,
}

/// Which of these ecosystems a record is about, all releases of a distribution together. A suffix (`PyPI:extra`) names a part of
/// an ecosystem.
pub(super) fn ecosystems(record: &Record<'_>, wanted: &[Ecosystem]) -> impl Iterator<Item = Ecosystem> {
    let is_about = move |one: &Ecosystem| {
        let name = one.osv_name();
        one.has_advisories() && record.affected.iter().filter_map(family).any(|family| family == name)
    };
    wanted.iter().copied().filter(is_about)
}

fn family<'a>(affected: &'a osv::Affected<'_>) -> Option<&'a str> {
    affected.package.as_ref()?.ecosystem.split(':').next()
}

/// Seconds since 1970 of the record's last change; 0 where the text is no time.
pub(super) fn modified(record: &Record<'_>) -> u32 {
    record.modified.parse().map_or(0, seconds)
}

/// Seconds since 1970, as far as they fit.
pub(super) fn seconds(time: Timestamp) -> u32 {
    u32::try_from(time.as_second().max(0)).unwrap_or(u32::MAX)
}

/// What the index will hold of the record for one of its [`ecosystems`], or for one release of a distribution alone.
pub(super) fn compile<'a>(record: &'a Record<'a>, wanted: Ecosystem) -> Compiled<'a> {
    let ecosystem = wanted.family();
    let mut by_name: BTreeMap<Cow<'a, str>, Vec<&'a osv::Affected<'a>>> = BTreeMap::new();
    let mut releases = BTreeSet::new();
    for affected in record.affected.iter().filter(|affected| family(affected) == Some(ecosystem.osv_name())) {
        let Some(package) = &affected.package else { continue };
        let release = if ecosystem.system().is_some() { package.ecosystem.parse() } else { Ok(ecosystem) };
        let Ok(release) = release else { continue };
        if wanted != ecosystem && wanted != release {
            continue;
        }
        if ecosystem.system().is_some() {
            releases.insert(release.osv_name());
        }
        by_name.entry(spelled(release, &package.name)).or_default().push(affected);
    }
    let mut packages = Vec::with_capacity(by_name.len());
    let mut described = Vec::with_capacity(by_name.len());
    for (name, parts) in by_name {
        let (hot, details) = package(record, ecosystem, name, &parts);
        packages.push(hot);
        described.push(details);
    }
    Compiled { packages, details: details(record, described), releases }
}

fn package<'a>(
    record: &'a Record<'a>,
    ecosystem: Ecosystem,
    name: Cow<'a, str>,
    parts: &[&'a osv::Affected<'a>],
) -> (HotPackage, PackageDetails<'a>) {
    let mut ranges: Vec<Affected> = Vec::new();
    let mut undecidable = Vec::new();
    let mut fixed: Vec<Cow<'a, str>> = Vec::new();
    for range in parts.iter().flat_map(|part| &part.ranges) {
        match evaluate::intervals(ecosystem, range) {
            Ok(found) => ranges.extend(found),
            Err(evaluate::Undecidable(bound)) => undecidable.push(bound),
        }
        if matches!(&*range.kind, "SEMVER" | "ECOSYSTEM") {
            for version in range.events.iter().filter_map(|event| event.fixed.as_deref()) {
                if !fixed.iter().any(|seen| seen == version) {
                    fixed.push(Cow::Borrowed(version));
                }
            }
        }
    }
    ranges.sort_by(|a, b| a.interval.lower.cmp(&b.interval.lower));
    ranges.dedup();

    let mut flags = code(record, parts);
    if !undecidable.is_empty() {
        flags |= UNDECIDABLE;
    }
    let mut body = Vec::with_capacity(64);
    push_varint(&mut body, ranges.len() as u64);
    for Affected { interval, .. } in &ranges {
        push_bytes(&mut body, &interval.lower);
        match &interval.upper {
            Upper::Open => body.push(0),
            Upper::Before(end) => {
                body.push(1);
                push_bytes(&mut body, end);
            }
            Upper::UpTo(end) => {
                body.push(2);
                push_bytes(&mut body, end);
            }
        }
    }
    push_listed(&mut body, ecosystem, parts, &ranges);

    let (symbols, more_symbols) = symbols(parts);
    let details = PackageDetails {
        vectors: vectors(record, parts),
        word: word(record, parts),
        name: name.clone(),
        ranges: ranges.into_iter().map(|range| Cow::Owned(range.text)).collect(),
        fixed,
        undecidable: undecidable.into_iter().map(Cow::Owned).collect(),
        symbols,
        more_symbols,
    };
    (HotPackage { name: name.into_owned(), flags, body }, details)
}

/// Appends the versions that are named one by one and that no interval holds already: as keys, or as texts where the ecosystem
/// cannot order them.
fn push_listed(body: &mut Vec<u8>, ecosystem: Ecosystem, parts: &[&osv::Affected<'_>], ranges: &[Affected]) {
    let (mut keys, mut texts) = (Vec::new(), Vec::new());
    let (mut held, mut key) = (Held::of(ranges), Vec::new());
    for text in parts.iter().flat_map(|part| &part.versions) {
        key.clear();
        if !Version::push_key(ecosystem, text, &mut key) {
            texts.push(text.trim());
        } else if !held.contain(&key) {
            keys.push(key.clone());
        }
    }
    keys.sort_unstable();
    keys.dedup();
    texts.sort_unstable();
    texts.dedup();
    push_varint(body, keys.len() as u64);
    keys.iter().for_each(|key| push_bytes(body, key));
    push_varint(body, texts.len() as u64);
    texts.iter().for_each(|text| push_bytes(body, text.as_bytes()));
}

fn code(record: &Record<'_>, parts: &[&osv::Affected<'_>]) -> u8 {
    if is_malicious(record) {
        return MALICIOUS;
    }
    let informational = parts.iter().find_map(|part| part.database_specific.informational.get());
    match informational.or_else(|| record.database_specific.informational.get()) {
        Some("unmaintained") => UNMAINTAINED,
        Some("unsound") => UNSOUND,
        Some("notice") => NOTICE,
        _ => VULNERABILITY,
    }
}

/// By its id, or where the record says so in data: it names who found the package malicious, or CWE-506, embedded malicious code.
fn is_malicious(record: &Record<'_>) -> bool {
    let specific = &record.database_specific;
    record.id.starts_with("MAL-")
        || specific.malicious_origins.0 > 0
        || specific.cwe_ids.0.iter().any(|cwe| cwe == "CWE-506")
}

/// The package's own vectors where it has some, else the record's (the schema: one or the other), else RustSec's field.
fn vectors<'a>(record: &'a Record<'a>, parts: &[&'a osv::Affected<'a>]) -> Vec<Cow<'a, str>> {
    let own: Vec<_> = parts.iter().flat_map(|part| &part.severity).map(score).collect();
    let all: Vec<_> = record.severity.iter().map(score).collect();
    let specific = parts.iter().filter_map(|part| part.database_specific.cvss.get()).map(Cow::Borrowed);
    match (own.is_empty(), all.is_empty()) {
        (false, _) => own,
        (true, false) => all,
        (true, true) => specific.collect(),
    }
}

fn score<'a>(severity: &'a osv::Severity<'a>) -> Cow<'a, str> {
    Cow::Borrowed(&severity.score)
}

fn word<'a>(record: &'a Record<'a>, parts: &[&'a osv::Affected<'a>]) -> Option<Cow<'a, str>> {
    parts
        .iter()
        .find_map(|part| part.database_specific.severity.get().or_else(|| part.ecosystem_specific.severity.get()))
        .or_else(|| record.database_specific.severity.get())
        .or_else(|| rated_by_word(parts.iter().flat_map(|part| &part.severity)))
        .or_else(|| rated_by_word(&record.severity))
        .map(Cow::Borrowed)
}

/// Some databases put a word where others have a vector (`{"type": "Ubuntu", "score": "medium"}`).
fn rated_by_word<'a>(severities: impl IntoIterator<Item = &'a osv::Severity<'a>>) -> Option<&'a str> {
    severities.into_iter().find(|severity| !severity.kind.starts_with("CVSS")).map(|severity| &*severity.score)
}

fn details<'a>(record: &'a Record<'a>, packages: Vec<PackageDetails<'a>>) -> Details<'a> {
    let mut references: Vec<&osv::Reference<'_>> = record.references.iter().collect();
    references.sort_by_key(|reference| match &*reference.kind {
        "ADVISORY" => 0,
        "FIX" => 1,
        "REPORT" | "EVIDENCE" => 2,
        _ => 3,
    });
    // `DEBIAN-CVE-2024-1` is a distribution's copy of one CVE; an erratum that answers several is another thing.
    let translated = record.upstream.iter().filter(|_| record.upstream.len() == 1);
    Details {
        id: Cow::Borrowed(&record.id),
        aliases: record.aliases.iter().chain(translated).map(|alias| Cow::Borrowed(&**alias)).collect(),
        related: record.related.iter().map(|related| Cow::Borrowed(&**related)).collect(),
        summary: Cow::Borrowed(&record.summary),
        description: Cow::Borrowed(&record.details),
        references: references.into_iter().map(|reference| Cow::Borrowed(&*reference.url)).collect(),
        published: (!record.published.is_empty()).then_some(Cow::Borrowed(&*record.published)),
        modified: Cow::Borrowed(&record.modified),
        packages,
    }
}
