//! What both engines share: the statements, what a group means in rows, and what rows mean.
//!
//! Parameters are written `$1`, `$2`, …, each used once and in order, which both engines read alike.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aiva_contracts::message::egress::v1 as message;
use aiva_events::publish::NewEvent;
use aiva_store::StoreError;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::{HostCount, Hour, NewHost, Summary};
use crate::decision::{Ended, Form, Outcome, Record, first_id};
use crate::ports::{End, Group};

/// Which records to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only of this role.
    pub role: Option<String>,
    /// Only of this caller.
    pub caller: Option<String>,
    /// Only to this host; `*.x` is every host below x.
    pub host: Option<String>,
    /// Only with this outcome.
    pub outcome: Option<Outcome>,
    /// Only for this reason.
    pub reason: Option<String>,
    /// Only asked in this way.
    pub form: Option<Form>,
    /// Only from then on.
    pub since: Option<Timestamp>,
    /// Only before then.
    pub until: Option<Timestamp>,
}

/// A value of a condition.
pub(super) enum Bound {
    Text(String),
    Id(Uuid),
}

impl Filter {
    /// The statement with its parameters.
    pub(super) fn select(&self, before: Option<Uuid>, limit: u32) -> (String, Vec<Bound>) {
        let mut sql = String::from("SELECT body, ended FROM egress_records WHERE TRUE");
        let mut bounds = Vec::new();
        let mut add = |sql: &mut String, condition: &str, bound: Bound| {
            bounds.push(bound);
            sql.push_str(&format!(" AND {condition} ${}", bounds.len()));
        };
        let words = [
            ("role =", self.role.as_deref()),
            ("caller =", self.caller.as_deref()),
            ("outcome =", self.outcome.map(Outcome::word)),
            ("reason =", self.reason.as_deref()),
            ("form =", self.form.map(Form::word)),
        ];
        for (condition, word) in words {
            if let Some(word) = word {
                add(&mut sql, condition, Bound::Text(word.to_owned()));
            }
        }
        match self.host.as_deref().map(|host| (host, host.strip_prefix("*."))) {
            None => {}
            Some((_, Some(parent))) => {
                let parent = parent.to_ascii_lowercase().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
                add(&mut sql, "host LIKE", Bound::Text(format!("%.{parent}")));
                sql.push_str(" ESCAPE '\\'");
            }
            Some((host, None)) => add(&mut sql, "host =", Bound::Text(host.to_owned())),
        }
        if let Some(since) = self.since {
            add(&mut sql, "id >=", Bound::Id(first_id(since)));
        }
        if let Some(until) = self.until {
            add(&mut sql, "id <", Bound::Id(first_id(until)));
        }
        if let Some(before) = before {
            add(&mut sql, "id <", Bound::Id(before));
        }
        if self.outcome.is_some_and(|outcome| outcome != Outcome::Allow) {
            // Said as the partial index has it, so that it can be used.
            sql.push_str(" AND outcome <> 'allow'");
        }
        sql.push_str(&format!(" ORDER BY id DESC LIMIT {limit}"));
        (sql, bounds)
    }
}

/// A record as it is stored: the decision, and its end if that came later.
pub(super) type Row = (String, Option<String>);

/// What a row means.
pub(super) fn record((body, ended): &Row) -> Result<Record, StoreError> {
    let mut record: Record = from_json(body)?;
    if let Some(ended) = ended {
        record.end(from_json(ended)?);
    }
    Ok(record)
}

/// A group as text.
pub(super) struct Batch {
    /// One for each record.
    pub(super) bodies: Vec<String>,
    /// One for each end.
    pub(super) ends: Vec<String>,
}

impl Batch {
    pub(super) fn of(group: &Group) -> Result<Self, StoreError> {
        Ok(Self {
            bodies: group.records.iter().map(to_json).collect::<Result<_, _>>()?,
            ends: group.ends.iter().map(|end| to_json(&end.ended)).collect::<Result<_, _>>()?,
        })
    }
}

/// The host of a record, as it is counted.
pub(super) fn host(record: &Record) -> &str {
    record.place.as_ref().map_or("", |place| &place.host)
}

/// The hour of a time, in hours since 1970.
pub(super) fn hour(at: Timestamp) -> i64 {
    at.as_second().div_euclid(3600)
}

/// When an hour begins.
pub(super) fn begin(hour: i64) -> Timestamp {
    Timestamp::from_second(hour.saturating_mul(3600)).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Why an end takes back what its record says was allowed: then the columns that are searched change with it.
pub(super) fn refused(end: &End) -> Option<&str> {
    end.ended.refused().map(|found| &*found.reason)
}

/// A record whose end takes it back, as it is stored: its host and its reason. To be asked before the end is written.
pub(super) const OPEN: &str =
    "SELECT host, reason FROM egress_records WHERE id = $1 AND ended IS NULL AND outcome = 'allow'";

/// What was counted as allowed, and is a refusal after all.
pub(super) struct TakenBack<'r> {
    pub(super) end: &'r End,
    pub(super) host: String,
    /// The reason of before.
    pub(super) was: String,
    /// The reason of now.
    pub(super) is: &'r str,
}

/// What a group adds to the counts, and takes away. In order, so that two processes lock rows alike.
pub(super) type Tally<'r> = BTreeMap<(i64, &'r str, &'r str, &'static str, &'r str), i64>;

pub(super) fn tally<'r>(records: impl Iterator<Item = &'r Record>, taken_back: &'r [TakenBack<'r>]) -> Tally<'r> {
    let mut counts = Tally::new();
    for record in records {
        let key = (hour(record.at), &*record.who.role, host(record), record.outcome.word(), &*record.reason);
        *counts.entry(key).or_default() += 1;
    }
    for TakenBack { end, host, was, is } in taken_back {
        let (hour, role) = (hour(end.at), &*end.role);
        *counts.entry((hour, role, host, Outcome::Allow.word(), was)).or_default() -= 1;
        *counts.entry((hour, role, host, Outcome::Deny.word(), is)).or_default() += 1;
    }
    counts.retain(|_, count| *count != 0);
    counts
}

/// The host that such a record was the first of.
pub(super) const UNSEE: &str = "DELETE FROM egress_hosts WHERE decision = $1";

/// Rows of counts from which something was taken away, to be deleted where nothing is left.
pub(super) const SWEEP_EMPTY: &str = "DELETE FROM egress_hours WHERE hour = $1 AND count <= 0";

/// The first record of each role and host that was allowed. In order, as above.
pub(super) fn allowed<'r>(records: impl Iterator<Item = &'r Record>) -> BTreeMap<(&'r str, &'r str), &'r Record> {
    let mut hosts = BTreeMap::new();
    for record in records.filter(|record| record.outcome == Outcome::Allow && record.place.is_some()) {
        hosts.entry((&*record.who.role, host(record))).or_insert(record);
    }
    hosts
}

/// What records have to tell; `new` are the first to an allowed host of their role.
pub(super) fn events<'r>(
    records: impl Iterator<Item = &'r Record>,
    new: impl Iterator<Item = &'r Record>,
) -> Vec<NewEvent> {
    let parts = |record: &Record| {
        let host = host(record).to_owned();
        (record.who.role.to_string(), record.who.caller.to_string(), host, record.id.to_string())
    };
    let mut events = Vec::new();
    // One of each is enough for a group: an attack is not told a thousand times a second.
    let (mut attempts, mut rebound) = (BTreeSet::new(), BTreeSet::new());
    for record in records {
        let (role, caller, host, decision_id) = parts(record);
        if record.is_metadata() && attempts.insert((role.clone(), caller.clone())) {
            let message = message::MetadataAttempted {
                role: role.clone(),
                caller: caller.clone(),
                host: host.clone(),
                decision_id: decision_id.clone(),
            };
            events.push(NewEvent::of(&message, format!("egress/{role}")));
        }
        if let Some(turned) = &record.rebound
            && rebound.insert((role.clone(), host.clone()))
        {
            let texts = |addresses: &[std::net::IpAddr]| addresses.iter().map(ToString::to_string).collect();
            let (was, now) = (texts(&turned.was), texts(&turned.now));
            let message = message::NameRebound { role: role.clone(), caller, host, was, now, decision_id };
            events.push(NewEvent::of(&message, format!("egress/{role}")));
        }
    }
    events.extend(new.map(|record| {
        let (role, caller, host, decision_id) = parts(record);
        let subject = format!("egress/{role}");
        NewEvent::of(&message::HostFirstSeen { role, caller, host, decision_id }, subject)
    }));
    events
}

/// What was refused in an hour, from rows of role, reason and count with the most frequent first.
pub(super) fn denials(hour: i64, rows: Vec<(String, String, i64)>) -> Vec<NewEvent> {
    let mut roles: BTreeMap<String, Vec<(String, u64)>> = BTreeMap::new();
    for (role, reason, count) in rows {
        roles.entry(role).or_default().push((reason, count.unsigned_abs()));
    }
    let event = |(role, reasons): (String, Vec<(String, u64)>)| {
        let subject = format!("egress/{role}");
        let message = message::DenialsCounted {
            role,
            hour_unix_seconds: hour.saturating_mul(3600),
            denials: reasons.iter().map(|(_, count)| count).sum(),
            reasons: reasons
                .into_iter()
                .take(20)
                .map(|(reason, count)| message::ReasonCount { reason, count })
                .collect(),
        };
        NewEvent::of(&message, subject)
    };
    roles.into_iter().map(event).collect()
}

/// The rows of a summary.
#[derive(Default)]
pub(super) struct Parts {
    /// Hour, outcome, count.
    pub(super) hours: Vec<(i64, String, i64)>,
    /// Role, host, reason, count.
    pub(super) destinations: Vec<(String, String, String, i64)>,
    /// The same.
    pub(super) denials: Vec<(String, String, String, i64)>,
    /// Role, host, microseconds, id.
    pub(super) first_seen: Vec<(String, String, i64, Vec<u8>)>,
    /// Names.
    pub(super) roles: Vec<String>,
}

impl From<Parts> for Summary {
    fn from(parts: Parts) -> Self {
        let mut hours: BTreeMap<i64, [u64; 3]> = BTreeMap::new();
        for (hour, outcome, count) in parts.hours {
            if let Some(outcome) = Outcome::of(&outcome) {
                hours.entry(hour).or_default()[outcome as usize] = count.unsigned_abs();
            }
        }
        let counts = |rows: Vec<(String, String, String, i64)>| {
            let count = |(role, host, reason, count): (String, String, String, i64)| HostCount {
                role,
                host,
                reason,
                count: count.unsigned_abs(),
            };
            rows.into_iter().map(count).collect()
        };
        let new = |(role, host, at, id): (String, String, i64, Vec<u8>)| NewHost {
            role,
            host,
            at: Timestamp::from_microsecond(at).unwrap_or(Timestamp::UNIX_EPOCH),
            decision: Uuid::from_slice(&id).unwrap_or_default(),
        };
        Self {
            roles: parts.roles,
            hours: hours.into_iter().map(|(hour, counts)| Hour { at: begin(hour), counts }).collect(),
            destinations: counts(parts.destinations),
            denials: counts(parts.denials),
            first_seen: parts.first_seen.into_iter().map(new).collect(),
        }
    }
}

pub(super) const HOURS: &str = "SELECT hour, outcome, CAST(SUM(count) AS BIGINT) FROM egress_hours
    WHERE hour >= $1 AND (CAST($2 AS TEXT) IS NULL OR role = $2) GROUP BY hour, outcome ORDER BY hour";
pub(super) const DESTINATIONS: &str = "SELECT role, host, reason, CAST(SUM(count) AS BIGINT) FROM egress_hours
    WHERE hour >= $1 AND (CAST($2 AS TEXT) IS NULL OR role = $2) AND outcome = 'allow'
    GROUP BY role, host, reason ORDER BY 4 DESC, role, host, reason LIMIT 20";
pub(super) const DENIALS: &str = "SELECT role, host, reason, CAST(SUM(count) AS BIGINT) FROM egress_hours
    WHERE hour >= $1 AND (CAST($2 AS TEXT) IS NULL OR role = $2) AND outcome <> 'allow'
    GROUP BY role, host, reason ORDER BY 4 DESC, role, host, reason LIMIT 20";
pub(super) const FIRST_SEEN: &str = "SELECT role, host, first_at, decision FROM egress_hosts
    WHERE first_at >= $1 AND (CAST($2 AS TEXT) IS NULL OR role = $2) ORDER BY first_at DESC, role, host LIMIT 20";
pub(super) const ROLES: &str = "SELECT DISTINCT role FROM egress_hours
    WHERE hour >= $1 AND (CAST($2 AS TEXT) IS NULL OR role = $2) ORDER BY role LIMIT 1000";
pub(super) const DENIED: &str = "SELECT role, reason, CAST(SUM(count) AS BIGINT) FROM egress_hours
    WHERE hour = $1 AND outcome = 'deny' GROUP BY role, reason ORDER BY role, 3 DESC, reason";
pub(super) const ROLLED_UP: &str = "INSERT INTO egress_rolled_up (hour) VALUES ($1) ON CONFLICT (hour) DO NOTHING";
pub(super) const GET: &str = "SELECT body, ended FROM egress_records WHERE id = $1";
pub(super) const SWEEP_RECORDS: &str = "DELETE FROM egress_records WHERE id IN
    (SELECT id FROM egress_records WHERE id < $1 ORDER BY id LIMIT $2)";
pub(super) const SWEEP_HOURS: &str = "DELETE FROM egress_hours WHERE hour < $1";
pub(super) const SWEEP_ROLLED_UP: &str = "DELETE FROM egress_rolled_up WHERE hour < $1";
/// A host that nobody has called for the whole time that is kept is new again.
pub(super) const SWEEP_HOSTS: &str = "DELETE FROM egress_hosts WHERE first_at < $1 AND NOT EXISTS
    (SELECT 1 FROM egress_hours h WHERE h.role = egress_hosts.role AND h.host = egress_hosts.host AND h.outcome = 'allow')";

/// The end of a record whose process was killed: nobody knows how it ended.
pub(super) fn lost() -> Result<String, StoreError> {
    to_json(&Ended { failure: Some("lost".to_owned()), ..Ended::default() })
}

pub(super) const END_LOST: &str = "UPDATE egress_records SET ended = $1, open = 0 WHERE open = 1";

fn to_json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Rejected(Arc::new(error)))
}

fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Rejected(Arc::new(error)))
}
