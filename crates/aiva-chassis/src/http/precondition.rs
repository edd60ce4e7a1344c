//! ETags and the conditional requests that go with them (RFC 9110 §8.8, §13).
//!
//! A read answers 304 to a caller who has the current version; a change that names an old version answers 412, and one that
//! names none 428, so that nobody overwrites what they have not seen.

use axum::{
    extract::FromRequestParts,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts};
use sha2::{Digest, Sha256};
use std::{convert::Infallible, fmt::Write as _};

use super::problem::ApiError;

/// The version of a thing, as it travels. Always strong.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ETag(String);

impl ETag {
    /// From the version number of an aggregate.
    pub fn of_version(version: u64) -> Self {
        Self(format!("\"{version}\""))
    }

    /// From the content itself.
    pub fn of_bytes(content: &[u8]) -> Self {
        let digest = Sha256::digest(content);
        let mut tag = String::with_capacity(34);
        tag.push('"');
        for byte in &digest[..16] {
            write!(tag, "{byte:02x}").expect("writing to a string");
        }
        tag.push('"');
        Self(tag)
    }

    /// With its quotes, as in the header.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The header's value.
    pub fn to_value(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).expect("an ETag is made of ASCII digits and quotes")
    }
}

/// What the caller believes about the current version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preconditions {
    if_match: Option<Tags>,
    if_none_match: Option<Tags>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Tags {
    Any,
    OneOf(Vec<Tag>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Tag {
    weak: bool,
    quoted: String,
}

impl Preconditions {
    /// Reads `If-Match` and `If-None-Match`.
    pub fn of(headers: &HeaderMap) -> Self {
        Self { if_match: tags(headers, header::IF_MATCH), if_none_match: tags(headers, header::IF_NONE_MATCH) }
    }

    /// Whether the caller of a read already has `current`; answer 304 then.
    pub fn has(&self, current: &ETag) -> bool {
        match &self.if_none_match {
            None => false,
            Some(Tags::Any) => true,
            Some(Tags::OneOf(tags)) => tags.iter().any(|tag| tag.quoted == current.0), // weak comparison, §13.1.2
        }
    }

    /// Lets a change go ahead only if the caller saw `current` (or said `*`).
    pub fn require(&self, current: &ETag) -> Result<(), ApiError> {
        match &self.if_match {
            None => Err(ApiError::precondition_required()),
            Some(Tags::Any) => Ok(()),
            Some(Tags::OneOf(tags)) if tags.iter().any(|tag| !tag.weak && tag.quoted == current.0) => Ok(()),
            Some(Tags::OneOf(_)) => Err(ApiError::precondition_failed()),
        }
    }

    /// Lets a change go ahead if the caller saw `current`, or did not say what they saw.
    pub fn allow(&self, current: &ETag) -> Result<(), ApiError> {
        if self.if_match.is_none() { Ok(()) } else { self.require(current) }
    }

    /// Lets a creation go ahead unless the caller said `If-None-Match: *` and the thing `exists`.
    pub fn allow_create(&self, exists: bool) -> Result<(), ApiError> {
        match (&self.if_match, &self.if_none_match) {
            (_, Some(Tags::Any)) if exists => Err(ApiError::precondition_failed()),
            (Some(_), _) if !exists => Err(ApiError::precondition_failed()),
            _ => Ok(()),
        }
    }

    /// Answers a read: 304 if the caller has it, else `body` with its ETag.
    pub fn answer(&self, current: &ETag, body: impl FnOnce() -> Response) -> Response {
        let mut response = if self.has(current) { StatusCode::NOT_MODIFIED.into_response() } else { body() };
        response.headers_mut().insert(header::ETAG, current.to_value());
        response
    }
}

impl<S: Sync> FromRequestParts<S> for Preconditions {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers))
    }
}

/// The tags of all headers of this name; what is not a tag is skipped, so it matches nothing.
fn tags(headers: &HeaderMap, name: HeaderName) -> Option<Tags> {
    let mut found = None;
    for value in headers.get_all(name) {
        let Ok(text) = value.to_str() else {
            found.get_or_insert_with(Vec::new);
            continue;
        };
        if text.trim() == "*" {
            return Some(Tags::Any);
        }
        split_tags(text, found.get_or_insert_with(Vec::new));
    }
    found.map(Tags::OneOf)
}

/// Splits `"a", W/"b,c"`; a comma may stand inside the quotes.
fn split_tags(mut text: &str, found: &mut Vec<Tag>) {
    while let Some(open) = text.find('"') {
        let weak = text[..open].trim_end().ends_with("W/");
        let Some(length) = text[open + 1..].find('"') else { return };
        let end = open + 1 + length + 1;
        found.push(Tag { weak, quoted: text[open..end].to_owned() });
        text = &text[end..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(name: HeaderName, value: Option<&str>) -> Preconditions {
        let mut headers = HeaderMap::new();
        if let Some(value) = value {
            headers.insert(name, HeaderValue::from_str(value).unwrap());
        }
        Preconditions::of(&headers)
    }

    #[test]
    fn a_read_is_not_modified_only_for_the_current_version() {
        let current = ETag::of_version(7);
        for (value, want) in [
            (None, false),
            (Some("\"7\""), true),
            (Some("W/\"7\""), true), // weak comparison is right for reads
            (Some("\"6\", \"7\""), true),
            (Some("\"6,7\""), false), // the comma is inside the tag
            (Some("*"), true),
            (Some("7"), false), // not a tag
            (Some("\"7"), false),
        ] {
            assert_eq!(sent(header::IF_NONE_MATCH, value).has(&current), want, "{value:?}");
        }
    }

    #[test]
    fn a_change_must_name_the_current_version() {
        let current = ETag::of_version(7);
        for (value, want) in [
            (None, Err(428)),
            (Some("\"7\""), Ok(())),
            (Some("\"6\" , \"7\""), Ok(())),
            (Some("*"), Ok(())),
            (Some("\"6\""), Err(412)),
            (Some("W/\"7\""), Err(412)), // strong comparison for changes
            (Some("rubbish"), Err(412)),
        ] {
            let got = sent(header::IF_MATCH, value).require(&current).map_err(|e| e.status().as_u16());
            assert_eq!(got, want, "{value:?}");
        }
        assert!(sent(header::IF_MATCH, None).allow(&current).is_ok());
    }

    #[test]
    fn a_creation_may_insist_on_being_the_first() {
        assert!(sent(header::IF_NONE_MATCH, Some("*")).allow_create(false).is_ok());
        assert!(sent(header::IF_NONE_MATCH, Some("*")).allow_create(true).is_err());
        assert!(sent(header::IF_MATCH, Some("\"7\"")).allow_create(false).is_err());
        assert!(sent(header::IF_MATCH, None).allow_create(true).is_ok());
    }

    #[test]
    fn the_tag_of_content_changes_with_the_content() {
        assert_eq!(ETag::of_bytes(b"a"), ETag::of_bytes(b"a"));
        assert_ne!(ETag::of_bytes(b"a"), ETag::of_bytes(b"b"));
        assert_eq!(ETag::of_bytes(b"a").as_str().len(), 34);
    }
}
