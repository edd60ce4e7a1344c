//! Which header fields a fetch may send, and which of an answer are worth telling.

use std::collections::BTreeMap;

use http::header::{
    ACCEPT, ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_TYPE, IF_MODIFIED_SINCE, IF_NONE_MATCH, PRAGMA,
    RANGE, USER_AGENT,
};
use http::{HeaderMap, HeaderName, HeaderValue};

/// Fields that frame, route or forward a message, or that would have an answer compressed; and those that open metadata
/// services, which nobody needs who calls something else.
const REFUSED: [&str; 28] = [
    "accept-encoding",
    "cf-connecting-ip",
    "client-ip",
    "connection",
    "content-encoding",
    "content-length",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "max-forwards",
    "metadata",
    "metadata-flavor",
    "te",
    "trailer",
    "transfer-encoding",
    "true-client-ip",
    "upgrade",
    "via",
    "x-aws-ec2-metadata-token",
    "x-aws-ec2-metadata-token-ttl-seconds",
    "x-client-ip",
    "x-google-metadata-request",
    "x-metadata-token",
    "x-original-url",
    "x-real-ip",
    "x-rewrite-url",
];

/// Families of such.
const REFUSED_PREFIXES: [&str; 5] = ["proxy-", "x-forwarded-", "sec-", "aiva-", "x-http-method"];

/// What says which answer is wanted, and nothing of who asks: only this goes along to another origin.
const HARMLESS: [HeaderName; 10] = [
    ACCEPT,
    ACCEPT_LANGUAGE,
    CACHE_CONTROL,
    CONTENT_LANGUAGE,
    CONTENT_TYPE,
    IF_MODIFIED_SINCE,
    IF_NONE_MATCH,
    PRAGMA,
    RANGE,
    USER_AGENT,
];

/// What tells an agent or a preview what it has got.
const TOLD: [&str; 18] = [
    "accept-ranges",
    "age",
    "allow",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-range",
    "content-type",
    "date",
    "etag",
    "expires",
    "last-modified",
    "link",
    "location",
    "retry-after",
    "x-robots-tag",
];

/// The most of one field that is told.
const LONGEST: usize = 8192;

/// A header field that cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongHeader {
    /// Which.
    pub name: String,
    /// Why not.
    pub message: &'static str,
}

/// The header fields of a request.
///
/// # Errors
/// All that may not be sent.
pub fn asked(fields: &BTreeMap<String, String>) -> Result<HeaderMap, Vec<WrongHeader>> {
    let (mut headers, mut wrong) = (HeaderMap::new(), Vec::new());
    for (name, value) in fields {
        let refuse = |message| WrongHeader { name: name.clone(), message };
        let Ok(field) = HeaderName::from_bytes(name.as_bytes()) else {
            wrong.push(refuse("is no name of a header field"));
            continue;
        };
        let text = field.as_str();
        if REFUSED.contains(&text) || REFUSED_PREFIXES.iter().any(|prefix| text.starts_with(prefix)) {
            wrong.push(refuse("may not be sent: it frames, routes or forwards the request"));
        } else if let Ok(value) = HeaderValue::from_str(value) {
            headers.append(field, value);
        } else {
            wrong.push(refuse("is no value of a header field"));
        }
    }
    if wrong.is_empty() { Ok(headers) } else { Err(wrong) }
}

/// What of a request's header fields may go to another origin than the one that they were given for.
pub(super) fn harmless(mut headers: HeaderMap) -> HeaderMap {
    let all: Vec<HeaderName> = headers.keys().filter(|name| !HARMLESS.contains(name)).cloned().collect();
    for name in all {
        headers.remove(name);
    }
    headers
}

/// What is told of an answer's header fields; one that comes twice is joined, as HTTP has it.
pub fn answered(headers: &HeaderMap) -> BTreeMap<String, String> {
    let value = |name: &str| {
        let values = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        let joined = values.collect::<Vec<_>>().join(", ");
        joined.chars().take(LONGEST).collect::<String>()
    };
    TOLD.iter().filter(|name| headers.contains_key(**name)).map(|name| ((*name).to_owned(), value(name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_describes_the_request_is_sent() {
        for (name, value, good) in [
            ("Accept", "text/html", true),
            ("User-Agent", "agent/1", true),
            ("Authorization", "Bearer x", true),
            ("X-Api-Key", "k", true),
            ("Host", "other.example", false),
            ("hOsT", "other.example", false),
            ("Connection", "close", false),
            ("Transfer-Encoding", "chunked", false),
            ("Content-Length", "5", false),
            ("Proxy-Authorization", "x", false),
            ("Proxy-Anything", "x", false),
            ("X-Forwarded-For", "10.0.0.1", false),
            ("X-HTTP-Method-Override", "DELETE", false),
            ("Metadata-Flavor", "Google", false),
            ("Accept-Encoding", "gzip", false),
            ("a b", "x", false),
            ("", "x", false),
            ("X-Split", "a\r\nHost: b", false),
        ] {
            let fields = BTreeMap::from([(name.to_owned(), value.to_owned())]);
            assert_eq!(asked(&fields).is_ok(), good, "{name}: {value}");
        }
    }

    #[test]
    fn cookies_of_an_answer_are_not_told() {
        let mut headers = HeaderMap::new();
        headers.append("set-cookie", HeaderValue::from_static("session=1"));
        headers.append("link", HeaderValue::from_static("<a>"));
        headers.append("link", HeaderValue::from_static("<b>"));
        assert_eq!(answered(&headers), BTreeMap::from([("link".to_owned(), "<a>, <b>".to_owned())]));
    }
}
