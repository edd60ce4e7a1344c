//! Migrations: embedded, ordered by owner, checksummed, expand before contract.
//!
//! Promises: all missing steps are applied in one transaction or none; two processes that start together apply them once;
//! a step that was applied is never changed (its checksum is kept). A release accepts a schema with steps it does not
//! know as long as each of them only expands, so the previous release keeps running while the next one is rolled out; it
//! refuses one that has contracted, because what it needs may be gone.
//!
//! Start reading at [`MigrationSet`], then [`up`], [`check`] and [`status`].

mod expand;
mod plan;
mod run;

use std::fmt;

use aiva_chassis::clock::Clock;

use crate::{Database, StoreError};

pub use expand::contraction;
pub use plan::{Plan, plan};

/// The steps of one crate, in order of their versions.
#[derive(Debug, Clone, Copy)]
pub struct MigrationSet {
    /// The crate's part of the schema, such as `findings`; its tables begin with it.
    pub owner: &'static str,
    /// Versions rise from 1 without gaps; tested by [`plan`].
    pub steps: &'static [Step],
}

/// One change of the schema.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// From 1.
    pub version: u32,
    /// A few words with underscores.
    pub name: &'static str,
    /// What it does to the release before.
    pub phase: Phase,
    /// For SQLite; may be several statements.
    pub sqlite: &'static str,
    /// For PostgreSQL; may be several statements, and must be able to run in a transaction.
    pub postgres: &'static str,
}

/// Whether the release before still runs on the schema after the step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Adds only: the release before does not notice.
    Expand,
    /// Removes or tightens: runs when the release before is gone.
    Contract,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Expand => "expand",
            Self::Contract => "contract",
        })
    }
}

/// A step that the database remembers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// See [`MigrationSet::owner`].
    pub owner: String,
    /// See [`Step::version`].
    pub version: u32,
    /// See [`Step::name`].
    pub name: String,
    /// See [`Step::phase`].
    pub phase: Phase,
    /// SHA-256 of the engine's SQL, in hex.
    pub checksum: String,
    /// Microseconds since 1970-01-01T00:00:00Z.
    pub applied_at: i64,
}

/// One line of `aiva migrate status`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepStatus {
    /// See [`MigrationSet::owner`].
    pub owner: String,
    /// See [`Step::version`].
    pub version: u32,
    /// See [`Step::name`].
    pub name: String,
    /// See [`Step::phase`].
    pub phase: Phase,
    /// When it was applied, in microseconds since 1970; `None` while it is missing.
    pub applied_at: Option<i64>,
    /// Whether this release knows the step; a newer one brought the others.
    pub known: bool,
}

/// Why the schema cannot be used or changed.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// Steps are missing: run `aiva migrate up`.
    #[error("{} schema steps are missing, the first is {first}: run `aiva migrate up`", missing)]
    Behind {
        /// How many.
        missing: usize,
        /// The first of them.
        first: String,
    },
    /// A newer release has removed what this one needs: run the newer release.
    #[error("the schema is newer and has contracted in {step}: run the newer release")]
    Contracted {
        /// The step that this release does not know.
        step: String,
    },
    /// A step was changed after it had been applied: a defect of the build.
    #[error("{step} was applied with other contents than this build has")]
    Changed {
        /// The step.
        step: String,
    },
    /// A step that says it only expands does not: a defect of the build.
    #[error("{step} contracts, but does not say so: {reason}, in `{statement}`")]
    Contracts {
        /// The step.
        step: String,
        /// What it would do to the release before.
        reason: &'static str,
        /// The statement.
        statement: String,
    },
    /// Steps without order: a defect of the build.
    #[error("the steps of {owner} are not numbered from 1 without gaps")]
    Disordered {
        /// The set.
        owner: String,
    },
    /// The store failed; nothing was applied.
    #[error("the store failed while the schema was read or changed")]
    Store(#[from] StoreError),
}

impl MigrateError {
    /// Whether trying again may succeed.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_transient())
    }
}

/// The store's own tables; always applied first.
pub const STORE: MigrationSet = MigrationSet {
    owner: "store",
    steps: &[Step {
        version: 1,
        name: "leases",
        phase: Phase::Expand,
        sqlite: "CREATE TABLE aiva_leases (
            name TEXT PRIMARY KEY, holder TEXT NOT NULL, token INTEGER NOT NULL, expires_at INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID",
        postgres: "CREATE TABLE aiva_leases (
            name TEXT PRIMARY KEY, holder TEXT NOT NULL, token BIGINT NOT NULL, expires_at BIGINT NOT NULL
        )",
    }],
};

/// Applies what is missing and says what it was. A newer schema is left as it is if this release can run on it.
///
/// # Errors
/// See [`MigrateError`]; nothing was applied then.
pub async fn up(
    database: &Database,
    sets: &[MigrationSet],
    clock: &dyn Clock,
) -> Result<Vec<StepStatus>, MigrateError> {
    let sets = with_store(sets);
    let now = clock.now().as_microsecond();
    match database {
        Database::Sqlite(db) => run::sqlite_up(db, sets, now).await,
        Database::Postgres(db) => run::postgres_up(db, sets, now).await,
    }
}

/// Whether this release can run on the schema as it is.
///
/// # Errors
/// [`MigrateError::Behind`] and its like.
pub async fn check(database: &Database, sets: &[MigrationSet]) -> Result<(), MigrateError> {
    let sets = with_store(sets);
    let plan = plan(&sets, &run::applied(database).await?, engine(database))?;
    match plan.missing.first() {
        None => Ok(()),
        Some(first) => Err(MigrateError::Behind { missing: plan.missing.len(), first: first.title() }),
    }
}

/// Every step that this release or the database knows.
///
/// # Errors
/// The store's fault, or a step that was changed.
pub async fn status(database: &Database, sets: &[MigrationSet]) -> Result<Vec<StepStatus>, MigrateError> {
    Ok(plan::statuses(&with_store(sets), &run::applied(database).await?))
}

fn with_store(sets: &[MigrationSet]) -> Vec<MigrationSet> {
    std::iter::once(STORE).chain(sets.iter().copied()).collect()
}

/// Picks the SQL of one engine.
type Engine = fn(&Step) -> &'static str;

fn engine(database: &Database) -> Engine {
    match database {
        Database::Sqlite(_) => |step| step.sqlite,
        Database::Postgres(_) => |step| step.postgres,
    }
}
