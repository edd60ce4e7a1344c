//! A case's name system, answered from its text and from nothing else.
//!
//! Promises what every resolver promises: names are absolute, an error is never an empty answer. What a case says of a
//! search list or of a hosts file is never asked: whoever follows them finds another answer than the case expects.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use aiva_outbound::resolve::{Answer, ResolveError, TIMEOUT};
use serde::de::{Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// How many aliases are followed.
const MOST_ALIASES: usize = 16;

/// Every name that there is; the others do not exist.
#[derive(Debug, Clone, Default)]
pub struct Zone(BTreeMap<String, Entry>);

/// What one name has.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Entry {
    /// IPv4 addresses.
    #[serde(rename = "A")]
    pub v4: Records<Ipv4Addr>,
    /// IPv6 addresses.
    #[serde(rename = "AAAA")]
    pub v6: Records<Ipv6Addr>,
    /// Another name that it stands for.
    #[serde(rename = "CNAME")]
    pub alias: Option<String>,
    /// What the names on the way have, where the zone does not say.
    pub chain: BTreeMap<String, Entry>,
    /// How the server answers, when not with records.
    pub rcode: Option<Rcode>,
    /// In seconds.
    pub ttl: Option<u32>,
    /// How long the server takes, in milliseconds.
    pub timeout_ms: u64,
    /// Hints of an HTTPS record, which nobody may follow.
    #[serde(rename = "HTTPS")]
    pub hints: Option<serde_json::Value>,
}

/// Addresses of one family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Records<T> {
    /// These; none is an answer without records.
    Addresses(Vec<T>),
    /// The server answers this question so.
    Failed(Rcode),
}

impl<T> Default for Records<T> {
    fn default() -> Self {
        Self::Addresses(Vec::new())
    }
}

/// How a server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Rcode {
    /// With records.
    NoError,
    /// It cannot read the question.
    FormErr,
    /// It failed.
    ServFail,
    /// There is no such name.
    NxDomain,
    /// It does not know how.
    NotImp,
    /// It does not want to.
    Refused,
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        let names = BTreeMap::<String, Entry>::deserialize(value)?;
        Ok(Self(names.into_iter().map(|(name, entry)| (absolute(&name), entry)).collect()))
    }
}

/// A list of addresses, or `{"rcode": ...}`.
impl<'de, T: std::str::FromStr<Err: fmt::Display>> Deserialize<'de> for Records<T> {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        value.deserialize_any(RecordsVisitor(std::marker::PhantomData))
    }
}

struct RecordsVisitor<T>(std::marker::PhantomData<T>);

impl<'de, T: std::str::FromStr<Err: fmt::Display>> Visitor<'de> for RecordsVisitor<T> {
    type Value = Records<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of addresses or {\"rcode\": ...}")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut addresses = Vec::new();
        while let Some(text) = list.next_element::<String>()? {
            let wrong = |error| A::Error::custom(format!("{text:?} is no address of this family: {error}"));
            addresses.push(text.parse().map_err(wrong)?);
        }
        Ok(Records::Addresses(addresses))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut rcode = None;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "rcode" => rcode = Some(map.next_value()?),
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        rcode.map(Records::Failed).ok_or_else(|| A::Error::missing_field("rcode"))
    }
}

/// A name as it is looked up: lower case, without the dot at its end.
fn absolute(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

impl Zone {
    /// Where every one of these names has this one address for no time at all.
    pub fn of(name: &str, address: IpAddr) -> Self {
        let mut entry = Entry { ttl: Some(0), ..Entry::default() };
        match address {
            IpAddr::V4(v4) => entry.v4 = Records::Addresses(vec![v4]),
            IpAddr::V6(v6) => entry.v6 = Records::Addresses(vec![v6]),
        }
        Self(BTreeMap::from([(absolute(name), entry)]))
    }

    /// What the name itself has.
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        self.0.get(&absolute(name))
    }

    /// Looks an absolute name up, along its aliases.
    pub fn look_up(&self, name: &str) -> Result<Answer, ResolveError> {
        let missing = || ResolveError::NotFound(name.to_owned());
        let failed = |reason: &str| ResolveError::Failed { name: name.to_owned(), reason: reason.to_owned() };
        let first = self.entry(name).ok_or_else(missing)?;
        let mut answer = Answer { ttl: Duration::MAX, ..Answer::default() };
        let mut entry = first;
        let mut failure = None;
        for _ in 0..MOST_ALIASES {
            if u128::from(entry.timeout_ms) >= TIMEOUT.as_millis() {
                return Err(failed("no answer in time"));
            }
            match entry.rcode {
                None | Some(Rcode::NoError) => {}
                Some(Rcode::NxDomain) => return Err(missing()),
                Some(rcode) => return Err(failed(rcode.name())),
            }
            answer.ttl = answer.ttl.min(Duration::from_secs(u64::from(entry.ttl.unwrap_or(30))));
            entry.v6.tell(&mut answer.addresses, &mut failure);
            entry.v4.tell(&mut answer.addresses, &mut failure);
            let Some(alias) = entry.alias.as_deref().map(absolute) else {
                return match failure {
                    _ if !answer.addresses.is_empty() => Ok(answer),
                    Some(rcode) => Err(failed(rcode.name())),
                    None => Err(missing()),
                };
            };
            let next = first.chain.get(&alias).or_else(|| self.entry(&alias));
            answer.aliases.push(alias);
            match next {
                Some(next) => entry = next,
                None if answer.addresses.is_empty() => return Err(missing()),
                None => return Ok(answer),
            }
        }
        Err(failed("too many aliases"))
    }
}

impl Rcode {
    /// As written in a case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoError => "NOERROR",
            Self::FormErr => "FORMERR",
            Self::ServFail => "SERVFAIL",
            Self::NxDomain => "NXDOMAIN",
            Self::NotImp => "NOTIMP",
            Self::Refused => "REFUSED",
        }
    }
}

impl<T: Copy + Into<IpAddr>> Records<T> {
    fn tell(&self, addresses: &mut Vec<IpAddr>, failure: &mut Option<Rcode>) {
        match self {
            Self::Addresses(own) => addresses.extend(own.iter().map(|address| (*address).into())),
            Self::Failed(Rcode::NoError | Rcode::NxDomain) => {}
            Self::Failed(rcode) => *failure = Some(*rcode),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(zone: &str, name: &str, want: Result<&[&str], bool>) {
        let zone: Zone = serde_json::from_str(zone).unwrap();
        let got = zone.look_up(name);
        let told = got.as_ref().map(|answer| answer.addresses.iter().map(ToString::to_string).collect::<Vec<_>>());
        match (told, want) {
            (Ok(addresses), Ok(want)) => assert_eq!(addresses, want, "{name}"),
            (Err(error), Err(transient)) => assert_eq!(error.is_transient(), transient, "{name}: {error}"),
            (got, want) => panic!("{name}: {got:?}, not {want:?}"),
        }
    }

    #[test]
    fn a_zone_answers_what_it_says_and_nothing_else() {
        check("{}", "a.example", Err(false));
        check(
            r#"{"A.example.":{"A":["192.0.2.1"],"AAAA":["2001:db8::1"]}}"#,
            "a.EXAMPLE",
            Ok(&["2001:db8::1", "192.0.2.1"]),
        );
        check(r#"{"a.example":{"A":[]}}"#, "a.example", Err(false));
        check(r#"{"a.example":{"rcode":"NXDOMAIN","A":["192.0.2.1"]}}"#, "a.example", Err(false));
        check(r#"{"a.example":{"rcode":"SERVFAIL"}}"#, "a.example", Err(true));
        check(r#"{"a.example":{"timeout_ms":60000,"A":["192.0.2.1"]}}"#, "a.example", Err(true));
        check(r#"{"a.example":{"timeout_ms":20,"A":["192.0.2.1"]}}"#, "a.example", Ok(&["192.0.2.1"]));
        check(r#"{"a.example":{"A":["192.0.2.1"],"AAAA":{"rcode":"SERVFAIL"}}}"#, "a.example", Ok(&["192.0.2.1"]));
        check(r#"{"a.example":{"A":{"rcode":"REFUSED"}}}"#, "a.example", Err(true));
        check(
            r#"{"a.example":{"CNAME":"b.example"},"b.example":{"A":["192.0.2.1"]}}"#,
            "a.example",
            Ok(&["192.0.2.1"]),
        );
        check(r#"{"a.example":{"CNAME":"a.example"}}"#, "a.example", Err(true));
        check(r#"{"a.example":{"CNAME":"gone.example"}}"#, "a.example", Err(false));
    }
}
