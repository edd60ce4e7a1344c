//! Named exceptions: the way to open one internal place without opening the rest.
//!
//! Each has a name that records and denials show, somebody who answers for it, a reason, and mostly an end. An exception
//! past its end opens nothing, and the denial says so.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use super::names::{Labels, Names};
use crate::address::{Prefix, canonical};

/// What an exception opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opens {
    /// These names, wherever they point (but never a metadata service or this process).
    Host(Names),
    /// These addresses, whoever points there.
    Block(Prefix),
    /// These names, where they point into the block.
    HostInBlock(Names, Prefix),
}

/// One exception.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    /// What it is called.
    pub name: Arc<str>,
    /// What it opens.
    pub opens: Opens,
    /// On these ports, which it opens as well; where there are none, on the policy's.
    pub ports: Vec<u16>,
    /// Who answers for it.
    pub owner: String,
    /// Why it is there.
    pub reason: String,
    /// From then on it opens nothing.
    pub expires: Option<SystemTime>,
}

impl Exception {
    /// An exception without end for a name.
    pub fn host(name: impl Into<Arc<str>>, names: Names) -> Self {
        let (owner, reason) = (String::new(), String::new());
        Self { name: name.into(), opens: Opens::Host(names), ports: Vec::new(), owner, reason, expires: None }
    }

    /// An exception without end for a block.
    pub fn block(name: impl Into<Arc<str>>, prefix: Prefix) -> Self {
        let (owner, reason) = (String::new(), String::new());
        Self { name: name.into(), opens: Opens::Block(prefix), ports: Vec::new(), owner, reason, expires: None }
    }

    /// Whether it still opens anything.
    pub fn is_live(&self, now: SystemTime) -> bool {
        self.expires.is_none_or(|end| now < end)
    }

    fn on_port(&self, port: u16) -> bool {
        self.ports.is_empty() || self.ports.contains(&port)
    }

    fn prefix(&self) -> Option<&Prefix> {
        match &self.opens {
            Opens::Host(_) => None,
            Opens::Block(prefix) | Opens::HostInBlock(_, prefix) => Some(prefix),
        }
    }
}

/// A list of exceptions.
#[derive(Clone, Default)]
pub struct Exceptions {
    entries: Vec<Exception>,
    hosts: Labels,
    /// Those for whoever points there.
    anybody: Vec<usize>,
}

impl Exceptions {
    /// Adds an exception.
    pub fn push(&mut self, exception: Exception) {
        match &exception.opens {
            Opens::Host(names) | Opens::HostInBlock(names, _) => self.hosts.insert(names, self.entries.len()),
            Opens::Block(_) => self.anybody.push(self.entries.len()),
        }
        self.entries.push(exception);
    }

    /// The exceptions, in the list's order.
    pub fn entries(&self) -> &[Exception] {
        &self.entries
    }

    /// Those that hold for a name on a port, live or past, live first.
    pub(crate) fn for_name(&self, name: &str, port: u16, now: SystemTime) -> Vec<&Exception> {
        if self.entries.is_empty() {
            return Vec::new();
        }
        let mut found: Vec<&Exception> = self.hosts.all(name).into_iter().map(|place| &self.entries[place]).collect();
        found.retain(|exception| exception.on_port(port));
        found.sort_by_key(|exception| !exception.is_live(now));
        found
    }

    /// The one that opens an address: of those for its name, then of those for anybody. Live before past.
    pub(crate) fn for_address<'e>(
        &'e self,
        named: &[&'e Exception],
        address: IpAddr,
        port: u16,
        now: SystemTime,
    ) -> Option<&'e Exception> {
        let anybody = self.anybody.iter().map(|place| &self.entries[*place]).filter(|one| one.on_port(port));
        let opening = |one: &&Exception| one.prefix().is_none_or(|prefix| prefix.contains(canonical(address)));
        let mut past = None;
        for exception in named.iter().copied().chain(anybody).filter(opening) {
            if exception.is_live(now) {
                return Some(exception);
            }
            past = past.or(Some(exception));
        }
        past
    }
}

impl fmt::Debug for Exceptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.entries).finish()
    }
}

impl Extend<Exception> for Exceptions {
    fn extend<I: IntoIterator<Item = Exception>>(&mut self, all: I) {
        all.into_iter().for_each(|exception| self.push(exception));
    }
}

impl FromIterator<Exception> for Exceptions {
    fn from_iter<I: IntoIterator<Item = Exception>>(all: I) -> Self {
        let mut set = Self::default();
        set.extend(all);
        set
    }
}

impl From<Vec<Exception>> for Exceptions {
    fn from(all: Vec<Exception>) -> Self {
        all.into_iter().collect()
    }
}
