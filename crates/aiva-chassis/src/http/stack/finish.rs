//! The last touch on every answer: the request id, the form of errors, security headers, CORS.
//!
//! Every error leaves as problem+json, those of the router included, or as a gRPC status where gRPC was asked.

use axum::{body::Body, extract::Request, response::Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use http_body::Body as _;

use crate::http::{
    context::{RequestContext, X_CORRELATION_ID, X_REQUEST_ID},
    headers::{self, Cors},
    problem::{ApiError, PROBLEM_JSON, Rendered},
};

const TRACERESPONSE: HeaderName = HeaderName::from_static("traceresponse");

/// What the answer depends on in its request.
pub(super) struct Caller {
    grpc: bool,
    cors: HeaderMap,
}

/// Whether it is a call of gRPC.
pub(super) fn is_grpc(request: &Request) -> bool {
    let content_type = request.headers().get(header::CONTENT_TYPE);
    content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

impl Caller {
    pub(super) fn of(request: &Request, cors: &Cors) -> Self {
        let grpc = is_grpc(request);
        let mut granted = HeaderMap::new();
        cors.grant(request.headers(), &mut granted);
        Self { grpc, cors: granted }
    }

    pub(super) fn is_grpc(&self) -> bool {
        self.grpc
    }

    pub(super) fn finish(self, response: Response, context: &RequestContext) -> Response {
        let failed = response.status().is_client_error() || response.status().is_server_error();
        let mut response = if failed { self.rendered(response, context) } else { response };
        let answer = response.headers_mut();
        answer.reserve(12); // once, for all of what follows
        answer.insert(X_REQUEST_ID, context.request_id.clone());
        if let Some(id) = &context.correlation_id {
            answer.insert(X_CORRELATION_ID, id.clone());
        }
        if context.trace.parent_id.is_some() {
            answer.insert(TRACERESPONSE, context.trace.to_value());
        }
        if !self.grpc {
            headers::secure(answer, context.tls);
            for (name, value) in &self.cors {
                answer.append(name, value.clone());
            }
        }
        response
    }

    /// An error in the form that the caller reads.
    fn rendered(&self, mut response: Response, context: &RequestContext) -> Response {
        let rendered = response.extensions_mut().remove::<Rendered>();
        let bare = !response.headers().contains_key(header::CONTENT_TYPE) && response.body().is_end_stream();
        let rendered = match rendered {
            Some(rendered) => rendered,
            None if bare => Rendered { error: self.bare_error(response.status()), audience: super::Audience::Caller },
            None => return response,
        };
        if self.grpc {
            return tonic::Status::from(rendered.error).into_http::<tonic::body::Body>().map(Body::new);
        }
        let body = rendered.error.body(Some(context.request_id()), rendered.audience);
        response.headers_mut().remove(header::CONTENT_LENGTH);
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        *response.body_mut() = Body::from(body);
        response
    }

    /// The problem for a status that nobody explained: the router's 404 and 405, or a handler's bare code.
    fn bare_error(&self, status: StatusCode) -> ApiError {
        match status {
            // The code that gRPC wants for an unknown service or method (gRPC over HTTP/2, status mapping).
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED if self.grpc => {
                ApiError::new(StatusCode::NOT_IMPLEMENTED, "no_such_rpc", "there is no such service or method")
            }
            StatusCode::NOT_FOUND => ApiError::not_found("no_such_route", "there is nothing at this path"),
            StatusCode::METHOD_NOT_ALLOWED => {
                ApiError::new(status, "method_not_allowed", "this path does not take this method; see Allow")
            }
            _ if status.is_server_error() => ApiError::new(status, "internal", "something went wrong on our side"),
            _ => ApiError::new(status, "refused", "the request was refused"),
        }
    }
}
