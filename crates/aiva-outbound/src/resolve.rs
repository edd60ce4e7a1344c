//! One lookup, of an absolute name, bounded in time and size.
//!
//! Promises: no hosts file, no search list, no HTTPS or SVCB hints; every alias on the way is told, so that the policy can
//! judge it; many callers of one name share one lookup, and an answer is kept only as long as its TTL, within bounds.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hickory_resolver::proto::op::Message;
use hickory_resolver::proto::rr::{Name, RData, Record};

mod dns;

pub use dns::Dns;

/// How long one lookup may take, over all servers.
pub const TIMEOUT: Duration = Duration::from_secs(2);

/// The most addresses that one name may have; all of them are judged.
pub const MOST_ADDRESSES: usize = 1024;

/// The longest chain of aliases.
const MOST_ALIASES: usize = 16;

/// What a name means now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// Every address, IPv6 and IPv4, in the order of the answers; never empty in an `Ok`.
    pub addresses: Vec<IpAddr>,
    /// Every further name on the way (CNAME), lower case, without a trailing dot.
    pub aliases: Vec<String>,
    /// How long the answer holds.
    pub ttl: Duration,
}

impl Answer {
    /// The answer for an absolute name (without a trailing dot) in DNS records: its aliases from record to record, and the
    /// addresses at their end. Records of other names count for nothing, whoever sent them.
    pub fn read(name: &str, records: &[Record]) -> Result<Self, ResolveError> {
        let failed = |reason: &str| ResolveError::Failed { name: name.to_owned(), reason: reason.to_owned() };
        let mut at = absolute(name)?;
        let mut answer = Self { ttl: Duration::MAX, ..Self::default() };
        let age = |answer: &mut Self, record: &Record| {
            answer.ttl = answer.ttl.min(Duration::from_secs(u64::from(record.ttl)));
        };
        loop {
            let alias = records.iter().find_map(|record| match &record.data {
                RData::CNAME(alias) if record.name == at => Some((record, &alias.0)),
                _ => None,
            });
            let Some((record, next)) = alias else { break };
            let text = text(next);
            if answer.aliases.len() >= MOST_ALIASES || answer.aliases.contains(&text) || text == name {
                return Err(failed("its aliases lead in a circle, or too far"));
            }
            age(&mut answer, record);
            answer.aliases.push(text);
            at = next.clone();
        }
        for record in records.iter().filter(|record| record.name == at) {
            let address = match &record.data {
                RData::A(address) => IpAddr::V4(address.0),
                RData::AAAA(address) => IpAddr::V6(address.0),
                _ => continue,
            };
            if answer.addresses.len() >= MOST_ADDRESSES {
                return Err(failed("it has more addresses than anybody needs"));
            }
            age(&mut answer, record);
            answer.addresses.push(address);
        }
        Ok(answer)
    }

    /// [`Answer::read`] of a DNS message as it came over the wire.
    pub fn from_wire(name: &str, message: &[u8]) -> Result<Self, ResolveError> {
        let message = Message::from_vec(message)
            .map_err(|error| ResolveError::Failed { name: name.to_owned(), reason: error.to_string() })?;
        Self::read(name, &message.answers)
    }
}

fn absolute(name: &str) -> Result<Name, ResolveError> {
    Name::from_ascii(format!("{name}.")).map_err(|_| ResolveError::NotFound(name.to_owned()))
}

/// As the policy compares names: lower case, without a trailing dot.
fn text(name: &Name) -> String {
    let text = name.to_ascii().to_ascii_lowercase();
    text.strip_suffix('.').unwrap_or(&text).to_owned()
}

/// What a resolver hands back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lookup {
    /// The answer, shared by all who asked.
    pub answer: Arc<Answer>,
    /// Whether it came from memory.
    pub cached: bool,
}

impl From<Answer> for Lookup {
    fn from(answer: Answer) -> Self {
        Self { answer: Arc::new(answer), cached: false }
    }
}

/// Why a name has no addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// No such name, or no address for it.
    #[error("{0} has no address in the DNS")]
    NotFound(String),
    /// The servers did not answer in time.
    #[error("the DNS did not answer for {0} in time")]
    Timeout(String),
    /// The servers failed, or answered nothing that can be used.
    #[error("the DNS did not answer for {name}: {reason}")]
    Failed {
        /// What was looked up.
        name: String,
        /// What happened.
        reason: String,
    },
}

/// The word for a DNS that did not answer in time.
pub const TIMED_OUT: &str = "dns-timeout";

impl ResolveError {
    /// Whether asking again may succeed.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Failed { .. } | Self::Timeout(_))
    }

    /// The stable word, as a reason has one.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "dns-not-found",
            Self::Timeout(_) => TIMED_OUT,
            Self::Failed { .. } => "dns-failed",
        }
    }
}

/// Looks names up.
///
/// Every adapter promises: the name is taken as absolute; an error is never an empty answer; it ends within [`TIMEOUT`].
#[async_trait]
pub trait Resolver: Send + Sync {
    /// The addresses of an absolute name without a trailing dot.
    async fn resolve(&self, name: &str) -> Result<Lookup, ResolveError>;
}

/// Answers from a fixed table: for tests, and for programs that know their peers.
#[derive(Debug, Clone, Default)]
pub struct Fixed(HashMap<String, Arc<Answer>>);

impl Fixed {
    /// From pairs of name and address; a name may come several times.
    pub fn new<'a>(rows: impl IntoIterator<Item = (&'a str, IpAddr)>) -> Self {
        let mut table: HashMap<String, Answer> = HashMap::new();
        for (name, address) in rows {
            table.entry(name.to_owned()).or_default().addresses.push(address);
        }
        Self(table.into_iter().map(|(name, answer)| (name, Arc::new(answer))).collect())
    }
}

#[async_trait]
impl Resolver for Fixed {
    async fn resolve(&self, name: &str) -> Result<Lookup, ResolveError> {
        let answer = self.0.get(name).cloned().ok_or_else(|| ResolveError::NotFound(name.to_owned()))?;
        Ok(Lookup { answer, cached: false })
    }
}
