//! The egress guard and its proxy, on threads of their own, kept at what the configuration's files say.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use aiva_chassis::alert::Alerts;
use aiva_chassis::clock::SharedClock;
use aiva_chassis::config::Network;
use aiva_chassis::health::Impact;
use aiva_chassis::secret::Secret;
use aiva_chassis::shutdown::Stage;
use aiva_chassis::shutdown::supervisor::{Policy, Supervisor};
use aiva_egress::audit::Recorder;
use aiva_egress::config::Egress;
use aiva_egress::events::Watch;
use aiva_egress::fetch::Fetcher;
use aiva_egress::ports::Tokens;
use aiva_egress::proxy::interfaces::reached_at;
use aiva_egress::proxy::tls::Tls;
use aiva_egress::proxy::{self, Balancers, Proxy};
use aiva_egress::retention;
use aiva_egress::service::Guard;
use aiva_egress::service::roles::Roles;
use aiva_egress::store::Store;
use aiva_egress::token::{self, Signer};
use aiva_egress::workers::{self, Reload};
use aiva_outbound::Prefix;
use aiva_store::Database;
use aiva_store::directory::DataDirectory;
use anyhow::{Context as _, Result};

use crate::calls;
use crate::failure::Failure;
use crate::settings::{Found, Settings};

/// Where the proxy listens.
pub(crate) struct Listening {
    /// In plain.
    pub(crate) plain: SocketAddr,
    /// With TLS.
    pub(crate) tls: Option<SocketAddr>,
}

/// The guard, by the configuration; nothing listens yet.
pub(crate) fn egress_guard(found: &Found, clock: &SharedClock) -> Result<Guard> {
    let egress = found.loaded.config.egress.clone();
    let (guard, in_force) = Guard::new(egress, Arc::clone(clock)).context("the egress policy")?;
    workers::warn_of_ended(&in_force);
    Ok(guard)
}

/// The file in the data directory that holds the key of decision tokens.
const TOKEN_KEY: &str = "egress-token-key";

/// Who signs decision tokens, which the guard honours from now on: by the configured key, else by the data directory's. `None`
/// where there is neither, and then no token counts.
pub(crate) fn egress_tokens(settings: &Settings, guard: &Guard, data: Option<&Path>) -> Result<Option<Arc<Signer>>> {
    let signer = match (&settings.egress.token_key, data) {
        (Some(key), _) => Signer::with_key(key),
        (None, Some(data)) => Signer::with_key(&kept_key(data)?),
        (None, None) => return Ok(None),
    };
    let signer = Arc::new(signer);
    guard.honour(Arc::clone(&signer) as Arc<dyn Tokens>);
    Ok(Some(signer))
}

fn kept_key(data: &Path) -> Result<Secret> {
    let bytes = DataDirectory::open(data)?.ensure_secret(TOKEN_KEY, token::new_key()?.expose().as_bytes())?;
    let key = String::from_utf8(bytes).ok().filter(|key| key.len() >= token::LEAST_KEY);
    let damaged = || {
        Failure::new(format!("{} holds no key of decision tokens", data.join(TOKEN_KEY).display()))
            .hint("remove the file: another is made, and tokens of the last minute stop counting")
    };
    Ok(Secret::new(key.ok_or_else(damaged)?))
}

/// Has the guard go by the roles that are stored, and by what others make of them. The embedded database has no others.
pub(crate) async fn egress_roles(
    store: &Store,
    guard: &Guard,
    database: &Database,
    supervisor: &Supervisor,
) -> Result<Roles> {
    let roles = Roles::new(store.clone(), guard.clone());
    roles.follow_up().await?;
    if matches!(database, Database::Sqlite(_)) {
        return Ok(roles);
    }
    let followed = roles.clone();
    supervisor.spawn("egress-roles", Policy::service(Stage::Work), move |stop| {
        let roles = followed.clone();
        async move {
            roles.follow(stop).await;
            Ok::<(), std::convert::Infallible>(())
        }
    });
    Ok(roles)
}

/// Who fetches for callers of the API, and trusts whom every other call of this program trusts.
pub(crate) fn egress_fetches(found: &Found, recorder: &Recorder, clock: &SharedClock) -> Result<Fetcher> {
    let settings = &found.loaded.config;
    let tls = calls::tls(&settings.outbound, &found.base)?;
    Ok(Fetcher::new(settings.egress.fetch.clone(), tls, recorder.clone(), Arc::clone(clock)))
}

/// Has every decision recorded in the database.
pub(crate) async fn egress_records(
    settings: &Settings,
    guard: &Guard,
    database: &Database,
    alerts: &Alerts,
    clock: &SharedClock,
    supervisor: &Supervisor,
) -> Result<(Store, Recorder)> {
    let store = Store::new(database.clone(), Arc::clone(clock));
    let recorder = Recorder::new(settings.egress.records.settings());
    let lost = store.end_lost().await?;
    if lost > 0 {
        tracing::warn!(records = lost, "the process before this one was killed: what it had open is recorded as lost");
    }
    guard.record(recorder.clone());
    let (writer, journal, told) = (recorder.clone(), store.clone(), alerts.clone());
    let watch = Arc::new(Watch::new(alerts.clone()));
    // To the very end: what the proxy decides while it drains is written too.
    supervisor.spawn("egress-records", Policy::service(Stage::Store), move |stop| {
        let (writer, journal, alerts, watch) = (writer.clone(), journal.clone(), told.clone(), Arc::clone(&watch));
        async move {
            writer.run(&journal, Some(&alerts), |group| watch.see(group), stop).await;
            Ok::<(), std::convert::Infallible>(())
        }
    });
    let (kept, keep, time) = (store.clone(), settings.egress.records.keep, Arc::clone(clock));
    supervisor.spawn("egress-retention", Policy::service(Stage::Work), move |stop| {
        let work = retention::keep(kept.clone(), keep, Arc::clone(&time), stop);
        async move {
            work.await;
            Ok::<(), std::convert::Infallible>(())
        }
    });
    Ok((store, recorder))
}

/// Starts the proxy in front of the guard. `others` are this process's other listeners: nothing reaches them through it.
pub(crate) fn egress(
    found: &Found,
    guard: Guard,
    others: &[SocketAddr],
    alerts: &Alerts,
    clock: &SharedClock,
    supervisor: &Supervisor,
) -> Result<Listening> {
    let egress = &found.loaded.config.egress;
    let tls = match &egress.tls {
        None => None,
        Some(files) => {
            let tls = Tls::read(files.clone(), found.base.clone()).context("TLS to the egress proxy (egress.tls)")?;
            Some(Arc::new(tls))
        }
    };
    if let Some(tls) = &tls {
        guard.revoke(tls.revoked());
    }
    let proxy = bind(egress, tls.clone(), &guard)?;
    let mut addresses = proxy.addresses().into_iter();
    let listening = Listening { plain: addresses.next().unwrap_or(egress.listen), tls: addresses.next() };
    let own: Vec<SocketAddr> = others.iter().copied().chain([listening.plain]).chain(listening.tls).collect();
    // The worker goes on with it: an interface may get another address.
    guard.listens(&reached_at(&own));
    proxy.start(supervisor);
    let kept = Kept { guard, tls, own };
    keep(found, kept, alerts, clock, supervisor);
    Ok(listening)
}

fn bind(egress: &Egress, tls: Option<Arc<Tls>>, guard: &Guard) -> Result<Proxy> {
    let balancers = Balancers(egress.balancers.iter().filter_map(prefix).collect());
    let settings = proxy::Settings { balancers, ..proxy::Settings::system() };
    let mut listens = vec![proxy::Listen { address: egress.listen, tls: None }];
    let with_tls = egress.tls.as_ref().map(|tls| tls.listen);
    listens.extend(with_tls.map(|address| proxy::Listen { address, tls }));
    let proxy = Proxy::bind(settings, listens, Arc::new(guard.clone()), Arc::new(proxy::judge::Network));
    let proxy = proxy.map_err(|error| {
        let (key, how) = match error.address == egress.listen {
            true => ("egress.listen", "with --egress-listen"),
            false => ("egress.tls.listen", "there"),
        };
        Failure::new(format!("{error} ({key})"))
            .because(error.source)
            .hint(format!("stop what listens there, or take another address {how}; port 0 takes a free one"))
    })?;
    Ok(at_socket(proxy, egress))
}

#[cfg(unix)]
fn at_socket(proxy: Proxy, egress: &Egress) -> Proxy {
    match &egress.socket {
        Some(path) => proxy.local(path.clone()),
        None => proxy,
    }
}

#[cfg(not(unix))]
fn at_socket(proxy: Proxy, _egress: &Egress) -> Proxy {
    proxy
}

fn prefix(network: &Network) -> Option<Prefix> {
    let (address, length) = network.parts();
    Prefix::new(address, length)
}

/// What is kept at what the files say.
struct Kept {
    guard: Guard,
    tls: Option<Arc<Tls>>,
    own: Vec<SocketAddr>,
}

/// Keeps the guard at what the files say.
fn keep(found: &Found, kept: Kept, alerts: &Alerts, clock: &SharedClock, supervisor: &Supervisor) {
    let again = found.again.clone();
    let files = vec![again.file()];
    let Kept { guard, tls, own } = kept;
    let reload = Arc::new(Reload {
        guard,
        tls,
        own,
        started: found.loaded.config.egress.clone(),
        again: Arc::new(move || {
            again.find().map(|found| found.loaded.config.egress).map_err(|error| error.to_string())
        }),
        files,
        alerts: alerts.clone(),
        check: supervisor.health().check("egress policy", Impact::Degrades),
        upstreams: supervisor.health().check("egress upstreams", Impact::Degrades),
        clock: Arc::clone(clock),
    });
    supervisor.spawn("egress-reload", Policy::service(Stage::Work), move |stop| Arc::clone(&reload).run(stop));
}
