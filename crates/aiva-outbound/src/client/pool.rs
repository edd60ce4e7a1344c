//! Idle connections, by whom they lead to and the address that was checked for it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::SendRequest;

use crate::target::{Host, Scheme};

pub(super) type Sender = SendRequest<Full<Bytes>>;

/// How long a connection waits for its next request.
const IDLE: Duration = Duration::from_secs(30);

/// How many wait for one key, and in all.
const MOST_OF_ONE: usize = 4;
const MOST: usize = 64;

/// Whom a connection leads to. The address is part of it: a name that moves gets new connections.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) scheme: Scheme,
    pub(super) host: Host,
    pub(super) address: SocketAddr,
}

#[derive(Default)]
pub(super) struct Pool(Mutex<HashMap<Key, Vec<(Instant, Sender)>>>);

impl Pool {
    /// A connection to one of the allowed addresses that is still open.
    pub(super) fn take(&self, allowed: &[SocketAddr], key: impl Fn(SocketAddr) -> Key) -> Option<(SocketAddr, Sender)> {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for address in allowed {
            let Some(waiting) = idle.get_mut(&key(*address)) else { continue };
            while let Some((since, sender)) = waiting.pop() {
                if since.elapsed() < IDLE && sender.is_ready() {
                    return Some((*address, sender));
                }
            }
        }
        None
    }

    /// Keeps a connection whose answer was read to its end.
    pub(super) fn put(&self, key: Key, sender: Sender) {
        if sender.is_closed() {
            return;
        }
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|_, waiting| {
            waiting.retain(|(since, sender)| since.elapsed() < IDLE && !sender.is_closed());
            !waiting.is_empty()
        });
        if idle.values().map(Vec::len).sum::<usize>() >= MOST {
            return;
        }
        let waiting = idle.entry(key).or_default();
        if waiting.len() < MOST_OF_ONE {
            waiting.push((Instant::now(), sender));
        }
    }
}
