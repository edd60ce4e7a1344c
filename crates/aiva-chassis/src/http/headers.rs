//! The headers that every answer carries, and who may call from another site (CORS).
//!
//! A handler that sets one of them itself keeps its own: the console has its own content security policy.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};

const CSP: HeaderValue =
    HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'");
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000; includeSubDomains");

/// What is always there. HSTS is added over TLS only: on plain HTTP it would be ignored at best.
const ALWAYS: [(HeaderName, HeaderValue); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::CONTENT_SECURITY_POLICY, CSP),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::X_XSS_PROTECTION, HeaderValue::from_static("0")),
    (header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache")),
];

/// Adds what is missing.
pub(crate) fn secure(headers: &mut HeaderMap, tls: bool) {
    for (name, value) in ALWAYS {
        headers.entry(name).or_insert(value);
    }
    if tls {
        headers.entry(header::STRICT_TRANSPORT_SECURITY).or_insert(HSTS);
    }
}

/// The sites that may read our answers from a browser. Exact origins; none by default. Credentials are never allowed: a
/// session cookie works on our own site only.
#[derive(Debug, Clone, Default)]
pub struct Cors {
    origins: Vec<HeaderValue>,
}

/// Text that is not an origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an origin such as https://console.example.com")]
pub struct BadOrigin(String);

impl Cors {
    /// Allows these origins, `https://host[:port]` each, without a path. `*` and `null` are refused.
    pub fn allow<'a>(origins: impl IntoIterator<Item = &'a str>) -> Result<Self, BadOrigin> {
        let origins = origins.into_iter().map(origin).collect::<Result<_, _>>()?;
        Ok(Self { origins })
    }

    /// Allows the origins of these URLs; what follows the host says nothing about an origin.
    pub fn of<'a>(urls: impl IntoIterator<Item = &'a http::Uri>) -> Self {
        let origin = |url: &http::Uri| {
            let text = format!("{}://{}", url.scheme_str()?, url.authority()?).to_lowercase();
            HeaderValue::from_str(&text).ok()
        };
        Self { origins: urls.into_iter().filter_map(origin).collect() }
    }

    fn allows(&self, origin: &HeaderValue) -> bool {
        self.origins.contains(origin)
    }

    /// The answer to a preflight, if this is one. A site that is not allowed gets no permission, only silence.
    pub(crate) fn preflight<B>(&self, request: &Request<B>) -> Option<HeaderMap> {
        let headers = request.headers();
        let asked = headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        if request.method() != Method::OPTIONS || !asked || !headers.contains_key(header::ORIGIN) {
            return None;
        }
        let mut answer = HeaderMap::new();
        if self.grant(headers, &mut answer) {
            let allow = |text| HeaderValue::from_static(text);
            answer.insert(header::ACCESS_CONTROL_ALLOW_METHODS, allow("GET, POST, PUT, PATCH, DELETE"));
            answer.insert(
                header::ACCESS_CONTROL_ALLOW_HEADERS,
                allow("authorization, content-type, idempotency-key, if-match, if-none-match, traceparent, x-correlation-id, x-request-id"),
            );
            answer.insert(header::ACCESS_CONTROL_MAX_AGE, allow("600"));
        }
        Some(answer)
    }

    /// Lets the calling site read the answer, if it may; whether it may.
    pub(crate) fn grant(&self, request: &HeaderMap, answer: &mut HeaderMap) -> bool {
        if self.origins.is_empty() {
            return false;
        }
        answer.append(header::VARY, HeaderValue::from_static("origin"));
        let Some(origin) = request.get(header::ORIGIN).filter(|origin| self.allows(origin)) else { return false };
        answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        answer.insert(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("etag, retry-after, x-correlation-id, x-request-id"),
        );
        true
    }
}

/// The status of a preflight's answer.
pub(crate) const PREFLIGHT: StatusCode = StatusCode::NO_CONTENT;

fn origin(text: &str) -> Result<HeaderValue, BadOrigin> {
    let bad = || BadOrigin(text.to_owned());
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).ok_or_else(bad)?;
    let fits =
        !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.:[]".contains(&b));
    if fits { HeaderValue::from_str(text).map_err(|_| bad()) } else { Err(bad()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_origins_can_be_allowed() {
        for (text, good) in [
            ("https://console.example.com", true),
            ("http://localhost:3000", true),
            ("https://[::1]:8443", true),
            ("*", false),
            ("null", false),
            ("https://", false),
            ("https://example.com/", false), // browsers send no slash, so this would never match
            ("https://*.example.com", false),
            ("https://Example.com", false), // browsers send lower case
            ("example.com", false),
        ] {
            assert_eq!(Cors::allow([text]).is_ok(), good, "{text}");
        }
    }

    #[test]
    fn the_origin_of_a_url_is_what_browsers_send() {
        for (url, origin) in [
            ("https://Console.Example.com/", "https://console.example.com"),
            ("http://localhost:3000/some/path", "http://localhost:3000"),
        ] {
            assert!(Cors::of([&url.parse().unwrap()]).allows(&HeaderValue::from_static(origin)), "{url}");
        }
    }

    #[test]
    fn what_a_handler_sets_itself_stays() {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'self'"));
        secure(&mut headers, true);
        assert_eq!(headers[header::CONTENT_SECURITY_POLICY], "default-src 'self'");
        assert_eq!(headers[header::X_FRAME_OPTIONS], "DENY");
        assert!(headers.contains_key(header::STRICT_TRANSPORT_SECURITY));
    }
}
