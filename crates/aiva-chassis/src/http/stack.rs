//! The middleware of every route, in one place and one pass.
//!
//! Outermost first: request id, trace, access log and metrics, panic containment, timeout, unpacking, body limit, rate limit,
//! authentication, permission (the extractor in the handler's signature), handler. Written as one service rather than as
//! ten layers: each `Router::layer` boxes and clones the whole chain once more per request.
//!
//! Start reading at [`Shared::answer`]; the order is its text.

mod finish;
mod routes;

use std::{
    collections::HashMap,
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context as Poller, Poll},
    time::Duration,
};

use axum::{Router, body::Body, extract::Request, response::Response};
use governor::clock::DefaultClock;
use http::{HeaderMap, header};
use http_body::Body as _;
use http_body_util::Limited;
use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt};
use tracing::Instrument;

use super::{
    access::{AccessLog, Ending},
    auth::{Authenticator, Principal, SEE_HINTS},
    client,
    context::{self, Peer, RequestContext, X_CORRELATION_ID, X_REQUEST_ID},
    contract::Routes,
    gzip,
    headers::{Cors, PREFLIGHT},
    problem::{ApiError, Audience, Rendered},
    rate::{Admission, Limiter, Rate, Rates},
    trace::TraceContext,
};
use crate::{
    clock::SharedClock,
    config::{
        server,
        types::{self, Network},
    },
    panic::{self, Entry, Place},
    telemetry::{log::request_span, metrics::InFlight},
};
use routes::{Route, RouteTable};

/// What one request may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Until the head of the answer must be there.
    pub timeout: Duration,
    /// Bytes of the body.
    pub body: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(30), body: 1 << 20 }
    }
}

/// Builds the middleware; [`Stack::around`] puts it around the routes.
#[derive(Clone)]
pub struct Stack {
    clock: SharedClock,
    limits: Limits,
    overrides: HashMap<String, Limits>,
    rates: Option<Rates>,
    cors: Cors,
    trusted: Vec<Network>,
    access_log: Option<AccessLog>,
    authenticator: Option<Arc<dyn Authenticator>>,
}

impl Stack {
    /// The default limits; no rate limit, no log, no other sites, nobody known.
    pub fn new(clock: SharedClock) -> Self {
        Self {
            clock,
            limits: Limits::default(),
            overrides: HashMap::new(),
            rates: None,
            cors: Cors::default(),
            trusted: Vec::new(),
            access_log: None,
            authenticator: None,
        }
    }

    /// What `[server]` says: limits, rates, other sites, trusted proxies.
    pub fn configured(server: &server::Server, clock: SharedClock) -> Self {
        let rate = &server.rate_limit;
        let rates = Rates {
            client: Rate::new(rate.per_client, rate.client_burst),
            service: Rate::new(rate.whole, rate.whole_burst),
            ..Rates::default()
        };
        Self::new(clock)
            .limits(Limits { timeout: server.request_timeout, body: server.body_limit.0 })
            .rates(rates)
            .cors(Cors::of(server.cors_origins.iter().map(types::HttpUrl::as_uri)))
            .trusted_proxies(server.trusted_proxies.iter().cloned())
    }

    /// The limits of every route that has none of its own.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The limits of the route with this template.
    #[must_use]
    pub fn limits_for(mut self, template: impl Into<String>, limits: Limits) -> Self {
        self.overrides.insert(template.into(), limits);
        self
    }

    /// How many requests are let in.
    #[must_use]
    pub fn rates(mut self, rates: Rates) -> Self {
        self.rates = Some(rates);
        self
    }

    /// The other sites that may read answers.
    #[must_use]
    pub fn cors(mut self, cors: Cors) -> Self {
        self.cors = cors;
        self
    }

    /// The proxies whose word on the caller's address counts.
    #[must_use]
    pub fn trusted_proxies(mut self, networks: impl IntoIterator<Item = Network>) -> Self {
        self.trusted = networks.into_iter().collect();
        self
    }

    /// Where requests are logged.
    #[must_use]
    pub fn access_log(mut self, log: AccessLog) -> Self {
        self.access_log = Some(log);
        self
    }

    /// Who tells who is calling.
    #[must_use]
    pub fn authenticator(mut self, authenticator: Arc<dyn Authenticator>) -> Self {
        self.authenticator = Some(authenticator);
        self
    }

    /// The routes, REST and gRPC alike, inside the middleware. Unknown paths and methods are inside, too.
    pub fn around(self, routes: impl Into<Routes>) -> Router {
        let (router, table) = routes.into().into_parts();
        let shared = Shared {
            routes: RouteTable::new(&table, self.limits, self.overrides),
            limiter: self.rates.map(|rates| Arc::new(Limiter::new(rates, DefaultClock::default()))),
            clock: self.clock,
            cors: self.cors,
            trusted: self.trusted,
            access_log: self.access_log,
            authenticator: self.authenticator,
        };
        router.layer(Middleware(Arc::new(shared)))
    }
}

/// The whole stack as one layer.
#[derive(Clone)]
struct Middleware(Arc<Shared>);

#[derive(Clone)]
struct Guarded<S> {
    shared: Arc<Shared>,
    inner: S,
}

struct Shared {
    routes: RouteTable,
    limiter: Option<Arc<Limiter>>,
    clock: SharedClock,
    cors: Cors,
    trusted: Vec<Network>,
    access_log: Option<AccessLog>,
    authenticator: Option<Arc<dyn Authenticator>>,
}

impl<S> Layer<S> for Middleware {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { shared: Arc::clone(&self.0), inner }
    }
}

impl<S> Service<Request> for Guarded<S>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, poller: &mut Poller<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(poller)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let (shared, inner) = (Arc::clone(&self.shared), self.inner.clone());
        Box::pin(async move { Ok(shared.answer(request, inner).await) })
    }
}

impl Shared {
    async fn answer<S>(self: Arc<Self>, mut request: Request, inner: S) -> Response
    where
        S: Service<Request, Response = Response, Error = Infallible>,
    {
        let route = self.routes.find(&request);
        let started = Instant::now();
        let (context, span) = self.identify(&request, &route, started);
        let context = Arc::new(context);
        request.extensions_mut().insert(Arc::clone(&context));
        let caller = finish::Caller::of(&request, &self.cors);
        let mut observed = Observed::begin(&self, &route, &context, started);

        let entry = if caller.is_grpc() { Entry::Rpc } else { Entry::Request };
        if let (Entry::Rpc, Some(limiter)) = (entry, &self.limiter) {
            let (limiter, client) = (Arc::clone(limiter), context.client);
            request.extensions_mut().insert(Admission::new(move || limiter.admit(client)));
        }
        let work = tokio::time::timeout(route.limits.timeout, self.guarded(request, inner, &route, &context));
        let work = panic::catch(entry, || place(&context), work);
        let response = match context::within(Arc::clone(&context), work).instrument(span).await {
            Ok(Ok(Ok(response))) => response,
            Ok(Ok(Err(refusal))) => axum::response::IntoResponse::into_response(refusal),
            Ok(Err(_elapsed)) => axum::response::IntoResponse::into_response(ApiError::timed_out()),
            Err(panic::Panicked) => axum::response::IntoResponse::into_response(ApiError::panicked()),
        };

        let response = caller.finish(response, &context);
        observed.end(&response);
        response
    }

    /// Everything that may refuse the request, then the handler.
    async fn guarded<S>(
        &self,
        request: Request,
        inner: S,
        route: &Route,
        context: &RequestContext,
    ) -> Result<Response, ApiError>
    where
        S: Service<Request, Response = Response, Error = Infallible>,
    {
        let request = limit_body(request, route.limits.body)?;
        if let Some(limiter) = &self.limiter {
            limiter.admit(context.client).map_err(ApiError::too_many)?;
        }
        if let Some(headers) = self.cors.preflight(&request) {
            return Ok(preflight(headers));
        }
        let (request, sees_hints) = self.authenticate(request, context).await?;
        let Ok(mut response) = inner.oneshot(request).await;
        if sees_hints && let Some(rendered) = response.extensions_mut().get_mut::<Rendered>() {
            rendered.audience = Audience::Operator;
        }
        Ok(response)
    }

    /// Puts the principal into the request; whether they may see hints.
    async fn authenticate(&self, request: Request, context: &RequestContext) -> Result<(Request, bool), ApiError> {
        if let Some(principal) = request.extensions().get::<Principal>() {
            let sees_hints = note(principal, context);
            return Ok((request, sees_hints));
        }
        let Some(authenticator) = &self.authenticator else { return Ok((request, false)) };
        let (mut parts, body) = request.into_parts();
        let found = authenticator.authenticate(&parts).await?;
        let sees_hints = found.as_ref().is_some_and(|principal| note(principal, context));
        if let Some(principal) = found {
            parts.extensions.insert(principal);
        }
        Ok((Request::from_parts(parts, body), sees_hints))
    }

    #[cfg_attr(not(feature = "otlp"), expect(unused_mut, reason = "only the export changes the trace"))]
    fn identify(&self, request: &Request, route: &Route, started: Instant) -> (RequestContext, tracing::Span) {
        let headers = request.headers();
        let peer = request.extensions().get::<Peer>();
        let mut context = RequestContext {
            request_id: context::sane_id(headers, X_REQUEST_ID).unwrap_or_else(|| context::new_id(self.clock.now())),
            correlation_id: context::sane_id(headers, X_CORRELATION_ID),
            trace: TraceContext::continue_from(headers),
            client: peer.map(|peer| client::address(peer.address.ip(), headers, &self.trusted)),
            tls: peer.is_some_and(|peer| peer.tls),
            method: request.method().clone(),
            route: Arc::clone(&route.template),
            user_agent: context::user_agent(headers),
            deadline: started + route.limits.timeout,
            principal: std::sync::OnceLock::new(),
        };
        let (method, request_id) = (context.method.as_str(), context.request_id());
        let span = request_span(method, &route.template, request_id, context.correlation_id());
        #[cfg(feature = "otlp")]
        adopt(&mut context.trace, &span);
        (context, span)
    }
}

/// Remembers the caller for the log; whether they may see hints.
fn note(principal: &Principal, context: &RequestContext) -> bool {
    let _first = context.principal.set(Arc::clone(&principal.id));
    principal.may(SEE_HINTS)
}

/// What the log of a panic knows.
fn place(context: &RequestContext) -> Place {
    let place = Place::new(format!("{} {}", context.method, context.route))
        .with("request_id", context.request_id())
        .with("method", &context.method)
        .with("user_agent", context.user_agent());
    match context.client {
        Some(client) => place.with("client", client),
        None => place,
    }
}

/// Refuses a body that says it is too large before a byte of it is read, and cuts off one that turns out to be, as it comes or
/// when it is unpacked.
fn limit_body(request: Request, limit: u64) -> Result<Request, ApiError> {
    let said = request.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    if said.is_some_and(|length| length > limit) {
        return Err(ApiError::too_large(limit));
    }
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    // HTTP holds the sender to the length it gave.
    let is_held = request.body().size_hint().exact().is_some_and(|length| length <= limit);
    let request = if is_held { request } else { request.map(|body| Body::new(Limited::new(body, most))) };
    // gRPC packs its messages itself.
    if finish::is_grpc(&request) { Ok(request) } else { gzip::unpack(request, most) }
}

fn preflight(headers: HeaderMap) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = PREFLIGHT;
    *response.headers_mut() = headers;
    response
}

/// Makes the span part of the caller's trace, and takes its ids over where it is exported.
#[cfg(feature = "otlp")]
fn adopt(trace: &mut TraceContext, span: &tracing::Span) {
    use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
    use tracing_opentelemetry::OpenTelemetrySpanExt;

    if span.is_disabled() {
        return;
    }
    if let Some(parent) = trace.parent_id {
        let flags = if trace.sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
        let (trace_id, parent) = (TraceId::from_bytes(trace.trace_id), SpanId::from_bytes(parent));
        let remote = SpanContext::new(trace_id, parent, flags, true, TraceState::default());
        // Fails only where no tracer is installed, and then there is nothing to tell.
        let _no_tracer = span.set_parent(opentelemetry::Context::new().with_remote_span_context(remote));
    }
    let context = span.context();
    let ours = context.span().span_context().clone();
    if ours.is_valid() && !ours.is_remote() {
        trace.trace_id = ours.trace_id().to_bytes();
        trace.span_id = ours.span_id().to_bytes();
        trace.sampled = ours.is_sampled();
    }
}

/// A client that went away before the answer, in the log and the metrics.
const CLIENT_GONE: u16 = 499;

/// Counts the request and logs it once, also if its caller goes away and this is merely dropped.
struct Observed {
    shared: Arc<Shared>,
    route: Arc<Route>,
    context: Arc<RequestContext>,
    started: Instant,
    _in_flight: InFlight,
    ended: bool,
}

impl Observed {
    fn begin(shared: &Arc<Shared>, route: &Arc<Route>, context: &Arc<RequestContext>, started: Instant) -> Self {
        Self {
            shared: Arc::clone(shared),
            route: Arc::clone(route),
            context: Arc::clone(context),
            started,
            _in_flight: route.metrics.begin(),
            ended: false,
        }
    }

    fn end(&mut self, response: &Response) {
        self.note(response.status().as_u16(), response.body().size_hint().exact());
    }

    fn note(&mut self, status: u16, bytes: Option<u64>) {
        self.ended = true;
        let took = self.started.elapsed();
        self.route.metrics.answered(status, took);
        if let Some(log) = &self.shared.access_log {
            log.record(&Ending { at: self.shared.clock.now(), took, status, bytes, context: &self.context });
        }
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        if !self.ended {
            self.note(CLIENT_GONE, None);
        }
    }
}
