//! `POST /mcp`: the Model Context Protocol over HTTP, without sessions and streams: every answer is one JSON document.
//!
//! A page of somebody else must not speak to it through a browser whose DNS it controls: an `Origin` that is neither this
//! machine's nor one that the configuration lets in is refused, whatever `Host` says.

use std::net::IpAddr;
use std::sync::Arc;

use aiva_chassis::http::{Allowed, ApiError, Principal, Routes, on};
use aiva_contracts::api;
use async_trait::async_trait;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, Uri, header};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Ask, Fetch, fetch};
use crate::mcp::{self, Tools, tools};
use crate::meters::Via;
use crate::service::records::App;
use aiva_chassis::http::Need as _;

const VERSION: &str = "mcp-protocol-version";

/// What the route needs.
#[derive(Clone)]
struct Mcp {
    app: App,
    /// Origins of pages that may call.
    origins: Arc<[String]>,
}

/// The route. `origins` may call from a browser, besides pages of this machine.
pub fn routes(app: App, origins: impl IntoIterator<Item = String>) -> Routes {
    let origins = origins.into_iter().map(|origin| origin.trim_end_matches('/').to_ascii_lowercase()).collect();
    Routes::new().route("POST", "/mcp", on("POST", answer)).with_state(Mcp { app, origins })
}

async fn answer(
    caller: Allowed<Fetch>,
    State(mcp): State<Mcp>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    let named = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    if named(header::ORIGIN.as_str()).is_some_and(|origin| !may_call(origin, &mcp.origins)) {
        let detail = "pages of this origin may not call; server.cors_origins names those that may";
        return Err(ApiError::new(StatusCode::FORBIDDEN, "origin_refused", detail));
    }
    // A page can send text to anybody without asking, but JSON only to whom the browser was told that it may.
    let kind = named(header::CONTENT_TYPE.as_str()).unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        return Err(ApiError::unsupported_media_type("application/json"));
    }
    let version = named(VERSION);
    if version.is_some_and(|version| !mcp::VERSIONS.contains(&version)) {
        let detail = format!("this version of the protocol is not spoken here, only {}", mcp::VERSIONS.join(", "));
        return Err(ApiError::bad_request("mcp_version", detail));
    }
    let guard = Tooling { app: &mcp.app, caller: &caller };
    Ok(match mcp::answer(&guard, version, &body).await {
        Some(answer) => {
            // What could not be read has no id: then it is the request as a whole that is bad.
            let is_bad = answer.get("error").is_some() && answer.get("id").is_none_or(Value::is_null);
            let status = if is_bad { StatusCode::BAD_REQUEST } else { StatusCode::OK };
            (status, axum::Json(answer)).into_response()
        }
        None => StatusCode::ACCEPTED.into_response(),
    })
}

/// Whether a page of that origin may call: one of this machine, or one that is named.
fn may_call(origin: &str, named: &[String]) -> bool {
    if named.iter().any(|one| one.eq_ignore_ascii_case(origin)) {
        return true;
    }
    let Ok(uri) = origin.parse::<Uri>() else { return false };
    let host = uri.host().unwrap_or_default();
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    uri.scheme().is_some()
        && (host.eq_ignore_ascii_case("localhost") || literal.is_ok_and(|address| address.is_loopback()))
}

/// The tools, for one caller.
struct Tooling<'a> {
    app: &'a App,
    caller: &'a Principal,
}

#[async_trait]
impl Tools for Tooling<'_> {
    fn list(&self) -> Value {
        tools::list()
    }

    async fn call(&self, name: &str, arguments: Value) -> Option<Value> {
        let told = match name {
            tools::FETCH => match read(arguments) {
                Ok(asked) => fetch::fetched(self.app, self.caller, asked).await.map(|fetched| page(&fetched)),
                Err(wrong) => return Some(tools::bad(&wrong)),
            },
            tools::CHECK_URL => match read(arguments) {
                Ok(asked) => self.check(asked).await,
                Err(wrong) => return Some(tools::bad(&wrong)),
            },
            _ => return None,
        };
        Some(told.unwrap_or_else(|error| tools::bad(&why(&error))))
    }
}

impl Tooling<'_> {
    async fn check(&self, asked: api::AskDecision) -> Result<Value, ApiError> {
        if !self.caller.may(Ask::PERMISSION) {
            return Err(ApiError::forbidden(Ask::PERMISSION));
        }
        let answered = super::answer(&self.app.decisions, self.caller, Via::Rest, asked).await?;
        // What would allow it is for people: an agent that reads it may go and ask for just that.
        let verdict = super::told::verdict(answered);
        let text = match verdict.outcome {
            api::DecisionOutcome::Allow => format!("Allowed by {} (role {}).", verdict.rule, verdict.role),
            api::DecisionOutcome::Deny => {
                format!("Denied: {} by {} (role {}).", verdict.reason, verdict.rule, verdict.role)
            }
            api::DecisionOutcome::Unresolved => {
                format!("No address: {}. The policy did not refuse it.", verdict.reason)
            }
        };
        // The token is for the proxy, not for a model's context.
        let structured = json!({
            "outcome": verdict.outcome,
            "role": verdict.role,
            "rule": verdict.rule,
            "reason": verdict.reason,
            "addresses": verdict.connect_to,
            "decision": verdict.id,
        });
        Ok(tools::good(&text, structured))
    }
}

/// The arguments of a tool, which the contract's own type reads.
fn read<T: DeserializeOwned>(arguments: Value) -> Result<T, String> {
    serde_json::from_value(arguments).map_err(|error| format!("The arguments do not fit: {error}."))
}

/// What was fetched, the body first of all.
fn page(fetched: &api::Fetched) -> Value {
    let kind = fetched.headers.get("content-type").map_or("", String::as_str);
    let cut = if fetched.truncated { ", cut off" } else { "" };
    let head = format!("{} {} ({}, {} bytes{cut})", fetched.status, fetched.url, kind, fetched.bytes);
    let mut structured = serde_json::to_value(fetched).unwrap_or_default();
    match fetched.encoding {
        api::BodyEncoding::Text => tools::good(&format!("{head}\n\n{}", fetched.body), structured),
        api::BodyEncoding::Base64 if kind.starts_with("image/") && !fetched.truncated => {
            // It is beside this as a picture; twice would only fill the model's context.
            if let Some(fields) = structured.as_object_mut() {
                fields.remove("body");
            }
            let media_type = kind.split(';').next().unwrap_or_default().trim();
            tools::picture(&head, &fetched.body, media_type, structured)
        }
        api::BodyEncoding::Base64 => {
            tools::good(&format!("{head}\n\nThe body is no text; it is in base64 beside this."), structured)
        }
    }
}

fn why(error: &ApiError) -> String {
    let fields =
        error.errors().iter().map(|field| format!(" {} {}.", field.pointer, field.message)).collect::<String>();
    format!("{} ({}).{fields}", error.detail(), error.code())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_controls_its_own_name_may_not_call() {
        let named = ["https://agents.example.com".to_owned()];
        for (origin, want) in [
            ("http://localhost:6274", true),
            ("http://127.0.0.1:8080", true),
            ("http://[::1]:8080", true),
            ("https://agents.example.com", true),
            ("https://AGENTS.example.com", true),
            ("https://evil.example", false), // whatever its name resolves to
            ("http://localhost.evil.example", false),
            ("http://127.0.0.1.evil.example", false),
            ("null", false),
            ("", false),
            ("localhost", false),
        ] {
            assert_eq!(may_call(origin, &named), want, "{origin}");
        }
    }
}
