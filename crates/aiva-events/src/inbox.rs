//! The inbox: what makes at least once into once.
//!
//! Promises: of all claims of one event by one consumer, exactly one that commits says true. Claim in the transaction of
//! the effects, never before it: a claim that commits alone loses the event in a crash.

/// The inbox in SQLite.
pub mod sqlite {
    use aiva_store::StoreError;
    use rusqlite::{Transaction, params};
    use uuid::Uuid;

    /// True the first time.
    ///
    /// # Errors
    /// The store's fault.
    pub fn claim(tx: &Transaction<'_>, consumer: &str, event: Uuid) -> Result<bool, StoreError> {
        let mut claim = tx.prepare_cached(
            "INSERT INTO event_inbox (consumer, event_id, claimed_at) VALUES (?1, ?2, unixepoch() * 1000000)
             ON CONFLICT DO NOTHING",
        )?;
        Ok(claim.execute(params![consumer, event.to_string()])? == 1)
    }
}

/// The inbox in PostgreSQL.
pub mod postgres {
    use aiva_store::StoreError;
    use sqlx::PgConnection;
    use uuid::Uuid;

    /// True the first time. A claim in a transaction that is still open is waited for.
    ///
    /// # Errors
    /// The store's fault.
    pub async fn claim(tx: &mut PgConnection, consumer: &str, event: Uuid) -> Result<bool, StoreError> {
        let claim = sqlx::query(
            "INSERT INTO event_inbox (consumer, event_id, claimed_at)
             VALUES ($1, $2, (extract(epoch FROM now()) * 1000000)::bigint) ON CONFLICT DO NOTHING",
        );
        Ok(claim.bind(consumer).bind(event.to_string()).execute(tx).await?.rows_affected() == 1)
    }
}
