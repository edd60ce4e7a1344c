//! What is written where in a text that was read once for all packages.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::package::Ecosystem;
use crate::version::Version;

/// What is put where in a text; two packages may share a place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Spans(BTreeMap<usize, Put>);

/// What is put in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Put {
    end: usize,
    new: String,
    /// The version that it is for.
    to: String,
}

impl Spans {
    pub(super) fn put(&mut self, place: Range<usize>, new: String, to: &str) {
        self.0.insert(place.start, Put { end: place.end, new, to: to.to_owned() });
    }

    /// Where something is put.
    pub(super) fn starts(&self) -> impl Iterator<Item = usize> {
        self.0.keys().copied()
    }

    /// Takes more of the same text in; in a place that two packages share the higher version stands.
    pub(super) fn merge(&mut self, ecosystem: Ecosystem, more: Self) {
        let version = |put: &Put| Version::parse(ecosystem, &put.to);
        for (start, put) in more.0 {
            let known = self.0.get(&start);
            if known.is_none_or(|known| version(known) < version(&put)) {
                self.0.insert(start, put);
            }
        }
    }

    /// The text with all of it in its place, behind what editors of some systems put in front.
    pub(super) fn applied(&self, text: &str) -> String {
        let (mark, text) = parted(text);
        let (mut out, mut at) = (String::with_capacity(text.len() + 8), 0);
        out.push_str(mark);
        for (start, Put { end, new, .. }) in &self.0 {
            out.push_str(text.get(at..*start).unwrap_or_default());
            out.push_str(new);
            at = *end;
        }
        out.push_str(text.get(at..).unwrap_or_default());
        out
    }
}

/// A byte order mark, and the rest.
pub(super) fn parted(text: &str) -> (&str, &str) {
    text.strip_prefix('\u{feff}').map_or(("", text), |rest| ("\u{feff}", rest))
}
