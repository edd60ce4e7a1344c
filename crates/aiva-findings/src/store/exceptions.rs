//! Exceptions of the file and of the API, side by side.

use std::collections::HashMap;
use std::sync::Arc;

use aiva_contracts::api::{self, AcceptFinding, ExceptionMatch, Guard, Origin};
use aiva_store::StoreError;
use jiff::{Timestamp, civil::Date};

use super::rows::{ExceptionRow, Rows, Scope};
use super::{RULE, Store, Work, broken, day, findings, from_json, in_tx, on_snapshot, refuse, time, to_json, word};
use crate::exception::{Exception, Judge, Rule};
use crate::ports::{Done, Refusal};

impl Store {
    /// Every exception by id, and whether it still does anything.
    pub async fn exceptions(&self, now: Timestamp) -> Done<Vec<api::Exception>> {
        let file = Arc::clone(&self.file);
        on_snapshot!(self, list, file, now)
    }

    /// Removes an exception that was made over the API; what it covered is open again.
    pub async fn delete_exception(&self, now: Timestamp, id: String) -> Done<()> {
        in_tx!(self, "exception", now, delete, id)
    }
}

async fn list<R: Rows>(rows: &mut R, file: Arc<[Exception]>, now: Timestamp) -> Done<Vec<api::Exception>> {
    let stored = rows.exceptions().await?;
    let created: HashMap<String, i64> = stored.iter().map(|row| (row.id.clone(), row.created_at)).collect();
    let mut judge = Judge::new(joined(&file, stored)?, day(now));
    for kept in rows.alive(None).await? {
        judge.cover(kept.place(), kept.seen.names());
    }
    let mut shown: Vec<api::Exception> = judge
        .verdicts()
        .map(|verdict| {
            let it = verdict.exception;
            api::Exception {
                id: it.id.clone(),
                origin: it.origin,
                state: verdict.state,
                guard: it.guard,
                r#match: it.rule.parts(),
                owner: it.owner.clone(),
                reason: it.reason.clone(),
                expires: it.expires,
                matched: verdict.matched,
                created_at: created.get(&it.id).filter(|_| it.origin == Origin::Api).map(|at| time(*at)),
            }
        })
        .collect();
    shown.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(shown)
}

async fn delete<R: Rows>(work: &mut Work<'_, R>, id: String) -> Done<()> {
    if work.file.iter().any(|file| file.id == id) {
        return refuse(Refusal::ReadOnly("exception"));
    }
    work.rows.lock(Scope::All).await?;
    if !work.rows.remove_exception(&id).await? {
        return refuse(Refusal::NotFound("exception"));
    }
    findings::rejudge(work, None).await.map(drop)
}

/// A judge of all exceptions of today.
pub(super) async fn judge<R: Rows>(work: &mut Work<'_, R>) -> Done<Judge> {
    let stored = work.rows.exceptions().await?;
    Ok(Judge::new(joined(&work.file, stored)?, work.today()))
}

fn joined(file: &[Exception], stored: Vec<ExceptionRow>) -> Done<Vec<Exception>> {
    let mut all = file.to_vec();
    for row in stored {
        let rule = Rule::new(from_json(&row.rule)?).map_err(|_| {
            broken(RULE);
            StoreError::Rejected(Arc::new(UnreadableRule(row.id.clone())))
        })?;
        let (guard, expires): (Guard, Date) = (word(&row.guard)?, word(&row.expires)?);
        let (id, owner, reason) = (row.id, row.owner, row.reason);
        all.push(Exception { id, origin: Origin::Api, guard, rule, owner, reason, expires });
    }
    Ok(all)
}

/// A rule was stored that this release refuses.
#[derive(Debug, thiserror::Error)]
#[error("the stored rule of exception {0} is not valid")]
struct UnreadableRule(String);

pub(super) fn row(
    id: String,
    guard: Guard,
    rule: &ExceptionMatch,
    accept: &AcceptFinding,
    now: i64,
) -> Done<ExceptionRow> {
    Ok(ExceptionRow {
        id,
        guard: guard.to_string(),
        rule: to_json(rule)?,
        owner: accept.owner.clone(),
        reason: accept.reason.clone(),
        expires: accept.expires.to_string(),
        created_at: now,
    })
}

/// A pattern for exactly this path: what a pattern reads as a sign stands for any one character.
pub(super) fn literal(path: &str) -> String {
    path.replace('*', "?")
}
