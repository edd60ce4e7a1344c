//! What the tables hold, read and written in batches: the one thing in which the engines differ.
//!
//! Rows decide nothing and know no use case. Every list may be empty. Whatever is written twice in one list is written as
//! the last one says; callers hand over each key once.

use aiva_contracts::api::{Counts, DocumentInput, Guard, InputStatus, Scan};
use aiva_events::publish::{Context, NewEvent};
use uuid::Uuid;

use super::kept::Kept;
use crate::ports::{After, Attempt, Done, FindingFilter, ScanFilter};

/// What a transaction keeps others away from until it ends. Take `Key` before `Service`.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scope<'s> {
    /// Every service.
    All,
    /// One service, with its scans and findings.
    Service(&'s str),
    /// The key of an attempt.
    Key(&'s str),
}

/// An entry of the catalogue.
#[derive(Debug, Clone)]
pub(super) struct ServiceRow {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) origin: String,
    pub(super) version: u64,
    pub(super) created_at: i64,
    pub(super) updated_at: i64,
}

/// Which scan of a service is asked for: the latest of these.
#[derive(Debug, Clone, Copy)]
pub(super) enum Newest {
    Any,
    /// Completed or failed.
    Ended,
    Of(Guard),
}

/// How many findings of a service that are not fixed have a level.
#[derive(Debug, Clone)]
pub(super) struct CountRow {
    pub(super) service: String,
    pub(super) level: i64,
    pub(super) accepted: bool,
    pub(super) count: i64,
}

/// A name that a finding had, with the finding's age; the oldest is the smallest.
#[derive(Debug, Clone)]
pub(super) struct NameRow {
    pub(super) path: String,
    pub(super) package: String,
    pub(super) name: String,
    pub(super) fingerprint: String,
    pub(super) age: u64,
}

/// One entry of a finding's story.
#[derive(Debug, Clone)]
pub(super) struct HistoryRow {
    pub(super) fingerprint: String,
    pub(super) revision: u64,
    pub(super) body: String,
}

/// An exception that was made over the API.
#[derive(Debug, Clone)]
pub(super) struct ExceptionRow {
    pub(super) id: String,
    pub(super) guard: String,
    pub(super) rule: String,
    pub(super) owner: String,
    pub(super) reason: String,
    pub(super) expires: String,
    pub(super) created_at: i64,
}

/// What a service had open on the last change of a day.
#[derive(Debug, Clone)]
pub(super) struct TrendRow {
    pub(super) service: String,
    pub(super) guard: String,
    pub(super) day: String,
    pub(super) counts: String,
    pub(super) accepted: i64,
}

macro_rules! rows {
    ($($(#[$doc:meta])* fn $name:ident(&mut self $(, $arg:ident: $kind:ty)* $(,)?) -> $out:ty;)*) => {
        /// The tables, inside one transaction.
        pub(super) trait Rows {
            $($(#[$doc])*
            fn $name(&mut self $(, $arg: $kind)*) -> impl Future<Output = Done<$out>> + Send;)*
        }
    };
}

rows! {
    fn lock(&mut self, scope: Scope<'_>) -> ();
    fn emit(&mut self, events: &[NewEvent], context: &Context) -> ();

    fn attempt(&mut self, key: &str) -> Option<(Vec<u8>, String)>;
    fn keep_attempt(&mut self, attempt: &Attempt, answer: &str, at: i64) -> ();
    fn forget_attempts(&mut self, before: i64) -> ();

    fn service(&mut self, name: &str) -> Option<ServiceRow>;
    /// By name, after `after`, that hold `text`.
    fn services(&mut self, after: &str, text: &str) -> Vec<ServiceRow>;
    fn put_services(&mut self, services: &[ServiceRow]) -> ();
    /// What the file defined can be changed over the API.
    fn release_services(&mut self) -> ();
    /// With all that is known of it.
    fn delete_service(&mut self, name: &str) -> ();

    fn scan(&mut self, id: Uuid) -> Option<Scan>;
    fn put_scans(&mut self, scans: &[Scan]) -> ();
    /// Requested or running.
    fn open_scans(&mut self, service: &str, guard: Guard) -> Vec<Scan>;
    /// The latest first.
    fn scans(&mut self, filter: &ScanFilter, before: Option<Uuid>, limit: u32) -> Vec<Scan>;
    /// At most one a service.
    fn newest_scans(&mut self, services: &[String], which: Newest) -> Vec<Scan>;
    /// Whether this chunk is new.
    fn claim(&mut self, scan: Uuid, kind: &str, chunk: u32) -> bool;
    fn chunks(&mut self, scan: Uuid, kind: &str) -> u64;
    fn put_inputs(&mut self, scan: Uuid, inputs: &[&DocumentInput]) -> ();
    /// By path and kind, after `after`.
    fn inputs(
        &mut self,
        scan: Uuid,
        status: Option<InputStatus>,
        after: &(String, String),
        limit: Option<u32>,
    ) -> Vec<DocumentInput>;

    fn findings(&mut self, fingerprints: &[String]) -> Vec<Kept>;
    /// Not fixed, the oldest first.
    fn alive(&mut self, service: Option<&str>) -> Vec<Kept>;
    fn put_findings(&mut self, findings: &[Kept]) -> ();
    /// At most `limit` after `after`, and how many match in all.
    fn page(&mut self, filter: &FindingFilter, after: Option<&After>, limit: u32) -> (Vec<Kept>, u64);
    /// Names of findings that are there, at these paths and packages.
    fn names(&mut self, guard: Guard, service: &str, places: &[(String, String)]) -> Vec<NameRow>;
    fn put_names(&mut self, guard: Guard, service: &str, names: &[NameRow]) -> ();
    /// The latest first.
    fn history(&mut self, fingerprint: &str, limit: u32) -> Vec<String>;
    fn put_history(&mut self, entries: &[HistoryRow]) -> ();

    fn counts(&mut self, services: &[String], guard: Option<Guard>) -> Vec<CountRow>;
    /// By day.
    fn trend(&mut self, service: Option<&str>, guard: Option<Guard>) -> Vec<TrendRow>;
    fn put_trend(&mut self, service: &str, guard: Guard, day: &str, counts: &Counts, accepted: u64) -> ();

    /// By id.
    fn exceptions(&mut self) -> Vec<ExceptionRow>;
    fn put_exception(&mut self, exception: &ExceptionRow) -> ();
    /// Whether it was there.
    fn remove_exception(&mut self, id: &str) -> bool;
}
