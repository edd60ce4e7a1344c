//! SQLite and PostgreSQL pools, transactions, migrations, leases.
//!
//! Promises the same of both engines: what is acknowledged is on the disk, what failed left nothing behind, and an error
//! says whether to try again ([`StoreError::is_transient`]). It knows no table but its own two (`aiva_migrations`,
//! `aiva_leases`).
//!
//! Start reading at [`Database`]; then [`sqlite`] and [`postgres`], [`migrate`], [`lease`], [`directory`].

pub mod directory;
pub mod error;
pub mod lease;
pub mod migrate;
pub mod postgres;
pub mod sqlite;

use std::path::Path;

pub use error::{Plain, StoreError, TxError};
pub use postgres::{Postgres, PostgresOptions};
pub use sqlite::{Sqlite, SqliteOptions};

/// The store that the configuration chose.
#[derive(Debug, Clone)]
pub enum Database {
    /// The embedded default: one file in the data directory.
    Sqlite(Sqlite),
    /// Scaled out: a server that several processes share.
    Postgres(Postgres),
}

/// The file of the embedded store, inside the data directory.
pub const SQLITE_FILE: &str = "aiva.db";

impl Database {
    /// Opens what `url` names: `postgres://..`, `postgresql://..`, `sqlite:FILE` or `sqlite://FILE`.
    ///
    /// # Errors
    /// [`StoreError::Configuration`] for any other address or one that cannot be used.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self::Postgres(Postgres::connect(url).await?));
        }
        match url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:")) {
            Some(file) if !file.is_empty() => Ok(Self::Sqlite(Sqlite::open(file).await?)),
            _ => Err(StoreError::Configuration(std::sync::Arc::new(UnknownAddress))),
        }
    }

    /// Opens the embedded store of a data directory.
    ///
    /// # Errors
    /// As [`Sqlite::open`].
    pub async fn embedded(directory: &Path) -> Result<Self, StoreError> {
        Ok(Self::Sqlite(Sqlite::open(directory.join(SQLITE_FILE)).await?))
    }

    /// `sqlite` or `postgres`.
    pub fn engine(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Postgres(_) => "postgres",
        }
    }

    /// Resolves when the store can no longer promise anything and the process must stop; for PostgreSQL never, because
    /// the server looks after its own disk.
    pub async fn failed(&self) -> StoreError {
        match self {
            Self::Sqlite(sqlite) => sqlite.failed().await,
            Self::Postgres(_) => std::future::pending().await,
        }
    }

    /// Answers quickly whether the store answers: for readiness.
    ///
    /// # Errors
    /// The store's fault.
    pub async fn ping(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(sqlite) if sqlite.has_failed() => Err(StoreError::Stopped),
            Self::Sqlite(sqlite) => {
                let ping = sqlite.read::<_, Plain, _>(|conn| Ok(conn.query_row("SELECT 1", [], |_| Ok(()))?));
                Ok(ping.await?)
            }
            Self::Postgres(postgres) => Ok(sqlx::query("SELECT 1").execute(postgres.pool()).await.map(drop)?),
        }
    }
}

/// Neither a PostgreSQL nor an SQLite address. It is not shown: it may hold a password.
#[derive(Debug, thiserror::Error)]
#[error("a database address begins with postgres://, postgresql:// or sqlite:")]
struct UnknownAddress;
