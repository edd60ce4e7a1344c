//! One-time links into the console: printed by the server at start and by `aiva token link`, good for ten minutes and one
//! sign-in.
//!
//! The link carries a code of its own and never the token, so that a shell history or a proxy log gives nothing away. Codes
//! are kept as hashes, in memory: a restart forgets them.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use aiva_chassis::{clock::SharedClock, secret::Secret};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::bootstrap::TokenError;

/// How long a link is good.
pub const LIFETIME: SignedDuration = SignedDuration::from_mins(10);
/// Links that can be good at the same time; the oldest gives way.
const MOST: usize = 16;

/// The links that are good now.
#[derive(Debug)]
pub struct Links {
    clock: SharedClock,
    open: Mutex<VecDeque<Link>>,
}

#[derive(Debug)]
struct Link {
    code: [u8; 32],
    until: Timestamp,
}

impl Links {
    /// None yet.
    pub fn new(clock: SharedClock) -> Self {
        Self { clock, open: Mutex::default() }
    }

    /// A new code, to be put into a link, and until when it is good.
    pub fn issue(&self) -> Result<(Secret, Timestamp), TokenError> {
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(|_| TokenError::NoRandomness)?;
        let code = URL_SAFE_NO_PAD.encode(random);
        let now = self.clock.now();
        let until = now.saturating_add(LIFETIME).unwrap_or(Timestamp::MAX);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|link| link.until > now);
        if open.len() >= MOST {
            open.pop_front();
        }
        open.push_back(Link { code: hash(&code), until });
        Ok((Secret::new(code), until))
    }

    /// Spends a code: true exactly once, within its lifetime.
    pub fn redeem(&self, code: &str) -> bool {
        let (code, now) = (hash(code), self.clock.now());
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|link| link.until > now);
        let found = open.iter().position(|link| bool::from(link.code.ct_eq(&code)));
        found.and_then(|position| open.remove(position)).is_some()
    }
}

/// The path of the link for a code; the server's address stands before it.
pub fn path(code: &Secret) -> String {
    format!("/console/sign-in?code={}", code.expose())
}

fn hash(code: &str) -> [u8; 32] {
    Sha256::digest(code.as_bytes()).into()
}
