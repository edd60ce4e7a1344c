//! A corpus of cases: what is asked, what the world answers, what must come of it.
//!
//! One JSON object a line. Strict about what a case means (a word that is not known is an error with its line), lenient
//! about fields that are not known: another release's corpus may say more. Pure. Start reading at [`read`].

use std::collections::BTreeMap;
use std::net::IpAddr;

use aiva_outbound::address::Prefix;
use aiva_outbound::policy::Names;
use serde::Deserialize;
use serde_json::Value;

use super::zone::Zone;

/// The cases that ship with the program, as they stand beside the engine.
pub const SHIPPED: &[u8] = include_bytes!("../../../aiva-outbound/data/ssrf/cases.jsonl");

/// One question with its world and its answer.
#[derive(Debug, Clone, Deserialize)]
pub struct Case {
    /// Unique within its file.
    pub id: String,
    /// A URL, or the bytes sent to the proxy, one character a byte.
    pub input: String,
    /// What it tries.
    pub kind: String,
    /// What must come of it.
    pub expect: Expect,
    /// Whether every guard must agree.
    pub tier: Tier,
    /// Why.
    #[serde(default)]
    pub why: String,
    /// How the input is to be taken.
    #[serde(default)]
    pub via: Via,
    /// The whole name system.
    #[serde(default)]
    pub dns: Zone,
    /// One name system for each lookup in turn; the last one stays.
    #[serde(default)]
    pub dns_sequence: Vec<Zone>,
    /// A search list that must not be followed.
    #[serde(default)]
    pub search: Vec<String>,
    /// A hosts file that must not be followed.
    #[serde(default)]
    pub hosts: BTreeMap<String, Value>,
    /// What an earlier check of the same name said.
    pub prior_decision: Option<Expect>,
    /// What the origin answers in turn.
    #[serde(default)]
    pub redirects: Vec<Redirect>,
    /// What is sent first inside a CONNECT tunnel.
    pub tunnel_first: Option<First>,
    /// Which request on the connection it is about, counted from 1.
    pub request_index: Option<usize>,
    /// Whether the first checked address refuses the connection.
    #[serde(default)]
    pub fail_first_connect: bool,
    /// Exactly these addresses may be connected to.
    pub connect_to: Option<Vec<IpAddr>>,
    /// The `Host` field that must reach the origin.
    pub upstream_host: Option<String>,
    /// Fields that must not reach the origin.
    #[serde(default)]
    pub strip_headers: Vec<String>,
    /// What differs from the default role.
    #[serde(default)]
    pub policy: Overrides,
}

/// What must come of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Expect {
    /// It passes.
    Allow,
    /// It is refused by policy.
    Deny,
    /// It is refused because it cannot be understood or looked up.
    Error,
}

impl Expect {
    /// As written in a case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Error => "error",
        }
    }
}

/// Who must agree with a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// Everybody.
    Core,
    /// Us: good guards differ here.
    Policy,
}

/// How a case's input is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// As a URL.
    #[default]
    Url,
    /// As the bytes that a client sends to the proxy.
    Raw,
}

/// One answer of an origin.
#[derive(Debug, Clone, Deserialize)]
pub struct Redirect {
    /// Its status.
    pub status: u16,
    /// Its `Location`.
    pub location: String,
}

/// The first thing that is said inside a tunnel.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct First {
    /// A TLS ClientHello with this server name; `null` is one without.
    #[serde(deserialize_with = "said")]
    pub tls_sni: Option<Option<String>>,
    /// The ClientHello offers an encrypted one, and this is the name outside.
    pub ech: bool,
    /// The name outside an encrypted ClientHello.
    pub outer_sni: Option<String>,
    /// The ClientHello comes in several TLS records.
    pub tls_record_frag: bool,
    /// It is written in pieces of so many bytes.
    pub split_bytes: Option<usize>,
    /// Other bytes, one character a byte.
    pub bytes: Option<String>,
    /// The server speaks first and says this.
    pub server_first: Option<String>,
}

/// Tells `null` from absent.
fn said<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(value).map(Some)
}

/// What differs from the default role.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Overrides {
    /// How strict the role is.
    pub mode: Option<Mode>,
    /// Names that may be called.
    #[serde(deserialize_with = "parsed")]
    pub allow_domains: Vec<Names>,
    /// Names that may not be called.
    #[serde(deserialize_with = "parsed")]
    pub deny_domains: Vec<Names>,
    /// Blocks that may be called although they are not public.
    #[serde(deserialize_with = "parsed")]
    pub allow_cidrs: Vec<Prefix>,
    /// Blocks that may not be called.
    #[serde(deserialize_with = "parsed")]
    pub deny_cidrs: Vec<Prefix>,
    /// Ports that may be called.
    pub ports: Option<Vec<u16>>,
    /// The operator's NAT64 prefixes.
    #[serde(deserialize_with = "parsed")]
    pub nat64_prefixes: Vec<Prefix>,
    /// What to do with answers that have public and other addresses.
    pub dns_mixed: Option<Mixed>,
    /// Whether the server name inside a tunnel must be the name that was asked for.
    pub sni: Option<Sni>,
    /// What may be spoken inside tunnels.
    pub sniff: Option<Sniff>,
}

/// How strict a role is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Only allowed names.
    Enforce,
    /// Any public name; what is on no list is written down.
    Report,
    /// Any public name.
    Open,
}

/// What to do with mixed answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mixed {
    /// Refuse them.
    Deny,
    /// Use the public ones.
    Filter,
}

/// The server name inside a tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sni {
    /// Not looked at.
    Off,
    /// It must be the name that was asked for.
    Match,
}

/// What may be spoken inside a tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sniff {
    /// Anything.
    Off,
    /// TLS.
    Tls,
}

impl Overrides {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        let Self { mode, ports, dns_mixed, sni, sniff, .. } = self;
        let names = self.allow_domains.len() + self.deny_domains.len();
        let blocks = self.allow_cidrs.len() + self.deny_cidrs.len() + self.nat64_prefixes.len();
        names + blocks == 0
            && mode.is_none()
            && ports.is_none()
            && dns_mixed.is_none()
            && sni.is_none()
            && sniff.is_none()
    }
}

/// A list entry that is written as text.
trait Entry: Sized {
    fn read(text: &str) -> Result<Self, String>;
}

impl Entry for Names {
    fn read(text: &str) -> Result<Self, String> {
        Self::new(text).ok_or_else(|| format!("{text:?} is no name; write example.com or *.example.com"))
    }
}

impl Entry for Prefix {
    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(|error: aiva_outbound::address::NotPrefix| error.to_string())
    }
}

fn parsed<'de, D: serde::Deserializer<'de>, T: Entry>(value: D) -> Result<Vec<T>, D::Error> {
    let texts = Vec::<String>::deserialize(value)?;
    texts.iter().map(|text| T::read(text).map_err(serde::de::Error::custom)).collect()
}

/// A line that is no case.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} is no case: {reason}")]
pub struct Malformed {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

/// Reads a corpus: one case a line, blank lines passed over.
pub fn read(bytes: &[u8]) -> Result<Vec<Case>, Malformed> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut cases = Vec::new();
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let malformed = |reason: String| Malformed { line: index + 1, reason };
        let case: Case = serde_json::from_slice(line).map_err(|error| malformed(error.to_string()))?;
        case.check().map_err(malformed)?;
        cases.push(case);
    }
    Ok(cases)
}

impl Case {
    /// What one field cannot say alone.
    fn check(&self) -> Result<(), String> {
        if self.request_index == Some(0) {
            return Err("request_index counts from 1".to_owned());
        }
        if self.via == Via::Raw
            && let Some(wide) = self.input.chars().find(|c| u32::from(*c) > 0xff)
        {
            return Err(format!("input is sent as bytes, and {wide:?} is none"));
        }
        if let Some(redirect) = self.redirects.iter().find(|redirect| !(300..400).contains(&redirect.status)) {
            return Err(format!("{} is no status of a redirect", redirect.status));
        }
        Ok(())
    }

    /// The input as bytes, one a character.
    pub fn bytes(&self) -> Vec<u8> {
        latin1(&self.input)
    }
}

/// A text whose characters are bytes.
pub(super) fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, want: Result<usize, &str>) {
        let got = read(format!("\n{line}\n").as_bytes());
        match (got, want) {
            (Ok(cases), Ok(count)) => assert_eq!(cases.len(), count, "{line}"),
            (Err(error), Err(text)) => {
                assert_eq!(error.line, 2, "{line}");
                assert!(error.to_string().contains(text), "{line}: {error}");
            }
            (got, want) => panic!("{line}: {got:?}, not {want:?}"),
        }
    }

    #[test]
    fn a_line_is_a_case_or_an_error_with_its_number() {
        let case = |more: &str| {
            format!(r#"{{"id":"a","input":"http://a.example/","kind":"k","expect":"deny","tier":"core"{more}}}"#)
        };
        check("", Ok(0));
        check(&case(""), Ok(1));
        check(&case(r#","why":"x","colour":"blue","policy":{"later":1}"#), Ok(1)); // another release may say more
        check("{", Err("line 2"));
        check("[]", Err("invalid"));
        check(&case("").replace("deny", "maybe"), Err("maybe"));
        check(&case("").replace("core", "soft"), Err("soft"));
        check(&case("").replace(r#""input":"http://a.example/","#, ""), Err("input"));
        check(&case(r#","via":"pigeon""#), Err("pigeon"));
        check(&case(r#","policy":{"mode":"strict"}"#), Err("strict"));
        check(&case(r#","policy":{"allow_cidrs":["10.0.0.0/40"]}"#), Err("10.0.0.0/40"));
        check(&case(r#","policy":{"allow_domains":["a b"]}"#), Err("no name"));
        check(&case(r#","dns":{"a.example":{"A":["::1"]}}"#), Err("::1"));
        check(&case(r#","dns":{"a.example":{"A":"10.0.0.1"}}"#), Err("list"));
        check(&case(r#","request_index":0"#), Err("counts from 1"));
        check(&case(r#","redirects":[{"status":200,"location":"/"}]"#), Err("200"));
        check(&case(r#","via":"raw","why":"é""#).replace("a.example/", "€"), Err("bytes"));
    }

    #[test]
    fn the_shipped_corpus_is_well_formed() {
        let cases = read(SHIPPED).unwrap();
        assert!(cases.len() >= 670, "{}", cases.len());
        let mut ids: Vec<&str> = cases.iter().map(|case| case.id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), cases.len(), "ids are unique");
    }
}
