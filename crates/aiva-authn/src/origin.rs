//! Whether a request comes from our own pages, so that another site cannot make a signed-in browser change something.
//!
//! `Sec-Fetch-Site` decides where the browser sends it, and no page can forge it; else `Origin` must name our own host. A
//! request with neither is refused: every current browser sends one of them with a change.

use http::{HeaderMap, Method, header, request::Parts};

/// Whether requests of this method change nothing (RFC 9110 §9.2.1).
pub(crate) fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Whether the request was made by our own page, or by the person in the address bar.
pub(crate) fn is_own(request: &Parts) -> bool {
    if let Some(site) = request.headers.get("sec-fetch-site") {
        return site == "same-origin" || site == "none";
    }
    let origin = request.headers.get(header::ORIGIN).and_then(|value| value.to_str().ok());
    let Some((_, authority)) = origin.and_then(|origin| origin.split_once("://")) else { return false };
    host(request).is_some_and(|host| host.eq_ignore_ascii_case(authority))
}

fn host(request: &Parts) -> Option<&str> {
    let headers: &HeaderMap = &request.headers;
    let named = headers.get(header::HOST).and_then(|value| value.to_str().ok());
    request.uri.authority().map(http::uri::Authority::as_str).or(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_pages_count() {
        for (headers, own) in [
            (&[("sec-fetch-site", "same-origin")][..], true),
            (&[("sec-fetch-site", "none")], true),
            (&[("sec-fetch-site", "same-site")], false), // a neighbour domain is a stranger
            (&[("sec-fetch-site", "cross-site"), ("origin", "http://aiva.test:8080")], false),
            (&[("origin", "http://aiva.test:8080")], true),
            (&[("origin", "http://aiva.test")], false), // another port is another origin
            (&[("origin", "http://evil.test")], false),
            (&[("origin", "null")], false),
            (&[], false),
        ] {
            let mut request = http::Request::builder().header("host", "aiva.test:8080");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let (parts, ()) = request.body(()).unwrap().into_parts();
            assert_eq!(is_own(&parts), own, "{headers:?}");
        }
    }
}
