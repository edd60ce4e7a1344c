//! What is wrong with bytes that a client or an origin sent: one stable word for each fault.
//!
//! The word stands in answers, metrics and records; the sentence tells whoever wrote the bytes what to change.

use std::fmt;

macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $status:literal, $advice:literal;)+) => {
        /// Why bytes are not read any further. Nothing that follows a fault on its connection is read.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Fault {
            $($(#[$doc])* $name,)+
        }

        impl Fault {
            /// Every fault, for tables and for counters at zero.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The stable word.
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)+
                }
            }

            /// What a client is answered with.
            pub const fn status(self) -> u16 {
                match self {
                    $(Self::$name => $status,)+
                }
            }

            /// What to send instead.
            pub const fn advice(self) -> &'static str {
                match self {
                    $(Self::$name => $advice,)+
                }
            }
        }
    };
}

faults! {
    /// A CR without LF.
    BareCr = "bare-cr", 400, "end every line with CRLF and put no CR inside a line";
    /// A LF without CR.
    BareLf = "bare-lf", 400, "end every line with CRLF";
    /// A line that continues the one before (RFC 9112 section 5.2).
    ObsFold = "obs-fold", 400, "put each field on one line";
    /// A control byte.
    Control = "control-character", 400, "send no control characters in a head";
    /// A TLS handshake where plain HTTP is spoken.
    Tls = "tls-to-plain-port", 400, "speak plain HTTP to this port: the proxy's address starts with http://";
    /// The first line is no request line.
    RequestLine = "request-line", 400, "send METHOD SP target SP HTTP/1.1, with single spaces";
    /// The first line of an answer is no status line.
    StatusLine = "status-line", 502, "answer with HTTP/1.1 SP code SP reason";
    /// Neither HTTP/1.1 nor HTTP/1.0.
    Version = "http-version", 400, "speak HTTP/1.1";
    /// White space between a field's name and its colon.
    SpaceBeforeColon = "space-before-colon", 400, "put the colon right behind the field's name";
    /// A field name that is no token, or a line without a colon.
    FieldName = "field-name", 400, "send each field as name: value";
    /// More bytes than are read.
    HeadTooLong = "head-too-long", 431, "send at most 64 KiB before the body";
    /// More fields than are read.
    TooManyFields = "too-many-fields", 431, "send at most 100 fields";
    /// HTTP/1.1 without Host (RFC 9112 section 3.2).
    HostMissing = "host-missing", 400, "send one Host field";
    /// More than one Host.
    HostRepeated = "host-repeated", 400, "send one Host field";
    /// A Host that is no host.
    HostInvalid = "host-invalid", 400, "send Host as name or name:port";
    /// Two fields that say who asks: whoever reads them might believe the other one.
    CredentialsRepeated = "credentials-repeated", 400, "send Proxy-Authorization and Aiva-Decision-Token at most once each";
    /// No number, a list, or repeated (RFC 9112 section 6.3).
    ContentLength = "content-length", 400, "send one Content-Length, digits only";
    /// Content-Length beside Transfer-Encoding: request smuggling (RFC 9112 section 11.2).
    LengthAndEncoding = "length-and-encoding", 400, "send Content-Length or Transfer-Encoding, never both";
    /// Anything but one `chunked`.
    TransferEncoding = "transfer-encoding", 400, "send Transfer-Encoding: chunked, once, or none";
    /// Transfer-Encoding in HTTP/1.0.
    EncodingInOldVersion = "encoding-in-http-1.0", 400, "speak HTTP/1.1 to send Transfer-Encoding";
    /// A chunk's size line is not hexadecimal, or too large.
    ChunkSize = "chunk-size", 400, "send each chunk's size as at most 15 hexadecimal digits";
    /// A chunk's extension is too long or holds control bytes.
    ChunkExtension = "chunk-extension", 400, "send no chunk extensions";
    /// A chunk does not end with CRLF.
    ChunkEnd = "chunk-end", 400, "end each chunk with CRLF";
    /// The trailer section is no list of fields, or too long.
    Trailer = "trailer", 400, "send no trailer fields";
    /// A request for a path, as to an origin.
    OriginForm = "origin-form", 400, "this is a forward proxy: ask for http://host/path, or CONNECT host:443 for TLS";
    /// `*`.
    AsteriskForm = "asterisk-form", 400, "this is a forward proxy: ask for http://host/path, or CONNECT host:443 for TLS";
    /// A fragment in a request's target.
    Fragment = "fragment", 400, "leave out what follows # in the address";
    /// CONNECT with something else than `host:port`.
    ConnectTarget = "connect-target", 400, "send CONNECT host:port";
    /// CONNECT with a body.
    ConnectBody = "connect-body", 400, "send CONNECT without a body";
    /// A target that is not UTF-8.
    TargetEncoding = "target-encoding", 400, "percent-encode the address";
    /// A request over HTTP/2 that asks for no tunnel.
    Http2Request = "http2-request", 400, "over HTTP/2 ask for tunnels only (CONNECT host:port); send requests for http:// addresses over HTTP/1.1";
    /// SOCKS5 with another command than CONNECT, or another kind of address.
    SocksCommand = "socks-command", 400, "ask for CONNECT (command 1) to a name or an address";
    /// TRACE would echo the request's secrets.
    Trace = "trace", 405, "TRACE is not forwarded";
    /// An expectation other than `100-continue`.
    Expectation = "expectation", 417, "expect nothing but 100-continue";
    /// A switch of protocols on a plain request.
    Upgrade = "upgrade", 403, "open a tunnel with CONNECT host:port for WebSocket";
    /// An answer switched protocols although nobody asked.
    Switched = "switched-protocols", 502, "do not switch protocols";
    /// An origin asked for proxy credentials.
    OriginProxyAuth = "asked-for-proxy-credentials", 502, "an origin must not answer 407";
    /// The connection closed in the middle.
    Truncated = "truncated", 502, "send all that was announced";
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_distinct_and_fit_a_header() {
        for (index, fault) in Fault::ALL.iter().enumerate() {
            assert!(fault.word().bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.')), "{fault}");
            assert!(!Fault::ALL[..index].iter().any(|other| other.word() == fault.word()), "{fault} is there twice");
            assert!((400..=599).contains(&fault.status()));
        }
    }
}
