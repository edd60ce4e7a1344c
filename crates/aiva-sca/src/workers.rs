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
        // At start only when it is due: a restart is no reason to ask the whole Internet again.
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
            }
            if stop.until(self.update()).await.is_none() {
                return Ok(());
            }
            wait = self.every;
        }
    }

    fn is_due(&self, every: Duration) -> bool {
        self.service.index().map_or(true, |index| index.status(self.clock.now()).age >= every)
    }

    async fn update(&self) {
        match self.service.update().await {
            None => {}
            Some(Ok(replaced)) => self.tell(&replaced).await,
            Some(Err(error)) => tracing::warn!(error = %chain(&error), "the advisories could not be updated"),
        }
        self.observe();
    }

    async fn tell(&self, replaced: &Replaced) {
        if !replaced.missing.is_empty() {
            let names: Vec<&str> = replaced.missing.iter().map(|ecosystem| ecosystem.osv_name()).collect();
            tracing::warn!(missing = names.join(", "), "the mirror has no advisories of some ecosystems");
        }
        let Some(report) = &replaced.report else { return };
        let status = self.service.index().map(|index| index.status(self.clock.now()));
        let Ok(status) = status else { return };
        let event = AdvisoriesReplaced {
            ecosystems: report.imported.iter().map(|imported| imported.ecosystem.osv_name().to_owned()).collect(),
            records: status.ecosystems.iter().map(|held| held.records).sum(),
            index_version: status.epoch,
            origin: self.origin.clone(),
        };
        if let Err(error) = tell_replaced(&self.journal, &self.clock, event).await {
            tracing::error!(error = %chain(&error), "new advisories are in use, but the event of it was not written");
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
