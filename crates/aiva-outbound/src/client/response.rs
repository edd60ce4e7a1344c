//! An answer whose head is here and whose body is read as it comes.
//!
//! The body is bounded in size, and in time between two parts of it; as a whole too where [`Response::bytes`] reads it.
//! Its connection serves the next request only after the body was read to its end. Start reading at [`Response::chunk`].

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout, timeout_at};

use super::pool::{Key, Sender};
use super::{Client, Error};

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
    pub(super) body: Incoming,
    pub(super) to: String,
    pub(super) idle: Duration,
    pub(super) deadline: Instant,
    /// How large the body may be, and how much of it may still come.
    pub(super) most: usize,
    pub(super) left: usize,
    pub(super) connection: Option<(Client, Key, Sender)>,
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
