//! Writes the heads that go on: of a request to its origin, of an answer to its client.
//!
//! Promises: what goes on is written from what was understood, not copied: the origin gets the host that was judged, and
//! one statement about the body's length; each side gets the other's fields only as far as they are meant for it. Pure.

use aiva_outbound::Target;

use super::head::{Field, Framing, Request, Response, Version};

/// Writes a request for its origin. `bare` says that the client's URL had no path, which OPTIONS tells from `/`.
pub fn request(out: &mut Vec<u8>, request: &Request<'_>, target: &Target, bare: bool) {
    out.extend_from_slice(request.method.as_bytes());
    out.push(b' ');
    if bare && request.method == "OPTIONS" {
        out.push(b'*');
    } else {
        out.extend_from_slice(target.path_and_query().as_bytes());
    }
    out.extend_from_slice(b" HTTP/1.1\r\nHost: ");
    out.extend_from_slice(target.authority().as_bytes());
    out.extend_from_slice(b"\r\n");
    fields(out, request.forwarded());
    framing(out, request.framing);
    if request.expects_continue {
        out.extend_from_slice(b"Expect: 100-continue\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

/// How an answer reaches its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// What the client speaks.
    pub version: Version,
    /// Whether its connection stays open afterwards.
    pub keep_alive: bool,
}

/// Writes an answer's head for its client.
pub fn response(out: &mut Vec<u8>, response: &Response<'_>, delivery: Delivery) {
    status(out, response);
    fields(out, response.forwarded());
    match response.framing {
        Framing::Chunked if delivery.version == Version::Http10 => {}
        Framing::Empty => {
            if let Some(length) = response.spared {
                framing(out, Framing::Length(length));
            }
        }
        other => framing(out, other),
    }
    if !delivery.keep_alive {
        out.extend_from_slice(b"Connection: close\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

/// Writes an interim answer (1xx) for its client.
pub fn interim(out: &mut Vec<u8>, response: &Response<'_>) {
    status(out, response);
    fields(out, response.forwarded());
    out.extend_from_slice(b"\r\n");
}

fn status(out: &mut Vec<u8>, response: &Response<'_>) {
    out.extend_from_slice(b"HTTP/1.1 ");
    number(out, u64::from(response.status));
    out.push(b' ');
    out.extend_from_slice(response.reason);
    out.extend_from_slice(b"\r\n");
}

fn fields<'f, 'b: 'f>(out: &mut Vec<u8>, fields: impl Iterator<Item = &'f Field<'b>>) {
    for field in fields {
        out.extend_from_slice(field.name);
        out.extend_from_slice(b": ");
        out.extend_from_slice(field.value);
        out.extend_from_slice(b"\r\n");
    }
}

fn framing(out: &mut Vec<u8>, framing: Framing) {
    match framing {
        Framing::Empty | Framing::UntilClose => {}
        Framing::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
        Framing::Length(length) => {
            out.extend_from_slice(b"Content-Length: ");
            number(out, length);
            out.extend_from_slice(b"\r\n");
        }
    }
}

fn number(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::super::head::Form;
    use super::*;

    #[track_caller]
    fn check_request(sent: &str, want: &str) {
        let read = Request::read(sent.as_bytes()).unwrap();
        let Form::Absolute(url) = read.form else { panic!("{sent}") };
        let mut out = Vec::new();
        request(&mut out, &read, &Target::parse(url).unwrap(), !url[7..].contains('/'));
        assert_eq!(String::from_utf8(out).unwrap(), want);
    }

    #[test]
    fn an_origin_gets_what_was_judged() {
        check_request(
            "GET http://EXAMPLE.com:80/a?b HTTP/1.0\r\nHost: evil\r\nAccept:  x \r\nVia: 1.1 y\r\n\r\n",
            "GET /a?b HTTP/1.1\r\nHost: example.com\r\nAccept: x\r\n\r\n",
        );
        check_request(
            "POST http://a.example:8080 HTTP/1.1\r\nHost: a\r\ncontent-length: 007\r\nExpect: 100-continue\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a.example:8080\r\nContent-Length: 7\r\nExpect: 100-continue\r\n\r\n",
        );
        check_request(
            "OPTIONS http://a.example HTTP/1.1\r\nHost: a\r\n\r\n",
            "OPTIONS * HTTP/1.1\r\nHost: a.example\r\n\r\n",
        );
        check_request(
            "PUT http://[2606:4700::1]/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: CHUNKED\r\n\r\n",
            "PUT / HTTP/1.1\r\nHost: [2606:4700::1]\r\nTransfer-Encoding: chunked\r\n\r\n",
        );
    }

    #[track_caller]
    fn check_response(sent: &str, method: &str, delivery: (Version, bool), want: &str) {
        let read = Response::read(sent.as_bytes(), method).unwrap();
        let mut out = Vec::new();
        response(&mut out, &read, Delivery { version: delivery.0, keep_alive: delivery.1 });
        assert_eq!(String::from_utf8(out).unwrap(), want);
    }

    #[test]
    fn a_client_gets_an_answer_that_it_can_frame() {
        let new = (Version::Http11, true);
        check_response(
            "HTTP/1.0 200\r\nContent-Length: 5\r\nVia: x\r\nA:b\r\n\r\n",
            "GET",
            new,
            "HTTP/1.1 200 \r\nA: b\r\nContent-Length: 5\r\n\r\n",
        );
        check_response(
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
            "HEAD",
            new,
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        );
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        check_response(chunked, "GET", new, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        let old = (Version::Http10, false);
        check_response(chunked, "GET", old, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
        check_response(
            "HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n",
            "GET",
            new,
            "HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n",
        );
    }
}
