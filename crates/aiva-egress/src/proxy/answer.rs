//! What the proxy itself answers: refusals and failures, never mistakable for the origin's own.
//!
//! Promises: each is `application/problem+json` with a stable `code`, says in `Aiva-Decision` and `Proxy-Status` (RFC 9209)
//! that it is ours, names the rule and the reason of a denial, says DNS when it was the DNS, and tells a caller nothing
//! about the inside: what would allow the request is for operators, in the record with the same id. 407 only ever asks for
//! missing credentials.

use serde_json::json;

use super::fault::Fault;

/// What kind of no it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The policy does not allow it.
    Deny,
    /// It is allowed, or could not be judged, but could not be done.
    Error,
}

/// One answer of ours.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Denied or failed.
    pub kind: Kind,
    /// The stable word of the reason.
    pub reason: String,
    /// The rule that decided, where one did.
    pub rule: Option<String>,
    /// The record's id, where there is one.
    pub id: Option<String>,
    /// For a person.
    pub detail: String,
    /// The error type of RFC 9209.
    pub proxy_error: &'static str,
    /// Seconds after which another try may succeed.
    pub retry_after: Option<u32>,
}

impl Answer {
    /// The policy does not allow it.
    pub fn denied(rule: &str, reason: &str, id: &str, detail: String) -> Self {
        Self {
            status: 403,
            kind: Kind::Deny,
            reason: reason.to_owned(),
            rule: Some(rule.to_owned()),
            id: Some(id.to_owned()),
            detail,
            proxy_error: "http_request_denied",
            retry_after: None,
        }
    }

    /// It could not be done.
    pub fn failed(status: u16, reason: &str, detail: impl Into<String>, proxy_error: &'static str) -> Self {
        Self {
            status,
            kind: Kind::Error,
            reason: reason.to_owned(),
            rule: None,
            id: None,
            detail: detail.into(),
            proxy_error,
            retry_after: None,
        }
    }

    /// The client's bytes are malformed.
    pub fn malformed(fault: Fault) -> Self {
        let denied = fault.status() == 403;
        let mut answer = Self::failed(fault.status(), fault.word(), fault.advice(), "http_request_error");
        if denied {
            (answer.kind, answer.rule) = (Kind::Deny, Some("protocol".to_owned()));
        }
        answer
    }

    /// The origin's bytes are.
    pub fn bad_origin(fault: Fault) -> Self {
        let detail = format!("the origin's answer is malformed ({fault})");
        let error = match fault {
            Fault::Truncated => "http_response_incomplete",
            _ => "http_protocol_error",
        };
        Self::failed(502, &format!("origin-{fault}"), detail, error)
    }

    /// Names the record that tells the rest.
    #[must_use]
    pub fn with_id(mut self, id: &str) -> Self {
        self.id = Some(id.to_owned());
        self
    }

    /// Says when to try again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The whole message. `head_only` leaves the body out, as an answer to HEAD must.
    pub fn bytes(&self, keep_alive: bool, head_only: bool) -> Vec<u8> {
        let body = self.body();
        let mut out = format!("HTTP/1.1 {} {}\r\n", self.status, title(self.status));
        let length = ("Content-Length", body.len().to_string());
        let connection = ("Connection", if keep_alive { "keep-alive" } else { "close" }.to_owned());
        for (name, value) in self.fields().into_iter().chain([length, connection]) {
            out.push_str(name);
            out.push_str(": ");
            out.push_str(&value);
            out.push_str("\r\n");
        }
        out.push_str("\r\n");
        let mut out = out.into_bytes();
        if !head_only {
            out.extend_from_slice(&body);
        }
        out
    }

    /// The fields that every version of HTTP has, in characters that cannot end one.
    pub fn fields(&self) -> Vec<(&'static str, String)> {
        let mut fields = vec![
            ("Content-Type", "application/problem+json".to_owned()),
            ("Aiva-Decision", self.decision()),
            ("Proxy-Status", format!("aiva; error={}; details={}", self.proxy_error, quoted(&self.reason))),
            ("Cache-Control", "no-store".to_owned()),
        ];
        if self.status == 407 {
            fields.push(("Proxy-Authenticate", "Basic realm=\"aiva egress\", charset=\"UTF-8\"".to_owned()));
        }
        if self.status == 405 {
            fields.push(("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, CONNECT".to_owned()));
        }
        fields.extend(self.retry_after.map(|seconds| ("Retry-After", seconds.to_string())));
        for (_, value) in &mut fields {
            if !value.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
                *value = value.chars().map(|c| if (' '..='~').contains(&c) { c } else { '?' }).collect();
            }
        }
        fields
    }

    /// `deny; rule=...; reason=...; id=...`, the parameters that there are.
    fn decision(&self) -> String {
        let mut text = match self.kind {
            Kind::Deny => "deny".to_owned(),
            Kind::Error => "error".to_owned(),
        };
        let parameters = [("rule", self.rule.as_deref()), ("reason", Some(&*self.reason)), ("id", self.id.as_deref())];
        for (name, value) in parameters {
            if let Some(value) = value {
                text.push_str("; ");
                text.push_str(name);
                text.push('=');
                text.push_str(&parameter(value));
            }
        }
        text
    }

    /// The problem, as JSON.
    pub fn body(&self) -> Vec<u8> {
        let code = match (self.kind, self.status) {
            (_, 407) => "egress_credentials_required",
            (Kind::Deny, _) => "egress_denied",
            (Kind::Error, 400..=499) => "egress_bad_request",
            (Kind::Error, _) => "egress_failed",
        };
        let mut problem = json!({
            "type": format!("urn:aiva:problem:{code}"),
            "title": title(self.status),
            "status": self.status,
            "detail": self.detail,
            "code": code,
            "reason": self.reason,
        });
        if let Some(fields) = problem.as_object_mut() {
            let further = [("rule", &self.rule), ("decision_id", &self.id)];
            fields.extend(
                further.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value.as_ref()?)))),
            );
        }
        let mut bytes = problem.to_string().into_bytes();
        bytes.push(b'\n');
        bytes
    }
}

/// A token as it is, anything else quoted (RFC 9110 section 5.6.6).
fn parameter(value: &str) -> String {
    let is_plain = !value.is_empty()
        && value
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':' | b'*' | b'/'));
    if is_plain { value.to_owned() } else { quoted(value) }
}

fn quoted(value: &str) -> String {
    let mut text = String::from('"');
    for c in value.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            ' '..='~' => text.push(c),
            _ => text.push('?'),
        }
    }
    text.push('"');
    text
}

fn title(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        403 => "Forbidden",
        405 => "Method Not Allowed",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        413 => "Content Too Large",
        417 => "Expectation Failed",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::head::{self, Framing};

    #[test]
    fn a_denial_is_legible_and_cannot_be_split() {
        let answer = Answer::denied("role \"a\"\r\nX: y", "name-not-allowed", "0199-1", "not allowed".into());
        let bytes = answer.bytes(true, false);
        let end = head::end(&bytes, 0).unwrap().unwrap();
        let text = String::from_utf8(bytes[..end].to_vec()).unwrap();
        for line in [
            "HTTP/1.1 403 Forbidden\r\n",
            "Content-Type: application/problem+json\r\n",
            "Aiva-Decision: deny; rule=\"role \\\"a\\\"??X: y\"; reason=name-not-allowed; id=0199-1\r\n",
            "Proxy-Status: aiva; error=http_request_denied; details=\"name-not-allowed\"\r\n",
        ] {
            assert!(text.contains(line), "{line:?} is missing in {text:?}");
        }
        let body: serde_json::Value = serde_json::from_slice(&bytes[end..]).unwrap();
        assert_eq!(body["code"], "egress_denied");
        assert_eq!(body["decision_id"], "0199-1");
    }

    #[test]
    fn every_answer_can_be_read_and_is_framed() {
        for fault in Fault::ALL {
            for (answer, head_only) in [(Answer::malformed(*fault), false), (Answer::bad_origin(*fault), true)] {
                let bytes = answer.bytes(false, head_only);
                let end = head::end(&bytes, 0).unwrap().unwrap();
                let read = head::Response::read(&bytes[..end], if head_only { "HEAD" } else { "GET" }).unwrap();
                assert_eq!(read.status, answer.status);
                let want = if head_only { Framing::Empty } else { Framing::Length((bytes.len() - end) as u64) };
                assert_eq!(read.framing, want);
                assert_ne!(title(answer.status), "Error", "{fault}");
            }
        }
    }
}
