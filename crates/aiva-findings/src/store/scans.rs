//! Scans and the inputs that they saw. A scan's row is its API form as JSON beside the columns that are searched.

use aiva_contracts::api::{
    DocumentInput, Guard, InputStatus, Scan, ScanFailure, ScanPhase, ScanProgress, ScanState, ServiceDescription,
};
use aiva_contracts::message::scan::v1::{ScanProgressed, ScanRequested};
use aiva_events::publish::NewEvent;
use jiff::Timestamp;
use uuid::Uuid;

use super::rows::{Newest, Rows};
use super::{Store, Work, in_tx, on_snapshot, refuse, services};
use crate::observation;
use crate::ports::{Attempt, Done, Refusal, Request, ScanFilter};
use crate::scan::{self, BY_ADVISORIES, Fact};

/// Path and kind of the last input of a page.
type Place = (String, String);

impl Store {
    /// Asks for a scan; one that waits or runs for the same service and guard is superseded.
    pub async fn request_scan(&self, now: Timestamp, request: Request, attempt: Option<Attempt>) -> Done<Scan> {
        in_tx!(self, "scan", now, ask, request, attempt)
    }

    /// A guard took the scan up.
    pub async fn start_scan(&self, now: Timestamp, id: Uuid) -> Done<()> {
        in_tx!(self, "scan", now, start, id)
    }

    /// A guard says how far it is.
    pub async fn progress(&self, now: Timestamp, id: Uuid, far: ScanProgressed) -> Done<()> {
        in_tx!(self, "scan", now, progress, id, far)
    }

    /// The scan could not be run to its end.
    pub async fn fail_scan(&self, now: Timestamp, id: Uuid, mut failure: ScanFailure) -> Done<()> {
        observation::line(&mut failure.code, 100);
        observation::text(&mut failure.message, 4000);
        in_tx!(self, "scan", now, fail, id, failure)
    }

    /// One scan.
    pub async fn scan(&self, id: Uuid) -> Done<Scan> {
        on_snapshot!(self, get, id)
    }

    /// The last scan of everything of a service that came to its end.
    pub async fn last_whole(&self, service: String, guard: Guard) -> Done<Option<Scan>> {
        on_snapshot!(self, last_of, service, guard)
    }

    /// Scans, the latest first, those before `before` only.
    pub async fn scans(&self, filter: ScanFilter, before: Option<Uuid>, limit: u32) -> Done<Vec<Scan>> {
        on_snapshot!(self, list, filter, before, limit)
    }

    /// Inputs of a scan by path, after `after`.
    pub async fn inputs(
        &self,
        id: Uuid,
        status: Option<InputStatus>,
        after: Option<Place>,
        limit: u32,
    ) -> Done<Vec<DocumentInput>> {
        on_snapshot!(self, inputs, id, status, after, limit)
    }

    /// Services that the daily schedule owes a scan: those with sources whose last request is a day old.
    pub async fn due(&self, now: Timestamp, guard: Guard) -> Done<Vec<String>> {
        let services = self.services(None, None).await?.into_iter();
        let names: Vec<String> = services.filter(|s| !s.description.source.is_empty()).map(|s| s.name).collect();
        let wanted = names.clone();
        let last = on_snapshot!(self, newest, wanted, guard)?;
        let is_due = |name: &String| {
            let last = last.iter().find(|scan| scan.service == *name);
            scan::is_due(last.map(|scan| scan.requested_at), now)
        };
        Ok(names.into_iter().filter(is_due).collect())
    }
}

async fn ask<R: Rows>(work: &mut Work<'_, R>, request: Request, attempt: Option<Attempt>) -> Done<Scan> {
    if let Some(answer) = work.answered(attempt.as_ref()).await? {
        return Ok(answer);
    }
    let (scan, description) = create(work, &request).await?;
    let last =
        if request.by == BY_ADVISORIES { last_whole(work.rows, &request.service, request.guard).await? } else { None };
    let upload = last.filter(scan::is_upload).map(|upload| upload.id.to_string());
    let event = ScanRequested {
        scan_id: scan.id.to_string(),
        guard: request.guard.to_string(),
        service: request.service,
        paths: request.paths,
        requested_by: request.by,
        sources: description.source,
        upload_id: upload.unwrap_or_default(),
    };
    work.emit(&[NewEvent::of(&event, format!("scan/{}", scan.id))]).await?;
    work.answer(attempt.as_ref(), &scan).await?;
    Ok(scan)
}

/// The last scan of everything that came to its end.
async fn last_whole<R: Rows>(rows: &mut R, service: &str, guard: Guard) -> Done<Option<Scan>> {
    let filter =
        ScanFilter { service: Some(service.to_owned()), guard: Some(guard), state: Some(ScanState::Completed) };
    let mut before = None;
    loop {
        let page = rows.scans(&filter, before, 50).await?;
        let Some(end) = page.last().map(|scan| scan.id) else { return Ok(None) };
        if let Some(whole) = page.into_iter().find(|scan| scan.paths.is_empty()) {
            return Ok(Some(whole));
        }
        before = Some(end);
    }
}

async fn last_of<R: Rows>(rows: &mut R, service: String, guard: Guard) -> Done<Option<Scan>> {
    last_whole(rows, &service, guard).await
}

async fn start<R: Rows>(work: &mut Work<'_, R>, id: Uuid) -> Done<()> {
    working(work, id, |_| {}).await
}

async fn progress<R: Rows>(work: &mut Work<'_, R>, id: Uuid, far: ScanProgressed) -> Done<()> {
    let mut current = far.current.clone();
    observation::line(&mut current, 1000);
    working(work, id, |scan| {
        scan.phase = scan::phase(far.phase());
        scan.progress = ScanProgress {
            done: bounded(far.done),
            total: bounded(far.total),
            packages: bounded(far.packages),
            findings: bounded(far.findings),
            current: (!current.is_empty()).then_some(current),
        };
    })
    .await
}

async fn fail<R: Rows>(work: &mut Work<'_, R>, id: Uuid, failure: ScanFailure) -> Done<()> {
    let mut scan = locked(work, id).await?;
    let Some(state) = scan::next(scan.state, Fact::Failed) else { return Ok(()) };
    scan.state = state;
    scan.phase = ScanPhase::Done;
    scan.finished_at = Some(work.now);
    scan.failure = Some(failure);
    work.rows.put_scans(&[scan]).await
}

async fn working<R: Rows>(work: &mut Work<'_, R>, id: Uuid, change: impl FnOnce(&mut Scan) + Send) -> Done<()> {
    let mut scan = locked(work, id).await?;
    let Some(state) = scan::next(scan.state, Fact::Working) else { return Ok(()) };
    scan.state = state;
    scan.started_at.get_or_insert(work.now);
    change(&mut scan);
    work.rows.put_scans(&[scan]).await
}

/// The scan, with its service locked. A scan never changes its service.
pub(super) async fn locked<R: Rows>(work: &mut Work<'_, R>, id: Uuid) -> Done<Scan> {
    let scan = get(work.rows, id).await?;
    work.lock_service(&scan.service).await?;
    get(work.rows, id).await
}

async fn get<R: Rows>(rows: &mut R, id: Uuid) -> Done<Scan> {
    rows.scan(id).await?.map_or_else(|| refuse(Refusal::NotFound("scan")), Ok)
}

async fn list<R: Rows>(rows: &mut R, filter: ScanFilter, before: Option<Uuid>, limit: u32) -> Done<Vec<Scan>> {
    rows.scans(&filter, before, limit).await
}

async fn newest<R: Rows>(rows: &mut R, services: Vec<String>, guard: Guard) -> Done<Vec<Scan>> {
    rows.newest_scans(&services, Newest::Of(guard)).await
}

async fn inputs<R: Rows>(
    rows: &mut R,
    id: Uuid,
    status: Option<InputStatus>,
    after: Option<Place>,
    limit: u32,
) -> Done<Vec<DocumentInput>> {
    get(rows, id).await?;
    rows.inputs(id, status, &after.unwrap_or_default(), Some(limit)).await
}

/// The most that the contract lets a counter say.
fn bounded(count: u64) -> u64 {
    count.min(9_007_199_254_740_991)
}

/// A new scan of a service, which is locked from now on.
pub(super) async fn create<R: Rows>(work: &mut Work<'_, R>, request: &Request) -> Done<(Scan, ServiceDescription)> {
    work.lock_service(&request.service).await?;
    let service = services::one(work.rows, request.service.clone()).await?;
    for (index, path) in request.paths.iter().enumerate() {
        if !service.description.source.iter().any(|source| scan::lies_in(path, source))
            || path.split('/').any(|p| p == "..")
        {
            return refuse(Refusal::field(format!("/paths/{index}"), "is not at or below a source of the service"));
        }
    }
    let mut scans = work.rows.open_scans(&request.service, request.guard).await?;
    for superseded in &mut scans {
        superseded.state = scan::next(superseded.state, Fact::Superseded).unwrap_or(superseded.state);
        superseded.phase = ScanPhase::Done;
        superseded.finished_at = Some(work.now);
    }
    let last = work.rows.newest_scans(std::slice::from_ref(&request.service), Newest::Of(request.guard)).await?;
    let scan = Scan {
        id: scan::id(Uuid::now_v7(), last.first().map(|last| last.id)),
        service: request.service.clone(),
        guard: request.guard,
        state: ScanState::Requested,
        phase: ScanPhase::Waiting,
        paths: request.paths.clone(),
        requested_by: request.by.clone(),
        requested_at: work.now,
        started_at: None,
        finished_at: None,
        progress: ScanProgress { done: 0, total: 0, packages: 0, findings: 0, current: None },
        complete: false,
        watched: None,
        inputs: None,
        changes: None,
        failure: None,
    };
    scans.push(scan.clone());
    work.rows.put_scans(&scans).await?;
    Ok((scan, service.description))
}
