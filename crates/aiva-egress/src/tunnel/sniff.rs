//! Says from the first bytes of a tunnel what is spoken inside.
//!
//! Pure. A guess from a table of what clients (and, where they speak first, servers) open with; it is good enough to keep
//! SSH, SMTP or Redis out of a tunnel that is meant for TLS, which is recognized by its structure, not by a guess.
//!
//! Start reading at [`first`].

use std::fmt;

/// What is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// A TLS handshake.
    Tls,
    /// HTTP/1, or HTTP/2 without TLS.
    Http,
    /// SSH.
    Ssh,
    /// SMTP or LMTP.
    Smtp,
    /// FTP or POP3.
    Ftp,
    /// IMAP.
    Imap,
    /// Redis or a relative (RESP, or its inline commands).
    Redis,
    /// Memcached's text protocol.
    Memcached,
    /// PostgreSQL.
    Postgres,
    /// MySQL.
    Mysql,
    /// AMQP.
    Amqp,
    /// Windows file sharing.
    Smb,
    /// Remote desktop.
    Rdp,
    /// SOCKS 4 or 5: a proxy behind the proxy.
    Socks,
    /// git's own protocol.
    Git,
    /// BitTorrent.
    Bittorrent,
    /// None of these.
    Unknown,
}

impl Protocol {
    /// The stable word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::Http => "http",
            Self::Ssh => "ssh",
            Self::Smtp => "smtp",
            Self::Ftp => "ftp",
            Self::Imap => "imap",
            Self::Redis => "redis",
            Self::Memcached => "memcached",
            Self::Postgres => "postgres",
            Self::Mysql => "mysql",
            Self::Amqp => "amqp",
            Self::Smb => "smb",
            Self::Rdp => "rdp",
            Self::Socks => "socks",
            Self::Git => "git",
            Self::Bittorrent => "bittorrent",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// After this many bytes there is an answer.
pub const ENOUGH: usize = 24;

/// How clients open. `?` stands for any byte, letters for themselves in either case.
const CLIENTS: &[(&[u8], Protocol)] = &[
    (b"\x16\x03", Protocol::Tls),
    (b"GET ", Protocol::Http),
    (b"PUT ", Protocol::Http),
    (b"POST ", Protocol::Http),
    (b"HEAD ", Protocol::Http),
    (b"PATCH ", Protocol::Http),
    (b"TRACE ", Protocol::Http),
    (b"DELETE ", Protocol::Http),
    (b"OPTIONS ", Protocol::Http),
    (b"CONNECT ", Protocol::Http),
    (b"PROPFIND ", Protocol::Http),
    (b"PRI * HTTP/2", Protocol::Http),
    (b"SSH-", Protocol::Ssh),
    (b"EHLO", Protocol::Smtp),
    (b"HELO", Protocol::Smtp),
    (b"LHLO", Protocol::Smtp),
    (b"MAIL FROM", Protocol::Smtp),
    (b"USER ", Protocol::Ftp),
    (b"AUTH TLS", Protocol::Ftp),
    (b"? LOGIN", Protocol::Imap),
    (b"?? CAPABILITY", Protocol::Imap),
    (b"PING\r", Protocol::Redis),
    (b"INFO\r", Protocol::Redis),
    (b"AUTH ", Protocol::Redis),
    (b"CONFIG ", Protocol::Redis),
    (b"SLAVEOF ", Protocol::Redis),
    (b"FLUSHALL", Protocol::Redis),
    (b"EVAL ", Protocol::Redis),
    (b"stats\r", Protocol::Memcached),
    (b"gets ", Protocol::Memcached),
    (b"version\r", Protocol::Memcached),
    (b"\0\0\0?\0\x03\0\0", Protocol::Postgres),
    (b"\0\0??\0\x03\0\0", Protocol::Postgres),
    (b"\0\0\0\x08\x04\xd2\x16\x2f", Protocol::Postgres),
    (b"AMQP", Protocol::Amqp),
    (b"\0???\xffSMB", Protocol::Smb),
    (b"\0???\xfeSMB", Protocol::Smb),
    (b"\x03\0\0?", Protocol::Rdp),
    (b"\x05\x01", Protocol::Socks),
    (b"\x05\x02", Protocol::Socks),
    (b"\x05\x03", Protocol::Socks),
    (b"\x04\x01", Protocol::Socks),
    (b"00??git-", Protocol::Git),
    (b"\x13BitTorrent", Protocol::Bittorrent),
];

/// How servers open that speak first.
const SERVERS: &[(&[u8], Protocol)] = &[
    (b"SSH-", Protocol::Ssh),
    (b"220", Protocol::Smtp),
    (b"554", Protocol::Smtp),
    (b"+OK", Protocol::Ftp),
    (b"* OK", Protocol::Imap),
    (b"-ERR", Protocol::Redis),
    (b"-DENIED", Protocol::Redis),
    (b"???\0\x0a", Protocol::Mysql),
];

/// Who sent the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    /// The one who opened the tunnel.
    Client,
    /// The one it leads to.
    Server,
}

/// What these first bytes are; `None` while more could still tell.
pub fn first(speaker: Speaker, bytes: &[u8]) -> Option<Protocol> {
    if bytes.is_empty() {
        return None;
    }
    if let Some(known) = resp(speaker, bytes) {
        return known;
    }
    let table = match speaker {
        Speaker::Client => CLIENTS,
        Speaker::Server => SERVERS,
    };
    if let Some((_, protocol)) = table.iter().find(|(opening, _)| bytes.len() >= opening.len() && fits(opening, bytes))
    {
        return Some(*protocol);
    }
    let undecided = bytes.len() < ENOUGH && table.iter().any(|(opening, _)| fits(opening, bytes));
    (!undecided).then_some(Protocol::Unknown)
}

/// Whether the bytes agree with the opening as far as both go.
fn fits(opening: &[u8], bytes: &[u8]) -> bool {
    opening.iter().zip(bytes).all(|(want, byte)| *want == b'?' || want.eq_ignore_ascii_case(byte))
}

/// An array in Redis' protocol: `*`, digits, CRLF. The outer `None` says that it is none.
fn resp(speaker: Speaker, bytes: &[u8]) -> Option<Option<Protocol>> {
    let rest = bytes.strip_prefix(b"*").filter(|_| speaker == Speaker::Client)?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    match rest.get(digits) {
        Some(b'\r') if digits > 0 => Some(Some(Protocol::Redis)),
        None if digits < 10 => Some(None),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openings_are_recognized_as_soon_as_they_can_be() {
        use Protocol::*;
        let rows: &[(Speaker, &[u8], Protocol)] = &[
            (Speaker::Client, b"\x16\x03\x01\x02\x00\x01", Tls),
            (Speaker::Client, b"GET / HTTP/1.1\r\n", Http),
            (Speaker::Client, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Http),
            (Speaker::Client, b"SSH-2.0-OpenSSH_9.6\r\n", Ssh),
            (Speaker::Client, b"ehlo x\r\n", Smtp),
            (Speaker::Client, b"*1\r\n$4\r\nPING\r\n", Redis),
            (Speaker::Client, b"CONFIG SET dir /\r\n", Redis),
            (Speaker::Client, b"\0\0\0\x08\x04\xd2\x16\x2f", Postgres),
            (Speaker::Client, b"\0\0\0\x29\0\x03\0\0user\0", Postgres),
            (Speaker::Client, b"\x05\x01\x00", Socks),
            (Speaker::Client, b"0032git-upload-pack", Git),
            (Speaker::Client, b"\xde\xad\xbe\xef", Unknown),
            (Speaker::Client, b"hello there, nobody knows me", Unknown),
            (Speaker::Server, b"220 mail ESMTP\r\n", Smtp),
            (Speaker::Server, b"SSH-2.0-x\r\n", Ssh),
            (Speaker::Server, b"J\0\0\0\x0a8.0.33\0", Mysql),
            (Speaker::Server, b"HTTP/1.1 200 OK\r\n", Unknown),
        ];
        for (speaker, bytes, want) in rows {
            assert_eq!(first(*speaker, bytes), Some(*want), "{bytes:02x?}");
            // An early answer is never taken back.
            for end in 1..bytes.len() {
                if let Some(early) = first(*speaker, &bytes[..end]) {
                    assert_eq!(early, *want, "after {end} bytes of {bytes:02x?}");
                }
            }
        }
        assert_eq!(first(Speaker::Client, b""), None);
        assert_eq!(first(Speaker::Client, b"SS"), None);
    }
}
