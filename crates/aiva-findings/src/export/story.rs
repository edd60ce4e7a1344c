//! What many findings of a document have in common, written once.
//!
//! A repository has the same version of a package in many places, and an advisory says the same of each of them: most of a document
//! is said several times. So what belongs to the advisory is kept as it is written, and a finding is put together from that and from
//! what is its own. The result is that of [`DocumentFinding`]'s own serialization, byte for byte.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use aiva_contracts::api::{
    Acceptance, DocumentFinding, DocumentMatch, DocumentPaths, DocumentPriority, DocumentStatement, FindingKind,
    Fingerprint, PackageScope, Severity,
};
use serde::Serialize;

/// How many bytes of stories are kept. Those that are as urgent are written together, so a few are enough.
const ROOM: usize = 256 * 1024;

/// What belongs to an advisory, as it is written: the members of its findings, in pieces between which others stand.
pub(super) struct Story {
    text: Box<[u8]>,
    /// Where its names, words, matches and priority end.
    ends: [usize; 4],
}

#[derive(Serialize)]
struct Names<'f> {
    id: &'f str,
    aliases: &'f [String],
}

#[derive(Serialize)]
struct Place<'f> {
    fingerprint: &'f Fingerprint,
    purl: &'f str,
    name: &'f str,
    version: &'f str,
    ecosystem: &'f str,
    path: &'f str,
    line: u32,
}

#[derive(Serialize)]
struct Words<'f> {
    kind: FindingKind,
    severity: &'f Severity,
    fixed_versions: &'f [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    last_affected: &'f Option<String>,
    summary: &'f str,
    description: &'f str,
    references: &'f [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    symbols: &'f [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    more_symbols: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: &'f Option<String>,
}

#[derive(Serialize)]
struct Way {
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    direct: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<PackageScope>,
}

#[derive(Serialize)]
struct Matched<'f> {
    #[serde(skip_serializing_if = "<[DocumentMatch]>::is_empty")]
    matched: &'f [DocumentMatch],
}

#[derive(Serialize)]
struct Paths<'f> {
    #[serde(skip_serializing_if = "Option::is_none")]
    paths: &'f Option<DocumentPaths>,
}

#[derive(Serialize)]
struct Priority<'f> {
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: &'f Option<DocumentPriority>,
}

#[derive(Serialize)]
struct Rest<'f> {
    #[serde(skip_serializing_if = "Option::is_none")]
    statement: &'f Option<DocumentStatement>,
    #[serde(skip_serializing_if = "Option::is_none")]
    known: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acceptance: &'f Option<Acceptance>,
}

/// A finding in its pieces.
struct Pieces<'f> {
    names: Names<'f>,
    place: Place<'f>,
    words: Words<'f>,
    way: Way,
    matched: Matched<'f>,
    paths: Paths<'f>,
    priority: Priority<'f>,
    rest: Rest<'f>,
}

impl<'f> Pieces<'f> {
    fn of(finding: &'f DocumentFinding) -> Self {
        // Named one by one, so that a field of the contract that is in no piece does not compile.
        let DocumentFinding {
            id,
            aliases,
            fingerprint,
            purl,
            name,
            version,
            ecosystem,
            path,
            line,
            kind,
            severity,
            fixed_versions,
            last_affected,
            summary,
            description,
            references,
            symbols,
            more_symbols,
            reason,
            column,
            direct,
            scope,
            matched,
            paths,
            priority,
            statement,
            known,
            acceptance,
        } = finding;
        Self {
            names: Names { id, aliases },
            place: Place { fingerprint, purl, name, version, ecosystem, path, line: *line },
            words: Words {
                kind: *kind,
                severity,
                fixed_versions,
                last_affected,
                summary,
                description,
                references,
                symbols,
                more_symbols: *more_symbols,
                reason,
            },
            way: Way { column: *column, direct: *direct, scope: *scope },
            matched: Matched { matched },
            paths: Paths { paths },
            priority: Priority { priority },
            rest: Rest { statement, known: *known, acceptance },
        }
    }
}

impl Story {
    /// What of a finding that was told whole belongs to its advisory. It is written behind a text first, which is left as it was.
    pub(super) fn of(finding: &DocumentFinding, room: &mut Vec<u8>) -> serde_json::Result<Self> {
        let (pieces, from) = (Pieces::of(finding), room.len());
        let mut ends = [0; 4];
        let [names, words, matched, priority] = &mut ends;
        *names = add(&pieces.names, room)? - from;
        *words = add(&pieces.words, room)? - from;
        *matched = add(&pieces.matched, room)? - from;
        *priority = add(&pieces.priority, room)? - from;
        let text = room.get(from..).unwrap_or_default().into();
        room.truncate(from);
        Ok(Self { text, ends })
    }

    /// Writes a finding of this story; what belongs to the story is not taken from it.
    pub(super) fn write(&self, finding: &DocumentFinding, text: &mut Vec<u8>) -> serde_json::Result<()> {
        let Pieces { place, way, paths, rest, .. } = Pieces::of(finding);
        let [names, words, matched, priority] = self.ends;
        let piece = |from: usize, to: usize| self.text.get(from..to).unwrap_or_default();
        let from = text.len();
        text.extend_from_slice(piece(0, names));
        add(&place, text)?;
        text.extend_from_slice(piece(names, words));
        add(&way, text)?;
        text.extend_from_slice(piece(words, matched));
        add(&paths, text)?;
        text.extend_from_slice(piece(matched, priority));
        add(&rest, text)?;
        // Every piece begins with the comma before it.
        if let Some(first) = text.get_mut(from) {
            *first = b'{';
        }
        text.push(b'}');
        Ok(())
    }
}

/// Adds the members of an object, each with a comma before it, and says where they end.
fn add(piece: &impl Serialize, text: &mut Vec<u8>) -> serde_json::Result<usize> {
    let from = text.len();
    serde_json::to_writer(&mut *text, piece)?;
    text.pop(); // the closing brace
    match text.get_mut(from..) {
        Some([first, _, ..]) => *first = b',',
        _ => text.truncate(from), // there are none
    }
    Ok(text.len())
}

/// The stories that were told lately.
pub(super) struct Stories<S>(Mutex<Told<S>>);

struct Told<S> {
    stories: HashMap<S, Arc<Story>>,
    bytes: usize,
}

impl<S> Default for Told<S> {
    fn default() -> Self {
        Self { stories: HashMap::new(), bytes: 0 }
    }
}

impl<S: Eq + Hash> Stories<S> {
    /// None was told yet.
    pub(super) fn new() -> Self {
        Self(Mutex::default())
    }

    /// This story; `tell` makes it where it is not known, or not any more.
    pub(super) fn get(
        &self,
        which: S,
        tell: impl FnOnce() -> serde_json::Result<Story>,
    ) -> serde_json::Result<Arc<Story>> {
        let told = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = told().stories.get(&which) {
            return Ok(Arc::clone(known));
        }
        // Not under the lock: two who need it at once both make it.
        let story = Arc::new(tell()?);
        let mut told = told();
        if told.bytes + story.text.len() > ROOM {
            *told = Told::default();
        }
        told.bytes += story.text.len();
        told.stories.insert(which, Arc::clone(&story));
        Ok(story)
    }
}
