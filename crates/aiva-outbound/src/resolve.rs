//! One lookup, of an absolute name, bounded in time.
//!
//! Promises: no hosts file, no search list, no HTTPS or SVCB hints; every alias on the way is told, so that the policy can
//! judge it; many callers of one name share one lookup, and an answer is kept only as long as its TTL, within bounds.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use hickory_resolver::config::{LookupIpStrategy, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::{Resolver as Hickory, TokioResolver};
use tokio::sync::OnceCell;

/// How long one lookup may take.
pub const TIMEOUT: Duration = Duration::from_secs(2);

/// The longest that an answer is kept, whatever its TTL: a name that moves is followed within a minute.
const LONGEST_KEPT: Duration = Duration::from_secs(60);

/// How many names are kept.
const NAMES_KEPT: usize = 1024;

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

impl ResolveError {
    /// Whether asking again may succeed.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Failed { .. } | Self::Timeout(_))
    }

    /// The stable word, as a reason has one.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "dns-not-found",
            Self::Timeout(_) => "dns-timeout",
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

/// Asks the system's name servers (`/etc/resolv.conf`), or those that it is given.
pub struct Dns {
    hickory: OnceCell<TokioResolver>,
    config: Option<ResolverConfig>,
    kept: Mutex<HashMap<String, Kept>>,
}

type Shared = Arc<OnceCell<Result<Arc<Answer>, ResolveError>>>;

struct Kept {
    lookup: Shared,
    until: Instant,
}

impl Dns {
    /// The system's name servers, read at the first lookup.
    pub fn system() -> Self {
        Self { hickory: OnceCell::new(), config: None, kept: Mutex::default() }
    }

    /// These name servers.
    pub fn with_servers(config: ResolverConfig) -> Self {
        Self { config: Some(config), ..Self::system() }
    }

    async fn hickory(&self, name: &str) -> Result<&TokioResolver, ResolveError> {
        let failed = |reason: String| ResolveError::Failed { name: name.to_owned(), reason };
        self.hickory
            .get_or_try_init(|| async {
                let mut builder = match &self.config {
                    Some(config) => Hickory::builder_with_config(config.clone(), TokioRuntimeProvider::default()),
                    None => TokioResolver::builder_tokio().map_err(|error| failed(error.to_string()))?,
                };
                options(builder.options_mut());
                builder.build().map_err(|error| failed(error.to_string()))
            })
            .await
    }

    /// The lookup that is under way or still holds for this name, else a new one.
    fn shared(&self, name: &str) -> Shared {
        let now = Instant::now();
        let mut kept = self.kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(known) = kept.get(name).filter(|known| known.until > now) {
            return Arc::clone(&known.lookup);
        }
        if kept.len() >= NAMES_KEPT {
            kept.retain(|_, known| known.until > now);
            if kept.len() >= NAMES_KEPT {
                kept.clear();
            }
        }
        let lookup = Shared::default();
        kept.insert(name.to_owned(), Kept { lookup: Arc::clone(&lookup), until: now + TIMEOUT * 2 });
        lookup
    }

    fn keep(&self, name: &str, lookup: &Shared, answer: &Result<Arc<Answer>, ResolveError>) {
        let mut kept = self.kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let Some(known) = kept.get_mut(name).filter(|known| Arc::ptr_eq(&known.lookup, lookup)) else { return };
        match answer {
            Ok(answer) if !answer.ttl.is_zero() => known.until = Instant::now() + answer.ttl.min(LONGEST_KEPT),
            // What failed may work next time.
            _ => drop(kept.remove(name)),
        }
    }

    async fn look_up(&self, name: &str) -> Result<Answer, ResolveError> {
        let hickory = self.hickory(name).await?;
        let absolute = Name::from_ascii(format!("{name}.")).map_err(|_| ResolveError::NotFound(name.to_owned()))?;
        let (v4, v6) =
            tokio::join!(hickory.lookup(absolute.clone(), RecordType::A), hickory.lookup(absolute, RecordType::AAAA));
        let mut answer = Answer { ttl: Duration::MAX, ..Answer::default() };
        let mut failure = None;
        for result in [v6, v4] {
            match result {
                Ok(lookup) => read(&lookup, &mut answer),
                Err(error) if error.is_no_records_found() => {}
                Err(error) => failure = Some(error.to_string()),
            }
        }
        match failure {
            _ if !answer.addresses.is_empty() => Ok(answer),
            Some(reason) => Err(ResolveError::Failed { name: name.to_owned(), reason }),
            None => Err(ResolveError::NotFound(name.to_owned())),
        }
    }
}

fn read(lookup: &hickory_resolver::lookup::Lookup, answer: &mut Answer) {
    for record in lookup.answers() {
        answer.ttl = answer.ttl.min(Duration::from_secs(u64::from(record.ttl)));
        match &record.data {
            RData::A(address) => answer.addresses.push(IpAddr::V4(address.0)),
            RData::AAAA(address) => answer.addresses.push(IpAddr::V6(address.0)),
            RData::CNAME(alias) => {
                let alias = alias.0.to_ascii().to_ascii_lowercase();
                let alias = alias.strip_suffix('.').unwrap_or(&alias).to_owned();
                if !answer.aliases.contains(&alias) {
                    answer.aliases.push(alias);
                }
            }
            _ => {}
        }
    }
}

fn options(options: &mut ResolverOpts) {
    options.use_hosts_file = ResolveHosts::Never;
    options.ndots = 0;
    options.timeout = TIMEOUT / 2;
    options.attempts = 1;
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.preserve_intermediates = true;
    // Our own cache holds answers, with bounds of our own.
    options.cache_size = 0;
}

#[async_trait]
impl Resolver for Dns {
    async fn resolve(&self, name: &str) -> Result<Lookup, ResolveError> {
        let lookup = self.shared(name);
        if let Some(made) = lookup.get() {
            return made.clone().map(|answer| Lookup { answer, cached: true });
        }
        let made = lookup.get_or_init(|| async {
            let slow = |_| Err(ResolveError::Timeout(name.to_owned()));
            let answer = tokio::time::timeout(TIMEOUT, self.look_up(name)).await.unwrap_or_else(slow).map(Arc::new);
            self.keep(name, &lookup, &answer);
            answer
        });
        made.await.clone().map(|answer| Lookup { answer, cached: false })
    }
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
