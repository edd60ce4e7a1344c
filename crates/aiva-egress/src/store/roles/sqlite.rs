//! Stored roles in SQLite.

use aiva_events::outbox;
use aiva_events::publish::Context;
use aiva_store::{Plain, Sqlite, StoreError};
use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, params};

use super::{CHANGES, CURRENT, Change, Changed, INSERT, LATEST, Row, VERSIONS, Version, next, number, told, version};

fn row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
}

pub(super) async fn current(db: &Sqlite) -> Result<Vec<Version>, StoreError> {
    let rows = db.read::<_, Plain, _>(move |conn| {
        let mut select = conn.prepare_cached(CURRENT)?;
        let rows = select.query_map([], |row| {
            let name: String = row.get(0)?;
            Ok(version(&name, (row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    });
    Ok(rows.await?)
}

pub(super) async fn changes(db: &Sqlite) -> Result<i64, StoreError> {
    let count =
        db.read::<_, Plain, _>(move |conn| Ok(conn.prepare_cached(CHANGES)?.query_row([], |row| row.get(0))?));
    Ok(count.await?)
}

pub(super) async fn versions(db: &Sqlite, name: String, before: i64, limit: u32) -> Result<Vec<Row>, StoreError> {
    let rows = db.read::<_, Plain, _>(move |conn| {
        let mut select = conn.prepare_cached(VERSIONS)?;
        let rows = select.query_map(params![name, before, limit], row)?;
        Ok(rows.collect::<Result<_, _>>()?)
    });
    Ok(rows.await?)
}

pub(super) async fn change(
    db: &Sqlite,
    change: Change,
    now: Timestamp,
    context: Context,
) -> Result<Changed, StoreError> {
    let changed = db.write::<_, Plain, _>(move |tx| {
        let latest = tx.prepare_cached(LATEST)?.query_row([&change.name], row).optional()?;
        let count = tx.prepare_cached(CURRENT)?.query_map([], |_| Ok(()))?.count();
        let version = match next(&change, latest, i64::try_from(count).unwrap_or(i64::MAX), now) {
            Ok(version) => version,
            Err(refused) => return Ok(refused),
        };
        let (at, number) = (version.at.as_microsecond(), number(&version));
        tx.prepare_cached(INSERT)?.execute(params![version.name, number, at, version.by, version.body])?;
        outbox::sqlite::append(tx, &[told(&version)], &context)?;
        Ok(Changed::Done(version))
    });
    Ok(changed.await?)
}
