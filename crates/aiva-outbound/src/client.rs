//! Calls out over HTTP/1.1, to checked addresses only.
//!
//! Each request, and each hop of a redirect, goes the whole way: text checks, policy, one lookup, policy on every address,
//! a connection within the checked set. An idle connection is used again only if its address is in the set that this
//! request was allowed. Answers are bounded in size and time. No proxy, hosts file or credential of the environment is
//! used. Start reading at [`Client::send`].

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, LOCATION, PROXY_AUTHORIZATION, USER_AGENT,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use tokio::time::{Instant, timeout, timeout_at};

use crate::engine::{Engine, Outcome, Verdict};
use crate::judge::Question;
use crate::policy::{Denial, Policy, Reason, Refusal};
use crate::resolve::{Dns, ResolveError, Resolver};
use crate::target::Target;

mod connect;
mod dial;
#[cfg(feature = "hyper-connector")]
mod hyper_connector;
mod pool;
mod tls;

pub use connect::Upstream;
pub use dial::{Connection, Dial, Stream, Tcp};
#[cfg(feature = "hyper-connector")]
pub use hyper_connector::{HyperConnector, HyperStream};
pub use tls::{Tls, TlsError};

pub(crate) use connect::Connector;
use pool::{Key, Pool};

/// How many redirects are followed.
pub const MOST_REDIRECTS: usize = 5;

/// Bounds in time of one request.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// To have a connection, TLS included.
    pub connect: Duration,
    /// From the request's end to the answer's head.
    pub first_byte: Duration,
    /// Between two parts of the answer's body.
    pub idle: Duration,
    /// From the start to the answer's head, over all redirects; to its last byte where it is read by
    /// [`Response::bytes`]. A body that is read by [`Response::chunk`] may take longer.
    pub total: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_byte: Duration::from_secs(30),
            idle: Duration::from_secs(30),
            total: Duration::from_secs(60),
        }
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The text is no address that may be called.
    #[error("refused to call {url}: {reason}")]
    Text {
        /// As much of the text as holds no secret.
        url: String,
        /// What is wrong with it.
        reason: Reason,
    },
    /// The policy does not let it leave.
    #[error("refused to call {url}: {denial}")]
    Denied {
        /// Scheme, host and port: the rest may be a secret.
        url: String,
        /// Why.
        denial: Denial,
    },
    /// No address for the name.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// None of the addresses took the connection.
    #[error("cannot connect to {to}: {reason}")]
    Connect {
        /// Host and port.
        to: String,
        /// What the system said of the last address.
        reason: String,
    },
    /// The other side is not who it should be, or speaks no TLS that we accept.
    #[error("no trusted TLS connection to {to}: {reason}")]
    Tls {
        /// Host and port.
        to: String,
        /// What is wrong.
        reason: String,
    },
    /// It broke while the request or the answer was under way.
    #[error("the connection to {to} broke: {reason}")]
    Broken {
        /// Host and port.
        to: String,
        /// What happened.
        reason: String,
    },
    /// A bound in time.
    #[error("{to} took too long ({stage})")]
    Timeout {
        /// Host and port.
        to: String,
        /// Waiting for what.
        stage: &'static str,
    },
    /// A bound in size.
    #[error("the answer is larger than {limit} bytes")]
    TooLarge {
        /// In bytes.
        limit: usize,
    },
    /// A content type that the client does not take.
    #[error("the answer is {got:?}, which is not among the content types that are taken")]
    ContentType {
        /// What it is, without parameters.
        got: String,
    },
    /// A header that cannot be sent.
    #[error("not a header that can be sent: {0}")]
    Header(String),
}

impl Error {
    /// Whether the same call may succeed soon.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Resolve(error) => error.is_transient(),
            Self::Connect { .. } | Self::Broken { .. } | Self::Timeout { .. } => true,
            Self::Text { .. }
            | Self::Denied { .. }
            | Self::Tls { .. }
            | Self::TooLarge { .. }
            | Self::ContentType { .. }
            | Self::Header(_) => false,
        }
    }

    /// The reason of a refusal of ours, where it is one.
    pub fn refusal(&self) -> Option<Reason> {
        match self {
            Self::Text { reason, .. } => Some(*reason),
            Self::Denied { denial, .. } => Some(denial.reason),
            _ => None,
        }
    }
}

/// Makes calls under one policy. Clones share connections and policy.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    engine: Arc<Engine>,
    policy: Arc<Policy>,
    resolver: Arc<dyn Resolver>,
    connector: Connector,
    pool: Pool,
    limits: Limits,
    caps: Caps,
    observer: Option<Observer>,
    user_agent: HeaderValue,
}

/// Bounds of what an answer may be.
#[derive(Clone)]
struct Caps {
    body: usize,
    redirects: usize,
    content_types: Vec<String>,
}

/// Hears of every verdict, that of each hop of a redirect too.
pub type Observer = Arc<dyn Fn(&Target, &Verdict) + Send + Sync>;

/// Sets a [`Client`] up.
pub struct Builder {
    engine: Arc<Engine>,
    policy: Arc<Policy>,
    resolver: Arc<dyn Resolver>,
    tls: Tls,
    upstream: Option<Upstream>,
    dial: Arc<dyn Dial>,
    limits: Limits,
    caps: Caps,
    observer: Option<Observer>,
    user_agent: HeaderValue,
}

impl Builder {
    /// Who looks names up; the system's name servers by default.
    #[must_use]
    pub fn resolver(mut self, resolver: Arc<dyn Resolver>) -> Self {
        self.resolver = resolver;
        self
    }

    /// The engine that decides; one of its own by default. Share one to have one watch for names that turn internal.
    #[must_use]
    pub fn engine(mut self, engine: Arc<Engine>) -> Self {
        self.engine = engine;
        self
    }

    /// Whom to trust; the system's certificate authorities by default.
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = tls;
        self
    }

    /// A proxy on the way. It is given the checked address, not the name, so that it cannot look up another.
    #[must_use]
    pub fn upstream(mut self, upstream: Upstream) -> Self {
        self.upstream = Some(upstream);
        self
    }

    /// Who opens connections; TCP by default.
    #[must_use]
    pub fn dial(mut self, dial: Arc<dyn Dial>) -> Self {
        self.dial = dial;
        self
    }

    /// The largest body that is read, in bytes, whatever [`Response::bytes`] is asked for; no bound by default.
    #[must_use]
    pub fn max_body(mut self, most: usize) -> Self {
        self.caps.body = most;
        self
    }

    /// How many redirects a request follows unless it says otherwise; [`MOST_REDIRECTS`] by default.
    #[must_use]
    pub fn max_redirects(mut self, most: usize) -> Self {
        self.caps.redirects = most;
        self
    }

    /// Which content types an answer may have (`text/html`, `image/*`); any by default. An answer without one has none of
    /// them. Redirects that are followed need none.
    #[must_use]
    pub fn content_types<'t>(mut self, types: impl IntoIterator<Item = &'t str>) -> Self {
        self.caps.content_types = types.into_iter().map(str::to_ascii_lowercase).collect();
        self
    }

    /// Who hears of every verdict.
    #[must_use]
    pub fn observer(mut self, observer: Observer) -> Self {
        self.observer = Some(observer);
        self
    }

    /// Bounds in time.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How we introduce ourselves.
    #[must_use]
    pub fn user_agent(mut self, name: &'static str) -> Self {
        self.user_agent = HeaderValue::from_static(name);
        self
    }

    /// The client.
    pub fn build(self) -> Client {
        let connector = Connector::new(self.dial, self.tls, self.upstream);
        let Self { engine, policy, resolver, limits, caps, observer, user_agent, .. } = self;
        let pool = Pool::default();
        Client(Arc::new(Inner { engine, policy, resolver, connector, pool, limits, caps, observer, user_agent }))
    }

    /// A connector for hyper's clients, under the same policy. Bounds in size and redirects are the caller's business there.
    #[cfg(feature = "hyper-connector")]
    pub fn build_connector(self) -> HyperConnector {
        let connector = Connector::new(self.dial, self.tls, self.upstream);
        HyperConnector::new(self.engine, self.policy, self.resolver, connector, self.limits.connect)
    }
}

impl Client {
    /// Starts to set a client up.
    pub fn builder(policy: impl Into<Arc<Policy>>) -> Builder {
        Builder {
            engine: Arc::default(),
            policy: policy.into(),
            resolver: Arc::new(Dns::system()),
            tls: Tls::system(),
            upstream: None,
            dial: Arc::new(Tcp),
            limits: Limits::default(),
            caps: Caps { body: usize::MAX, redirects: MOST_REDIRECTS, content_types: Vec::new() },
            observer: None,
            user_agent: HeaderValue::from_static("aiva-outbound"),
        }
    }

    /// A GET request to be sent.
    pub fn get(&self, url: impl Into<String>) -> Request {
        self.request(Method::GET, url)
    }

    /// A POST request to be sent.
    pub fn post(&self, url: impl Into<String>) -> Request {
        self.request(Method::POST, url)
    }

    /// A request to be sent.
    pub fn request(&self, method: Method, url: impl Into<String>) -> Request {
        Request {
            client: self.clone(),
            method,
            url: url.into(),
            headers: HeaderMap::new(),
            wrong_header: None,
            body: Bytes::new(),
            total: self.0.limits.total,
            redirects: self.0.caps.redirects,
        }
    }

    async fn send(&self, request: Request) -> Result<Response, Error> {
        if let Some(name) = request.wrong_header {
            return Err(Error::Header(name));
        }
        let deadline = after(request.total);
        let mut target = Target::parse(&request.url).map_err(|reason| text_error(&request.url, reason))?;
        let Request { mut method, mut headers, mut body, redirects, .. } = request;
        let mut seen = vec![target.clone()];
        loop {
            let response = self.hop(&target, &method, &headers, &body, deadline).await?;
            let Some(location) = redirect(&response, redirects) else { return self.taken(response) };
            let denied = |refusal: Refusal| Error::Denied { url: target.origin(), denial: refusal.denial };
            let next = self.0.policy.judge_redirect(&seen, location, redirects).map_err(denied)?;
            if !target.same_origin(&next) {
                for secret in [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION] {
                    headers.remove(secret);
                }
            }
            // RFC 9110 §15.4: 303 always becomes GET, 301 and 302 do for POST, 307 and 308 never.
            let status = response.status.as_u16();
            if (status == 303 && method != Method::HEAD) || (matches!(status, 301 | 302) && method == Method::POST) {
                method = Method::GET;
                body = Bytes::new();
                headers.remove(CONTENT_TYPE);
            }
            seen.push(next.clone());
            target = next;
        }
    }

    /// The answer, if it is of a kind that is taken.
    fn taken(&self, response: Response) -> Result<Response, Error> {
        let caps = &self.0.caps;
        if response.length().is_some_and(|length| length > caps.body as u64) {
            return Err(Error::TooLarge { limit: caps.body });
        }
        let got = response.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let got = got.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if caps.content_types.is_empty() || caps.content_types.iter().any(|wanted| is_type(wanted, &got)) {
            return Ok(response);
        }
        Err(Error::ContentType { got: got.chars().take(80).collect() })
    }

    /// One request to one target: judged, resolved, judged again, connected, answered.
    async fn hop(
        &self,
        target: &Target,
        method: &Method,
        headers: &HeaderMap,
        body: &Bytes,
        deadline: Instant,
    ) -> Result<Response, Error> {
        let allowed = self.judge(target, method).await?;
        let key = |address: SocketAddr| Key { scheme: target.scheme(), host: target.host().clone(), address };
        let request = || self.head(target, method, headers, body);
        // An idle connection may have been closed by the other side just now: only what is safe to repeat goes there.
        if method.is_idempotent()
            && let Some((address, mut sender)) = self.0.pool.take(&allowed, key)
        {
            match self.exchange(target, &mut sender, request()?, deadline).await {
                Err(Error::Broken { .. }) => {}
                answer => return Ok(self.response(answer?, target, key(address), sender, deadline)),
            }
        }
        let to = format!("{}:{}", target.host(), target.port());
        let limit = deadline.min(after(self.0.limits.connect));
        let connecting = self.0.connector.connect(target, &allowed);
        let late = |_| Error::Timeout { to: to.clone(), stage: "connecting" };
        let (address, mut sender) = timeout_at(limit, connecting).await.map_err(late)??;
        let response = self.exchange(target, &mut sender, request()?, deadline).await?;
        Ok(self.response(response, target, key(address), sender, deadline))
    }

    /// The addresses that this request may connect to.
    async fn judge(&self, target: &Target, method: &Method) -> Result<Vec<SocketAddr>, Error> {
        let Inner { engine, policy, resolver, observer, .. } = &*self.0;
        let verdict = engine.decide(policy, &**resolver, Question::new(target).method(method)).await;
        if let Some(observer) = observer {
            observer(target, &verdict);
        }
        match verdict.outcome {
            Outcome::Allowed => Ok(verdict.connect_to),
            Outcome::Denied(denial) => Err(Error::Denied { url: target.origin(), denial }),
            Outcome::Unresolved(error) => Err(Error::Resolve(error)),
        }
    }

    async fn exchange(
        &self,
        target: &Target,
        sender: &mut pool::Sender,
        request: http::Request<Full<Bytes>>,
        deadline: Instant,
    ) -> Result<http::Response<Incoming>, Error> {
        let to = format!("{}:{}", target.host(), target.port());
        let limit = deadline.min(after(self.0.limits.first_byte));
        match timeout_at(limit, sender.send_request(request)).await {
            Err(_) => Err(Error::Timeout { to, stage: "waiting for the answer" }),
            Ok(Err(error)) => Err(Error::Broken { to, reason: error.to_string() }),
            Ok(Ok(response)) => Ok(response),
        }
    }

    fn head(
        &self,
        target: &Target,
        method: &Method,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<http::Request<Full<Bytes>>, Error> {
        let mut request = http::Request::new(Full::new(body.clone()));
        *request.method_mut() = method.clone();
        *request.uri_mut() = target
            .path_and_query()
            .parse()
            .map_err(|_| Error::Text { url: target.origin(), reason: Reason::NotUrl })?;
        *request.headers_mut() = headers.clone();
        let host = HeaderValue::from_str(&target.authority()).map_err(|_| Error::Header("host".to_owned()))?;
        request.headers_mut().insert(HOST, host);
        request.headers_mut().entry(USER_AGENT).or_insert_with(|| self.0.user_agent.clone());
        if let Some(credentials) = target.credentials()
            && !headers.contains_key(AUTHORIZATION)
        {
            let mut value = connect::basic(credentials).ok_or_else(|| Error::Header("authorization".to_owned()))?;
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        Ok(request)
    }

    fn response(
        &self,
        response: http::Response<Incoming>,
        target: &Target,
        key: Key,
        sender: pool::Sender,
        deadline: Instant,
    ) -> Response {
        let (head, body) = response.into_parts();
        Response {
            status: head.status,
            headers: head.headers,
            url: target.to_string(),
            address: key.address.ip(),
            body,
            to: format!("{}:{}", target.host(), target.port()),
            idle: self.0.limits.idle,
            deadline,
            most: self.0.caps.body,
            left: self.0.caps.body,
            connection: Some((self.clone(), key, sender)),
        }
    }
}

/// Whether a content type is the wanted one, or of the wanted kind (`image/*`).
fn is_type(wanted: &str, got: &str) -> bool {
    match wanted.strip_suffix('*') {
        Some(kind) => kind.ends_with('/') && got.starts_with(kind),
        None => wanted == got,
    }
}

/// Where in time that is; far away where the clock cannot count so far.
fn after(wait: Duration) -> Instant {
    const A_YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    Instant::now() + wait.min(A_YEAR)
}

/// What was refused may hold a password, in the path or before an `@`, wherever a parser would see that.
fn text_error(text: &str, reason: Reason) -> Error {
    let place = text.split_once("://").filter(|_| !text.contains('@'));
    let url = match place {
        Some((scheme, rest)) => {
            let host = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
            format!("{scheme:.10}://{host:.80}").escape_debug().to_string()
        }
        None => format!("a text of {} bytes", text.len()),
    };
    Error::Text { url, reason }
}

fn redirect(response: &Response, followed: usize) -> Option<&str> {
    if followed == 0 || !matches!(response.status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    // Many servers send UTF-8 here, which `to_str` would refuse; the text checks see to the rest.
    Some(std::str::from_utf8(response.headers.get(LOCATION)?.as_bytes()).unwrap_or_default())
}

/// A request under construction.
pub struct Request {
    client: Client,
    method: Method,
    url: String,
    headers: HeaderMap,
    wrong_header: Option<String>,
    body: Bytes,
    total: Duration,
    redirects: usize,
}

impl Request {
    /// Adds a header; one that cannot be sent makes [`Request::send`] fail.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: impl AsRef<[u8]>) -> Self {
        match HeaderValue::from_bytes(value.as_ref()) {
            Ok(value) => drop(self.headers.append(name, value)),
            Err(_) => self.wrong_header = Some(name.to_string()),
        }
        self
    }

    /// The body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// See [`Limits::total`].
    #[must_use]
    pub fn timeout(mut self, total: Duration) -> Self {
        self.total = total;
        self
    }

    /// How many redirects to follow; 0 hands the redirect to the caller.
    #[must_use]
    pub fn redirects(mut self, most: usize) -> Self {
        self.redirects = most;
        self
    }

    /// Sends it and waits for the answer's head.
    pub async fn send(self) -> Result<Response, Error> {
        let client = self.client.clone();
        client.send(self).await
    }
}

/// An answer, its body still to be read.
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The header fields.
    pub headers: HeaderMap,
    /// Who answered at last, without credentials.
    pub url: String,
    /// The address that was connected to.
    pub address: IpAddr,
    body: Incoming,
    to: String,
    idle: Duration,
    deadline: Instant,
    /// How large the body may be, and how much of it may still come.
    most: usize,
    left: usize,
    connection: Option<(Client, Key, pool::Sender)>,
}

impl Response {
    /// The length that the body is said to have.
    pub fn length(&self) -> Option<u64> {
        self.headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
    }

    /// The next part of the body, `None` at its end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            match timeout(self.idle, self.body.frame()).await {
                Err(_) => return Err(Error::Timeout { to: self.to.clone(), stage: "reading the answer" }),
                Ok(Some(Err(error))) => {
                    return Err(Error::Broken { to: self.to.clone(), reason: error.to_string() });
                }
                Ok(Some(Ok(frame))) => {
                    let Ok(bytes) = frame.into_data() else { continue };
                    match self.left.checked_sub(bytes.len()) {
                        Some(left) => self.left = left,
                        None => return Err(Error::TooLarge { limit: self.most }),
                    }
                    return Ok(Some(bytes));
                }
                Ok(None) => {
                    if let Some((client, key, sender)) = self.connection.take() {
                        client.0.pool.put(key, sender);
                    }
                    return Ok(None);
                }
            }
        }
    }

    /// The whole body, refused when it is larger than `limit` bytes or not there when the request's time is up: a server
    /// that sends a byte now and then would hold us for ever.
    pub async fn bytes(mut self, limit: usize) -> Result<Vec<u8>, Error> {
        if self.length().is_some_and(|length| length > limit as u64) {
            return Err(Error::TooLarge { limit });
        }
        let mut all = Vec::new();
        let late = Error::Timeout { to: self.to.clone(), stage: "reading the answer" };
        let deadline = self.deadline;
        loop {
            let Ok(chunk) = timeout_at(deadline, self.chunk()).await else { return Err(late) };
            let Some(bytes) = chunk? else { return Ok(all) };
            if all.len() + bytes.len() > limit {
                return Err(Error::TooLarge { limit });
            }
            all.extend_from_slice(&bytes);
        }
    }
}
