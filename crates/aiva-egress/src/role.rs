//! A role as the guard judges by it: the engine's policy, bounds, and who looks names up, made of what the file says.
//!
//! Pure. Promises: every entry is understood or named as wrong, none is dropped; owner and end of what opens an internal
//! place go along, so that a record can name them. Start reading at [`policy`].

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::SystemTime;

use aiva_outbound::policy::{self as engine, Block, Exception, Mixed, Names, Opens, PathPrefix, Policy, Ports};
use aiva_outbound::resolve::Resolver;
use aiva_outbound::{Engine, Prefix, Question, Scheme, Verdict};
use http::Method;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use self::upstream::{Route, Upstreams};
use crate::budget::Budget;
use crate::config::role::{self as config, Level, Mode, SchemeName};
use crate::meters::Meters;
use crate::proxy::judge::Bounds;
use crate::tunnel::inspect::{self, Inspection};

pub mod upstream;

/// An entry that cannot be judged by.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {message}")]
pub struct Wrong {
    /// Which, relative to the role.
    pub key: String,
    /// What is wrong with it, and what would be right.
    pub message: String,
}

/// One role.
pub struct Role {
    /// Its name.
    pub name: Arc<str>,
    /// What it may reach.
    pub policy: Arc<Policy>,
    /// Bounds of one request or tunnel.
    pub bounds: Bounds,
    /// What is looked at inside tunnels.
    pub inspection: Inspection,
    /// Bounds of all of its callers together, where there are any.
    pub budget: Option<Budget>,
    /// Whether what its lists refuse only passes to be told of: report and learn.
    pub tells: bool,
    /// Who looks names up for it.
    pub lookups: Lookups,
    /// The upstream that it goes through, where it does.
    pub route: Option<Arc<Route>>,
    /// Every upstream there is: none of them is a destination.
    pub upstreams: Arc<Upstreams>,
    /// What is counted of it.
    pub meters: Meters,
    /// Whether a caller has it that nobody has written: it is to be stored over the API, and is not (any more).
    pub is_missing: bool,
}

impl Role {
    /// What is decided on a target that was read: the engine's verdict, unless it leads to an upstream.
    pub async fn decide(&self, question: Question<'_>) -> Verdict {
        let verdict = self.lookups.engine.decide(&self.policy, &*self.lookups.resolver, question).await;
        self.upstreams.shut(&self.policy, question.target, verdict).await
    }
}

/// Who looks names up, and the engine that remembers what they meant there.
#[derive(Clone)]
pub struct Lookups {
    /// Asks the name servers.
    pub resolver: Arc<dyn Resolver>,
    /// Decides. One for each set of name servers: a name that is public in one and internal in another has not turned.
    pub engine: Arc<Engine>,
}

/// What a role's entries mean.
struct Entries {
    allow_names: Vec<Names>,
    deny_names: Vec<Names>,
    allow_blocks: Vec<Block>,
    deny_blocks: Vec<Block>,
    exceptions: Vec<Exception>,
    ports: Vec<u16>,
    methods: Vec<Method>,
    paths: Vec<PathPrefix>,
    nat64: Vec<Prefix>,
}

impl Entries {
    fn read(role: &config::Role) -> Result<Self, Vec<Wrong>> {
        let mut wrong = Wrongs(Vec::new());
        let read = Self {
            allow_names: wrong.each("allow_domains", &role.allow_domains, |entry| names(entry)),
            deny_names: wrong.each("deny_domains", &role.deny_domains, |entry| names(entry)),
            allow_blocks: wrong.each("allow_cidrs", &role.allow_cidrs, allowed),
            deny_blocks: wrong.each("deny_cidrs", &role.deny_cidrs, |entry| block(entry)),
            exceptions: exceptions(role, &mut wrong),
            ports: wrong.each("ports", &role.ports, |port| nonzero(*port)),
            methods: wrong.each("methods", &role.methods, |text| method(text)),
            paths: wrong
                .each("paths", &role.paths, |text| text.parse::<PathPrefix>().map_err(|error| error.to_string())),
            nat64: wrong.each("nat64_prefixes", &role.nat64_prefixes, |network| nat64(network.parts())),
        };
        if wrong.0.is_empty() { Ok(read) } else { Err(wrong.0) }
    }
}

/// Whether a role could be judged by.
///
/// # Errors
/// Every entry that means nothing.
pub fn check(role: &config::Role) -> Result<(), Vec<Wrong>> {
    Entries::read(role).map(drop)
}

/// The engine's policy of a role as the file has it.
///
/// # Errors
/// Every entry that cannot be judged by.
pub fn policy(role: &config::Role) -> Result<Policy, Vec<Wrong>> {
    let entries = Entries::read(role)?;
    Ok(Policy {
        mode: match role.mode {
            Mode::Enforce => engine::Mode::Enforce,
            Mode::Report | Mode::Learn => engine::Mode::Report,
            Mode::Open => engine::Mode::Open,
        },
        allow_names: entries.allow_names.into(),
        deny_names: entries.deny_names.into(),
        allow_blocks: entries.allow_blocks.into(),
        deny_blocks: entries.deny_blocks.into(),
        exceptions: entries.exceptions.into(),
        ports: if entries.ports.is_empty() { Ports::Any } else { Ports::Only(entries.ports) },
        schemes: role.schemes.iter().map(|scheme| self::scheme(*scheme)).collect(),
        methods: entries.methods,
        paths: entries.paths,
        mixed: match role.dns.mixed {
            config::Mixed::Deny => Mixed::Deny,
            config::Mixed::Filter => Mixed::Filter,
        },
        nat64: entries.nat64,
        own: Vec::new(),
        downgrade: false,
    })
}

struct Wrongs(Vec<Wrong>);

impl Wrongs {
    fn add(&mut self, key: String, message: String) {
        self.0.push(Wrong { key, message });
    }

    fn each<E, T>(&mut self, key: &str, entries: &[E], read: impl Fn(&E) -> Result<T, String>) -> Vec<T> {
        let mut all = Vec::with_capacity(entries.len());
        for (at, entry) in entries.iter().enumerate() {
            match read(entry) {
                Ok(one) => all.push(one),
                Err(message) => self.add(format!("{key}[{at}]"), message),
            }
        }
        all
    }
}

fn names(entry: &str) -> Result<Names, String> {
    let wrong = || format!("{entry:?} is no host name; write api.example.com or *.example.com, without scheme or port");
    Names::new(entry).ok_or_else(wrong)
}

fn block(text: &str) -> Result<Block, String> {
    let wrong =
        || format!("{text:?} is no network; write 10.0.0.0/8, fd00::/8, or with a port 10.0.0.0/8:443, [fd00::/8]:443");
    let block: Block = text.parse().map_err(|_| wrong())?;
    exact(block.prefix)?;
    Ok(block)
}

/// Whoever writes bits that do not count meant something else.
fn exact(prefix: Prefix) -> Result<Prefix, String> {
    let whole = prefix.masked();
    if whole == prefix {
        return Ok(prefix);
    }
    Err(format!("{prefix} has bits beyond its length: write {whole}, or the one address without a length"))
}

fn allowed(entry: &config::AllowedCidr) -> Result<Block, String> {
    let mut block = block(&entry.cidr)?;
    if block.prefix.length() == 0 {
        return Err(format!("{} is every address there is: name the network that is meant", entry.cidr));
    }
    block.owner = Some(owner(&entry.owner)?);
    block.expires = Some(end(entry.expires));
    Ok(block)
}

fn exceptions(role: &config::Role, wrong: &mut Wrongs) -> Vec<Exception> {
    let mut all = Vec::with_capacity(role.exceptions.len());
    for (name, entry) in &role.exceptions {
        match exception(name, entry) {
            Ok(exception) => all.push(exception),
            Err((key, message)) => wrong.add(format!("exceptions.{name}.{key}"), message),
        }
    }
    all
}

fn exception(name: &str, entry: &config::Exception) -> Result<Exception, (&'static str, String)> {
    let host = entry.host.as_deref().map(|host| names(host).map_err(|message| ("host", message))).transpose()?;
    let address =
        entry.address.as_deref().map(|text| prefix(text).map_err(|message| ("address", message))).transpose()?;
    let opens = match (host, address) {
        (Some(host), None) => Opens::Host(host),
        (None, Some(prefix)) => Opens::Block(prefix),
        (Some(host), Some(prefix)) => Opens::HostInBlock(host, prefix),
        (None, None) => return Err(("host", "is missing: an exception names a host, an address, or both".to_owned())),
    };
    if entry.ports.contains(&0) {
        return Err(("ports", "0 is no port".to_owned()));
    }
    if entry.reason.trim().is_empty() {
        return Err(("reason", "must say why the exception is there".to_owned()));
    }
    Ok(Exception {
        name: Arc::from(name),
        opens,
        ports: entry.ports.clone(),
        owner: owner(&entry.owner).map_err(|message| ("owner", message))?,
        reason: entry.reason.clone(),
        expires: Some(end(entry.expires)),
    })
}

fn prefix(text: &str) -> Result<Prefix, String> {
    let prefix: Prefix =
        text.parse().map_err(|_| format!("{text:?} is no network; write 10.20.1.0/24 or one address"))?;
    if prefix.length() == 0 {
        return Err(format!("{text} is every address there is: name the network that is meant"));
    }
    exact(prefix)
}

fn owner(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("has no owner: somebody must answer for it".to_owned()),
        owner => Ok(owner.to_owned()),
    }
}

/// The last day is over when the next one begins. The last days of all are no moments in time: they count as the latest.
fn end(last: Date) -> SystemTime {
    let next = last.tomorrow().unwrap_or(Date::MAX);
    match next.to_zoned(TimeZone::UTC) {
        Ok(zoned) => zoned.timestamp().into(),
        Err(_) if last < Date::ZERO => SystemTime::UNIX_EPOCH,
        Err(_) => Timestamp::MAX.into(),
    }
}

fn nonzero(port: u16) -> Result<u16, String> {
    if port == 0 { Err("0 is no port".to_owned()) } else { Ok(port) }
}

fn method(text: &str) -> Result<Method, String> {
    let wrong = || format!("{text:?} is no method; write GET, POST, ... in capitals");
    match Method::from_bytes(text.as_bytes()) {
        Ok(method) if !text.bytes().any(|byte| byte.is_ascii_lowercase()) => Ok(method),
        _ => Err(wrong()),
    }
}

const fn scheme(name: SchemeName) -> Scheme {
    match name {
        SchemeName::Http => Scheme::Http,
        SchemeName::Https => Scheme::Https,
    }
}

/// RFC 6052 section 2.2.
fn nat64((address, length): (IpAddr, u8)) -> Result<Prefix, String> {
    let wrong = || format!("{address}/{length} is no NAT64 prefix: IPv6, 32, 40, 48, 56, 64 or 96 bits long");
    if !address.is_ipv6() || ![32, 40, 48, 56, 64, 96].contains(&length) {
        return Err(wrong());
    }
    Prefix::new(address, length).ok_or_else(wrong)
}

/// The bounds of one request or tunnel.
pub(crate) fn bounds(bounds: &config::Bounds) -> Bounds {
    Bounds {
        connect: bounds.connect,
        first_byte: bounds.first_byte,
        idle: bounds.idle,
        request: bounds.request,
        tunnel: bounds.tunnel,
        bytes: bounds.max_bytes.map_or(u64::MAX, |most| most.0),
    }
}

/// What is looked at; a role that only tells closes no tunnel.
pub(crate) fn inspection(config: &config::Inspection, tells: bool) -> Inspection {
    let level = |level: Level| match level {
        Level::Off => inspect::Level::Off,
        Level::Enforce if !tells => inspect::Level::Enforce,
        Level::Report | Level::Enforce => inspect::Level::Report,
    };
    Inspection {
        tls_only: level(config.protocols),
        name: level(config.sni),
        no_name: level(config.missing_sni),
        ech: level(config.ech),
    }
}

/// What has ended: it opens nothing any more, and a denial says so.
pub fn ended(policy: &Policy, now: SystemTime) -> Vec<String> {
    let exceptions = policy.exceptions.entries().iter().filter(|one| !one.is_live(now));
    let exceptions = exceptions.map(|one| format!("exception {} of {}", one.name, one.owner));
    let past = |block: &&Arc<Block>| block.expires.is_some_and(|end| end <= now);
    let blocks = policy.allow_blocks.entries().iter().filter(past);
    let blocks = blocks.map(|one| format!("allowed network {one} of {}", one.owner.as_deref().unwrap_or("nobody")));
    exceptions.chain(blocks).collect()
}

/// The next moment at which something ends.
pub fn next_end(policy: &Policy, now: SystemTime) -> Option<SystemTime> {
    let exceptions = policy.exceptions.entries().iter().filter_map(|one| one.expires);
    let blocks = policy.allow_blocks.entries().iter().filter_map(|one| one.expires);
    exceptions.chain(blocks).filter(|end| *end > now).min()
}

/// With where this process listens itself.
#[must_use]
pub fn with_own(policy: Policy, own: &[SocketAddr]) -> Policy {
    Policy { own: own.to_vec(), ..policy }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(change: impl FnOnce(&mut config::Role)) -> Vec<String> {
        let mut role = config::Role::default();
        change(&mut role);
        policy(&role).err().unwrap_or_default().into_iter().map(|entry| entry.key).collect()
    }

    fn exception(host: Option<&str>, address: Option<&str>, owner: &str, reason: &str) -> config::Exception {
        config::Exception {
            host: host.map(str::to_owned),
            address: address.map(str::to_owned),
            ports: Vec::new(),
            owner: owner.to_owned(),
            reason: reason.to_owned(),
            expires: Date::constant(2027, 1, 31),
        }
    }

    #[test]
    fn every_entry_that_cannot_be_judged_by_is_named() {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let bad_names = texts(&["a.example", "a.example:80", "*", "10.0.0.1"]);
        assert_eq!(
            wrong(|role| role.allow_domains = bad_names),
            ["allow_domains[1]", "allow_domains[2]", "allow_domains[3]"]
        );
        assert_eq!(wrong(|role| role.deny_domains = texts(&["https://a"])), ["deny_domains[0]"]);
        assert_eq!(wrong(|role| role.deny_cidrs = texts(&["10.0.0.0/33", "10.0.0.0/8"])), ["deny_cidrs[0]"]);
        assert_eq!(wrong(|role| role.ports = vec![443, 0]), ["ports[1]"]);
        assert_eq!(wrong(|role| role.methods = texts(&["GET", "get", "G T"])), ["methods[1]", "methods[2]"]);
        assert_eq!(wrong(|role| role.paths = texts(&["/v1", "v1", "/a/../b"])), ["paths[1]", "paths[2]"]);
        let cidr = |cidr: &str, owner: &str| config::AllowedCidr {
            cidr: cidr.to_owned(),
            owner: owner.to_owned(),
            expires: Date::constant(2027, 1, 31),
        };
        let cidrs =
            vec![cidr("10.0.0.0/8", "ana"), cidr("10.0.0.0/8", " "), cidr("0.0.0.0/0", "ana"), cidr("x", "ana")];
        assert_eq!(wrong(|role| role.allow_cidrs = cidrs), ["allow_cidrs[1]", "allow_cidrs[2]", "allow_cidrs[3]"]);
        for (entry, key) in [
            (exception(None, None, "ana", "why"), "exceptions.x.host"),
            (exception(Some("a:1"), None, "ana", "why"), "exceptions.x.host"),
            (exception(None, Some("::/0"), "ana", "why"), "exceptions.x.address"),
            (exception(Some("a.corp"), None, "", "why"), "exceptions.x.owner"),
            (exception(Some("a.corp"), None, "ana", " "), "exceptions.x.reason"),
        ] {
            assert_eq!(wrong(|role| drop(role.exceptions.insert("x".to_owned(), entry))), [key]);
        }
        assert!(wrong(|_| {}).is_empty());
    }

    #[test]
    fn the_last_day_is_one_on_which_it_holds() {
        let mut role = config::Role::default();
        role.exceptions.insert("mirror".to_owned(), exception(Some("mirror.corp"), None, "ana", "mirror"));
        let policy = policy(&role).unwrap();
        let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap().into();
        assert!(ended(&policy, at("2027-01-31T23:59:59Z")).is_empty());
        assert_eq!(next_end(&policy, at("2027-01-31T23:59:59Z")), Some(at("2027-02-01T00:00:00Z")));
        assert_eq!(ended(&policy, at("2027-02-01T00:00:00Z")), ["exception mirror of ana"]);
        assert_eq!(next_end(&policy, at("2027-02-01T00:00:00Z")), None);
        for (last, ended) in [(Date::MAX, false), (Date::constant(9999, 12, 30), false), (Date::MIN, true)] {
            assert_eq!(end(last) <= at("2027-02-01T00:00:00Z"), ended, "{last}");
        }
    }
}
