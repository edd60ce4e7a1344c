//! Takes in what uploads list, part by part, so that advisories that change judge it as they judge what the server read itself.
//!
//! Nothing is switched over before all parts are there. Parts may come in any order and more than once; those of an upload that is
//! not later than what is kept change nothing. Start reading at [`Uploads`].

use std::sync::Arc;
use std::time::Duration;

use aiva_chassis::clock::SharedClock;
use aiva_contracts::envelope::{Envelope, EventMessage as _};
use aiva_contracts::message::sca::v1::ContentsKept;
use aiva_contracts::message::scan::v1::ContentsUploaded;
use aiva_events::local::{self, Standing};
use aiva_events::{Context, HandleError, Handler, NewEvent};
use async_trait::async_trait;
use prost::{DecodeError, Message as _};

use super::SOURCE;
use crate::contents;
use crate::service::Service;
use crate::snapshot::Snapshot;
use crate::store::{Arrival, Journal, Part};

/// Keeps what uploads list.
pub struct Uploads {
    service: Arc<Service>,
    journal: Journal,
    clock: SharedClock,
}

impl Uploads {
    /// A consumer that keeps it in the journal.
    pub fn new(service: Arc<Service>, journal: Journal, clock: SharedClock) -> Self {
        Self { service, journal, clock }
    }

    async fn take_in(&self, event: &Envelope, part: ContentsUploaded) -> Result<(), HandleError> {
        let (service, scan) = (part.service.clone(), part.scan_id.clone());
        // Text is compared to tell which scan is the later one.
        let is_id = uuid::Uuid::parse_str(&scan).is_ok_and(|id| id.to_string() == scan);
        if !is_id || part.chunks > 0 && part.chunk >= part.chunks {
            return Err(HandleError::permanent(format!("part {} of {} of upload {scan:?}", part.chunk, part.chunks)));
        }
        if part.chunks == 0 {
            return self.keep(event, Snapshot::unknown(&service, &scan), Vec::new()).await;
        }
        let chunk = Part {
            service: service.clone(),
            scan: scan.clone(),
            chunk: part.chunk,
            chunks: part.chunks,
            body: event.data.clone(),
        };
        match self.journal.put_part(chunk).await.map_err(HandleError::transient)? {
            Arrival::Late | Arrival::Partial => return Ok(()),
            Arrival::Whole => {}
        }
        let parts = self.journal.parts(&service, &scan).await.map_err(HandleError::transient)?;
        let (guard, of) = (Arc::clone(&self.service), (service.clone(), scan.clone()));
        let judged = tokio::task::spawn_blocking(move || {
            // One after the other: all of them in their plain form take many times the room.
            let run =
                guard.judge_first(contents::join(parts.into_iter().map(|part| ContentsUploaded::decode(&*part)))?);
            Ok::<_, DecodeError>((Snapshot::of(&of.0, &of.1, &run), run.result.advisories))
        });
        let (snapshot, advisories) = match judged.await {
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            ended => ended.map_err(HandleError::transient)?.map_err(HandleError::permanent)?,
        };
        // Times of imports are whole seconds. Where both are the same, one judgement too many is better than one too few.
        let is_outdated = advisories.built_at.as_microsecond() >= part.knowledge_unix_micros;
        let kept = ContentsKept { scan_id: scan, service, is_outdated };
        self.keep(event, snapshot, vec![NewEvent::of(&kept, event.subject.as_str())]).await?;
        // Who looked for services that other advisories affect may not have seen it yet.
        let is_replaced = self.service.index().is_ok_and(|index| index.epoch() != advisories.epoch);
        if is_replaced && !is_outdated {
            let (kept, context) = (ContentsKept { is_outdated: true, ..kept }, self.context(event));
            let told = self.journal.tell(vec![NewEvent::of(&kept, event.subject.as_str())], context).await;
            told.map_err(HandleError::transient)?;
        }
        Ok(())
    }

    fn context(&self, event: &Envelope) -> Context {
        Context::following(event, SOURCE, self.clock.now())
    }

    async fn keep(&self, event: &Envelope, snapshot: Snapshot, events: Vec<NewEvent>) -> Result<(), HandleError> {
        self.journal.keep(snapshot, events, self.context(event)).await.map_err(HandleError::transient)
    }
}

/// The name that progress is kept under.
const CONSUMER: &str = "sca.uploads";

/// What is listened to.
const TYPES: &[&str] = &[ContentsUploaded::TYPE];

/// Whether what an upload lists may still come.
pub(super) async fn standing(journal: &Journal, upload: &str) -> Result<Standing, HandleError> {
    if upload.is_empty() {
        return Ok(Standing::Done); // the last scan was no upload
    }
    let subject = format!("scan/{upload}");
    local::standing(journal.database(), CONSUMER, TYPES, &subject).await.map_err(HandleError::transient)
}

#[async_trait]
impl Handler for Uploads {
    fn consumer(&self) -> &'static str {
        CONSUMER
    }

    fn types(&self) -> &'static [&'static str] {
        TYPES
    }

    /// A large one takes much room while it is judged.
    fn concurrency(&self) -> usize {
        2
    }

    fn deadline(&self) -> Duration {
        Duration::from_secs(10 * 60)
    }

    async fn handle(&self, event: &Envelope) -> Result<(), HandleError> {
        let part: ContentsUploaded = event.decode()?;
        if part.guard != "sca" {
            return Ok(());
        }
        self.take_in(event, part).await
    }
}
