//! One finding: its story, and the ways in which people change it.

use std::collections::BTreeSet;

use aiva_contracts::api::{AcceptFinding, ChangeCause, ExceptionMatch, FindingDetail, HistoryEntry};
use aiva_contracts::message::findings::v1 as event;
use aiva_events::publish::NewEvent;
use jiff::Timestamp;
use uuid::Uuid;

use super::kept::Kept;
use super::rows::{HistoryRow, Rows, Scope};
use super::{Store, Work, all_from_json, exceptions, in_tx, lists, on_snapshot, refuse, to_json};
use crate::exception::{Exception, Rule};
use crate::fingerprint::Fingerprint;
use crate::lifecycle::{self, Change, State};
use crate::observation;
use crate::ports::{Attempt, Done, Expect, Refusal};

/// The latest entries of a story that are shown; a finding that flaps for years still fits the contract.
const STORY: u32 = 1000;

impl Store {
    /// One finding with its story.
    pub async fn finding(&self, fingerprint: Fingerprint) -> Done<FindingDetail> {
        let fingerprint = fingerprint.to_string();
        on_snapshot!(self, detail, fingerprint)
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
        in_tx!(self, "finding", now, accepted, fingerprint, accept, expect, attempt)
    }

    /// Withdraws the acceptance of a finding.
    pub async fn reopen(&self, now: Timestamp, fingerprint: Fingerprint, expect: Expect) -> Done<FindingDetail> {
        in_tx!(self, "finding", now, reopened, fingerprint, expect)
    }

    /// Holds every finding against the exceptions of today: at start, each day, and whenever one changes.
    pub async fn rejudge(&self, now: Timestamp) -> Done<u64> {
        in_tx!(self, "finding", now, rejudge_all)
    }
}

async fn accepted<R: Rows>(
    work: &mut Work<'_, R>,
    fingerprint: Fingerprint,
    accept: AcceptFinding,
    expect: Expect,
    attempt: Option<Attempt>,
) -> Done<FindingDetail> {
    if let Some(answer) = work.answered(attempt.as_ref()).await? {
        return Ok(answer);
    }
    let kept = editable(work, fingerprint, &expect).await?;
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
        work.rows.remove_exception(before).await?;
    }
    let row = exceptions::row(Uuid::now_v7().to_string(), kept.guard, &rule, &accept, work.micros())?;
    work.rows.put_exception(&row).await?;
    rejudge(work, Some(&kept.service)).await?;
    let detail = detail(work.rows, kept.fingerprint).await?;
    work.answer(attempt.as_ref(), &detail).await?;
    Ok(detail)
}

async fn reopened<R: Rows>(work: &mut Work<'_, R>, fingerprint: Fingerprint, expect: Expect) -> Done<FindingDetail> {
    let kept = editable(work, fingerprint, &expect).await?;
    let State::Accepted(acceptance) = &kept.state else {
        return refuse(Refusal::NotNow("the finding is not accepted; there is nothing to withdraw"));
    };
    let exception = acceptance.exception.clone().unwrap_or_default();
    if work.file.iter().any(|file| file.id == exception) {
        return refuse(Refusal::ReadOnly("exception"));
    }
    work.rows.remove_exception(&exception).await?;
    rejudge(work, Some(&kept.service)).await?;
    detail(work.rows, kept.fingerprint).await
}

/// The finding as it is when nobody else can change it any more. A finding never changes its service.
async fn editable<R: Rows>(work: &mut Work<'_, R>, fingerprint: Fingerprint, expect: &Expect) -> Done<Kept> {
    let fingerprint = fingerprint.to_string();
    let kept = get(work.rows, &fingerprint).await?;
    work.lock_service(&kept.service).await?;
    let kept = get(work.rows, &fingerprint).await?;
    if expect(kept.revision) { Ok(kept) } else { refuse(Refusal::Stale) }
}

async fn get<R: Rows>(rows: &mut R, fingerprint: &str) -> Done<Kept> {
    let found = rows.findings(&[fingerprint.to_owned()]).await?;
    found.into_iter().next().map_or_else(|| refuse(Refusal::NotFound("finding")), Ok)
}

async fn detail<R: Rows>(rows: &mut R, fingerprint: String) -> Done<FindingDetail> {
    let kept = get(rows, &fingerprint).await?;
    let mut history: Vec<HistoryEntry> = all_from_json(&rows.history(&fingerprint, STORY).await?)?;
    history.reverse();
    Ok(FindingDetail {
        description: kept.seen.description.clone(),
        reason: (!kept.seen.reason.is_empty()).then(|| kept.seen.reason.clone()),
        references: kept.seen.references.clone(),
        symbols: (!kept.seen.symbols.is_empty()).then(|| kept.seen.symbols.clone()),
        more_symbols: (kept.seen.more_symbols > 0).then_some(kept.seen.more_symbols),
        history,
        finding: kept.shown(),
    })
}

async fn rejudge_all<R: Rows>(work: &mut Work<'_, R>) -> Done<u64> {
    work.rows.lock(Scope::All).await?;
    rejudge(work, None).await
}

/// How many findings changed, of one service or of all; the caller holds the lock.
pub(super) async fn rejudge<R: Rows>(work: &mut Work<'_, R>, service: Option<&str>) -> Done<u64> {
    let mut judge = exceptions::judge(work).await?;
    let mut changes = Changes::new(work.now);
    let mut changed = Vec::new();
    for mut kept in work.rows.alive(service).await? {
        let cover = judge.cover(kept.place(), kept.seen.names()).map(Exception::acceptance);
        if let Some(change) = lifecycle::covered(&kept.state, cover, work.today()) {
            changes.apply(&mut kept, change, None)?;
            changed.push(kept);
        }
    }
    work.settle(&changed, changes).await?;
    let places: BTreeSet<_> = changed.iter().map(|kept| (kept.service.clone(), kept.guard)).collect();
    for (service, guard) in places {
        lists::remember_today(work, &service, guard).await?;
    }
    Ok(u64::try_from(changed.len()).unwrap_or(u64::MAX))
}

/// What becomes of findings in one transaction: their stories and events. The rows are written with it by
/// [`Work::settle`].
pub(super) struct Changes {
    now: Timestamp,
    history: Vec<HistoryRow>,
    events: Vec<NewEvent>,
}

impl Changes {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { now, history: Vec::new(), events: Vec::new() }
    }

    /// Makes the change: state, story and event.
    pub(super) fn apply(&mut self, kept: &mut Kept, change: Change, scan: Option<Uuid>) -> Done<()> {
        kept.revision += 1;
        let before = std::mem::replace(&mut kept.state, change.to);
        let told = match (&kept.state, &before) {
            (State::Accepted(now), _) => Some(now),
            (_, State::Accepted(before)) => Some(before),
            _ => None,
        };
        let entry = HistoryEntry {
            at: self.now,
            from: change.from,
            to: kept.state.word(),
            cause: change.cause,
            by: told.map(|acceptance| acceptance.owner.clone()),
            note: told.map(|acceptance| acceptance.reason.clone()),
            scan,
        };
        let (fingerprint, revision) = (kept.fingerprint.clone(), kept.revision);
        self.history.push(HistoryRow { fingerprint, revision, body: to_json(&entry)? });
        self.events.push(told_of(kept, &before, change.cause, scan));
        Ok(())
    }
}

impl<R: Rows> Work<'_, R> {
    /// Writes findings, the entries of their stories and their events.
    pub(super) async fn settle(&mut self, findings: &[Kept], changes: Changes) -> Done<()> {
        self.rows.put_findings(findings).await?;
        self.rows.put_history(&changes.history).await?;
        self.emit(&changes.events).await
    }
}

fn told_of(kept: &Kept, before: &State, cause: ChangeCause, scan: Option<Uuid>) -> NewEvent {
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
    match (&kept.state, before) {
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
    }
}
