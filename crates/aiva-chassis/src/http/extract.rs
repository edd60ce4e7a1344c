//! Extractors that refuse with a problem that names the field: [`Json`], [`Form`], [`Query`] and [`Path`].
//!
//! 400 for what cannot be read at all, 422 with a JSON pointer for a JSON field that does not fit, 415 for a body of
//! another type, 413 for one that is too large. No text of the input is repeated in the answer.

use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts, Request, path::ErrorKind, rejection::PathRejection},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header, request::Parts};
use http_body_util::{BodyExt, LengthLimitError};
use serde::{Serialize, de::DeserializeOwned};

use super::problem::{ApiError, FieldError};

/// A JSON body, in or out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        said_json(request.headers())?;
        let body = read(request.into_body()).await?;
        Self::parse(&body)
    }
}

impl<T: DeserializeOwned> Json<T> {
    /// What a handler reads that sees to the body itself.
    pub fn parse(body: &[u8]) -> Result<Self, ApiError> {
        parse_json(body).map(Self)
    }
}

/// Refuses a body that does not say that it is JSON, before it is read.
pub fn said_json(headers: &HeaderMap) -> Result<(), ApiError> {
    if is_json(headers) { Ok(()) } else { Err(ApiError::unsupported_media_type("application/json")) }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
            Err(error) => ApiError::internal(error).into_response(),
        }
    }
}

/// An `application/x-www-form-urlencoded` body. A repeated name fills a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Form<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for Form<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        const TYPE: &str = "application/x-www-form-urlencoded";
        if media_type(request.headers()).is_none_or(|found| !found.eq_ignore_ascii_case(TYPE)) {
            return Err(ApiError::unsupported_media_type(TYPE));
        }
        let body = read(request.into_body()).await?;
        parse_urlencoded(&body, "form_invalid", "the form is not valid; see errors").map(Self)
    }
}

/// The query string. A repeated name (`?level=high&level=critical`) fills a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let query = parts.uri.query().unwrap_or_default();
        parse_urlencoded(query.as_bytes(), "query_invalid", "the query string is not valid; see errors").map(Self)
    }
}

/// The placeholders of the path template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(PathRejection::FailedToDeserializePathParams(error)) => Err(bad_path(error.into_kind())),
            Err(error) => Err(ApiError::internal(error)),
        }
    }
}

/// The whole body, within the limit of the route.
pub async fn read(body: Body) -> Result<Bytes, ApiError> {
    match body.collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) => Err(broken_body(&error)),
    }
}

/// Takes a body, which is cut off at its limit, and keeps nothing of it.
pub async fn pass_over(mut body: Body) {
    while let Some(Ok(_)) = body.frame().await {}
}

/// Why a body could not be read to its end.
pub(super) fn broken_body(error: &(dyn std::error::Error + 'static)) -> ApiError {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(refusal) = error.downcast_ref::<ApiError>() {
            return refusal.clone();
        }
        if error.is::<LengthLimitError>() {
            return ApiError::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "body_too_large",
                "the body is larger than this route takes",
            );
        }
        next = error.source();
    }
    ApiError::bad_request("body_broken", "the body ended early or was not framed properly")
}

fn parse_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let mut input = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut input).map_err(|error| {
        let place = pointer(error.path());
        bad_json(place, error.inner())
    })?;
    input.end().map_err(|error| bad_json(String::new(), &error))?;
    Ok(value)
}

fn bad_json(pointer: String, error: &serde_json::Error) -> ApiError {
    use serde_json::error::Category;
    let (line, column) = (error.line(), error.column());
    match error.classify() {
        Category::Data => ApiError::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "body_invalid",
            "the body does not have the form that this operation takes; see errors",
        )
        .with_errors(vec![FieldError::new(pointer, without_place(error))]),
        Category::Eof if line <= 1 && column == 0 => ApiError::bad_request("body_missing", "a JSON body is required"),
        Category::Eof | Category::Syntax | Category::Io => ApiError::bad_request(
            "body_not_json",
            format!("the body is not valid JSON: it breaks off or goes wrong at line {line} column {column}"),
        ),
    }
}

/// Serde's message without its `at line 1 column 2`, which means nothing beside a pointer.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&place).map_or_else(|| text.clone(), str::to_owned)
}

/// A JSON pointer (RFC 6901) for a path of serde's.
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => {
                pointer.push('/');
                pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
            }
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}

fn parse_urlencoded<T: DeserializeOwned>(
    input: &[u8],
    code: &'static str,
    detail: &'static str,
) -> Result<T, ApiError> {
    let pairs = serde_html_form::Deserializer::from_bytes(input);
    serde_path_to_error::deserialize(pairs).map_err(|error| {
        let place = pointer(error.path());
        ApiError::bad_request(code, detail).with_errors(vec![FieldError::new(place, error.inner().to_string())])
    })
}

fn bad_path(kind: ErrorKind) -> ApiError {
    let (place, message) = match kind {
        ErrorKind::ParseErrorAtKey { key, expected_type, .. } => {
            (format!("/{key}"), format!("not a valid {expected_type}"))
        }
        ErrorKind::ParseErrorAtIndex { index, expected_type, .. } => {
            (format!("/{index}"), format!("not a valid {expected_type}"))
        }
        ErrorKind::ParseError { expected_type, .. } => (String::new(), format!("not a valid {expected_type}")),
        ErrorKind::InvalidUtf8InPathParam { key } => (format!("/{key}"), "not valid UTF-8".to_owned()),
        ErrorKind::DeserializeError { key, message, .. } => (format!("/{key}"), message),
        ErrorKind::Message(message) => (String::new(), message),
        other @ (ErrorKind::WrongNumberOfParameters { .. } | ErrorKind::UnsupportedType { .. }) => {
            return ApiError::internal(format!("handler and path template disagree: {other}"));
        }
        other => return ApiError::internal(format!("path: {other}")),
    };
    ApiError::bad_request("path_invalid", "the path is not valid; see errors")
        .with_errors(vec![FieldError::new(place, message)])
}

/// `application/json` or `application/*+json`, with any parameters.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(found) = media_type(headers) else { return false };
    let found = found.to_ascii_lowercase();
    found == "application/json" || (found.starts_with("application/") && found.ends_with("+json"))
}

fn media_type(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or_default().trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Order {
        lines: Vec<Line>,
        #[serde(default)]
        tags: Vec<String>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Line {
        #[serde(rename = "a/b")]
        amount: u8,
    }

    async fn send(content_type: &str, body: &str) -> Result<Order, ApiError> {
        let request =
            Request::builder().header("content-type", content_type).body(Body::from(body.to_owned())).unwrap();
        Json::<Order>::from_request(request, &()).await.map(|Json(order)| order)
    }

    #[tokio::test]
    async fn a_bad_body_is_refused_with_the_place() {
        let rows: [(&str, &str, u16, &str, Option<&str>); 11] = [
            ("application/json", r#"{"lines":[{"a/b":300}]}"#, 422, "body_invalid", Some("/lines/0/a~1b")),
            ("application/json", r#"{"lines":[{}]}"#, 422, "body_invalid", Some("/lines/0")),
            ("application/json", r#"{"lines":[],"x":1}"#, 422, "body_invalid", Some("/x")),
            ("application/json", "[]", 422, "body_invalid", Some("")),
            ("application/json", "", 400, "body_missing", None),
            ("application/json", r#"{"lines":["#, 400, "body_not_json", None),
            ("application/json", r#"{"lines":[]} x"#, 400, "body_not_json", None), // something after the document
            ("application/json", "nonsense", 400, "body_not_json", None),
            ("text/plain", r#"{"lines":[]}"#, 415, "unsupported_media_type", None),
            ("application/jsonp", r#"{"lines":[]}"#, 415, "unsupported_media_type", None),
            ("", r#"{"lines":[]}"#, 415, "unsupported_media_type", None),
        ];
        for (content_type, body, status, code, place) in rows {
            let error = send(content_type, body).await.unwrap_err();
            assert_eq!((error.status().as_u16(), error.code()), (status, code), "{body}");
            assert_eq!(error.errors().first().map(|e| e.pointer.as_str()), place, "{body}");
        }
    }

    #[tokio::test]
    async fn a_good_body_is_read_whatever_its_json_type_is_called() {
        for content_type in ["application/json", "application/json; charset=utf-8", "Application/Merge-Patch+JSON"] {
            assert_eq!(send(content_type, r#"{"lines":[{"a/b":3}]}"#).await.unwrap().lines, [Line { amount: 3 }]);
        }
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Filter {
        #[serde(default)]
        level: Vec<String>,
        limit: Option<u32>,
    }

    async fn ask(uri: &str) -> Result<Filter, ApiError> {
        let (mut parts, ()) = Request::builder().uri(uri).body(()).unwrap().into_parts();
        Query::<Filter>::from_request_parts(&mut parts, &()).await.map(|Query(filter)| filter)
    }

    #[tokio::test]
    async fn a_query_takes_lists_and_names_the_bad_parameter() {
        let both = ask("/?level=high&level=critical&limit=5").await.unwrap();
        assert_eq!(both, Filter { level: vec!["high".into(), "critical".into()], limit: Some(5) });
        assert_eq!(ask("/").await.unwrap(), Filter { level: vec![], limit: None });
        let error = ask("/?limit=many").await.unwrap_err();
        assert_eq!((error.status().as_u16(), error.code()), (400, "query_invalid"));
        assert_eq!(error.errors()[0].pointer, "/limit");
    }
}
