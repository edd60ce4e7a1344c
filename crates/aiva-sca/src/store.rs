//! Hands what a scan says to the outbox, and keeps what it read.
//!
//! Answers are events; the last one of a scan commits together with the claim of the request, so that a request is answered to
//! its end once, however often it is delivered. With it commits what the scan read, so that new advisories can judge it again.
//!
//! Of each service the latest scan is kept, whoever ran it: a later one takes its place, an earlier one that ends later does not. What
//! an upload lists comes in parts, which wait beside it until all of them are there.

mod components;
mod uploads;

use std::collections::BTreeSet;

use aiva_contracts::envelope::Envelope;
use aiva_events::{Context, NewEvent, inbox, outbox};
use aiva_store::{Database, StoreError, TxError};
use jiff::Timestamp;

use crate::advisory::{Damage, Index};
use crate::snapshot::{Component, Kept, Snapshot, changed};

pub use components::MIGRATIONS;
pub use uploads::{Arrival, Part};

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

/// What is kept of a service.
#[derive(Debug, Clone)]
pub struct Held {
    /// The scan, a UUIDv7; empty for one of a release that did not keep it.
    pub scan: String,
    /// What it read; `None` where it does not say, or not in a form that this release can use.
    pub kept: Option<Kept>,
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

    /// Where it is kept.
    pub(crate) fn database(&self) -> &Database {
        &self.database
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

    /// What is kept of the last whole scan of a service.
    pub async fn kept(&self, service: &str) -> Result<Option<Held>, TxError<StoreError>> {
        let found = components::get(&self.database, service).await?;
        Ok(found.map(|found| Held { kept: Kept::open(&found.body, &found.facts, &found.left_out), scan: found.scan }))
    }

    /// Keeps a part of an upload, once, and says what has come with it.
    pub async fn put_part(&self, part: Part) -> Result<Arrival, TxError<StoreError>> {
        match &self.database {
            Database::Sqlite(sqlite) => {
                sqlite.write(move |tx| uploads::put_sqlite(tx, &part).map_err(TxError::Store)).await
            }
            Database::Postgres(postgres) => {
                postgres
                    .write(move |tx| {
                        let part = part.clone();
                        Box::pin(async move { uploads::put_postgres(tx, &part).await.map_err(TxError::Store) })
                    })
                    .await
            }
        }
    }

    /// The parts of an upload in their order.
    pub async fn parts(&self, service: &str, scan: &str) -> Result<Vec<Vec<u8>>, TxError<StoreError>> {
        uploads::get(&self.database, service, scan).await
    }

    /// Removes the parts of uploads that were made before a time and are not whole; how many there were.
    pub async fn forget_parts(&self, before: Timestamp) -> Result<u64, TxError<StoreError>> {
        uploads::forget(&self.database, before).await
    }

    /// Keeps what was uploaded in place of what an earlier scan read, and tells these events; does neither where a later scan is kept.
    pub async fn keep(
        &self,
        keep: Snapshot,
        events: Vec<NewEvent>,
        context: Context,
    ) -> Result<(), TxError<StoreError>> {
        match &self.database {
            Database::Sqlite(sqlite) => {
                sqlite
                    .write(move |tx| {
                        if components::put_sqlite(tx, &keep).map_err(TxError::Store)? {
                            outbox::sqlite::append(tx, &events, &context).map_err(TxError::Store)?;
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
                            if components::put_postgres(tx, &keep).await.map_err(TxError::Store)? {
                                outbox::postgres::append(tx, &events, &context).await.map_err(TxError::Store)?;
                            }
                            Ok(())
                        })
                    })
                    .await
            }
        }
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
                                .try_for_each(|keep| components::put_sqlite(tx, keep).map(drop))
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
