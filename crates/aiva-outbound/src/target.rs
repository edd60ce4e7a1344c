//! The text of a request's address, checked before anybody else may parse it, and what it means.
//!
//! Two parsers that read one text differently are how guards are walked around (Orange Tsai, "A New Era of SSRF", 2017).
//! So this parser accepts only what RFC 3986 and WHATWG's URL standard read alike, and refuses the rest with a reason of
//! its own: control bytes, white space, backslashes, a second `@`, percent-encoding or compatibility characters in the
//! host, numbers that are no canonical IPv4 address. Pure. Start reading at [`Target::parse`]; `host` reads the hardest part.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use crate::reason::Reason;

mod host;

pub(crate) use host::name;
use host::place_of;

/// The longest text that is read, in bytes.
pub const MAX_LENGTH: usize = 8 * 1024;

/// How to talk to the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS.
    Https,
}

impl Scheme {
    /// As written in a URL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port when none is given.
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// Whom to talk to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// A name to look up: lower case, in A-labels, without a trailing dot.
    Name(String),
    /// An address, never looked up.
    Address(IpAddr),
}

impl Host {
    /// As it stands in a URL.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Name(name) => Cow::Borrowed(name),
            Self::Address(IpAddr::V4(address)) => Cow::Owned(dotted(*address)),
            Self::Address(IpAddr::V6(address)) => Cow::Owned(format!("[{address}]")),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

/// An IPv4 address as text. It is written several times for each request, and the standard library's formatter takes long.
fn dotted(address: Ipv4Addr) -> String {
    let mut text = String::with_capacity("255.255.255.255".len());
    for octet in address.octets() {
        if !text.is_empty() {
            text.push('.');
        }
        for (least, unit) in [(100, 100), (10, 10), (0, 1)] {
            if octet >= least {
                text.push(char::from(b'0' + octet / unit % 10));
            }
        }
    }
    text
}

/// An address that every parser reads alike.
///
/// Its path and query may be a secret (many webhooks are): messages name its [`Target::origin`] only.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    scheme: Scheme,
    host: Host,
    port: u16,
    credentials: Option<String>,
    path_and_query: String,
}

impl Target {
    /// Reads an absolute `http:` or `https:` URL.
    pub fn parse(text: &str) -> Result<Self, Reason> {
        check_text(text)?;
        let (scheme, rest) = scheme(text)?;
        let rest = rest.strip_prefix("//").ok_or(Reason::NotUrl)?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        let (credentials, place) = credentials(authority)?;
        let (host, port) = place_of(place)?;
        let rest = rest.split('#').next().unwrap_or_default();
        let path_and_query = match rest {
            "" => "/".to_owned(),
            rest if rest.starts_with('?') => format!("/{rest}"),
            rest => rest.to_owned(),
        };
        let port = port.unwrap_or(scheme.default_port());
        Ok(Self { scheme, host, port, credentials, path_and_query: escape(path_and_query) })
    }

    /// Reads the authority of a CONNECT request, `host:port`; the port is never left out (RFC 9110 §9.3.6).
    pub fn parse_authority(text: &str) -> Result<(Host, u16), Reason> {
        check_text(text)?;
        if text.contains(['@', '/', '?', '#']) {
            return Err(Reason::NotUrl);
        }
        let (host, port) = place_of(text)?;
        Ok((host, port.ok_or(Reason::Port)?))
    }

    /// The target of a tunnel, from the authority of a CONNECT request. It counts as https: nobody sees what is inside.
    pub fn tunnel(authority: &str) -> Result<Self, Reason> {
        let (host, port) = Self::parse_authority(authority)?;
        Ok(Self::place(Scheme::Https, host, port))
    }

    /// The root of a host that was read before.
    pub fn place(scheme: Scheme, host: Host, port: u16) -> Self {
        Self { scheme, host, port, credentials: None, path_and_query: "/".to_owned() }
    }

    /// Where a redirect from here leads (RFC 9110 §10.2.2, RFC 3986 §5.2), with the same checks as a first address.
    pub fn join(&self, location: &str) -> Result<Self, Reason> {
        check_text(location)?;
        let origin = format!("{}://{}:{}", self.scheme.name(), self.host, self.port);
        if location.starts_with("//") {
            return Self::parse(&format!("{}:{location}", self.scheme.name()));
        }
        let colon = location.find(':');
        let first_of_path = location.find(['/', '?', '#']).unwrap_or(location.len());
        if colon.is_some_and(|colon| colon < first_of_path) {
            return Self::parse(location);
        }
        let path = self.path_and_query.split('?').next().unwrap_or("/");
        let (step, rest) = location.split_at(location.find(['?', '#']).unwrap_or(location.len()));
        match location.as_bytes().first() {
            None => Err(Reason::NotUrl),
            Some(b'/') => Self::parse(&format!("{origin}{}{rest}", without_dots(step))),
            Some(b'?') => Self::parse(&format!("{origin}{path}{location}")),
            Some(b'#') => Self::parse(&format!("{origin}{}", self.path_and_query)),
            Some(_) => {
                let folder = &path[..=path.rfind('/').unwrap_or(0)];
                Self::parse(&format!("{origin}{}{rest}", without_dots(&format!("{folder}{step}"))))
            }
        }
    }

    /// How to talk.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// To whom.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// On which port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `user:password`, still percent-encoded, where the URL has them.
    pub fn credentials(&self) -> Option<&str> {
        self.credentials.as_deref()
    }

    /// What the request line asks for; at least `/`.
    pub fn path_and_query(&self) -> &str {
        &self.path_and_query
    }

    /// The `Host` field: the port only where it is not the scheme's own.
    pub fn authority(&self) -> String {
        if self.port == self.scheme.default_port() {
            self.host.text().into_owned()
        } else {
            format!("{}:{}", self.host.text(), self.port)
        }
    }

    /// Scheme, host and port: what may stand in a log.
    pub fn origin(&self) -> String {
        format!("{}://{}", self.scheme.name(), self.authority())
    }

    /// Whether both mean the same scheme, host and port (RFC 6454 §5).
    pub fn same_origin(&self, other: &Self) -> bool {
        self.scheme == other.scheme && self.host == other.host && self.port == other.port
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({})", self.origin())
    }
}

/// Without credentials.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme.name(), self.authority(), self.path_and_query)
    }
}

fn check_text(text: &str) -> Result<(), Reason> {
    if text.is_empty() || text.len() > MAX_LENGTH {
        return Err(Reason::NotUrl);
    }
    // Nearly every text is plain, which is quickly seen.
    if text.bytes().all(|b| b.is_ascii_graphic() && b != b'\\') {
        return Ok(());
    }
    for c in text.chars() {
        if c.is_control() {
            return Err(Reason::ControlCharacter);
        }
        if c.is_whitespace() {
            return Err(Reason::WhiteSpace);
        }
        if c == '\\' {
            return Err(Reason::Backslash);
        }
    }
    Ok(())
}

fn scheme(text: &str) -> Result<(Scheme, &str), Reason> {
    let (name, rest) = text.split_once(':').ok_or(Reason::NotUrl)?;
    let starts = name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic());
    if !starts || !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.')) {
        return Err(Reason::NotUrl);
    }
    match name.to_ascii_lowercase().as_str() {
        "http" => Ok((Scheme::Http, rest)),
        "https" => Ok((Scheme::Https, rest)),
        _ => Err(Reason::Scheme),
    }
}

fn credentials(authority: &str) -> Result<(Option<String>, &str), Reason> {
    let mut parts = authority.split('@');
    let first = parts.next().unwrap_or_default();
    match (parts.next(), parts.next()) {
        (None, _) => Ok((None, first)),
        (Some(_), None) if first.contains(['[', ']']) || !first.is_ascii() => Err(Reason::Credentials),
        (Some(place), None) => Ok((Some(first.to_owned()), place)),
        (Some(_), Some(_)) => Err(Reason::SecondAt),
    }
}

/// An absolute path with its `.` and `..` worked off (RFC 3986 §5.2.4); nothing climbs over the root.
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        match segment {
            "." => {}
            ".." => drop(kept.pop()),
            segment => {
                kept.push(segment);
                continue;
            }
        }
        if segments.peek().is_none() {
            kept.push("");
        }
    }
    format!("/{}", kept.join("/"))
}

/// A request line is ASCII: what is not goes percent-encoded (RFC 3986 §2.1, as WHATWG does for paths).
fn escape(path: String) -> String {
    if path.is_ascii() {
        return path;
    }
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii() {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_octet_is_written_as_the_standard_library_writes_it() {
        for octet in 0..=255_u8 {
            let address = Ipv4Addr::new(octet, 0, 255 - octet, octet);
            assert_eq!(Host::Address(address.into()).text(), address.to_string());
        }
    }

    #[test]
    fn a_good_address_keeps_its_meaning() {
        let rows = [
            ("HTTP://Example.COM", "http://example.com/"),
            ("https://example.com.:443/a?b=http://127.0.0.1/#@x", "https://example.com/a?b=http://127.0.0.1/"),
            ("http://example.com:0080?x", "http://example.com/?x"),
            ("https://b\u{fc}cher.example.com/\u{fc}", "https://xn--bcher-kva.example.com/%C3%BC"),
            ("http://[2606:4700::1]:8080/", "http://[2606:4700::1]:8080/"),
            ("https://user:secret@example.com/", "https://example.com/"),
            ("http://1.2.3.4./", "http://1.2.3.4/"),
        ];
        for (text, want) in rows {
            assert_eq!(Target::parse(text).map(|target| target.to_string()), Ok(want.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_two_parsers_read_differently_is_refused() {
        use Reason::*;
        let rows = [
            ("", NotUrl),
            ("http:/example.com/", NotUrl),
            ("http:///example.com/", NotUrl),
            ("http://a b/", WhiteSpace),
            ("http://exa\tmple.com/", ControlCharacter),
            ("http://127.0.0.1\\@example.com/", Backslash),
            ("ftp://example.com/", Scheme),
            ("http://a@b@c/", SecondAt),
            ("http://%31.0.0.1/", HostEncoded),
            ("http://\u{ff11}.0.0.1/", HostUnicode),
            ("http://127\u{3002}0.0.1/", HostUnicode),
            ("http://loc\u{ad}alhost/", HostUnicode),
            ("http://xn--localhost-/", HostUnicode),
            ("http://\u{830}.\u{a1}./", HostUnicode), // right to left beside left to right
            ("http://2130706433/", HostNumber),
            ("http://0x7f.1/", HostNumber),
            ("http://010.8.8.8/", HostNumber),
            ("http://foo.123/", HostNumber),
            ("http://a..b/", HostName),
            ("http://[::1%25lo]/", HostAddress),
            ("http://[::1]x/", HostAddress),
            ("http://example.com:99999/", Port),
            ("http://example.com:0/", Port),
            ("http://example.com:80:80/", Port),
        ];
        for (text, want) in rows {
            assert_eq!(Target::parse(text), Err(want), "{text}");
        }
    }

    #[test]
    fn a_redirect_starts_from_where_it_stands() {
        let from = Target::parse("https://example.com/a/b?c").unwrap();
        let rows = [
            ("/x", Ok("https://example.com/x")),
            ("x", Ok("https://example.com/a/x")),
            ("../x?a=../b", Ok("https://example.com/x?a=../b")),
            ("../../..", Ok("https://example.com/")),
            ("./", Ok("https://example.com/a/")),
            ("/c/../d/./e/..", Ok("https://example.com/d/")),
            ("?y", Ok("https://example.com/a/b?y")),
            ("#z", Ok("https://example.com/a/b?c")),
            ("//example.org/", Ok("https://example.org/")),
            ("http://example.org", Ok("http://example.org/")),
            ("file:///etc/passwd", Err(Reason::Scheme)),
            ("", Err(Reason::NotUrl)),
        ];
        for (location, want) in rows {
            let got = from.join(location).map(|target| target.to_string());
            assert_eq!(got, want.map(str::to_owned), "{location}");
        }
    }

    #[test]
    fn a_tunnel_names_its_port() {
        assert_eq!(Target::parse_authority("example.com:443"), Ok((Host::Name("example.com".to_owned()), 443)));
        for text in ["example.com", "example.com:", "u@example.com:443", "http://x:1"] {
            assert!(Target::parse_authority(text).is_err(), "{text}");
        }
    }
}
