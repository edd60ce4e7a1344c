//! Takes in what scans say. A chunk is one transaction and is applied once, however often it is delivered; only the
//! completion of a scan closes anything, and only if no chunk is missing.

use aiva_contracts::api::{
    DocumentInput, DocumentNotJudged, DocumentProblem, Guard, InputStatus, Scan, ScanChanges, ScanDocument, ScanPhase,
    ScanState,
};
use aiva_contracts::message::scan::v1 as message;
use jiff::Timestamp;
use rusqlite::params;
use uuid::Uuid;

use super::findings::{self, Kept};
use super::scans;
use super::{Store, Work, exceptions, from_json, lists, refuse, to_json, uint};
use crate::exception::{Exception, Judge};
use crate::export::count_inputs;
use crate::fingerprint::{Fingerprint, Known, Place};
use crate::lifecycle::{self, State};
use crate::observation::{self, Observation};
use crate::ports::{Attempt, Done, Refusal, Request};
use crate::scan::{self, Fact, Sight};

impl Store {
    /// Takes in one chunk of findings.
    pub async fn observe(&self, now: Timestamp, id: Uuid, chunk: u32, seen: Vec<Observation>) -> Done<()> {
        self.write(now, move |work| {
            let scan = scans::get(work.tx, id)?;
            if scan::is_over(scan.state) || !claim(work, id, "findings", chunk)? {
                return Ok(());
            }
            take_in(work, &scan, seen)
        })
        .await
    }

    /// Takes in one chunk of inputs.
    pub async fn observe_inputs(&self, now: Timestamp, id: Uuid, chunk: u32, inputs: Vec<DocumentInput>) -> Done<()> {
        self.write(now, move |work| {
            let scan = scans::get(work.tx, id)?;
            if scan::is_over(scan.state) || !claim(work, id, "inputs", chunk)? {
                return Ok(());
            }
            keep_inputs(work, id, &inputs)
        })
        .await
    }

    /// Ends a scan and closes what is gone.
    pub async fn complete_scan(&self, now: Timestamp, id: Uuid, ended: message::ScanCompleted) -> Done<()> {
        self.write(now, move |work| {
            let scan = scans::get(work.tx, id)?;
            if scan::is_over(scan.state) {
                return Ok(());
            }
            if chunks(work, id, "findings")? != ended.finding_chunks
                || chunks(work, id, "inputs")? != ended.input_chunks
            {
                return refuse(Refusal::Missing);
            }
            complete(work, scan, ended.packages, ended.ignored).map(drop)
        })
        .await
    }

    /// Takes in a whole scan that ran elsewhere, in one transaction: all of it or nothing.
    pub async fn upload(
        &self,
        now: Timestamp,
        service: String,
        guard: Guard,
        by: String,
        document: ScanDocument,
        attempt: Option<Attempt>,
    ) -> Done<Scan> {
        self.write(now, move |work| {
            work.once(attempt.as_ref(), || {
                let request = Request { service, guard, paths: Vec::new(), by };
                let (mut scan, _) = scans::create(work, &request)?;
                scan.state = ScanState::Running;
                scan.started_at = Some(work.now);
                scans::put(work, &scan)?;
                keep_inputs(work, scan.id, &document.inputs)?;
                take_in(work, &scan, document.findings.into_iter().map(Observation::from).collect())?;
                let inputs = &document.summary.inputs;
                complete(work, scan, document.summary.packages, inputs.ignored)
            })
        })
        .await
    }
}

/// Inputs as the API shows them, cut to its bounds.
pub(crate) fn input(seen: message::ObservedInput) -> DocumentInput {
    let status = match seen.status() {
        message::InputStatus::Unspecified | message::InputStatus::Failed => InputStatus::Failed,
        message::InputStatus::Parsed => InputStatus::Parsed,
        message::InputStatus::Partial => InputStatus::Partial,
        message::InputStatus::Unsupported => InputStatus::Unsupported,
    };
    let cut = |mut value: String, most: usize| {
        observation::text(&mut value, most);
        value
    };
    let line = |line: u32| line.min(i32::MAX.unsigned_abs());
    DocumentInput {
        path: cut(seen.path, 1000),
        kind: cut(seen.kind, 100),
        status,
        packages: seen.packages.min(1_000_000_000),
        not_judged: seen
            .not_judged
            .into_iter()
            .take(100_000)
            .map(|entry| DocumentNotJudged {
                ecosystem: cut(entry.ecosystem, 100),
                name: cut(entry.name, 1000),
                requirement: cut(entry.requirement, 2000),
                line: line(entry.line),
                reason: cut(entry.reason, 2000),
            })
            .collect(),
        problems: seen
            .problems
            .into_iter()
            .take(100_000)
            .map(|problem| DocumentProblem { line: line(problem.line), message: cut(problem.message, 4000) })
            .collect(),
    }
}

/// Whether this chunk is new.
fn claim(work: &Work<'_>, scan: Uuid, kind: &str, chunk: u32) -> Done<bool> {
    let mut statement =
        work.tx.prepare_cached("INSERT OR IGNORE INTO findings_chunks (scan, kind, chunk) VALUES (?1, ?2, ?3)")?;
    Ok(statement.execute(params![scan.to_string(), kind, chunk])? == 1)
}

fn chunks(work: &Work<'_>, scan: Uuid, kind: &str) -> Done<u32> {
    let sql = "SELECT count(*) FROM findings_chunks WHERE scan = ?1 AND kind = ?2";
    let count = work.tx.prepare_cached(sql)?.query_row(params![scan.to_string(), kind], |row| row.get(0))?;
    Ok(count)
}

fn keep_inputs(work: &Work<'_>, scan: Uuid, inputs: &[DocumentInput]) -> Done<()> {
    let mut statement = work.tx.prepare_cached(
        "INSERT OR REPLACE INTO findings_inputs (scan, path, kind, status, body) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for input in inputs {
        let status = input.status.as_str();
        statement.execute(params![scan.to_string(), input.path, input.kind, status, to_json(input)?])?;
    }
    Ok(())
}

fn take_in(work: &Work<'_>, scan: &Scan, seen: Vec<Observation>) -> Done<()> {
    let mut judge = Judge::new(exceptions::all(work.tx, work.file)?, work.today());
    let (mut opened, mut reopened) = (0, 0);
    for seen in seen {
        match one(work, scan, seen, &mut judge)? {
            Some((State::Reopened, _)) => reopened += 1,
            Some((State::Open | State::Accepted(_), true)) => opened += 1,
            _ => {}
        }
    }
    let mut scan = scans::get(work.tx, scan.id)?;
    let changes = scan.changes.get_or_insert(ScanChanges { opened: 0, reopened: 0, fixed: 0 });
    changes.opened += opened;
    changes.reopened += reopened;
    scans::put(work, &scan)
}

/// One observation; answers the new state and whether the finding is new, if anything changed.
fn one(work: &Work<'_>, scan: &Scan, seen: Observation, judge: &mut Judge) -> Done<Option<(State, bool)>> {
    let place = Place { guard: scan.guard.as_str(), service: &scan.service, path: &seen.path, package: &seen.name };
    let known = known(work, place)?;
    let fingerprint = known.resolve(place, seen.names()).to_string();
    name(work, place, &seen, &fingerprint)?;
    let before = match findings::get(work.tx, &fingerprint) {
        Ok(kept) => Some(kept),
        Err(aiva_store::TxError::Refused(Refusal::NotFound(_))) => None,
        Err(error) => return Err(error),
    };
    let cover = judge.cover(place, seen.names()).map(Exception::acceptance);
    let change = lifecycle::seen(before.as_ref().map(|kept| &kept.state), cover, work.today());
    let is_new = before.is_none();
    let id = scan.id.to_string();
    let mut kept = match before {
        Some(mut kept) => {
            // A second version of the same package in the same file is the same finding.
            kept.seen = if kept.last_scan == id { both(kept.seen, seen) } else { seen };
            kept
        }
        None => Kept {
            fingerprint,
            guard: scan.guard,
            service: scan.service.clone(),
            state: State::Open,
            seen,
            first_seen: work.micros(),
            last_seen: work.micros(),
            last_scan: id.clone(),
            revision: 0,
        },
    };
    kept.last_seen = work.micros();
    kept.last_scan = id;
    let changed = change.is_some();
    if let Some(change) = change {
        findings::apply(work, &mut kept, change, Some(scan.id))?;
    }
    findings::save(work, &kept)?;
    Ok(changed.then_some((kept.state, is_new)))
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

fn known(work: &Work<'_>, place: Place<'_>) -> Done<Known> {
    let rows: Vec<(String, i64, String)> = work
        .tx
        .prepare_cached(
            "SELECT n.name, f.age, n.fingerprint FROM findings_names n JOIN findings_findings f USING (fingerprint)
             WHERE n.guard = ?1 AND n.service = ?2 AND n.path = ?3 AND n.package = ?4",
        )?
        .query_map([place.guard, place.service, place.path, place.package], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?
        .collect::<Result<_, _>>()?;
    let mut known = Known::default();
    for (name, age, fingerprint) in rows {
        if let Ok(fingerprint) = fingerprint.parse::<Fingerprint>() {
            known.insert(name, uint(age), fingerprint);
        }
    }
    Ok(known)
}

fn name(work: &Work<'_>, place: Place<'_>, seen: &Observation, fingerprint: &str) -> Done<()> {
    let mut statement = work.tx.prepare_cached(
        "INSERT OR REPLACE INTO findings_names (guard, service, path, package, name, fingerprint)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for name in seen.names() {
        statement.execute([place.guard, place.service, place.path, place.package, name, fingerprint])?;
    }
    Ok(())
}

fn complete(work: &Work<'_>, scan: Scan, packages: u64, ignored: u64) -> Done<Scan> {
    let id = scan.id.to_string();
    let inputs: Vec<String> = work
        .tx
        .prepare_cached("SELECT body FROM findings_inputs WHERE scan = ?1")?
        .query_map([&id], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let inputs: Vec<DocumentInput> = inputs.iter().map(|body| from_json(body)).collect::<Done<_>>()?;
    let sight = Sight::new(scan.paths.clone(), inputs.iter().map(|input| (input.path.clone(), input.status)));
    let mut fixed = 0;
    let mut seen = 0;
    for mut kept in findings::alive(work.tx, Some(&scan.service))? {
        if kept.guard != scan.guard {
            continue;
        }
        if kept.last_scan == id {
            seen += 1;
        } else if sight.covers(&kept.seen.path)
            && let Some(change) = lifecycle::gone(&kept.state)
        {
            findings::apply(work, &mut kept, change, Some(scan.id))?;
            findings::save(work, &kept)?;
            fixed += 1;
        }
    }
    let mut scan = scans::get(work.tx, scan.id)?;
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
    scan.changes.get_or_insert(ScanChanges { opened: 0, reopened: 0, fixed: 0 }).fixed = fixed;
    scans::put(work, &scan)?;
    lists::remember_today(work, &scan.service, scan.guard)?;
    Ok(scan)
}
