//! Console sessions: a random cookie, kept in memory as a hash, ended by 30 idle minutes, by 12 hours, by signing out, by a
//! rotation of the bootstrap token, or by a restart.
//!
//! The cookie is HttpOnly, SameSite=Strict and for the whole site; over TLS it is Secure and has the `__Host-` prefix, so
//! that no neighbour domain can set it.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use aiva_chassis::{clock::SharedClock, secret::Secret};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue, header};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use crate::bootstrap::TokenError;

/// A session ends after this time without a request.
pub const IDLE: SignedDuration = SignedDuration::from_mins(30);
/// A session ends after this time, used or not.
pub const ABSOLUTE: SignedDuration = SignedDuration::from_hours(12);
/// Sessions at once; the one that was idle longest gives way.
const MOST: usize = 1024;

const PLAIN: &str = "aiva_session";
const HOST: &str = "__Host-aiva_session";

/// The sessions that are open.
#[derive(Debug)]
pub struct Sessions {
    clock: SharedClock,
    open: Mutex<HashMap<[u8; 32], Session>>,
}

#[derive(Debug, Clone, Copy)]
struct Session {
    generation: u64,
    opened: Timestamp,
    used: Timestamp,
}

impl Session {
    fn holds(&self, now: Timestamp) -> bool {
        now.duration_since(self.used) < IDLE && now.duration_since(self.opened) < ABSOLUTE
    }
}

impl Sessions {
    /// None yet.
    pub fn new(clock: SharedClock) -> Self {
        Self { clock, open: Mutex::default() }
    }

    /// Opens a session under this generation of the bootstrap token; the secret goes into the cookie.
    pub fn open(&self, generation: u64) -> Result<Secret, TokenError> {
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(|_| TokenError::NoRandomness)?;
        let secret = URL_SAFE_NO_PAD.encode(random);
        let now = self.clock.now();
        let mut open = self.lock();
        open.retain(|_, session| session.holds(now));
        if open.len() >= MOST
            && let Some(longest_idle) = open.iter().min_by_key(|(_, session)| session.used).map(|(key, _)| *key)
        {
            open.remove(&longest_idle);
        }
        open.insert(hash(&secret), Session { generation, opened: now, used: now });
        Ok(Secret::new(secret))
    }

    /// Whether the session holds; if so, its idle time starts anew.
    pub fn touch(&self, secret: &str, generation: u64) -> bool {
        let (key, now) = (hash(secret), self.clock.now());
        let mut open = self.lock();
        let Some(session) = open.get_mut(&key) else { return false };
        if session.generation != generation || !session.holds(now) {
            open.remove(&key);
            return false;
        }
        session.used = now;
        true
    }

    /// Ends a session; an unknown one is already ended.
    pub fn close(&self, secret: &str) {
        self.lock().remove(&hash(secret));
    }

    /// How many are open, counting those that have run out unnoticed.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], Session>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The session in a request's cookies.
pub fn of(headers: &HeaderMap) -> Option<&str> {
    let cookies = || {
        let values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(';')).filter_map(|cookie| cookie.trim().split_once('='))
    };
    let named = |name| cookies().find(|(found, _)| *found == name).map(|(_, value)| value);
    named(HOST).or_else(|| named(PLAIN))
}

/// The header that sets the cookie.
pub fn cookie(secret: &Secret, tls: bool) -> HeaderValue {
    set(secret.expose(), ABSOLUTE.as_secs(), tls)
}

/// The header that takes the cookie away.
pub fn no_cookie(tls: bool) -> HeaderValue {
    set("", 0, tls)
}

fn set(value: &str, seconds: i64, tls: bool) -> HeaderValue {
    let (name, secure) = if tls { (HOST, "; Secure") } else { (PLAIN, "") };
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}");
    HeaderValue::from_str(&text).expect("base64url and fixed words are valid in a header")
}

fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}
