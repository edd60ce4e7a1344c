//! Remembers which names were public, and tells when one turns: the mark of DNS rebinding.
//!
//! Bounded: so many names, so many addresses of each; who is forgotten is simply not told of.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use crate::address::{Class, classify};
use crate::bounded::Bounded;
use crate::engine::Verdict;
use crate::policy::{Policy, Reason};
use crate::resolve::Lookup;

/// How long a name that was public is remembered.
const WINDOW: Duration = Duration::from_secs(60 * 60);

/// How many names are remembered.
const NAMES: usize = 8_192;

/// How many addresses of a name are remembered: enough to recognise it.
const ADDRESSES: usize = 4;

/// A name that was public, and is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebinding {
    /// The name.
    pub name: String,
    /// Some of its public addresses.
    pub was: Vec<IpAddr>,
    /// When it was last seen with them.
    pub seen: SystemTime,
    /// Some of the addresses that it has now and that are not public.
    pub now: Vec<IpAddr>,
}

/// What was public of late.
pub struct Watch {
    window: Duration,
    names: Mutex<Bounded<Seen>>,
}

struct Seen {
    at: SystemTime,
    addresses: Vec<IpAddr>,
}

impl Default for Watch {
    fn default() -> Self {
        Self::new(WINDOW)
    }
}

impl Watch {
    /// Remembers names for that long.
    pub fn new(window: Duration) -> Self {
        Self { window, names: Mutex::new(Bounded::new(NAMES)) }
    }

    /// Sees an answer; an answer from memory was seen before.
    pub(crate) fn see(
        &self,
        name: &str,
        lookup: &Lookup,
        verdict: &Verdict,
        policy: &Policy,
        now: SystemTime,
    ) -> Option<Rebinding> {
        let internal = |address: &&IpAddr| classify(**address, &policy.nat64) != Class::Public;
        match verdict.denial().map(|denial| denial.reason) {
            None if !lookup.cached => {
                // A name with a named exception may well be internal, and then it was not public.
                if !lookup.answer.addresses.iter().any(|address| internal(&address)) {
                    let addresses = lookup.answer.addresses.iter().copied().take(ADDRESSES).collect();
                    let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
                    names.put(name, Seen { at: now, addresses });
                }
                None
            }
            Some(
                Reason::AddressInternal | Reason::AddressMetadata | Reason::AddressSelf | Reason::ExceptionExpired,
            ) => {
                let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
                let seen = names.get(name)?;
                if now.duration_since(seen.at).is_ok_and(|age| age > self.window) {
                    return None;
                }
                let now = lookup.answer.addresses.iter().filter(internal).copied().take(ADDRESSES).collect();
                Some(Rebinding { name: name.to_owned(), was: seen.addresses.clone(), seen: seen.at, now })
            }
            _ => None,
        }
    }
}
