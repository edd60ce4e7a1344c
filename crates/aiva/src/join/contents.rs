//! What the files of a scan list, as an upload says it: all that a server needs to judge it again.
//!
//! Pure. Nothing is longer than the contract lets it be: a name that is cut is no package's name, and a version of a thousand
//! characters is no version that an advisory tells from another.

use std::collections::BTreeMap;

use aiva_contracts::api::{
    DocumentBuiltFrom, DocumentEntry, DocumentListed, DocumentListing, DocumentSource, PackageScope, SourceKind,
};
use aiva_sca::package::{Ecosystem, Input, NotJudged, Package, Scope, Source};

/// What each file lists, a file of several ecosystems once for each.
pub(crate) fn listings(inputs: &[Input]) -> Vec<DocumentListing> {
    inputs.iter().flat_map(of_file).collect()
}

fn of_file(input: &Input) -> Vec<DocumentListing> {
    let mut listings: BTreeMap<Ecosystem, DocumentListing> = BTreeMap::new();
    let new = |ecosystem: Ecosystem| DocumentListing {
        path: cut(&input.path, 1000),
        kind: cut(&input.kind, 100),
        ecosystem: ecosystem.osv_name().to_owned(),
        packages: None,
        entries: Vec::new(),
    };
    for package in input.packages.iter().filter(|package| !package.name.is_empty()) {
        let listing = listings.entry(package.ecosystem).or_insert_with(|| new(package.ecosystem));
        listing.packages.get_or_insert_default().push(listed(package));
    }
    for one in input.not_judged.iter().filter(|one| !one.is_settled) {
        let listing = listings.entry(one.ecosystem).or_insert_with(|| new(one.ecosystem));
        if listing.entries.len() < 100_000 {
            listing.entries.push(entry(one));
        }
    }
    listings.into_values().collect()
}

/// Where a package comes from that is not the public one of its name.
pub(super) fn source(package: &Package) -> Option<DocumentSource> {
    let source = |kind, address: &String| Some(DocumentSource { kind, address: cut(address, 2000) });
    match &package.source {
        Source::Registry => None,
        Source::PrivateRegistry(address) => source(SourceKind::PrivateRegistry, address),
        Source::Git(address) => source(SourceKind::Git, address),
        Source::Path(address) => source(SourceKind::Path, address),
        Source::Url(address) => source(SourceKind::Url, address),
    }
}

fn listed(package: &Package) -> DocumentListed {
    DocumentListed {
        name: cut(&package.name, 1000),
        version: cut(&package.version, 1000),
        line: line(package.line),
        direct: package.direct,
        scope: scope(package.scope),
        source: source(package),
        built_from: package
            .built_from()
            .filter(|source| !source.name.is_empty())
            .map(|source| DocumentBuiltFrom { name: cut(&source.name, 1000), version: cut(&source.version, 1000) }),
        layer: package.origin.as_ref().and_then(|origin| origin.layer.as_ref()).map(|layer| cut(layer, 300)),
    }
}

fn entry(one: &NotJudged) -> DocumentEntry {
    DocumentEntry {
        name: cut(&one.name, 1000),
        requirement: cut(&one.requirement, 2000),
        line: line(one.line),
        reason: cut(&one.reason, 2000),
        range: one.is_range.then_some(true),
        scope: scope(one.scope),
    }
}

/// Nearly all packages are needed at run time, and a large repository has hundreds of thousands.
fn scope(scope: Scope) -> Option<PackageScope> {
    (scope != Scope::Runtime).then(|| super::scope(scope))
}

fn line(line: u32) -> u32 {
    line.min(i32::MAX.unsigned_abs())
}

fn cut(text: &str, most: usize) -> String {
    if text.len() <= most && !text.contains('\0') {
        return text.to_owned();
    }
    text.chars().filter(|c| *c != '\0').take(most).collect()
}
