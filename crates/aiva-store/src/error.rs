//! Why the store could not do what it was asked, in the same words for both engines.
//!
//! The one question a caller asks is [`StoreError::is_transient`]: may the same call succeed if it is tried again?
//! [`TxError`] adds what happens inside a transaction: the caller's own refusal, or a panic.

use std::error::Error;
use std::sync::Arc;

use aiva_chassis::panic;
use rusqlite::ErrorCode;

/// What lies under an error. Shared, because one failed commit fails every write that was grouped into it.
pub type Cause = Arc<dyn Error + Send + Sync>;

/// Why the store failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Another writer kept the database for longer than the store waits.
    #[error("the database is busy")]
    Busy(#[source] Cause),
    /// A concurrent transaction won (serialization failure or deadlock); nothing was written.
    #[error("a concurrent transaction came first")]
    Conflict(#[source] Cause),
    /// The group of writes this one was in was rolled back by another's fault; nothing was written.
    #[error("the write was rolled back with its group")]
    RolledBack,
    /// No connection to be had, or it broke; what a commit in flight did is unknown.
    #[error("the database cannot be reached")]
    Unavailable(#[source] Cause),
    /// The statement or the wait for a connection took longer than its deadline.
    #[error("the database did not answer in time")]
    Timeout(#[source] Cause),
    /// No room on the disk. Free some; nothing was written.
    #[error("the disk is full")]
    Full(#[source] Cause),
    /// A row with this key is there already.
    #[error("the row is there already")]
    Duplicate(#[source] Cause),
    /// Another constraint of the schema forbids it.
    #[error("a constraint of the schema forbids it")]
    Constraint(#[source] Cause),
    /// The query found no row where one was asked for.
    #[error("no such row")]
    NoRow,
    /// The file is damaged or not a database. Restore a backup.
    #[error("the database file is damaged")]
    Corrupt(#[source] Cause),
    /// The operating system failed to read, write or sync the file. After a failed commit the store has stopped.
    #[error("input or output failed under the database")]
    Io(#[source] Cause),
    /// The store stopped for good, after a failed commit or at shutdown. Start the process anew.
    #[error("the store has stopped")]
    Stopped,
    /// The configuration cannot be used: a bad address, a missing certificate, a refused password.
    #[error("the database cannot be opened as configured")]
    Configuration(#[source] Cause),
    /// The statement is wrong for this schema: a defect in AIVA.
    #[error("the database refused the statement")]
    Rejected(#[source] Cause),
}

impl StoreError {
    /// Whether trying the same call again may succeed.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Busy(_) | Self::Conflict(_) | Self::RolledBack | Self::Unavailable(_) | Self::Timeout(_) => true,
            // An operator frees the room; a retry with backoff is right, but only where waiting is.
            Self::Full(_) => true,
            Self::Duplicate(_)
            | Self::Constraint(_)
            | Self::NoRow
            | Self::Corrupt(_)
            | Self::Io(_)
            | Self::Stopped
            | Self::Configuration(_)
            | Self::Rejected(_) => false,
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let Some(code) = error.sqlite_error_code() else {
            return match error {
                rusqlite::Error::QueryReturnedNoRows => Self::NoRow,
                error => Self::Rejected(Arc::new(error)),
            };
        };
        let extended = error.sqlite_error().map_or(0, |error| error.extended_code);
        let cause: Cause = Arc::new(error);
        match code {
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed => {
                Self::Busy(cause)
            }
            ErrorCode::DiskFull => Self::Full(cause),
            ErrorCode::ConstraintViolation => match extended {
                rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE
                | rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY
                | rusqlite::ffi::SQLITE_CONSTRAINT_ROWID => Self::Duplicate(cause),
                _ => Self::Constraint(cause),
            },
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Self::Corrupt(cause),
            ErrorCode::SystemIoFailure => Self::Io(cause),
            ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly => Self::Configuration(cause),
            ErrorCode::OperationInterrupted => Self::Timeout(cause),
            _ => Self::Rejected(cause),
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(|error| error.code()).map(|code| code.into_owned());
        if let Some(code) = code {
            return of_sqlstate(&code, Arc::new(error));
        }
        match error {
            sqlx::Error::RowNotFound => Self::NoRow,
            sqlx::Error::PoolTimedOut => Self::Timeout(Arc::new(error)),
            sqlx::Error::PoolClosed => Self::Stopped,
            sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed | sqlx::Error::Protocol(_) => {
                Self::Unavailable(Arc::new(error))
            }
            sqlx::Error::Configuration(_) | sqlx::Error::Tls(_) => Self::Configuration(Arc::new(error)),
            error => Self::Rejected(Arc::new(error)),
        }
    }
}

/// PostgreSQL's classes of errors, appendix A of its manual.
fn of_sqlstate(code: &str, cause: Cause) -> StoreError {
    match code {
        "40001" | "40P01" => StoreError::Conflict(cause),
        "55P03" => StoreError::Busy(cause), // lock_not_available
        "57014" | "25P03" | "25P04" => StoreError::Timeout(cause), // cancelled by a timeout
        "23505" => StoreError::Duplicate(cause),
        "53100" => StoreError::Full(cause),
        "53200" | "53300" | "53400" | "57P01" | "57P02" | "57P03" | "57P05" => StoreError::Unavailable(cause),
        "58030" => StoreError::Io(cause),
        "XX001" | "XX002" => StoreError::Corrupt(cause),
        "28000" | "28P01" | "3D000" => StoreError::Configuration(cause),
        _ if code.starts_with("08") => StoreError::Unavailable(cause),
        _ if code.starts_with("23") => StoreError::Constraint(cause),
        _ => StoreError::Rejected(cause),
    }
}

/// Why a transaction did not commit. It never did half of its work: all was rolled back, except that after
/// [`StoreError::Unavailable`] nobody knows whether the last commit arrived.
#[derive(Debug, thiserror::Error)]
pub enum TxError<E> {
    /// The caller's own code said no.
    #[error("the transaction was refused")]
    Refused(#[source] E),
    /// The caller's own code panicked; it is logged and counted.
    #[error("the transaction panicked")]
    Panicked,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl<E> TxError<E> {
    /// Whether the store's fault, if it was one, may be gone the next time. A refusal is for the caller to judge.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_transient())
    }

    /// Turns the caller's own error into another.
    pub fn map<F>(self, map: impl FnOnce(E) -> F) -> TxError<F> {
        match self {
            Self::Refused(error) => TxError::Refused(map(error)),
            Self::Panicked => TxError::Panicked,
            Self::Store(error) => TxError::Store(error),
        }
    }
}

impl<E> From<rusqlite::Error> for TxError<E> {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

impl<E> From<sqlx::Error> for TxError<E> {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// The error of work that never refuses: only the store can fail it, or a panic.
pub type Plain = std::convert::Infallible;

impl From<TxError<Plain>> for StoreError {
    /// A panic has been reported where it happened; here it is a defect like a wrong statement.
    fn from(error: TxError<Plain>) -> Self {
        match error {
            TxError::Store(error) => error,
            TxError::Panicked => Self::Rejected(Arc::new(panic::Panicked)),
            TxError::Refused(never) => match never {},
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(code: &str, transient: bool) {
        let error = of_sqlstate(code, Arc::new(std::fmt::Error));
        assert_eq!(error.is_transient(), transient, "{code}: {error}");
    }

    #[test]
    fn postgres_codes_say_whether_to_try_again() {
        check("40001", true);
        check("40P01", true);
        check("08006", true);
        check("57P01", true); // the server is shutting down
        check("53300", true); // too many connections
        check("23505", false);
        check("23503", false);
        check("42P01", false); // no such table: a defect
        check("28P01", false); // wrong password
        check("58030", false);
    }

    #[test]
    fn a_unique_violation_is_a_duplicate() {
        let conn = rusqlite::Connection::open_in_memory().unwrap();
        conn.execute_batch("CREATE TABLE t(a PRIMARY KEY, b CHECK (b > 0)); INSERT INTO t VALUES (1, 1)").unwrap();
        let again = conn.execute("INSERT INTO t VALUES (1, 1)", []).unwrap_err();
        assert!(matches!(StoreError::from(again), StoreError::Duplicate(_)));
        let negative = conn.execute("INSERT INTO t VALUES (2, -1)", []).unwrap_err();
        assert!(matches!(StoreError::from(negative), StoreError::Constraint(_)));
    }
}
