//! Exceptions of the file and of the API, side by side.

use aiva_contracts::api::{self, AcceptFinding, ExceptionMatch, Guard, Origin};
use jiff::{Timestamp, civil::Date};
use rusqlite::{Connection, params};

use super::{Store, Work, day, findings, from_json, refuse, time, to_json, word};
use crate::exception::{Exception, Judge, Rule};
use crate::ports::{Done, Refusal};

impl Store {
    /// Every exception by id, and whether it still does anything.
    pub async fn exceptions(&self, now: Timestamp) -> Done<Vec<api::Exception>> {
        let file = std::sync::Arc::clone(&self.file);
        self.read(move |conn| {
            let mut judge = Judge::new(all(conn, &file)?, day(now));
            for kept in findings::alive(conn, None)? {
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
                        created_at: None,
                    }
                })
                .collect();
            for exception in shown.iter_mut().filter(|exception| exception.origin == Origin::Api) {
                let at = conn.query_row(
                    "SELECT created_at FROM findings_exceptions WHERE id = ?1",
                    [&exception.id],
                    |row| row.get(0),
                )?;
                exception.created_at = Some(time(at));
            }
            shown.sort_by(|a, b| a.id.cmp(&b.id));
            Ok(shown)
        })
        .await
    }

    /// Removes an exception that was made over the API; what it covered is open again.
    pub async fn delete_exception(&self, now: Timestamp, id: String) -> Done<()> {
        self.write(now, move |work| {
            if work.file.iter().any(|file| file.id == id) {
                return refuse(Refusal::ReadOnly("exception"));
            }
            if remove(work, &id)? == 0 {
                return refuse(Refusal::NotFound("exception"));
            }
            findings::rejudge(work, None).map(drop)
        })
        .await
    }
}

pub(super) fn all(conn: &Connection, file: &[Exception]) -> Done<Vec<Exception>> {
    let rows: Vec<[String; 6]> = conn
        .prepare_cached("SELECT id, guard, rule, owner, reason, expires FROM findings_exceptions ORDER BY id")?
        .query_map([], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?]))?
        .collect::<Result<_, _>>()?;
    let mut all = file.to_vec();
    for [id, guard, rule, owner, reason, expires] in rows {
        let rule = Rule::new(from_json(&rule)?)
            .map_err(|_| aiva_store::StoreError::Rejected(std::sync::Arc::new(UnreadableRule(id.clone()))))?;
        let (guard, expires): (Guard, Date) = (word(&guard)?, word(&expires)?);
        all.push(Exception { id, origin: Origin::Api, guard, rule, owner, reason, expires });
    }
    Ok(all)
}

/// A rule was stored that this release refuses.
#[derive(Debug, thiserror::Error)]
#[error("the stored rule of exception {0} is not valid")]
struct UnreadableRule(String);

pub(super) fn insert(
    work: &Work<'_>,
    id: &str,
    guard: Guard,
    rule: &ExceptionMatch,
    accept: &AcceptFinding,
) -> Done<()> {
    work.tx.execute(
        "INSERT INTO findings_exceptions (id, guard, rule, owner, reason, expires, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            id,
            guard.as_str(),
            to_json(rule)?,
            accept.owner,
            accept.reason,
            accept.expires.to_string(),
            work.micros()
        ],
    )?;
    Ok(())
}

pub(super) fn remove(work: &Work<'_>, id: &str) -> Done<usize> {
    Ok(work.tx.execute("DELETE FROM findings_exceptions WHERE id = ?1", [id])?)
}

/// A pattern for exactly this path: what a pattern reads as a sign stands for any one character.
pub(super) fn literal(path: &str) -> String {
    path.replace('*', "?")
}
