//! Sets of names, found by their labels from the right.
//!
//! A set of ten thousand entries is as quick to ask as one of ten: a question walks one step for each label of the name,
//! and stops where no entry goes on.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::target;

/// One entry: `example.com` is itself, `*.example.com` any depth below it but not itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Names(Arc<str>);

impl Names {
    /// From a list entry; `None` when it is no name.
    pub fn new(entry: &str) -> Option<Self> {
        let (stars, name) = match entry.strip_prefix("*.") {
            Some(name) => ("*.", name),
            None => ("", entry),
        };
        let name = target::name(name)?;
        Some(Self(if stars.is_empty() { name.into() } else { [stars, &name].concat().into() }))
    }

    /// The entry, in lower case and A-labels.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it stands for everything below a name.
    pub fn is_below(&self) -> bool {
        self.0.starts_with("*.")
    }

    /// Whether a name (lower case, A-labels, no trailing dot) is meant.
    pub fn hold(&self, name: &str) -> bool {
        match self.0.strip_prefix('*') {
            Some(suffix) => name.len() > suffix.len() && name.ends_with(suffix),
            None => name == &*self.0,
        }
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A list of entries.
#[derive(Clone, Default)]
pub struct NameSet {
    entries: Vec<Names>,
    labels: Labels,
}

impl NameSet {
    /// Adds an entry at the end.
    pub fn push(&mut self, names: Names) {
        self.labels.insert(&names, self.entries.len());
        self.entries.push(names);
    }

    /// The narrowest entry that holds the name, and its place in the list.
    pub fn find(&self, name: &str) -> Option<(usize, &Names)> {
        let place = self.labels.narrowest(name)?;
        Some((place, self.entries.get(place)?))
    }

    /// The entries, in the list's order.
    pub fn entries(&self) -> &[Names] {
        &self.entries
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl fmt::Debug for NameSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.entries.iter().map(Names::as_str)).finish()
    }
}

impl Extend<Names> for NameSet {
    fn extend<I: IntoIterator<Item = Names>>(&mut self, all: I) {
        all.into_iter().for_each(|names| self.push(names));
    }
}

impl FromIterator<Names> for NameSet {
    fn from_iter<I: IntoIterator<Item = Names>>(all: I) -> Self {
        let mut set = Self::default();
        set.extend(all);
        set
    }
}

impl From<Vec<Names>> for NameSet {
    fn from(all: Vec<Names>) -> Self {
        all.into_iter().collect()
    }
}

/// The tree of labels, and at each the numbers of the entries that end there.
#[derive(Clone, Default)]
pub(super) struct Labels {
    nodes: Vec<Node>,
}

#[derive(Clone, Default)]
struct Node {
    children: HashMap<Box<str>, u32>,
    itself: Vec<u32>,
    below: Vec<u32>,
}

impl Labels {
    pub(super) fn insert(&mut self, names: &Names, number: usize) {
        // More entries than fit in 32 bits do not fit in memory either.
        let Ok(number) = u32::try_from(number) else { return };
        if self.nodes.is_empty() {
            self.nodes.push(Node::default());
        }
        let mut at = 0;
        for label in names.as_str().trim_start_matches("*.").rsplit('.') {
            at = match self.nodes[at].children.get(label) {
                Some(next) => *next as usize,
                None => {
                    let next = self.nodes.len();
                    self.nodes.push(Node::default());
                    self.nodes[at].children.insert(label.into(), next as u32);
                    next
                }
            };
        }
        let node = &mut self.nodes[at];
        if names.is_below() { node.below.push(number) } else { node.itself.push(number) }
    }

    fn narrowest(&self, name: &str) -> Option<usize> {
        let mut found = None;
        self.walk(name, |numbers| found = numbers.first().copied().or(found));
        found.map(|number| number as usize)
    }

    /// Every entry that holds the name, wide before narrow.
    pub(super) fn all(&self, name: &str) -> Vec<usize> {
        let mut found = Vec::new();
        self.walk(name, |numbers| found.extend(numbers.iter().map(|number| *number as usize)));
        found
    }

    fn walk(&self, name: &str, mut visit: impl FnMut(&[u32])) {
        let Some(mut node) = self.nodes.first() else { return };
        let mut labels = name.rsplit('.').peekable();
        while let Some(label) = labels.next() {
            let Some(next) = node.children.get(label) else { return };
            node = &self.nodes[*next as usize];
            visit(if labels.peek().is_some() { &node.below } else { &node.itself });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_answers_as_its_entries_do_one_by_one() {
        let entries = ["example.com", "*.example.com", "*.b.example.com", "*.com", "a.example.org", "*.example.com"];
        let entries = entries.map(|entry| Names::new(entry).unwrap());
        let set: NameSet = entries.iter().cloned().collect();
        for (name, want) in [
            ("example.com", Some(0)),
            ("a.example.com", Some(1)),
            ("a.b.example.com", Some(2)),
            ("x.a.b.example.com", Some(2)),
            ("b.example.com", Some(1)),
            ("com", None),
            ("else.com", Some(3)),
            ("evilexample.org", None),
            ("example.org", None),
            ("a.example.org", Some(4)),
            ("b.a.example.org", None),
            ("", None),
        ] {
            let found = set.find(name).map(|(place, _)| place);
            assert_eq!(found, want, "{name}");
            assert_eq!(found.is_some(), entries.iter().any(|entry| entry.hold(name)), "{name}");
        }
    }

    #[test]
    fn what_is_no_name_is_no_entry() {
        let with_more = ["u@example.com", "example.com/x", "example.com:80", "example.com?", "example.com#", "a b.com"];
        for entry in ["", "*", "*.", "*.*.com", "a*.com", "127.0.0.1", "[::1]"].into_iter().chain(with_more) {
            assert!(Names::new(entry).is_none(), "{entry}");
        }
        assert_eq!(Names::new("*.B\u{fc}cher.Example.").unwrap().as_str(), "*.xn--bcher-kva.example");
    }
}
