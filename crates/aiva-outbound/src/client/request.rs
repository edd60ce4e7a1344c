//! A request under construction: nothing leaves before [`Request::send`].
//!
//! What cannot be sent is remembered and told by `send`, so that a chain of calls needs no check in its middle.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::{Client, Error, Response};

/// A request under construction.
pub struct Request {
    pub(super) client: Client,
    pub(super) method: Method,
    pub(super) url: String,
    pub(super) headers: HeaderMap,
    pub(super) wrong_header: Option<String>,
    pub(super) body: Bytes,
    pub(super) total: Duration,
    pub(super) redirects: usize,
}

impl Client {
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
