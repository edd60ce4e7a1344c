//! Tells who sent a request: the holder of the bootstrap token, or a console session that was opened with it.
//!
//! A wrong token is refused and remembered ([`crate::throttle`]); a session that has ended is simply nobody. A change with a
//! session cookie must come from our own pages.

use std::{net::IpAddr, sync::Arc};

use aiva_chassis::{
    clock::SharedClock,
    http::{AuthError, Authenticator, Permissions, Principal, PrincipalKind, RequestContext},
    secret::Secret,
};
use async_trait::async_trait;
use http::{header, request::Parts};
use jiff::Timestamp;

use crate::{
    bootstrap::{LiveToken, TokenError, TokenFile},
    link::Links,
    origin,
    session::{self, Sessions},
    throttle::Throttle,
};

/// Everything that lets somebody in.
#[derive(Debug)]
pub struct Door {
    token: LiveToken,
    pub(crate) links: Links,
    sessions: Sessions,
    throttle: Throttle,
}

impl Door {
    /// Guards an installation with the token in this file.
    pub fn new(file: TokenFile, clock: SharedClock) -> Self {
        Self {
            token: LiveToken::follow(file),
            links: Links::new(Arc::clone(&clock)),
            sessions: Sessions::new(Arc::clone(&clock)),
            throttle: Throttle::new(clock),
        }
    }

    /// A one-time link into the console of the server at `base`.
    pub fn console_link(&self, base: &str) -> Result<String, TokenError> {
        Ok(format!("{}{}", base.trim_end_matches('/'), self.console_path()?.0))
    }

    /// The part of a one-time link that follows the server's address, and until when it is good.
    pub fn console_path(&self) -> Result<(String, Timestamp), TokenError> {
        let (code, until) = self.links.issue()?;
        Ok((crate::link::path(&code), until))
    }

    /// Opens a session for whoever brings a good code.
    pub fn enter_by_code(&self, code: &str, client: Option<IpAddr>) -> Result<Secret, AuthError> {
        self.attempt(client, || Ok(self.links.redeem(code)))?;
        self.open_session()
    }

    /// Opens a session for whoever brings the token.
    pub fn enter_by_token(&self, token: &str, client: Option<IpAddr>) -> Result<Secret, AuthError> {
        self.attempt(client, || self.token.is(token))?;
        self.open_session()
    }

    /// Ends a session.
    pub fn leave(&self, session: &str) {
        self.sessions.close(session);
    }

    fn open_session(&self) -> Result<Secret, AuthError> {
        let generation = self.token.generation().map_err(unavailable)?;
        self.sessions.open(generation).map_err(unavailable)
    }

    /// One try with a credential, under the throttle.
    fn attempt(
        &self,
        client: Option<IpAddr>,
        holds: impl FnOnce() -> Result<bool, TokenError>,
    ) -> Result<(), AuthError> {
        if let Some(client) = client {
            self.throttle.check(client).map_err(|retry_after| AuthError::Throttled { retry_after })?;
        }
        let holds = holds().map_err(unavailable)?;
        match client {
            Some(client) if holds => self.throttle.succeeded(client),
            Some(client) => self.throttle.failed(client),
            None => {}
        }
        if holds { Ok(()) } else { Err(AuthError::Invalid) }
    }

    fn by_token(&self, request: &Parts) -> Result<Principal, AuthError> {
        let mut sent = request.headers.get_all(header::AUTHORIZATION).iter();
        let text = match (sent.next(), sent.next()) {
            (Some(value), None) => value.to_str().unwrap_or_default(),
            _ => "",
        };
        let (scheme, token) = text.split_once(' ').unwrap_or_default();
        let is_bearer = scheme.eq_ignore_ascii_case("bearer");
        self.attempt(client(request), || if is_bearer { self.token.is(token.trim()) } else { Ok(false) })?;
        Ok(operator(PrincipalKind::Bootstrap))
    }

    fn by_session(&self, secret: &str, request: &Parts) -> Result<Option<Principal>, AuthError> {
        let generation = self.token.generation().map_err(unavailable)?;
        if !self.sessions.touch(secret, generation) {
            return Ok(None);
        }
        if !origin::is_safe(&request.method) && !origin::is_own(request) {
            return Err(AuthError::CrossSite);
        }
        Ok(Some(operator(PrincipalKind::Session)))
    }
}

#[async_trait]
impl Authenticator for Door {
    async fn authenticate(&self, request: &Parts) -> Result<Option<Principal>, AuthError> {
        if request.headers.contains_key(header::AUTHORIZATION) {
            return self.by_token(request).map(Some);
        }
        match session::of(&request.headers) {
            Some(secret) => self.by_session(secret, request),
            None => Ok(None),
        }
    }
}

/// The caller's address, where the request came over the network.
pub(crate) fn client(request: &Parts) -> Option<IpAddr> {
    request.extensions.get::<Arc<RequestContext>>().and_then(|context| context.client())
}

fn operator(kind: PrincipalKind) -> Principal {
    let (id, display) = match kind {
        PrincipalKind::Session => ("bootstrap:console", "operator (console)"),
        _ => ("bootstrap:token", "operator (token)"),
    };
    Principal::new(id, display, Permissions::All, kind)
}

fn unavailable(error: TokenError) -> AuthError {
    AuthError::Unavailable(Box::new(error))
}
