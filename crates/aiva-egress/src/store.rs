//! Where records of decisions are kept.
//!
//! Promises: a group is one transaction, with the counts of each hour, the hosts that are new to a role, and the events
//! that tell of them; a group that is written again changes nothing. Reads see committed rows only: what the API has shown
//! is still there after the process was killed. The two engines differ in their statements only.
//!
//! Start reading at [`Store`]; the tables are in [`schema`].

mod postgres;
pub mod roles;
mod rows;
mod schema;
mod sqlite;

use std::sync::Arc;

use aiva_chassis::clock::SharedClock;
use aiva_events::publish::Context;
use aiva_store::{Database, StoreError};
use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

pub use rows::Filter;
pub use schema::MIGRATIONS;

use crate::decision::{Outcome, Record, first_id};
use crate::ports::{Group, Journal};

/// Who says what the guard says.
const SOURCE: &str = "aiva/egress";

/// How many rows one transaction of the retention deletes.
const SWEEP: i64 = 5_000;

/// The longest list of a [`Summary`].
pub const TOP: i64 = 20;

/// The store; clones share it.
#[derive(Clone)]
pub struct Store {
    db: Database,
    clock: SharedClock,
}

/// The decisions of one hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hour {
    /// When it began.
    pub at: Timestamp,
    /// How often each outcome came, as [`Outcome::ALL`] orders them.
    pub counts: [u64; 3],
}

/// How often a role called a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostCount {
    /// The role.
    pub role: String,
    /// The host; empty where the text could not be read.
    pub host: String,
    /// Why.
    pub reason: String,
    /// How often.
    pub count: u64,
}

/// A host that is new to a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewHost {
    /// The role.
    pub role: String,
    /// The host.
    pub host: String,
    /// When it was first allowed.
    pub at: Timestamp,
    /// The record.
    pub decision: Uuid,
}

/// What services called, over some hours.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Every role that decided something.
    pub roles: Vec<String>,
    /// The hours in which something was decided, the first first.
    pub hours: Vec<Hour>,
    /// What was allowed most.
    pub destinations: Vec<HostCount>,
    /// What was not allowed most.
    pub denials: Vec<HostCount>,
    /// What is new, the latest first.
    pub first_seen: Vec<NewHost>,
}

impl Store {
    /// Over this database.
    pub fn new(db: Database, clock: SharedClock) -> Self {
        Self { db, clock }
    }

    /// Records, the latest first, before `before`.
    ///
    /// # Errors
    /// The store's fault.
    pub async fn list(&self, filter: Filter, before: Option<Uuid>, limit: u32) -> Result<Vec<Record>, StoreError> {
        let rows = match &self.db {
            Database::Sqlite(db) => sqlite::list(db, filter, before, limit).await?,
            Database::Postgres(db) => postgres::list(db, &filter, before, limit).await?,
        };
        rows.iter().map(rows::record).collect()
    }

    /// One record.
    ///
    /// # Errors
    /// The store's fault.
    pub async fn get(&self, id: Uuid) -> Result<Option<Record>, StoreError> {
        let row = match &self.db {
            Database::Sqlite(db) => sqlite::get(db, id).await?,
            Database::Postgres(db) => postgres::get(db, id).await?,
        };
        row.as_ref().map(rows::record).transpose()
    }

    /// What was decided in the last hours, this one included.
    ///
    /// # Errors
    /// The store's fault.
    pub async fn summary(&self, role: Option<String>, hours: u32) -> Result<Summary, StoreError> {
        let from = rows::hour(self.clock.now()) - i64::from(hours) + 1;
        let parts = match &self.db {
            Database::Sqlite(db) => sqlite::summary(db, role, from).await?,
            Database::Postgres(db) => postgres::summary(db, role, from).await?,
        };
        Ok(parts.into())
    }

    /// Deletes records that were made before then, and counts and hosts of that time; answers how many records.
    ///
    /// # Errors
    /// The store's fault.
    pub async fn sweep(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut all = 0;
        loop {
            let (first, hour) = (first_id(before), rows::hour(before));
            let gone = match &self.db {
                Database::Sqlite(db) => sqlite::sweep(db, first, hour, SWEEP).await?,
                Database::Postgres(db) => postgres::sweep(db, first, hour, SWEEP).await?,
            };
            all += gone;
            if gone < SWEEP.unsigned_abs() {
                return Ok(all);
            }
        }
    }

    /// Ends records that a process of the embedded database has left open when it was killed, as `lost`; answers how many. To be
    /// called at the start, while nobody else writes. On PostgreSQL other processes are at work on theirs: nothing is ended.
    ///
    /// # Errors
    /// The store's fault.
    pub async fn end_lost(&self) -> Result<u64, StoreError> {
        match &self.db {
            Database::Sqlite(db) => sqlite::end_lost(db, rows::lost()?).await,
            Database::Postgres(_) => Ok(0),
        }
    }

    /// Tells, once, what was refused in the hour before this one; answers how many roles.
    ///
    /// # Errors
    /// The store's fault.
    pub async fn roll_up(&self) -> Result<usize, StoreError> {
        let now = self.clock.now();
        let (hour, context) = (rows::hour(now) - 1, self.context(now));
        match &self.db {
            Database::Sqlite(db) => sqlite::roll_up(db, hour, context).await,
            Database::Postgres(db) => postgres::roll_up(db, hour, context).await,
        }
    }

    fn context(&self, now: Timestamp) -> Context {
        Context::new(SOURCE, now, Uuid::now_v7().to_string())
    }
}

#[async_trait]
impl Journal for Store {
    async fn write(&self, group: Arc<Group>) -> Result<(), StoreError> {
        let batch = Arc::new(rows::Batch::of(&group)?);
        let context = self.context(self.clock.now());
        match &self.db {
            Database::Sqlite(db) => sqlite::write(db, group, batch, context).await,
            Database::Postgres(db) => postgres::write(db, group, batch, context).await,
        }
    }
}

impl Hour {
    /// How often this outcome came.
    pub fn count(&self, outcome: Outcome) -> u64 {
        self.counts[outcome as usize]
    }
}
