//! Roles over the API: stored, versioned, in force at once.
//!
//! Promises: what is stored is read by the same reader as the file, and refused with everything that is wrong; a role of the
//! file cannot be replaced, and wins where both have it; a change is in force in this process when it is answered, and in
//! others within [`LOOK`]. The role of unknown callers is the file's alone: production's checks of it look at the file.
//!
//! Start reading at [`Roles::change`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aiva_chassis::shutdown::Stop;
use aiva_store::StoreError;
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::Mutex;

use super::Guard;
use crate::config::{self, DEFAULT, stored};
use crate::role::Wrong;
use crate::store::Store;
use crate::store::roles::{Change, Changed, Version};

pub use crate::store::roles::MOST_ROLES;

/// How often a process looks for changes that others have made.
pub const LOOK: Duration = Duration::from_secs(2);

/// Whether a change may be made to this version; `None` where there is no such role yet.
pub type Expect = Arc<dyn Fn(Option<u64>) -> bool + Send + Sync>;

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
pub enum RoleError {
    /// The file has the role.
    #[error("the role is defined in the configuration file, which wins: change it there")]
    InFile,
    /// It is the one of unknown callers.
    #[error("the role of unknown callers is set in the configuration file only: [egress.roles.default]")]
    Default,
    /// It cannot be judged by.
    #[error("{} entries of the role are wrong", .0.len())]
    Invalid(Vec<Wrong>),
    /// It is not what the caller believes.
    #[error("the role has changed")]
    Stale,
    /// There is none.
    #[error("there is no such role")]
    Missing,
    /// There are enough.
    #[error("there are {MOST_ROLES} stored roles already: delete one first")]
    Full,
    /// The store's fault.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// A role as it is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// Its name.
    pub name: String,
    /// What it says, in JSON.
    pub role: Value,
    /// Whether nobody wrote it.
    pub built_in: bool,
    /// Of what is stored; `None` for a role of the file.
    pub change: Option<Stamp>,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// Counts the changes of the name.
    pub version: u64,
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
}

/// What a role was from some moment on; `None` where it was deleted.
pub type Past = (Stamp, Option<Value>);

/// The roles. Clones are one.
#[derive(Clone)]
pub struct Roles(Arc<Inner>);

struct Inner {
    store: Store,
    guard: Guard,
    /// How many changes are in force; held while they are put in force, so that an older state never follows a newer one.
    in_force: Mutex<Option<i64>>,
}

impl Roles {
    /// Of this store, for this guard. Nothing is in force before the first [`Roles::follow_up`].
    pub fn new(store: Store, guard: Guard) -> Self {
        Self(Arc::new(Inner { store, guard, in_force: Mutex::new(None) }))
    }

    /// Puts what is stored in force, if it has changed since the last time.
    ///
    /// # Errors
    /// The store's fault; then what was in force stays.
    pub async fn follow_up(&self) -> Result<(), StoreError> {
        let mut in_force = self.0.in_force.lock().await;
        // Counted first: what comes between is put in force now and looked at again.
        let changes = self.0.store.role_changes().await?;
        if *in_force == Some(changes) {
            return Ok(());
        }
        let mut roles = BTreeMap::new();
        for stored in self.0.store.roles().await? {
            match read(&stored) {
                Ok(role) => {
                    roles.insert(stored.name, role);
                }
                Err(wrong) => {
                    let wrong: Vec<String> = wrong.iter().map(ToString::to_string).collect();
                    tracing::error!(
                        role = &*stored.name,
                        wrong = wrong.join("; "),
                        "a stored egress role is not in force"
                    );
                }
            }
        }
        let stored = roles.len();
        match self.0.guard.store_roles(roles) {
            // Nothing is stored and nothing was: nobody asked about it.
            Ok(_) if stored == 0 && in_force.is_none() => {}
            Ok(told) => tracing::info!(stored, roles = told.roles, "the stored egress roles are in force"),
            Err(error) => tracing::error!(error = %error, "the stored egress roles are not in force"),
        }
        *in_force = Some(changes);
        Ok(())
    }

    /// Puts in force what other processes change, until the stop.
    pub async fn follow(&self, stop: Stop) {
        while stop.sleep(LOOK).await {
            if let Err(error) = self.follow_up().await {
                tracing::warn!(error = %error, "stored egress roles cannot be read now");
            }
        }
    }

    /// All of them, by name.
    ///
    /// # Errors
    /// The store's fault.
    pub async fn all(&self) -> Result<Vec<Shown>, StoreError> {
        let mut all = self.of_file();
        for stored in self.0.store.roles().await? {
            all.entry(stored.name.clone()).or_insert_with(|| shown(stored));
        }
        Ok(all.into_values().collect())
    }

    /// One of them.
    ///
    /// # Errors
    /// The store's fault.
    pub async fn get(&self, name: &str) -> Result<Option<Shown>, StoreError> {
        if let Some(shown) = self.of_file().remove(name) {
            return Ok(Some(shown));
        }
        let latest = self.0.store.role_versions(name.to_owned(), None, 1).await?.pop();
        Ok(latest.filter(|latest| latest.body.is_some()).map(shown))
    }

    /// Stores a role, or with `None` deletes it, and has the guard go by it.
    ///
    /// # Errors
    /// Why nothing was changed.
    pub async fn change(&self, name: &str, role: Option<Value>, expect: Expect, by: &str) -> Result<Shown, RoleError> {
        if self.0.guard.configured().contains_key(name) {
            return Err(RoleError::InFile);
        }
        if name == DEFAULT {
            return Err(RoleError::Default);
        }
        if let Some(role) = &role {
            let read = stored::read(role).map_err(RoleError::Invalid)?;
            if !self.0.guard.has_upstream(&read) {
                let message = "there is no such upstream in the configuration file".to_owned();
                return Err(RoleError::Invalid(vec![Wrong { key: "upstream".to_owned(), message }]));
            }
        }
        let by = by.chars().filter(|letter| *letter != '\0').take(300).collect();
        let change = Change { name: name.to_owned(), body: role.map(|role| role.to_string()), expect, by };
        match self.0.store.change_role(change).await? {
            Changed::Done(version) => {
                tracing::info!(role = name, version = version.version, by = &*version.by, "an egress role was changed");
                // What is stored is stored: if it cannot be read now, the next look puts it in force.
                if let Err(error) = self.follow_up().await {
                    tracing::warn!(error = %error, "the change of an egress role is in force a little later");
                }
                Ok(shown(version))
            }
            Changed::Stale => Err(RoleError::Stale),
            Changed::Missing => Err(RoleError::Missing),
            Changed::Full => Err(RoleError::Full),
        }
    }

    /// What a stored role was before this version, the latest first.
    ///
    /// # Errors
    /// The store's fault.
    pub async fn versions(&self, name: &str, before: Option<u64>, limit: u32) -> Result<Vec<Past>, StoreError> {
        let versions = self.0.store.role_versions(name.to_owned(), before, limit).await?;
        let past = |version: Version| {
            let body = version.body.as_deref().map(json);
            (Stamp { version: version.version, at: version.at, by: version.by }, body)
        };
        Ok(versions.into_iter().map(past).collect())
    }

    fn of_file(&self) -> BTreeMap<String, Shown> {
        let configured = self.0.guard.configured();
        let shown = |name: String, role: &config::Role, built_in| {
            (name.clone(), Shown { name, role: stored::told(role), built_in, change: None })
        };
        let mut all: BTreeMap<String, Shown> =
            configured.into_iter().map(|(name, role)| shown(name, &role, false)).collect();
        all.entry(DEFAULT.to_owned()).or_insert_with(|| shown(DEFAULT.to_owned(), &built_in(), true).1);
        all
    }
}

/// The role of unknown callers where the file has none, in the words of the file: any public name on 80 and 443.
fn built_in() -> config::Role {
    config::Role { mode: config::Mode::Open, ..config::Role::default() }
}

fn read(version: &Version) -> Result<config::Role, Vec<Wrong>> {
    stored::read(&json(version.body.as_deref().unwrap_or_default()))
}

/// What we have written; anything else is no role, and its reader says so.
fn json(body: &str) -> Value {
    serde_json::from_str(body).unwrap_or_default()
}

fn shown(version: Version) -> Shown {
    let role = json(version.body.as_deref().unwrap_or_default());
    let change = Some(Stamp { version: version.version, at: version.at, by: version.by });
    Shown { name: version.name, role, built_in: false, change }
}

#[cfg(test)]
mod tests {
    use aiva_outbound::policy::Policy;

    use super::*;

    #[test]
    fn the_built_in_role_is_shown_as_what_it_is() {
        let shown = crate::role::policy(&built_in()).unwrap();
        assert_eq!(format!("{shown:?}"), format!("{:?}", Policy::public()));
    }
}
