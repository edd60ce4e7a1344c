//! Looks at what a tunnel opens with, and says what is wrong with it.
//!
//! Promises: names are compared with names, never with addresses that were looked up again; a server that speaks first is
//! no TLS; what is not whole yet is not judged. Pure; the caller holds the bytes back until there is a verdict, and nothing
//! of a refused opening reaches the other side. Start reading at [`Inspection::client`].

use aiva_outbound::Host;

use super::hello::{self, Hello, Reading};
use super::sniff::{self, Protocol, Speaker};

/// The word for anything but TLS.
pub const NOT_TLS: &str = "not-tls";

/// The word for what begins like TLS and is no ClientHello.
pub const MALFORMED: &str = "tls-malformed";

/// The word for a ClientHello that never became whole.
pub const INCOMPLETE: &str = "tls-incomplete";

/// The word for a server that does not wait for its client.
pub const SERVER_FIRST: &str = "server-spoke-first";

/// The word for a ClientHello for another name than the tunnel's.
pub const NAME_MISMATCH: &str = "sni-mismatch";

/// The word for a ClientHello without a name.
pub const NAME_MISSING: &str = "sni-missing";

/// The word for an encrypted ClientHello.
pub const ECH: &str = "ech";

/// Every word of a [`Finding`].
pub const WORDS: [&str; 7] = [NOT_TLS, MALFORMED, INCOMPLETE, SERVER_FIRST, NAME_MISMATCH, NAME_MISSING, ECH];

/// What a finding means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Level {
    /// Not looked at.
    #[default]
    Off,
    /// Recorded.
    Report,
    /// Recorded, and the tunnel is closed.
    Enforce,
}

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Inspection {
    /// Whether anything but TLS is wrong.
    pub tls_only: Level,
    /// Whether a ClientHello for another name than the tunnel's is wrong.
    pub name: Level,
    /// Whether a ClientHello for no name is wrong, in a tunnel to a name.
    pub no_name: Level,
    /// Whether an encrypted ClientHello is wrong.
    pub ech: Level,
}

/// Something wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The stable word.
    pub reason: &'static str,
    /// What was found instead.
    pub what: String,
    /// Whether the tunnel is closed for it.
    pub enforced: bool,
}

/// What the opening was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// What is spoken.
    pub protocol: Protocol,
    /// The name that a ClientHello asked for.
    pub name: Option<String>,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

impl Opening {
    /// Whether the tunnel must be closed.
    pub fn is_refused(&self) -> bool {
        self.findings.iter().any(|finding| finding.enforced)
    }

    fn add(&mut self, level: Level, reason: &'static str, what: impl Into<String>) {
        if level != Level::Off {
            self.findings.push(Finding { reason, what: what.into(), enforced: level == Level::Enforce });
        }
    }
}

impl Inspection {
    /// Whether nothing is looked at.
    pub fn is_off(&self) -> bool {
        *self == Self::default()
    }

    /// Judges what the client has sent so far in a tunnel to `host`; `None` while more is needed. `allows` says whether the
    /// role allows a name.
    pub fn client(&self, host: &Host, bytes: &[u8], allows: impl Fn(&str) -> bool) -> Option<Opening> {
        let protocol = sniff::first(Speaker::Client, bytes)?;
        let mut opening = Opening { protocol, name: None, findings: Vec::new() };
        if protocol != Protocol::Tls {
            opening.add(self.tls_only, NOT_TLS, protocol.name());
            return Some(opening);
        }
        match hello::read(bytes) {
            Reading::Incomplete => return None,
            Reading::Malformed => opening.add(self.tls_only.max(self.name), MALFORMED, "no ClientHello"),
            Reading::Complete(hello) => self.hello(host, hello, allows, &mut opening),
        }
        Some(opening)
    }

    /// Judges a server that speaks before its client.
    pub fn server(&self, bytes: &[u8]) -> Opening {
        let protocol = sniff::first(Speaker::Server, bytes).unwrap_or(Protocol::Unknown);
        let mut opening = Opening { protocol, name: None, findings: Vec::new() };
        opening.add(self.tls_only, SERVER_FIRST, protocol.name());
        opening
    }

    /// What is wrong with an opening that never became whole.
    pub fn incomplete(&self) -> Option<Finding> {
        let level = self.tls_only.max(self.name);
        let finding = || Finding {
            reason: INCOMPLETE,
            what: "an unfinished opening".to_owned(),
            enforced: level == Level::Enforce,
        };
        (level != Level::Off).then(finding)
    }

    fn hello(&self, host: &Host, hello: Hello, allows: impl Fn(&str) -> bool, opening: &mut Opening) {
        match (&hello.name, host) {
            (Some(name), Host::Name(host)) if name == host => {}
            (Some(name), Host::Address(_)) if allows(name) => {}
            (Some(name), _) => opening.add(self.name, NAME_MISMATCH, name.as_str()),
            (None, Host::Name(_)) => opening.add(self.no_name, NAME_MISSING, "no name"),
            (None, Host::Address(_)) => {}
        }
        if hello.ech {
            opening.add(self.ech, ECH, hello.name.as_deref().unwrap_or("no name"));
        }
        opening.name = hello.name;
    }
}

impl Level {
    fn max(self, other: Self) -> Self {
        match (self, other) {
            (Self::Enforce, _) | (_, Self::Enforce) => Self::Enforce,
            (Self::Report, _) | (_, Self::Report) => Self::Report,
            (Self::Off, Self::Off) => Self::Off,
        }
    }
}

/// A fatal alert `access_denied` (RFC 8446 section 6.2), so that a TLS client says why instead of "connection reset".
pub const ACCESS_DENIED: [u8; 7] = [0x15, 3, 3, 0, 2, 2, 49];

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Inspection =
        Inspection { tls_only: Level::Enforce, name: Level::Enforce, no_name: Level::Enforce, ech: Level::Report };

    fn reasons(opening: &Opening) -> Vec<&'static str> {
        opening.findings.iter().map(|finding| finding.reason).collect()
    }

    #[track_caller]
    fn check(host: &str, bytes: &[u8], want: &[&str], refused: bool) {
        let host = match host.parse() {
            Ok(address) => Host::Address(address),
            Err(_) => Host::Name(host.to_owned()),
        };
        let opening = ALL.client(&host, bytes, |name| name == "allowed.example").unwrap();
        assert_eq!((reasons(&opening).as_slice(), opening.is_refused()), (want, refused), "{host}");
        // Switched off, nothing is wrong with it.
        assert_eq!(Inspection::default().client(&host, bytes, |_| false).unwrap().findings, []);
    }

    #[test]
    fn an_opening_is_held_against_the_tunnel() {
        let hello = |name, extensions: &[(u16, &[u8])]| hello::sample(name, extensions, 5);
        check("a.example", &hello(Some("A.example."), &[]), &[], false);
        check("a.example", &hello(Some("b.example"), &[]), &["sni-mismatch"], true);
        check("a.example", &hello(None, &[]), &["sni-missing"], true);
        check("a.example", &hello(Some("a.example"), &[(0xfe0d, &[0])]), &["ech"], false);
        check("192.0.2.1", &hello(None, &[]), &[], false);
        check("192.0.2.1", &hello(Some("allowed.example"), &[]), &[], false);
        check("192.0.2.1", &hello(Some("b.example"), &[]), &["sni-mismatch"], true);
        check("a.example", b"SSH-2.0-x\r\n", &["not-tls"], true);
        check("a.example", b"GET / HTTP/1.1\r\n", &["not-tls"], true);
        check("a.example", &[0x16, 3, 1, 0, 0], &["tls-malformed"], true);
    }

    #[test]
    fn a_server_that_speaks_first_speaks_no_tls() {
        let opening = ALL.server(b"220 mail ESMTP\r\n");
        assert_eq!((opening.protocol, reasons(&opening)), (Protocol::Smtp, vec!["server-spoke-first"]));
        assert!(opening.is_refused());
    }

    #[test]
    fn what_is_not_whole_is_not_judged() {
        let bytes = hello::sample(Some("b.example"), &[], 1);
        let host = Host::Name("a.example".into());
        assert!(bytes.iter().enumerate().all(|(end, _)| ALL.client(&host, &bytes[..end], |_| true).is_none()));
    }
}
