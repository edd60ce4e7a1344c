//! SQLite: one writer that groups commits, readers beside it.
//!
//! Promises:
//! - a write is answered only after a COMMIT that was synced to the disk (WAL, `synchronous=FULL`);
//! - a write that refuses or panics takes back only itself, though it shares its COMMIT with others;
//! - a read sees one snapshot and never waits for the writer;
//! - queue and pool are bounded: callers wait. A write whose caller has gone away before its turn is not begun;
//! - after a COMMIT that failed for input or output nothing is written any more: what the disk holds is unknown and a
//!   second sync would lie. [`Sqlite::failed`] resolves, and the process must stop.
//!
//! Start reading at [`Sqlite::write`]; the grouping is in `writer`.

mod readers;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction};
use tokio::sync::{mpsc, oneshot, watch};

use crate::error::{StoreError, TxError};
use readers::Readers;
use writer::{Job, TypedJob};

pub use writer::announce;

/// How the file is opened.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// How many reads run at once.
    pub readers: usize,
    /// How many writes may wait for their turn before callers wait.
    pub queue: usize,
    /// How many writes share one commit at most.
    pub group: usize,
    /// How long to wait for a lock that another process holds.
    pub busy_timeout: Duration,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self { readers: 4, queue: 1024, group: 512, busy_timeout: Duration::from_secs(5) }
    }
}

/// A handle on the database; clones share it. The writer ends, with all it was given done, when the last one is dropped.
#[derive(Clone)]
pub struct Sqlite {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    jobs: mpsc::Sender<Box<dyn Job>>,
    readers: Arc<Readers>,
    announced: watch::Receiver<u64>,
    failure: watch::Receiver<Option<StoreError>>,
}

impl Sqlite {
    /// Opens or creates the file.
    ///
    /// # Errors
    /// [`StoreError::Configuration`] where the file cannot be opened, [`StoreError::Corrupt`] where it is no database.
    pub async fn open(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        Self::open_with(path, SqliteOptions::default()).await
    }

    /// The same with options.
    ///
    /// # Errors
    /// As [`Sqlite::open`].
    pub async fn open_with(path: impl Into<PathBuf>, options: SqliteOptions) -> Result<Self, StoreError> {
        let path = path.into();
        let opened = tokio::task::spawn_blocking(move || Self::open_now(path, &options)).await;
        opened.map_err(|error| StoreError::Rejected(Arc::new(error)))?
    }

    fn open_now(path: PathBuf, options: &SqliteOptions) -> Result<Self, StoreError> {
        let writer = connect(&path, options, false)?;
        let readers = (0..options.readers.max(1)).map(|_| connect(&path, options, true)).collect::<Result<_, _>>()?;
        let (jobs, queue) = mpsc::channel(options.queue.max(1));
        let (announce, announced) = watch::channel(0);
        let (fail, failure) = watch::channel(None);
        writer::start(writer, queue, options.group.max(1), announce, fail)?;
        Ok(Self { inner: Arc::new(Inner { path, jobs, readers: Arc::new(Readers::new(readers)), announced, failure }) })
    }

    /// Runs `work` in a write transaction and answers when it is on the disk.
    ///
    /// `work` runs on the writer's thread with everybody else waiting: it must not block on anything but the database.
    ///
    /// # Errors
    /// What `work` refused with, or the store's fault; either way nothing of it was written.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, TxError<E>>
    where
        T: Send + 'static,
        E: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T, TxError<E>> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job = TypedJob::new(work, answer);
        self.inner.jobs.send(Box::new(job)).await.map_err(|_| StoreError::Stopped)?;
        answered.await.unwrap_or(Err(TxError::Store(StoreError::Stopped)))
    }

    /// Runs `work` in a read transaction: one snapshot for all of its queries.
    ///
    /// # Errors
    /// What `work` refused with, or the store's fault.
    pub async fn read<T, E, F>(&self, work: F) -> Result<T, TxError<E>>
    where
        T: Send + 'static,
        E: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, TxError<E>> + Send + 'static,
    {
        Readers::read(&self.inner.readers, work).await
    }

    /// Counts the commits that carried something [announced](announce). A receiver that sees a change reads what is new.
    pub fn announcements(&self) -> watch::Receiver<u64> {
        self.inner.announced.clone()
    }

    /// Resolves, with the reason, when the store can no longer promise anything and the process must stop.
    pub async fn failed(&self) -> StoreError {
        let mut failure = self.inner.failure.clone();
        match failure.wait_for(Option::is_some).await {
            Ok(error) => error.clone().unwrap_or(StoreError::Stopped),
            Err(_) => std::future::pending().await, // closed in peace
        }
    }

    /// Whether the store has failed for good.
    pub fn has_failed(&self) -> bool {
        self.inner.failure.borrow().is_some()
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }
}

impl std::fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sqlite").field("path", &self.inner.path).finish_non_exhaustive()
    }
}

fn connect(path: &Path, options: &SqliteOptions, reader: bool) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(options.busy_timeout)?;
    conn.set_prepared_statement_cache_capacity(128);
    // The journal mode first: it is what finds out that the file is not a database.
    conn.pragma_update(None, "journal_mode", "WAL")?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    conn.pragma_update(None, "cache_size", if reader { -2048 } else { -8192 })?; // KiB
    conn.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
    conn.pragma_update(None, "trusted_schema", false)?;
    if reader {
        conn.pragma_update(None, "query_only", true)?;
    }
    Ok(conn)
}
