//! Why a request may not leave, and by which rule: words that stand in records, metrics and other people's scripts.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::address::Class;
use crate::policy::{Block, Names};

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// Why a request may not leave. The words are stable.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Reason {
            /// Every reason.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The stable word.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

reasons! {
    /// Not an absolute URL, or too long.
    NotUrl = "not-url",
    /// A control character.
    ControlCharacter = "control-character",
    /// White space.
    WhiteSpace = "white-space",
    /// A backslash, which some parsers read as a slash.
    Backslash = "backslash",
    /// A scheme that is neither http nor https.
    Scheme = "scheme",
    /// Credentials that hold brackets, or stand where none may.
    Credentials = "credentials",
    /// A second `@`: parsers do not agree on which one ends the credentials.
    SecondAt = "second-at",
    /// Percent-encoding in the host.
    HostEncoded = "host-encoded",
    /// Characters in the host that are mapped, dropped or invalid (UTS #46).
    HostUnicode = "host-unicode",
    /// A number that is no canonical IPv4 address.
    HostNumber = "host-number",
    /// Brackets that hold no IPv6 address.
    HostAddress = "host-address",
    /// Not a host name (RFC 1123).
    HostName = "host-name",
    /// No port number.
    Port = "port",
    /// A scheme that the role does not allow.
    SchemeNotAllowed = "scheme-not-allowed",
    /// A port that the role does not allow.
    PortNotAllowed = "port-not-allowed",
    /// A method that the role does not allow in plain HTTP.
    MethodNotAllowed = "method-not-allowed",
    /// A path that the role does not allow in plain HTTP.
    PathNotAllowed = "path-not-allowed",
    /// This machine, by name.
    NameLocal = "name-local",
    /// A name of an internal zone, or a single label.
    NameInternal = "name-internal",
    /// A metadata service, by name.
    NameMetadata = "name-metadata",
    /// A name on the deny list.
    NameDenied = "name-denied",
    /// A name that is on no allow list.
    NameNotAllowed = "name-not-allowed",
    /// A metadata service, by address.
    AddressMetadata = "address-metadata",
    /// One of this process's own listening addresses.
    AddressSelf = "address-self",
    /// A proxy on the way out: it would forward whatever it is asked to.
    AddressUpstream = "address-upstream",
    /// An address on the deny list.
    AddressDenied = "address-denied",
    /// An address that is not public.
    AddressInternal = "address-internal",
    /// What a named exception opened until it ended.
    ExceptionExpired = "exception-expired",
    /// From an encrypted address to one that is not.
    Downgrade = "downgrade",
    /// More redirects than allowed, or a circle.
    Redirects = "redirects",
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
    pub(crate) fn new(reason: Reason, what: impl fmt::Display) -> Self {
        Self { reason, what: what.to_string() }
    }
}

/// Which rule decided. Its `Display` is stable: `allow_domains[3] *.example.net`, `exception internal-mirror`,
/// `class loopback`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// The text itself: two parsers would not read it alike.
    Text,
    /// The class of an address; the public one is what every role allows.
    Class(Class),
    /// An entry of the allowed names.
    AllowName(usize, Names),
    /// An entry of the denied names.
    DenyName(usize, Names),
    /// No entry of the allowed names.
    NoName,
    /// An entry of the allowed blocks.
    AllowBlock(usize, Arc<Block>),
    /// An entry of the denied blocks.
    DenyBlock(usize, Arc<Block>),
    /// A named exception.
    Exception(Arc<str>),
    /// An exception that ended then.
    Expired(Arc<str>, SystemTime),
    /// A name of a cloud's metadata service.
    MetadataName,
    /// A name that means this machine.
    LocalName,
    /// A zone that is no part of the public DNS; empty for a single label.
    InternalZone(&'static str),
    /// An address that this process listens on.
    Own(SocketAddr),
    /// A proxy on the way out, by its name in the configuration.
    Upstream(Arc<str>),
    /// The allowed schemes.
    Schemes,
    /// The allowed ports.
    Ports,
    /// The allowed methods.
    Methods,
    /// The allowed paths.
    Paths,
    /// How redirects are followed.
    Redirects,
    /// Nobody decided: the DNS gave no address.
    Dns,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => f.write_str("text"),
            Self::Class(class) => write!(f, "class {}", class.name()),
            Self::AllowName(place, names) => write!(f, "allow_domains[{place}] {names}"),
            Self::DenyName(place, names) => write!(f, "deny_domains[{place}] {names}"),
            Self::NoName => f.write_str("allow_domains"),
            Self::AllowBlock(place, block) => write!(f, "allow_cidrs[{place}] {block}"),
            Self::DenyBlock(place, block) => write!(f, "deny_cidrs[{place}] {block}"),
            Self::Exception(name) => write!(f, "exception {name}"),
            Self::Expired(name, end) => write!(f, "exception {name} (expired {})", Day::before(*end)),
            Self::MetadataName => f.write_str("metadata name"),
            Self::LocalName => f.write_str("local name"),
            Self::InternalZone("") => f.write_str("single label"),
            Self::InternalZone(zone) => write!(f, "internal zone {zone}"),
            Self::Own(address) => write!(f, "own address {address}"),
            Self::Upstream(name) => write!(f, "upstream {name}"),
            Self::Schemes => f.write_str("schemes"),
            Self::Ports => f.write_str("ports"),
            Self::Methods => f.write_str("methods"),
            Self::Paths => f.write_str("paths"),
            Self::Redirects => f.write_str("redirects"),
            Self::Dns => f.write_str("dns"),
        }
    }
}

/// A refusal and the rule behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Which rule.
    pub rule: Rule,
    /// Why, and about what.
    pub denial: Denial,
    /// Whether other addresses of the same answer are allowed.
    pub mixed: bool,
}

impl Refusal {
    pub(crate) fn new(rule: Rule, reason: Reason, what: impl fmt::Display) -> Self {
        Self { rule, denial: Denial::new(reason, what), mixed: false }
    }

    /// Whether a role may choose to only report it: its own lists, but never what holds for every role.
    pub fn is_of_lists(&self) -> bool {
        matches!(
            self.denial.reason,
            Reason::SchemeNotAllowed
                | Reason::PortNotAllowed
                | Reason::MethodNotAllowed
                | Reason::PathNotAllowed
                | Reason::NameDenied
                | Reason::NameNotAllowed
                | Reason::AddressDenied
        )
    }

    /// What an operator would have to change; `None` where nothing opens it. For operators only: a caller that reads it
    /// learns the policy.
    pub fn remedy(&self, host: &str) -> Option<String> {
        let opened = self.opened_by(host);
        if !self.mixed {
            return opened;
        }
        let filter = "the name has allowed addresses too: dns.mixed = \"filter\" of the role uses those alone";
        Some(opened.map_or_else(|| filter.to_owned(), |opened| format!("{opened}; {filter}")))
    }

    fn opened_by(&self, host: &str) -> Option<String> {
        let what = &self.denial.what;
        Some(match (self.denial.reason, &self.rule) {
            (Reason::SchemeNotAllowed, _) => format!("add \"{what}\" to the role's schemes"),
            (Reason::PortNotAllowed, _) => format!("add {what} to the role's ports"),
            (Reason::MethodNotAllowed, _) => format!("add \"{what}\" to the role's methods"),
            (Reason::PathNotAllowed, _) => "add a prefix of the path to the role's paths".to_owned(),
            (Reason::NameNotAllowed, _) => format!("add \"{what}\" to the role's allow_domains"),
            (Reason::NameDenied | Reason::AddressDenied, rule) => format!("take out {rule}"),
            (Reason::ExceptionExpired, Rule::Expired(name, _)) => {
                format!("give the exception {name} a later end, if it is still wanted")
            }
            (Reason::NameInternal | Reason::AddressInternal | Reason::NameLocal, _) => {
                format!("name an exception for the host {host}, with owner, reason and end")
            }
            _ => return None,
        })
    }
}

/// The day of a time, in UTC, as ISO 8601 writes it.
pub(crate) struct Day(pub(crate) SystemTime);

impl Day {
    /// The last day of what is over at that moment.
    pub(crate) fn before(end: SystemTime) -> Self {
        Self(end.checked_sub(Duration::from_nanos(1)).unwrap_or(end))
    }
}

impl fmt::Display for Day {
    /// Howard Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
        let days = seconds / 86_400 + 719_468;
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * of_year + 2) / 153;
        let day = of_year - (153 * shifted + 2) / 5 + 1;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        let year = year_of_era + era * 400 + u64::from(month <= 2);
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_written_as_the_calendar_has_it() {
        for (seconds, want) in [
            (0, "1970-01-01"),
            (951_782_400, "2000-02-29"),
            (1_798_675_199, "2026-12-30"),
            (1_798_761_600, "2027-01-01"),
            (4_107_542_400, "2100-03-01"),
        ] {
            let at = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(Day(at).to_string(), want, "{seconds}");
        }
    }

    #[test]
    fn no_two_reasons_share_a_word() {
        let mut words: Vec<&str> = Reason::ALL.iter().map(|reason| reason.name()).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Reason::ALL.len());
    }
}
