//! The read model: filtered lists, counts and the trend.

use std::collections::{BTreeMap, HashMap};

use aiva_contracts::api::{Counts, Finding, FindingOrder, Guard, Level, TrendPoint};
use jiff::{Timestamp, ToSpan, civil::Date};

use super::kept::Kept;
use super::rows::Rows;
use super::{Store, Work, day, from_json, on_snapshot, uint};
use crate::export::{count_of, no_findings};
use crate::ports::{After, Done, FindingFilter, Key};

impl After {
    /// The place of a finding in a list of this order.
    pub fn new(finding: &Finding, order: Option<FindingOrder>) -> Self {
        let key = match order.unwrap_or(FindingOrder::Severity) {
            FindingOrder::Severity => Key::Number(rank(finding.severity.level)),
            FindingOrder::Newest | FindingOrder::Oldest => Key::Number(finding.first_seen.as_microsecond()),
            FindingOrder::Package => Key::Text(finding.name.clone()),
            FindingOrder::Service => Key::Text(finding.service.clone()),
        };
        Self { key, fingerprint: finding.fingerprint.clone() }
    }
}

/// How a list is sorted: the column, whether upwards, and whether it holds text.
pub(super) struct Order {
    pub(super) column: &'static str,
    pub(super) rises: bool,
    pub(super) is_text: bool,
}

/// How an order sorts; the fingerprint rises in all of them.
pub(super) fn order(order: Option<FindingOrder>) -> Order {
    let (column, rises, is_text) = match order.unwrap_or(FindingOrder::Severity) {
        FindingOrder::Severity => ("level", true, false),
        FindingOrder::Newest => ("first_seen", false, false),
        FindingOrder::Oldest => ("first_seen", true, false),
        FindingOrder::Package => ("package", true, true),
        FindingOrder::Service => ("service", true, true),
    };
    Order { column, rises, is_text }
}

impl Store {
    /// At most `limit` findings after `after`, and how many match in all.
    pub async fn findings(&self, filter: FindingFilter, after: Option<After>, limit: u32) -> Done<(Vec<Finding>, u64)> {
        on_snapshot!(self, page, filter, after, limit)
    }

    /// One point for each of the last `days` days, today included.
    pub async fn trend(
        &self,
        now: Timestamp,
        service: Option<String>,
        guard: Option<Guard>,
        days: u32,
    ) -> Done<Vec<TrendPoint>> {
        on_snapshot!(self, trend, now, service, guard, days)
    }
}

async fn page<R: Rows>(
    rows: &mut R,
    filter: FindingFilter,
    after: Option<After>,
    limit: u32,
) -> Done<(Vec<Finding>, u64)> {
    // A cursor of another order has a key that this one cannot hold.
    let is_text = after.as_ref().map(|after| matches!(after.key, Key::Text(_)));
    if is_text.is_some_and(|is_text| is_text != order(filter.order).is_text) {
        return super::refuse(crate::ports::Refusal::BadCursor);
    }
    let (found, total) = rows.page(&filter, after.as_ref(), limit).await?;
    Ok((found.into_iter().map(Kept::shown).collect(), total))
}

async fn trend<R: Rows>(
    rows: &mut R,
    now: Timestamp,
    service: Option<String>,
    guard: Option<Guard>,
    days: u32,
) -> Done<Vec<TrendPoint>> {
    let today = day(now);
    let first = today.saturating_sub(i64::from(days.max(1) - 1).days());
    let mut rows = rows.trend(service.as_deref(), guard).await?.into_iter().peekable();
    // What each service had when it last changed holds until it changes again.
    let mut latest: BTreeMap<(String, String), (Counts, u64)> = BTreeMap::new();
    let mut points = Vec::new();
    let mut date = first;
    while date <= today {
        let until = date.to_string();
        while let Some(row) = rows.next_if(|row| row.day <= until) {
            latest.insert((row.service, row.guard), (from_json(&row.counts)?, uint(row.accepted)));
        }
        points.push(point(date, &latest));
        date = date.saturating_add(1.days());
    }
    Ok(points)
}

fn point(date: Date, latest: &BTreeMap<(String, String), (Counts, u64)>) -> TrendPoint {
    let mut point = TrendPoint { date, counts: no_findings(), accepted: 0 };
    for (counts, accepted) in latest.values() {
        let mut counts = counts.clone();
        for level in Level::ALL {
            *count_of(&mut point.counts, *level) += *count_of(&mut counts, *level);
        }
        point.accepted += accepted;
    }
    point
}

/// A service without findings.
pub(super) fn nothing() -> (Counts, u64) {
    (no_findings(), 0)
}

/// What is open of each level, and how much is accepted, by service.
pub(super) async fn counts<R: Rows>(
    rows: &mut R,
    services: &[String],
    guard: Option<Guard>,
) -> Done<HashMap<String, (Counts, u64)>> {
    let mut all = HashMap::new();
    for row in rows.counts(services, guard).await? {
        let (counts, accepted) = all.entry(row.service).or_insert_with(nothing);
        match Level::ALL.iter().find(|known| rank(**known) == row.level) {
            _ if row.accepted => *accepted += uint(row.count),
            Some(level) => *count_of(counts, *level) += uint(row.count),
            None => counts.unknown += uint(row.count),
        }
    }
    Ok(all)
}

/// The worst is 0.
pub(super) fn rank(level: Level) -> i64 {
    Level::ALL.iter().position(|l| *l == level).and_then(|rank| i64::try_from(rank).ok()).unwrap_or(i64::MAX)
}

/// Keeps what is open now as today's point of the trend.
pub(super) async fn remember_today<R: Rows>(work: &mut Work<'_, R>, service: &str, guard: Guard) -> Done<()> {
    let mut all = counts(work.rows, &[service.to_owned()], Some(guard)).await?;
    let (counts, accepted) = all.remove(service).unwrap_or_else(nothing);
    let day = work.today().to_string();
    work.rows.put_trend(service, guard, &day, &counts, accepted).await
}
