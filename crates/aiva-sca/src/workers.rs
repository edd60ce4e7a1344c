//! Keeps the advisories of a running server fresh: at start, regularly, and when somebody asks.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use aiva_chassis::clock::SharedClock;
use aiva_chassis::health::Check;
use aiva_chassis::shutdown::Stop;
use aiva_contracts::message::sca::v1::AdvisoriesReplaced;
use tokio::sync::Notify;

use crate::advisory::update::Replaced;
use crate::events::tell_replaced;
use crate::service::{Service, chain};
use crate::store::Journal;

/// Asks the worker for an update now.
#[derive(Debug, Clone, Default)]
pub struct Updates(Arc<Notify>);

impl Updates {
    /// Whether the question will be heard; it always is while the worker lives.
    pub fn ask(&self) -> bool {
        self.0.notify_one();
        true
    }
}

/// How often the worker looks whether somebody else replaced the index.
const NOTICE: Duration = Duration::from_secs(2);

/// How often parts of uploads that are not whole are looked for. What was told before a start is delivered well before the first time.
const SWEEP: Duration = Duration::from_secs(3600);

/// So long parts wait for the others.
const PARTS_WAIT: Duration = Duration::from_secs(24 * 3600);

/// How far the worker has followed the index.
#[derive(Debug)]
struct Seen {
    /// The version that it saw last.
    epoch: Option<u64>,
    /// The version by which all that is stored was judged last. Nobody knows what a server missed before it started, so the
    /// first time everything is.
    judged: Option<u64>,
}

/// What the worker needs.
pub struct Keeper {
    /// The guard.
    pub service: Arc<Service>,
    /// Where it tells of a replacement.
    pub journal: Journal,
    /// Who asks.
    pub updates: Updates,
    /// How often it looks by itself; `None` for only when asked.
    pub every: Option<Duration>,
    /// Where the advisories come from, for the event.
    pub origin: String,
    /// The clock.
    pub clock: SharedClock,
    /// Says whether there is anything to judge by. Missing advisories are a warning, never unready.
    pub check: Check,
}

impl Keeper {
    /// Works until the stop.
    pub async fn run(&self, stop: Stop) -> Result<(), Infallible> {
        self.observe();
        let mut seen = Seen { epoch: self.epoch(), judged: None };
        // At start only when it is due: a restart is no reason to ask the whole Internet again.
        let mut sweep = tokio::time::interval_at(tokio::time::Instant::now() + SWEEP, SWEEP);
        sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut wait = self.every.map(|every| if self.is_due(every) { Duration::ZERO } else { every });
        loop {
            let due = async {
                match wait {
                    Some(wait) => tokio::time::sleep(wait).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.begun() => return Ok(()),
                () = self.updates.0.notified() => {}
                () = due => {}
                _ = sweep.tick() => {
                    self.sweep().await;
                    continue;
                }
                () = tokio::time::sleep(NOTICE) => {
                    // `aiva advisories import` beside a running server.
                    if stop.until(self.notice(&mut seen)).await.is_none() {
                        return Ok(());
                    }
                    wait = wait.map(|wait| wait.saturating_sub(NOTICE));
                    continue;
                }
            }
            if stop.until(self.update(&mut seen)).await.is_none() {
                return Ok(());
            }
            seen.epoch = self.epoch();
            wait = self.every;
        }
    }

    /// Removes what came of uploads whose other parts will not come any more.
    async fn sweep(&self) {
        match self.journal.forget_parts(self.clock.now() - PARTS_WAIT).await {
            Ok(0) => {}
            Ok(parts) => tracing::info!(parts, "parts of uploads that never became whole were removed"),
            Err(error) => tracing::warn!(error = %chain(&error), "old parts of uploads could not be removed"),
        }
    }

    /// The version of the index in force.
    fn epoch(&self) -> Option<u64> {
        self.service.index().ok().map(|index| index.epoch())
    }

    /// Tells of an index that somebody else put in place.
    async fn notice(&self, seen: &mut Seen) {
        let Ok(index) = self.service.index() else { return };
        if seen.epoch == Some(index.epoch()) {
            return;
        }
        seen.epoch = Some(index.epoch());
        let held = index.ecosystems();
        self.announce(
            held.iter().map(|one| one.ecosystem.osv_name().to_owned()).collect(),
            "a local import".to_owned(),
            seen,
        )
        .await;
        self.observe();
    }

    fn is_due(&self, every: Duration) -> bool {
        self.service.index().map_or(true, |index| index.status(self.clock.now()).age >= every)
    }

    async fn update(&self, seen: &mut Seen) {
        match self.service.update().await {
            None => {}
            Some(Ok(replaced)) => self.tell(&replaced, seen).await,
            Some(Err(error)) => tracing::warn!(error = %chain(&error), "the advisories could not be updated"),
        }
        self.observe();
    }

    async fn tell(&self, replaced: &Replaced, seen: &mut Seen) {
        if !replaced.missing.is_empty() {
            let names: Vec<&str> = replaced.missing.iter().map(|ecosystem| ecosystem.osv_name()).collect();
            tracing::warn!(missing = names.join(", "), "the mirror has no advisories of some ecosystems");
        }
        let changed = replaced.changed();
        if changed.is_empty() {
            return;
        }
        let ecosystems = changed.into_iter().map(|ecosystem| ecosystem.osv_name().to_owned()).collect();
        self.announce(ecosystems, self.origin.clone(), seen).await;
    }

    async fn announce(&self, ecosystems: Vec<String>, origin: String, seen: &mut Seen) {
        let Ok(index) = self.service.index() else { return };
        // Where nobody can tell who is affected, everybody is judged again.
        let unaffected = self.journal.unaffected(&index, seen.judged).await.unwrap_or_else(|error| {
            tracing::warn!(error = %chain(&error), "cannot tell whom new advisories affect; every service is judged again");
            Vec::new()
        });
        let status = self.service.index().map(|index| index.status(self.clock.now()));
        let Ok(status) = status else { return };
        let event = AdvisoriesReplaced {
            ecosystems,
            records: status.ecosystems.iter().map(|held| held.records).sum(),
            index_version: status.epoch,
            origin,
            unaffected,
        };
        match tell_replaced(&self.journal, &self.clock, event).await {
            Ok(()) => seen.judged = Some(index.epoch()),
            // Nobody was told, so the next one starts from all packages.
            Err(error) => {
                seen.judged = None;
                tracing::error!(error = %chain(&error), "new advisories are in use, but the event of it was not written");
            }
        }
    }

    fn observe(&self) {
        match self.service.status() {
            Ok(status) => match status.state {
                aiva_contracts::api::AdvisoryState::Current => self.check.up(),
                aiva_contracts::api::AdvisoryState::Stale => self.check.degraded("the advisories are too old"),
                aiva_contracts::api::AdvisoryState::Missing => self.check.degraded("there are no advisories yet"),
            },
            Err(error) => self.check.degraded(chain(&error)),
        }
    }
}
