//! Judges a name and its aliases, before any address of it counts.
//!
//! Metadata services and the role's deny list come first and no exception lifts them. After them a name is refused that
//! means this machine, that is of an internal zone, or that is not on the list of those allowed; a live exception lifts
//! that, and the lifted refusal is kept for addresses that the exception does not open. Start reading at [`Case::name`].

use super::{Case, expired};
use crate::policy::{Exception, Mode, Reason, Refusal, Rule};

impl Case<'_, '_> {
    pub(super) fn name(&mut self, name: &str) -> Result<(), Refusal> {
        let policy = self.policy;
        self.fixed(name)?;
        self.named = policy.exceptions.for_name(name, self.question.target.port(), self.now);
        let allowed = policy.allow_names.find(name);
        let zone = if allowed.is_none() { internal_zone(name) } else { None };
        let refusal = if is_local(name) {
            Some(Refusal::new(Rule::LocalName, Reason::NameLocal, name))
        } else if let Some(zone) = zone {
            Some(Refusal::new(Rule::InternalZone(zone), Reason::NameInternal, name))
        } else if policy.mode != Mode::Open && allowed.is_none() {
            Some(Refusal::new(Rule::NoName, Reason::NameNotAllowed, name))
        } else {
            None
        };
        if let Some((place, names)) = allowed.filter(|_| policy.mode != Mode::Open) {
            self.rule = Rule::AllowName(place, names.clone());
        }
        let Some(refusal) = refusal else { return Ok(()) };
        match self.named.first() {
            Some(exception) if exception.is_live(self.now) => {
                self.rule = Rule::Exception(exception.name.clone());
                self.lifted = Some(refusal);
                Ok(())
            }
            Some(exception) => {
                let refusal = expired(exception, name, refusal);
                self.refuse(refusal)
            }
            None => self.refuse(refusal),
        }
    }

    /// What no exception lifts.
    fn fixed(&mut self, name: &str) -> Result<(), Refusal> {
        if METADATA_NAMES.contains(&name) {
            return Err(Refusal::new(Rule::MetadataName, Reason::NameMetadata, name));
        }
        match self.policy.deny_names.find(name) {
            Some((place, names)) => {
                self.refuse(Refusal::new(Rule::DenyName(place, names.clone()), Reason::NameDenied, name))
            }
            None => Ok(()),
        }
    }

    /// An alias need not be on the allow list, but it must not lead inside.
    pub(super) fn alias(&mut self, alias: &str) -> Result<(), Refusal> {
        self.fixed(alias)?;
        if self.lifted.is_some() || self.policy.allow_names.find(alias).is_some() {
            return Ok(());
        }
        let port = self.question.target.port();
        let refusal = match internal_zone(alias) {
            _ if is_local(alias) => Refusal::new(Rule::LocalName, Reason::NameLocal, alias),
            Some(zone) => Refusal::new(Rule::InternalZone(zone), Reason::NameInternal, alias),
            None => return Ok(()),
        };
        let live = |exception: &&&Exception| exception.is_live(self.now);
        let of_alias = self.policy.exceptions.for_name(alias, port, self.now);
        if self.named.iter().find(live).is_some() || of_alias.iter().find(live).is_some() {
            return Ok(());
        }
        Err(refusal)
    }
}

fn is_local(name: &str) -> bool {
    LOCAL_NAMES.contains(&name) || is_below(name, "localhost")
}

/// The internal zone that a name is of; a single label is of the empty one.
fn internal_zone(name: &str) -> Option<&'static str> {
    if !name.contains('.') {
        return Some("");
    }
    INTERNAL_ZONES.iter().copied().find(|zone| is_below(name, zone))
}

fn is_below(name: &str, zone: &str) -> bool {
    name == zone || name.strip_suffix(zone).is_some_and(|rest| rest.ends_with('.'))
}

const METADATA_NAMES: &[&str] = &[
    "instance-data",
    "instance-data.ec2.internal",
    "metadata",
    "metadata.goog",
    "metadata.google.internal",
    "metadata.packet.net",
    "metadata.tencentyun.com",
];

/// Names that a hosts file gives to this machine (RFC 6761 §6.3 and common practice).
const LOCAL_NAMES: &[&str] =
    &["broadcasthost", "ip6-localhost", "ip6-loopback", "localhost.localdomain", "localhost4", "localhost6"];

/// Zones that are no part of the public DNS (RFC 6761, 6762, 7686, 8375, 9476, ICANN's .internal, and common practice).
const INTERNAL_ZONES: &[&str] = &[
    "alt",
    "arpa",
    "cluster.local",
    "consul",
    "corp",
    "home",
    "internal",
    "intranet",
    "invalid",
    "lan",
    "local",
    "localdomain",
    "onion",
    "private",
    "svc",
    "test",
];
