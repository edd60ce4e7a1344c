//! What every answer of the console says to a browser, and who gets one at all.

use axum::http::{HeaderMap, StatusCode, header};

use crate::company::{ENDED, LODASH, Texts, anonymous, console, open, person};

/// Every page that a person can open.
pub(crate) fn addresses() -> Vec<String> {
    let mut all: Vec<String> = [
        "",
        "/services",
        "/services/checkout",
        "/findings",
        "/scans",
        "/exceptions",
        "/advisories",
        "/events",
        "/egress",
        "/egress/summary",
        "/egress/roles",
        "/egress/roles/batch",
        "/egress/roles/checkout",
    ]
    .iter()
    .map(|path| format!("/console{path}"))
    .collect();
    all.push(format!("/console/findings/{LODASH}"));
    all.push(format!("/console/findings/{}", crate::company::ACCEPTED));
    all.push(format!("/console/scans/{ENDED}"));
    for decision in [crate::company::DENIED, crate::company::ALLOWED, crate::company::METADATA] {
        all.push(format!("/console/egress/decisions/{decision}"));
    }
    all.push(format!("/console/scans/{}", crate::company::RUNNING));
    all
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn nobody_sees_a_page_without_signing_in() {
    let console = anonymous(&Texts::default());
    for address in addresses() {
        let (status, headers, _) = open(&console, &address).await;
        let to = text(&headers, "location");
        let door = to.split_once('?').map_or(to, |(path, _)| path); // where it leads back to is in the query
        assert_eq!((status, door), (StatusCode::SEE_OTHER, "/console/sign-in"), "{address}");
    }
    let (status, headers, _) = open(&console, "/").await;
    assert_eq!((status, text(&headers, "location")), (StatusCode::SEE_OTHER, "/console"));
    for address in ["/docs", "/docs?x"] {
        assert_eq!(open(&console, address).await.0, StatusCode::OK); // the contract is no secret
    }
}

#[tokio::test]
async fn a_page_may_load_nothing_from_elsewhere() {
    let console = console(person(&[]), &Texts::default());
    for address in addresses().iter().map(String::as_str).chain(["/docs"]) {
        let (status, headers, page) = open(&console, address).await;
        assert_eq!(status, StatusCode::OK, "{address}");
        assert_eq!(text(&headers, "content-security-policy"), aiva_console::CONTENT_SECURITY_POLICY);
        assert_eq!(text(&headers, "cache-control"), "no-store");
        assert_eq!(text(&headers, "x-content-type-options"), "nosniff");
        for banned in [" style=\"", "<style", "onclick=", "onload=", "src=\"http", "srcset=", "<iframe"] {
            assert!(!page.contains(banned), "{address} has {banned}");
        }
        for needed in
            ["<html lang=\"en\">", "class=\"skip\"", "<main id=\"main\"", "<title>", "name=\"viewport\"", "<h1>"]
        {
            assert!(page.contains(needed), "{address} has no {needed}");
        }
        assert_eq!(
            page.matches("<table").count(),
            page.matches("<caption").count(),
            "a table of {address} has no caption"
        );
    }
}

#[tokio::test]
async fn static_files_are_kept_for_ever_under_names_of_their_content() {
    let console = anonymous(&Texts::default());
    let (_, _, page) = open(&console, "/docs").await;
    let names: Vec<&str> = page.split("/console/static/").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(names.len(), 3, "{names:?}");
    for name in names {
        let (status, headers, _) = open(&console, &format!("/console/static/{name}")).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(headers.get(header::CACHE_CONTROL).unwrap(), "public, max-age=31536000, immutable");
    }
    let (status, headers, _) = open(&console, "/console/static/console.css").await; // for pages that others serve
    assert_eq!((status, text(&headers, "cache-control")), (StatusCode::OK, "no-cache"));
    for odd in ["console.0000000000000000.css", "console", "..%2Fsrc"] {
        assert_eq!(open(&console, &format!("/console/static/{odd}")).await.0, StatusCode::NOT_FOUND);
    }
}
