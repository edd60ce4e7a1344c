//! The parts of uploads that have come so far.

use aiva_store::{Database, StoreError, TxError};
use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, Transaction, params};
use sqlx::PgConnection;

use super::components::store;

/// A part of an upload.
#[derive(Debug, Clone)]
pub struct Part {
    /// The service that was scanned.
    pub service: String,
    /// The upload.
    pub scan: String,
    /// Which part this is, from 0.
    pub chunk: u32,
    /// How many there are.
    pub chunks: u32,
    /// The part as it came.
    pub body: Vec<u8>,
}

/// What has come of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// A scan that is as late, or later, is kept: nobody wants it any more.
    Late,
    /// Some parts are missing.
    Partial,
    /// All of it.
    Whole,
}

impl Arrival {
    fn of(
        kept: Option<String>,
        part: &Part,
        come: impl FnOnce() -> Result<i64, StoreError>,
    ) -> Result<Self, StoreError> {
        if kept.is_some_and(|kept| kept >= part.scan) {
            return Ok(Self::Late);
        }
        Ok(if come()? >= i64::from(part.chunks) { Self::Whole } else { Self::Partial })
    }
}

const KEPT: &str = "SELECT scan FROM sca_snapshots WHERE service = $1";
const PUT: &str = "INSERT INTO sca_uploads (service, scan, chunk, body) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
const COME: &str = "SELECT count(*) FROM sca_uploads WHERE service = $1 AND scan = $2 AND chunk < $3";

/// Keeps a part, once, and says what has come with it.
pub(super) fn put_sqlite(tx: &Transaction<'_>, part: &Part) -> Result<Arrival, StoreError> {
    let kept = tx.prepare_cached(KEPT)?.query_row(params![part.service], |row| row.get(0)).optional()?;
    Arrival::of(kept, part, || {
        tx.prepare_cached(PUT)?.execute(params![part.service, part.scan, part.chunk, part.body])?;
        Ok(tx.prepare_cached(COME)?.query_row(params![part.service, part.scan, part.chunks], |row| row.get(0))?)
    })
}

/// Keeps a part, once, and says what has come with it.
pub(super) async fn put_postgres(tx: &mut PgConnection, part: &Part) -> Result<Arrival, StoreError> {
    // Two processes may take in the last two parts at once: the later one has to see the other's.
    let alone = sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))").bind(&part.scan);
    alone.execute(&mut *tx).await?;
    let kept: Option<String> = sqlx::query_scalar(KEPT).bind(&part.service).fetch_optional(&mut *tx).await?;
    if kept.as_ref().is_some_and(|kept| *kept >= part.scan) {
        return Ok(Arrival::Late);
    }
    let put = sqlx::query(PUT).bind(&part.service).bind(&part.scan).bind(i64::from(part.chunk)).bind(&part.body);
    put.execute(&mut *tx).await?;
    let come = sqlx::query_scalar(COME).bind(&part.service).bind(&part.scan).bind(i64::from(part.chunks));
    let come: i64 = come.fetch_one(&mut *tx).await?;
    Arrival::of(kept, part, || Ok(come))
}

/// Removes what came of uploads that were made before a time and are not whole; how many parts that were. The id of an upload says
/// when it was made, and the text of ids is in the order of time.
pub(super) async fn forget(database: &Database, before: Timestamp) -> Result<u64, TxError<StoreError>> {
    const FORGET: &str = "DELETE FROM sca_uploads WHERE scan < $1";
    let millis = before.as_millisecond().max(0);
    let before = format!("{:08x}-{:04x}", millis >> 16, millis & 0xffff);
    match database {
        Database::Sqlite(sqlite) => {
            sqlite
                .write(move |tx| {
                    tx.execute(FORGET, [before]).map(|gone| gone as u64).map_err(|error| TxError::Store(error.into()))
                })
                .await
        }
        Database::Postgres(postgres) => {
            let gone = sqlx::query(FORGET).bind(before).execute(postgres.pool()).await;
            gone.map(|gone| gone.rows_affected()).map_err(store)
        }
    }
}

/// The parts of an upload in their order.
pub(super) async fn get(database: &Database, service: &str, scan: &str) -> Result<Vec<Vec<u8>>, TxError<StoreError>> {
    let query = "SELECT body FROM sca_uploads WHERE service = $1 AND scan = $2 ORDER BY chunk";
    match database {
        Database::Sqlite(sqlite) => {
            let (service, scan) = (service.to_owned(), scan.to_owned());
            sqlite
                .read(move |tx| {
                    let rows = || -> rusqlite::Result<Vec<Vec<u8>>> {
                        tx.prepare_cached(query)?.query_map(params![service, scan], |row| row.get(0))?.collect()
                    };
                    rows().map_err(|error| TxError::Store(error.into()))
                })
                .await
        }
        Database::Postgres(postgres) => {
            let query = sqlx::query_scalar(query).bind(service).bind(scan);
            query.fetch_all(postgres.pool()).await.map_err(store)
        }
    }
}
