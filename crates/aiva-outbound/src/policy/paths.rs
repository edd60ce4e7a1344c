//! Prefixes of paths, compared by whole segments.
//!
//! A path that a server might read as another one (dot segments, encoded or not; encoded slashes and backslashes; a
//! percent sign that starts no octet) lies below no prefix at all.

use std::fmt;
use std::str::FromStr;

/// A path and all below it: `/v1` holds `/v1`, `/v1/x` and `/v1?x`, but not `/v1x`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PathPrefix(String);

/// A text that is no path prefix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no path prefix; write an absolute path without dots, query and encoded slashes, such as /v1/")]
pub struct NotPathPrefix(pub String);

impl PathPrefix {
    /// Whether what a request line asks for lies below.
    pub fn hold(&self, path_and_query: &str) -> bool {
        let path = path_and_query.split(['?', '#']).next().unwrap_or_default();
        if !is_plain(path) {
            return false;
        }
        match path.strip_prefix(self.0.as_str()) {
            Some(rest) => rest.is_empty() || self.0.ends_with('/') || rest.starts_with('/'),
            None => false,
        }
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PathPrefix {
    type Err = NotPathPrefix;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let ascii = text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'?' | b'#' | b'\\'));
        if !ascii || !is_plain(text) {
            return Err(NotPathPrefix(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for PathPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_plain(path: &str) -> bool {
    let Some(segments) = path.strip_prefix('/') else { return false };
    segments.split('/').all(|segment| {
        let Some(decoded) = decode(segment) else { return false };
        // Some servers cut parameters off a segment before they look at its dots.
        let name = decoded.split(|byte| *byte == b';').next().unwrap_or_default();
        !matches!(name, b"." | b"..") && !decoded.iter().any(|byte| matches!(byte, b'/' | b'\\' | 0))
    })
}

fn decode(segment: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(segment.len());
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digits = [char::from(bytes.next()?).to_digit(16)?, char::from(bytes.next()?).to_digit(16)?];
        let octet = u8::try_from(digits[0] * 16 + digits[1]).ok()?;
        // Encoded twice: what a second decoding makes of it is nobody's business.
        if octet == b'%' {
            return None;
        }
        out.push(octet);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_holds_whole_segments_and_no_way_out() {
        let prefix: PathPrefix = "/v1".parse().unwrap();
        for path in ["/v1", "/v1/", "/v1/x", "/v1?x=/../", "/v1/%20", "/v1/..x", "/v1//x"] {
            assert!(prefix.hold(path), "{path}");
        }
        for path in [
            "/",
            "/v2",
            "/v1x",
            "/V1",
            "/v1/../x",
            "/v1/%2e%2E/x",
            "/v1/.%2e",
            "/v1/./x",
            "/v1/%2fx",
            "/v1/%5cx",
            "/v1/%",
            "/v1/%zz",
            "/v1/..;/x",
            "/v1/%252e%252e/x",
            "/v1/%00",
            "",
        ] {
            assert!(!prefix.hold(path), "{path}");
        }
        let folder: PathPrefix = "/v1/".parse().unwrap();
        assert!(folder.hold("/v1/x") && !folder.hold("/v1"));
        for text in ["", "v1", "/a/../b", "/a?b", "/a b", "/%2f", "/\u{fc}"] {
            assert!(text.parse::<PathPrefix>().is_err(), "{text}");
        }
    }
}
