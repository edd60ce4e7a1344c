//! Answers a requested scan with events: started, progress, inputs and findings in chunks, completed or failed.

mod uploads;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aiva_chassis::clock::SharedClock;
use aiva_contracts::envelope::{Envelope, EventMessage as _};
use aiva_contracts::message::sca::v1::AdvisoriesReplaced;
use aiva_contracts::message::scan::v1 as message;
use aiva_events::local::Standing;
use aiva_events::{Context, HandleError, Handler, NewEvent};
use async_trait::async_trait;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::inventory;
use crate::service::{Run, RunError, Service, chain};
use crate::snapshot::Snapshot;
use crate::store::Journal;

pub use uploads::Uploads;

/// The name that the guard's progress is kept under.
const CONSUMER: &str = "sca.scan";

/// Who asks for a scan when advisories were replaced (api/proto: ScanRequested).
const BY_ADVISORIES: &str = "advisories";

/// Who says so.
const SOURCE: &str = "aiva/sca";

/// The most findings or inputs of one event (api/proto: FindingsObserved, InputsObserved).
const CHUNK: usize = 500;

/// How often progress is told while something moves.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);

/// What an upload lists has not come yet; judging an older scan would open and close what it knows better.
#[derive(Debug, thiserror::Error)]
#[error("what upload {0} lists is still on its way")]
struct Underway(String);

/// Scans what is asked for.
pub struct Scanner {
    service: Arc<Service>,
    journal: Journal,
    clock: SharedClock,
}

impl Scanner {
    /// A scanner that tells the journal.
    pub fn new(service: Arc<Service>, journal: Journal, clock: SharedClock) -> Self {
        Self { service, journal, clock }
    }

    fn context(&self, cause: &Envelope) -> Context {
        Context::following(cause, SOURCE, self.clock.now())
    }

    async fn answer(&self, event: &Envelope, request: &message::ScanRequested) -> Result<(), HandleError> {
        let subject = event.subject.as_str();
        let started = message::ScanStarted {
            scan_id: request.scan_id.clone(),
            guard: request.guard.clone(),
            service: request.service.clone(),
        };
        self.tell(event, vec![NewEvent::of(&started, subject)]).await?;
        let mut keep = None;
        let last = match self.run(event, request).await? {
            Ok(run) => {
                // Only a scan of everything says what a service is built from.
                keep = request.paths.is_empty().then(|| Snapshot::of(&request.service, &request.scan_id, &run));
                self.report(event, request, &run).await?
            }
            Err(error) => NewEvent::of(
                &message::ScanFailed {
                    scan_id: request.scan_id.clone(),
                    guard: request.guard.clone(),
                    service: request.service.clone(),
                    code: error.code().to_owned(),
                    message: chain(&error),
                },
                subject,
            ),
        };
        let conclude = self.journal.conclude(CONSUMER, event, vec![last], self.context(event), keep);
        conclude.await.map_err(HandleError::transient)
    }

    /// New advisories judge what the last scan read; everybody else gets a new look.
    async fn run(
        &self,
        event: &Envelope,
        request: &message::ScanRequested,
    ) -> Result<Result<Run, RunError>, HandleError> {
        if request.requested_by == BY_ADVISORIES && request.paths.is_empty() {
            // Asked before what is kept is: what is taken in meanwhile counts as on its way, and is there the next time.
            let standing = uploads::standing(&self.journal, &request.upload_id).await?;
            let held = self.journal.kept(&request.service).await.map_err(HandleError::transient)?;
            if held.as_ref().map_or("", |held| &held.scan) < request.upload_id.as_str() {
                return match standing {
                    Standing::Coming => Err(HandleError::transient(Underway(request.upload_id.clone()))),
                    Standing::Stuck | Standing::Done => Ok(Err(RunError::ContentsMissing(request.upload_id.clone()))),
                };
            }
            if let Some(kept) = held.and_then(|held| held.kept) {
                let service = Arc::clone(&self.service);
                return match tokio::task::spawn_blocking(move || service.judge_again(kept)).await {
                    Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                    ended => ended.map_err(HandleError::transient),
                };
            }
        }
        self.scan(event, request).await
    }

    /// Runs the scan beside the event loop and tells its progress meanwhile.
    async fn scan(
        &self,
        event: &Envelope,
        request: &message::ScanRequested,
    ) -> Result<Result<Run, RunError>, HandleError> {
        let (sender, receiver) = watch::channel(message::ScanProgressed {
            scan_id: request.scan_id.clone(),
            ..message::ScanProgressed::default()
        });
        let (service, sources) = (Arc::clone(&self.service), sources(request));
        let (done_before, total_before) = (AtomicU64::new(0), AtomicU64::new(0));
        let mut running = tokio::task::spawn_blocking(move || {
            service.run(&sources, &|progress| {
                sender.send_modify(|seen| advance(seen, progress, &done_before, &total_before));
            })
        });
        let mut tick = tokio::time::interval(PROGRESS_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tick.tick().await;
        let mut told = receiver.borrow().clone();
        loop {
            tokio::select! {
                ended = &mut running => {
                    // A panic in the scan goes on here, where the dispatcher contains and counts it.
                    return match ended {
                        Ok(result) => Ok(result),
                        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                        Err(error) => Err(HandleError::transient(error)),
                    };
                }
                _ = tick.tick() => {
                    let now = receiver.borrow().clone();
                    if now != told {
                        self.tell(event, vec![NewEvent::of(&now, event.subject.as_str())]).await?;
                        told = now;
                    }
                }
            }
        }
    }

    /// Tells inputs and findings in chunks; the closing event is returned.
    async fn report(
        &self,
        event: &Envelope,
        request: &message::ScanRequested,
        run: &Run,
    ) -> Result<NewEvent, HandleError> {
        let subject = event.subject.as_str();
        let inputs = run.inputs();
        let mut input_chunks = 0;
        for chunk in inputs.chunks(CHUNK) {
            let observed = message::InputsObserved {
                scan_id: request.scan_id.clone(),
                chunk: input_chunks,
                inputs: chunk.to_vec(),
            };
            self.tell(event, vec![NewEvent::of(&observed, subject)]).await?;
            input_chunks += 1;
        }
        let mut finding_chunks = 0;
        let findings = run.findings();
        for chunk in findings.chunks(CHUNK) {
            let observed = message::FindingsObserved {
                scan_id: request.scan_id.clone(),
                guard: request.guard.clone(),
                service: request.service.clone(),
                chunk: finding_chunks,
                findings: chunk.to_vec(),
            };
            self.tell(event, vec![NewEvent::of(&observed, subject)]).await?;
            finding_chunks += 1;
        }
        let completed = message::ScanCompleted {
            scan_id: request.scan_id.clone(),
            guard: request.guard.clone(),
            service: request.service.clone(),
            finding_chunks,
            input_chunks,
            packages: run.inventory.inputs.iter().map(|input| input.packages.len() as u64).sum(),
            ignored: run.inventory.ignored_lockfiles.len() as u64,
            knowledge_unix_micros: run.result.advisories.built_at.as_microsecond(),
        };
        Ok(NewEvent::of(&completed, subject))
    }

    async fn tell(&self, cause: &Envelope, events: Vec<NewEvent>) -> Result<(), HandleError> {
        self.journal.tell(events, self.context(cause)).await.map_err(HandleError::transient)
    }
}

#[async_trait]
impl Handler for Scanner {
    fn consumer(&self) -> &'static str {
        CONSUMER
    }

    fn types(&self) -> &'static [&'static str] {
        &[message::ScanRequested::TYPE]
    }

    fn concurrency(&self) -> usize {
        2
    }

    fn deadline(&self) -> Duration {
        Duration::from_secs(30 * 60)
    }

    async fn handle(&self, event: &Envelope) -> Result<(), HandleError> {
        let request: message::ScanRequested = event.decode().map_err(HandleError::permanent)?;
        if request.guard != "sca" {
            return Ok(());
        }
        self.answer(event, &request).await
    }
}

/// Tells that advisories were replaced.
pub async fn tell_replaced(
    journal: &Journal,
    clock: &SharedClock,
    replaced: AdvisoriesReplaced,
) -> Result<(), HandleError> {
    let now = clock.now();
    let context = Context::new(SOURCE, now, format!("advisories-{}", replaced.index_version));
    journal.tell(vec![NewEvent::of(&replaced, "advisories")], context).await.map_err(HandleError::transient)
}

/// What to read: the paths asked for, else all sources of the service.
fn sources(request: &message::ScanRequested) -> Vec<String> {
    if request.paths.is_empty() { request.sources.clone() } else { request.paths.clone() }
}

/// Adds up over several sources: numbers only grow within one scan.
fn advance(
    seen: &mut message::ScanProgressed,
    progress: inventory::Progress,
    done_before: &AtomicU64,
    total_before: &AtomicU64,
) {
    match progress {
        inventory::Progress::Found(found) => {
            if seen.phase() == message::ScanPhase::Reading {
                // The next source begins.
                done_before.store(seen.done, Ordering::Relaxed);
                total_before.store(seen.total, Ordering::Relaxed);
            }
            seen.set_phase(message::ScanPhase::Discovering);
            seen.total = seen.total.max(total_before.load(Ordering::Relaxed) + found as u64);
        }
        inventory::Progress::Read { done, total } => {
            seen.set_phase(message::ScanPhase::Reading);
            seen.done = seen.done.max(done_before.load(Ordering::Relaxed) + done as u64);
            seen.total = seen.total.max(total_before.load(Ordering::Relaxed) + total as u64);
        }
    }
}
