//! The door from outside: bearer tokens, the sign-in pages, sessions and other sites.

use std::sync::Arc;

use aiva_authn::{Door, bootstrap::TokenFile};
use aiva_chassis::http::{Allowed, Need, Permission, Routes, Stack, context::Peer, on};
use axum::{Router, body::Body};
use http::{Request, Response, header};
use http_body_util::BodyExt;
use tower::ServiceExt;

use crate::clock;

struct Change;
impl Need for Change {
    const PERMISSION: Permission = Permission("things.write");
}

struct Site {
    _dir: tempfile::TempDir,
    file: TokenFile,
    door: Arc<Door>,
    router: Router,
}

fn site() -> Site {
    let dir = tempfile::tempdir().unwrap();
    let file = TokenFile::within(dir.path());
    file.ensure().unwrap();
    let (_, clock) = clock();
    let door = Arc::new(Door::new(file.clone(), Arc::clone(&clock)));
    let who = |caller: Allowed<Change>| async move { caller.display.to_string() };
    let routes = Routes::new()
        .route("GET", "/things", on("GET", who))
        .route("POST", "/things", on("POST", who))
        .merge(aiva_authn::http::routes(Arc::clone(&door)));
    let router = Stack::new(clock).authenticator(Arc::clone(&door) as _).around(routes);
    Site { _dir: dir, file, door, router }
}

impl Site {
    async fn send(&self, method: &str, uri: &str, headers: &[(&str, &str)], body: &str) -> Response<Body> {
        let mut request = Request::builder().method(method).uri(uri).header("host", "aiva.test");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::from(body.to_owned())).unwrap();
        request.extensions_mut().insert(Peer { address: "192.0.2.1:4711".parse().unwrap(), tls: false });
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn status(&self, method: &str, uri: &str, headers: &[(&str, &str)]) -> u16 {
        self.send(method, uri, headers, "").await.status().as_u16()
    }

    async fn enter(&self, body: &str) -> Response<Body> {
        self.send("POST", "/console/sign-in", &[OWN, FORM], body).await
    }

    fn code(&self) -> String {
        self.door.console_link("http://aiva.test/").unwrap().split_once("code=").unwrap().1.to_owned()
    }
}

const OWN: (&str, &str) = ("sec-fetch-site", "same-origin");
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

fn cookie(response: &Response<Body>) -> String {
    response.headers()[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned()
}

async fn text(response: Response<Body>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn the_bearer_token_opens_until_it_is_rotated() {
    let site = site();
    let old = format!("Bearer {}", site.file.show().unwrap().expose());
    for (value, status) in [
        (old.as_str(), 200),
        (&old.replace("Bearer", "bearer"), 200),
        ("Bearer aiva_wrong", 401),
        ("Basic YTpi", 401),
        ("Bearer", 401),
    ] {
        assert_eq!(site.status("GET", "/things", &[("authorization", value)]).await, status, "{value}");
    }
    assert_eq!(site.status("POST", "/things", &[("authorization", &old)]).await, 200, "no cookie, no other site");
    assert_eq!(site.status("GET", "/things", &[("authorization", &old), ("authorization", &old)]).await, 401);
    let new = format!("Bearer {}", site.file.rotate().unwrap().expose());
    assert_eq!(site.status("GET", "/things", &[("authorization", &old)]).await, 401);
    assert_eq!(site.status("GET", "/things", &[("authorization", &new)]).await, 200);
}

#[tokio::test]
async fn looking_at_a_link_does_not_spend_it_and_using_it_does() {
    let site = site();
    let code = site.code();
    for _ in 0..2 {
        let page = site.send("GET", &format!("/console/sign-in?code={code}"), &[], "").await;
        assert_eq!(
            (page.status().as_u16(), page.headers()[header::CACHE_CONTROL].to_str().unwrap()),
            (200, "no-store")
        );
        assert!(text(page).await.contains(&format!("name=\"code\" value=\"{code}\"")));
    }
    let entered = site.enter(&format!("code={code}")).await;
    assert_eq!((entered.status().as_u16(), entered.headers()[header::LOCATION].to_str().unwrap()), (303, "/"));
    let cookie = cookie(&entered);
    let response = site.send("GET", "/things", &[("cookie", &cookie)], "").await;
    assert_eq!(text(response).await, "operator (console)");
    assert_eq!(site.enter(&format!("code={code}")).await.status(), 401, "spent");
}

#[tokio::test]
async fn a_session_changes_things_only_from_our_own_pages() {
    let site = site();
    let cookie = cookie(&site.enter(&format!("token={}", site.file.show().unwrap().expose())).await);
    let signed_in = ("cookie", cookie.as_str());
    for (header, status) in [
        (("sec-fetch-site", "same-origin"), 200),
        (("origin", "http://aiva.test"), 200),
        (("sec-fetch-site", "cross-site"), 403),
        (("origin", "http://evil.test"), 403),
        (("x-nothing", ""), 403),
    ] {
        assert_eq!(site.status("POST", "/things", &[signed_in, header]).await, status, "{header:?}");
        assert_eq!(site.status("GET", "/things", &[signed_in, header]).await, 200, "{header:?}");
    }
    assert_eq!(site.send("POST", "/console/sign-in", &[FORM], "code=x").await.status(), 403, "nobody signs another in");

    let left = site.send("POST", "/console/sign-out", &[signed_in, OWN], "").await;
    assert_eq!(left.status(), 303);
    assert!(left.headers()[header::SET_COOKIE].to_str().unwrap().contains("Max-Age=0"));
    assert_eq!(site.status("GET", "/things", &[signed_in]).await, 401);
}

#[tokio::test]
async fn rotating_the_token_ends_the_sessions() {
    let site = site();
    let cookie = cookie(&site.enter(&format!("code={}", site.code())).await);
    assert_eq!(site.status("GET", "/things", &[("cookie", &cookie)]).await, 200);
    site.file.rotate().unwrap();
    assert_eq!(site.status("GET", "/things", &[("cookie", &cookie)]).await, 401);
}

#[tokio::test]
async fn guessing_is_slowed_down() {
    let site = site();
    let right = format!("Bearer {}", site.file.show().unwrap().expose());
    for _ in 0..5 {
        assert_eq!(site.status("GET", "/things", &[("authorization", "Bearer guess")]).await, 401);
    }
    let slow = site.send("GET", "/things", &[("authorization", &right)], "").await;
    assert_eq!((slow.status().as_u16(), slow.headers()[header::RETRY_AFTER].to_str().unwrap()), (429, "1"));
    assert_eq!(site.enter("code=guess").await.status(), 429, "the pages share the count");
}

#[tokio::test]
async fn what_comes_in_a_link_is_not_markup() {
    let site = site();
    let page = site.send("GET", "/console/sign-in?code=%22%3E%3Cscript%3Ealert(1)%3C/script%3E", &[], "").await;
    let csp = page.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
    assert!(csp.starts_with("default-src 'none'; style-src 'self'; form-action 'self'"), "{csp}");
    let html = text(page).await;
    assert!(!html.contains("<script") && html.contains("&lt;script"), "{html}");
}

#[tokio::test]
async fn signing_in_leads_to_the_page_that_was_asked_for() {
    let site = site();
    let asked = "/console/findings?level=high&q=a%20b";
    let page =
        site.send("GET", "/console/sign-in?to=%2Fconsole%2Ffindings%3Flevel%3Dhigh%26q%3Da%2520b", &[], "").await;
    assert!(text(page).await.contains("name=\"to\" value=\"/console/findings?level=high&amp;q=a%20b\""));
    let to = "to=%2Fconsole%2Ffindings%3Flevel%3Dhigh%26q%3Da%2520b";
    let refused = text(site.enter(&format!("code=spent&{to}")).await).await;
    assert!(refused.contains("name=\"to\"") && refused.contains("aiva token link"), "{refused}");
    for (to, want) in [(to, asked), ("to=https%3A%2F%2Fevil.test%2Fconsole", "/"), ("to=%2F%2Fevil.test", "/")] {
        let entered = site.enter(&format!("code={}&{to}", site.code())).await;
        assert_eq!(entered.headers()[header::LOCATION].to_str().unwrap(), want);
    }
}

#[tokio::test]
async fn a_fresh_link_is_for_the_holder_of_the_token_and_for_one_sign_in() {
    let site = site();
    let token = format!("Bearer {}", site.file.show().unwrap().expose());
    assert_eq!(site.status("POST", "/v1/console-links", &[]).await, 401);
    let made = site.send("POST", "/v1/console-links", &[("authorization", &token)], "").await;
    assert_eq!((made.status().as_u16(), made.headers()[header::CACHE_CONTROL].to_str().unwrap()), (201, "no-store"));
    let body = text(made).await;
    assert!(!body.contains(site.file.show().unwrap().expose()), "the link carries the token");
    let code = body.split_once("code=").unwrap().1.split_once('"').unwrap().0;
    let entered = site.enter(&format!("code={code}")).await;
    assert_eq!(entered.status(), 303);
    assert_eq!(site.enter(&format!("code={code}")).await.status(), 401, "spent");
    let signed_in = cookie(&entered);
    let by_session = site.status("POST", "/v1/console-links", &[("cookie", &signed_in), OWN]).await;
    assert_eq!(by_session, 403, "a session would live for ever");
}
