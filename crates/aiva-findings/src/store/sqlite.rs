//! The rows of the embedded store.
//!
//! SQLite answers on the spot, so every future here is ready at its first poll and a use case runs to its end inside the
//! closure of one transaction ([`at_once`]). There is one writer, so there is nothing to lock.

use std::future::{Ready, ready};

use aiva_contracts::api::{Counts, DocumentInput, Guard, InputStatus, Scan, ScanState};
use aiva_events::outbox;
use aiva_events::publish::{Context, NewEvent};
use futures_util::FutureExt;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Params, Row, Transaction, params, params_from_iter};
use uuid::Uuid;

use super::kept::{Kept, Raw, columns};
use super::lists::{Order, order, rank};
use super::rows::{CountRow, ExceptionRow, HistoryRow, NameRow, Newest, Rows, Scope, ServiceRow, TrendRow};
use super::{all_from_json, from_json, int, to_json, uint};
use crate::ports::{After, Attempt, Done, FindingFilter, Key, ScanFilter};

/// The tables, inside one transaction or on one snapshot.
pub(super) struct SqliteRows<'c> {
    conn: &'c Connection,
    tx: Option<&'c Transaction<'c>>,
}

impl<'c> SqliteRows<'c> {
    pub(super) fn writing(tx: &'c Transaction<'c>) -> Self {
        Self { conn: tx, tx: Some(tx) }
    }

    pub(super) fn reading(conn: &'c Connection) -> Self {
        Self { conn, tx: None }
    }
}

/// The outcome of a use case over these rows.
pub(super) fn at_once<T>(use_case: impl Future<Output = T>) -> T {
    use_case.now_or_never().expect("a use case awaits nothing but its rows, and these are ready at once")
}

fn done<T>(work: impl FnOnce() -> Done<T>) -> Ready<Done<T>> {
    ready(work())
}

fn many<T>(
    conn: &Connection,
    sql: &str,
    params: impl Params,
    row: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
) -> Done<Vec<T>> {
    Ok(conn.prepare_cached(sql)?.query_map(params, row)?.collect::<Result<_, _>>()?)
}

fn bodies(conn: &Connection, sql: &str, params: impl Params) -> Done<Vec<String>> {
    many(conn, sql, params, |row| row.get(0))
}

fn run(conn: &Connection, sql: &str, params: impl Params) -> Done<usize> {
    Ok(conn.prepare_cached(sql)?.execute(params)?)
}

fn service(row: &Row<'_>) -> rusqlite::Result<ServiceRow> {
    Ok(ServiceRow {
        name: row.get(0)?,
        description: row.get(1)?,
        origin: row.get(2)?,
        version: uint(row.get(3)?),
        created_at: row.get(4)?,
        updated_at: row.get(5)?,
    })
}

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok(Raw {
        fingerprint: row.get(0)?,
        guard: row.get(1)?,
        service: row.get(2)?,
        state: row.get(3)?,
        body: row.get(4)?,
        acceptance: row.get(5)?,
        first_seen: row.get(6)?,
        last_seen: row.get(7)?,
        last_scan: row.get(8)?,
        revision: row.get(9)?,
    })
}

fn kept(rows: Vec<Raw>) -> Done<Vec<Kept>> {
    rows.into_iter().map(Raw::kept).collect()
}

#[expect(
    refining_impl_trait_internal,
    reason = "the port promises a future; that these are ready at once is said here"
)]
impl Rows for SqliteRows<'_> {
    fn lock(&mut self, _: Scope<'_>) -> Ready<Done<()>> {
        ready(Ok(()))
    }

    fn emit(&mut self, events: &[NewEvent], context: &Context) -> Ready<Done<()>> {
        done(|| {
            let tx = self.tx.expect("only a use case that writes has something to tell");
            Ok(outbox::sqlite::append(tx, events, context).map(drop)?)
        })
    }

    fn attempt(&mut self, key: &str) -> Ready<Done<Option<(Vec<u8>, String)>>> {
        done(|| {
            let sql = "SELECT request, answer FROM findings_attempts WHERE key = ?1";
            Ok(self.conn.query_row(sql, [key], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
        })
    }

    fn keep_attempt(&mut self, attempt: &Attempt, answer: &str, at: i64) -> Ready<Done<()>> {
        done(|| {
            let sql = "INSERT INTO findings_attempts (key, request, answer, at) VALUES (?1, ?2, ?3, ?4)";
            run(self.conn, sql, params![attempt.key, attempt.request, answer, at]).map(drop)
        })
    }

    fn forget_attempts(&mut self, before: i64) -> Ready<Done<()>> {
        done(|| run(self.conn, "DELETE FROM findings_attempts WHERE at < ?1", [before]).map(drop))
    }

    fn service(&mut self, name: &str) -> Ready<Done<Option<ServiceRow>>> {
        done(|| {
            let sql = "SELECT name, description, origin, version, created_at, updated_at FROM findings_services
                       WHERE name = ?1";
            Ok(self.conn.prepare_cached(sql)?.query_row([name], service).optional()?)
        })
    }

    fn services(&mut self, after: &str, text: &str) -> Ready<Done<Vec<ServiceRow>>> {
        done(|| {
            let sql = "SELECT name, description, origin, version, created_at, updated_at FROM findings_services
                       WHERE name > ?1 AND instr(name, ?2) > 0 ORDER BY name";
            many(self.conn, sql, params![after, text], service)
        })
    }

    fn put_services(&mut self, services: &[ServiceRow]) -> Ready<Done<()>> {
        done(|| {
            let mut put = self.conn.prepare_cached(
                "INSERT INTO findings_services (name, description, origin, version, created_at, updated_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (name) DO UPDATE SET description = excluded.description, origin = excluded.origin,
                   version = excluded.version, updated_at = excluded.updated_at",
            )?;
            for row in services {
                put.execute(params![
                    row.name,
                    row.description,
                    row.origin,
                    int(row.version),
                    row.created_at,
                    row.updated_at
                ])?;
            }
            Ok(())
        })
    }

    fn release_services(&mut self) -> Ready<Done<()>> {
        done(|| run(self.conn, "UPDATE findings_services SET origin = 'api' WHERE origin = 'file'", []).map(drop))
    }

    fn delete_service(&mut self, name: &str) -> Ready<Done<()>> {
        done(|| {
            for statement in [
                "DELETE FROM findings_history WHERE fingerprint IN
                   (SELECT fingerprint FROM findings_findings WHERE service = ?1)",
                "DELETE FROM findings_inputs WHERE scan IN (SELECT id FROM findings_scans WHERE service = ?1)",
                "DELETE FROM findings_chunks WHERE scan IN (SELECT id FROM findings_scans WHERE service = ?1)",
                "DELETE FROM findings_findings WHERE service = ?1",
                "DELETE FROM findings_names WHERE service = ?1",
                "DELETE FROM findings_trend WHERE service = ?1",
                "DELETE FROM findings_scans WHERE service = ?1",
                "DELETE FROM findings_services WHERE name = ?1",
            ] {
                run(self.conn, statement, [name])?;
            }
            Ok(())
        })
    }

    fn scan(&mut self, id: Uuid) -> Ready<Done<Option<Scan>>> {
        done(|| {
            let found = bodies(self.conn, "SELECT body FROM findings_scans WHERE id = ?1", [id.to_string()])?;
            found.first().map(|body| from_json(body)).transpose()
        })
    }

    fn put_scans(&mut self, scans: &[Scan]) -> Ready<Done<()>> {
        done(|| {
            let mut put = self.conn.prepare_cached(
                "INSERT INTO findings_scans (id, service, guard, state, requested_at, body)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (id) DO UPDATE SET state = excluded.state, body = excluded.body",
            )?;
            for scan in scans {
                put.execute(params![
                    scan.id.to_string(),
                    scan.service,
                    scan.guard.as_str(),
                    scan.state.as_str(),
                    scan.requested_at.as_microsecond(),
                    to_json(scan)?
                ])?;
            }
            Ok(())
        })
    }

    fn open_scans(&mut self, service: &str, guard: Guard) -> Ready<Done<Vec<Scan>>> {
        done(|| {
            let sql = "SELECT body FROM findings_scans
                       WHERE service = ?1 AND guard = ?2 AND state IN ('requested', 'running')";
            all_from_json(&bodies(self.conn, sql, params![service, guard.as_str()])?)
        })
    }

    fn scans(&mut self, filter: &ScanFilter, before: Option<Uuid>, limit: u32) -> Ready<Done<Vec<Scan>>> {
        done(|| {
            let sql = "SELECT body FROM findings_scans
                       WHERE (?1 IS NULL OR service = ?1) AND (?2 IS NULL OR guard = ?2)
                         AND (?3 IS NULL OR state = ?3) AND (?4 IS NULL OR id < ?4)
                       ORDER BY id DESC LIMIT ?5";
            let (guard, state) = (filter.guard.map(Guard::as_str), filter.state.map(ScanState::as_str));
            let before = before.map(|id| id.to_string());
            all_from_json(&bodies(self.conn, sql, params![filter.service, guard, state, before, limit])?)
        })
    }

    fn newest_scans(&mut self, services: &[String], which: Newest) -> Ready<Done<Vec<Scan>>> {
        done(|| {
            let (ended, guard) = asked(which);
            let sql = "SELECT body FROM findings_scans
                       WHERE service = ?1 AND (NOT ?2 OR state IN ('completed', 'failed'))
                         AND (?3 IS NULL OR guard = ?3)
                       ORDER BY id DESC LIMIT 1";
            let mut found = Vec::new();
            for service in services {
                found.extend(bodies(self.conn, sql, params![service, ended, guard])?);
            }
            all_from_json(&found)
        })
    }

    fn claim(&mut self, scan: Uuid, kind: &str, chunk: u32) -> Ready<Done<bool>> {
        done(|| {
            let sql = "INSERT OR IGNORE INTO findings_chunks (scan, kind, chunk) VALUES (?1, ?2, ?3)";
            Ok(run(self.conn, sql, params![scan.to_string(), kind, chunk])? == 1)
        })
    }

    fn chunks(&mut self, scan: Uuid, kind: &str) -> Ready<Done<u64>> {
        done(|| {
            let sql = "SELECT count(*) FROM findings_chunks WHERE scan = ?1 AND kind = ?2";
            let mut count = self.conn.prepare_cached(sql)?;
            Ok(uint(count.query_row(params![scan.to_string(), kind], |row| row.get(0))?))
        })
    }

    fn put_inputs(&mut self, scan: Uuid, inputs: &[&DocumentInput]) -> Ready<Done<()>> {
        done(|| {
            let scan = scan.to_string();
            let mut put = self.conn.prepare_cached(
                "INSERT OR REPLACE INTO findings_inputs (scan, path, kind, status, body) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?;
            for input in inputs {
                put.execute(params![scan, input.path, input.kind, input.status.as_str(), to_json(input)?])?;
            }
            Ok(())
        })
    }

    fn inputs(
        &mut self,
        scan: Uuid,
        status: Option<InputStatus>,
        (path, kind): &(String, String),
        limit: Option<u32>,
    ) -> Ready<Done<Vec<DocumentInput>>> {
        done(|| {
            let sql = "SELECT body FROM findings_inputs
                       WHERE scan = ?1 AND (?2 IS NULL OR status = ?2) AND (path, kind) > (?3, ?4)
                       ORDER BY path, kind LIMIT ?5";
            let limit = limit.map_or(-1, i64::from); // below zero there is no limit
            let status = status.map(InputStatus::as_str);
            all_from_json(&bodies(self.conn, sql, params![scan.to_string(), status, path, kind, limit])?)
        })
    }

    fn findings(&mut self, fingerprints: &[String]) -> Ready<Done<Vec<Kept>>> {
        done(|| {
            let sql = concat!("SELECT ", columns!(), " FROM findings_findings WHERE fingerprint = ?1");
            let mut found = Vec::new();
            for fingerprint in fingerprints {
                found.extend(many(self.conn, sql, [fingerprint], raw)?);
            }
            kept(found)
        })
    }

    fn alive(&mut self, service: Option<&str>) -> Ready<Done<Vec<Kept>>> {
        done(|| {
            let sql = concat!(
                "SELECT ",
                columns!(),
                " FROM findings_findings WHERE state <> 'fixed' AND (?1 IS NULL OR service = ?1) ORDER BY age"
            );
            kept(many(self.conn, sql, [service], raw)?)
        })
    }

    fn put_findings(&mut self, findings: &[Kept]) -> Ready<Done<()>> {
        done(|| {
            let mut put = self.conn.prepare_cached(
                "INSERT INTO findings_findings (fingerprint, guard, service, state, kind, level, package, path, haystack,
                   body, acceptance, first_seen, last_seen, last_scan, revision)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
                 ON CONFLICT (fingerprint) DO UPDATE SET state = excluded.state, kind = excluded.kind,
                   level = excluded.level, haystack = excluded.haystack, body = excluded.body,
                   acceptance = excluded.acceptance, last_seen = excluded.last_seen, last_scan = excluded.last_scan,
                   revision = excluded.revision",
            )?;
            for kept in findings {
                put.execute(params![
                    kept.fingerprint,
                    kept.guard.as_str(),
                    kept.service,
                    kept.state.word().as_str(),
                    kept.seen.kind.as_str(),
                    rank(kept.seen.severity.level),
                    kept.seen.name,
                    kept.seen.path,
                    kept.haystack(),
                    kept.body()?,
                    kept.acceptance()?,
                    kept.first_seen,
                    kept.last_seen,
                    kept.last_scan,
                    int(kept.revision),
                ])?;
            }
            Ok(())
        })
    }

    fn page(&mut self, filter: &FindingFilter, after: Option<&After>, limit: u32) -> Ready<Done<(Vec<Kept>, u64)>> {
        done(|| {
            let mut matching = Where::new(filter);
            let sql = format!("SELECT count(*) FROM findings_findings WHERE {}", matching.sql);
            let mut count = self.conn.prepare_cached(&sql)?;
            let total: i64 = count.query_row(params_from_iter(&matching.values), |row| row.get(0))?;
            let Order { column, rises, .. } = order(filter.order);
            let (sign, direction) = if rises { (">", "ASC") } else { ("<", "DESC") };
            if let Some(After { key, fingerprint }) = after {
                let key = Value::from(key.clone());
                matching.and(
                    &format!("({column} {sign} ? OR ({column} = ? AND fingerprint > ?))"),
                    [key.clone(), key, Value::Text(fingerprint.clone())],
                );
            }
            let sql = format!(
                "SELECT {} FROM findings_findings WHERE {} ORDER BY {column} {direction}, fingerprint LIMIT {limit}",
                columns!(),
                matching.sql
            );
            Ok((kept(many(self.conn, &sql, params_from_iter(&matching.values), raw)?)?, uint(total)))
        })
    }

    fn names(&mut self, guard: Guard, service: &str, places: &[(String, String)]) -> Ready<Done<Vec<NameRow>>> {
        done(|| {
            let sql = "SELECT n.path, n.package, n.name, n.fingerprint, f.age
                       FROM findings_names n JOIN findings_findings f USING (fingerprint)
                       WHERE n.guard = ?1 AND n.service = ?2 AND n.path = ?3 AND n.package = ?4";
            let mut found = Vec::new();
            for (path, package) in places {
                found.extend(many(self.conn, sql, params![guard.as_str(), service, path, package], |row| {
                    Ok(NameRow {
                        path: row.get(0)?,
                        package: row.get(1)?,
                        name: row.get(2)?,
                        fingerprint: row.get(3)?,
                        age: uint(row.get(4)?),
                    })
                })?);
            }
            Ok(found)
        })
    }

    fn put_names(&mut self, guard: Guard, service: &str, names: &[NameRow]) -> Ready<Done<()>> {
        done(|| {
            let mut put = self.conn.prepare_cached(
                "INSERT OR REPLACE INTO findings_names (guard, service, path, package, name, fingerprint)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?;
            for row in names {
                put.execute([guard.as_str(), service, &row.path, &row.package, &row.name, &row.fingerprint])?;
            }
            Ok(())
        })
    }

    fn history(&mut self, fingerprint: &str, limit: u32) -> Ready<Done<Vec<String>>> {
        done(|| {
            let sql = "SELECT body FROM findings_history WHERE fingerprint = ?1 ORDER BY revision DESC LIMIT ?2";
            bodies(self.conn, sql, params![fingerprint, limit])
        })
    }

    fn put_history(&mut self, entries: &[HistoryRow]) -> Ready<Done<()>> {
        done(|| {
            let sql = "INSERT INTO findings_history (fingerprint, revision, body) VALUES (?1, ?2, ?3)";
            let mut put = self.conn.prepare_cached(sql)?;
            for entry in entries {
                put.execute(params![entry.fingerprint, int(entry.revision), entry.body])?;
            }
            Ok(())
        })
    }

    fn counts(&mut self, services: &[String], guard: Option<Guard>) -> Ready<Done<Vec<CountRow>>> {
        done(|| {
            let sql = "SELECT service, level, state = 'accepted', count(*) FROM findings_findings
                       WHERE service = ?1 AND (?2 IS NULL OR guard = ?2) AND state <> 'fixed' GROUP BY 1, 2, 3";
            let mut found = Vec::new();
            for service in services {
                found.extend(many(self.conn, sql, params![service, guard.map(Guard::as_str)], |row| {
                    Ok(CountRow { service: row.get(0)?, level: row.get(1)?, accepted: row.get(2)?, count: row.get(3)? })
                })?);
            }
            Ok(found)
        })
    }

    fn trend(&mut self, service: Option<&str>, guard: Option<Guard>) -> Ready<Done<Vec<TrendRow>>> {
        done(|| {
            let sql = "SELECT service, guard, day, counts, accepted FROM findings_trend
                       WHERE (?1 IS NULL OR service = ?1) AND (?2 IS NULL OR guard = ?2) ORDER BY day";
            many(self.conn, sql, params![service, guard.map(Guard::as_str)], |row| {
                Ok(TrendRow {
                    service: row.get(0)?,
                    guard: row.get(1)?,
                    day: row.get(2)?,
                    counts: row.get(3)?,
                    accepted: row.get(4)?,
                })
            })
        })
    }

    fn put_trend(&mut self, service: &str, guard: Guard, day: &str, counts: &Counts, accepted: u64) -> Ready<Done<()>> {
        done(|| {
            let sql = "INSERT INTO findings_trend (service, guard, day, counts, accepted) VALUES (?1, ?2, ?3, ?4, ?5)
                       ON CONFLICT (service, guard, day)
                       DO UPDATE SET counts = excluded.counts, accepted = excluded.accepted";
            let counts = to_json(counts)?;
            run(self.conn, sql, params![service, guard.as_str(), day, counts, int(accepted)]).map(drop)
        })
    }

    fn exceptions(&mut self) -> Ready<Done<Vec<ExceptionRow>>> {
        done(|| {
            let sql = "SELECT id, guard, rule, owner, reason, expires, created_at FROM findings_exceptions ORDER BY id";
            many(self.conn, sql, [], |row| {
                Ok(ExceptionRow {
                    id: row.get(0)?,
                    guard: row.get(1)?,
                    rule: row.get(2)?,
                    owner: row.get(3)?,
                    reason: row.get(4)?,
                    expires: row.get(5)?,
                    created_at: row.get(6)?,
                })
            })
        })
    }

    fn put_exception(&mut self, it: &ExceptionRow) -> Ready<Done<()>> {
        done(|| {
            let sql = "INSERT INTO findings_exceptions (id, guard, rule, owner, reason, expires, created_at)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
            let values = params![it.id, it.guard, it.rule, it.owner, it.reason, it.expires, it.created_at];
            run(self.conn, sql, values).map(drop)
        })
    }

    fn remove_exception(&mut self, id: &str) -> Ready<Done<bool>> {
        done(|| Ok(run(self.conn, "DELETE FROM findings_exceptions WHERE id = ?1", [id])? == 1))
    }
}

/// Whether the scan must have ended, and whose it must be.
pub(super) fn asked(which: Newest) -> (bool, Option<&'static str>) {
    match which {
        Newest::Any => (false, None),
        Newest::Ended => (true, None),
        Newest::Of(guard) => (false, Some(guard.as_str())),
    }
}

impl From<Key> for Value {
    fn from(key: Key) -> Self {
        match key {
            Key::Number(number) => Self::Integer(number),
            Key::Text(text) => Self::Text(text),
        }
    }
}

/// A `WHERE` that grows part by part, each with its values.
struct Where {
    sql: String,
    values: Vec<Value>,
}

impl Where {
    fn new(filter: &FindingFilter) -> Self {
        let mut this = Self { sql: "1".to_owned(), values: Vec::new() };
        this.equal("service", filter.service.clone());
        this.equal("guard", filter.guard.map(|guard| guard.to_string()));
        this.equal("kind", filter.kind.map(|kind| kind.to_string()));
        this.equal("package", filter.package.clone());
        this.one_of("state", filter.states.iter().map(|state| Value::Text(state.to_string())).collect());
        this.one_of("level", filter.levels.iter().map(|level| Value::Integer(rank(*level))).collect());
        if let Some(text) = &filter.text {
            this.and("instr(haystack, ?) > 0", [Value::Text(text.to_lowercase())]);
        }
        if let Some(name) = &filter.advisory {
            let named = "fingerprint IN (SELECT fingerprint FROM findings_names WHERE name = ?)";
            this.and(named, [Value::Text(name.clone())]);
        }
        this
    }

    fn and(&mut self, sql: &str, values: impl IntoIterator<Item = Value>) {
        self.sql.push_str(" AND ");
        self.sql.push_str(sql);
        self.values.extend(values);
    }

    fn equal(&mut self, column: &str, value: Option<String>) {
        if let Some(value) = value {
            self.and(&format!("{column} = ?"), [Value::Text(value)]);
        }
    }

    fn one_of(&mut self, column: &str, values: Vec<Value>) {
        if !values.is_empty() {
            let marks = vec!["?"; values.len()].join(", ");
            self.and(&format!("{column} IN ({marks})"), values);
        }
    }
}
