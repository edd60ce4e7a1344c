//! `POST /v1/egress/fetches`: from the words of the contract to a fetch and back. The MCP tool goes the same way.

use std::sync::Arc;
use std::time::Duration;

use aiva_chassis::http::{Allowed, ApiError, FieldError, Json, Principal};
use aiva_contracts::api;
use aiva_outbound::resolve::TIMED_OUT;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use uuid::Uuid;

use super::{Answer, Fetch, told, within_bounds};
use crate::decision::Who;
use crate::fetch::{self, FetchError, Fetched, Hop, Wanted};
use crate::service::records::App;

/// Says of a refusal that it is ours, as the proxy does.
const DECISION: HeaderName = HeaderName::from_static("aiva-decision");

pub(super) async fn fetch(
    caller: Allowed<Fetch>,
    State(app): State<App>,
    Json(body): Json<api::AskFetch>,
) -> Answer<Json<api::Fetched>> {
    fetched(&app, &caller, body).await.map(Json)
}

/// Fetches for a caller of the API.
pub(super) async fn fetched(app: &App, caller: &Principal, asked: api::AskFetch) -> Answer<api::Fetched> {
    let asked = within_bounds(asked)?;
    let rules = app.decisions.decide.rules(asked.role.as_deref()).filter(|rules| app.fetcher.serves(&rules.role));
    let rules =
        rules.ok_or_else(|| ApiError::not_found("role_unknown", "there is no such role that a fetch may go by"))?;
    let caps = app.fetcher.caps(&rules).lowered(
        asked.max_bytes,
        asked.timeout_ms.map(Duration::from_millis),
        asked.max_redirects.map(|most| most as usize),
        asked.content_types,
    );
    let headers = fetch::asked(&asked.headers.unwrap_or_default()).map_err(|wrong| {
        let field = |wrong: fetch::WrongHeader| FieldError::new(pointer(&wrong.name), wrong.message);
        ApiError::unprocessable(wrong.into_iter().map(field).collect())
    })?;
    let method = match asked.method {
        None | Some(api::FetchMethod::GET) => Method::GET,
        Some(api::FetchMethod::HEAD) => Method::HEAD,
        Some(api::FetchMethod::POST) => Method::POST,
    };
    if asked.body.is_some() && method != Method::POST {
        return Err(ApiError::unprocessable(vec![FieldError::new("/body", "goes with POST only")]));
    }
    let who =
        Who { role: Arc::clone(&rules.role), caller: caller.display.chars().take(300).collect::<String>().into() };
    let body = asked.body.unwrap_or_default().into_bytes();
    let wanted = Wanted { url: asked.url, method, headers, body, caps };
    app.fetcher.fetch(&rules, who, wanted).await.map(answer).map_err(refusal)
}

/// A JSON pointer to a header field of the request (RFC 6901).
fn pointer(name: &str) -> String {
    format!("/headers/{}", name.replace('~', "~0").replace('/', "~1"))
}

fn answer(fetched: Fetched) -> api::Fetched {
    let Fetched { status, url, headers, body, truncated, hops } = fetched;
    let bytes = body.len() as u64;
    let (encoding, body) = match text(body, truncated) {
        Ok(text) => (api::BodyEncoding::Text, text),
        Err(bytes) => (api::BodyEncoding::Base64, STANDARD.encode(bytes)),
    };
    api::Fetched {
        status: u32::from(status),
        url,
        headers: fetch::answered(&headers),
        encoding,
        body,
        bytes,
        truncated,
        hops: hops.into_iter().map(hop).collect(),
    }
}

fn hop(hop: Hop) -> api::FetchHop {
    api::FetchHop {
        decision: hop.decision,
        origin: hop.origin,
        outcome: told::outcome(hop.outcome),
        address: hop.address,
        status: hop.status.map(u32::from),
    }
}

/// The body as text, if it is UTF-8. A character that the cut went through is left out.
fn text(body: Vec<u8>, truncated: bool) -> Result<String, Vec<u8>> {
    String::from_utf8(body).or_else(|error| {
        let (good, is_cut) = (error.utf8_error().valid_up_to(), error.utf8_error().error_len().is_none());
        let mut body = error.into_bytes();
        if !(truncated && is_cut) {
            return Err(body);
        }
        body.truncate(good);
        String::from_utf8(body).map_err(|error| error.into_bytes())
    })
}

fn refusal(error: FetchError) -> ApiError {
    let detail = error.to_string();
    match error {
        FetchError::Denied { id, rule, reason, .. } => ApiError::new(StatusCode::FORBIDDEN, "egress_denied", detail)
            .with_hint(format!("GET /v1/egress/decisions/{id} says what would allow it"))
            .with_header(DECISION, decision("deny", &rule, &reason, id)),
        FetchError::Spent { id, reason, retry_after } => {
            ApiError::new(StatusCode::TOO_MANY_REQUESTS, "egress_budget", detail)
                .with_retry_after(retry_after)
                .with_header(DECISION, decision("deny", "budgets", reason, id))
        }
        FetchError::Unresolved { id, reason, .. } => {
            // The same statuses as the proxy's.
            let status = if reason == TIMED_OUT { StatusCode::GATEWAY_TIMEOUT } else { StatusCode::BAD_GATEWAY };
            ApiError::new(status, "fetch_dns", detail).with_header(DECISION, decision("error", "dns", &reason, id))
        }
        FetchError::Timeout(_) => ApiError::new(StatusCode::GATEWAY_TIMEOUT, "fetch_timeout", detail),
        FetchError::ContentType(_) => ApiError::new(StatusCode::BAD_GATEWAY, "fetch_content_type", detail),
        FetchError::Failed(_) => ApiError::new(StatusCode::BAD_GATEWAY, "fetch_failed", detail),
        FetchError::Busy => ApiError::unavailable(Duration::from_secs(1)),
        FetchError::NoRoom => ApiError::unavailable(Duration::from_secs(5)),
    }
}

/// The same words as the proxy's.
fn decision(outcome: &str, rule: &str, reason: &str, id: Uuid) -> HeaderValue {
    let plain = |c: char| if (' '..='~').contains(&c) { c } else { '?' };
    let rule: String = rule.chars().map(plain).collect::<String>().replace('\\', "\\\\").replace('"', "\\\"");
    HeaderValue::from_str(&format!("{outcome}; rule=\"{rule}\"; reason={reason}; id={id}"))
        .unwrap_or(HeaderValue::from_static("deny"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_text_where_it_is_utf8() {
        for (body, truncated, want) in [
            (&b"hello"[..], false, Ok("hello")),
            (b"", false, Ok("")),
            ("h\u{e9}".as_bytes(), false, Ok("h\u{e9}")),
            (b"h\xc3", true, Ok("h")), // cut within a character
            (b"h\xc3", false, Err(())),
            (b"\xff\xfe", true, Err(())),
        ] {
            let got = text(body.to_vec(), truncated);
            assert_eq!(got.as_deref().map_err(|_| ()), want, "{body:?} {truncated}");
        }
    }

    #[test]
    fn a_rule_cannot_break_out_of_its_header() {
        let value = decision("deny", "role \"a\"\r\nX: y", "name-not-allowed", Uuid::nil());
        assert!(value.to_str().unwrap().starts_with("deny; rule=\"role \\\"a\\\"??X: y\"; reason=name-not-allowed"));
    }
}
