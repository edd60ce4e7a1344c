//! What an upload lists, in parts that fit into events: the guard that judges it again takes them in.
//!
//! Pure. A part holds at most 500 things and about 256 KiB, so that a broker carries it; one thing that is larger by itself, which the
//! bounds of the contract keep under a megabyte, is a part of its own. Parts are encoded as soon as they are full: many in their plain
//! form would take many times the room.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aiva_contracts::api::{
    DocumentEntry, DocumentFinding, DocumentInput, DocumentLeftOut, DocumentListed, DocumentListing, InputStatus,
    PackageScope, Scan, SourceKind,
};
use aiva_contracts::bounds::Violation;
use aiva_contracts::message::scan::v1 as message;
use prost::Message as _;

use crate::observation::{Observation, level_to};
use crate::upload::{Contents, Upload};

/// The most things of one part (api/proto: ContentsUploaded).
const MOST: usize = 500;

/// The most bytes of one part, unless one thing alone is larger.
const LARGEST: usize = 256 << 10;

/// What a file lists of one ecosystem, packed.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    path: String,
    kind: String,
    /// Each thing as a `ListedFile` that holds nothing else, one after the other.
    things: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
}

impl Listing {
    /// Packs a list.
    pub(crate) fn of(listing: DocumentListing) -> Self {
        let DocumentListing { path, kind, ecosystem, packages, entries } = listing;
        let mut this = Self { path, kind, ..Self::default() };
        for one in packages.iter().flatten() {
            this.add(&message::ListedFile { packages: vec![package(&ecosystem, one)], ..Default::default() });
        }
        for one in &entries {
            this.add(&message::ListedFile { entries: vec![entry(&ecosystem, one)], ..Default::default() });
        }
        this.things.shrink_to_fit();
        this.ends.shrink_to_fit();
        this
    }

    fn add(&mut self, thing: &message::ListedFile) {
        thing.encode(&mut self.things).expect("a vector grows");
        self.ends.push(self.things.len());
    }

    fn things(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).filter_map(|(start, end)| self.things.get(start..*end))
    }
}

/// The first file that lists something and is not one of the inputs.
pub(crate) fn stray(inputs: &[DocumentInput], files: &[Listing]) -> Option<Violation> {
    let inputs: BTreeSet<(&str, &str)> =
        inputs.iter().map(|input| (input.path.as_str(), input.kind.as_str())).collect();
    let at = files.iter().position(|file| !inputs.contains(&(file.path.as_str(), file.kind.as_str())))?;
    let message = "is not one of inputs, by path and kind".to_owned();
    Some(Violation { pointer: format!("/contents/files/{at}/path"), message })
}

/// All that is listed, in encoded parts that do not say yet whose they are.
pub(crate) fn parts(inputs: &[DocumentInput], findings: &[DocumentFinding], contents: Contents) -> Vec<Vec<u8>> {
    let Contents { files, left_out, .. } = contents;
    let mut parts = Parts::default();
    let mut listed: HashMap<(String, String), Vec<Listing>> = HashMap::new();
    for mut file in files {
        let place = (std::mem::take(&mut file.path), std::mem::take(&mut file.kind));
        listed.entry(place).or_default().push(file);
    }
    // Of two inputs that say the same place, the later one holds.
    let inputs: BTreeMap<_, _> = inputs.iter().map(|one| ((one.path.clone(), one.kind.clone()), one)).collect();
    for (place, input) in inputs {
        parts.file(input, &listed.remove(&place).unwrap_or_default());
    }
    // What no record of an advisory matched is told by a rule, which does not change with advisories.
    for finding in findings.iter().filter(|finding| finding.matched.is_empty()) {
        let fact = message::ObservedFinding::from(Observation::from(finding.clone()));
        parts.room(fact.encoded_len());
        parts.part.facts.push(fact);
    }
    if let Some(left_out) = &left_out {
        parts.left_out(left_out);
    }
    parts.end()
}

/// The parts of an upload as they are told of a scan; one that says that nothing is listed, where it does not.
pub(crate) fn told<'u>(scan: &Scan, upload: &'u Upload) -> impl Iterator<Item = Vec<u8>> + Send + use<'u> {
    static NONE: [Vec<u8>; 1] = [Vec::new()];
    let (parts, chunks) = match &upload.parts {
        None => (&NONE[..], 0),
        Some(parts) => (&parts[..], u32::try_from(parts.len()).unwrap_or(u32::MAX)),
    };
    let head = message::ContentsUploaded {
        scan_id: scan.id.to_string(),
        guard: scan.guard.to_string(),
        service: scan.service.clone(),
        chunks,
        knowledge_unix_micros: upload.knowledge_unix_micros,
        ..Default::default()
    };
    // Messages of Protobuf that follow each other are one message: what each of them says, it says.
    let told = move |(chunk, part): (u32, &'u Vec<u8>)| {
        let head = message::ContentsUploaded { chunk, ..head.clone() };
        let mut told = head.encode_to_vec();
        told.extend_from_slice(part);
        told
    };
    (0..).zip(parts).map(told)
}

/// The parts so far, and the one that is being filled.
#[derive(Default)]
struct Parts {
    done: Vec<Vec<u8>>,
    part: message::ContentsUploaded,
    things: usize,
    bytes: usize,
}

impl Parts {
    /// Makes room for one thing: what is full is done.
    fn room(&mut self, bytes: usize) {
        if self.things >= MOST || self.things > 0 && self.bytes + bytes > LARGEST {
            self.done.push(std::mem::take(&mut self.part).encode_to_vec());
            (self.things, self.bytes) = (0, 0);
        }
        self.things += 1;
        self.bytes += bytes;
    }

    fn file(&mut self, input: &DocumentInput, listings: &[Listing]) {
        let mut head = message::ListedFile { path: input.path.clone(), kind: input.kind.clone(), ..Default::default() };
        head.set_status(status(input.status));
        let size = head.encoded_len();
        self.room(size);
        self.part.files.push(head.clone());
        for problem in &input.problems {
            let problem = message::Problem { line: problem.line, message: problem.message.clone() };
            self.room(size + problem.encoded_len());
            self.open(&head).problems.push(problem);
        }
        for thing in listings.iter().flat_map(Listing::things) {
            self.room(thing.len());
            self.open(&head).merge(thing).expect("it was encoded here");
        }
    }

    /// The file at hand in the part at hand, where it goes on if the last part was full.
    fn open(&mut self, head: &message::ListedFile) -> &mut message::ListedFile {
        let files = &mut self.part.files;
        if files.is_empty() {
            self.bytes += head.encoded_len();
            files.push(head.clone());
        }
        let last = files.len() - 1;
        &mut files[last]
    }

    fn left_out(&mut self, said: &DocumentLeftOut) {
        self.room(16);
        let flags = self.part.left_out.get_or_insert_default();
        flags.unfixed = said.unfixed.unwrap_or(false);
        flags.dev = said.dev.unwrap_or(false);
        if let Some(lowest) = said.lowest {
            flags.set_lowest(level_to(lowest));
        }
        for name in &said.ignore {
            self.room(name.len());
            self.part.left_out.get_or_insert_default().ignore.push(name.clone());
        }
        for one in &said.ruled_out {
            let one = message::RuledOut { purl: one.purl.clone(), names: one.names.clone() };
            self.room(one.encoded_len());
            self.part.left_out.get_or_insert_default().ruled_out.push(one);
        }
    }

    fn end(mut self) -> Vec<Vec<u8>> {
        self.done.push(self.part.encode_to_vec());
        self.done
    }
}

fn package(ecosystem: &str, one: &DocumentListed) -> message::ListedPackage {
    let built_from = |of: &aiva_contracts::api::DocumentBuiltFrom| message::BuiltFrom {
        name: of.name.clone(),
        version: of.version.clone(),
    };
    let mut package = message::ListedPackage {
        ecosystem: ecosystem.to_owned(),
        name: one.name.clone(),
        version: one.version.clone(),
        line: one.line,
        direct: one.direct,
        scope: scope(one.scope),
        address: one.source.as_ref().map(|source| source.address.clone()).unwrap_or_default(),
        built_from: one.built_from.as_ref().map(built_from),
        layer: one.layer.clone().unwrap_or_default(),
        ..Default::default()
    };
    package.set_source(match one.source.as_ref().map(|source| source.kind) {
        None => message::PackageSource::Unspecified,
        Some(SourceKind::PrivateRegistry) => message::PackageSource::PrivateRegistry,
        Some(SourceKind::Git) => message::PackageSource::Git,
        Some(SourceKind::Path) => message::PackageSource::Path,
        Some(SourceKind::Url) => message::PackageSource::Url,
    });
    package
}

fn entry(ecosystem: &str, one: &DocumentEntry) -> message::ListedEntry {
    message::ListedEntry {
        ecosystem: ecosystem.to_owned(),
        name: one.name.clone(),
        requirement: one.requirement.clone(),
        line: one.line,
        reason: one.reason.clone(),
        is_range: one.range.unwrap_or(false),
        scope: scope(one.scope),
    }
}

/// Runtime is not said: nearly all packages are.
fn scope(scope: Option<PackageScope>) -> String {
    scope.filter(|scope| *scope != PackageScope::Runtime).map(|scope| scope.to_string()).unwrap_or_default()
}

fn status(status: InputStatus) -> message::InputStatus {
    match status {
        InputStatus::Parsed => message::InputStatus::Parsed,
        InputStatus::Partial => message::InputStatus::Partial,
        InputStatus::Unsupported => message::InputStatus::Unsupported,
        InputStatus::Failed => message::InputStatus::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A scan of `pay`, and an upload that lists packages with versions of a length.
    fn uploaded(packages: usize, length: usize) -> (Scan, Upload) {
        let packages: Vec<_> = (0..packages)
            .map(|at| serde_json::json!({"name": format!("p{at}"), "version": "1".repeat(length), "line": 1}))
            .collect();
        let document = serde_json::json!({
            "schema": "aiva.scan/1", "advisories": {"state": "current", "ecosystems": []}, "findings": [],
            "inputs": [{"path": "a", "kind": "k", "status": "parsed", "packages": 1, "not_judged": [], "problems": []}],
            "summary": {
                "findings": {"critical": 0, "high": 0, "medium": 0, "low": 0, "unknown": 0, "informational": 0}, "accepted": 0,
                "packages": 1, "not_judged": 0, "exceptions": [],
                "inputs": {"parsed": 1, "partial": 0, "unsupported": 0, "failed": 0, "ignored": 0}
            },
            "contents": {"files": [{"path": "a", "kind": "k", "ecosystem": "npm", "packages": packages}]}
        });
        let scan = serde_json::json!({
            "id": "01900000-0000-7000-8000-000000000001", "service": "pay", "guard": "sca", "state": "completed", "phase": "done",
            "paths": [], "requested_by": "upload", "requested_at": "2026-11-21T12:00:00Z", "complete": true,
            "progress": {"done": 0, "total": 0, "packages": 0, "findings": 0}
        });
        let upload = Upload::new(serde_json::from_value(document).unwrap(), None).unwrap();
        (serde_json::from_value(scan).unwrap(), upload)
    }

    #[test]
    fn every_part_fits_into_a_message_and_nothing_is_lost() {
        // Nothing at all is a part too: it says that nothing is listed.
        for (packages, length, want) in [(0, 1, 1), (499, 1, 1), (500, 1, 2), (1500, 1, 4), (1200, 990, 5)] {
            let (scan, upload) = uploaded(packages, length);
            let told: Vec<Vec<u8>> = told(&scan, &upload).collect();
            assert_eq!(told.len(), want, "{packages} of {length}");
            assert!(told.iter().all(|part| part.len() <= LARGEST + 1024), "{packages} of {length}");
            let parts = told.iter().map(|part| message::ContentsUploaded::decode(&**part).unwrap());
            let parts: Vec<message::ContentsUploaded> = parts.collect();
            let names = parts.iter().flat_map(|part| &part.files).flat_map(|file| &file.packages).map(|one| &*one.name);
            assert!(names.eq((0..packages).map(|at| format!("p{at}"))), "{packages} of {length}");
            let numbered =
                parts.iter().enumerate().all(|(at, part)| (part.chunk, part.chunks) == (at as u32, want as u32));
            assert!(numbered && parts.iter().all(|part| part.service == "pay"), "{packages} of {length}");
        }
    }
}
