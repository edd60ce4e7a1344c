//! Takes in what scans say. A chunk is one transaction and is applied once, however often it is delivered; only the
//! completion of a scan closes anything, and only if no chunk is missing.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use aiva_contracts::api::{DocumentInput, Guard, Scan, ScanChanges, ScanPhase, ScanState};
use aiva_contracts::message::scan::v1 as message;
use aiva_events::publish::NewEvent;
use jiff::Timestamp;
use uuid::Uuid;

use super::findings::Changes;
use super::kept::Kept;
use super::rows::{NameRow, Rows};
use super::{Store, Work, exceptions, in_tx, lists, refuse, scans};
use crate::contents;
use crate::exception::{Exception, Judge};
use crate::export::count_inputs;
use crate::fingerprint::{Fingerprint, Known, Place};
use crate::lifecycle::{self, State};
use crate::observation::{self, Observation};
use crate::ports::{Attempt, Done, Refusal, Request};
use crate::scan::{self, Fact, Sight};
use crate::upload::Upload;

impl Store {
    /// Takes in one chunk of findings.
    pub async fn observe(&self, now: Timestamp, id: Uuid, chunk: u32, seen: Vec<Observation>) -> Done<()> {
        in_tx!(self, "scan", now, observe, id, chunk, seen)
    }

    /// Takes in one chunk of inputs.
    pub async fn observe_inputs(&self, now: Timestamp, id: Uuid, chunk: u32, inputs: Vec<DocumentInput>) -> Done<()> {
        in_tx!(self, "scan", now, observe_inputs, id, chunk, inputs)
    }

    /// Ends a scan and closes what is gone.
    pub async fn complete_scan(&self, now: Timestamp, id: Uuid, ended: message::ScanCompleted) -> Done<()> {
        in_tx!(self, "scan", now, end, id, ended)
    }

    /// Takes in a whole scan that ran elsewhere, in one transaction: all of it or nothing.
    pub async fn upload(
        &self,
        now: Timestamp,
        service: String,
        guard: Guard,
        by: String,
        upload: Upload,
        attempt: Option<Attempt>,
    ) -> Done<Scan> {
        let request = Request { service, guard, paths: Vec::new(), by };
        let uploaded = Arc::new(upload);
        in_tx!(self, "scan", now, take, request, uploaded, attempt)
    }
}

async fn observe<R: Rows>(work: &mut Work<'_, R>, id: Uuid, chunk: u32, seen: Vec<Observation>) -> Done<()> {
    let scan = scans::locked(work, id).await?;
    if scan::is_over(scan.state) || !work.rows.claim(id, "findings", chunk).await? {
        return Ok(());
    }
    take_in(work, scan, seen).await.map(drop)
}

async fn observe_inputs<R: Rows>(work: &mut Work<'_, R>, id: Uuid, chunk: u32, inputs: Vec<DocumentInput>) -> Done<()> {
    let scan = scans::locked(work, id).await?;
    if scan::is_over(scan.state) || !work.rows.claim(id, "inputs", chunk).await? {
        return Ok(());
    }
    keep_inputs(work, id, &inputs).await
}

async fn end<R: Rows>(work: &mut Work<'_, R>, id: Uuid, ended: message::ScanCompleted) -> Done<()> {
    let scan = scans::locked(work, id).await?;
    if scan::is_over(scan.state) {
        return Ok(());
    }
    if work.rows.chunks(id, "findings").await? != u64::from(ended.finding_chunks)
        || work.rows.chunks(id, "inputs").await? != u64::from(ended.input_chunks)
    {
        return refuse(Refusal::Missing);
    }
    complete(work, scan, ended.packages, ended.ignored).await.map(drop)
}

/// So many parts of what an upload lists are told at once.
const TOLD_AT_ONCE: usize = 16;

async fn take<R: Rows>(
    work: &mut Work<'_, R>,
    request: Request,
    uploaded: Arc<Upload>,
    attempt: Option<Attempt>,
) -> Done<Scan> {
    if let Some(answer) = work.answered(attempt.as_ref()).await? {
        return Ok(answer);
    }
    let (mut scan, _) = scans::create(work, &request).await?;
    scan.state = ScanState::Running;
    scan.started_at = Some(work.now);
    scan.watched = Some(uploaded.parts.is_some());
    keep_inputs(work, scan.id, &uploaded.inputs).await?;
    let seen = uploaded.findings.iter().cloned().map(Observation::from).collect();
    let scan = take_in(work, scan, seen).await?;
    let summary = &uploaded.summary;
    let scan = complete(work, scan, summary.packages, summary.inputs.ignored).await?;
    let subject = format!("scan/{}", scan.id);
    let mut parts = contents::told(&scan, &uploaded);
    loop {
        let event = |part| NewEvent::encoded::<message::ContentsUploaded>(part, subject.as_str());
        let events: Vec<NewEvent> = parts.by_ref().take(TOLD_AT_ONCE).map(event).collect();
        if events.is_empty() {
            break;
        }
        work.emit(&events).await?;
    }
    work.answer(attempt.as_ref(), &scan).await?;
    Ok(scan)
}

/// Each input once: of two that say the same place, the later one holds.
async fn keep_inputs<R: Rows>(work: &mut Work<'_, R>, scan: Uuid, inputs: &[DocumentInput]) -> Done<()> {
    let once: BTreeMap<_, _> = inputs.iter().map(|input| ((&input.path, &input.kind), input)).collect();
    work.rows.put_inputs(scan, &once.into_values().collect::<Vec<_>>()).await
}

/// Takes findings in, in batches: what is known of their places is read, all is decided, then all is written.
async fn take_in<R: Rows>(work: &mut Work<'_, R>, mut scan: Scan, seen: Vec<Observation>) -> Done<Scan> {
    let mut judge = exceptions::judge(work).await?;
    let mut places: Vec<_> = seen.iter().map(|seen| (seen.path.clone(), seen.name.clone())).collect();
    places.sort();
    places.dedup();
    let mut names = Names::new(work.rows.names(scan.guard, &scan.service, &places).await?);
    let seen: Vec<(String, Observation)> = seen.into_iter().map(|seen| (names.resolve(&scan, &seen), seen)).collect();
    let mut fingerprints: Vec<String> = seen.iter().map(|(fingerprint, _)| fingerprint.clone()).collect();
    fingerprints.sort();
    fingerprints.dedup();
    let mut chunk = Chunk::new(work.now, work.rows.findings(&fingerprints).await?);
    for (fingerprint, seen) in seen {
        chunk.take(&scan, fingerprint, seen, &mut judge)?;
    }
    work.settle(&chunk.findings, chunk.changes).await?;
    work.rows.put_names(scan.guard, &scan.service, &names.into_rows()).await?;
    let changes = scan.changes.get_or_insert(ScanChanges { opened: 0, reopened: 0, fixed: 0 });
    changes.opened += chunk.opened;
    changes.reopened += chunk.reopened;
    work.rows.put_scans(std::slice::from_ref(&scan)).await?;
    Ok(scan)
}

/// The names of findings at the places of one chunk, those that it adds included.
struct Names {
    known: HashMap<(String, String), Known>,
    ages: HashMap<Fingerprint, u64>,
    new: BTreeMap<(String, String, String), String>,
    next: u64,
}

impl Names {
    fn new(rows: Vec<NameRow>) -> Self {
        // What is new in this chunk is younger than anything that is stored.
        let mut this = Self { known: HashMap::new(), ages: HashMap::new(), new: BTreeMap::new(), next: 1 << 63 };
        for row in rows {
            let Ok(fingerprint) = row.fingerprint.parse() else { continue };
            this.ages.insert(fingerprint, row.age);
            this.known.entry((row.path, row.package)).or_default().insert(row.name, row.age, fingerprint);
        }
        this
    }

    /// The finding that an observation belongs to; all of its names are that finding's from now on.
    fn resolve(&mut self, scan: &Scan, seen: &Observation) -> String {
        let place = Place { guard: scan.guard.as_str(), service: &scan.service, path: &seen.path, package: &seen.name };
        let known = self.known.entry((seen.path.clone(), seen.name.clone())).or_default();
        let finding = known.resolve(place, seen.names());
        let age = *self.ages.entry(finding).or_insert_with(|| {
            self.next += 1;
            self.next
        });
        let fingerprint = finding.to_string();
        for name in seen.names() {
            known.insert(name, age, finding);
            self.new.insert((seen.path.clone(), seen.name.clone(), name.to_owned()), fingerprint.clone());
        }
        fingerprint
    }

    fn into_rows(self) -> Vec<NameRow> {
        let row = |((path, package, name), fingerprint)| NameRow { path, package, name, fingerprint, age: 0 };
        self.new.into_iter().map(row).collect()
    }
}

/// The findings that one chunk touches, and what becomes of them. Pure.
struct Chunk {
    now: Timestamp,
    findings: Vec<Kept>,
    known: HashMap<String, Kept>,
    touched: HashMap<String, usize>,
    changes: Changes,
    opened: u64,
    reopened: u64,
}

impl Chunk {
    fn new(now: Timestamp, known: Vec<Kept>) -> Self {
        Self {
            now,
            findings: Vec::new(),
            known: known.into_iter().map(|kept| (kept.fingerprint.clone(), kept)).collect(),
            touched: HashMap::new(),
            changes: Changes::new(now),
            opened: 0,
            reopened: 0,
        }
    }

    fn take(&mut self, scan: &Scan, fingerprint: String, seen: Observation, judge: &mut Judge) -> Done<()> {
        let place = Place { guard: scan.guard.as_str(), service: &scan.service, path: &seen.path, package: &seen.name };
        let cover = judge.cover(place, seen.names()).map(Exception::acceptance);
        let (index, is_new) = self.find(scan, fingerprint, &seen);
        let kept = &mut self.findings[index];
        let before = (!is_new).then_some(&kept.state);
        let change = lifecycle::seen(before, cover, super::day(self.now));
        let id = scan.id.to_string();
        // A second version of the same package in the same file is the same finding.
        kept.seen = if !is_new && kept.last_scan == id { both(kept.seen.clone(), seen) } else { seen };
        kept.last_seen = self.now.as_microsecond();
        kept.last_scan = id;
        let Some(change) = change else { return Ok(()) };
        self.changes.apply(kept, change, Some(scan.id))?;
        match kept.state {
            State::Reopened => self.reopened += 1,
            State::Open | State::Accepted(_) if is_new => self.opened += 1,
            State::Open | State::Accepted(_) | State::Fixed => {}
        }
        Ok(())
    }

    /// Where the finding is, and whether nobody has seen it before.
    fn find(&mut self, scan: &Scan, fingerprint: String, seen: &Observation) -> (usize, bool) {
        if let Some(index) = self.touched.get(&fingerprint) {
            return (*index, false);
        }
        let index = self.findings.len();
        self.touched.insert(fingerprint.clone(), index);
        let known = self.known.remove(&fingerprint);
        let is_new = known.is_none();
        self.findings.push(known.unwrap_or_else(|| Kept {
            fingerprint,
            guard: scan.guard,
            service: scan.service.clone(),
            state: State::Open,
            seen: seen.clone(),
            first_seen: self.now.as_microsecond(),
            last_seen: self.now.as_microsecond(),
            last_scan: scan.id.to_string(),
            revision: 0,
        }));
        (index, is_new)
    }
}

fn both(mut first: Observation, second: Observation) -> Observation {
    if !first.version.split(", ").any(|version| version == second.version) {
        first.version = format!("{}, {}", first.version, second.version);
        observation::line(&mut first.version, 300);
    }
    for name in second.names() {
        if !first.names().any(|known| known == name) && first.aliases.len() < 100 {
            first.aliases.push(name.to_owned());
        }
    }
    if second.severity.level < first.severity.level {
        first.severity = second.severity;
    }
    first
}

async fn complete<R: Rows>(work: &mut Work<'_, R>, mut scan: Scan, packages: u64, ignored: u64) -> Done<Scan> {
    let id = scan.id.to_string();
    let inputs = work.rows.inputs(scan.id, None, &Default::default(), None).await?;
    let sight = Sight::new(scan.paths.clone(), inputs.iter().map(|input| (input.path.clone(), input.status)));
    let mut changes = Changes::new(work.now);
    let mut fixed = Vec::new();
    let mut seen = 0;
    for mut kept in work.rows.alive(Some(&scan.service)).await? {
        if kept.guard != scan.guard {
            continue;
        }
        if kept.last_scan == id {
            seen += 1;
        } else if sight.covers(&kept.seen.path)
            && let Some(change) = lifecycle::gone(&kept.state)
        {
            changes.apply(&mut kept, change, Some(scan.id))?;
            fixed.push(kept);
        }
    }
    work.settle(&fixed, changes).await?;
    scan.state = scan::next(scan.state, Fact::Completed).unwrap_or(scan.state);
    scan.phase = ScanPhase::Done;
    scan.finished_at = Some(work.now);
    scan.started_at.get_or_insert(work.now);
    scan.complete = scan::is_complete(&inputs);
    scan.inputs = Some(count_inputs(&inputs, ignored.min(1_000_000_000)));
    let total = u64::try_from(inputs.len()).unwrap_or(u64::MAX);
    scan.progress.done = total;
    scan.progress.total = total;
    scan.progress.packages = packages.min(9_007_199_254_740_991);
    scan.progress.findings = seen;
    scan.progress.current = None;
    let fixed = u64::try_from(fixed.len()).unwrap_or(u64::MAX);
    scan.changes.get_or_insert(ScanChanges { opened: 0, reopened: 0, fixed: 0 }).fixed = fixed;
    work.rows.put_scans(std::slice::from_ref(&scan)).await?;
    lists::remember_today(work, &scan.service, scan.guard).await?;
    Ok(scan)
}
