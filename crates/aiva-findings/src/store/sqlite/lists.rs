//! The read model: filtered lists, counts and the trend.

use aiva_contracts::api::{Counts, Finding, FindingOrder, Guard, Level, TrendPoint};
use jiff::{Timestamp, ToSpan, civil::Date};
use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};

use super::findings::{COLUMNS, Raw, rank, raw};
use super::{Store, Work, day, from_json, int, to_json, uint};
use crate::export::{count_of, no_findings};
use crate::ports::{After, Done, FindingFilter, Key};

impl From<Key> for Value {
    fn from(key: Key) -> Self {
        match key {
            Key::Number(number) => Self::Integer(number),
            Key::Text(text) => Self::Text(text),
        }
    }
}

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
            this.and(
                "fingerprint IN (SELECT fingerprint FROM findings_names WHERE name = ?)",
                [Value::Text(name.clone())],
            );
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

impl Store {
    /// At most `limit` findings after `after`, and how many match in all.
    pub async fn findings(&self, filter: FindingFilter, after: Option<After>, limit: u32) -> Done<(Vec<Finding>, u64)> {
        self.read(move |conn| {
            let mut matching = Where::new(&filter);
            let total: i64 = conn
                .prepare_cached(&format!("SELECT count(*) FROM findings_findings WHERE {}", matching.sql))?
                .query_row(params_from_iter(&matching.values), |row| row.get(0))?;
            let (column, sign, direction) = match filter.order.unwrap_or(FindingOrder::Severity) {
                FindingOrder::Severity => ("level", ">", "ASC"),
                FindingOrder::Newest => ("first_seen", "<", "DESC"),
                FindingOrder::Oldest => ("first_seen", ">", "ASC"),
                FindingOrder::Package => ("package", ">", "ASC"),
                FindingOrder::Service => ("service", ">", "ASC"),
            };
            if let Some(After { key, fingerprint }) = after {
                let key = Value::from(key);
                matching.and(
                    &format!("({column} {sign} ? OR ({column} = ? AND fingerprint > ?))"),
                    [key.clone(), key, Value::Text(fingerprint)],
                );
            }
            let rows: Vec<Raw> = conn
                .prepare_cached(&format!(
                    "SELECT {COLUMNS} FROM findings_findings WHERE {} ORDER BY {column} {direction}, fingerprint LIMIT {limit}",
                    matching.sql
                ))?
                .query_map(params_from_iter(&matching.values), raw)?
                .collect::<Result<_, _>>()?;
            let found = rows.into_iter().map(|row| Ok(row.kept()?.shown())).collect::<Done<_>>()?;
            Ok((found, uint(total)))
        })
        .await
    }

    /// One point for each of the last `days` days, today included.
    pub async fn trend(
        &self,
        now: Timestamp,
        service: Option<String>,
        guard: Option<Guard>,
        days: u32,
    ) -> Done<Vec<TrendPoint>> {
        self.read(move |conn| {
            let today = day(now);
            let first = today.saturating_sub(i64::from(days.max(1) - 1).days());
            let rows: Vec<[String; 4]> = conn
                .prepare_cached(
                    "SELECT service || ' ' || guard, day, counts, CAST(accepted AS TEXT) FROM findings_trend
                     WHERE (?1 IS NULL OR service = ?1) AND (?2 IS NULL OR guard = ?2) ORDER BY day",
                )?
                .query_map(params![service, guard.map(Guard::as_str)], |row| {
                    Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?])
                })?
                .collect::<Result<_, _>>()?;
            let mut rows = rows.into_iter().peekable();
            // What each service had when it last changed holds until it changes again.
            let mut latest: std::collections::BTreeMap<String, (Counts, u64)> = std::collections::BTreeMap::new();
            let mut points = Vec::new();
            let mut date = first;
            while date <= today {
                let until = date.to_string();
                while let Some([of, _, counts, accepted]) = rows.next_if(|row| row[1] <= until) {
                    latest.insert(of, (from_json(&counts)?, accepted.parse().unwrap_or(0)));
                }
                points.push(point(date, &latest));
                date = date.saturating_add(1.days());
            }
            Ok(points)
        })
        .await
    }
}

fn point(date: Date, latest: &std::collections::BTreeMap<String, (Counts, u64)>) -> TrendPoint {
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

/// What is open of each level, and how much is accepted.
pub(super) fn counts(conn: &Connection, service: &str, guard: Option<Guard>) -> Done<(Counts, u64)> {
    let mut counts = no_findings();
    let mut accepted = 0;
    let rows: Vec<(i64, bool, i64)> = conn
        .prepare_cached(
            "SELECT level, state = 'accepted', count(*) FROM findings_findings
             WHERE service = ?1 AND (?2 IS NULL OR guard = ?2) AND state <> 'fixed' GROUP BY 1, 2",
        )?
        .query_map(params![service, guard.map(Guard::as_str)], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    for (level, is_accepted, count) in rows {
        match Level::ALL.iter().find(|known| rank(**known) == level) {
            _ if is_accepted => accepted += uint(count),
            Some(level) => *count_of(&mut counts, *level) += uint(count),
            None => counts.unknown += uint(count),
        }
    }
    Ok((counts, accepted))
}

/// Keeps what is open now as today's point of the trend.
pub(super) fn remember_today(work: &Work<'_>, service: &str, guard: Guard) -> Done<()> {
    let (counts, accepted) = counts(work.tx, service, Some(guard))?;
    work.tx
        .prepare_cached(
            "INSERT INTO findings_trend (service, guard, day, counts, accepted) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (service, guard, day) DO UPDATE SET counts = excluded.counts, accepted = excluded.accepted",
        )?
        .execute(params![service, guard.as_str(), work.today().to_string(), to_json(&counts)?, int(accepted)])?;
    Ok(())
}
