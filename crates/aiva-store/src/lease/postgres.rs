//! Leases in PostgreSQL.

use sqlx::PgConnection;

use super::{Lease, Lost};
use crate::{Postgres, StoreError, TxError};

/// The server's time in microseconds.
macro_rules! now {
    () => {
        "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
    };
}

pub(super) async fn take(db: &Postgres, (name, holder): (&str, &str), time: i64) -> Result<Option<i64>, StoreError> {
    let sql = concat!(
        "INSERT INTO aiva_leases AS held (name, holder, token, expires_at) VALUES ($1, $2, 1, ",
        now!(),
        " + $3)
         ON CONFLICT (name) DO UPDATE SET holder = $2, token = held.token + 1, expires_at = ",
        now!(),
        " + $3
         WHERE held.expires_at <= ",
        now!(),
        " OR held.holder = $2
         RETURNING token"
    );
    Ok(sqlx::query_scalar(sql).bind(name).bind(holder).bind(time).fetch_optional(db.pool()).await?)
}

pub(super) async fn extend(db: &Postgres, lease: &Lease, time: i64) -> Result<bool, StoreError> {
    let sql =
        concat!("UPDATE aiva_leases SET expires_at = ", now!(), " + $4 WHERE name = $1 AND holder = $2 AND token = $3");
    let query = sqlx::query(sql).bind(&lease.name).bind(&lease.holder).bind(lease.token).bind(time);
    Ok(query.execute(db.pool()).await?.rows_affected() == 1)
}

/// Refuses the transaction if the lease was taken by another since; until it ends, nobody can take it.
///
/// # Errors
/// [`Lost`] as a refusal, or the store's fault.
pub async fn guard(tx: &mut PgConnection, lease: &Lease) -> Result<(), TxError<Lost>> {
    let held = sqlx::query("SELECT 1 FROM aiva_leases WHERE name = $1 AND token = $2 FOR SHARE");
    let row = held.bind(&lease.name).bind(lease.token).fetch_optional(tx).await?;
    row.map(drop).ok_or(TxError::Refused(Lost))
}
