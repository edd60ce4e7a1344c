//! Sets a [`Client`] up: under which policy, with whose help, within which bounds.
//!
//! What is not said is the system's name servers and certificate authorities, TCP, no proxy, and bodies of any size. Nothing
//! is connected to before the first request. Start reading at [`Client::builder`].

use std::sync::Arc;

use http::HeaderValue;

#[cfg(feature = "hyper-connector")]
use super::HyperConnector;
use super::pool::Pool;
use super::{Caps, Client, Connector, Dial, Inner, Limits, MOST_REDIRECTS, Observer, Tcp, Tls, Upstream};
use crate::engine::Engine;
use crate::policy::Policy;
use crate::resolve::{Dns, Resolver};

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
