//! Stored roles in PostgreSQL.

use aiva_events::outbox;
use aiva_events::publish::Context;
use aiva_store::{Plain, Postgres, StoreError};
use jiff::Timestamp;

use super::{CHANGES, CURRENT, Change, Changed, INSERT, LATEST, Row, VERSIONS, Version, next, number, told, version};

pub(super) async fn current(db: &Postgres) -> Result<Vec<Version>, StoreError> {
    let rows: Vec<(String, i64, i64, String, Option<String>)> = sqlx::query_as(CURRENT).fetch_all(db.pool()).await?;
    Ok(rows.into_iter().map(|(name, number, at, by, body)| version(&name, (number, at, by, body))).collect())
}

pub(super) async fn changes(db: &Postgres) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar(CHANGES).fetch_one(db.pool()).await?)
}

pub(super) async fn versions(db: &Postgres, name: &str, before: i64, limit: u32) -> Result<Vec<Row>, StoreError> {
    let select = sqlx::query_as(VERSIONS).bind(name).bind(before).bind(i64::from(limit));
    Ok(select.fetch_all(db.pool()).await?)
}

pub(super) async fn change(
    db: &Postgres,
    change: Change,
    now: Timestamp,
    context: Context,
) -> Result<Changed, StoreError> {
    let changed = db.write::<_, Plain, _>(move |tx| {
        let (change, context) = (change.clone(), context.clone());
        Box::pin(async move {
            let latest: Option<Row> = sqlx::query_as(LATEST).bind(&change.name).fetch_optional(&mut *tx).await?;
            let count = sqlx::query(CURRENT).fetch_all(&mut *tx).await?.len();
            let version = match next(&change, latest, i64::try_from(count).unwrap_or(i64::MAX), now) {
                Ok(version) => version,
                Err(refused) => return Ok(refused),
            };
            let insert = sqlx::query(INSERT)
                .bind(&version.name)
                .bind(number(&version))
                .bind(version.at.as_microsecond())
                .bind(&version.by)
                .bind(&version.body);
            if insert.execute(&mut *tx).await?.rows_affected() == 0 {
                // Somebody else's change of the same version has come first.
                return Ok(Changed::Stale);
            }
            outbox::postgres::append(tx, &[told(&version)], &context).await?;
            Ok(Changed::Done(version))
        })
    });
    Ok(changed.await?)
}
