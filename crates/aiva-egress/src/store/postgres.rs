//! The statements in PostgreSQL: one a batch (`UNNEST`), never a loop.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use aiva_events::outbox;
use aiva_events::publish::{Context, NewEvent};
use aiva_store::{Plain, Postgres, StoreError, TxError};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row as _};
use uuid::Uuid;

use super::rows::{self, Batch, Bound, Filter, Parts, Row, TakenBack};
use crate::decision::{Outcome, Record};
use crate::ports::Group;

type Done<T> = Result<T, TxError<Plain>>;

fn key(id: &Uuid) -> &[u8] {
    id.as_bytes()
}

fn each<'i, I, T>(items: &'i [I], of: impl Fn(&'i I) -> T) -> Vec<T> {
    items.iter().map(of).collect()
}

pub(super) async fn write(
    db: &Postgres,
    group: Arc<Group>,
    batch: Arc<Batch>,
    context: Context,
) -> Result<(), StoreError> {
    let written = db.write::<_, Plain, _>(move |tx| {
        let (group, batch, context) = (Arc::clone(&group), Arc::clone(&batch), context.clone());
        Box::pin(async move { write_now(tx, &group, &batch, &context).await })
    });
    Ok(written.await?)
}

async fn write_now(tx: &mut PgConnection, group: &Group, batch: &Batch, context: &Context) -> Done<()> {
    let records = &group.records;
    let added: HashSet<Vec<u8>> = sqlx::query_scalar(
        "INSERT INTO egress_records (id, role, caller, form, host, outcome, reason, body, open)
         SELECT * FROM unnest($1::bytea[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::boolean[])
         ON CONFLICT (id) DO NOTHING RETURNING id",
    )
    .bind(each(records, |record| key(&record.id)))
    .bind(each(records, |record| &*record.who.role))
    .bind(each(records, |record| &*record.who.caller))
    .bind(each(records, |record| record.form.word()))
    .bind(each(records, rows::host))
    .bind(each(records, |record| record.outcome.word()))
    .bind(each(records, |record| &*record.reason))
    .bind(&batch.bodies)
    .bind(each(records, Record::is_open))
    .fetch_all(&mut *tx)
    .await?
    .into_iter()
    .collect();
    let fresh: Vec<&Record> = records.iter().filter(|record| added.contains(key(&record.id))).collect();
    let mut taken_back = Vec::new();
    for (end, is) in group.ends.iter().filter_map(|end| Some((end, rows::refused(end)?))) {
        if let Some((host, was)) = sqlx::query_as(rows::OPEN).bind(key(&end.id)).fetch_optional(&mut *tx).await? {
            taken_back.push(TakenBack { end, host, was, is });
        }
    }
    if !group.ends.is_empty() {
        sqlx::query(
            "UPDATE egress_records r SET ended = e.ended, open = FALSE, outcome = COALESCE(e.outcome, r.outcome),
               reason = COALESCE(e.reason, r.reason)
             FROM unnest($1::bytea[], $2::text[], $3::text[], $4::text[]) AS e (id, ended, outcome, reason)
             WHERE r.id = e.id AND r.ended IS NULL",
        )
        .bind(each(&group.ends, |end| key(&end.id)))
        .bind(&batch.ends)
        .bind(each(&group.ends, |end| rows::refused(end).map(|_| Outcome::Deny.word())))
        .bind(each(&group.ends, rows::refused))
        .execute(&mut *tx)
        .await?;
    }
    let counts: Vec<_> = rows::tally(fresh.iter().copied(), &taken_back).into_iter().collect();
    sqlx::query(
        "INSERT INTO egress_hours (hour, role, host, outcome, reason, count)
         SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[])
         ON CONFLICT (hour, role, host, outcome, reason) DO UPDATE SET count = egress_hours.count + excluded.count",
    )
    .bind(each(&counts, |((hour, ..), _)| *hour))
    .bind(each(&counts, |((_, role, ..), _)| *role))
    .bind(each(&counts, |((_, _, host, ..), _)| *host))
    .bind(each(&counts, |((_, _, _, outcome, _), _)| *outcome))
    .bind(each(&counts, |((.., reason), _)| *reason))
    .bind(each(&counts, |(_, count)| *count))
    .execute(&mut *tx)
    .await?;
    for TakenBack { end, .. } in &taken_back {
        sqlx::query(rows::UNSEE).bind(key(&end.id)).execute(&mut *tx).await?;
    }
    for hour in taken_back.iter().map(|taken| rows::hour(taken.end.at)).collect::<BTreeSet<_>>() {
        sqlx::query(rows::SWEEP_EMPTY).bind(hour).execute(&mut *tx).await?;
    }
    let hosts: Vec<_> = rows::allowed(fresh.iter().copied()).into_iter().collect();
    let new: HashSet<Vec<u8>> = sqlx::query_scalar(
        "INSERT INTO egress_hosts (role, host, first_at, decision)
         SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bytea[])
         ON CONFLICT (role, host) DO NOTHING RETURNING decision",
    )
    .bind(each(&hosts, |((role, _), _)| *role))
    .bind(each(&hosts, |((_, host), _)| *host))
    .bind(each(&hosts, |(_, record)| record.at.as_microsecond()))
    .bind(each(&hosts, |(_, record)| key(&record.id)))
    .fetch_all(&mut *tx)
    .await?
    .into_iter()
    .collect();
    let first = hosts.iter().map(|(_, record)| *record).filter(|record| new.contains(key(&record.id)));
    let events = rows::events(fresh.iter().copied(), first);
    tell(tx, &events, context).await
}

async fn tell(tx: &mut PgConnection, events: &[NewEvent], context: &Context) -> Done<()> {
    if !events.is_empty() {
        outbox::postgres::append(tx, events, context).await?;
    }
    Ok(())
}

pub(super) async fn list(
    db: &Postgres,
    filter: &Filter,
    before: Option<Uuid>,
    limit: u32,
) -> Result<Vec<Row>, StoreError> {
    let (sql, bounds) = filter.select(before, limit);
    let mut select = sqlx::query_as(AssertSqlSafe(sql));
    for bound in bounds {
        select = match bound {
            // The text of PostgreSQL holds no NUL, and no record has one.
            Bound::Text(text) => select.bind(text.replace('\0', "\u{fffd}")),
            Bound::Id(id) => select.bind(key(&id).to_vec()),
        };
    }
    Ok(select.fetch_all(db.pool()).await?)
}

pub(super) async fn get(db: &Postgres, id: Uuid) -> Result<Option<Row>, StoreError> {
    Ok(sqlx::query_as(rows::GET).bind(key(&id)).fetch_optional(db.pool()).await?)
}

pub(super) async fn summary(db: &Postgres, role: Option<String>, from: i64) -> Result<Parts, StoreError> {
    let role = role.map(|role| role.replace('\0', "\u{fffd}"));
    let mut tx = db.snapshot().await?;
    let begin = rows::begin(from).as_microsecond();
    let hours = sqlx::query_as(rows::HOURS).bind(from).bind(&role).fetch_all(&mut *tx).await?;
    let destinations = sqlx::query_as(rows::DESTINATIONS).bind(from).bind(&role).fetch_all(&mut *tx).await?;
    let denials = sqlx::query_as(rows::DENIALS).bind(from).bind(&role).fetch_all(&mut *tx).await?;
    let first_seen = sqlx::query_as(rows::FIRST_SEEN).bind(begin).bind(&role).fetch_all(&mut *tx).await?;
    let roles = sqlx::query_scalar(rows::ROLES).bind(from).bind(&role).fetch_all(&mut *tx).await?;
    Ok(Parts { hours, destinations, denials, first_seen, roles })
}

pub(super) async fn sweep(db: &Postgres, first: Uuid, hour: i64, most: i64) -> Result<u64, StoreError> {
    let gone = sqlx::query(rows::SWEEP_RECORDS).bind(key(&first)).bind(most).execute(db.pool()).await?.rows_affected();
    if gone < most.unsigned_abs() {
        sqlx::query(rows::SWEEP_HOURS).bind(hour).execute(db.pool()).await?;
        sqlx::query(rows::SWEEP_ROLLED_UP).bind(hour).execute(db.pool()).await?;
        let begin = rows::begin(hour).as_microsecond();
        sqlx::query(rows::SWEEP_HOSTS).bind(begin).execute(db.pool()).await?;
    }
    Ok(gone)
}

pub(super) async fn roll_up(db: &Postgres, hour: i64, context: Context) -> Result<usize, StoreError> {
    let told = db.write::<_, Plain, _>(move |tx| {
        let context = context.clone();
        Box::pin(async move {
            if sqlx::query(rows::ROLLED_UP).bind(hour).execute(&mut *tx).await?.rows_affected() == 0 {
                return Ok(0);
            }
            let rows = sqlx::query(rows::DENIED).bind(hour).fetch_all(&mut *tx).await?;
            let denied: Result<_, sqlx::Error> =
                rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))).collect();
            let events = rows::denials(hour, denied?);
            tell(tx, &events, &context).await?;
            Ok(events.len())
        })
    });
    Ok(told.await?)
}
