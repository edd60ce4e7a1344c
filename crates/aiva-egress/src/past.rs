//! Decisions of the past: what they say about a role that is to be written, and what another policy would have said.
//!
//! Pure. A past decision has no path and no query, because records keep none: what depends on paths is left out and said.
//! - [`learn`]: a role that allows what was seen, and nothing else;
//! - [`plan`]: what changes under the policy in force.

use std::borrow::Cow;
use std::net::IpAddr;

use aiva_outbound::{Host, Scheme, Target};
use serde::Deserialize;

pub mod learn;
pub mod plan;

/// How a decision ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was allowed.
    Allow,
    /// The policy refused it.
    Deny,
    /// The DNS gave no address.
    Unresolved,
}

impl Outcome {
    /// As it is told.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allowed",
            Self::Deny => "denied",
            Self::Unresolved => "no answer",
        }
    }
}

/// One past decision, as far as it can be decided again.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "Told")]
pub struct Past {
    /// By which role.
    pub role: String,
    /// The caller's name, else its address.
    pub caller: String,
    /// How it was asked, where that is told: `check` is a mere question.
    pub form: Option<String>,
    /// The request's method, where one was seen.
    pub method: Option<String>,
    /// `http` or `https`; a tunnel counts as https.
    pub scheme: String,
    /// A name in lower case, or an address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// How it ended.
    pub outcome: Outcome,
    /// By which rule.
    pub rule: String,
    /// Why.
    pub reason: String,
    /// What the name meant.
    pub addresses: Vec<IpAddr>,
    /// Further names on the way.
    pub aliases: Vec<String>,
}

/// A decision as it is told: the place of its own, or among the rest; none where the text could not be read.
#[derive(Deserialize)]
struct Told {
    role: String,
    caller: String,
    outcome: Outcome,
    #[serde(default)]
    place: Option<Place>,
    #[serde(default)]
    scheme: Option<String>,
    #[serde(default)]
    host: Option<String>,
    #[serde(default)]
    port: Option<u16>,
    #[serde(default)]
    form: Option<String>,
    #[serde(default)]
    method: Option<String>,
    #[serde(default)]
    rule: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    addresses: Vec<IpAddr>,
    #[serde(default)]
    aliases: Vec<String>,
}

#[derive(Default, Deserialize)]
struct Place {
    scheme: String,
    host: String,
    port: u16,
}

impl From<Told> for Past {
    fn from(told: Told) -> Self {
        let Told { role, caller, outcome, form, method, rule, reason, addresses, aliases, place, scheme, host, port } =
            told;
        let flat = || Place {
            scheme: scheme.unwrap_or_default(),
            host: host.unwrap_or_default(),
            port: port.unwrap_or_default(),
        };
        let Place { scheme, host, port } = place.unwrap_or_else(flat);
        Self { role, caller, form, method, scheme, host, port, outcome, rule, reason, addresses, aliases }
    }
}

impl Past {
    /// Where it was to go; `None` for what is no place.
    pub fn target(&self) -> Option<Target> {
        let scheme = match self.scheme.as_str() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return None,
        };
        let bare = self.host.trim_start_matches('[').trim_end_matches(']');
        let host = match bare.parse::<IpAddr>() {
            Ok(IpAddr::V6(_)) => Cow::Owned(format!("[{bare}]")),
            _ => Cow::Borrowed(bare),
        };
        // Read again, so that nothing is judged that the guard would not read.
        let (host, port) = Target::parse_authority(&format!("{host}:{}", self.port)).ok()?;
        Some(Target::place(scheme, host, port))
    }

    fn address(&self) -> Option<IpAddr> {
        match self.target()?.host() {
            Host::Address(address) => Some(*address),
            Host::Name(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn past(scheme: &str, host: &str, port: u16, outcome: Outcome) -> Past {
        Past {
            role: "default".to_owned(),
            caller: "192.0.2.1".to_owned(),
            form: None,
            method: None,
            scheme: scheme.to_owned(),
            host: host.to_owned(),
            port,
            outcome,
            rule: String::new(),
            reason: String::new(),
            addresses: Vec::new(),
            aliases: Vec::new(),
        }
    }

    #[test]
    fn a_decision_is_read_as_it_is_told() {
        let want = Past { addresses: vec![[192, 0, 2, 7].into()], ..past("https", "a.example", 443, Outcome::Allow) };
        for place in [
            r#""place":{"scheme":"https","host":"a.example","port":443}"#,
            r#""scheme":"https","host":"a.example","port":443"#,
        ] {
            let text = format!(
                r#"{{"id":"x","role":"default","caller":"192.0.2.1","outcome":"allow","addresses":["192.0.2.7"],{place}}}"#
            );
            assert_eq!(serde_json::from_str::<Past>(&text).unwrap(), want);
        }
        let unread: Past = serde_json::from_str(r#"{"role":"a","caller":"b","outcome":"deny","place":null}"#).unwrap();
        assert!(unread.target().is_none());
    }

    #[test]
    fn a_place_is_read_as_the_guard_reads_it() {
        let origin = |scheme, host| past(scheme, host, 8443, Outcome::Allow).target().map(|target| target.origin());
        assert_eq!(origin("https", "a.example").as_deref(), Some("https://a.example:8443"));
        assert_eq!(origin("http", "[2606:4700::1]").as_deref(), Some("http://[2606:4700::1]:8443"));
        assert_eq!(origin("https", "2606:4700::1").as_deref(), Some("https://[2606:4700::1]:8443"));
        for (scheme, host) in [("ftp", "a.example"), ("https", "a.example/x"), ("https", "u@a.example"), ("https", "")]
        {
            assert_eq!(origin(scheme, host), None, "{scheme} {host}");
        }
    }
}
