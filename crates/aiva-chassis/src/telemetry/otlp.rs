//! Traces over OTLP/HTTP.
//!
//! Promises: whether a trace is kept is the caller's decision where there is one, else a fixed share; what leaves is redacted
//! like a log line; a collector that is slow or gone costs traces (counted), never a request; requests go through the sender
//! that the caller gives, which is AIVA's outbound client.
//!
//! Start reading at [`Traces::start`].

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{Status, TracerProvider};
use opentelemetry::{KeyValue, Value};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{ExporterBuildError, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, SpanData, SpanExporter};
use tokio::runtime::Handle;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::Layer;

use super::Extra;
use super::metrics::{Counter, metrics};
use super::redact;

/// How long the collector may take.
const LIMIT: Duration = Duration::from_secs(10);

/// How much of its answer is read.
const ANSWER_LIMIT: usize = 64 << 10;

/// Sends one request and returns the whole answer.
pub type Send = Arc<
    dyn Fn(http::Request<Bytes>) -> BoxFuture<'static, Result<http::Response<Bytes>, HttpError>>
        + std::marker::Send
        + Sync,
>;

/// What is needed beside the sender.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The collector, without `/v1/traces`.
    pub endpoint: String,
    /// The share of traces that are kept where the caller has not decided, 0 to 1.
    pub ratio: f64,
    /// `service.name`.
    pub service: String,
    /// `service.version`.
    pub version: String,
}

/// The export while it runs.
#[derive(Debug)]
pub struct Traces(SdkTracerProvider);

impl Traces {
    /// Starts the export; the layer belongs into [`super::init`]. Call it inside the runtime that the sender needs.
    ///
    /// # Errors
    /// If the endpoint is not a URL.
    pub fn start(settings: &Settings, send: Send) -> Result<(Self, Extra), ExporterBuildError> {
        let client = Client { send, runtime: Handle::current() };
        let exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_endpoint(format!("{}/v1/traces", settings.endpoint.trim_end_matches('/')))
            .with_timeout(LIMIT)
            .build()?;
        Ok(Self::over(settings, exporter))
    }

    /// The same over any exporter.
    pub fn over(settings: &Settings, exporter: impl SpanExporter + 'static) -> (Self, Extra) {
        let failures =
            metrics().register("trace_export_failures", "Groups of spans that were lost", Counter::default());
        let resource = Resource::builder()
            .with_service_name(settings.service.clone())
            .with_attribute(KeyValue::new("service.version", settings.version.clone()))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(settings.ratio))))
            .with_resource(resource)
            .with_batch_exporter(Redacting { inner: exporter, failures })
            .build();
        // Our own spans only: those of the libraries underneath would trace the export itself, for ever.
        let own = Targets::new().with_target("aiva", LevelFilter::INFO);
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("aiva")).with_filter(own);
        (Self(provider), Box::new(layer))
    }

    /// Sends what is left and ends the export.
    pub async fn close(self) {
        let closed = tokio::task::spawn_blocking(move || self.0.shutdown()).await;
        if !matches!(closed, Ok(Ok(()))) {
            tracing::warn!("the last traces could not be sent");
        }
    }
}

/// The sender over AIVA's outbound client, whose policy must admit the collector.
pub fn through(client: aiva_outbound::client::Client) -> Send {
    Arc::new(move |request| {
        let (head, body) = request.into_parts();
        let mut call = client.request(head.method, head.uri.to_string()).timeout(LIMIT).redirects(0).body(body);
        for (name, value) in &head.headers {
            call = call.header(name.clone(), value);
        }
        Box::pin(async move {
            let answer = call.send().await?;
            let mut response = http::Response::new(Bytes::new());
            (*response.status_mut(), *response.headers_mut()) = (answer.status, answer.headers.clone());
            *response.body_mut() = answer.bytes(ANSWER_LIMIT).await?.into();
            Ok(response)
        })
    })
}

/// Makes a span the child of the remote span in a `traceparent` header.
pub fn adopt(span: &tracing::Span, traceparent: &str) {
    struct One<'a>(&'a str);
    impl Extractor for One<'_> {
        fn get(&self, key: &str) -> Option<&str> {
            key.eq_ignore_ascii_case("traceparent").then_some(self.0)
        }
        fn keys(&self) -> Vec<&str> {
            vec!["traceparent"]
        }
    }
    // Without the export there is no layer, and nothing to adopt.
    let _not_exported = span.set_parent(TraceContextPropagator::new().extract(&One(traceparent)));
}

/// The exporter calls from a thread of its own; the request runs in our runtime.
struct Client {
    send: Send,
    runtime: Handle,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, HttpError> {
        let request = (self.send)(request);
        self.runtime.spawn(async move { tokio::time::timeout(LIMIT, request).await }).await??
    }
}

/// Redacts spans on their way out.
#[derive(Debug)]
struct Redacting<E> {
    inner: E,
    failures: Counter,
}

impl<E: SpanExporter> SpanExporter for Redacting<E> {
    async fn export(&self, mut batch: Vec<SpanData>) -> OTelSdkResult {
        for span in &mut batch {
            conceal(&mut span.attributes);
            for event in &mut span.events.events {
                event.name = redact::text(&event.name).into_owned().into();
                conceal(&mut event.attributes);
            }
            if let Status::Error { description } = &mut span.status {
                *description = redact::text(description).into_owned().into();
            }
        }
        let outcome = self.inner.export(batch).await;
        if outcome.is_err() {
            self.failures.inc();
        }
        outcome
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

fn conceal(attributes: &mut [KeyValue]) {
    for attribute in attributes {
        if redact::is_telling(attribute.key.as_str()) {
            attribute.value = Value::String(redact::MASK.into());
        } else if let Value::String(text) = &attribute.value {
            attribute.value = Value::String(redact::text(text.as_str()).into_owned().into());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    type Sent = Arc<Mutex<Vec<http::Request<Bytes>>>>;

    /// Runs `work` with traces of this share and returns what was sent.
    async fn exported(ratio: f64, work: impl FnOnce()) -> Vec<http::Request<Bytes>> {
        let sent = Sent::default();
        let sink = sent.clone();
        let send: Send = Arc::new(move |request| {
            sink.lock().unwrap().push(request);
            Box::pin(async { Ok(http::Response::new(Bytes::new())) })
        });
        let settings = Settings {
            endpoint: "http://127.0.0.1:4318/".into(),
            ratio,
            service: "aiva-test".into(),
            version: "9.8.7".into(),
        };
        let (traces, layer) = Traces::start(&settings, send).unwrap();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), work);
        traces.close().await;
        std::mem::take(&mut *sent.lock().unwrap())
    }

    fn contains(request: &http::Request<Bytes>, needle: &[u8]) -> bool {
        request.body().windows(needle.len()).any(|window| window == needle)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_export_goes_through_the_outbound_client() {
        use aiva_outbound::{Prefix, client, policy};
        use tokio::io::{AsyncReadExt, AsyncWriteExt};

        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let collector = tokio::spawn(async move {
            let (mut connection, _) = listener.accept().await.unwrap();
            let (mut seen, mut part) = (Vec::new(), [0; 4096]);
            while !seen.windows(9).any(|window| window == b"aiva-test") {
                let read = connection.read(&mut part).await.unwrap();
                assert_ne!(read, 0, "{}", String::from_utf8_lossy(&seen));
                seen.extend_from_slice(&part[..read]);
            }
            connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
            String::from_utf8_lossy(&seen).into_owned()
        });
        let mut policy = policy::Policy::public();
        policy.ports = policy::Ports::Any;
        policy.allow_blocks.extend(Prefix::new(address.ip(), 32));
        let client = client::Client::builder(policy).tls(client::Tls::none()).build();
        let settings = Settings {
            endpoint: format!("http://{address}"),
            ratio: 1.0,
            service: "aiva-test".into(),
            version: "1".into(),
        };
        let (traces, layer) = Traces::start(&settings, through(client)).unwrap();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let _span = tracing::info_span!("request").entered();
            let _foreign = tracing::info_span!(target: "hyper::proto", "foreign").entered();
        });
        traces.close().await;
        let seen = collector.await.unwrap();
        assert!(seen.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{seen}");
        assert!(seen.contains("content-type: application/x-protobuf") && !seen.contains("foreign"), "{seen}");
    }

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7";

    #[tokio::test(flavor = "multi_thread")]
    async fn a_kept_trace_goes_out_redacted_with_its_parent_and_version() {
        let sent = exported(1.0, || {
            let span = tracing::info_span!("request", route = "/v1/x", token = "hunter2", note = "ana@example.com");
            adopt(&span, &format!("{PARENT}-01"));
            let _inside = span.enter();
            tracing::info!(password = "hunter2", "seen");
        })
        .await;
        assert_eq!(sent.len(), 1);
        assert_eq!(sent[0].uri(), "http://127.0.0.1:4318/v1/traces");
        let trace_id = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes();
        for needle in [&b"/v1/x"[..], b"9.8.7", b"aiva-test", &trace_id] {
            assert!(contains(&sent[0], needle), "{needle:?}");
        }
        for needle in [&b"hunter2"[..], b"ana@example.com"] {
            assert!(!contains(&sent[0], needle), "{needle:?}");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_caller_decides_first_and_the_share_after_it() {
        let talk = |flags: &'static str| {
            move || {
                let span = tracing::info_span!("request");
                if !flags.is_empty() {
                    adopt(&span, &format!("{PARENT}-{flags}"));
                }
                let _inside = span.enter();
            }
        };
        assert_eq!(exported(0.0, talk("01")).await.len(), 1, "kept by the caller");
        assert_eq!(exported(1.0, talk("00")).await.len(), 0, "dropped by the caller");
        assert_eq!(exported(0.0, talk("")).await.len(), 0);
        assert_eq!(exported(1.0, talk("")).await.len(), 1);
    }
}
