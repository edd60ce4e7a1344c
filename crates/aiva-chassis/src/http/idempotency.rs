//! `Idempotency-Key`: the caller's name for one attempt to create something, so that a retry has no second effect.
//!
//! Only the parsing and the fingerprint live here; what was done under a key is stored by the use case, in the transaction
//! that did it.

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use http::{HeaderName, StatusCode, request::Parts};
use sha2::{Digest, Sha256};

use super::problem::ApiError;

/// The header.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A key of 1 to 255 visible ASCII characters. Take it as [`Option`] where it may be left out.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Reads a key, bare or in the quotes of a structured header.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let bare = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(text);
        let fits = (1..=255).contains(&bare.len()) && bare.bytes().all(|b| b.is_ascii_graphic() && b != b'"');
        fits.then(|| Self(bare.to_owned()))
    }

    /// The key without quotes.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a key was first used for. The same key with another fingerprint is a mistake of the caller.
pub fn fingerprint(principal: &str, operation: &str, body: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in [principal.as_bytes(), operation.as_bytes(), body] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

impl ApiError {
    /// 422: the key was used for a different request.
    pub fn key_reused() -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency_key_reused",
            "this Idempotency-Key was used for a different request; take a new key",
        )
    }

    /// 409: the first request under this key is still running.
    pub fn key_in_use() -> Self {
        Self::conflict("idempotency_key_in_use", "the first request with this Idempotency-Key is still running")
            .with_retry_after(std::time::Duration::from_secs(1))
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for IdempotencyKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, ApiError> {
        let mut values = parts.headers.get_all(IDEMPOTENCY_KEY).iter();
        let Some(value) = values.next() else { return Ok(None) };
        let key = value.to_str().ok().and_then(Self::parse).filter(|_| values.next().is_none());
        key.map(Some).ok_or_else(|| {
            ApiError::bad_request(
                "idempotency_key_invalid",
                "send one Idempotency-Key of 1 to 255 visible ASCII characters",
            )
        })
    }
}

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let key = <Self as OptionalFromRequestParts<S>>::from_request_parts(parts, state).await?;
        key.ok_or_else(|| {
            ApiError::bad_request(
                "idempotency_key_required",
                "send an Idempotency-Key, such as a fresh UUID, and the same one on a retry",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_visible_and_bounded() {
        let long = "k".repeat(256);
        for (text, want) in [
            ("a-1", Some("a-1")),
            ("\"a-1\"", Some("a-1")), // the structured-header spelling of the same key
            (" a-1 ", Some("a-1")),
            ("", None),
            ("\"\"", None),
            ("a b", None),
            ("é", None),
            ("a\"b", None),
            (long.as_str(), None),
        ] {
            assert_eq!(IdempotencyKey::parse(text).as_ref().map(IdempotencyKey::as_str), want, "{text:?}");
        }
    }

    #[test]
    fn the_fingerprint_keeps_its_parts_apart() {
        assert_eq!(fingerprint("p", "o", b"b"), fingerprint("p", "o", b"b"));
        assert_ne!(fingerprint("p", "o", b"b"), fingerprint("po", "", b"b"));
        assert_ne!(fingerprint("p", "o", b"b"), fingerprint("p", "o", b"c"));
    }
}
