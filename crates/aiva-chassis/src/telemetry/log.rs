//! Log lines: one JSON object, or one line for people.
//!
//! Promises: fields of the enclosing spans are on the line (the innermost wins), so every line of a request carries its
//! `request_id` and `correlation_id`; every text is redacted; a line is written whole; no text can forge a second line.
//!
//! Start reading at [`lines`].

use std::borrow::Cow;
use std::fmt::{self, Debug, Write as _};
use std::io::Write as _;
use std::sync::Arc;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Span, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use super::line::Line;
use super::redact;
use crate::clock::{Clock, SharedClock};

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line: `time`, `level`, `target`, `message`, the event's fields, the spans' fields.
    Json,
    /// For people.
    Pretty {
        /// With terminal colours.
        colour: bool,
    },
}

/// Where lines go.
#[derive(Clone)]
pub struct Output(Arc<dyn Fn(&str) + Send + Sync>);

impl Output {
    /// Standard error. A line that cannot be written is lost: there is nobody left to tell.
    pub fn stderr() -> Self {
        Self::to(|line| {
            let _lost = std::io::stderr().lock().write_all(line.as_bytes());
        })
    }

    /// Anything that takes whole lines.
    pub fn to(write: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(write))
    }

    /// Writes one line, which ends with its newline.
    pub fn write(&self, line: &str) {
        (self.0)(line);
    }
}

impl Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Output")
    }
}

/// The span of one request or other piece of work; everything logged inside carries both ids.
pub fn request_span(method: &str, route: &str, request_id: &str, correlation_id: &str) -> Span {
    tracing::info_span!("request", method, route, request_id, correlation_id)
}

/// The layer that writes the lines.
pub fn lines(format: Format, clock: SharedClock, output: Output) -> Lines {
    Lines { format, clock, output }
}

/// See [`lines`].
#[derive(Debug)]
pub struct Lines {
    format: Format,
    clock: SharedClock,
    output: Output,
}

/// The fields of a span, redacted when they were recorded.
#[derive(Default)]
struct SpanFields(Vec<(&'static str, Value)>);

/// A field's value as it will be written.
enum Value {
    Text(String),
    Bare(String),
}

#[derive(Default)]
struct Fields {
    message: String,
    others: Vec<(&'static str, Value)>,
}

impl<S> Layer<S> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        span.extensions_mut().replace(SpanFields(fields.others));
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        values.record(&mut fields);
        let mut extensions = span.extensions_mut();
        match extensions.get_mut::<SpanFields>() {
            Some(SpanFields(known)) => {
                known.retain(|(name, _)| fields.others.iter().all(|(new, _)| new != name));
                known.append(&mut fields.others);
            }
            None => {
                extensions.replace(SpanFields(fields.others));
            }
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let own = fields.others.len();
        let mut spans = Vec::new();
        if let Some(scope) = context.event_scope(event) {
            // From the innermost outwards, so that the first of a name wins.
            for span in scope {
                spans.push(span.name());
                let extensions = span.extensions();
                let Some(SpanFields(known)) = extensions.get() else { continue };
                for (name, value) in known {
                    if fields.others.iter().all(|(taken, _)| taken != name) {
                        fields.others.push((name, value.copy()));
                    }
                }
            }
        }
        let metadata = event.metadata();
        let line = match self.format {
            Format::Json => self.json(*metadata.level(), metadata.target(), &fields, &spans),
            Format::Pretty { colour } => self.pretty(*metadata.level(), metadata.target(), &fields, own, colour),
        };
        self.output.write(&line);
    }
}

impl Lines {
    fn json(&self, level: Level, target: &str, fields: &Fields, spans: &[&str]) -> String {
        let mut line = Line::new();
        line.bare("time", format_args!("\"{:.6}\"", self.clock.now()))
            .fixed("level", level.as_str())
            .fixed("target", target)
            .fixed("message", &fields.message);
        for (name, value) in &fields.others {
            let name = if RESERVED.contains(name) { Cow::Owned(format!("field_{name}")) } else { Cow::Borrowed(*name) };
            match value {
                Value::Text(text) => line.fixed(&name, text),
                Value::Bare(text) => line.bare(&name, text),
            };
        }
        if let Some(span) = spans.first() {
            line.fixed("span", span);
        }
        line.finish()
    }

    fn pretty(&self, level: Level, target: &str, fields: &Fields, own: usize, colour: bool) -> String {
        let (tint, dim, plain) = if colour { (tint(level), "\x1b[2m", "\x1b[0m") } else { ("", "", "") };
        let time = format!("{:.3}", self.clock.now());
        let time = time.split_once('T').map_or(time.as_str(), |(_, time)| time);
        let mut line = format!("{dim}{time}{plain} {tint}{level:<5}{plain} {dim}{target}{plain} ");
        line.push_str(&calm(&fields.message));
        let mut stack = None;
        for (at, (name, value)) in fields.others.iter().enumerate() {
            let text = match value {
                Value::Text(text) | Value::Bare(text) => text,
            };
            match *name {
                "backtrace" => stack = Some(text),
                _ if text.is_empty() => {}
                _ if at < own => drop(write!(line, " {dim}{name}={plain}{}", calm(text))),
                _ => drop(write!(line, " {dim}{name}={}{plain}", calm(text))),
            }
        }
        line.push('\n');
        for frame in stack.into_iter().flat_map(|stack| stack.lines()) {
            line.push_str(&format!("    {}\n", calm(frame)));
        }
        line
    }
}

/// Names that the line itself uses.
const RESERVED: [&str; 5] = ["time", "level", "target", "message", "span"];

fn tint(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\x1b[31m",
        Level::WARN => "\x1b[33m",
        Level::INFO => "\x1b[32m",
        Level::DEBUG => "\x1b[34m",
        Level::TRACE => "\x1b[35m",
    }
}

/// The text without anything that could forge a line or steer a terminal.
fn calm(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}

impl Value {
    fn copy(&self) -> Self {
        match self {
            Self::Text(text) => Self::Text(text.clone()),
            Self::Bare(text) => Self::Bare(text.clone()),
        }
    }
}

impl Fields {
    fn text(&mut self, field: &Field, text: &str) {
        let name = field.name();
        if name == "message" {
            self.message = redact::text(text).into_owned();
        } else if redact::is_telling(name) {
            self.others.push((name, Value::Text(redact::MASK.to_owned())));
        } else {
            self.others.push((name, Value::Text(redact::text(text).into_owned())));
        }
    }

    fn bare(&mut self, field: &Field, value: impl fmt::Display) {
        if redact::is_telling(field.name()) {
            self.text(field, "");
        } else {
            self.others.push((field.name(), Value::Bare(value.to_string())));
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.text(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.bare(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.bare(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.bare(field, value);
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.bare(field, value);
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.bare(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if value.is_finite() { self.bare(field, value) } else { self.text(field, &value.to_string()) }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut chain = value.to_string();
        let mut cause = value.source();
        while let Some(inner) = cause {
            let _infallible = write!(chain, ": {inner}");
            cause = inner.source();
        }
        self.text(field, &chain);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Debug)]
    struct Fixed;

    impl Clock for Fixed {
        fn now(&self) -> jiff::Timestamp {
            jiff::Timestamp::new(1_700_000_000, 5_000_000).unwrap()
        }
    }

    /// What `work` logs in this format.
    fn logged(format: Format, work: impl FnOnce()) -> String {
        let seen = Arc::new(Mutex::new(String::new()));
        let sink = seen.clone();
        let output = Output::to(move |line| sink.lock().unwrap().push_str(line));
        let subscriber = tracing_subscriber::registry().with(lines(format, Arc::new(Fixed), output));
        tracing::subscriber::with_default(subscriber, work);
        let seen = seen.lock().unwrap();
        seen.clone()
    }

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] std::io::Error);

    fn talk() {
        let span = request_span("GET", "/v1/findings/{id}", "r-1", "c-1");
        let _in_request = span.enter();
        let inner = tracing::info_span!("inner", route = "inner wins", rows = tracing::field::Empty);
        let _in_inner = inner.enter();
        inner.record("rows", 7);
        let error = Outer(std::io::Error::other("disk\nfull"));
        tracing::warn!(
            target: "t",
            token = "abc",
            time = "reserved",
            ratio = 0.5,
            error = &error as &dyn std::error::Error,
            "told ana@example.com\nERROR forged"
        );
    }

    #[test]
    fn a_json_line_carries_the_spans_and_tells_no_secret() {
        let line = logged(Format::Json, talk);
        assert_eq!(line.matches('\n').count(), 1);
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        let want = serde_json::json!({
            "time": "2023-11-14T22:13:20.005000Z",
            "level": "WARN",
            "target": "t",
            "message": "told [redacted]\nERROR forged",
            "token": "[redacted]",
            "field_time": "reserved",
            "ratio": 0.5,
            "error": "outer: disk\nfull",
            "route": "inner wins",
            "rows": 7,
            "method": "GET",
            "request_id": "r-1",
            "correlation_id": "c-1",
            "span": "inner",
        });
        assert_eq!(read, want);
    }

    #[test]
    fn a_pretty_line_is_one_line() {
        let line = logged(Format::Pretty { colour: false }, talk);
        let want = "22:13:20.005Z WARN  t told [redacted]\\nERROR forged token=[redacted] time=reserved ratio=0.5 \
                    error=outer: disk\\nfull route=inner wins rows=7 method=GET request_id=r-1 correlation_id=c-1\n";
        assert_eq!(line, want);
        assert!(logged(Format::Pretty { colour: true }, talk).contains("\x1b[33mWARN"));
    }

    #[test]
    fn a_contained_panic_is_logged_with_its_stack_and_request() {
        let line = logged(Format::Json, || {
            let _in_request = request_span("GET", "/x", "r-9", "c-9").entered();
            let outcome = crate::panic::catch_blocking(
                crate::panic::Entry::Request,
                || crate::panic::Place::new("GET /x").with("user_agent", "curl"),
                || crate::panic::provoke("broken"),
            );
            assert_eq!(outcome, Err::<(), _>(crate::panic::Panicked));
        });
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&read["message"], &read["request_id"]), (&"panic: broken".into(), &"r-9".into()));
        assert!(read["backtrace"].as_str().unwrap().contains("panic"));
        assert_eq!(read["facts"], "user_agent=curl");
    }
}
