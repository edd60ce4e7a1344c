//! Hears what guards say of their scans. The only way in for a guard's results while a server runs.
//!
//! Handling an event twice does nothing the second time: chunks are claimed in the transaction that takes them in, and a
//! scan that has ended does not change.

use std::collections::HashSet;

use aiva_contracts::api::{Guard, ScanFailure};
use aiva_contracts::envelope::{Envelope, EventMessage};
use aiva_contracts::message::sca::v1::{AdvisoriesReplaced, ContentsKept};
use aiva_contracts::message::scan::v1 as message;
use aiva_events::consume::{HandleError, Handler};
use aiva_store::TxError;
use async_trait::async_trait;
use uuid::Uuid;

use crate::observation::input;
use crate::ports::{Done, Refusal, Request};
use crate::scan::{BY_ADVISORIES, is_judged_again};
use crate::service::Findings;

/// The consumer of what scans say.
#[derive(Debug, Clone)]
pub struct ScanEvents(pub Findings);

#[async_trait]
impl Handler for ScanEvents {
    fn consumer(&self) -> &'static str {
        "findings"
    }

    fn types(&self) -> &'static [&'static str] {
        &[
            message::ScanStarted::TYPE,
            message::ScanProgressed::TYPE,
            message::FindingsObserved::TYPE,
            message::InputsObserved::TYPE,
            message::ScanCompleted::TYPE,
            message::ScanFailed::TYPE,
        ]
    }

    async fn handle(&self, event: &Envelope) -> Result<(), HandleError> {
        let outcome = self.take_in(event).await?;
        self.0.wake();
        match outcome {
            // The service was deleted while it was scanned: nobody wants to know any more.
            Err(TxError::Refused(Refusal::NotFound(_))) => Ok(()),
            outcome => Ok(outcome?),
        }
    }
}

/// Has every service judged again when what it is judged by has changed: what was clean yesterday may not be today. Those of
/// which the guard says that nothing changes are left alone, and so are those whose last scan nobody can judge again.
#[derive(Debug, Clone)]
pub struct AdvisoryEvents(pub Findings);

#[async_trait]
impl Handler for AdvisoryEvents {
    fn consumer(&self) -> &'static str {
        "findings.advisories"
    }

    fn types(&self) -> &'static [&'static str] {
        &[AdvisoriesReplaced::TYPE, ContentsKept::TYPE]
    }

    async fn handle(&self, event: &Envelope) -> Result<(), HandleError> {
        if event.is::<ContentsKept>() {
            return self.outdated(&event.decode()?).await;
        }
        let replaced: AdvisoriesReplaced = event.decode()?;
        let unaffected: HashSet<&str> = replaced.unaffected.iter().map(String::as_str).collect();
        // Asked twice for one event, the second request supersedes the first: nothing is lost or counted double.
        let services = self.0.store.services(None, None).await?;
        for service in services.into_iter().filter(|service| !unaffected.contains(service.name.as_str())) {
            let last = self.0.store.last_whole(service.name.clone(), Guard::Sca).await?;
            if is_judged_again(last.as_ref(), !service.description.source.is_empty()) {
                self.judge_again(service.name).await?;
            }
        }
        Ok(())
    }
}

impl AdvisoryEvents {
    /// An upload that was judged by older advisories than the guard has, and is the last word on its service still.
    async fn outdated(&self, kept: &ContentsKept) -> Result<(), HandleError> {
        let last = self.0.store.last_whole(kept.service.clone(), Guard::Sca).await?;
        if kept.is_outdated && last.is_some_and(|last| last.id.to_string() == kept.scan_id) {
            self.judge_again(kept.service.clone()).await?;
        }
        Ok(())
    }

    async fn judge_again(&self, service: String) -> Result<(), HandleError> {
        let request = Request { service, guard: Guard::Sca, paths: Vec::new(), by: BY_ADVISORIES.to_owned() };
        match self.0.request_scan(request).await {
            // It was deleted in the meantime.
            Err(TxError::Refused(Refusal::NotFound(_))) => Ok(()),
            asked => Ok(asked.map(drop)?),
        }
    }
}

impl ScanEvents {
    async fn take_in(&self, event: &Envelope) -> Result<Done<()>, HandleError> {
        let store = self.0.store.following(event);
        let now = self.0.now();
        Ok(match event.kind.as_str() {
            message::ScanStarted::TYPE => {
                let started: message::ScanStarted = event.decode()?;
                store.start_scan(now, id(&started.scan_id)?).await
            }
            message::ScanProgressed::TYPE => {
                let far: message::ScanProgressed = event.decode()?;
                store.progress(now, id(&far.scan_id)?, far).await
            }
            message::FindingsObserved::TYPE => {
                let seen: message::FindingsObserved = event.decode()?;
                let findings = seen.findings.into_iter().map(Into::into).collect();
                store.observe(now, id(&seen.scan_id)?, seen.chunk, findings).await
            }
            message::InputsObserved::TYPE => {
                let seen: message::InputsObserved = event.decode()?;
                let inputs = seen.inputs.into_iter().map(input).collect();
                store.observe_inputs(now, id(&seen.scan_id)?, seen.chunk, inputs).await
            }
            message::ScanCompleted::TYPE => {
                let ended: message::ScanCompleted = event.decode()?;
                store.complete_scan(now, id(&ended.scan_id)?, ended).await
            }
            message::ScanFailed::TYPE => {
                let failed: message::ScanFailed = event.decode()?;
                let failure = ScanFailure { code: failed.code, message: failed.message };
                store.fail_scan(now, id(&failed.scan_id)?, failure).await
            }
            _ => Ok(()),
        })
    }
}

fn id(text: &str) -> Result<Uuid, HandleError> {
    text.parse().map_err(HandleError::permanent)
}
