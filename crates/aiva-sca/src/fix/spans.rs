//! What is written where in a text that was read once for all packages.

use std::collections::BTreeMap;
use std::ops::Range;

use super::ask::Ask;
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

    /// The version for which something is put in a place.
    pub(super) fn to(&self, start: usize) -> Option<&str> {
        self.0.get(&start).map(|put| put.to.as_str())
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

/// Where the lines of a text are, for formats whose entries are lines.
#[derive(Debug)]
pub(super) struct Lines(Vec<Range<usize>>);

impl Lines {
    pub(super) fn read(text: &str) -> Self {
        let mut at = 0;
        let place = |line: &str| {
            at += line.len();
            at - line.len()..at
        };
        Self(text.split_inclusive('\n').map(place).collect())
    }

    /// The lines of the findings, with their numbers, in their order.
    pub(super) fn of<'l>(&'l self, ask: &'l Ask<'_>) -> impl Iterator<Item = (u32, Range<usize>)> + 'l {
        let place = |number: &u32| self.0.get(usize::try_from(*number).ok()?.checked_sub(1)?).cloned();
        ask.lines.iter().filter_map(move |number| Some((*number, place(number)?)))
    }
}

impl Lines {
    /// The first line behind one that is not blank.
    pub(super) fn filled_after(&self, number: u32, text: &str) -> Option<Range<usize>> {
        let behind = self.0.get(usize::try_from(number).ok()?..)?;
        behind.iter().find(|place| is_filled(place, text)).cloned()
    }

    /// The last line before one that is not blank.
    pub(super) fn filled_before(&self, number: u32, text: &str) -> Option<Range<usize>> {
        let before = self.0.get(..usize::try_from(number).ok()?.checked_sub(1)?)?;
        before.iter().rev().find(|place| is_filled(place, text)).cloned()
    }
}

fn is_filled(place: &Range<usize>, text: &str) -> bool {
    text.get(place.clone()).is_some_and(|line| !line.trim().is_empty())
}

/// A byte order mark, and the rest.
pub(super) fn parted(text: &str) -> (&str, &str) {
    text.strip_prefix('\u{feff}').map_or(("", text), |rest| ("\u{feff}", rest))
}
