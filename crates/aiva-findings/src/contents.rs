//! What an upload lists, in parts that fit into events: the guard that judges it again takes them in.
//!
//! Pure. A part holds at most 500 things and about 256 KiB, so that a broker carries it; one thing that is larger by itself, which the
//! bounds of the contract keep under a megabyte, is a part of its own.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aiva_contracts::api::{
    DocumentEntry, DocumentInput, DocumentLeftOut, DocumentListed, DocumentListing, InputStatus, PackageScope, Scan,
    ScanDocument, SourceKind,
};
use aiva_contracts::bounds::Violation;
use aiva_contracts::message::scan::v1 as message;
use prost::Message as _;

use crate::observation::{Observation, level_to};

/// The most things of one part (api/proto: ContentsUploaded).
const MOST: usize = 500;

/// The most bytes of one part, unless one thing alone is larger.
const LARGEST: usize = 256 << 10;

/// Whether every file that lists something is one of the inputs.
pub fn check(document: &ScanDocument) -> Result<(), Violation> {
    let Some(contents) = &document.contents else { return Ok(()) };
    let inputs: BTreeSet<(&str, &str)> =
        document.inputs.iter().map(|input| (input.path.as_str(), input.kind.as_str())).collect();
    let stray = contents.files.iter().position(|file| !inputs.contains(&(file.path.as_str(), file.kind.as_str())));
    stray.map_or(Ok(()), |at| {
        let message = "is not one of inputs, by path and kind".to_owned();
        Err(Violation { pointer: format!("/contents/files/{at}/path"), message })
    })
}

/// All parts of what a document lists; one that says that nothing is listed, where it does not.
pub fn parts(scan: &Scan, document: &ScanDocument) -> Vec<message::ContentsUploaded> {
    let imported = document.advisories.ecosystems.iter().map(|held| held.imported_at.as_microsecond());
    let head = message::ContentsUploaded {
        scan_id: scan.id.to_string(),
        guard: scan.guard.to_string(),
        service: scan.service.clone(),
        knowledge_unix_micros: imported.max().unwrap_or(0),
        ..Default::default()
    };
    let Some(contents) = &document.contents else { return vec![head] };
    let mut parts = Parts { done: Vec::new(), part: head.clone(), head, things: 0, bytes: 0 };
    let mut listed: HashMap<(&str, &str), Vec<&DocumentListing>> = HashMap::new();
    for file in &contents.files {
        listed.entry((&file.path, &file.kind)).or_default().push(file);
    }
    // Of two inputs that say the same place, the later one holds.
    let inputs: BTreeMap<_, _> =
        document.inputs.iter().map(|one| ((one.path.as_str(), one.kind.as_str()), one)).collect();
    for (place, input) in inputs {
        parts.file(input, listed.get(&place).map_or(&[], Vec::as_slice));
    }
    // What no record of an advisory matched is told by a rule, which does not change with advisories.
    for finding in document.findings.iter().filter(|finding| finding.matched.is_empty()) {
        let fact = message::ObservedFinding::from(Observation::from(finding.clone()));
        parts.room(fact.encoded_len());
        parts.part.facts.push(fact);
    }
    if let Some(left_out) = &contents.left_out {
        parts.left_out(left_out);
    }
    parts.end()
}

/// The parts so far, and the one that is being filled.
struct Parts {
    done: Vec<message::ContentsUploaded>,
    head: message::ContentsUploaded,
    part: message::ContentsUploaded,
    things: usize,
    bytes: usize,
}

impl Parts {
    /// Makes room for one thing: what is full is done.
    fn room(&mut self, bytes: usize) {
        if self.things >= MOST || self.things > 0 && self.bytes + bytes > LARGEST {
            self.done.push(std::mem::replace(&mut self.part, self.head.clone()));
            (self.things, self.bytes) = (0, 0);
        }
        self.things += 1;
        self.bytes += bytes;
    }

    fn file(&mut self, input: &DocumentInput, listings: &[&DocumentListing]) {
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
        for listing in listings {
            for one in listing.packages.iter().flatten() {
                let package = package(&listing.ecosystem, one);
                self.room(package.encoded_len());
                self.open(&head).packages.push(package);
            }
            for one in &listing.entries {
                let entry = entry(&listing.ecosystem, one);
                self.room(entry.encoded_len());
                self.open(&head).entries.push(entry);
            }
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

    fn end(mut self) -> Vec<message::ContentsUploaded> {
        self.done.push(self.part);
        let chunks = u32::try_from(self.done.len()).unwrap_or(u32::MAX);
        for (chunk, part) in (0..).zip(&mut self.done) {
            (part.chunk, part.chunks) = (chunk, chunks);
        }
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

    /// A scan of `pay`, and a document that lists packages with versions of a length.
    fn uploaded(packages: usize, length: usize) -> (Scan, ScanDocument) {
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
        (serde_json::from_value(scan).unwrap(), serde_json::from_value(document).unwrap())
    }

    #[test]
    fn every_part_fits_into_a_message_and_nothing_is_lost() {
        // Nothing at all is a part too: it says that nothing is listed.
        for (packages, length, want) in [(0, 1, 1), (499, 1, 1), (500, 1, 2), (1500, 1, 4), (1200, 990, 5)] {
            let (scan, document) = uploaded(packages, length);
            let parts = parts(&scan, &document);
            assert_eq!(parts.len(), want, "{packages} of {length}");
            assert!(parts.iter().all(|part| part.encoded_len() <= LARGEST + 1024), "{packages} of {length}");
            let listed =
                |part: &message::ContentsUploaded| part.files.iter().map(|file| file.packages.len()).sum::<usize>();
            assert_eq!(parts.iter().map(listed).sum::<usize>(), packages);
            let numbered =
                parts.iter().enumerate().all(|(at, part)| (part.chunk, part.chunks) == (at as u32, want as u32));
            assert!(numbered, "{packages} of {length}");
        }
    }
}
