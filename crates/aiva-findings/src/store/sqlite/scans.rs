//! Scans and the inputs that they saw. A scan's row is its API form as JSON beside the columns that are searched.

use aiva_contracts::api::{
    DocumentInput, Guard, InputStatus, Scan, ScanFailure, ScanPhase, ScanProgress, ScanState, ServiceDescription,
};
use aiva_contracts::message::scan::v1::{ScanProgressed, ScanRequested};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::{Store, Work, from_json, refuse, to_json};
use crate::observation;
use aiva_events::publish::NewEvent;

use crate::ports::{Attempt, Done, Refusal, Request, ScanFilter};
use crate::scan::{self, Fact};

impl Store {
    /// Asks for a scan; one that waits or runs for the same service and guard is superseded.
    pub async fn request_scan(&self, now: Timestamp, request: Request, attempt: Option<Attempt>) -> Done<Scan> {
        self.write(now, move |work| {
            work.once(attempt.as_ref(), || {
                let (scan, description) = create(work, &request)?;
                let event = ScanRequested {
                    scan_id: scan.id.to_string(),
                    guard: request.guard.to_string(),
                    service: request.service.clone(),
                    paths: request.paths.clone(),
                    requested_by: request.by.clone(),
                    sources: description.source,
                };
                work.emit(NewEvent::of(&event, format!("scan/{}", scan.id)))?;
                Ok(scan)
            })
        })
        .await
    }

    /// A guard took the scan up.
    pub async fn start_scan(&self, now: Timestamp, id: Uuid) -> Done<()> {
        self.write(now, move |work| working(work, id, |_| {})).await
    }

    /// A guard says how far it is.
    pub async fn progress(&self, now: Timestamp, id: Uuid, far: ScanProgressed) -> Done<()> {
        self.write(now, move |work| {
            working(work, id, |scan| {
                scan.phase = scan::phase(far.phase());
                let mut current = far.current;
                observation::line(&mut current, 1000);
                scan.progress = ScanProgress {
                    done: bounded(far.done),
                    total: bounded(far.total),
                    packages: bounded(far.packages),
                    findings: bounded(far.findings),
                    current: (!current.is_empty()).then_some(current),
                };
            })
        })
        .await
    }

    /// The scan could not be run to its end.
    pub async fn fail_scan(&self, now: Timestamp, id: Uuid, mut failure: ScanFailure) -> Done<()> {
        observation::line(&mut failure.code, 100);
        observation::text(&mut failure.message, 4000);
        self.write(now, move |work| {
            let mut scan = get(work.tx, id)?;
            let Some(state) = scan::next(scan.state, Fact::Failed) else { return Ok(()) };
            scan.state = state;
            scan.phase = ScanPhase::Done;
            scan.finished_at = Some(work.now);
            scan.failure = Some(failure);
            put(work, &scan)
        })
        .await
    }

    /// One scan.
    pub async fn scan(&self, id: Uuid) -> Done<Scan> {
        self.read(move |conn| get(conn, id)).await
    }

    /// Scans, the latest first, those before `before` only.
    pub async fn scans(&self, filter: ScanFilter, before: Option<Uuid>, limit: u32) -> Done<Vec<Scan>> {
        self.read(move |conn| {
            let mut statement = conn.prepare_cached(
                "SELECT body FROM findings_scans
                 WHERE (?1 IS NULL OR service = ?1) AND (?2 IS NULL OR guard = ?2) AND (?3 IS NULL OR state = ?3)
                   AND (?4 IS NULL OR id < ?4)
                 ORDER BY id DESC LIMIT ?5",
            )?;
            let rows: Vec<String> = statement
                .query_map(
                    params![
                        filter.service,
                        filter.guard.map(Guard::as_str),
                        filter.state.map(ScanState::as_str),
                        before.map(|id| id.to_string()),
                        limit
                    ],
                    |row| row.get(0),
                )?
                .collect::<Result<_, _>>()?;
            rows.iter().map(|body| from_json(body)).collect()
        })
        .await
    }

    /// Inputs of a scan by path, after `after`.
    pub async fn inputs(
        &self,
        id: Uuid,
        status: Option<InputStatus>,
        after: Option<(String, String)>,
        limit: u32,
    ) -> Done<Vec<DocumentInput>> {
        self.read(move |conn| {
            get(conn, id)?;
            let (path, kind) = after.unwrap_or_default();
            let mut statement = conn.prepare_cached(
                "SELECT body FROM findings_inputs
                 WHERE scan = ?1 AND (?2 IS NULL OR status = ?2) AND (path, kind) > (?3, ?4)
                 ORDER BY path, kind LIMIT ?5",
            )?;
            let rows: Vec<String> = statement
                .query_map(params![id.to_string(), status.map(InputStatus::as_str), path, kind, limit], |row| {
                    row.get(0)
                })?
                .collect::<Result<_, _>>()?;
            rows.iter().map(|body| from_json(body)).collect()
        })
        .await
    }

    /// Services that the daily schedule owes a scan: those with sources whose last request is a day old.
    pub async fn due(&self, now: Timestamp, guard: Guard) -> Done<Vec<String>> {
        let services = self.services(None, None).await?;
        let is_due = move |last: &Option<Scan>| scan::is_due(last.as_ref().map(|scan| scan.requested_at), now);
        self.read(move |conn| {
            let mut due = Vec::new();
            for service in services.into_iter().filter(|service| !service.description.source.is_empty()) {
                let last = newest(conn, &service.name, "AND guard = ?2", guard.as_str())?;
                if is_due(&last) {
                    due.push(service.name);
                }
            }
            Ok(due)
        })
        .await
    }
}

/// The most that the contract lets a counter say.
fn bounded(count: u64) -> u64 {
    count.min(9_007_199_254_740_991)
}

pub(super) fn create(work: &Work<'_>, request: &Request) -> Done<(Scan, ServiceDescription)> {
    let service = super::services::service(work.tx, &request.service)?;
    for (index, path) in request.paths.iter().enumerate() {
        if !service.description.source.iter().any(|source| scan::lies_in(path, source))
            || path.split('/').any(|p| p == "..")
        {
            return refuse(Refusal::field(format!("/paths/{index}"), "is not at or below a source of the service"));
        }
    }
    supersede(work, request)?;
    let scan = Scan {
        id: Uuid::now_v7(),
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
        inputs: None,
        changes: None,
        failure: None,
    };
    put(work, &scan)?;
    Ok((scan, service.description))
}

fn supersede(work: &Work<'_>, request: &Request) -> Done<()> {
    let open: Vec<String> = work
        .tx
        .prepare_cached(
            "SELECT body FROM findings_scans WHERE service = ?1 AND guard = ?2 AND state IN ('requested', 'running')",
        )?
        .query_map(params![request.service, request.guard.as_str()], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for body in &open {
        let mut scan: Scan = from_json(body)?;
        if let Some(state) = scan::next(scan.state, Fact::Superseded) {
            scan.state = state;
            scan.phase = ScanPhase::Done;
            scan.finished_at = Some(work.now);
            put(work, &scan)?;
        }
    }
    Ok(())
}

fn working(work: &Work<'_>, id: Uuid, change: impl FnOnce(&mut Scan)) -> Done<()> {
    let mut scan = get(work.tx, id)?;
    let Some(state) = scan::next(scan.state, Fact::Working) else { return Ok(()) };
    scan.state = state;
    scan.started_at.get_or_insert(work.now);
    change(&mut scan);
    put(work, &scan)
}

pub(super) fn get(conn: &Connection, id: Uuid) -> Done<Scan> {
    let mut statement = conn.prepare_cached("SELECT body FROM findings_scans WHERE id = ?1")?;
    let body: Option<String> = statement.query_row([id.to_string()], |row| row.get(0)).optional()?;
    body.map_or_else(|| refuse(Refusal::NotFound("scan")), |body| from_json(&body))
}

pub(super) fn put(work: &Work<'_>, scan: &Scan) -> Done<()> {
    work.tx
        .prepare_cached(
            "INSERT INTO findings_scans (id, service, guard, state, requested_at, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (id) DO UPDATE SET state = excluded.state, body = excluded.body",
        )?
        .execute(params![
            scan.id.to_string(),
            scan.service,
            scan.guard.as_str(),
            scan.state.as_str(),
            scan.requested_at.as_microsecond(),
            to_json(scan)?
        ])?;
    Ok(())
}

/// The service's last scan of any state.
pub(super) fn latest(conn: &Connection, service: &str) -> Done<Option<Scan>> {
    newest(conn, service, "AND ?2 = ''", "")
}

/// The service's last scan that completed or failed.
pub(super) fn latest_ended(conn: &Connection, service: &str) -> Done<Option<Scan>> {
    newest(conn, service, "AND state IN ('completed', 'failed') AND ?2 = ''", "")
}

fn newest(conn: &Connection, service: &str, and: &str, value: &str) -> Done<Option<Scan>> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT body FROM findings_scans WHERE service = ?1 {and} ORDER BY id DESC LIMIT 1"
    ))?;
    let body: Option<String> = statement.query_row(params![service, value], |row| row.get(0)).optional()?;
    body.map(|body| from_json(&body)).transpose()
}
