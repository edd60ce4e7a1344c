//! Short-lived proof of a decision: what the decision API checked is what the proxy connects to.
//!
//! Promises: a token binds role, host, port, the checked addresses and an end ([`LIFETIME`]), under HMAC-SHA-256 with a key
//! that is made at the start and never leaves the process. It allows nothing by itself: whoever redeems it holds the policy
//! in force against it. Any text can be read without harm.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use aiva_outbound::{Host, Target};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::ports::{Pinned, Tokens};

/// How long a token is good: between a check and the use that follows it.
pub const LIFETIME: Duration = Duration::from_secs(60);

/// The longest token that is read.
const LONGEST: usize = 8 * 1024;

/// Gives tokens out and reads them.
pub struct Signer {
    key: [u8; 32],
}

/// No randomness is to be had from the system.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gives no random bytes")]
pub struct NoRandomness;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims<'c> {
    #[serde(borrow)]
    role: std::borrow::Cow<'c, str>,
    #[serde(borrow)]
    host: std::borrow::Cow<'c, str>,
    port: u16,
    addresses: Vec<IpAddr>,
    ends: i64,
}

impl Signer {
    /// With a new key.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn random() -> Result<Self, NoRandomness> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|_| NoRandomness)?;
        Ok(Self { key })
    }

    /// A token for these addresses of a target, and when it ends.
    pub fn sign(&self, role: &str, target: &Target, addresses: &[IpAddr], now: Timestamp) -> (String, Timestamp) {
        let ends = now.as_second().saturating_add(LIFETIME.as_secs().cast_signed());
        let claims = Claims {
            role: role.into(),
            host: target.host().to_string().into(),
            port: target.port(),
            addresses: addresses.to_vec(),
            ends,
        };
        let body = serde_json::to_vec(&claims).expect("texts and numbers are always JSON");
        let mac = self.mac(&body).finalize().into_bytes();
        let token = format!("{}.{}", URL_SAFE_NO_PAD.encode(&body), URL_SAFE_NO_PAD.encode(mac));
        (token, Timestamp::from_second(ends).unwrap_or(now))
    }

    fn mac(&self, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes a key of any length");
        mac.update(body);
        mac
    }
}

impl Tokens for Signer {
    fn read(&self, token: &[u8], now: Timestamp) -> Option<Pinned> {
        let text = std::str::from_utf8(token.get(..LONGEST.min(token.len()))?).ok()?;
        let (body, mac) = text.split_once('.')?;
        let body = URL_SAFE_NO_PAD.decode(body).ok()?;
        let mac = URL_SAFE_NO_PAD.decode(mac).ok()?;
        self.mac(&body).verify_slice(&mac).ok()?; // in constant time
        let claims: Claims<'_> = serde_json::from_slice(&body).ok()?;
        if claims.ends <= now.as_second() {
            return None;
        }
        let (host, port): (Host, u16) = Target::parse_authority(&format!("{}:{}", claims.host, claims.port)).ok()?;
        Some(Pinned { role: Arc::from(&*claims.role), host, port, addresses: claims.addresses })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_token_is_good_for_its_time_and_its_place() {
        let signer = Signer::random().unwrap();
        for (url, address) in
            [("https://a.example.com/x?y", "93.184.216.34"), ("http://[2606:4700::1]:8080", "2606:4700::1")]
        {
            let (target, address): (Target, IpAddr) = (Target::parse(url).unwrap(), address.parse().unwrap());
            let (token, ends) = signer.sign("checkout", &target, &[address], now());
            let want = Pinned {
                role: Arc::from("checkout"),
                host: target.host().clone(),
                port: target.port(),
                addresses: vec![address],
            };
            assert_eq!(signer.read(token.as_bytes(), now()), Some(want));
            assert_eq!(signer.read(token.as_bytes(), ends), None, "it has run out");
            assert_eq!(Signer::random().unwrap().read(token.as_bytes(), now()), None, "another key");
        }
    }

    #[test]
    fn no_changed_or_foreign_text_is_a_token() {
        let signer = Signer::random().unwrap();
        let target = Target::parse("https://a.example.com").unwrap();
        let (token, _) = signer.sign("default", &target, &[[93, 184, 216, 34].into()], now());
        for place in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
            // The last letter of an encoding may hold bits that mean nothing.
            if let Some(pinned) = signer.read(&bytes, now()) {
                assert_eq!(Some(pinned), signer.read(token.as_bytes(), now()), "{place}");
            }
        }
        let long = "A".repeat(2 * LONGEST);
        for text in ["", ".", "a.b", "\u{0}", &long] {
            assert_eq!(signer.read(text.as_bytes(), now()), None, "{text:?}");
        }
    }
}
