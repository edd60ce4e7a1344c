//! The writer: one thread that takes what has queued up, runs it in one transaction and syncs once.
//!
//! Each job has a savepoint of its own. Where SQLite rolls the whole transaction back by itself (disk full, input or
//! output failed), every job of the group is told so: none is acknowledged.

use std::cell::Cell;
use std::io;
use std::sync::Arc;

use aiva_chassis::panic::{self, Entry, Place};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot, watch};

use crate::error::{StoreError, TxError};

thread_local! {
    static ANNOUNCED: Cell<bool> = const { Cell::new(false) };
}

/// Says, inside a write, that others wait for what it writes: they are woken when it is committed.
pub fn announce(_inside: &Transaction<'_>) {
    ANNOUNCED.set(true);
}

/// One write, its type erased.
pub(super) trait Job: Send {
    /// Whether the caller still waits.
    fn is_wanted(&self) -> bool;
    /// Does the work; true if it is to be kept.
    fn run(&mut self, tx: &Transaction<'_>) -> bool;
    /// Answers. `group` is the fate of the transaction that all shared.
    fn answer(self: Box<Self>, group: Result<(), StoreError>);
}

pub(super) struct TypedJob<F, T, E> {
    work: Option<F>,
    outcome: Option<Result<T, TxError<E>>>,
    answer: oneshot::Sender<Result<T, TxError<E>>>,
    span: tracing::Span,
}

impl<F, T, E> TypedJob<F, T, E> {
    pub(super) fn new(work: F, answer: oneshot::Sender<Result<T, TxError<E>>>) -> Self {
        Self { work: Some(work), outcome: None, answer, span: tracing::Span::current() }
    }
}

impl<F, T, E> Job for TypedJob<F, T, E>
where
    F: FnOnce(&Transaction<'_>) -> Result<T, TxError<E>> + Send,
    T: Send,
    E: Send,
{
    fn is_wanted(&self) -> bool {
        !self.answer.is_closed()
    }

    fn run(&mut self, tx: &Transaction<'_>) -> bool {
        let Some(work) = self.work.take() else { return false };
        let _entered = self.span.enter();
        let outcome = panic::catch_blocking(Entry::Worker, || Place::new("store.write"), || work(tx));
        let outcome = outcome.unwrap_or(Err(TxError::Panicked));
        let keep = outcome.is_ok();
        self.outcome = Some(outcome);
        keep
    }

    fn answer(self: Box<Self>, group: Result<(), StoreError>) {
        let outcome = match (self.outcome, group) {
            (Some(Ok(value)), Ok(())) => Ok(value),
            (Some(Err(error)), _) => Err(error),
            (_, Err(error)) => Err(TxError::Store(error)),
            (None, Ok(())) => Err(TxError::Store(StoreError::RolledBack)),
        };
        let _ = self.answer.send(outcome); // the caller may have gone: what is committed stays committed
    }
}

/// Starts the thread. It ends when the last sender is gone and the queue is empty, or when the store fails.
pub(super) fn start(
    conn: Connection,
    queue: mpsc::Receiver<Box<dyn Job>>,
    group: usize,
    announce: watch::Sender<u64>,
    fail: watch::Sender<Option<StoreError>>,
) -> Result<(), StoreError> {
    let writer = Writer { conn, announce };
    let spawned =
        std::thread::Builder::new().name("aiva-writer".into()).spawn(move || serve(writer, queue, group, &fail));
    spawned.map(drop).map_err(|error: io::Error| StoreError::Configuration(Arc::new(error)))
}

fn serve(
    mut writer: Writer,
    mut queue: mpsc::Receiver<Box<dyn Job>>,
    limit: usize,
    fail: &watch::Sender<Option<StoreError>>,
) {
    let mut group = Vec::with_capacity(limit);
    while queue.blocking_recv_many(&mut group, limit) > 0 {
        group.retain(|job| job.is_wanted());
        if group.is_empty() {
            continue;
        }
        let fate = writer.commit(&mut group);
        if let Err(error) = &fate
            && is_fatal(error)
        {
            tracing::error!(error = %error, cause = ?error, "the store failed to commit and stops: restart the process");
            let _ = fail.send(Some(error.clone()));
            queue.close();
            group.drain(..).for_each(|job| job.answer(Err(error.clone())));
            while let Ok(job) = queue.try_recv() {
                job.answer(Err(StoreError::Stopped));
            }
            return;
        }
        group.drain(..).for_each(|job| job.answer(fate.clone()));
    }
}

/// After these nobody knows what the disk holds, and trying the sync again would report success for lost data.
fn is_fatal(error: &StoreError) -> bool {
    matches!(error, StoreError::Io(_) | StoreError::Corrupt(_))
}

struct Writer {
    conn: Connection,
    announce: watch::Sender<u64>,
}

impl Writer {
    fn commit(&mut self, group: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
        ANNOUNCED.set(false);
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut announced = false;
        for job in group {
            tx.prepare_cached("SAVEPOINT job")?.execute([])?;
            let keep = job.run(&tx);
            if tx.is_autocommit() {
                // SQLite gave up inside the job, which has the reason; the next commit finds out whether it was the disk.
                return Err(StoreError::RolledBack);
            }
            if !keep {
                tx.prepare_cached("ROLLBACK TO job")?.execute([])?;
            }
            tx.prepare_cached("RELEASE job")?.execute([])?;
            announced |= keep & ANNOUNCED.replace(false);
        }
        tx.commit()?;
        if announced {
            self.announce.send_modify(|count| *count += 1);
        }
        Ok(())
    }
}
