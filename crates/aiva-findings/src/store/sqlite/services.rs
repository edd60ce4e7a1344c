//! The catalogue: what a file defines is put in place at start and read-only from then on.

use aiva_contracts::api::{CreateService, Origin, Service, ServiceDescription, ServiceState};
use aiva_contracts::message::catalogue::v1::{ServiceChange, ServiceChanged};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{Store, Work, from_json, int, lists, refuse, scans, time, to_json, uint, word};
use aiva_events::publish::NewEvent;

use crate::ports::{Attempt, Done, Expect, Refusal};

const COLUMNS: &str = "name, description, origin, version, created_at, updated_at";

/// A row as it is stored.
type Raw = (String, String, String, i64, i64, i64);

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
}

impl Store {
    /// Puts the services of the file in place: new ones are added, changed ones replaced, those that the file no longer
    /// names stay with their findings but can be changed over the API from now on.
    pub async fn define(&self, now: Timestamp, services: Vec<CreateService>) -> Done<()> {
        self.write(now, move |work| {
            work.tx.execute("UPDATE findings_services SET origin = 'api' WHERE origin = 'file'", [])?;
            for service in &services {
                let old = find(work.tx, &service.name)?;
                work.tx.execute(
                    "INSERT INTO findings_services (name, description, origin, version, created_at, updated_at)
                     VALUES (?1, ?2, 'file', 1, ?3, ?3)
                     ON CONFLICT (name) DO UPDATE SET origin = 'file', description = excluded.description,
                       version = version + (description <> excluded.description),
                       updated_at = CASE WHEN description <> excluded.description THEN excluded.updated_at ELSE updated_at END",
                    params![service.name, to_json(&service.description)?, work.micros()],
                )?;
                match old {
                    None => changed(work, &service.name, ServiceChange::Created, 1)?,
                    Some((_, description, ..)) if description == to_json(&service.description)? => {}
                    Some((_, _, _, version, ..)) => {
                        changed(work, &service.name, ServiceChange::Updated, uint(version) + 1)?;
                    }
                }
            }
            Ok(())
        })
        .await
    }

    /// Adds a service.
    pub async fn create_service(&self, now: Timestamp, new: CreateService, attempt: Option<Attempt>) -> Done<Service> {
        self.write(now, move |work| {
            work.once(attempt.as_ref(), || {
                if find(work.tx, &new.name)?.is_some() {
                    return refuse(Refusal::Exists("service"));
                }
                work.tx.execute(
                    "INSERT INTO findings_services (name, description, origin, version, created_at, updated_at)
                     VALUES (?1, ?2, 'api', 1, ?3, ?3)",
                    params![new.name, to_json(&new.description)?, work.micros()],
                )?;
                changed(work, &new.name, ServiceChange::Created, 1)?;
                service(work.tx, &new.name)
            })
        })
        .await
    }

    /// Replaces the description of a service.
    pub async fn update_service(
        &self,
        now: Timestamp,
        name: String,
        description: ServiceDescription,
        expect: Expect,
    ) -> Done<Service> {
        self.write(now, move |work| {
            let version = editable(work, &name, &expect)? + 1;
            work.tx.execute(
                "UPDATE findings_services SET description = ?2, version = ?3, updated_at = ?4 WHERE name = ?1",
                params![name, to_json(&description)?, int(version), work.micros()],
            )?;
            changed(work, &name, ServiceChange::Updated, version)?;
            service(work.tx, &name)
        })
        .await
    }

    /// Removes a service with all that is known of it.
    pub async fn delete_service(&self, now: Timestamp, name: String, expect: Expect) -> Done<()> {
        self.write(now, move |work| {
            let version = editable(work, &name, &expect)?;
            for statement in [
                "DELETE FROM findings_history WHERE fingerprint IN (SELECT fingerprint FROM findings_findings WHERE service = ?1)",
                "DELETE FROM findings_inputs WHERE scan IN (SELECT id FROM findings_scans WHERE service = ?1)",
                "DELETE FROM findings_chunks WHERE scan IN (SELECT id FROM findings_scans WHERE service = ?1)",
                "DELETE FROM findings_findings WHERE service = ?1",
                "DELETE FROM findings_names WHERE service = ?1",
                "DELETE FROM findings_trend WHERE service = ?1",
                "DELETE FROM findings_scans WHERE service = ?1",
                "DELETE FROM findings_services WHERE name = ?1",
            ] {
                work.tx.execute(statement, [&name])?;
            }
            changed(work, &name, ServiceChange::Deleted, version)
        })
        .await
    }

    /// One service.
    pub async fn service(&self, name: String) -> Done<Service> {
        self.read(move |conn| service(conn, &name)).await
    }

    /// All services by name, after `after`, that hold `text`.
    pub async fn services(&self, after: Option<String>, text: Option<String>) -> Done<Vec<Service>> {
        self.read(move |conn| {
            let mut statement = conn.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM findings_services WHERE name > ?1 AND instr(name, ?2) > 0 ORDER BY name"
            ))?;
            let rows: Vec<Raw> = statement
                .query_map(params![after.unwrap_or_default(), text.unwrap_or_default().to_lowercase()], raw)?
                .collect::<Result<_, _>>()?;
            rows.into_iter().map(|row| known(conn, row)).collect()
        })
        .await
    }
}

/// Refuses what is not there, what a file defines and what somebody else changed; answers the version.
fn editable(work: &Work<'_>, name: &str, expect: &Expect) -> Done<u64> {
    let Some((_, _, origin, version, ..)) = find(work.tx, name)? else { return refuse(Refusal::NotFound("service")) };
    if origin == Origin::File.as_str() {
        return refuse(Refusal::ReadOnly("service"));
    }
    if !expect(uint(version)) {
        return refuse(Refusal::Stale);
    }
    Ok(uint(version))
}

fn changed(work: &Work<'_>, name: &str, change: ServiceChange, version: u64) -> Done<()> {
    let event = ServiceChanged { service: name.to_owned(), change: change.into(), version };
    work.emit(NewEvent::of(&event, format!("service/{name}")))
}

fn find(conn: &Connection, name: &str) -> Done<Option<Raw>> {
    let mut statement = conn.prepare_cached(&format!("SELECT {COLUMNS} FROM findings_services WHERE name = ?1"))?;
    Ok(statement.query_row([name], raw).optional()?)
}

pub(super) fn service(conn: &Connection, name: &str) -> Done<Service> {
    match find(conn, name)? {
        Some(row) => known(conn, row),
        None => refuse(Refusal::NotFound("service")),
    }
}

fn known(conn: &Connection, (name, description, origin, version, created, updated): Raw) -> Done<Service> {
    let (counts, accepted) = lists::counts(conn, &name, None)?;
    let last_scan = scans::latest(conn, &name)?;
    let ended = scans::latest_ended(conn, &name)?;
    let any_open =
        counts.critical + counts.high + counts.medium + counts.low + counts.unknown + counts.informational > 0;
    let state = match (&last_scan, &ended) {
        (None, _) => ServiceState::Unscanned,
        (Some(_), None) => ServiceState::Scanning,
        (Some(_), Some(scan)) if scan.failure.is_some() => ServiceState::Failed,
        (Some(_), Some(_)) if any_open => ServiceState::Affected,
        (Some(_), Some(scan)) if !scan.complete => ServiceState::Incomplete,
        (Some(_), Some(_)) => ServiceState::Clean,
    };
    Ok(Service {
        description: from_json(&description)?,
        origin: word(&origin)?,
        version: uint(version),
        created_at: time(created),
        updated_at: time(updated),
        name,
        state,
        counts,
        accepted,
        last_scan,
    })
}
