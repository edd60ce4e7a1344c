//! The statements in SQLite.

use std::sync::Arc;

use aiva_events::outbox;
use aiva_events::publish::{Context, NewEvent};
use aiva_store::{Plain, Sqlite, StoreError, TxError};
use rusqlite::{Connection, OptionalExtension as _, ToSql, Transaction, params};
use uuid::Uuid;

use super::rows::{self, Batch, Bound, Filter, Parts, Row, TakenBack};
use crate::decision::{Outcome, Record};
use crate::ports::Group;

type Done<T> = Result<T, TxError<Plain>>;

impl ToSql for Bound {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        match self {
            Self::Text(text) => text.to_sql(),
            Self::Id(id) => Ok(id.as_bytes().as_slice().into()),
        }
    }
}

fn key(id: &Uuid) -> &[u8] {
    id.as_bytes()
}

pub(super) async fn write(
    db: &Sqlite,
    group: Arc<Group>,
    batch: Arc<Batch>,
    context: Context,
) -> Result<(), StoreError> {
    Ok(db.write::<_, Plain, _>(move |tx| write_now(tx, &group, &batch, &context)).await?)
}

fn write_now(tx: &Transaction<'_>, group: &Group, batch: &Batch, context: &Context) -> Done<()> {
    let mut insert = tx.prepare_cached(
        "INSERT INTO egress_records (id, role, caller, form, host, outcome, reason, body, open)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (id) DO NOTHING",
    )?;
    let mut fresh: Vec<&Record> = Vec::with_capacity(group.records.len());
    for (record, body) in group.records.iter().zip(&batch.bodies) {
        let added = insert.execute(params![
            key(&record.id),
            &*record.who.role,
            &*record.who.caller,
            record.form.word(),
            rows::host(record),
            record.outcome.word(),
            &*record.reason,
            body,
            record.is_open(),
        ])?;
        if added == 1 {
            fresh.push(record);
        }
    }
    let mut open = tx.prepare_cached(rows::OPEN)?;
    let mut update = tx.prepare_cached(
        "UPDATE egress_records SET ended = ?2, open = 0, outcome = COALESCE(?3, outcome), reason = COALESCE(?4, reason)
         WHERE id = ?1 AND ended IS NULL",
    )?;
    let mut taken_back = Vec::new();
    for (end, ended) in group.ends.iter().zip(&batch.ends) {
        let is = rows::refused(end);
        if let Some(is) = is
            && let Some((host, was)) =
                open.query_row([key(&end.id)], |row| Ok((row.get(0)?, row.get(1)?))).optional()?
        {
            taken_back.push(TakenBack { end, host, was, is });
        }
        update.execute(params![key(&end.id), ended, is.map(|_| Outcome::Deny.word()), is])?;
    }
    let mut count = tx.prepare_cached(
        "INSERT INTO egress_hours (hour, role, host, outcome, reason, count) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (hour, role, host, outcome, reason) DO UPDATE SET count = egress_hours.count + excluded.count",
    )?;
    for ((hour, role, host, outcome, reason), number) in rows::tally(fresh.iter().copied(), &taken_back) {
        count.execute(params![hour, role, host, outcome, reason, number])?;
    }
    for TakenBack { end, .. } in &taken_back {
        tx.prepare_cached(rows::SWEEP_EMPTY)?.execute([rows::hour(end.at)])?;
        tx.prepare_cached(rows::UNSEE)?.execute([key(&end.id)])?;
    }
    let mut see = tx.prepare_cached(
        "INSERT INTO egress_hosts (role, host, first_at, decision) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (role, host) DO NOTHING",
    )?;
    let mut new = Vec::new();
    for ((role, host), record) in rows::allowed(fresh.iter().copied()) {
        if see.execute(params![role, host, record.at.as_microsecond(), key(&record.id)])? == 1 {
            new.push(record);
        }
    }
    tell(tx, &rows::events(fresh.iter().copied(), new.into_iter()), context)
}

fn tell(tx: &Transaction<'_>, events: &[NewEvent], context: &Context) -> Done<()> {
    if !events.is_empty() {
        outbox::sqlite::append(tx, events, context)?;
    }
    Ok(())
}

pub(super) async fn list(
    db: &Sqlite,
    filter: Filter,
    before: Option<Uuid>,
    limit: u32,
) -> Result<Vec<Row>, StoreError> {
    let (sql, bounds) = filter.select(before, limit);
    let rows = db.read::<_, Plain, _>(move |conn| {
        let mut select = conn.prepare_cached(&sql)?;
        let rows = select.query_map(rusqlite::params_from_iter(bounds), |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    });
    Ok(rows.await?)
}

pub(super) async fn get(db: &Sqlite, id: Uuid) -> Result<Option<Row>, StoreError> {
    let row = db.read::<_, Plain, _>(move |conn| {
        let mut select = conn.prepare_cached(rows::GET)?;
        Ok(select.query_row([key(&id)], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
    });
    Ok(row.await?)
}

fn many<T>(
    conn: &Connection,
    sql: &str,
    from: i64,
    role: Option<&str>,
    row: impl Fn(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    conn.prepare_cached(sql)?.query_map(params![from, role], row)?.collect()
}

pub(super) async fn summary(db: &Sqlite, role: Option<String>, from: i64) -> Result<Parts, StoreError> {
    let parts = db.read::<_, Plain, _>(move |conn| {
        let role = role.as_deref();
        let of_four = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
        let begin = rows::begin(from).as_microsecond();
        Ok(Parts {
            hours: many(conn, rows::HOURS, from, role, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?,
            destinations: many(conn, rows::DESTINATIONS, from, role, of_four)?,
            denials: many(conn, rows::DENIALS, from, role, of_four)?,
            first_seen: many(conn, rows::FIRST_SEEN, begin, role, |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })?,
            roles: many(conn, rows::ROLES, from, role, |row| row.get(0))?,
        })
    });
    Ok(parts.await?)
}

pub(super) async fn sweep(db: &Sqlite, first: Uuid, hour: i64, most: i64) -> Result<u64, StoreError> {
    let gone = db.write::<_, Plain, _>(move |tx| {
        let gone = tx.prepare_cached(rows::SWEEP_RECORDS)?.execute(params![key(&first), most])?;
        if (gone as u64) < most.unsigned_abs() {
            tx.prepare_cached(rows::SWEEP_HOURS)?.execute([hour])?;
            tx.prepare_cached(rows::SWEEP_ROLLED_UP)?.execute([hour])?;
            tx.prepare_cached(rows::SWEEP_HOSTS)?.execute([rows::begin(hour).as_microsecond()])?;
        }
        Ok(gone as u64)
    });
    Ok(gone.await?)
}

pub(super) async fn end_lost(db: &Sqlite, ended: String) -> Result<u64, StoreError> {
    let lost = db.write::<_, Plain, _>(move |tx| Ok(tx.prepare_cached(rows::END_LOST)?.execute([ended])? as u64));
    Ok(lost.await?)
}

pub(super) async fn roll_up(db: &Sqlite, hour: i64, context: Context) -> Result<usize, StoreError> {
    let told = db.write::<_, Plain, _>(move |tx| {
        if tx.prepare_cached(rows::ROLLED_UP)?.execute([hour])? == 0 {
            return Ok(0);
        }
        let mut select = tx.prepare_cached(rows::DENIED)?;
        let denied = select.query_map([hour], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let events = rows::denials(hour, denied.collect::<Result<_, _>>()?);
        tell(tx, &events, &context)?;
        Ok(events.len())
    });
    Ok(told.await?)
}
