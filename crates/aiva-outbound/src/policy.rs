//! Who may be called: names first, then every address of the answer.
//!
//! Pure. Metadata services and this process itself beat every allow; after them deny beats allow; an internal address
//! passes only by an allowed block or a named host. One bad address spoils the whole answer unless the policy says that
//! the good ones may be used. Start reading at [`Policy::judge_target`] and [`Policy::judge_addresses`].

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use crate::address::{self, Class, Prefix};
use crate::resolve::Answer;
use crate::target::{Host, Scheme, Target};

/// Why a request may not leave. The words are stable: they stand in records, metrics and other people's rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// Not an absolute URL, or too long.
    NotUrl,
    /// A control character.
    ControlCharacter,
    /// White space.
    WhiteSpace,
    /// A backslash, which some parsers read as a slash.
    Backslash,
    /// A scheme that is not allowed.
    Scheme,
    /// A second `@`, or brackets before it.
    Credentials,
    /// Percent-encoding in the host.
    HostEncoded,
    /// Characters in the host that are mapped, dropped or invalid (UTS #46).
    HostUnicode,
    /// A number that is no canonical IPv4 address.
    HostNumber,
    /// Brackets that hold no IPv6 address.
    HostAddress,
    /// Not a host name (RFC 1123).
    HostName,
    /// No port number.
    Port,
    /// A port that the role does not allow.
    PortNotAllowed,
    /// This machine, by name.
    NameLocal,
    /// A name of an internal zone, or a single label.
    NameInternal,
    /// A metadata service, by name.
    NameMetadata,
    /// A name on the deny list.
    NameDenied,
    /// A name that is on no allow list.
    NameNotAllowed,
    /// A metadata service, by address.
    AddressMetadata,
    /// One of this process's own listening addresses.
    AddressSelf,
    /// An address on the deny list.
    AddressDenied,
    /// An address that is not public.
    AddressInternal,
    /// From an encrypted address to one that is not.
    Downgrade,
    /// More redirects than allowed, or a circle.
    Redirects,
}

impl Reason {
    /// The stable word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotUrl => "not-url",
            Self::ControlCharacter => "control-character",
            Self::WhiteSpace => "white-space",
            Self::Backslash => "backslash",
            Self::Scheme => "scheme",
            Self::Credentials => "credentials",
            Self::HostEncoded => "host-encoded",
            Self::HostUnicode => "host-unicode",
            Self::HostNumber => "host-number",
            Self::HostAddress => "host-address",
            Self::HostName => "host-name",
            Self::Port => "port",
            Self::PortNotAllowed => "port-not-allowed",
            Self::NameLocal => "name-local",
            Self::NameInternal => "name-internal",
            Self::NameMetadata => "name-metadata",
            Self::NameDenied => "name-denied",
            Self::NameNotAllowed => "name-not-allowed",
            Self::AddressMetadata => "address-metadata",
            Self::AddressSelf => "address-self",
            Self::AddressDenied => "address-denied",
            Self::AddressInternal => "address-internal",
            Self::Downgrade => "downgrade",
            Self::Redirects => "redirects",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::error::Error for Reason {}

/// A refusal: the reason, and what exactly it is about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {what}")]
pub struct Denial {
    /// Why.
    pub reason: Reason,
    /// The name, address or port that it is about.
    pub what: String,
}

impl Denial {
    fn new(reason: Reason, what: impl fmt::Display) -> Self {
        Self { reason, what: what.to_string() }
    }
}

/// How strict the list of allowed names is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Mode {
    /// Any public name that is not denied.
    #[default]
    Open,
    /// Only allowed names.
    Enforce,
}

/// What to do with an answer that has public and other addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Mixed {
    /// Refuse: a name that points inside does so on purpose.
    #[default]
    Deny,
    /// Use the public ones.
    Filter,
}

/// Which ports may be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ports {
    /// Any.
    Any,
    /// These.
    Only(Vec<u16>),
}

/// A set of names: `example.com` is itself, `*.example.com` any depth below it but not itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names(String);

impl Names {
    /// From a list entry; `None` when it is no name.
    pub fn new(entry: &str) -> Option<Self> {
        let (stars, name) = match entry.strip_prefix("*.") {
            Some(name) => ("*.", name),
            None => ("", entry),
        };
        match Target::parse(&format!("http://{name}/")).ok()?.host() {
            Host::Name(name) => Some(Self(format!("{stars}{name}"))),
            Host::Address(_) => None,
        }
    }

    fn hold(&self, name: &str) -> bool {
        match self.0.strip_prefix('*') {
            Some(suffix) => name.len() > suffix.len() && name.ends_with(suffix),
            None => name == self.0,
        }
    }
}

/// A policy. Start from [`Policy::public`] and add to it.
#[derive(Debug, Clone)]
pub struct Policy {
    /// How strict the list of allowed names is.
    pub mode: Mode,
    /// Names that may be called under [`Mode::Enforce`].
    pub allow_names: Vec<Names>,
    /// Names that may never be called.
    pub deny_names: Vec<Names>,
    /// Blocks that may be called although they are not public.
    pub allow_blocks: Vec<Prefix>,
    /// Blocks that may never be called.
    pub deny_blocks: Vec<Prefix>,
    /// Hosts that may be internal, by name: a mirror, a webhook of one's own.
    pub internal_hosts: Vec<Names>,
    /// Which ports.
    pub ports: Ports,
    /// Which schemes.
    pub schemes: Vec<Scheme>,
    /// What to do with mixed answers.
    pub mixed: Mixed,
    /// The operator's NAT64 prefixes.
    pub nat64: Vec<Prefix>,
    /// This process's own listening addresses.
    pub own: Vec<SocketAddr>,
    /// Whether a redirect may lead from https to http.
    pub downgrade: bool,
}

impl Policy {
    /// Any public name on ports 80 and 443.
    pub fn public() -> Self {
        Self {
            mode: Mode::Open,
            allow_names: Vec::new(),
            deny_names: Vec::new(),
            allow_blocks: Vec::new(),
            deny_blocks: Vec::new(),
            internal_hosts: Vec::new(),
            ports: Ports::Only(vec![80, 443]),
            schemes: vec![Scheme::Http, Scheme::Https],
            mixed: Mixed::Deny,
            nat64: Vec::new(),
            own: Vec::new(),
            downgrade: false,
        }
    }

    /// Judges what can be judged before a lookup: scheme, port, name or literal address.
    pub fn judge_target(&self, target: &Target) -> Result<(), Denial> {
        if !self.schemes.contains(&target.scheme()) {
            return Err(Denial::new(Reason::Scheme, target.scheme().name()));
        }
        if let Host::Name(name) = target.host() {
            self.judge_name(name)?;
        }
        // A literal address is judged as an address; under an allow list of names it is on none.
        if let Host::Address(address) = target.host() {
            self.judge_address(*address, target.port(), false)?;
            if self.mode == Mode::Enforce && !self.is_opened(*address) {
                return Err(Denial::new(Reason::NameNotAllowed, address));
            }
        }
        match &self.ports {
            Ports::Only(ports) if !ports.contains(&target.port()) => {
                Err(Denial::new(Reason::PortNotAllowed, target.port()))
            }
            _ => Ok(()),
        }
    }

    /// Judges a name, also one that an alias leads to.
    pub fn judge_name(&self, name: &str) -> Result<(), Denial> {
        if METADATA_NAMES.contains(&name) {
            return Err(Denial::new(Reason::NameMetadata, name));
        }
        if self.deny_names.iter().any(|names| names.hold(name)) {
            return Err(Denial::new(Reason::NameDenied, name));
        }
        if !self.is_internal_host(name) {
            if LOCAL_NAMES.contains(&name) || is_below(name, "localhost") {
                return Err(Denial::new(Reason::NameLocal, name));
            }
            if !name.contains('.') || INTERNAL_ZONES.iter().any(|zone| is_below(name, zone)) {
                return Err(Denial::new(Reason::NameInternal, name));
            }
        }
        if self.mode == Mode::Enforce && !self.allow_names.iter().any(|names| names.hold(name)) {
            return Err(Denial::new(Reason::NameNotAllowed, name));
        }
        Ok(())
    }

    /// Judges a whole answer and says which addresses may be connected to, in the answer's order; never none.
    pub fn judge_addresses(&self, target: &Target, answer: &Answer) -> Result<Vec<SocketAddr>, Denial> {
        let internal = match target.host() {
            Host::Name(name) => self.is_internal_host(name),
            Host::Address(_) => false,
        };
        for alias in &answer.aliases {
            self.judge_alias(alias, internal)?;
        }
        let mut good = Vec::new();
        let mut denial = None;
        for address in &answer.addresses {
            match self.judge_address(*address, target.port(), internal) {
                Ok(()) => good.push(SocketAddr::new(address::canonical(*address), target.port())),
                Err(refused) if self.mixed == Mixed::Deny => return Err(refused),
                Err(refused) => denial = Some(refused),
            }
        }
        if good.is_empty() {
            return Err(denial.unwrap_or_else(|| Denial::new(Reason::AddressInternal, "no address")));
        }
        Ok(good)
    }

    /// Judges a redirect by its text and says where it leads; `seen` are all targets so far, the redirecting one last.
    /// The new target is still to be judged like a first one.
    pub fn judge_redirect(&self, seen: &[Target], location: &str, most: usize) -> Result<Target, Denial> {
        let Some(from) = seen.last() else { return Err(Denial::new(Reason::NotUrl, "nothing to redirect from")) };
        let hop = |next: &Target| format!("{}, redirected by {}", next.origin(), from.origin());
        let next =
            from.join(location).map_err(|reason| Denial::new(reason, format!("redirected by {}", from.origin())))?;
        if from.scheme() == Scheme::Https && next.scheme() == Scheme::Http && !self.downgrade {
            return Err(Denial::new(Reason::Downgrade, hop(&next)));
        }
        if seen.len() > most || seen.contains(&next) {
            return Err(Denial::new(Reason::Redirects, hop(&next)));
        }
        Ok(next)
    }

    /// An alias need not be on the allow list, but it must not lead inside.
    fn judge_alias(&self, alias: &str, internal: bool) -> Result<(), Denial> {
        match self.judge_name(alias) {
            Err(denial) if denial.reason == Reason::NameNotAllowed => Ok(()),
            Err(denial) if internal && matches!(denial.reason, Reason::NameInternal | Reason::NameLocal) => Ok(()),
            other => other,
        }
    }

    fn judge_address(&self, address: IpAddr, port: u16, internal_host: bool) -> Result<(), Denial> {
        let canonical = address::canonical(address);
        // Together with what it carries: a rule on an IPv4 address also holds for its IPv6 clothes.
        let mut forms = vec![canonical];
        forms.extend(address::embedded(address, &self.nat64).into_iter().map(IpAddr::V4));
        let class = address::classify(address, &self.nat64);
        if class == Class::Metadata {
            return Err(Denial::new(Reason::AddressMetadata, address));
        }
        if forms.iter().any(|form| self.is_own(*form, port)) {
            return Err(Denial::new(Reason::AddressSelf, SocketAddr::new(canonical, port)));
        }
        if self.deny_blocks.iter().any(|block| forms.iter().any(|form| block.contains(*form))) {
            return Err(Denial::new(Reason::AddressDenied, address));
        }
        if class == Class::Public || internal_host || self.is_opened(canonical) {
            return Ok(());
        }
        Err(Denial::new(Reason::AddressInternal, format!("{address} is {}", class.name())))
    }

    fn is_opened(&self, address: IpAddr) -> bool {
        self.allow_blocks.iter().any(|block| block.contains(address::canonical(address)))
    }

    fn is_internal_host(&self, name: &str) -> bool {
        self.internal_hosts.iter().any(|names| names.hold(name))
    }

    /// A socket that listens on all addresses is reached by any of this machine's: loopback is the one that we know.
    fn is_own(&self, address: IpAddr, port: u16) -> bool {
        self.own.iter().any(|own| {
            let ip = address::canonical(own.ip());
            own.port() == port
                && (ip == address || (ip.is_unspecified() && (address.is_loopback() || address.is_unspecified())))
        })
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What an all too trusting policy says of this answer for `mirror.example`.
    #[track_caller]
    fn check(address: &str, want: Result<(), Reason>) {
        let policy = Policy {
            internal_hosts: vec![Names::new("mirror.example").unwrap()],
            allow_blocks: ["0.0.0.0/0", "::/0"].map(|text| text.parse().unwrap()).to_vec(),
            deny_blocks: vec!["::ffff:10.9.0.0/112".parse().unwrap()],
            nat64: vec!["fd00:64::/96".parse().unwrap()],
            own: vec!["0.0.0.0:80".parse().unwrap(), "[::ffff:10.8.0.1]:80".parse().unwrap()],
            ..Policy::public()
        };
        let target = Target::parse("http://mirror.example/").unwrap();
        let answer = Answer { addresses: vec![address.parse().unwrap()], ..Answer::default() };
        let judged = policy.judge_addresses(&target, &answer).map(drop).map_err(|denial| denial.reason);
        assert_eq!(judged, want, "{address}");
    }

    #[test]
    fn metadata_and_this_process_beat_every_allow_in_whatever_clothes() {
        check("10.0.0.1", Ok(()));
        check("127.0.0.53", Err(Reason::AddressSelf)); // listening on all addresses
        check("64:ff9b::7f00:1", Err(Reason::AddressSelf));
        check("10.8.0.1", Err(Reason::AddressSelf));
        check("fd00:64::a08:1", Err(Reason::AddressSelf));
        for address in
            ["169.254.169.254", "64:ff9b:1::a9fe:a9fe", "2002:a9fe:a9fe::", "::a9fe:a9fe", "fd00:64::a9fe:a9fe"]
        {
            check(address, Err(Reason::AddressMetadata));
        }
    }

    #[test]
    fn a_denied_block_holds_for_what_an_address_carries() {
        for address in ["10.9.1.1", "::ffff:10.9.1.1", "64:ff9b::a09:101", "fd00:64::a09:101", "2002:a09:101::"] {
            check(address, Err(Reason::AddressDenied));
        }
        check("10.10.1.1", Ok(()));
    }
}
