//! PostgreSQL: a bounded pool with deadlines, and transactions that are tried again after a conflict.
//!
//! Promises: waiting for a connection, for a lock and for a statement each has a deadline; a transaction that lost against
//! another (serialization failure, deadlock) runs again up to three times with jitter, so its closure may run more than
//! once; an error, a panic or a caller that went away rolls back. TLS as the address asks (`sslmode`, `sslrootcert`).
//!
//! Start reading at [`Postgres::write`].

use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use aiva_chassis::panic::{self, Entry, Place};
use aiva_chassis::resilience::Backoff;
use aiva_chassis::telemetry::metrics::metrics;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, SqlSafeStr, Transaction};

use crate::error::{StoreError, TxError};

/// How often a transaction that lost against another is tried in all.
const TRIES: u32 = 4;

/// The aggregate of transactions that belong to none.
const OWN: &str = "store";

/// What a transaction's closure returns.
pub type Work<'t, T, E> = Pin<Box<dyn Future<Output = Result<T, TxError<E>>> + Send + 't>>;

/// How the server is reached.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// How many connections are open at most.
    pub connections: u32,
    /// How long to wait for a connection.
    pub acquire_timeout: Duration,
    /// How long a statement may take.
    pub statement_timeout: Duration,
    /// How long to wait for a row or table that another transaction holds.
    pub lock_timeout: Duration,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            connections: 10,
            acquire_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(30),
            lock_timeout: Duration::from_secs(10),
        }
    }
}

/// A handle on the pool; clones share it.
#[derive(Debug, Clone)]
pub struct Postgres {
    pool: PgPool,
}

impl Postgres {
    /// Connects, so that a wrong address or password shows at start.
    ///
    /// # Errors
    /// [`StoreError::Configuration`] for what a person must mend, [`StoreError::Unavailable`] or
    /// [`StoreError::Timeout`] for a server that is not there yet.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        Self::connect_with(url, PostgresOptions::default()).await
    }

    /// The same with options.
    ///
    /// # Errors
    /// As [`Postgres::connect`].
    pub async fn connect_with(url: &str, options: PostgresOptions) -> Result<Self, StoreError> {
        metrics().conflict(OWN);
        let millis = |time: Duration| time.as_millis().to_string();
        let server = PgConnectOptions::from_str(url)?.application_name("aiva").options([
            ("statement_timeout", millis(options.statement_timeout)),
            ("lock_timeout", millis(options.lock_timeout)),
            ("idle_in_transaction_session_timeout", millis(options.statement_timeout * 2)),
        ]);
        // The pool would try again and again and then only say that it waited; one connection says what is wrong.
        let first = tokio::time::timeout(options.acquire_timeout, server.connect()).await;
        first.map_err(|late| StoreError::Timeout(Arc::new(late)))??.close().await?;
        let pool = PgPoolOptions::new()
            .max_connections(options.connections.max(1))
            .acquire_timeout(options.acquire_timeout)
            .idle_timeout(Duration::from_secs(300))
            .max_lifetime(Duration::from_secs(1800));
        Ok(Self { pool: pool.connect_lazy_with(server) })
    }

    /// Runs `work` in a transaction and answers when it is committed: `pg.write(|tx| Box::pin(async move { .. }))`.
    ///
    /// # Errors
    /// What `work` refused with, or the store's fault; either way nothing of it was written, unless the connection broke
    /// during the commit itself ([`StoreError::Unavailable`]).
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, TxError<E>>
    where
        T: Send,
        E: Send,
        F: for<'t> Fn(&'t mut PgConnection) -> Work<'t, T, E> + Send + Sync,
    {
        self.write_of(OWN, work).await
    }

    /// The same, with each transaction that lost against another counted for this aggregate.
    ///
    /// # Errors
    /// As [`Postgres::write`].
    pub async fn write_of<T, E, F>(&self, aggregate: &'static str, work: F) -> Result<T, TxError<E>>
    where
        T: Send,
        E: Send,
        F: for<'t> Fn(&'t mut PgConnection) -> Work<'t, T, E> + Send + Sync,
    {
        let backoff = Backoff { first: Duration::from_millis(10), most: Duration::from_millis(500) };
        let mut failures = 0;
        loop {
            let outcome = panic::catch(Entry::Worker, || Place::new("store.write"), self.attempt(&work)).await;
            let outcome = outcome.unwrap_or(Err(TxError::Panicked));
            if matches!(outcome, Err(TxError::Store(StoreError::Conflict(_)))) {
                metrics().conflict(aggregate).inc();
            }
            match outcome {
                Err(TxError::Store(StoreError::Conflict(_))) if failures + 1 < TRIES => {
                    failures += 1;
                    tokio::time::sleep(backoff.jittered(failures)).await;
                }
                outcome => return outcome,
            }
        }
    }

    async fn attempt<T, E, F>(&self, work: &F) -> Result<T, TxError<E>>
    where
        F: for<'t> Fn(&'t mut PgConnection) -> Work<'t, T, E>,
    {
        let mut tx = self.begin("BEGIN").await?; // dropped without a commit, it rolls back
        let value = work(&mut tx).await?;
        tx.commit().await?;
        Ok(value)
    }

    /// One snapshot for several reads; dropping it ends it. It refuses to write.
    ///
    /// # Errors
    /// The store's fault.
    pub async fn snapshot(&self) -> Result<Transaction<'static, sqlx::Postgres>, StoreError> {
        self.begin("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await
    }

    /// Begins in a task of its own, because sqlx up to 0.9.0 forgets a transaction whose caller goes away while it begins
    /// (transact-rs/sqlx#4393): the connection would go back to the pool inside it, and what is asked of it next would
    /// neither be committed nor let go of its locks. The task ends the beginning, and drops it if nobody waits any more.
    async fn begin(&self, statement: &'static str) -> Result<Transaction<'static, sqlx::Postgres>, StoreError> {
        let connection = self.pool.acquire().await?;
        let begin = tokio::spawn(Transaction::begin(connection, Some(statement.into_sql_str())));
        begin.await.map_err(|lost| StoreError::Unavailable(Arc::new(lost)))?.map_err(StoreError::from)
    }

    /// For single statements and reads.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Closes all connections; statements in flight end first.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}
