//! The `events` part of the contract: events, following them, dead letters.
//!
//! Promises nothing of its own: each handler converts, calls [`log`] or [`dead_letter`], and answers.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use aiva_chassis::http::{
    Allowed, ApiError, Cursor, FieldError, Json, Need, Page, PageQuery, Path, Permission, Query, Routes, mount, on, sse,
};
use aiva_chassis::shutdown::Stop;
use aiva_contracts::api;
use aiva_contracts::api::events::{
    DiscardDeadLetterPath, GetDeadLetterPath, ListDeadLettersQuery, ListEventsQuery, Operation, RedriveDeadLetterPath,
    TailEventsQuery,
};
use aiva_contracts::bounds::Check;
use aiva_contracts::envelope::Envelope;
use aiva_store::{Database, StoreError};
use axum::extract::State;
use axum::response::Response;
use axum::response::sse::Event;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures_util::stream;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use tokio::sync::watch;
use uuid::Uuid;

use crate::dead_letter::{self, DeadLetter};
use crate::local::signal::{self, Signal};
use crate::log::{self, Direction};

/// How often a tail looks for events though nothing woke it.
const POLL: Duration = Duration::from_secs(5);

/// How many events a tail reads at once.
const CHUNK: usize = 100;

/// May read events and dead letters.
struct Read;

impl Need for Read {
    const PERMISSION: Permission = Permission("events:read");
}

/// May redrive and discard dead letters.
struct Write;

impl Need for Write {
    const PERMISSION: Permission = Permission("events:write");
}

#[derive(Clone)]
struct App {
    database: Database,
    stop: Stop,
    woken: watch::Receiver<u64>,
    _signal: Arc<Signal>,
}

/// All operations of the `events` tag. Tails end when `stop` begins. To be called inside the runtime.
pub fn routes(database: Database, stop: Stop) -> Routes {
    let (signal, woken) = signal::watch(&database, POLL);
    let app = App { database, stop, woken, _signal: Arc::new(signal) };
    let handlers = Operation::ALL.iter().map(|operation| {
        let method = operation.method();
        let handler = match operation {
            Operation::ListEvents => on(method, list),
            Operation::TailEvents => on(method, tail),
            Operation::ListDeadLetters => on(method, dead_letters),
            Operation::GetDeadLetter => on(method, dead_letter),
            Operation::DiscardDeadLetter => on(method, discard),
            Operation::RedriveDeadLetter => on(method, redrive),
        };
        (method, operation.path(), handler)
    });
    mount(handlers).with_state(app)
}

/// `GET /v1/events`
async fn list(
    _: Allowed<Read>,
    State(app): State<App>,
    Query(query): Query<ListEventsQuery>,
) -> Result<Json<Page<api::Event>>, ApiError> {
    within_bounds(&query)?;
    let page = page(query.limit, query.cursor)?;
    let filter = log::Filter { kind: query.r#type, subject: query.subject };
    let before = Direction::Before(page.start()?.unwrap_or(i64::MAX));
    let placed = log::read(&app.database, &filter, before, page.fetch()?).await.map_err(failed)?;
    let events = Page::cut(placed, page.limit()?, |placed| placed.0)?;
    Ok(Json(events.map(|(_, event)| shown(event))))
}

/// `GET /v1/events/tail`
async fn tail(
    _: Allowed<Read>,
    State(app): State<App>,
    headers: HeaderMap,
    Query(query): Query<TailEventsQuery>,
) -> Result<Response, ApiError> {
    within_bounds(&query)?;
    let seen = match last_event_id(&headers)? {
        Some(id) => log::position(&app.database, id).await.map_err(failed)?,
        None => None,
    };
    let position = match seen {
        Some(position) => position,
        None => log::end(&app.database).await.map_err(failed)?,
    };
    let stop = app.stop.clone();
    let filter = log::Filter { kind: query.r#type, subject: None };
    let tail = Tail { app, filter, position, read: VecDeque::new() };
    Ok(sse::stream(&stop, stream::unfold(tail, Tail::next)))
}

/// A reader that follows the log.
struct Tail {
    app: App,
    filter: log::Filter,
    position: i64,
    read: VecDeque<log::Placed>,
}

impl Tail {
    /// The next event, when there is one; the end if the store fails, after which the reader comes again.
    async fn next(mut self) -> Option<(Event, Self)> {
        loop {
            if let Some((position, event)) = self.read.pop_front() {
                self.position = position;
                let id = event.id.to_string();
                let event = Event::default().event("event").id(id).json_data(shown(event)).ok()?;
                return Some((event, self));
            }
            self.app.woken.mark_unchanged();
            let new = log::read(&self.app.database, &self.filter, Direction::After(self.position), CHUNK).await;
            match new {
                Ok(new) if new.is_empty() => {
                    let _ = tokio::time::timeout(POLL, signal::changed(&mut self.app.woken)).await;
                }
                Ok(new) => self.read.extend(new),
                Err(error) => {
                    tracing::warn!(cause = ?error, "a tail of events ends: they could not be read");
                    return None;
                }
            }
        }
    }
}

/// `GET /v1/dead-letters`
async fn dead_letters(
    _: Allowed<Read>,
    State(app): State<App>,
    Query(query): Query<ListDeadLettersQuery>,
) -> Result<Json<Page<api::DeadLetter>>, ApiError> {
    within_bounds(&query)?;
    let page = page(query.limit, query.cursor)?;
    let filter = dead_letter::Filter { consumer: query.consumer, ..Default::default() };
    let letters = dead_letter::list(&app.database, &filter, page.start::<Uuid>()?, page.fetch()?).await;
    let letters = Page::cut(letters.map_err(failed)?, page.limit()?, |letter| letter.id)?;
    Ok(Json(letters.map(shown_letter)))
}

/// `GET /v1/dead-letters/{dead_letter}`
async fn dead_letter(
    _: Allowed<Read>,
    State(app): State<App>,
    Path(path): Path<GetDeadLetterPath>,
) -> Result<Json<api::DeadLetter>, ApiError> {
    Ok(Json(shown_letter(find(&app, path.dead_letter).await?)))
}

/// `DELETE /v1/dead-letters/{dead_letter}`
async fn discard(
    caller: Allowed<Write>,
    State(app): State<App>,
    Path(path): Path<DiscardDeadLetterPath>,
) -> Result<StatusCode, ApiError> {
    let reason = format!("asked for by {}", caller.display);
    let discarded = dead_letter::discard(&app.database, path.dead_letter, &reason).await.map_err(failed)?;
    if discarded { Ok(StatusCode::NO_CONTENT) } else { Err(unknown()) }
}

/// `POST /v1/dead-letters/{dead_letter}/redrive`
async fn redrive(
    _: Allowed<Write>,
    State(app): State<App>,
    Path(path): Path<RedriveDeadLetterPath>,
) -> Result<(StatusCode, Json<api::DeadLetter>), ApiError> {
    let mut letter = find(&app, path.dead_letter).await?;
    let filter = dead_letter::Filter::one(letter.id);
    if dead_letter::redrive(&app.database, &filter).await.map_err(failed)? == 0 {
        return Err(ApiError::conflict("dead_letter_redriven", "the dead letter is being delivered already"));
    }
    letter.state = dead_letter::State::Redriven;
    Ok((StatusCode::ACCEPTED, Json(shown_letter(letter))))
}

async fn find(app: &App, id: Uuid) -> Result<DeadLetter, ApiError> {
    dead_letter::find(&app.database, id).await.map_err(failed)?.ok_or_else(unknown)
}

fn unknown() -> ApiError {
    ApiError::not_found("dead_letter_unknown", "there is no such dead letter; it may have been delivered or discarded")
}

fn failed(error: StoreError) -> ApiError {
    if error.is_transient() { ApiError::unavailable(Duration::from_secs(1)) } else { ApiError::internal(error) }
}

fn within_bounds(query: &impl Check) -> Result<(), ApiError> {
    let violations = query.violations();
    if violations.is_empty() {
        return Ok(());
    }
    let errors = violations.into_iter().map(|violation| FieldError::new(violation.pointer, violation.message));
    let refusal = ApiError::bad_request("query_invalid", "the query string is not valid; see errors");
    Err(refusal.with_errors(errors.collect()))
}

fn page(limit: Option<u32>, cursor: Option<String>) -> Result<PageQuery, ApiError> {
    let cursor = cursor.map(|text| serde_json::from_value::<Cursor>(text.into())).transpose();
    Ok(PageQuery { limit, cursor: cursor.map_err(ApiError::internal)? })
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<Uuid>, ApiError> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let id = value.to_str().ok().and_then(|text| Uuid::parse_str(text).ok());
    let invalid = || ApiError::bad_request("last_event_id_invalid", "Last-Event-ID is the id of an event: a UUID");
    id.map(Some).ok_or_else(invalid)
}

fn shown(event: Envelope) -> api::Event {
    api::Event {
        id: event.id,
        r#type: event.kind,
        source: event.source,
        subject: event.subject,
        time: time(event.time_unix_micros),
        correlation_id: event.correlation_id,
        causation_id: event.causation_id.map(|id| id.to_string()),
        schema_id: (event.schema_id != 0).then(|| event.schema_id.into()),
        data: STANDARD.encode(event.data),
    }
}

fn shown_letter(letter: DeadLetter) -> api::DeadLetter {
    api::DeadLetter {
        id: letter.id,
        consumer: letter.consumer,
        event: shown(letter.event),
        reason: letter.reason,
        attempts: letter.attempts,
        first_failed_at: time(letter.first_failed_at),
        last_failed_at: time(letter.last_failed_at),
        state: match letter.state {
            dead_letter::State::Waiting => api::DeadLetterState::Waiting,
            dead_letter::State::Redriven => api::DeadLetterState::Redriven,
        },
    }
}

fn time(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or_default()
}
