//! Server-sent events that keep a quiet connection open and end when the process stops, so that a drain never waits for a
//! reader who would listen for ever. Browsers reconnect by themselves and send `Last-Event-ID`.

use std::{convert::Infallible, time::Duration};

use axum::response::{
    IntoResponse, Response,
    sse::{Event, KeepAlive, Sse},
};
use futures_util::{Stream, StreamExt};
use http::{HeaderName, HeaderValue};

use crate::shutdown::Stop;

/// Proxies that buffer would hold events back.
const NO_BUFFER: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));

/// Streams `events` until they end or the process stops; a comment every 15 s keeps the connection open.
pub fn stream<S>(stop: &Stop, events: S) -> Response
where
    S: Stream<Item = Event> + Send + 'static,
{
    let stop = stop.clone();
    let until_stopped = events.take_until(async move { stop.begun().await }).map(Ok::<_, Infallible>);
    let alive = KeepAlive::new().interval(Duration::from_secs(15));
    let mut response = Sse::new(until_stopped).keep_alive(alive).into_response();
    response.headers_mut().insert(NO_BUFFER.0, NO_BUFFER.1);
    response
}
