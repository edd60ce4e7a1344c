//! Every refusal of the API, as `application/problem+json` (RFC 9457).
//!
//! Promises: a stable `code` to branch on, a `request_id` to quote, `errors[]` with a JSON pointer per bad field, and never
//! a word about the inside: sources go to the log, hints only to operators. A gRPC caller gets the same code in its status.
//!
//! Start reading at [`ApiError`].

use std::{borrow::Cow, error::Error, fmt, time::Duration};

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};

use super::auth::Permission;

/// The media type of every error body.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// So many bad fields are told in one answer; the contract has the same bound.
const MOST_ERRORS: usize = 1000;

/// One bad field of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) into the body, or `/name` of a query or path parameter; empty for the whole document.
    pub pointer: String,
    /// What is wrong with it, for a person.
    pub message: String,
}

impl FieldError {
    /// A bad field at `pointer`.
    pub fn new(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), message: message.into() }
    }
}

/// The body of a refusal as it travels; clients decode this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// `urn:aiva:problem:<code>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The HTTP status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened, for a person.
    pub detail: String,
    /// What happened, for a program; never changes once released.
    pub code: String,
    /// The request to quote when asking for help; absent only outside the middleware stack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The bad fields, if the request had any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// What would fix it; only operators get to see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// A refusal: what a handler returns instead of an answer.
#[derive(Clone)]
pub struct ApiError(Box<Refusal>);

#[derive(Debug, Clone)]
struct Refusal {
    status: StatusCode,
    code: &'static str,
    detail: Cow<'static, str>,
    errors: Vec<FieldError>,
    hint: Option<Cow<'static, str>>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// Who will read the rendered problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Sees what happened.
    Caller,
    /// Sees the hint, too.
    Operator,
}

/// Left in the extensions of an error response so that the outer layers can add the request id, show the hint to an
/// operator, or speak gRPC.
#[derive(Clone)]
pub(crate) struct Rendered {
    pub(crate) error: ApiError,
    pub(crate) audience: Audience,
}

impl ApiError {
    /// Any refusal that the constructors below do not name.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Refusal {
            status,
            code,
            detail: detail.into(),
            errors: Vec::new(),
            hint: None,
            headers: Vec::new(),
        }))
    }

    /// 400: the request cannot be understood.
    pub fn bad_request(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// 401: nobody, or nobody we know.
    pub fn unauthenticated(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail)
            .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"aiva\""))
    }

    /// 403: known, but without this permission.
    pub fn forbidden(permission: Permission) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", format!("this needs the permission {permission}"))
    }

    /// 404: there is no such thing, or the caller may not know of it.
    pub fn not_found(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, detail)
    }

    /// 409: the thing is in a state that does not allow this.
    pub fn conflict(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// 412: the thing has changed since the caller last saw it.
    pub fn precondition_failed() -> Self {
        Self::new(
            StatusCode::PRECONDITION_FAILED,
            "version_mismatch",
            "it has changed since you read it: read it again and repeat the change with its new ETag",
        )
    }

    /// 413: more bytes than this route takes.
    pub fn too_large(limit: u64) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            format!("the body is larger than the {limit} bytes that this route takes"),
        )
    }

    /// 415: a body of a type that this route does not read.
    pub fn unsupported_media_type(wanted: &'static str) -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            format!("send the body as {wanted} and say so in Content-Type"),
        )
    }

    /// 422: understood, but some fields are wrong. Give all of them at once.
    pub fn unprocessable(errors: Vec<FieldError>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_fields", "some fields are not valid; see errors")
            .with_errors(errors)
    }

    /// 428: this change must say which version it is made to.
    pub fn precondition_required() -> Self {
        Self::new(
            StatusCode::PRECONDITION_REQUIRED,
            "if_match_required",
            "send If-Match with the ETag that you last read, or * to overwrite whatever is there",
        )
    }

    /// 429: too many requests; come back after `retry_after`.
    pub fn too_many(retry_after: Duration) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", "too many requests; slow down")
            .with_retry_after(retry_after)
    }

    /// 503: nothing wrong with the request; come back after `retry_after`.
    pub fn unavailable(retry_after: Duration) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "not available right now; try again later")
            .with_retry_after(retry_after)
    }

    /// 504: the deadline of the request passed before the work was done.
    pub fn timed_out() -> Self {
        Self::new(StatusCode::GATEWAY_TIMEOUT, "timed_out", "the work was not done within the deadline of the request")
    }

    /// 500: our fault. Logs `source` with its whole chain here and now; the caller learns none of it.
    pub fn internal(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let source = source.into();
        tracing::error!(error = %Chain(source.as_ref()), "request failed");
        Self::panicked()
    }

    /// 500 without a log line: for the caller that has logged already.
    pub(crate) fn panicked() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "something went wrong on our side; quote the request id when you report it",
        )
    }

    /// Says which fields are bad; of very many the first, and how many more there are.
    #[must_use]
    pub fn with_errors(mut self, mut errors: Vec<FieldError>) -> Self {
        if errors.len() > MOST_ERRORS {
            let more = errors.len() - (MOST_ERRORS - 1);
            errors.truncate(MOST_ERRORS - 1);
            errors.push(FieldError::new("", format!("{more} more are not valid")));
        }
        self.0.errors = errors;
        self
    }

    /// Says what would fix it. Only an operator gets to see this.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Sets `Retry-After`, rounded up to whole seconds.
    #[must_use]
    pub fn with_retry_after(self, wait: Duration) -> Self {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        self.with_header(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)))
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// What happened, for a person.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// The bad fields.
    pub fn errors(&self) -> &[FieldError] {
        &self.0.errors
    }

    /// What would fix it.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The headers that go with the answer.
    pub(crate) fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.0.headers
    }

    /// The body for this audience.
    pub(crate) fn problem(&self, request_id: Option<&str>, audience: Audience) -> Problem {
        let hint = match audience {
            Audience::Caller => None,
            Audience::Operator => self.0.hint.as_deref().map(str::to_owned),
        };
        Problem {
            kind: format!("urn:aiva:problem:{}", self.0.code),
            title: self.0.status.canonical_reason().unwrap_or("Error").to_owned(),
            status: self.0.status.as_u16(),
            detail: self.0.detail.clone().into_owned(),
            code: self.0.code.to_owned(),
            request_id: request_id.map(str::to_owned),
            errors: self.0.errors.clone(),
            hint,
        }
    }

    /// The bytes of [`Self::problem`].
    pub(crate) fn body(&self, request_id: Option<&str>, audience: Audience) -> Vec<u8> {
        serde_json::to_vec(&self.problem(request_id, audience)).expect("a struct of strings always serialises")
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = self.body(None, Audience::Caller);
        let mut response = (self.status(), [(header::CONTENT_TYPE, PROBLEM_JSON)], body).into_response();
        for (name, value) in self.headers() {
            response.headers_mut().append(name.clone(), value.clone());
        }
        response.extensions_mut().insert(Rendered { error: self, audience: Audience::Caller });
        response
    }
}

impl fmt::Debug for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.0.status.as_u16(), self.0.code, self.0.detail)
    }
}

impl Error for ApiError {}

/// The same refusal over gRPC: the status that fits, with our code in the metadata `aiva-code`, and the bad fields behind
/// the detail.
impl From<ApiError> for tonic::Status {
    fn from(error: ApiError) -> Self {
        let fields: Vec<_> =
            error.errors().iter().map(|field| format!("{} {}", field.pointer, field.message)).collect();
        let fields = if fields.is_empty() { String::new() } else { format!(": {}", fields.join("; ")) };
        let mut status = Self::new(grpc_code(error.status()), format!("{}{fields}", error.detail()));
        let code = tonic::metadata::MetadataValue::from_static(error.code());
        status.metadata_mut().insert("aiva-code", code);
        status
    }
}

/// The gRPC status code for an HTTP status.
fn grpc_code(status: StatusCode) -> tonic::Code {
    use tonic::Code;
    match status {
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY | StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            Code::InvalidArgument
        }
        StatusCode::UNAUTHORIZED => Code::Unauthenticated,
        StatusCode::FORBIDDEN => Code::PermissionDenied,
        StatusCode::NOT_FOUND | StatusCode::GONE => Code::NotFound,
        StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => Code::Unimplemented,
        StatusCode::CONFLICT => Code::Aborted,
        StatusCode::PRECONDITION_FAILED | StatusCode::PRECONDITION_REQUIRED => Code::FailedPrecondition,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::PAYLOAD_TOO_LARGE => Code::ResourceExhausted,
        StatusCode::SERVICE_UNAVAILABLE => Code::Unavailable,
        StatusCode::GATEWAY_TIMEOUT | StatusCode::REQUEST_TIMEOUT => Code::DeadlineExceeded,
        other if other.is_server_error() => Code::Internal,
        _ => Code::Unknown,
    }
}

/// Prints an error and all its sources, `a: b: c`.
pub(crate) struct Chain<'a>(pub(crate) &'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut next = self.0.source();
        while let Some(error) = next {
            write!(f, ": {error}")?;
            next = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(error: ApiError, status: u16, code: &str) {
        let problem = error.problem(Some("r1"), Audience::Caller);
        assert_eq!((problem.status, problem.code.as_str()), (status, code));
        assert_eq!(problem.kind, format!("urn:aiva:problem:{code}"));
        assert_eq!(problem.request_id.as_deref(), Some("r1"));
    }

    #[test]
    fn every_constructor_has_its_status_and_code() {
        check(ApiError::bad_request("x", "y"), 400, "x");
        check(ApiError::unauthenticated("y"), 401, "unauthenticated");
        check(ApiError::forbidden(Permission("a.read")), 403, "forbidden");
        check(ApiError::not_found("x", "y"), 404, "x");
        check(ApiError::conflict("x", "y"), 409, "x");
        check(ApiError::precondition_failed(), 412, "version_mismatch");
        check(ApiError::too_large(1), 413, "body_too_large");
        check(ApiError::unsupported_media_type("application/json"), 415, "unsupported_media_type");
        check(ApiError::unprocessable(vec![]), 422, "invalid_fields");
        check(ApiError::precondition_required(), 428, "if_match_required");
        check(ApiError::too_many(Duration::ZERO), 429, "too_many_requests");
        check(ApiError::internal("disk on fire"), 500, "internal");
        check(ApiError::unavailable(Duration::ZERO), 503, "unavailable");
        check(ApiError::timed_out(), 504, "timed_out");
    }

    #[test]
    fn of_very_many_bad_fields_the_rest_is_counted() {
        for (count, want, last) in [(1000, 1000, "bad 999"), (1001, 1000, "2 more are not valid"), (2, 2, "bad 1")] {
            let errors = (0..count).map(|number| FieldError::new("/a", format!("bad {number}"))).collect();
            let told = ApiError::unprocessable(errors).problem(None, Audience::Caller).errors;
            assert_eq!((told.len(), told.last().unwrap().message.as_str()), (want, last), "{count}");
        }
    }

    #[test]
    fn retry_after_is_rounded_up_and_never_zero() {
        let seconds = |wait| ApiError::too_many(wait).headers()[0].1.to_str().unwrap().to_owned();
        assert_eq!(seconds(Duration::ZERO), "1");
        assert_eq!(seconds(Duration::from_millis(1001)), "2");
        assert_eq!(seconds(Duration::from_secs(30)), "30");
    }

    #[test]
    fn the_source_stays_inside_and_the_hint_is_for_operators() {
        let error = ApiError::internal("password of the database is hunter2").with_hint("check [database] url");
        let body = |audience| String::from_utf8(error.body(None, audience)).unwrap();
        assert!(!body(Audience::Caller).contains("hunter2") && !body(Audience::Operator).contains("hunter2"));
        assert!(!body(Audience::Caller).contains("check [database]"));
        assert!(body(Audience::Operator).contains("check [database] url"));
    }

    #[test]
    fn grpc_callers_get_the_same_code() {
        let status = tonic::Status::from(ApiError::not_found("finding_not_found", "no such finding"));
        assert_eq!(status.code(), tonic::Code::NotFound);
        assert_eq!(status.metadata().get("aiva-code").unwrap(), "finding_not_found");
    }
}
