//! Leases in SQLite.

use rusqlite::{Transaction, params};

use super::{Lease, Lost};
use crate::{Plain, Sqlite, StoreError, TxError};

pub(super) async fn take(
    db: &Sqlite,
    now: i64,
    (name, holder): (&str, &str),
    time: i64,
) -> Result<Option<i64>, StoreError> {
    let (name, holder) = (name.to_owned(), holder.to_owned());
    let token = db.write::<_, Plain, _>(move |tx| {
        let mut take = tx.prepare_cached(
            "INSERT INTO aiva_leases (name, holder, token, expires_at) VALUES (?1, ?2, 1, ?3 + ?4)
             ON CONFLICT (name) DO UPDATE SET holder = ?2, token = token + 1, expires_at = ?3 + ?4
             WHERE expires_at <= ?3 OR holder = ?2
             RETURNING token",
        )?;
        let mut rows = take.query(params![name, holder, now, time])?;
        Ok(rows.next()?.map(|row| row.get(0)).transpose()?)
    });
    Ok(token.await?)
}

pub(super) async fn extend(db: &Sqlite, now: i64, lease: &Lease, time: i64) -> Result<bool, StoreError> {
    let lease = lease.clone();
    let extended = db.write::<_, Plain, _>(move |tx| {
        let mut extend = tx.prepare_cached(
            "UPDATE aiva_leases SET expires_at = ?4 + ?5 WHERE name = ?1 AND holder = ?2 AND token = ?3",
        )?;
        Ok(extend.execute(params![lease.name, lease.holder, lease.token, now, time])? == 1)
    });
    Ok(extended.await?)
}

/// Refuses the transaction if the lease was taken by another since.
///
/// # Errors
/// [`Lost`] as a refusal, or the store's fault.
pub fn guard(tx: &Transaction<'_>, lease: &Lease) -> Result<(), TxError<Lost>> {
    let mut held = tx.prepare_cached("SELECT 1 FROM aiva_leases WHERE name = ?1 AND token = ?2")?;
    if held.exists(params![lease.name, lease.token])? { Ok(()) } else { Err(TxError::Refused(Lost)) }
}
