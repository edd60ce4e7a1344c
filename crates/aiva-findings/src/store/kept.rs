//! A finding as its row holds it, and its other forms. Pure.

use std::sync::Arc;

use aiva_contracts::api::{DocumentFinding, Finding, Guard};
use aiva_store::StoreError;

use super::{ACCEPTANCE, broken, from_json, time, to_json, uint, word};
use crate::fingerprint::Place;
use crate::lifecycle::State;
use crate::observation::Observation;
use crate::ports::Done;

/// A finding with all that its row holds.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) fingerprint: String,
    pub(super) guard: Guard,
    pub(super) service: String,
    pub(super) state: State,
    pub(super) seen: Observation,
    pub(super) first_seen: i64,
    pub(super) last_seen: i64,
    pub(super) last_scan: String,
    pub(super) revision: u64,
}

/// The columns that [`Raw`] is read from, in its order.
macro_rules! columns {
    () => {
        "fingerprint, guard, service, state, body, acceptance, first_seen, last_seen, last_scan, revision"
    };
}
pub(super) use columns;

/// The columns as they are stored.
pub(super) struct Raw {
    pub(super) fingerprint: String,
    pub(super) guard: String,
    pub(super) service: String,
    pub(super) state: String,
    pub(super) body: String,
    pub(super) acceptance: Option<String>,
    pub(super) first_seen: i64,
    pub(super) last_seen: i64,
    pub(super) last_scan: String,
    pub(super) revision: i64,
}

/// An accepted finding whose acceptance is missing.
#[derive(Debug, thiserror::Error)]
#[error("finding {0} is accepted, but its acceptance is missing")]
struct NoAcceptance(String);

impl Raw {
    pub(super) fn kept(self) -> Done<Kept> {
        let acceptance = self.acceptance.as_deref().map(from_json).transpose()?;
        let state = match (self.state.as_str(), acceptance) {
            ("accepted", Some(acceptance)) => State::Accepted(acceptance),
            ("accepted", None) => {
                broken(ACCEPTANCE);
                return Err(StoreError::Rejected(Arc::new(NoAcceptance(self.fingerprint))).into());
            }
            ("fixed", _) => State::Fixed,
            ("reopened", _) => State::Reopened,
            _ => State::Open,
        };
        Ok(Kept {
            state,
            seen: Observation::from(from_json::<DocumentFinding>(&self.body)?),
            guard: word(&self.guard)?,
            fingerprint: self.fingerprint,
            service: self.service,
            first_seen: self.first_seen,
            last_seen: self.last_seen,
            last_scan: self.last_scan,
            revision: uint(self.revision),
        })
    }
}

impl Kept {
    pub(super) fn place(&self) -> Place<'_> {
        Place { guard: self.guard.as_str(), service: &self.service, path: &self.seen.path, package: &self.seen.name }
    }

    pub(super) fn acceptance(&self) -> Done<Option<String>> {
        match &self.state {
            State::Accepted(acceptance) => Ok(Some(to_json(acceptance)?)),
            State::Open | State::Fixed | State::Reopened => Ok(None),
        }
    }

    /// What a search for a text looks through.
    pub(super) fn haystack(&self) -> String {
        let seen = &self.seen;
        let parts = seen.names().chain([seen.name.as_str(), &seen.path, &seen.summary]);
        parts.collect::<Vec<_>>().join("\n").to_lowercase()
    }

    /// What was seen, as it is stored.
    pub(super) fn body(&self) -> Done<String> {
        Ok(to_json(&self.seen.clone().document(self.fingerprint.clone(), None))?)
    }

    /// As the API shows it.
    pub(super) fn shown(self) -> Finding {
        let seen = self.seen;
        Finding {
            fingerprint: self.fingerprint,
            guard: self.guard,
            service: self.service,
            state: self.state.word(),
            kind: seen.kind,
            severity: seen.severity,
            id: seen.id,
            aliases: seen.aliases,
            purl: seen.purl,
            name: seen.name,
            version: seen.version,
            ecosystem: seen.ecosystem,
            path: seen.path,
            line: seen.line,
            fixed_versions: seen.fixed_versions,
            last_affected: seen.last_affected,
            summary: seen.summary,
            first_seen: time(self.first_seen),
            last_seen: time(self.last_seen),
            revision: self.revision,
            acceptance: match self.state {
                State::Accepted(acceptance) => Some(acceptance),
                State::Open | State::Fixed | State::Reopened => None,
            },
        }
    }
}
