//! Puts a changed configuration in force while the guard runs.
//!
//! Promises: on SIGHUP at once, and when a file has changed and then stayed as it is for a moment, so that half a file is
//! not read; whole or not at all; a file that is not right leaves the old policy in force, and that is an alert, a metric
//! and a degraded check until a right one comes. What ends with time (exceptions, allowed networks) closes what it had
//! opened. Start reading at [`Reload::run`].

use std::fmt::Display;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use aiva_chassis::alert::{Alert, Alerts, Cause, Level};
use aiva_chassis::clock::SharedClock;
use aiva_chassis::health::Check;
use aiva_chassis::shutdown::Stop;
use aiva_chassis::telemetry::metrics::metrics;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use crate::config::Egress;
use crate::proxy::interfaces::reached_at;
use crate::proxy::tls::Tls;
use crate::service::{Guard, InForce};

/// A changed configuration is not in force. Its page is `docs/runbooks/egress-reload.md`.
pub const NOT_IN_FORCE: Cause = Cause::new("egress-reload");

/// An upstream proxy fails every time. Its page is `docs/runbooks/egress-upstream.md`.
pub const UPSTREAM_DOWN: Cause = Cause::new("egress-upstream");

/// How often files are looked at.
const TICK: Duration = Duration::from_secs(2);

/// Reads the section again, as it was read at the start: file, environment and flags. Blocks.
pub type Again = Arc<dyn Fn() -> Result<Egress, String> + Send + Sync>;

/// Keeps the guard at what the files say.
pub struct Reload {
    /// The guard.
    pub guard: Guard,
    /// TLS to the proxy, where there is any.
    pub tls: Option<Arc<Tls>>,
    /// What was read at the start: what is bound stays bound.
    pub started: Egress,
    /// Where this process listens.
    pub own: Vec<SocketAddr>,
    /// Reads the section again.
    pub again: Again,
    /// The files that it is read from.
    pub files: Vec<PathBuf>,
    /// Who is told.
    pub alerts: Alerts,
    /// Degraded while a changed configuration is not in force.
    pub check: Check,
    /// Degraded while an upstream proxy fails every time.
    pub upstreams: Check,
    /// Tells when exceptions end.
    pub clock: SharedClock,
}

struct Counters {
    done: Counter,
    failed: Counter,
    stale: Gauge,
    outdated: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

impl Counters {
    fn get() -> &'static Self {
        static COUNTERS: OnceLock<Counters> = OnceLock::new();
        COUNTERS.get_or_init(|| {
            let reloads = metrics().register(
                "egress_reloads",
                "Changed configurations of the egress guard, by what became of them",
                Family::<OutcomeLabels, Counter>::default(),
            );
            let of = |outcome| reloads.get_or_create_owned(&OutcomeLabels { outcome });
            let stale = metrics().register(
                "egress_policy_stale",
                "1 while the egress guard goes by an older configuration than the files'",
                Gauge::default(),
            );
            let outdated = metrics().register(
                "egress_revocation_lists_expired",
                "Revocation lists of client certificates that are past their time",
                Gauge::default(),
            );
            Self { done: of("done"), failed: of("failed"), stale, outdated }
        })
    }
}

/// What of a file tells that it has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mark {
    changed: Option<SystemTime>,
    length: u64,
}

/// What is known of the files from one look to the next.
struct Seen {
    in_force: Vec<Option<Mark>>,
    last: Vec<Option<Mark>>,
}

impl Reload {
    /// Runs until the process stops.
    ///
    /// # Errors
    /// When SIGHUP cannot be listened for.
    pub async fn run(self: Arc<Self>, stop: Stop) -> std::io::Result<()> {
        let _exist = Counters::get();
        let mut hangup = Hangup::new()?;
        let marks = self.marks().await;
        let mut seen = Seen { in_force: marks.clone(), last: marks };
        let mut ends = self.guard.next_end();
        if let Some(tls) = &self.tls {
            self.guard.revoke(tls.revoked());
        }
        let mut down = Vec::new();
        let mut outdated = 0;
        let mut reached = reached_at(&self.own);
        self.guard.listens(&reached);
        loop {
            let asked = stop.until(async {
                tokio::select! {
                    () = hangup.next() => true,
                    () = tokio::time::sleep(TICK) => false,
                }
            });
            let Some(asked) = asked.await else { return Ok(()) };
            if self.is_due(&mut seen, asked).await {
                self.reload().await;
                ends = self.guard.next_end();
            }
            self.look_at_upstreams(&mut down);
            self.look_at_lists(&mut outdated);
            let now = reached_at(&self.own);
            if now != reached {
                self.guard.listens(&now);
                reached = now;
            }
            if ends.is_some_and(|end| end <= SystemTime::from(self.clock.now())) {
                tracing::info!("an exception, an allowed network or a revocation list of the egress policy has ended");
                self.guard.look_again();
                ends = self.guard.next_end();
            }
        }
    }

    /// Tells when an upstream goes down and when all are back. `down` is what was known.
    fn look_at_upstreams(&self, down: &mut Vec<Arc<str>>) {
        let now = self.guard.upstreams_down();
        if now == *down {
            return;
        }
        if now.is_empty() {
            self.upstreams.up();
            tracing::info!("every upstream proxy opens tunnels again");
        } else {
            let names = now.join(", ");
            self.upstreams.degraded(format!("every tunnel through an upstream proxy fails: {names}"));
            let mut alert = Alert::new(Level::Error, UPSTREAM_DOWN, "An upstream proxy fails every time");
            alert.text = format!("Callers whose role goes through it get 502 or 504. Upstreams: {names}.");
            self.alerts.raise(alert);
        }
        *down = now;
    }

    /// Tells when a revocation list is past its time. `outdated` is how many were known to be.
    fn look_at_lists(&self, outdated: &mut usize) {
        let now = self.guard.outdated_lists();
        Counters::get().outdated.set(i64::try_from(now).unwrap_or(i64::MAX));
        if now > *outdated {
            let then = "egress.tls.client_crl_expired says what becomes of its authority's certificates";
            tracing::warn!(lists = now, then, "a revocation list of client certificates has expired: renew it");
        }
        *outdated = now;
    }

    /// Whether the files have changed since they were read and not since the last look, or somebody asks.
    async fn is_due(&self, seen: &mut Seen, asked: bool) -> bool {
        let now = self.marks().await;
        let settled = now == seen.last;
        seen.last.clone_from(&now);
        if !asked && (!settled || now == seen.in_force) {
            return false;
        }
        seen.in_force = now;
        true
    }

    /// Reads everything again and puts it in force, or says why not.
    pub async fn reload(&self) {
        let began = Instant::now();
        let again = Arc::clone(&self.again);
        let read = tokio::task::spawn_blocking(move || again()).await;
        let outcome = match read {
            Ok(Ok(egress)) => self.put_in_force(egress).await,
            Ok(Err(reason)) => Err(reason),
            Err(gone) => Err(gone.to_string()),
        };
        match outcome {
            Ok(in_force) => self.tell(&in_force, began.elapsed()),
            Err(reason) => self.complain(&reason),
        }
    }

    async fn put_in_force(&self, egress: Egress) -> Result<InForce, String> {
        let bound = self.unbound(&egress);
        if let Some(tls) = self.tls.clone() {
            let read = tokio::task::spawn_blocking(move || tls.read_again()).await;
            read.map_err(|gone| gone.to_string())?.map_err(|error| chain(&error))?;
        }
        if let Some(tls) = &self.tls {
            self.guard.revoke(tls.revoked());
        }
        let in_force = self.guard.reload(egress).map_err(|error| error.to_string())?;
        if !bound.is_empty() {
            tracing::warn!(keys = bound.join(", "), "these keys of [egress] count after a restart only");
        }
        Ok(in_force)
    }

    /// What has changed and is bound since the start.
    fn unbound(&self, egress: &Egress) -> Vec<&'static str> {
        let same = |one: &dyn std::fmt::Debug, other: &dyn std::fmt::Debug| format!("{one:?}") == format!("{other:?}");
        let keys = [
            ("listen", same(&self.started.listen, &egress.listen)),
            ("socket", same(&self.started.socket, &egress.socket)),
            ("balancers", same(&self.started.balancers, &egress.balancers)),
            ("tls", same(&self.started.tls, &egress.tls)),
            ("records", same(&self.started.records, &egress.records)),
            ("fetch", same(&self.started.fetch, &egress.fetch)),
            // A secret does not show in its debug form.
            ("token_key", self.started.token_key == egress.token_key),
        ];
        keys.into_iter().filter(|(_, same)| !same).map(|(key, _)| key).collect()
    }

    fn tell(&self, in_force: &InForce, took: Duration) {
        let counters = Counters::get();
        counters.done.inc();
        counters.stale.set(0);
        self.check.up();
        let (roles, callers, took_ms) = (in_force.roles, in_force.callers, took.as_millis());
        tracing::info!(roles, callers, took_ms, "the new egress policy is in force");
        warn_of_ended(in_force);
    }

    fn complain(&self, reason: &str) {
        let counters = Counters::get();
        counters.failed.inc();
        counters.stale.set(1);
        self.check.degraded("the changed configuration is not right; the one before it is in force");
        tracing::error!(reason, "the changed egress configuration is not in force; the one before it is");
        let title = "The changed egress configuration is not in force";
        let mut alert = Alert::new(Level::Error, NOT_IN_FORCE, title);
        alert.text = format!("The guard goes on by the one before it.\n{reason}");
        self.alerts.raise(alert);
    }

    async fn marks(&self) -> Vec<Option<Mark>> {
        let tls = self.tls.iter().flat_map(|tls| tls.files());
        let mut marks = Vec::new();
        for file in self.files.iter().cloned().chain(tls) {
            let found = tokio::fs::metadata(file).await.ok();
            marks.push(found.map(|found| Mark { changed: found.modified().ok(), length: found.len() }));
        }
        marks
    }
}

/// Exceptions that have ended are mostly there by mistake.
pub fn warn_of_ended(in_force: &InForce) {
    for ended in &in_force.ended {
        tracing::warn!(what = ended, "has ended and opens nothing any more: renew it or take it out");
    }
}

/// An error and its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&(cause as &dyn Display).to_string());
        next = cause.source();
    }
    text
}

/// Somebody wants the files to be read now.
struct Hangup {
    #[cfg(unix)]
    signal: tokio::signal::unix::Signal,
}

impl Hangup {
    fn new() -> std::io::Result<Self> {
        #[cfg(unix)]
        return Ok(Self { signal: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup())? });
        #[cfg(not(unix))]
        return Ok(Self {});
    }

    async fn next(&mut self) {
        #[cfg(unix)]
        if self.signal.recv().await.is_some() {
            return;
        }
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests;
