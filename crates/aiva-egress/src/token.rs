//! Short-lived proof of a decision: what the decision API checked is what the proxy connects to.
//!
//! Promises: a token binds role, host, port, the checked addresses and an end ([`LIFETIME`]), under HMAC-SHA-256 with a key
//! that never leaves the process but for where it is configured: processes with one key honour each other's tokens. It allows
//! nothing by itself: whoever redeems it holds the policy in force against it. Any text can be read without harm.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use aiva_chassis::secret::Secret;
use aiva_outbound::{Host, Target};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::ports::{BadToken, Pinned, Tokens};

/// How long a token is good: between a check and the use that follows it.
pub const LIFETIME: Duration = Duration::from_secs(60);

/// The longest token that is read.
const LONGEST: usize = 8 * 1024;

/// The fewest characters of a key.
pub const LEAST_KEY: usize = 32;

/// What the key is made for: a secret that serves for something else as well gives another key.
const PURPOSE: &[u8] = b"aiva egress decision token 1\n";

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

/// A new secret for [`Signer::with_key`], to be kept.
///
/// # Errors
/// [`NoRandomness`].
pub fn new_key() -> Result<Secret, NoRandomness> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|_| NoRandomness)?;
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(key)))
}

impl Signer {
    /// With a new key that dies with the process.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn random() -> Result<Self, NoRandomness> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|_| NoRandomness)?;
        Ok(Self { key })
    }

    /// With the key that this secret stands for; the same in every process.
    pub fn with_key(secret: &Secret) -> Self {
        let key = Sha256::new().chain_update(PURPOSE).chain_update(secret.expose().as_bytes()).finalize();
        Self { key: key.into() }
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

    /// What we have signed, if we have.
    fn signed(&self, token: &[u8]) -> Option<Vec<u8>> {
        let text = std::str::from_utf8(token.get(..LONGEST.min(token.len()))?).ok()?;
        let (body, mac) = text.split_once('.')?;
        let body = URL_SAFE_NO_PAD.decode(body).ok()?;
        let mac = URL_SAFE_NO_PAD.decode(mac).ok()?;
        self.mac(&body).verify_slice(&mac).ok()?; // in constant time
        Some(body)
    }

    fn mac(&self, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes a key of any length");
        mac.update(body);
        mac
    }
}

impl Tokens for Signer {
    fn read(&self, token: &[u8], now: Timestamp) -> Result<Pinned, BadToken> {
        let claimed = self.signed(token).ok_or(BadToken::Invalid)?;
        let claims: Claims<'_> = serde_json::from_slice(&claimed).map_err(|_| BadToken::Invalid)?;
        if claims.ends <= now.as_second() {
            return Err(BadToken::Expired);
        }
        let place = Target::parse_authority(&format!("{}:{}", claims.host, claims.port));
        let (host, port): (Host, u16) = place.map_err(|_| BadToken::Invalid)?;
        Ok(Pinned { role: Arc::from(&*claims.role), host, port, addresses: claims.addresses })
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
            assert_eq!(signer.read(token.as_bytes(), now()), Ok(want));
            assert_eq!(signer.read(token.as_bytes(), ends), Err(BadToken::Expired));
            let (other, later) = (Signer::random().unwrap(), ends);
            assert_eq!(
                other.read(token.as_bytes(), later),
                Err(BadToken::Invalid),
                "another key says nothing of its end"
            );
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
            if let Ok(pinned) = signer.read(&bytes, now()) {
                assert_eq!(Ok(pinned), signer.read(token.as_bytes(), now()), "{place}");
            }
        }
        let long = "A".repeat(2 * LONGEST);
        for text in ["", ".", "a.b", "\u{0}", &long] {
            assert_eq!(signer.read(text.as_bytes(), now()), Err(BadToken::Invalid), "{text:?}");
        }
    }

    #[test]
    fn one_secret_is_one_key() {
        let secret = new_key().unwrap();
        assert!(secret.expose().len() >= LEAST_KEY);
        let target = Target::parse("https://a.example.com").unwrap();
        let (token, _) = Signer::with_key(&secret).sign("default", &target, &[[93, 184, 216, 34].into()], now());
        assert!(Signer::with_key(&secret).read(token.as_bytes(), now()).is_ok());
        assert_eq!(Signer::with_key(&new_key().unwrap()).read(token.as_bytes(), now()), Err(BadToken::Invalid));
    }
}
