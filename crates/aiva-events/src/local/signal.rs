//! Tells lanes and tails that something was committed.

use std::time::Duration;

use aiva_store::Database;
use sqlx::postgres::PgListener;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::outbox::postgres::CHANNEL;

/// Ends the listening task when it is dropped.
pub(crate) struct Signal {
    task: Option<AbortHandle>,
}

impl Drop for Signal {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// A receiver that changes with every commit of events.
pub(crate) fn watch(database: &Database, poll: Duration) -> (Signal, watch::Receiver<u64>) {
    match database {
        Database::Sqlite(sqlite) => (Signal { task: None }, sqlite.announcements()),
        Database::Postgres(postgres) => {
            let (sender, receiver) = watch::channel(0);
            let pool = postgres.pool().clone();
            let task = tokio::spawn(async move {
                loop {
                    if let Err(error) = listen(&pool, &sender).await {
                        tracing::warn!(cause = %error, "events are polled for: the server cannot be listened to");
                    }
                    tokio::time::sleep(poll).await;
                }
            });
            (Signal { task: Some(task.abort_handle()) }, receiver)
        }
    }
}

/// Waits for the next change; for ever once nobody can change it any more, so that a loop around it does not spin.
pub(crate) async fn changed(woken: &mut watch::Receiver<u64>) {
    if woken.changed().await.is_err() {
        std::future::pending().await
    }
}

async fn listen(pool: &sqlx::PgPool, sender: &watch::Sender<u64>) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    loop {
        sender.send_modify(|count| *count += 1); // first for what came before the listening, or while it was broken
        listener.try_recv().await?;
    }
}
