//! The rows of PostgreSQL: one statement a batch (`UNNEST`), never a loop.
//!
//! A transaction that changes a service holds an advisory lock on it until it ends and reads what is committed by then
//! (READ COMMITTED): the same one-writer order that the embedded store has, service by service. The text of PostgreSQL
//! holds no NUL, so what is looked up with one is looked up without it ([`text`]); what is stored has none.

use std::borrow::Cow;

use aiva_contracts::api::{Counts, DocumentInput, Guard, InputStatus, Scan, ScanState};
use aiva_events::outbox;
use aiva_events::publish::{Context, NewEvent};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, FromRow, Row};
use uuid::Uuid;

use super::kept::{Kept, Raw, columns};
use super::lists::{Order, order, rank};
use super::rows::{CountRow, ExceptionRow, HistoryRow, NameRow, Newest, Rows, Scope, ServiceRow, TrendRow};
use super::sqlite::asked;
use super::{all_from_json, int, to_json, uint};
use crate::ports::{After, Attempt, Done, FindingFilter, Key, ScanFilter};

/// The advisory lock of every service at once: `aivafind` in ASCII.
const EVERY_SERVICE: i64 = 0x6169_7661_6669_6e64;

/// A text that PostgreSQL can be asked for. What has a NUL is nowhere; the mark in its place is in no name either.
fn text(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}

fn maybe(value: Option<&String>) -> Option<Cow<'_, str>> {
    value.map(|value| text(value))
}

fn each<'i, I, T>(items: &'i [I], of: impl Fn(&'i I) -> T) -> Vec<T> {
    items.iter().map(of).collect()
}

impl<'r> FromRow<'r, PgRow> for ServiceRow {
    fn from_row(row: &'r PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            name: row.try_get(0)?,
            description: row.try_get(1)?,
            origin: row.try_get(2)?,
            version: uint(row.try_get(3)?),
            created_at: row.try_get(4)?,
            updated_at: row.try_get(5)?,
        })
    }
}

impl<'r> FromRow<'r, PgRow> for Raw {
    fn from_row(row: &'r PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            fingerprint: row.try_get(0)?,
            guard: row.try_get(1)?,
            service: row.try_get(2)?,
            state: row.try_get(3)?,
            body: row.try_get(4)?,
            acceptance: row.try_get(5)?,
            first_seen: row.try_get(6)?,
            last_seen: row.try_get(7)?,
            last_scan: row.try_get(8)?,
            revision: row.try_get(9)?,
        })
    }
}

fn kept(rows: Vec<Raw>) -> Done<Vec<Kept>> {
    rows.into_iter().map(Raw::kept).collect()
}

impl Rows for PgConnection {
    async fn lock(&mut self, scope: Scope<'_>) -> Done<()> {
        let (every, one) = match scope {
            Scope::All => {
                sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(EVERY_SERVICE).execute(&mut *self).await?;
                return Ok(());
            }
            Scope::Service(name) => (true, format!("service {name}")),
            Scope::Key(key) => (false, format!("key {key}")),
        };
        if every {
            sqlx::query("SELECT pg_advisory_xact_lock_shared($1)").bind(EVERY_SERVICE).execute(&mut *self).await?;
        }
        let lock = sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))");
        lock.bind(text(&one)).execute(&mut *self).await?;
        Ok(())
    }

    async fn emit(&mut self, events: &[NewEvent], context: &Context) -> Done<()> {
        outbox::postgres::append(self, events, context).await?;
        Ok(())
    }

    async fn attempt(&mut self, key: &str) -> Done<Option<(Vec<u8>, String)>> {
        let find = sqlx::query_as("SELECT request, answer FROM findings_attempts WHERE key = $1");
        Ok(find.bind(text(key)).fetch_optional(&mut *self).await?)
    }

    async fn keep_attempt(&mut self, attempt: &Attempt, answer: &str, at: i64) -> Done<()> {
        sqlx::query("INSERT INTO findings_attempts (key, request, answer, at) VALUES ($1, $2, $3, $4)")
            .bind(text(&attempt.key))
            .bind(attempt.request.as_slice())
            .bind(answer)
            .bind(at)
            .execute(&mut *self)
            .await?;
        Ok(())
    }

    async fn forget_attempts(&mut self, before: i64) -> Done<()> {
        // Rows that another transaction forgets right now need not be waited for.
        let forget = sqlx::query(
            "DELETE FROM findings_attempts WHERE key IN
               (SELECT key FROM findings_attempts WHERE at < $1 FOR UPDATE SKIP LOCKED)",
        );
        forget.bind(before).execute(&mut *self).await?;
        Ok(())
    }

    async fn service(&mut self, name: &str) -> Done<Option<ServiceRow>> {
        let find = sqlx::query_as(
            "SELECT name, description, origin, version, created_at, updated_at FROM findings_services WHERE name = $1",
        );
        Ok(find.bind(text(name)).fetch_optional(&mut *self).await?)
    }

    async fn services(&mut self, after: &str, part: &str) -> Done<Vec<ServiceRow>> {
        let list = sqlx::query_as(
            "SELECT name, description, origin, version, created_at, updated_at FROM findings_services
             WHERE name > $1 AND strpos(name, $2) > 0 ORDER BY name",
        );
        Ok(list.bind(text(after)).bind(text(part)).fetch_all(&mut *self).await?)
    }

    async fn put_services(&mut self, services: &[ServiceRow]) -> Done<()> {
        sqlx::query(
            "INSERT INTO findings_services (name, description, origin, version, created_at, updated_at)
             SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[])
             ON CONFLICT (name) DO UPDATE SET description = excluded.description, origin = excluded.origin,
               version = excluded.version, updated_at = excluded.updated_at",
        )
        .bind(each(services, |row| row.name.as_str()))
        .bind(each(services, |row| row.description.as_str()))
        .bind(each(services, |row| row.origin.as_str()))
        .bind(each(services, |row| int(row.version)))
        .bind(each(services, |row| row.created_at))
        .bind(each(services, |row| row.updated_at))
        .execute(&mut *self)
        .await?;
        Ok(())
    }

    async fn release_services(&mut self) -> Done<()> {
        sqlx::query("UPDATE findings_services SET origin = 'api' WHERE origin = 'file'").execute(&mut *self).await?;
        Ok(())
    }

    async fn delete_service(&mut self, name: &str) -> Done<()> {
        for statement in [
            "DELETE FROM findings_history WHERE fingerprint IN
               (SELECT fingerprint FROM findings_findings WHERE service = $1)",
            "DELETE FROM findings_inputs WHERE scan IN (SELECT id FROM findings_scans WHERE service = $1)",
            "DELETE FROM findings_chunks WHERE scan IN (SELECT id FROM findings_scans WHERE service = $1)",
            "DELETE FROM findings_findings WHERE service = $1",
            "DELETE FROM findings_names WHERE service = $1",
            "DELETE FROM findings_trend WHERE service = $1",
            "DELETE FROM findings_scans WHERE service = $1",
            "DELETE FROM findings_services WHERE name = $1",
        ] {
            sqlx::query(statement).bind(text(name)).execute(&mut *self).await?;
        }
        Ok(())
    }

    async fn scan(&mut self, id: Uuid) -> Done<Option<Scan>> {
        let find = sqlx::query_scalar("SELECT body FROM findings_scans WHERE id = $1").bind(id.to_string());
        Ok(all_from_json(&find.fetch_all(&mut *self).await?)?.into_iter().next())
    }

    async fn put_scans(&mut self, scans: &[Scan]) -> Done<()> {
        let bodies = scans.iter().map(to_json).collect::<Result<Vec<_>, _>>()?;
        sqlx::query(
            "INSERT INTO findings_scans (id, service, guard, state, requested_at, body)
             SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[])
             ON CONFLICT (id) DO UPDATE SET state = excluded.state, body = excluded.body",
        )
        .bind(each(scans, |scan| scan.id.to_string()))
        .bind(each(scans, |scan| scan.service.as_str()))
        .bind(each(scans, |scan| scan.guard.as_str()))
        .bind(each(scans, |scan| scan.state.as_str()))
        .bind(each(scans, |scan| scan.requested_at.as_microsecond()))
        .bind(bodies)
        .execute(&mut *self)
        .await?;
        Ok(())
    }

    async fn open_scans(&mut self, service: &str, guard: Guard) -> Done<Vec<Scan>> {
        let open = sqlx::query_scalar(
            "SELECT body FROM findings_scans
             WHERE service = $1 AND guard = $2 AND state IN ('requested', 'running')",
        );
        all_from_json(&open.bind(text(service)).bind(guard.as_str()).fetch_all(&mut *self).await?)
    }

    async fn scans(&mut self, filter: &ScanFilter, before: Option<Uuid>, limit: u32) -> Done<Vec<Scan>> {
        let list = sqlx::query_scalar(
            "SELECT body FROM findings_scans
             WHERE ($1::text IS NULL OR service = $1) AND ($2::text IS NULL OR guard = $2)
               AND ($3::text IS NULL OR state = $3) AND ($4::text IS NULL OR id < $4)
             ORDER BY id DESC LIMIT $5",
        )
        .bind(maybe(filter.service.as_ref()))
        .bind(filter.guard.map(Guard::as_str))
        .bind(filter.state.map(ScanState::as_str))
        .bind(before.map(|id| id.to_string()))
        .bind(i64::from(limit));
        all_from_json(&list.fetch_all(&mut *self).await?)
    }

    async fn newest_scans(&mut self, services: &[String], which: Newest) -> Done<Vec<Scan>> {
        let (ended, guard) = asked(which);
        let newest = sqlx::query_scalar(
            "SELECT s.body FROM unnest($1::text[]) AS asked (name)
             CROSS JOIN LATERAL (
               SELECT body FROM findings_scans
               WHERE service = asked.name AND (NOT $2 OR state IN ('completed', 'failed'))
                 AND ($3::text IS NULL OR guard = $3)
               ORDER BY id DESC LIMIT 1) s",
        );
        all_from_json(&newest.bind(services).bind(ended).bind(guard).fetch_all(&mut *self).await?)
    }

    async fn claim(&mut self, scan: Uuid, kind: &str, chunk: u32) -> Done<bool> {
        let claim =
            sqlx::query("INSERT INTO findings_chunks (scan, kind, chunk) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING");
        let claimed = claim.bind(scan.to_string()).bind(kind).bind(i64::from(chunk)).execute(&mut *self).await?;
        Ok(claimed.rows_affected() == 1)
    }

    async fn chunks(&mut self, scan: Uuid, kind: &str) -> Done<u64> {
        let count = sqlx::query_scalar("SELECT count(*) FROM findings_chunks WHERE scan = $1 AND kind = $2");
        Ok(uint(count.bind(scan.to_string()).bind(kind).fetch_one(&mut *self).await?))
    }

    async fn put_inputs(&mut self, scan: Uuid, inputs: &[&DocumentInput]) -> Done<()> {
        let bodies = inputs.iter().map(to_json).collect::<Result<Vec<_>, _>>()?;
        sqlx::query(
            "INSERT INTO findings_inputs (scan, path, kind, status, body)
             SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[])
             ON CONFLICT (scan, path, kind) DO UPDATE SET status = excluded.status, body = excluded.body",
        )
        .bind(scan.to_string())
        .bind(each(inputs, |input| text(&input.path)))
        .bind(each(inputs, |input| text(&input.kind)))
        .bind(each(inputs, |input| input.status.as_str()))
        .bind(bodies)
        .execute(&mut *self)
        .await?;
        Ok(())
    }

    async fn inputs(
        &mut self,
        scan: Uuid,
        status: Option<InputStatus>,
        (path, kind): &(String, String),
        limit: Option<u32>,
    ) -> Done<Vec<DocumentInput>> {
        let list = sqlx::query_scalar(
            "SELECT body FROM findings_inputs
             WHERE scan = $1 AND ($2::text IS NULL OR status = $2) AND (path, kind) > ($3, $4)
             ORDER BY path, kind LIMIT $5",
        )
        .bind(scan.to_string())
        .bind(status.map(InputStatus::as_str))
        .bind(text(path))
        .bind(text(kind))
        .bind(limit.map(i64::from));
        all_from_json(&list.fetch_all(&mut *self).await?)
    }

    async fn findings(&mut self, fingerprints: &[String]) -> Done<Vec<Kept>> {
        let find =
            sqlx::query_as(concat!("SELECT ", columns!(), " FROM findings_findings WHERE fingerprint = ANY($1)"));
        kept(find.bind(fingerprints).fetch_all(&mut *self).await?)
    }

    async fn alive(&mut self, service: Option<&str>) -> Done<Vec<Kept>> {
        let list = sqlx::query_as(concat!(
            "SELECT ",
            columns!(),
            " FROM findings_findings WHERE state <> 'fixed' AND ($1::text IS NULL OR service = $1) ORDER BY age"
        ));
        kept(list.bind(service.map(text)).fetch_all(&mut *self).await?)
    }

    async fn put_findings(&mut self, findings: &[Kept]) -> Done<()> {
        let bodies = findings.iter().map(Kept::body).collect::<Done<Vec<_>>>()?;
        let acceptances = findings.iter().map(Kept::acceptance).collect::<Done<Vec<_>>>()?;
        // In the order given, because age is what tells the older of two findings.
        sqlx::query(
            "INSERT INTO findings_findings (fingerprint, guard, service, state, kind, level, package, path, haystack,
               body, acceptance, first_seen, last_seen, last_scan, revision)
             SELECT fingerprint, guard, service, state, kind, level, package, path, haystack,
               body, acceptance, first_seen, last_seen, last_scan, revision
             FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::text[],
               $9::text[], $10::text[], $11::text[], $12::bigint[], $13::bigint[], $14::text[], $15::bigint[])
               WITH ORDINALITY AS n (fingerprint, guard, service, state, kind, level, package, path, haystack,
                 body, acceptance, first_seen, last_seen, last_scan, revision, number)
             ORDER BY number
             ON CONFLICT (fingerprint) DO UPDATE SET state = excluded.state, kind = excluded.kind,
               level = excluded.level, haystack = excluded.haystack, body = excluded.body,
               acceptance = excluded.acceptance, last_seen = excluded.last_seen, last_scan = excluded.last_scan,
               revision = excluded.revision",
        )
        .bind(each(findings, |kept| kept.fingerprint.as_str()))
        .bind(each(findings, |kept| kept.guard.as_str()))
        .bind(each(findings, |kept| kept.service.as_str()))
        .bind(each(findings, |kept| kept.state.word().as_str()))
        .bind(each(findings, |kept| kept.seen.kind.as_str()))
        .bind(each(findings, |kept| rank(kept.seen.severity.level)))
        .bind(each(findings, |kept| kept.seen.name.as_str()))
        .bind(each(findings, |kept| kept.seen.path.as_str()))
        .bind(each(findings, Kept::haystack))
        .bind(bodies)
        .bind(acceptances)
        .bind(each(findings, |kept| kept.first_seen))
        .bind(each(findings, |kept| kept.last_seen))
        .bind(each(findings, |kept| kept.last_scan.as_str()))
        .bind(each(findings, |kept| int(kept.revision)))
        .execute(&mut *self)
        .await?;
        Ok(())
    }

    async fn page(&mut self, filter: &FindingFilter, after: Option<&After>, limit: u32) -> Done<(Vec<Kept>, u64)> {
        const MATCHING: &str = " FROM findings_findings
             WHERE ($1::text IS NULL OR service = $1) AND ($2::text IS NULL OR guard = $2)
               AND ($3::text IS NULL OR kind = $3) AND ($4::text IS NULL OR package = $4)
               AND (cardinality($5::text[]) = 0 OR state = ANY($5))
               AND (cardinality($6::bigint[]) = 0 OR level = ANY($6))
               AND ($7::text IS NULL OR strpos(haystack, $7) > 0)
               AND ($8::text IS NULL OR fingerprint IN (SELECT fingerprint FROM findings_names WHERE name = $8))";
        macro_rules! matching {
            ($query:expr) => {
                $query
                    .bind(maybe(filter.service.as_ref()))
                    .bind(filter.guard.map(Guard::as_str))
                    .bind(filter.kind.map(|kind| kind.as_str()))
                    .bind(maybe(filter.package.as_ref()))
                    .bind(each(&filter.states, |state| state.as_str()))
                    .bind(each(&filter.levels, |level| rank(*level)))
                    .bind(filter.text.as_ref().map(|part| text(part).to_lowercase()))
                    .bind(maybe(filter.advisory.as_ref()))
            };
        }
        let count = AssertSqlSafe(format!("SELECT count(*){MATCHING}"));
        let total: i64 = matching!(sqlx::query_scalar(count)).fetch_one(&mut *self).await?;
        let Order { column, rises, is_text } = order(filter.order);
        let (sign, direction) = if rises { (">", "ASC") } else { ("<", "DESC") };
        let kind = if is_text { "text" } else { "bigint" };
        // Columns and directions are words of this program, so that nothing of a caller is in the statement.
        let page = AssertSqlSafe(format!(
            "SELECT {}{MATCHING}
               AND ($9::{kind} IS NULL OR {column} {sign} $9 OR ({column} = $9 AND fingerprint > $10))
             ORDER BY {column} {direction}, fingerprint LIMIT $11",
            columns!()
        ));
        let page = matching!(sqlx::query_as(page));
        let key = after.map(|after| &after.key);
        let page = match key {
            Some(Key::Number(number)) => page.bind(Some(*number)),
            Some(Key::Text(key)) => page.bind(Some(text(key))),
            None if is_text => page.bind(None::<String>),
            None => page.bind(None::<i64>),
        };
        let page = page.bind(after.map(|after| text(&after.fingerprint))).bind(i64::from(limit));
        Ok((kept(page.fetch_all(&mut *self).await?)?, uint(total)))
    }

    async fn names(&mut self, guard: Guard, service: &str, places: &[(String, String)]) -> Done<Vec<NameRow>> {
        let rows: Vec<(String, String, String, String, i64)> = sqlx::query_as(
            "SELECT n.path, n.package, n.name, n.fingerprint, f.age
             FROM unnest($3::text[], $4::text[]) AS place (path, package)
             JOIN findings_names n ON n.guard = $1 AND n.service = $2
               AND n.path = place.path AND n.package = place.package
             JOIN findings_findings f ON f.fingerprint = n.fingerprint",
        )
        .bind(guard.as_str())
        .bind(service)
        .bind(each(places, |(path, _)| path.as_str()))
        .bind(each(places, |(_, package)| package.as_str()))
        .fetch_all(&mut *self)
        .await?;
        let row =
            |(path, package, name, fingerprint, age)| NameRow { path, package, name, fingerprint, age: uint(age) };
        Ok(rows.into_iter().map(row).collect())
    }

    async fn put_names(&mut self, guard: Guard, service: &str, names: &[NameRow]) -> Done<()> {
        sqlx::query(
            "INSERT INTO findings_names (guard, service, path, package, name, fingerprint)
             SELECT $1, $2, * FROM unnest($3::text[], $4::text[], $5::text[], $6::text[])
             ON CONFLICT (guard, service, path, package, name) DO UPDATE SET fingerprint = excluded.fingerprint",
        )
        .bind(guard.as_str())
        .bind(service)
        .bind(each(names, |row| row.path.as_str()))
        .bind(each(names, |row| row.package.as_str()))
        .bind(each(names, |row| row.name.as_str()))
        .bind(each(names, |row| row.fingerprint.as_str()))
        .execute(&mut *self)
        .await?;
        Ok(())
    }

    async fn history(&mut self, fingerprint: &str, limit: u32) -> Done<Vec<String>> {
        let list = sqlx::query_scalar(
            "SELECT body FROM findings_history WHERE fingerprint = $1 ORDER BY revision DESC LIMIT $2",
        );
        Ok(list.bind(fingerprint).bind(i64::from(limit)).fetch_all(&mut *self).await?)
    }

    async fn put_history(&mut self, entries: &[HistoryRow]) -> Done<()> {
        sqlx::query(
            "INSERT INTO findings_history (fingerprint, revision, body)
             SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[])",
        )
        .bind(each(entries, |entry| entry.fingerprint.as_str()))
        .bind(each(entries, |entry| int(entry.revision)))
        .bind(each(entries, |entry| entry.body.as_str()))
        .execute(&mut *self)
        .await?;
        Ok(())
    }

    async fn counts(&mut self, services: &[String], guard: Option<Guard>) -> Done<Vec<CountRow>> {
        let rows: Vec<(String, i64, bool, i64)> = sqlx::query_as(
            "SELECT service, level, state = 'accepted', count(*) FROM findings_findings
             WHERE service = ANY($1) AND ($2::text IS NULL OR guard = $2) AND state <> 'fixed' GROUP BY 1, 2, 3",
        )
        .bind(services)
        .bind(guard.map(Guard::as_str))
        .fetch_all(&mut *self)
        .await?;
        let row = |(service, level, accepted, count)| CountRow { service, level, accepted, count };
        Ok(rows.into_iter().map(row).collect())
    }

    async fn trend(&mut self, service: Option<&str>, guard: Option<Guard>) -> Done<Vec<TrendRow>> {
        let rows: Vec<(String, String, String, String, i64)> = sqlx::query_as(
            "SELECT service, guard, day, counts, accepted FROM findings_trend
             WHERE ($1::text IS NULL OR service = $1) AND ($2::text IS NULL OR guard = $2) ORDER BY day",
        )
        .bind(service.map(text))
        .bind(guard.map(Guard::as_str))
        .fetch_all(&mut *self)
        .await?;
        let row = |(service, guard, day, counts, accepted)| TrendRow { service, guard, day, counts, accepted };
        Ok(rows.into_iter().map(row).collect())
    }

    async fn put_trend(&mut self, service: &str, guard: Guard, day: &str, counts: &Counts, accepted: u64) -> Done<()> {
        sqlx::query(
            "INSERT INTO findings_trend (service, guard, day, counts, accepted) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (service, guard, day) DO UPDATE SET counts = excluded.counts, accepted = excluded.accepted",
        )
        .bind(service)
        .bind(guard.as_str())
        .bind(day)
        .bind(to_json(counts)?)
        .bind(int(accepted))
        .execute(&mut *self)
        .await?;
        Ok(())
    }

    async fn exceptions(&mut self) -> Done<Vec<ExceptionRow>> {
        let rows: Vec<(String, String, String, String, String, String, i64)> = sqlx::query_as(
            "SELECT id, guard, rule, owner, reason, expires, created_at FROM findings_exceptions ORDER BY id",
        )
        .fetch_all(&mut *self)
        .await?;
        let row = |(id, guard, rule, owner, reason, expires, created_at)| ExceptionRow {
            id,
            guard,
            rule,
            owner,
            reason,
            expires,
            created_at,
        };
        Ok(rows.into_iter().map(row).collect())
    }

    async fn put_exception(&mut self, it: &ExceptionRow) -> Done<()> {
        sqlx::query(
            "INSERT INTO findings_exceptions (id, guard, rule, owner, reason, expires, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(&it.id)
        .bind(&it.guard)
        .bind(&it.rule)
        .bind(text(&it.owner))
        .bind(text(&it.reason))
        .bind(&it.expires)
        .bind(it.created_at)
        .execute(&mut *self)
        .await?;
        Ok(())
    }

    async fn remove_exception(&mut self, id: &str) -> Done<bool> {
        let removed =
            sqlx::query("DELETE FROM findings_exceptions WHERE id = $1").bind(text(id)).execute(&mut *self).await?;
        Ok(removed.rows_affected() == 1)
    }
}
