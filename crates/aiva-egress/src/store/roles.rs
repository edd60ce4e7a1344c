//! Roles that are stored, every version of them.
//!
//! Promises: a change is one transaction of the version it was based on, the next one, and the event that tells of it; of
//! any number of changes based on one version exactly one succeeds. Versions are never changed nor deleted, and a name that
//! comes back goes on counting.

mod postgres;
mod sqlite;

use std::sync::Arc;

use aiva_contracts::message::egress::v1 as message;
use aiva_events::publish::NewEvent;
use aiva_store::{Database, StoreError};
use jiff::Timestamp;

use super::Store;

/// How many roles there may be at once.
pub const MOST_ROLES: i64 = 1_000;

/// What a role was from some moment on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Its name.
    pub name: String,
    /// Counts the changes of this name, from 1.
    pub version: u64,
    /// When it was changed.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// What it says; `None` where it was deleted.
    pub body: Option<String>,
}

/// A change to be made.
#[derive(Clone)]
pub struct Change {
    /// Which role.
    pub name: String,
    /// What it shall say; `None` deletes it.
    pub body: Option<String>,
    /// Whether it may be made to this version; `None` where the name is free.
    pub expect: Arc<dyn Fn(Option<u64>) -> bool + Send + Sync>,
    /// By whom.
    pub by: String,
}

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// It was made.
    Done(Version),
    /// The role is not what the caller believes.
    Stale,
    /// There is no such role to delete.
    Missing,
    /// There is no room for another one.
    Full,
}

/// A row: version, microseconds, who, what.
type Row = (i64, i64, String, Option<String>);

const LATEST: &str = "SELECT version, changed_at, changed_by, body FROM egress_role_versions WHERE name = $1
    ORDER BY version DESC LIMIT 1";
const VERSIONS: &str = "SELECT version, changed_at, changed_by, body FROM egress_role_versions
    WHERE name = $1 AND version < $2 ORDER BY version DESC LIMIT $3";
const CURRENT: &str = "SELECT name, version, changed_at, changed_by, body FROM egress_role_versions v
    WHERE body IS NOT NULL AND version = (SELECT MAX(w.version) FROM egress_role_versions w WHERE w.name = v.name)
    ORDER BY name";
/// Rows are only ever added: their number says whether anything has changed.
const CHANGES: &str = "SELECT COUNT(*) FROM egress_role_versions";
const INSERT: &str = "INSERT INTO egress_role_versions (name, version, changed_at, changed_by, body)
    VALUES ($1, $2, $3, $4, $5) ON CONFLICT (name, version) DO NOTHING";

impl Store {
    /// All roles that are stored, by name.
    ///
    /// # Errors
    /// The store's fault.
    pub async fn roles(&self) -> Result<Vec<Version>, StoreError> {
        match &self.db {
            Database::Sqlite(db) => sqlite::current(db).await,
            Database::Postgres(db) => postgres::current(db).await,
        }
    }

    /// A number that grows with every change of any role.
    ///
    /// # Errors
    /// The store's fault.
    pub async fn role_changes(&self) -> Result<i64, StoreError> {
        match &self.db {
            Database::Sqlite(db) => sqlite::changes(db).await,
            Database::Postgres(db) => postgres::changes(db).await,
        }
    }

    /// The versions of one name before this one, the latest first.
    ///
    /// # Errors
    /// The store's fault.
    pub async fn role_versions(
        &self,
        name: String,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<Version>, StoreError> {
        let before = before.and_then(|before| i64::try_from(before).ok()).unwrap_or(i64::MAX);
        let rows = match &self.db {
            Database::Sqlite(db) => sqlite::versions(db, name.clone(), before, limit).await?,
            Database::Postgres(db) => postgres::versions(db, &name, before, limit).await?,
        };
        Ok(rows.into_iter().map(|row| version(&name, row)).collect())
    }

    /// Makes a change.
    ///
    /// # Errors
    /// The store's fault.
    pub async fn change_role(&self, change: Change) -> Result<Changed, StoreError> {
        let now = self.clock.now();
        let context = self.context(now);
        match &self.db {
            Database::Sqlite(db) => sqlite::change(db, change, now, context).await,
            Database::Postgres(db) => postgres::change(db, change, now, context).await,
        }
    }
}

fn version(name: &str, (version, at, by, body): Row) -> Version {
    let at = Timestamp::from_microsecond(at).unwrap_or(Timestamp::UNIX_EPOCH);
    Version { name: name.to_owned(), version: version.unsigned_abs(), at, by, body }
}

/// What a change makes of what is there: the next version, or why there is none.
fn next(change: &Change, latest: Option<Row>, count: i64, now: Timestamp) -> Result<Version, Changed> {
    let latest = latest.map(|row| version(&change.name, row));
    let current = latest.as_ref().filter(|latest| latest.body.is_some());
    if current.is_none() && change.body.is_none() {
        return Err(Changed::Missing);
    }
    if !(change.expect)(current.map(|current| current.version)) {
        return Err(Changed::Stale);
    }
    if current.is_none() && count >= MOST_ROLES {
        return Err(Changed::Full);
    }
    let number = latest.map_or(1, |latest| latest.version + 1);
    // To the microsecond, as it is stored.
    let at = Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now);
    Ok(Version { name: change.name.clone(), version: number, at, by: change.by.clone(), body: change.body.clone() })
}

fn number(version: &Version) -> i64 {
    i64::try_from(version.version).unwrap_or(i64::MAX)
}

/// What the audit hears.
fn told(version: &Version) -> NewEvent {
    let message = message::RoleChanged {
        role: version.name.clone(),
        version: version.version,
        changed_by: version.by.clone(),
        deleted: version.body.is_none(),
    };
    NewEvent::of(&message, format!("egress/{}", version.name))
}
