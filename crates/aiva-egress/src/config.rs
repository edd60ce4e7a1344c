//! The section `[egress]`: where the proxy listens, who its callers are, and what each of them may reach, by role.
//!
//! Pure. What cannot be judged by is refused here, entry by entry, each with its place: an entry that was dropped in silence
//! would be a hole, or a door that nobody can open. Roles are in [`role`].

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use aiva_chassis::config::{ByteSize, Network, Reader};
use aiva_chassis::secret::Secret;
use aiva_chassis::{config_section, config_words};

use crate::audit;

use crate::token::LEAST_KEY;

pub mod role;
pub mod stored;
pub mod upstream;

pub use role::{Mode, Role};
pub use upstream::Upstream;

/// How long records are kept where the file does not say.
const KEEP: Duration = Duration::from_secs(30 * 86_400);

/// How long a decision waits for room for its record where the file does not say.
const WAIT: Duration = Duration::from_secs(5);

/// What a role names for its upstream that connects by itself.
pub const DIRECT: &str = "direct";

/// The most redirects that a fetch may follow; the contract says so.
const MOST_FETCH_REDIRECTS: usize = 20;

/// The most bytes that a fetch may bring.
const MOST_FETCH_BYTES: u64 = 64 << 20;

/// The role of callers that nobody knows.
pub const DEFAULT: &str = "default";

config_section! {
    /// Where services may call out, through the proxy.
    pub struct Egress checks check_egress {
        /// Where the proxy listens: HTTP/1.1 in absolute form, CONNECT (over HTTP/2 too) and SOCKS5.
        pub listen: SocketAddr = "127.0.0.1:4750";
        /// A socket in the file system to listen on as well; its callers are known by their user ids.
        pub socket: Option<PathBuf>, example "\"/run/aiva/egress.sock\"";
        /// Balancers that speak the PROXY protocol: a connection from there must say for whom it calls, no other may.
        pub balancers: Vec<Network>, example "[\"10.0.0.2\"]";
        /// TLS to the proxy itself, on a port of its own.
        pub tls: Option<ProxyTls>;
        /// Proxies on the way out.
        pub upstreams: BTreeMap<String, Upstream>;
        /// The upstream of every role that names none itself; without one, connections are made directly.
        pub upstream: Option<String>, example "\"NAME\"";
        /// What decision tokens are signed with, at least 32 characters: processes with the same key honour each other's. Without
        /// it, a key is made and kept in the data directory.
        pub token_key: Option<Secret>, example "{ file = \"/etc/aiva/egress-token-key\" }";
        /// What is kept of decisions.
        pub records: Records;
        /// What is fetched for callers of the API.
        pub fetch: Fetch;
        /// Who calls.
        pub callers: BTreeMap<String, Caller>;
        /// Roles that are kept over the API instead of here, which callers and services may name: until one is stored, its callers
        /// reach nothing.
        pub stored_roles: Vec<String>, example "[\"batch\"]";
        /// What a client with this role may reach.
        pub roles: BTreeMap<String, Role>;
    }
}

config_section! {
    /// Records of decisions.
    pub struct Records {
        /// How long a record is kept.
        pub keep: Duration = "30d";
        /// How long a decision waits for room for its record, while the store takes none.
        pub wait: Duration = "5s";
        /// What then becomes of it: "deny" answers 503, "log" decides as ever, and only the log and a metric tell of it.
        pub stalled: Stalled = "deny";
    }
}

config_words! {
    /// What becomes of a decision that there is no room for a record of.
    pub enum Stalled {
        /// It is not made.
        Deny = "deny",
        /// It stands in the log only.
        Log = "log",
    }
}

impl Records {
    /// As whoever takes records is set up.
    pub fn settings(&self) -> audit::Settings {
        let stalled = match self.stalled {
            Stalled::Deny => audit::Stalled::Deny,
            Stalled::Log => audit::Stalled::Log,
        };
        audit::Settings { patience: self.wait, stalled, ..audit::Settings::default() }
    }
}

config_section! {
    /// What is fetched for callers of the API (agents, link previews). A request can only ask for less.
    pub struct Fetch checks check_fetch {
        /// The most bytes of an answer; what is more is cut off.
        pub max_bytes: ByteSize = "5MiB";
        /// How long a fetch may take in all; less than `server.request_timeout`, or that ends it.
        pub timeout: Duration = "20s";
        /// How many redirects are followed.
        pub max_redirects: usize = 5;
        /// Content types that are taken; any if empty.
        pub content_types: Vec<String>, example "[\"text/*\", \"application/json\"]";
        /// How many fetches are under way at once; further ones are told to come back.
        pub concurrent: usize = 32;
        /// Roles that a fetch may go by; every role if empty.
        pub roles: Vec<String>, example "[\"agents\"]";
    }
}

config_section! {
    /// TLS to the proxy itself: passwords are not read on the way, and callers may show a certificate. Files are read again
    /// when they change.
    pub struct ProxyTls checks check_tls {
        /// Where the proxy listens for TLS.
        pub listen: SocketAddr = "127.0.0.1:4751";
        /// The certificate chain, PEM.
        pub certificate_file: PathBuf, example "\"/etc/aiva/egress.crt\"";
        /// Its private key, PEM.
        pub key_file: PathBuf, example "\"/etc/aiva/egress.key\"";
        /// Authorities whose client certificates are believed, PEM; without any, no client is asked for one.
        pub client_ca_files: Vec<PathBuf>, example "[\"/etc/aiva/clients.crt\"]";
        /// Revocation lists, PEM. Where there is one, every authority above needs one: a certificate that no list speaks of
        /// is refused.
        pub client_crl_files: Vec<PathBuf>, example "[\"/etc/aiva/clients.crl\"]";
        /// What becomes of a certificate whose authority's revocation list is past its time: "deny" refuses it with a reason of
        /// its own, "warn" goes by the old list.
        pub client_crl_expired: ExpiredList = "deny";
        /// Refuse clients that show no certificate.
        pub require_client_certificate: bool = false;
    }
}

config_words! {
    /// What becomes of certificates whose revocation list is past its time.
    pub enum ExpiredList {
        /// They do not count.
        Deny = "deny",
        /// The old list counts.
        Warn = "warn",
    }
}

config_section! {
    /// One caller, known by any of these. A password beats a certificate, a certificate a user, a user an address.
    pub struct Caller checks check_caller {
        /// Its role; the role of the same name if left out.
        pub role: Option<String>, example "\"NAME\"";
        /// SHA-256 of its password, in hexadecimal; two while it is being changed. It calls with its name as the user.
        pub password_sha256: Vec<String>, example "[\"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"]";
        /// The password itself, from elsewhere.
        pub password: Option<Secret>, example "{ env = \"CHECKOUT_EGRESS_PASSWORD\" }";
        /// What its certificate says.
        pub certificate: CertificateNames;
        /// User ids on this machine, over `egress.socket`.
        pub users: Vec<u32>, example "[1001]";
        /// Where it calls from; the narrowest network counts.
        pub sources: Vec<Network>, example "[\"10.1.0.0/16\"]";
    }
}

config_section! {
    /// Names in a client's certificate; one that fits is enough.
    pub struct CertificateNames {
        /// Common names of the subject.
        pub common_names: Vec<String>, example "[\"checkout\"]";
        /// DNS names.
        pub dns_names: Vec<String>, example "[\"checkout.prod.example.com\"]";
        /// URIs, SPIFFE ids among them.
        pub uris: Vec<String>, example "[\"spiffe://example.com/ns/prod/sa/checkout\"]";
    }
}

impl CertificateNames {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.common_names.is_empty() && self.dns_names.is_empty() && self.uris.is_empty()
    }
}

impl Egress {
    /// Whether a caller may have this role.
    pub fn knows(&self, role: &str) -> bool {
        role == DEFAULT || self.roles.contains_key(role) || self.stored_roles.iter().any(|stored| stored == role)
    }
}

impl Egress {
    /// Whether the upstream that a role names is there.
    pub fn has_upstream(&self, role: &Role) -> bool {
        role.upstream.as_deref().is_none_or(|name| name == DIRECT || self.upstreams.contains_key(name))
    }
}

impl Default for Egress {
    /// What an empty file says.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 4750)),
            socket: None,
            balancers: Vec::new(),
            tls: None,
            upstreams: BTreeMap::new(),
            upstream: None,
            token_key: None,
            records: Records { keep: KEEP, wait: WAIT, stalled: Stalled::Deny },
            fetch: Fetch::default(),
            callers: BTreeMap::new(),
            stored_roles: Vec::new(),
            roles: BTreeMap::new(),
        }
    }
}

impl Default for Fetch {
    /// What an empty section says.
    fn default() -> Self {
        Self {
            max_bytes: ByteSize(5 << 20),
            timeout: Duration::from_secs(20),
            max_redirects: 5,
            content_types: Vec::new(),
            concurrent: 32,
            roles: Vec::new(),
        }
    }
}

/// Whether a text can name a role or a caller: it stands in headers, metrics and as a user in credentials.
fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

fn check_egress(egress: &Egress, reader: &mut Reader<'_>) {
    for (list, names) in [
        ("roles", egress.roles.keys().collect::<Vec<_>>()),
        ("callers", egress.callers.keys().collect()),
        ("upstreams", egress.upstreams.keys().collect()),
    ] {
        for name in names.into_iter().filter(|name| !is_name(name)) {
            reader.refuse(&place(list, name), "is not a name: 1 to 64 letters, digits, -, _ and .");
        }
    }
    check_callers(egress, reader);
    check_upstreams(egress, reader);
    for (at, name) in egress.stored_roles.iter().enumerate() {
        if egress.roles.contains_key(name) {
            reader.refuse(
                &format!("stored_roles[{at}]"),
                format!("{name:?} stands in this file, which wins: one must go"),
            );
        } else if name == DEFAULT {
            let message = "is the role of unknown callers, which is never stored: write [egress.roles.default] here";
            reader.refuse(&format!("stored_roles[{at}]"), message);
        } else if !is_name(name) {
            reader.refuse(
                &format!("stored_roles[{at}]"),
                "is no name of a stored role: 1 to 64 letters, digits, -, _ and .",
            );
        }
    }
    if let Some(role) = egress.roles.get(DEFAULT).filter(|role| only_narrows(role)) {
        let key = if role.dns.servers.is_empty() { "roles.default" } else { "roles.default.dns" };
        let message = "only narrows what it allows, which is nothing: say mode = \"open\" for every public name, or name some in allow_domains";
        reader.advise(key, message);
    }
    if egress.token_key.as_ref().is_some_and(|key| key.expose().len() < LEAST_KEY) {
        let message = "is too short to keep anybody from guessing it: `openssl rand -hex 32` prints a good one";
        reader.refuse("token_key", message);
    }
    for (at, role) in egress.fetch.roles.iter().enumerate() {
        if role != DEFAULT && !egress.roles.contains_key(role) && !egress.stored_roles.contains(role) {
            reader.refuse(&format!("fetch.roles[{at}]"), format!("there is no role {role:?}"));
        }
    }
    if !egress.listen.ip().is_loopback() && has_passwords(egress) {
        reader.hazard("listen", "takes the callers' passwords over the network in plain: let them use egress.tls, and bind this one to loopback");
    }
    let tls = egress.tls.iter().map(|tls| ("tls.listen", tls.listen));
    for (key, address) in std::iter::once(("listen", egress.listen)).chain(tls) {
        let asks = key == "tls.listen" && egress.tls.as_ref().is_some_and(|tls| tls.require_client_certificate);
        if !address.ip().is_loopback() && !asks && unknown_may_call(egress) {
            reader.hazard(key, "is reachable from other machines, and callers that nobody knows may use it: bind it to loopback, let a network policy keep strangers out, or give [egress.roles.default] mode = \"enforce\"");
        }
    }
}

/// Whoever names an upstream names one that there is.
fn check_upstreams(egress: &Egress, reader: &mut Reader<'_>) {
    if egress.upstreams.contains_key(DIRECT) {
        reader.refuse(&place("upstreams", DIRECT), "is what a role says that goes through none: take another name");
    }
    let of_roles =
        egress.roles.iter().map(|(name, role)| (format!("{}.upstream", place("roles", name)), &role.upstream));
    for (key, named) in std::iter::once(("upstream".to_owned(), &egress.upstream)).chain(of_roles) {
        if let Some(name) = named.as_ref().filter(|name| *name != DIRECT && !egress.upstreams.contains_key(*name)) {
            reader.refuse(
                &key,
                format!("there is no upstream {name:?}; add [egress.upstreams.{name}], or say \"{DIRECT}\""),
            );
        }
    }
}

/// Whether somebody's password would be read on the way.
fn has_passwords(egress: &Egress) -> bool {
    egress.callers.values().any(|caller| caller.password.is_some() || !caller.password_sha256.is_empty())
}

/// Whether a role says something, and all of it is about what it does not allow at all.
fn only_narrows(role: &Role) -> bool {
    let allows_nothing = role.mode == Mode::Enforce
        && role.allow_domains.is_empty()
        && role.allow_cidrs.is_empty()
        && role.exceptions.is_empty();
    let narrows = !(role.deny_domains.is_empty() && role.deny_cidrs.is_empty() && role.dns.servers.is_empty());
    allows_nothing && narrows
}

/// Whether a caller that nobody knows gets anywhere.
fn unknown_may_call(egress: &Egress) -> bool {
    egress.roles.get(DEFAULT).is_none_or(|role| {
        role.mode != Mode::Enforce
            || !(role.allow_domains.is_empty() && role.allow_cidrs.is_empty() && role.exceptions.is_empty())
    })
}

/// What one caller alone cannot see: its role, and who else is known by the same.
fn check_callers(egress: &Egress, reader: &mut Reader<'_>) {
    let mut known: HashMap<String, &str> = HashMap::new();
    for (name, caller) in &egress.callers {
        let role = caller.role.as_deref().unwrap_or(name);
        if !egress.knows(role) {
            let message = format!(
                "there is no role {role:?}; add [egress.roles.{role}], name another, or put it into egress.stored_roles if it is \
                 kept over the API"
            );
            reader.refuse(&place("callers", name), message);
        }
        let certificate = &caller.certificate;
        let lists = [
            ("certificate.common_names", &certificate.common_names),
            ("certificate.dns_names", &certificate.dns_names),
            ("certificate.uris", &certificate.uris),
        ];
        let mut marks: Vec<(String, String)> = Vec::new();
        for (key, list) in lists {
            marks.extend(list.iter().enumerate().map(|(at, text)| (format!("{key}[{at}]"), format!("{key} {text}"))));
        }
        marks
            .extend(caller.users.iter().enumerate().map(|(at, user)| (format!("users[{at}]"), format!("user {user}"))));
        let sources = caller.sources.iter().enumerate();
        marks.extend(sources.map(|(at, network)| (format!("sources[{at}]"), format!("source {network}"))));
        for (key, mark) in marks {
            if let Some(other) = known.insert(mark, name).filter(|other| *other != name.as_str()) {
                let message = format!("is what the caller {other:?} is known by as well: one of them must go");
                reader.refuse(&format!("{}.{key}", place("callers", name)), message);
            }
        }
    }
}

fn place(list: &str, name: &str) -> String {
    if is_name(name) && !name.contains('.') { format!("{list}.{name}") } else { format!("{list}.{name:?}") }
}

fn check_caller(caller: &Caller, reader: &mut Reader<'_>) {
    for (at, digest) in caller.password_sha256.iter().enumerate() {
        if digest.len() != 64 || !digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            let message = "is no SHA-256 in hexadecimal (64 digits); `printf %s PASSWORD | sha256sum` prints one";
            reader.refuse(&format!("password_sha256[{at}]"), message);
        }
    }
    let nothing = caller.password_sha256.is_empty()
        && caller.password.is_none()
        && caller.certificate.is_empty()
        && caller.users.is_empty()
        && caller.sources.is_empty();
    if nothing {
        reader.refuse("", "nobody can be known as this caller: give it a password, a certificate, users or sources");
    }
    for (at, network) in caller.sources.iter().enumerate().filter(|(_, network)| network.is_everything()) {
        let message = format!("{network} is everybody: that is what [egress.roles.default] is for");
        reader.refuse(&format!("sources[{at}]"), message);
    }
}

fn check_fetch(fetch: &Fetch, reader: &mut Reader<'_>) {
    if fetch.timeout.is_zero() {
        reader.refuse("timeout", "must be longer than nothing");
    }
    if fetch.max_redirects > MOST_FETCH_REDIRECTS {
        reader.refuse("max_redirects", format!("must be at most {MOST_FETCH_REDIRECTS}"));
    }
    if fetch.max_bytes.0 > MOST_FETCH_BYTES {
        reader.refuse("max_bytes", "must be at most 64MiB: an answer is held in memory");
    }
    if fetch.concurrent == 0 {
        reader.refuse("concurrent", "must be at least 1");
    }
}

fn check_tls(tls: &ProxyTls, reader: &mut Reader<'_>) {
    if tls.client_ca_files.is_empty() {
        if tls.require_client_certificate {
            reader.refuse("require_client_certificate", "needs client_ca_files, or no certificate is believed");
        }
        if !tls.client_crl_files.is_empty() {
            reader.refuse("client_crl_files", "revoke nothing without client_ca_files");
        }
    }
    let files: BTreeSet<&PathBuf> = tls.client_ca_files.iter().chain(&tls.client_crl_files).collect();
    if files.len() < tls.client_ca_files.len() + tls.client_crl_files.len() {
        reader.refuse("client_ca_files", "a file is named twice among authorities and revocation lists");
    }
}
