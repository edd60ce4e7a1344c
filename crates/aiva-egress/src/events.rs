//! Tells people what the records say: attempts at metadata services, names that turn internal, spikes of denials.
//!
//! Promises: looks at what is on the disk only; one alert a cause and role, joined by the alerts themselves; memory is
//! bounded by the number of roles. The events of the same facts are written with the records, in `store`.
//!
//! Start reading at [`Watch::see`].

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use aiva_chassis::alert::{Alert, Alerts, Cause, Level};
use jiff::Timestamp;

use crate::decision::{Outcome, Record};
use crate::ports::{End, Group};

/// Somebody tried to reach a metadata service. Its page is `docs/runbooks/egress-metadata.md`.
pub const METADATA: Cause = Cause::new("egress-metadata");

/// A name turned from public to internal. Its page is `docs/runbooks/egress-rebinding.md`.
pub const REBINDING: Cause = Cause::new("egress-rebinding");

/// Far more is refused than before. Its page is `docs/runbooks/egress-denials.md`.
pub const DENIALS: Cause = Cause::new("egress-denials");

/// Fewer denials in a minute are never a spike.
const LEAST: u64 = 60;

/// So many times the usual is one.
const TIMES: u64 = 10;

/// Looks at records as they are written.
pub struct Watch {
    alerts: Alerts,
    rates: Mutex<HashMap<String, Rate>>,
}

/// The denials of one role, by the minute.
#[derive(Debug, Default)]
struct Rate {
    minute: i64,
    count: u64,
    /// An average of the minutes before, times eight, in which each counts an eighth.
    usual: u64,
    told: bool,
}

impl Rate {
    /// Counts a denial; whether this one makes it a spike. At most one spike a minute.
    fn count(&mut self, minute: i64) -> bool {
        if minute > self.minute {
            let empty = u32::try_from(minute - self.minute - 1).unwrap_or(u32::MAX);
            self.usual = self.usual - self.usual / 8 + self.count;
            for _ in 0..empty.min(64) {
                self.usual -= self.usual.div_ceil(8);
            }
            (self.minute, self.count, self.told) = (minute, 0, false);
        }
        self.count += 1;
        let is_spike = !self.told && self.count >= LEAST && self.count >= TIMES * (self.usual / 8);
        self.told |= is_spike;
        is_spike
    }
}

impl Watch {
    /// Tells these alerts.
    pub fn new(alerts: Alerts) -> Self {
        Self { alerts, rates: Mutex::default() }
    }

    /// Looks at a group that was written.
    pub fn see(&self, group: &Group) {
        for record in &group.records {
            if record.is_metadata() {
                self.raise(METADATA, Level::Error, record, "Attempt to reach a metadata service", METADATA_TEXT);
            }
            if record.rebound.is_some() {
                self.raise(REBINDING, Level::Error, record, "A public name turned internal", REBINDING_TEXT);
            }
            if record.outcome == Outcome::Deny && self.is_spike(&record.who.role, record.at) {
                self.raise(DENIALS, Level::Warning, record, "Far more is refused than before", DENIALS_TEXT);
            }
        }
        for End { id, at, role, ended } in &group.ends {
            if let Some(found) = ended.refused()
                && self.is_spike(role, *at)
            {
                let fields =
                    [("role", role.to_string()), ("reason", found.reason.to_string()), ("decision", id.to_string())];
                self.tell(DENIALS, Level::Warning, role, "Far more is refused than before", DENIALS_TEXT, &fields);
            }
        }
    }

    fn is_spike(&self, role: &str, at: Timestamp) -> bool {
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        let minute = at.as_second().div_euclid(60);
        if !rates.contains_key(role) {
            rates.insert(role.to_owned(), Rate::default());
        }
        rates.get_mut(role).is_some_and(|rate| rate.count(minute))
    }

    fn raise(&self, cause: Cause, level: Level, record: &Record, title: &str, text: &str) {
        let host = record.place.as_ref().map_or_else(String::new, |place| place.host.clone());
        let fields = [
            ("role", record.who.role.to_string()),
            ("caller", record.who.caller.to_string()),
            ("host", host),
            ("reason", record.reason.to_string()),
            ("decision", record.id.to_string()),
        ];
        self.tell(cause, level, &record.who.role, title, text, &fields);
    }

    fn tell(&self, cause: Cause, level: Level, role: &str, title: &str, text: &str, fields: &[(&str, String)]) {
        let mut alert = Alert::new(level, cause, format!("{title} (egress role {role})"));
        alert.about = role.to_owned();
        alert.text = text.to_owned();
        alert.fields = fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        self.alerts.raise(alert);
    }
}

const METADATA_TEXT: &str = "The egress guard refused a request to a cloud's metadata service, which hands out \
                             credentials. A program that has no business there asked for it, or somebody made it ask.";
const REBINDING_TEXT: &str = "A name that was public a while ago now has an address that is not. Whoever owns the name may \
                              be trying to reach inside.";
const DENIALS_TEXT: &str = "The egress guard refuses at least ten times as many requests of this role as it usually does: a \
                            new release calls something that the role does not allow, or somebody is trying addresses.";

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(minutes: &[u64], want: &[i64]) {
        let (mut rate, mut spikes) = (Rate::default(), Vec::new());
        for (minute, count) in (1..).zip(minutes) {
            for _ in 0..*count {
                if rate.count(minute) {
                    spikes.push(minute);
                }
            }
        }
        assert_eq!(spikes, want, "{minutes:?}");
    }

    #[test]
    fn a_spike_is_much_and_more_than_usual() {
        check(&[5, 5, 5], &[]);
        check(&[59, 59], &[]);
        check(&[5, 5, 300, 5], &[3]);
        check(&[60], &[1]); // nothing was usual before
        check(&[100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 300], &[1]); // the minute before makes it usual
        check(&[100, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100], &[1, 19]);
    }
}
