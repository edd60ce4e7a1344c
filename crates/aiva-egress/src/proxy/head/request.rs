//! The head of a request to a forward proxy.

use super::super::fault::Fault;
use super::{Connection, Field, Frame, Framing, IDENTIFYING, Version, is_token, members, split};

/// What a request asks the proxy for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form<'b> {
    /// Forward it to this URL.
    Absolute(&'b str),
    /// Open a tunnel to this authority.
    Connect(&'b str),
}

/// A request's head, checked.
#[derive(Debug)]
pub struct Request<'b> {
    /// As sent; a token.
    pub method: &'b str,
    /// What it asks for.
    pub form: Form<'b>,
    /// Which HTTP it speaks.
    pub version: Version,
    /// Every field in order.
    pub fields: Vec<Field<'b>>,
    /// How its body ends; never [`Framing::UntilClose`].
    pub framing: Framing,
    /// Whether it waits for `100 Continue` before its body.
    pub expects_continue: bool,
    /// Whether the connection may serve another request.
    pub keep_alive: bool,
    /// Fields that `Connection` names: they are for this hop only.
    named: Vec<&'b [u8]>,
}

impl<'b> Request<'b> {
    /// Reads a head that ends where [`super::end`] said.
    ///
    /// # Errors
    /// The first fault, in the order: first line, fields, framing, form.
    pub fn read(head: &'b [u8]) -> Result<Self, Fault> {
        let (line, fields) = split(head)?;
        let (method, target, version) = request_line(line)?;
        let frame = Frame::of(&fields)?;
        if frame.chunked && version == Version::Http10 {
            return Err(Fault::EncodingInOldVersion);
        }
        host(&fields, version)?;
        if IDENTIFYING.iter().any(|name| fields.iter().filter(|field| field.is(name)).nth(1).is_some()) {
            return Err(Fault::CredentialsRepeated);
        }
        let connection = Connection::of(&fields);
        let framing = match frame {
            Frame { chunked: true, .. } => Framing::Chunked,
            Frame { length: Some(length), .. } => Framing::Length(length),
            Frame { length: None, .. } => Framing::Empty,
        };
        let expects_continue = expectation(&fields, version)?;
        let form = form(method, target)?;
        match form {
            Form::Connect(_) if !framing.is_empty() => return Err(Fault::ConnectBody),
            Form::Absolute(_) if method == "TRACE" => return Err(Fault::Trace),
            Form::Absolute(_) => upgrade(&fields, &connection)?,
            Form::Connect(_) => {}
        }
        let keep_alive = version == Version::Http11 && !connection.close;
        Ok(Self { method, form, version, fields, framing, expects_continue, keep_alive, named: connection.named })
    }

    /// The value of a field that is expected once; the first where it is repeated, which [`IDENTIFYING`] fields are not.
    pub fn field(&self, name: &str) -> Option<&'b [u8]> {
        self.fields.iter().find(|field| field.is(name)).map(|field| field.value)
    }

    /// The fields that an origin may see: not those of this hop, nor those that tell of the caller or are ours to write.
    pub fn forwarded(&self) -> impl Iterator<Item = &Field<'b>> {
        self.fields.iter().filter(|field| {
            !is_of_this_hop(field) && !self.named.iter().any(|name| field.name.eq_ignore_ascii_case(name))
        })
    }

    /// Whether a second try can do no harm: safe or idempotent (RFC 9110 section 9.2.2) and without a body to send again.
    pub fn is_repeatable(&self) -> bool {
        self.framing.is_empty() && matches!(self.method, "GET" | "HEAD" | "OPTIONS" | "PUT" | "DELETE")
    }
}

fn request_line(line: &[u8]) -> Result<(&str, &str, Version), Fault> {
    let mut parts = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), version, None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Err(Fault::RequestLine);
    };
    if method.is_empty() || target.is_empty() || !method.iter().all(|byte| is_token(*byte)) {
        return Err(Fault::RequestLine);
    }
    let version = match version {
        Some(b"HTTP/1.1") => Version::Http11,
        Some(b"HTTP/1.0") => Version::Http10,
        // HTTP/0.9 had no version at all.
        _ => return Err(Fault::Version),
    };
    let method = std::str::from_utf8(method).map_err(|_| Fault::RequestLine)?;
    let target = std::str::from_utf8(target).map_err(|_| Fault::TargetEncoding)?;
    Ok((method, target, version))
}

/// The field's value is not used: the target is what counts (RFC 9112 section 3.2.2). It must be one, and a host.
fn host(fields: &[Field<'_>], version: Version) -> Result<(), Fault> {
    let mut hosts = fields.iter().filter(|field| field.is("host"));
    match (hosts.next(), hosts.next()) {
        (_, Some(_)) => Err(Fault::HostRepeated),
        (None, None) if version == Version::Http11 => Err(Fault::HostMissing),
        (Some(host), None)
            if host.value.iter().any(|byte| matches!(byte, b' ' | b'\t' | b',' | b'/' | b'\\' | b'@')) =>
        {
            Err(Fault::HostInvalid)
        }
        _ => Ok(()),
    }
}

fn expectation(fields: &[Field<'_>], version: Version) -> Result<bool, Fault> {
    let mut expects = false;
    for field in fields.iter().filter(|field| field.is("expect")) {
        if !field.value.eq_ignore_ascii_case(b"100-continue") {
            return Err(Fault::Expectation);
        }
        expects = true;
    }
    Ok(expects && version == Version::Http11)
}

fn form<'b>(method: &str, target: &'b str) -> Result<Form<'b>, Fault> {
    if method == "CONNECT" {
        // The engine judges the rest of the text; a URL or a path here is another form altogether.
        return if target.contains(['/', '?', '#']) { Err(Fault::ConnectTarget) } else { Ok(Form::Connect(target)) };
    }
    match target.as_bytes() {
        b"*" => Err(Fault::AsteriskForm),
        [b'/', ..] => Err(Fault::OriginForm),
        _ if target.contains('#') => Err(Fault::Fragment),
        _ => Ok(Form::Absolute(target)),
    }
}

/// Switching to HTTP/2 may be ignored (RFC 9110 section 7.8) and is; a WebSocket would hang, so it is refused with a reason.
fn upgrade(fields: &[Field<'_>], connection: &Connection<'_>) -> Result<(), Fault> {
    let asks = |field: &&Field<'_>| field.is("upgrade") && connection.names(field);
    let is_websocket = |member: &[u8]| member.len() >= 9 && member[..9].eq_ignore_ascii_case(b"websocket");
    match fields.iter().filter(asks).flat_map(|field| members(field.value)).any(is_websocket) {
        true => Err(Fault::Upgrade),
        false => Ok(()),
    }
}

/// Fields that end here, whatever `Connection` says: those of the hop (RFC 9110 section 7.6.1), those for the proxy, those
/// that tell an origin who is behind it, and those that the proxy writes itself.
fn is_of_this_hop(field: &Field<'_>) -> bool {
    let name = field.name;
    let one_of = |names: &[&str]| names.iter().any(|one| name.eq_ignore_ascii_case(one.as_bytes()));
    match name.first().map(u8::to_ascii_lowercase) {
        Some(b'a') => field.starts("aiva-"),
        Some(b'c') => one_of(&["connection", "content-length", "client-ip"]),
        Some(b'e') => one_of(&["expect"]),
        Some(b'f') => one_of(&["forwarded"]),
        Some(b'h') => one_of(&["host", "http2-settings"]),
        Some(b'k') => one_of(&["keep-alive"]),
        Some(b'p') => field.starts("proxy-"),
        Some(b't') => one_of(&["te", "trailer", "transfer-encoding", "true-client-ip"]),
        Some(b'u') => one_of(&["upgrade"]),
        Some(b'v') => one_of(&["via"]),
        Some(b'x') => field.starts("x-forwarded-") || one_of(&["x-real-ip", "x-client-ip", "x-upstream-https-proxy"]),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::end;
    use super::*;

    fn read(text: &[u8]) -> Result<Request<'_>, Fault> {
        let end = end(text, 0)?.expect("the head is whole");
        Request::read(&text[..end])
    }

    #[track_caller]
    fn refuse(rows: &[(&str, Fault)]) {
        for (text, want) in rows {
            assert_eq!(read(text.as_bytes()).err(), Some(*want), "{text:?}");
        }
    }

    #[test]
    fn ordinary_requests_are_read() {
        let request = read(b"GET http://example.com/ HTTP/1.1\r\nHost: other\r\nX:\t a b \t\r\n\r\n").unwrap();
        assert_eq!((request.method, request.form), ("GET", Form::Absolute("http://example.com/")));
        assert_eq!((request.framing, request.keep_alive), (Framing::Empty, true));
        assert_eq!(request.field("x"), Some(&b"a b"[..]));
        let request = read(b"CONNECT example.com:443 HTTP/1.0\r\n\r\n").unwrap();
        assert_eq!((request.form, request.keep_alive), (Form::Connect("example.com:443"), false));
        let request =
            read(b"POST http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\nExpect: 100-Continue\r\n\r\n").unwrap();
        assert_eq!((request.framing, request.expects_continue), (Framing::Length(7), true));
        let request = read(b"POST http://a/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n").unwrap();
        assert_eq!(request.framing, Framing::Chunked);
    }

    #[test]
    fn the_first_line_is_exact() {
        refuse(&[
            ("GET  http://a/ HTTP/1.1\r\n\r\n", Fault::RequestLine),
            ("GET http://a/ x HTTP/1.1\r\n\r\n", Fault::RequestLine),
            (" GET http://a/ HTTP/1.1\r\n\r\n", Fault::RequestLine),
            ("GET http://a/ HTTP/1.1 \r\n\r\n", Fault::RequestLine),
            ("G\u{e9}T http://a/ HTTP/1.1\r\n\r\n", Fault::RequestLine),
            ("GET\thttp://a/ HTTP/1.1\r\n\r\n", Fault::Control),
            ("GET http://a\0/ HTTP/1.1\r\n\r\n", Fault::Control),
            ("GET http://a/ HTTP/0.9\r\n\r\n", Fault::Version),
            ("GET http://a/ http/1.1\r\n\r\n", Fault::Version),
            ("GET http://a/ HTTP/2.0\r\n\r\n", Fault::Version),
            ("GET http://a/\r\n\r\n", Fault::Version),
            ("PRI * HTTP/2.0\r\n\r\n", Fault::Version),
            ("\r\n", Fault::RequestLine),
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", Fault::OriginForm),
            ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", Fault::AsteriskForm),
            ("GET http://a/#b HTTP/1.1\r\nHost: a\r\n\r\n", Fault::Fragment),
            ("CONNECT http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", Fault::ConnectTarget),
            ("TRACE http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", Fault::Trace),
        ]);
    }

    #[test]
    fn fields_are_exact() {
        let rows = [
            ("X : a", Fault::SpaceBeforeColon),
            ("X\t: a", Fault::SpaceBeforeColon),
            ("X: a\r\n b", Fault::ObsFold),
            (": a", Fault::FieldName),
            ("X", Fault::FieldName),
            ("X(: a", Fault::FieldName),
            ("X: a\0b", Fault::Control),
            ("X: \u{7f}", Fault::Control),
            ("X\u{1}: a", Fault::Control),
            ("Host: b", Fault::HostRepeated),
            ("Expect: 200-ok", Fault::Expectation),
            ("Connection: upgrade\r\nUpgrade: websocket", Fault::Upgrade),
        ];
        for (field, want) in rows {
            refuse(&[(&format!("GET http://a/ HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n"), want)]);
        }
        refuse(&[
            ("GET http://a/ HTTP/1.1\r\nX: a\r\n\r\n", Fault::HostMissing),
            ("GET http://a/ HTTP/1.1\r\nHost: a b\r\n\r\n", Fault::HostInvalid),
            ("GET http://a/ HTTP/1.1\r\n Host: a\r\n\r\n", Fault::ObsFold),
        ]);
        let many = format!("GET http://a/ HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(100));
        refuse(&[(&many, Fault::TooManyFields)]);
    }

    #[test]
    fn a_body_has_one_length() {
        let rows = [
            ("Content-Length: 5\r\nTransfer-Encoding: chunked", Fault::LengthAndEncoding),
            ("Content-Length: 5\r\nContent-Length: 5", Fault::ContentLength),
            ("Content-Length: 5, 5", Fault::ContentLength),
            ("Content-Length: +5", Fault::ContentLength),
            ("Transfer-Encoding: gzip, chunked", Fault::TransferEncoding),
            ("Transfer-Encoding: xchunked", Fault::TransferEncoding),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", Fault::TransferEncoding),
            ("Transfer-Encoding:\u{b}chunked", Fault::Control),
            ("Transfer-Encoding : chunked", Fault::SpaceBeforeColon),
        ];
        for (field, want) in rows {
            refuse(&[(&format!("POST http://a/ HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n"), want)]);
        }
        refuse(&[
            ("POST http://a/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", Fault::EncodingInOldVersion),
            ("CONNECT a:443 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", Fault::ConnectBody),
            ("CONNECT a:443 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", Fault::ConnectBody),
        ]);
    }

    #[test]
    fn an_origin_sees_only_what_is_meant_for_it() {
        let request = read(
            b"GET http://a/ HTTP/1.1\r\nHost: a\r\nAccept: b\r\nConnection: close, X-Role\r\nX-Role: admin\r\n\
              Proxy-Connection: keep-alive\r\nProxy-Authorization: Basic eDp5\r\nVia: 1.1 x\r\nX-Forwarded-For: 10.0.0.1\r\n\
              Forwarded: for=10.0.0.1\r\nTE: trailers\r\nUpgrade: h2c\r\nAiva-Decision-Token: t\r\nTrailer: x\r\n\
              Keep-Alive: 5\r\nCookie: c\r\nX: y\r\n\r\n",
        )
        .unwrap();
        let names: Vec<&[u8]> = request.forwarded().map(|field| field.name).collect();
        assert_eq!(names, [&b"Accept"[..], b"Cookie", b"X"]);
        assert!(!request.keep_alive);
    }
}
