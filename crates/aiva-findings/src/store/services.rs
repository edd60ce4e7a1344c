//! The catalogue: what a file defines is put in place at start and read-only from then on.

use std::collections::HashMap;

use aiva_contracts::api::{CreateService, Origin, Service, ServiceDescription, ServiceState};
use aiva_contracts::message::catalogue::v1::{ServiceChange, ServiceChanged};
use aiva_events::publish::NewEvent;
use jiff::Timestamp;

use super::rows::{Newest, Rows, Scope, ServiceRow};
use super::{Store, Work, from_json, in_tx, lists, on_snapshot, refuse, time, to_json, word};
use crate::ports::{Attempt, Done, Expect, Refusal};

impl Store {
    /// Puts the services of the file in place: new ones are added, changed ones replaced, those that the file no longer
    /// names stay with their findings but can be changed over the API from now on.
    pub async fn define(&self, now: Timestamp, services: Vec<CreateService>) -> Done<()> {
        in_tx!(self, "service", now, define, services)
    }

    /// Adds a service.
    pub async fn create_service(&self, now: Timestamp, new: CreateService, attempt: Option<Attempt>) -> Done<Service> {
        in_tx!(self, "service", now, create, new, attempt)
    }

    /// Replaces the description of a service.
    pub async fn update_service(
        &self,
        now: Timestamp,
        name: String,
        description: ServiceDescription,
        expect: Expect,
    ) -> Done<Service> {
        in_tx!(self, "service", now, update, name, description, expect)
    }

    /// Removes a service with all that is known of it.
    pub async fn delete_service(&self, now: Timestamp, name: String, expect: Expect) -> Done<()> {
        in_tx!(self, "service", now, delete, name, expect)
    }

    /// One service.
    pub async fn service(&self, name: String) -> Done<Service> {
        on_snapshot!(self, one, name)
    }

    /// All services by name, after `after`, that hold `text`.
    pub async fn services(&self, after: Option<String>, text: Option<String>) -> Done<Vec<Service>> {
        on_snapshot!(self, list, after, text)
    }
}

async fn define<R: Rows>(work: &mut Work<'_, R>, services: Vec<CreateService>) -> Done<()> {
    work.rows.lock(Scope::All).await?;
    work.rows.release_services().await?;
    let known = work.rows.services("", "").await?;
    let mut known: HashMap<String, ServiceRow> = known.into_iter().map(|row| (row.name.clone(), row)).collect();
    let (mut rows, mut events) = (Vec::new(), Vec::new());
    for service in services {
        let description = to_json(&service.description)?;
        let mut row = match known.remove(&service.name) {
            None => {
                events.push(changed(&service.name, ServiceChange::Created, 1));
                new_row(service.name, description, work.micros())
            }
            Some(row) if row.description == description => row,
            Some(row) => {
                let version = row.version + 1;
                events.push(changed(&row.name, ServiceChange::Updated, version));
                ServiceRow { description, version, updated_at: work.micros(), ..row }
            }
        };
        Origin::File.as_str().clone_into(&mut row.origin);
        rows.push(row);
    }
    work.rows.put_services(&rows).await?;
    work.emit(&events).await
}

async fn create<R: Rows>(work: &mut Work<'_, R>, new: CreateService, attempt: Option<Attempt>) -> Done<Service> {
    if let Some(answer) = work.answered(attempt.as_ref()).await? {
        return Ok(answer);
    }
    work.lock_service(&new.name).await?;
    if work.rows.service(&new.name).await?.is_some() {
        return refuse(Refusal::Exists("service"));
    }
    let row = new_row(new.name.clone(), to_json(&new.description)?, work.micros());
    work.rows.put_services(&[row]).await?;
    work.emit(&[changed(&new.name, ServiceChange::Created, 1)]).await?;
    let service = one(work.rows, new.name).await?;
    work.answer(attempt.as_ref(), &service).await?;
    Ok(service)
}

async fn update<R: Rows>(
    work: &mut Work<'_, R>,
    name: String,
    description: ServiceDescription,
    expect: Expect,
) -> Done<Service> {
    let row = editable(work, &name, &expect).await?;
    let (version, description) = (row.version + 1, to_json(&description)?);
    work.rows.put_services(&[ServiceRow { description, version, updated_at: work.micros(), ..row }]).await?;
    work.emit(&[changed(&name, ServiceChange::Updated, version)]).await?;
    one(work.rows, name).await
}

async fn delete<R: Rows>(work: &mut Work<'_, R>, name: String, expect: Expect) -> Done<()> {
    let row = editable(work, &name, &expect).await?;
    work.rows.delete_service(&name).await?;
    work.emit(&[changed(&name, ServiceChange::Deleted, row.version)]).await
}

/// Refuses what is not there, what a file defines and what somebody else changed.
async fn editable<R: Rows>(work: &mut Work<'_, R>, name: &str, expect: &Expect) -> Done<ServiceRow> {
    work.lock_service(name).await?;
    let Some(row) = work.rows.service(name).await? else { return refuse(Refusal::NotFound("service")) };
    if row.origin == Origin::File.as_str() {
        return refuse(Refusal::ReadOnly("service"));
    }
    if !expect(row.version) {
        return refuse(Refusal::Stale);
    }
    Ok(row)
}

fn new_row(name: String, description: String, now: i64) -> ServiceRow {
    let origin = Origin::Api.as_str().to_owned();
    ServiceRow { name, description, origin, version: 1, created_at: now, updated_at: now }
}

fn changed(name: &str, change: ServiceChange, version: u64) -> NewEvent {
    let event = ServiceChanged { service: name.to_owned(), change: change.into(), version };
    NewEvent::of(&event, format!("service/{name}"))
}

pub(super) async fn one<R: Rows>(rows: &mut R, name: String) -> Done<Service> {
    let row = rows.service(&name).await?;
    let known = shown(rows, row.into_iter().collect()).await?;
    known.into_iter().next().map_or_else(|| refuse(Refusal::NotFound("service")), Ok)
}

async fn list<R: Rows>(rows: &mut R, after: Option<String>, text: Option<String>) -> Done<Vec<Service>> {
    let found = rows.services(&after.unwrap_or_default(), &text.unwrap_or_default().to_lowercase()).await?;
    shown(rows, found).await
}

/// With what is known of each.
async fn shown<R: Rows>(rows: &mut R, services: Vec<ServiceRow>) -> Done<Vec<Service>> {
    let names: Vec<String> = services.iter().map(|row| row.name.clone()).collect();
    let mut counts = lists::counts(rows, &names, None).await?;
    let by_service = |scans: Vec<aiva_contracts::api::Scan>| -> HashMap<String, aiva_contracts::api::Scan> {
        scans.into_iter().map(|scan| (scan.service.clone(), scan)).collect()
    };
    let mut latest = by_service(rows.newest_scans(&names, Newest::Any).await?);
    let ended = by_service(rows.newest_scans(&names, Newest::Ended).await?);
    services
        .into_iter()
        .map(|row| {
            let (counts, accepted) = counts.remove(&row.name).unwrap_or_else(lists::nothing);
            let last_scan = latest.remove(&row.name);
            let any_open =
                counts.critical + counts.high + counts.medium + counts.low + counts.unknown + counts.informational > 0;
            let state = match (&last_scan, ended.get(&row.name)) {
                (None, _) => ServiceState::Unscanned,
                (Some(_), None) => ServiceState::Scanning,
                (Some(_), Some(scan)) if scan.failure.is_some() => ServiceState::Failed,
                (Some(_), Some(_)) if any_open => ServiceState::Affected,
                (Some(_), Some(scan)) if !scan.complete => ServiceState::Incomplete,
                (Some(_), Some(_)) => ServiceState::Clean,
            };
            Ok(Service {
                description: from_json(&row.description)?,
                origin: word(&row.origin)?,
                version: row.version,
                created_at: time(row.created_at),
                updated_at: time(row.updated_at),
                name: row.name,
                state,
                counts,
                accepted,
                last_scan,
            })
        })
        .collect()
}
