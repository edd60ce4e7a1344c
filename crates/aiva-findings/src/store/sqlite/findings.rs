//! One finding: its row, its history, and the ways in which people change it.

use aiva_contracts::api::{
    AcceptFinding, ChangeCause, ExceptionMatch, Finding, FindingDetail, Guard, HistoryEntry, Level,
};
use aiva_contracts::message::findings::v1 as event;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::{Store, Work, exceptions, from_json, int, lists, refuse, time, to_json, uint, word};
use crate::exception::{Judge, Rule};
use crate::fingerprint::{Fingerprint, Place};
use crate::lifecycle::{self, Change, State};
use crate::observation::{self, Observation};
use aiva_events::publish::NewEvent;

use crate::ports::{Attempt, Done, Expect, Refusal};

/// A finding with all that its row holds.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) fingerprint: String,
    pub(super) guard: Guard,
    pub(super) service: String,
    pub(super) state: State,
    pub(super) seen: Observation,
    pub(super) first_seen: i64,
    pub(super) last_seen: i64,
    pub(super) last_scan: String,
    pub(super) revision: u64,
}

pub(super) const COLUMNS: &str =
    "fingerprint, guard, service, state, body, acceptance, first_seen, last_seen, last_scan, revision";

/// The columns as they are stored.
pub(super) struct Raw {
    texts: [String; 5],
    acceptance: Option<String>,
    first_seen: i64,
    last_seen: i64,
    last_scan: String,
    revision: i64,
}

pub(super) fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok(Raw {
        texts: [row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?],
        acceptance: row.get(5)?,
        first_seen: row.get(6)?,
        last_seen: row.get(7)?,
        last_scan: row.get(8)?,
        revision: row.get(9)?,
    })
}

impl Raw {
    pub(super) fn kept(self) -> Done<Kept> {
        let [fingerprint, guard, service, state, body] = self.texts;
        let acceptance = self.acceptance.as_deref().map(from_json).transpose()?;
        Ok(Kept {
            state: match (state.as_str(), acceptance) {
                ("accepted", Some(acceptance)) => State::Accepted(acceptance),
                ("fixed", _) => State::Fixed,
                ("reopened", _) => State::Reopened,
                _ => State::Open,
            },
            seen: Observation::from(from_json::<aiva_contracts::api::DocumentFinding>(&body)?),
            guard: word(&guard)?,
            fingerprint,
            service,
            first_seen: self.first_seen,
            last_seen: self.last_seen,
            last_scan: self.last_scan,
            revision: uint(self.revision),
        })
    }
}

impl Kept {
    pub(super) fn place(&self) -> Place<'_> {
        Place { guard: self.guard.as_str(), service: &self.service, path: &self.seen.path, package: &self.seen.name }
    }

    /// As the API shows it.
    pub(super) fn shown(self) -> Finding {
        let seen = self.seen;
        Finding {
            fingerprint: self.fingerprint,
            guard: self.guard,
            service: self.service,
            state: self.state.word(),
            kind: seen.kind,
            severity: seen.severity,
            id: seen.id,
            aliases: seen.aliases,
            purl: seen.purl,
            name: seen.name,
            version: seen.version,
            ecosystem: seen.ecosystem,
            path: seen.path,
            line: seen.line,
            fixed_versions: seen.fixed_versions,
            summary: seen.summary,
            first_seen: time(self.first_seen),
            last_seen: time(self.last_seen),
            revision: self.revision,
            acceptance: match self.state {
                State::Accepted(acceptance) => Some(acceptance),
                State::Open | State::Fixed | State::Reopened => None,
            },
        }
    }
}

impl Store {
    /// One finding with its story.
    pub async fn finding(&self, fingerprint: Fingerprint) -> Done<FindingDetail> {
        self.read(move |conn| detail(conn, &fingerprint.to_string())).await
    }

    /// Accepts a finding until a date: an exception for exactly this place and advisory.
    pub async fn accept(
        &self,
        now: Timestamp,
        fingerprint: Fingerprint,
        accept: AcceptFinding,
        expect: Expect,
        attempt: Option<Attempt>,
    ) -> Done<FindingDetail> {
        self.write(now, move |work| {
            work.once(attempt.as_ref(), || {
                let kept = editable(work, &fingerprint.to_string(), &expect)?;
                let age = (accept.expires - work.today()).get_days();
                if !(0..=731).contains(&age) {
                    return refuse(Refusal::field("/expires", "is not between today and two years from now"));
                }
                if kept.state == State::Fixed {
                    return refuse(Refusal::NotNow("the finding is fixed; there is nothing to accept"));
                }
                let mut rule = ExceptionMatch {
                    id: Some(kept.seen.id.clone()),
                    package: Some(kept.seen.name.clone()),
                    path: Some(exceptions::literal(&kept.seen.path)),
                    service: Some(kept.service.clone()),
                };
                // A path that no pattern can name must not make a rule that cannot be read back.
                if Rule::new(rule.clone()).is_err() {
                    rule.path = None;
                }
                // The last word of a person replaces the one before.
                if let State::Accepted(before) = &kept.state
                    && let Some(before) = &before.exception
                {
                    exceptions::remove(work, before)?;
                }
                exceptions::insert(work, &Uuid::now_v7().to_string(), kept.guard, &rule, &accept)?;
                rejudge(work, Some(&kept.service))?;
                detail(work.tx, &kept.fingerprint)
            })
        })
        .await
    }

    /// Withdraws the acceptance of a finding.
    pub async fn reopen(&self, now: Timestamp, fingerprint: Fingerprint, expect: Expect) -> Done<FindingDetail> {
        self.write(now, move |work| {
            let kept = editable(work, &fingerprint.to_string(), &expect)?;
            let State::Accepted(acceptance) = &kept.state else {
                return refuse(Refusal::NotNow("the finding is not accepted; there is nothing to withdraw"));
            };
            let exception = acceptance.exception.as_deref().unwrap_or_default();
            if work.file.iter().any(|file| file.id == exception) {
                return refuse(Refusal::ReadOnly("exception"));
            }
            exceptions::remove(work, exception)?;
            rejudge(work, Some(&kept.service))?;
            detail(work.tx, &kept.fingerprint)
        })
        .await
    }

    /// Holds every finding against the exceptions of today: at start, each day, and whenever one changes.
    pub async fn rejudge(&self, now: Timestamp) -> Done<u64> {
        self.write(now, |work| rejudge(work, None)).await
    }
}

fn editable(work: &Work<'_>, fingerprint: &str, expect: &Expect) -> Done<Kept> {
    let kept = get(work.tx, fingerprint)?;
    if expect(kept.revision) { Ok(kept) } else { refuse(Refusal::Stale) }
}

pub(super) fn get(conn: &Connection, fingerprint: &str) -> Done<Kept> {
    let mut statement =
        conn.prepare_cached(&format!("SELECT {COLUMNS} FROM findings_findings WHERE fingerprint = ?1"))?;
    let row = statement.query_row([fingerprint], raw).optional()?;
    row.map_or_else(|| refuse(Refusal::NotFound("finding")), Raw::kept)
}

fn detail(conn: &Connection, fingerprint: &str) -> Done<FindingDetail> {
    let kept = get(conn, fingerprint)?;
    // The first and the latest entries: a finding that flaps for years still fits the contract.
    let history: Vec<String> = conn
        .prepare_cached("SELECT body FROM findings_history WHERE fingerprint = ?1 ORDER BY revision DESC LIMIT 1000")?
        .query_map([fingerprint], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    Ok(FindingDetail {
        description: kept.seen.description.clone(),
        reason: (!kept.seen.reason.is_empty()).then(|| kept.seen.reason.clone()),
        references: kept.seen.references.clone(),
        history: history.iter().rev().map(|body| from_json(body)).collect::<Done<_>>()?,
        finding: kept.shown(),
    })
}

/// All that are not fixed, of one service or of all.
pub(super) fn alive(conn: &Connection, service: Option<&str>) -> Done<Vec<Kept>> {
    let rows: Vec<Raw> = conn
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM findings_findings WHERE state <> 'fixed' AND (?1 IS NULL OR service = ?1) ORDER BY age"
        ))?
        .query_map([service], raw)?
        .collect::<Result<_, _>>()?;
    rows.into_iter().map(Raw::kept).collect()
}

/// How many findings changed.
pub(super) fn rejudge(work: &Work<'_>, service: Option<&str>) -> Done<u64> {
    let mut judge = Judge::new(exceptions::all(work.tx, work.file)?, work.today());
    let mut changes = 0;
    for mut kept in alive(work.tx, service)? {
        let cover = judge.cover(kept.place(), kept.seen.names()).map(crate::exception::Exception::acceptance);
        if let Some(change) = lifecycle::covered(&kept.state, cover, work.today()) {
            apply(work, &mut kept, change, None)?;
            save(work, &kept)?;
            lists::remember_today(work, &kept.service, kept.guard)?;
            changes += 1;
        }
    }
    Ok(changes)
}

/// Makes the change: state, history and event. The row itself is written by [`save`].
pub(super) fn apply(work: &Work<'_>, kept: &mut Kept, change: Change, scan: Option<Uuid>) -> Done<()> {
    kept.revision += 1;
    let before = std::mem::replace(&mut kept.state, change.to);
    let told = match (&kept.state, &before) {
        (State::Accepted(now), _) => Some(now),
        (_, State::Accepted(before)) => Some(before),
        _ => None,
    };
    let entry = HistoryEntry {
        at: work.now,
        from: change.from,
        to: kept.state.word(),
        cause: change.cause,
        by: told.map(|acceptance| acceptance.owner.clone()),
        note: told.map(|acceptance| acceptance.reason.clone()),
        scan,
    };
    work.tx
        .prepare_cached("INSERT INTO findings_history (fingerprint, revision, body) VALUES (?1, ?2, ?3)")?
        .execute(params![kept.fingerprint, int(kept.revision), to_json(&entry)?])?;
    tell(work, kept, &before, change.cause, scan)
}

fn tell(work: &Work<'_>, kept: &Kept, before: &State, cause: ChangeCause, scan: Option<Uuid>) -> Done<()> {
    let finding = Some(event::FindingSummary {
        fingerprint: kept.fingerprint.clone(),
        guard: kept.guard.to_string(),
        service: kept.service.clone(),
        id: kept.seen.id.clone(),
        kind: observation::kind_to(kept.seen.kind).into(),
        level: observation::level_to(kept.seen.severity.level).into(),
        package_name: kept.seen.name.clone(),
        version: kept.seen.version.clone(),
        path: kept.seen.path.clone(),
        summary: kept.seen.summary.clone(),
    });
    let scan_id = scan.map(|id| id.to_string()).unwrap_or_default();
    let subject = format!("finding/{}", kept.fingerprint);
    let outgoing = match (&kept.state, before) {
        (State::Accepted(acceptance), _) => NewEvent::of(
            &event::FindingAccepted {
                finding,
                owner: acceptance.owner.clone(),
                reason: acceptance.reason.clone(),
                expires: acceptance.expires.to_string(),
            },
            subject,
        ),
        (State::Open, State::Accepted(ended)) if cause == ChangeCause::Expired => NewEvent::of(
            &event::AcceptanceExpired { finding, owner: ended.owner.clone(), expires: ended.expires.to_string() },
            subject,
        ),
        (State::Open, _) => NewEvent::of(&event::FindingOpened { finding, scan_id }, subject),
        (State::Reopened, _) => NewEvent::of(&event::FindingReopened { finding, scan_id }, subject),
        (State::Fixed, _) => NewEvent::of(&event::FindingFixed { finding, scan_id }, subject),
    };
    work.emit(outgoing)
}

/// Writes the row.
pub(super) fn save(work: &Work<'_>, kept: &Kept) -> Done<()> {
    let acceptance = match &kept.state {
        State::Accepted(acceptance) => Some(to_json(acceptance)?),
        State::Open | State::Fixed | State::Reopened => None,
    };
    let seen = &kept.seen;
    let haystack = seen.names().chain([seen.name.as_str(), &seen.path, &seen.summary]).collect::<Vec<_>>().join("\n");
    work.tx
        .prepare_cached(
            "INSERT INTO findings_findings (fingerprint, guard, service, state, kind, level, package, path, haystack, body,
               acceptance, first_seen, last_seen, last_scan, revision)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
             ON CONFLICT (fingerprint) DO UPDATE SET state = excluded.state, kind = excluded.kind, level = excluded.level,
               haystack = excluded.haystack, body = excluded.body, acceptance = excluded.acceptance,
               last_seen = excluded.last_seen, last_scan = excluded.last_scan, revision = excluded.revision",
        )?
        .execute(params![
            kept.fingerprint,
            kept.guard.as_str(),
            kept.service,
            kept.state.word().as_str(),
            seen.kind.as_str(),
            rank(seen.severity.level),
            seen.name,
            seen.path,
            haystack.to_lowercase(),
            to_json(&stored(&kept.fingerprint, seen))?,
            acceptance,
            kept.first_seen,
            kept.last_seen,
            kept.last_scan,
            int(kept.revision),
        ])?;
    Ok(())
}

/// The worst is 0.
pub(super) fn rank(level: Level) -> i64 {
    Level::ALL.iter().position(|l| *l == level).and_then(|rank| i64::try_from(rank).ok()).unwrap_or(i64::MAX)
}

fn stored(fingerprint: &str, seen: &Observation) -> aiva_contracts::api::DocumentFinding {
    let seen = seen.clone();
    aiva_contracts::api::DocumentFinding {
        id: seen.id,
        aliases: seen.aliases,
        fingerprint: fingerprint.to_owned(),
        purl: seen.purl,
        name: seen.name,
        version: seen.version,
        ecosystem: seen.ecosystem,
        path: seen.path,
        line: seen.line,
        kind: seen.kind,
        severity: seen.severity,
        fixed_versions: seen.fixed_versions,
        summary: seen.summary,
        description: seen.description,
        references: seen.references,
        reason: (!seen.reason.is_empty()).then_some(seen.reason),
        acceptance: None,
    }
}
