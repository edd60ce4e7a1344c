//! Hands what a scan says to the outbox.
//!
//! sca keeps no state of its own in the database: its answers are events, and the last one of a scan commits together with
//! the claim of the request, so that a request is answered to its end once, however often it is delivered.

use aiva_contracts::envelope::Envelope;
use aiva_events::{Context, NewEvent, inbox, outbox};
use aiva_store::{Database, StoreError, TxError};

/// The outbox of one database.
#[derive(Debug, Clone)]
pub struct Journal {
    database: Database,
}

impl Journal {
    /// Over this database.
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// Tells events in one transaction.
    pub async fn tell(&self, events: Vec<NewEvent>, context: Context) -> Result<(), TxError<StoreError>> {
        match &self.database {
            Database::Sqlite(sqlite) => {
                sqlite
                    .write(move |tx| outbox::sqlite::append(tx, &events, &context).map(drop).map_err(TxError::Store))
                    .await
            }
            Database::Postgres(postgres) => {
                postgres
                    .write(move |tx| {
                        let (events, context) = (events.clone(), context.clone());
                        Box::pin(async move {
                            outbox::postgres::append(tx, &events, &context).await.map(drop).map_err(TxError::Store)
                        })
                    })
                    .await
            }
        }
    }

    /// Tells the last events of an answer, unless `request` was answered to its end before: then tells nothing.
    pub async fn conclude(
        &self,
        consumer: &'static str,
        request: &Envelope,
        events: Vec<NewEvent>,
        context: Context,
    ) -> Result<(), TxError<StoreError>> {
        let request = request.id;
        match &self.database {
            Database::Sqlite(sqlite) => {
                sqlite
                    .write(move |tx| {
                        if inbox::sqlite::claim(tx, consumer, request).map_err(TxError::Store)? {
                            outbox::sqlite::append(tx, &events, &context).map_err(TxError::Store)?;
                        }
                        Ok(())
                    })
                    .await
            }
            Database::Postgres(postgres) => {
                postgres
                    .write(move |tx| {
                        let (events, context) = (events.clone(), context.clone());
                        Box::pin(async move {
                            if inbox::postgres::claim(tx, consumer, request).await.map_err(TxError::Store)? {
                                outbox::postgres::append(tx, &events, &context).await.map_err(TxError::Store)?;
                            }
                            Ok(())
                        })
                    })
                    .await
            }
        }
    }
}
