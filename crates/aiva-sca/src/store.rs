//! Hands what a scan says to the outbox, and keeps what it read.
//!
//! Answers are events; the last one of a scan commits together with the claim of the request, so that a request is answered to
//! its end once, however often it is delivered. With it commits what the scan read, so that new advisories can judge it again.

mod components;

use std::collections::BTreeSet;

use aiva_contracts::envelope::Envelope;
use aiva_events::{Context, NewEvent, inbox, outbox};
use aiva_store::{Database, StoreError, TxError};

use crate::advisory::{Damage, Index};
use crate::snapshot::{Component, Kept, Snapshot, changed};

pub use components::MIGRATIONS;

/// How many components are judged at once.
const PAGE: u32 = 20_000;

/// Why nobody knows who is affected.
#[derive(Debug, thiserror::Error)]
pub enum AffectedError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] TxError<StoreError>),
    /// The index is damaged.
    #[error(transparent)]
    Damage(#[from] Damage),
}

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

    /// What the last whole scan of a service read; `None` where there was none that this release can use.
    pub async fn kept(&self, service: &str) -> Result<Option<Kept>, TxError<StoreError>> {
        let found = components::get(&self.database, service).await?;
        Ok(found.and_then(|(body, facts)| Kept::open(&body, &facts)))
    }

    /// The services that are judged by this index as they were when they were scanned, from the reverse index alone. `since`
    /// is the epoch by which that was found out last: only packages whose advisories changed after it are judged again.
    pub async fn unaffected(&self, index: &Index, since: Option<u64>) -> Result<Vec<String>, AffectedError> {
        let packages = since.map(|epoch| index.changed_since(epoch)).transpose()?.flatten();
        let mut services = components::services(&self.database).await?;
        if packages.as_ref().is_some_and(BTreeSet::is_empty) {
            return Ok(services);
        }
        let mut last = None;
        loop {
            let page = components::page(&self.database, last.as_ref(), PAGE).await?;
            let Some(end) = page.last() else { return Ok(services) };
            let mut distinct: Vec<Component> = page.iter().map(|(component, _)| component.clone()).collect();
            distinct.dedup();
            if let Some(packages) = &packages {
                distinct.retain(|component| component.is_of(packages));
            }
            let new: std::collections::HashSet<&Component> = changed(&distinct, index)?.into_iter().collect();
            let hit: std::collections::HashSet<&String> =
                page.iter().filter(|(component, _)| new.contains(component)).map(|(_, service)| service).collect();
            services.retain(|service| !hit.contains(service));
            last = Some(end.clone());
        }
    }

    /// Tells the last events of an answer and keeps what the scan read, unless `request` was answered to its end before: then
    /// does nothing.
    pub async fn conclude(
        &self,
        consumer: &'static str,
        request: &Envelope,
        events: Vec<NewEvent>,
        context: Context,
        keep: Option<Snapshot>,
    ) -> Result<(), TxError<StoreError>> {
        let request = request.id;
        match &self.database {
            Database::Sqlite(sqlite) => {
                sqlite
                    .write(move |tx| {
                        if inbox::sqlite::claim(tx, consumer, request).map_err(TxError::Store)? {
                            outbox::sqlite::append(tx, &events, &context).map_err(TxError::Store)?;
                            keep.iter()
                                .try_for_each(|keep| components::put_sqlite(tx, keep))
                                .map_err(TxError::Store)?;
                        }
                        Ok(())
                    })
                    .await
            }
            Database::Postgres(postgres) => {
                postgres
                    .write(move |tx| {
                        let (events, context, keep) = (events.clone(), context.clone(), keep.clone());
                        Box::pin(async move {
                            if inbox::postgres::claim(tx, consumer, request).await.map_err(TxError::Store)? {
                                outbox::postgres::append(tx, &events, &context).await.map_err(TxError::Store)?;
                                if let Some(keep) = &keep {
                                    components::put_postgres(tx, keep).await.map_err(TxError::Store)?;
                                }
                            }
                            Ok(())
                        })
                    })
                    .await
            }
        }
    }
}
