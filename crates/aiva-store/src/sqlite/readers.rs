//! The readers: a few connections that each serve one blocking thread at a time.

use std::sync::{Arc, Mutex, PoisonError};

use aiva_chassis::panic::{self, Entry, Place};
use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{StoreError, TxError};

pub(super) struct Readers {
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
}

/// A connection that goes back to the pool when it is dropped, by a panic as well.
struct Borrowed {
    conn: Option<Connection>,
    readers: Arc<Readers>,
    _permit: OwnedSemaphorePermit,
}

impl Readers {
    pub(super) fn new(connections: Vec<Connection>) -> Self {
        let permits = Arc::new(Semaphore::new(connections.len()));
        Self { idle: Mutex::new(connections), permits }
    }

    pub(super) async fn read<T, E, F>(this: &Arc<Self>, work: F) -> Result<T, TxError<E>>
    where
        T: Send + 'static,
        E: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, TxError<E>> + Send + 'static,
    {
        let permit = Arc::clone(&this.permits).acquire_owned().await.map_err(|_| StoreError::Stopped)?;
        let readers = Arc::clone(this);
        let span = tracing::Span::current();
        let reading = tokio::task::spawn_blocking(move || {
            let _entered = span.entered();
            let conn = readers.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let borrowed = Borrowed { conn, readers, _permit: permit };
            let conn = borrowed.conn.as_ref().expect("there are as many permits as connections");
            panic::catch_blocking(Entry::Worker, || Place::new("store.read"), || snapshot(conn, work))
                .unwrap_or(Err(TxError::Panicked))
        });
        reading.await.unwrap_or(Err(TxError::Store(StoreError::Stopped)))
    }
}

/// All queries of one read see one state.
fn snapshot<T, E>(conn: &Connection, work: impl FnOnce(&Connection) -> Result<T, TxError<E>>) -> Result<T, TxError<E>> {
    let tx = conn.unchecked_transaction()?; // rolled back on drop: there is nothing to commit
    work(&tx)
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        if let Some(conn) = self.conn.take() {
            self.readers.idle.lock().unwrap_or_else(PoisonError::into_inner).push(conn);
        }
    }
}
