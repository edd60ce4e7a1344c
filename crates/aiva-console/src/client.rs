//! Calls the `/v1` API inside the process, as the person who is looking at the page.
//!
//! Promises: a call carries the principal that the outer request was authenticated as, never more, so a page shows and
//! changes only what that person may over the API. Nothing here knows a database or a guard.

use std::convert::Infallible;
use std::sync::Arc;

use aiva_chassis::http::{Principal, RequestContext};
use aiva_contracts::api::{FieldProblem, Problem};
use axum::Router;
use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Redirect, Response};
use http::request::Parts;
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tower::ServiceExt;

use crate::link::Link;

/// The most bytes of an answer that a page takes in.
const LARGEST: usize = 32 << 20;
const REQUEST_ID: &str = "x-request-id";

/// Who is looking at the page. A request without a principal is sent to the sign-in page.
#[derive(Debug, Clone)]
pub(crate) struct Viewer {
    pub(crate) principal: Principal,
    /// The request that the page answers; absent only where no middleware runs.
    context: Option<Arc<RequestContext>>,
    request_id: Option<HeaderValue>,
}

impl<S: Sync> FromRequestParts<S> for Viewer {
    type Rejection = Redirect;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Redirect> {
        let principal = parts.extensions.get::<Principal>().cloned().ok_or_else(|| sign_in(parts))?;
        let context = parts.extensions.get::<Arc<RequestContext>>().cloned();
        let known = context.as_ref().and_then(|context| HeaderValue::from_str(context.request_id()).ok());
        Ok(Self { principal, context, request_id: known.or_else(|| parts.headers.get(REQUEST_ID).cloned()) })
    }
}

/// To the sign-in page, which leads back to the page that was asked for. What a form had sent is not sent again.
fn sign_in(parts: &Parts) -> Redirect {
    let asked = parts.uri.path_and_query().map_or("", http::uri::PathAndQuery::as_str);
    let back = if parts.method == Method::GET && asked != "/console" { asked } else { "" };
    Redirect::to(&Link::to("/console/sign-in").with("to", back).into_string())
}

/// Why the API gave no answer that a page can show.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The API refused, and said why.
    #[error("the API refused: {} ({})", .0.detail, .0.code)]
    Refused(Box<Problem>),
    /// The answer is not what the contract promises; retrying does not help.
    #[error("the API answered {status} with something that is not in its contract")]
    Unreadable {
        /// The status of the answer.
        status: StatusCode,
        /// What was wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Failure {
    /// An answer that was read in part, and is not what the contract promises.
    pub(crate) fn not_in_contract(error: serde_json::Error) -> Self {
        Self::Unreadable { status: StatusCode::OK, source: Box::new(error) }
    }

    /// The status that a page about this failure has.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Refused(problem) => u16::try_from(problem.status)
                .ok()
                .and_then(|status| StatusCode::from_u16(status).ok())
                .unwrap_or(StatusCode::BAD_GATEWAY),
            Self::Unreadable { .. } => StatusCode::BAD_GATEWAY,
        }
    }

    /// The bad fields, if the API named some.
    pub(crate) fn fields(&self) -> &[FieldProblem] {
        match self {
            Self::Refused(problem) => problem.errors.as_deref().unwrap_or_default(),
            Self::Unreadable { .. } => &[],
        }
    }
}

/// What a call carries besides its address.
#[derive(Debug, Default)]
struct Sent {
    body: Option<Vec<u8>>,
    revision: Option<u64>,
}

/// The API, as one service in this process.
#[derive(Debug, Clone)]
pub(crate) struct Api(Router);

impl Api {
    pub(crate) fn new(router: Router) -> Self {
        Self(router)
    }

    /// Reads one document.
    pub(crate) async fn get<T: DeserializeOwned>(&self, viewer: &Viewer, link: Link) -> Result<T, Failure> {
        let response = self.call(viewer, Method::GET, link, Sent::default()).await;
        document(viewer, response).await
    }

    /// Sends a change; what the API answers to it is not needed, the page is read again.
    pub(crate) async fn change(&self, viewer: &Viewer, method: Method, link: Link) -> Result<(), Failure> {
        self.change_seen(viewer, method, link, None).await
    }

    /// Sends a change of what the viewer saw at `revision`: it is refused if somebody else was faster.
    pub(crate) async fn change_seen(
        &self,
        viewer: &Viewer,
        method: Method,
        link: Link,
        revision: Option<u64>,
    ) -> Result<(), Failure> {
        let response = self.call(viewer, method, link, Sent { revision, ..Sent::default() }).await;
        nothing(viewer, response).await
    }

    /// Sends a document and reads one; with a `revision`, only if nothing changed since.
    pub(crate) async fn post<B: Serialize + Sync, T: DeserializeOwned>(
        &self,
        viewer: &Viewer,
        link: Link,
        body: &B,
        revision: Option<u64>,
    ) -> Result<T, Failure> {
        self.send(viewer, Method::POST, link, body, revision).await
    }

    /// Replaces a document and reads what became of it; with a `revision`, only if nothing changed since.
    pub(crate) async fn put<B: Serialize + Sync, T: DeserializeOwned>(
        &self,
        viewer: &Viewer,
        link: Link,
        body: &B,
        revision: Option<u64>,
    ) -> Result<T, Failure> {
        self.send(viewer, Method::PUT, link, body, revision).await
    }

    async fn send<B: Serialize + Sync, T: DeserializeOwned>(
        &self,
        viewer: &Viewer,
        method: Method,
        link: Link,
        body: &B,
        revision: Option<u64>,
    ) -> Result<T, Failure> {
        let body = serde_json::to_vec(body).map_err(|source| Failure::Unreadable {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            source: source.into(),
        })?;
        let response = self.call(viewer, method, link, Sent { body: Some(body), revision }).await;
        document(viewer, response).await
    }

    /// Hands a stream of events through, as it is.
    pub(crate) async fn stream(&self, viewer: &Viewer, link: Link) -> Response {
        self.call(viewer, Method::GET, link, Sent::default()).await
    }

    async fn call(&self, viewer: &Viewer, method: Method, link: Link, sent: Sent) -> Response {
        let mut request = Request::builder().method(method).uri(link.into_string());
        if let Some(id) = &viewer.request_id {
            request = request.header(REQUEST_ID, id);
        }
        if let Some(revision) = sent.revision {
            request = request.header(header::IF_MATCH, format!("\"{revision}\""));
        }
        if sent.body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        if let Some(context) = &viewer.context {
            request = request.extension(Arc::clone(context));
        }
        let request = request.extension(viewer.principal.clone()).body(sent.body.map_or_else(Body::empty, Body::from));
        match request {
            Ok(request) => {
                let answer: Result<Response, Infallible> = self.0.clone().oneshot(request).await;
                answer.unwrap_or_else(|never| match never {})
            }
            // A link is percent-encoded, so this is a text too long for an address.
            Err(_) => StatusCode::URI_TOO_LONG.into_response(),
        }
    }
}

async fn document<T: DeserializeOwned>(viewer: &Viewer, response: Response) -> Result<T, Failure> {
    let (status, bytes) = whole(viewer, response).await?;
    serde_json::from_slice(&bytes).map_err(|source| Failure::Unreadable { status, source: source.into() })
}

async fn nothing(viewer: &Viewer, response: Response) -> Result<(), Failure> {
    whole(viewer, response).await.map(drop)
}

/// The body of a good answer; a refusal becomes a [`Failure`].
async fn whole(viewer: &Viewer, response: Response) -> Result<(StatusCode, Vec<u8>), Failure> {
    let (parts, body) = response.into_parts();
    let status = parts.status;
    let collected = Limited::new(body, LARGEST).collect().await;
    let bytes = collected.map_err(|source| Failure::Unreadable { status, source })?.to_bytes().to_vec();
    if status.is_success() {
        return Ok((status, bytes));
    }
    let mut problem: Problem =
        serde_json::from_slice(&bytes).map_err(|source| Failure::Unreadable { status, source: source.into() })?;
    if problem.request_id.is_none() {
        // The layer that numbers requests is outside of this call: it is the viewer's own request that people quote.
        let id = parts.headers.get(REQUEST_ID).or(viewer.request_id.as_ref()).and_then(|id| id.to_str().ok());
        problem.request_id = id.map(str::to_owned);
    }
    Err(Failure::Refused(Box::new(problem)))
}
