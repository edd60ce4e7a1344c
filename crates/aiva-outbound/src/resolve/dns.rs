//! The resolver that asks name servers.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::rr::RecordType;
use hickory_resolver::{Resolver as Hickory, TokioResolver};
use tokio::sync::{OnceCell, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::{Answer, Lookup, ResolveError, Resolver, TIMEOUT, absolute};
use crate::bounded::Bounded;

/// The longest that an answer is kept, whatever its TTL: a name that moves is followed within a minute.
const LONGEST_KEPT: Duration = Duration::from_secs(60);

/// The longest that it is kept that a name has no address.
const LONGEST_ABSENT: Duration = Duration::from_secs(30);

/// How long an error that a server told is kept, so that it is not asked for the same by everybody in turn.
const FAILURE_KEPT: Duration = Duration::from_secs(1);

/// How many names are kept.
const NAMES_KEPT: usize = 4_096;

/// Answers with more addresses are not kept: who owns a name must not own our memory.
const ADDRESSES_KEPT: usize = 64;

/// How many lookups may be under way; each holds sockets.
const MOST_LOOKUPS: usize = 256;

/// How long a server has before the next one is asked as well.
const HEAD_START: Duration = Duration::from_millis(400);

/// Asks the system's name servers (`/etc/resolv.conf`), or those that it is given, over UDP, and over TCP what does not fit.
///
/// The server that answered last is asked first. One that fails is followed by the next at once, one that is silent after
/// 400 ms; an answer that there is no such name is an answer.
pub struct Dns {
    servers: OnceCell<Vec<TokioResolver>>,
    given: Option<Vec<SocketAddr>>,
    first: AtomicUsize,
    lookups: Semaphore,
    kept: Mutex<Bounded<Kept>>,
}

type Made = Result<Arc<Answer>, ResolveError>;
type Shared = Arc<OnceCell<Made>>;

struct Kept {
    lookup: Shared,
    until: Instant,
}

/// What one server said, and how long it holds.
type Said = (Result<Answer, ResolveError>, Duration);

impl Dns {
    /// The system's name servers, read at the first lookup.
    pub fn system() -> Self {
        Self {
            servers: OnceCell::new(),
            given: None,
            first: AtomicUsize::new(0),
            lookups: Semaphore::new(MOST_LOOKUPS),
            kept: Mutex::new(Bounded::new(NAMES_KEPT)),
        }
    }

    /// These name servers.
    pub fn with_servers(servers: impl IntoIterator<Item = SocketAddr>) -> Self {
        Self { given: Some(servers.into_iter().collect()), ..Self::system() }
    }

    /// Forgets every answer.
    pub fn forget(&self) {
        *self.kept() = Bounded::new(NAMES_KEPT);
    }

    async fn servers(&self, name: &str) -> Result<&[TokioResolver], ResolveError> {
        let failed = |reason: String| ResolveError::Failed { name: name.to_owned(), reason };
        let made = self.servers.get_or_try_init(|| async {
            let configs = match &self.given {
                Some(servers) => servers.iter().map(|address| server(*address)).collect(),
                None => {
                    let system = hickory_resolver::system_conf::read_system_conf();
                    system.map_err(|error| failed(error.to_string()))?.0.name_servers().to_vec()
                }
            };
            let servers: Result<Vec<TokioResolver>, _> = configs.into_iter().map(resolver).collect();
            servers.map_err(|error| failed(error.to_string()))
        });
        match made.await? {
            none if none.is_empty() => Err(failed("no name server is configured".to_owned())),
            servers => Ok(servers),
        }
    }

    fn kept(&self) -> MutexGuard<'_, Bounded<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lookup that is under way or still holds for this name, else a new one.
    fn shared(&self, name: &str) -> Shared {
        let now = Instant::now();
        let mut kept = self.kept();
        if let Some(known) = kept.get(name)
            && known.until > now
        {
            return Arc::clone(&known.lookup);
        }
        let lookup = Shared::default();
        kept.put(name, Kept { lookup: Arc::clone(&lookup), until: now + TIMEOUT * 2 });
        lookup
    }

    fn keep(&self, name: &str, lookup: &Shared, holds: Duration) {
        let mut kept = self.kept();
        if let Some(known) = kept.get(name).filter(|known| Arc::ptr_eq(&known.lookup, lookup)) {
            known.until = Instant::now() + holds;
        }
    }

    /// Asks the servers, each a while after the one before.
    async fn ask(&self, name: &str) -> Said {
        let late = || ResolveError::Timeout(name.to_owned());
        let Ok(_permit) = self.lookups.acquire().await else { return (Err(late()), Duration::ZERO) };
        let servers = match self.servers(name).await {
            Ok(servers) => servers,
            Err(error) => return (Err(error), FAILURE_KEPT),
        };
        let first = self.first.load(Ordering::Relaxed);
        let mut waiting = (0..servers.len()).map(|step| (first + step) % servers.len());
        let mut asked = JoinSet::new();
        let mut last = late();
        loop {
            let more = waiting.next().map(|place| {
                let (server, name) = (servers[place].clone(), name.to_owned());
                asked.spawn(async move { (place, look_up(&server, &name).await) });
            });
            let said = match more {
                None => asked.join_next().await,
                Some(_) => match timeout(HEAD_START, asked.join_next()).await {
                    Ok(said) => said,
                    Err(_) => continue,
                },
            };
            match said {
                None => {
                    let holds = kept(&last);
                    return (Err(last), holds);
                }
                Some(Ok((place, said))) if said.0.as_ref().err().is_none_or(|error| !error.is_transient()) => {
                    self.first.store(place, Ordering::Relaxed);
                    return said;
                }
                Some(Ok((_, (Err(error), _)))) => last = error,
                Some(Ok((_, (Ok(_), _)))) => {}
                Some(Err(error)) => last = ResolveError::Failed { name: name.to_owned(), reason: error.to_string() },
            }
        }
    }
}

/// How long a failure is kept. Silence is no answer: who asks again is asked for again, together with all who wait.
fn kept(error: &ResolveError) -> Duration {
    match error {
        ResolveError::Timeout(_) => Duration::ZERO,
        ResolveError::Failed { .. } | ResolveError::NotFound(_) => FAILURE_KEPT,
    }
}

/// One server's answers for both families.
async fn look_up(server: &TokioResolver, name: &str) -> Said {
    let absolute = match absolute(name) {
        Ok(absolute) => absolute,
        Err(error) => return (Err(error), LONGEST_ABSENT),
    };
    let (v4, v6) =
        tokio::join!(server.lookup(absolute.clone(), RecordType::A), server.lookup(absolute, RecordType::AAAA));
    let mut whole = Answer { ttl: Duration::MAX, ..Answer::default() };
    let mut failure = None;
    let mut absent = LONGEST_ABSENT;
    for result in [v6, v4] {
        match result {
            Ok(lookup) => match Answer::read(name, lookup.answers()) {
                Ok(answer) => {
                    whole.ttl = whole.ttl.min(answer.ttl);
                    whole.addresses.extend(answer.addresses);
                    let fresh: Vec<String> =
                        answer.aliases.into_iter().filter(|alias| !whole.aliases.contains(alias)).collect();
                    whole.aliases.extend(fresh);
                }
                // Of a part of the addresses nobody knows what the rest is.
                Err(error) => return (Err(error), FAILURE_KEPT),
            },
            Err(NetError::Dns(DnsError::NoRecordsFound(none))) => {
                absent = absent.min(Duration::from_secs(u64::from(none.negative_ttl.unwrap_or(1))));
            }
            Err(NetError::Timeout) => failure = Some(ResolveError::Timeout(name.to_owned())),
            Err(error) => {
                failure = Some(ResolveError::Failed { name: name.to_owned(), reason: error.to_string() });
            }
        }
    }
    match failure {
        _ if !whole.addresses.is_empty() => {
            let few = whole.addresses.len() <= ADDRESSES_KEPT;
            let holds = if few { whole.ttl.min(LONGEST_KEPT) } else { Duration::ZERO };
            (Ok(whole), holds)
        }
        Some(error) => {
            let holds = kept(&error);
            (Err(error), holds)
        }
        None => (Err(ResolveError::NotFound(name.to_owned())), absent),
    }
}

fn server(address: SocketAddr) -> NameServerConfig {
    let mut connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
    for connection in &mut connections {
        connection.port = address.port();
    }
    NameServerConfig::new(address.ip(), true, connections.into())
}

fn resolver(server: NameServerConfig) -> Result<TokioResolver, NetError> {
    let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
    let mut builder = Hickory::builder_with_config(config, TokioRuntimeProvider::default());
    options(builder.options_mut());
    builder.build()
}

fn options(options: &mut ResolverOpts) {
    options.use_hosts_file = ResolveHosts::Never;
    options.ndots = 0;
    options.edns0 = true;
    // A packet that is lost is sent again in time.
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
            let late = |_| (Err(ResolveError::Timeout(name.to_owned())), Duration::ZERO);
            let (answer, holds) = timeout(TIMEOUT, self.ask(name)).await.unwrap_or_else(late);
            self.keep(name, &lookup, holds);
            answer.map(Arc::new)
        });
        made.await.clone().map(|answer| Lookup { answer, cached: false })
    }
}
