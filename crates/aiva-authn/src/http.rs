//! Signing in to the console and out of it.
//!
//! Opening a link only shows a button: mail scanners and link previews fetch links, and a code must be spent by a person.
//! Pages need no script. Whoever was sent here comes back to the page that they asked for ([`Destination`]).

use std::sync::Arc;

use aiva_chassis::http::{
    Allowed, ApiError, AuthError, Context, Form, Json, Need, Permission, PrincipalKind, Public, Query, Routes, mount,
    on,
};
use aiva_contracts::api::ConsoleLink;
use aiva_contracts::api::console::Operation;
use axum::{
    extract::{FromRequestParts, State},
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, StatusCode, header, request::Parts};
use serde::Deserialize;

use crate::{Door, destination::Destination, origin, session};

const SIGN_IN: &str = "/console/sign-in";

/// May let somebody else in.
#[derive(Debug)]
pub struct Invite;

impl Need for Invite {
    const PERMISSION: Permission = Permission("console-links:write");
}

/// `GET`, `POST /console/sign-in`, `POST /console/sign-out` and the `console` part of the API.
pub fn routes(door: Arc<Door>) -> Routes {
    let handler = |operation: Operation| match operation {
        Operation::CreateConsoleLink => on(operation.method(), invite),
    };
    mount(Operation::ALL.iter().map(|o| (o.method(), o.path(), handler(*o))))
        .route("GET", SIGN_IN, on("GET", ask))
        .route("POST", SIGN_IN, on("POST", enter))
        .route("POST", "/console/sign-out", on("POST", leave))
        .with_state(door)
}

#[derive(Deserialize)]
struct Link {
    code: Option<String>,
    to: Option<String>,
}

#[derive(Deserialize)]
struct Credentials {
    code: Option<String>,
    token: Option<String>,
    to: Option<String>,
}

/// A change that was made on one of our own pages.
struct OwnPage;

impl<S: Sync> FromRequestParts<S> for OwnPage {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        if origin::is_own(parts) { Ok(Self) } else { Err(AuthError::CrossSite.into()) }
    }
}

/// `GET /console/sign-in`
async fn ask(_: Public, Query(link): Query<Link>) -> Response {
    page(StatusCode::OK, "", &field(link.code.as_deref()), &Destination::asked(link.to.as_deref()))
}

/// `POST /console/sign-in`
async fn enter(
    _: Public,
    _: OwnPage,
    State(door): State<Arc<Door>>,
    Context(context): Context,
    Form(credentials): Form<Credentials>,
) -> Response {
    let to = Destination::asked(credentials.to.as_deref());
    let opened = match (&credentials.code, &credentials.token) {
        (Some(code), None) => door.enter_by_code(code, context.client()),
        (None, Some(token)) => door.enter_by_token(token.trim(), context.client()),
        _ => Err(AuthError::Invalid),
    };
    match opened {
        Ok(secret) => {
            let cookie = session::cookie(&secret, context.is_tls());
            (StatusCode::SEE_OTHER, [(header::LOCATION, to.header()), (header::SET_COOKIE, cookie)]).into_response()
        }
        Err(AuthError::Invalid) => page(StatusCode::UNAUTHORIZED, REFUSED, &field(None), &to),
        Err(error) => ApiError::from(error).into_response(),
    }
}

/// `POST /console/sign-out`
async fn leave(
    _: Public,
    _: OwnPage,
    State(door): State<Arc<Door>>,
    Context(context): Context,
    headers: http::HeaderMap,
) -> Response {
    if let Some(session) = session::of(&headers) {
        door.leave(session);
    }
    let to = [
        (header::LOCATION, HeaderValue::from_static(SIGN_IN)),
        (header::SET_COOKIE, session::no_cookie(context.is_tls())),
        (HeaderName::from_static("clear-site-data"), HeaderValue::from_static("\"cache\"")),
    ];
    (StatusCode::SEE_OTHER, to).into_response()
}

/// `POST /v1/console-links`
async fn invite(caller: Allowed<Invite>, State(door): State<Arc<Door>>) -> Result<Response, ApiError> {
    if caller.kind == PrincipalKind::Session {
        return Err(ApiError::forbidden(Invite::PERMISSION));
    }
    let (path, expires_at) = door.console_path().map_err(|error| AuthError::Unavailable(Box::new(error)))?;
    let link = Json(ConsoleLink { path, expires_at });
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], link).into_response())
}

const REFUSED: &str = "<p role=\"alert\">That did not work: a link is good for ten minutes and for one sign-in. \
    <code>aiva token link</code> prints a fresh one; or paste the token that <code>aiva token show</code> prints.</p>";

fn field(code: Option<&str>) -> String {
    match code {
        Some(code) => format!("<input type=\"hidden\" name=\"code\" value=\"{}\">", escape(code)),
        None => "<p><label>Token <input type=\"password\" name=\"token\" autocomplete=\"off\" required autofocus></label></p>"
            .to_owned(),
    }
}

fn page(status: StatusCode, notice: &str, field: &str, to: &Destination) -> Response {
    let to = to
        .field()
        .map(|to| format!("<input type=\"hidden\" name=\"to\" value=\"{}\">", escape(to)))
        .unwrap_or_default();
    let html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <meta name=\"color-scheme\" content=\"light dark\"><link rel=\"stylesheet\" href=\"/console/static/console.css\">\
         <title>Sign in to AIVA</title><main class=\"door\"><section class=\"card\"><h1>Sign in to AIVA</h1>\
         {notice}<form method=\"post\" action=\"{SIGN_IN}\">{to}{field}<button class=\"button primary\">Sign in</button></form>\
         </section></main></html>"
    );
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        ),
    ];
    (status, headers, html).into_response()
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
