//! Writes what was taken, in groups, until it is on the disk.
//!
//! One task. Room is given back when the disk has the record, not before. A store that refuses is tried again for as long
//! as it takes, and people are told; a stop writes what is left, open records too. Start reading at [`Recorder::run`].

use std::sync::Arc;

use aiva_chassis::alert::{Alert, Alerts, Level};
use aiva_chassis::shutdown::Stop;

use super::{Job, RECORDS, Recorder, Shared};
use crate::ports::{Group, Journal};

/// After so many failures in a row people are told.
const FAILURES_TO_TELL: u32 = 3;

impl Recorder {
    /// Writes what comes until the stop begins, and then what is left. `seen` hears of every group that is on the disk.
    pub async fn run(&self, journal: &dyn Journal, alerts: Option<&Alerts>, seen: impl Fn(&Group), stop: Stop) {
        let Shared { settings, counters, wake, room, .. } = &*self.0;
        let mut tick = tokio::time::interval(settings.every);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let is_last = tokio::select! {
                biased;
                () = stop.begun() => true,
                () = wake.notified() => false,
                _ = tick.tick() => false,
            };
            let (groups, waiting) = self.gather(is_last);
            counters.waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
            for (group, rooms) in groups {
                let group = Arc::new(group);
                self.write(journal, alerts, &group).await;
                room.add_permits(rooms);
                seen(&group);
            }
            if is_last && self.0.queue().is_empty() {
                return;
            }
        }
    }

    /// Tries until it is written.
    async fn write(&self, journal: &dyn Journal, alerts: Option<&Alerts>, group: &Arc<Group>) {
        let Shared { settings, counters, .. } = &*self.0;
        let mut failures = 0;
        while let Err(error) = journal.write(Arc::clone(group)).await {
            failures += 1;
            counters.failures.inc();
            let records = group.len();
            tracing::error!(error = %error, records, failures, "records of egress decisions cannot be written");
            if let Some(alerts) = alerts.filter(|_| failures == FAILURES_TO_TELL) {
                let mut alert = Alert::new(Level::Error, RECORDS, "Records of egress decisions cannot be written");
                alert.text = format!(
                    "The store refuses them ({error}). They are kept in memory and tried again; when there is no more room \
                     for them, decisions wait, and then are refused or stand in the log only (egress.records.stalled)."
                );
                alerts.raise(alert);
            }
            tokio::time::sleep(settings.backoff.jittered(failures)).await;
        }
        if failures > 0 {
            tracing::info!(records = group.len(), failures, "records of egress decisions are written again");
        }
        counters.written.inc_by(group.len() as u64);
    }

    /// What is to be written now, in groups with the room that each gives back, and how many records wait in all.
    fn gather(&self, is_last: bool) -> (Vec<(Group, usize)>, usize) {
        let jobs = std::mem::take(&mut *self.0.queue());
        let waiting = jobs.len();
        let (mut groups, mut group, mut rooms, mut later) = (Vec::new(), Group::default(), 0, Vec::new());
        for job in jobs {
            match job {
                Job::Whole(record) => group.records.push(*record),
                Job::Begun(entry, waited) => match entry.take(waited || is_last) {
                    Some(record) => group.records.push(*record),
                    None => {
                        later.push(Job::Begun(entry, true));
                        continue;
                    }
                },
                Job::End(end) => {
                    group.ends.push(*end);
                    // Its room was given back when it was written open.
                    rooms -= 1;
                }
            }
            rooms += 1;
            if group.len() >= self.0.settings.group {
                groups.push((std::mem::take(&mut group), usize::try_from(std::mem::take(&mut rooms)).unwrap_or(0)));
            }
        }
        if !group.is_empty() {
            groups.push((group, usize::try_from(rooms).unwrap_or(0)));
        }
        if !later.is_empty() {
            // Before what has come since: the end of a record must not overtake it.
            self.0.queue().splice(0..0, later);
        }
        (groups, waiting)
    }
}
