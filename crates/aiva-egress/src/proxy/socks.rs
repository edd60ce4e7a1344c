//! Reads SOCKS5, by which clients without a notion of HTTP ask for a tunnel.
//!
//! Promises: names are never looked up by the client's choice of resolver, they are judged as text like any other; nothing
//! but CONNECT is understood (no UDP, no listening); what is malformed is refused. Pure. RFC 1928, RFC 1929.
//!
//! Start reading at [`request`].

use std::net::{Ipv4Addr, Ipv6Addr};

use super::answer::{Answer, Kind};

/// The first byte of everything a SOCKS5 client says but its password.
pub const VERSION: u8 = 5;

/// What the bytes so far amount to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading<T> {
    /// More is to come.
    Incomplete,
    /// All of it is there, so many bytes.
    Complete(T, usize),
    /// No SOCKS5.
    Malformed,
}

/// How the client may say who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// It says nothing.
    Nothing = 0,
    /// User and password.
    Password = 2,
    /// None that we know.
    Unknown = 0xff,
}

/// What the client wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// A tunnel to this authority, as text that is still to be judged.
    Tunnel(String),
    /// Something that is not served: the reply's code.
    Other(u8),
}

/// The methods that a client offers; the one to take. A client that could say who it is, should.
pub fn greeting(bytes: &[u8]) -> Reading<Method> {
    match bytes {
        [] | [VERSION] => Reading::Incomplete,
        [VERSION, count, methods @ ..] => match methods.get(..usize::from(*count)) {
            Some(methods) => {
                let method =
                    [Method::Password, Method::Nothing].into_iter().find(|one| methods.contains(&(*one as u8)));
                Reading::Complete(method.unwrap_or(Method::Unknown), 2 + methods.len())
            }
            None => Reading::Incomplete,
        },
        _ => Reading::Malformed,
    }
}

/// `user:password`, as the Basic scheme of HTTP would say it.
pub fn password(bytes: &[u8]) -> Reading<Vec<u8>> {
    let part = |from: usize| -> Option<&[u8]> {
        let length = usize::from(*bytes.get(from)?);
        bytes.get(from + 1..from + 1 + length)
    };
    match bytes.first() {
        Some(1) | None => {}
        Some(_) => return Reading::Malformed,
    }
    let Some(user) = part(1) else { return Reading::Incomplete };
    let Some(word) = part(2 + user.len()) else { return Reading::Incomplete };
    // The first colon would end the user's name.
    if user.contains(&b':') {
        return Reading::Malformed;
    }
    Reading::Complete([user, b":", word].concat(), 3 + user.len() + word.len())
}

/// What the client wants.
pub fn request(bytes: &[u8]) -> Reading<Wish> {
    for (byte, good) in bytes.iter().zip([&[VERSION][..], &[1, 2, 3], &[0]]) {
        if !good.contains(byte) {
            return Reading::Malformed;
        }
    }
    let Some((head, rest)) = bytes.split_at_checked(4) else { return Reading::Incomplete };
    let length = match (head[3], rest.first()) {
        (1, _) => 4,
        (4, _) => 16,
        (3, Some(length)) => 1 + usize::from(*length),
        (3, None) => return Reading::Incomplete,
        _ => return Reading::Complete(Wish::Other(8), bytes.len()),
    };
    let (Some(host), Some(port)) = (rest.get(..length), rest.get(length..length + 2)) else {
        return Reading::Incomplete;
    };
    let host = match head[3] {
        1 => host.first_chunk::<4>().map(|address| Ipv4Addr::from(*address).to_string()),
        4 => host.first_chunk::<16>().map(|address| format!("[{}]", Ipv6Addr::from(*address))),
        _ => host.get(1..).and_then(|name| std::str::from_utf8(name).ok()).map(str::to_owned),
    };
    let Some(host) = host else { return Reading::Malformed };
    let wish = match head[1] {
        1 => Wish::Tunnel(format!("{host}:{}", u16::from_be_bytes([port[0], port[1]]))),
        _ => Wish::Other(7),
    };
    Reading::Complete(wish, 4 + length + 2)
}

/// A reply: granted (0) or the code of a refusal. The address that it carries means nothing to anybody.
pub fn reply(code: u8) -> [u8; 10] {
    [VERSION, code, 0, 1, 0, 0, 0, 0, 0, 0]
}

/// The code that comes closest to an answer of ours.
pub fn code(answer: &Answer) -> u8 {
    match (answer.kind, &*answer.reason) {
        (Kind::Deny, _) | (Kind::Error, "credentials-wrong") => 2,
        (Kind::Error, "unreachable") => 3,
        (Kind::Error, "connection-refused") => 5,
        (Kind::Error, "connect-timeout" | "dns-timeout") => 6,
        (Kind::Error, reason) if reason.starts_with("dns-") => 4,
        (Kind::Error, _) => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check<T: std::fmt::Debug + PartialEq>(read: impl Fn(&[u8]) -> Reading<T>, bytes: &[u8], want: T) {
        for end in 0..bytes.len() {
            assert_eq!(read(&bytes[..end]), Reading::Incomplete, "{end} bytes of {bytes:02x?}");
        }
        let more = [bytes, &[0x16, 3]].concat();
        assert_eq!(read(&more), Reading::Complete(want, bytes.len()));
    }

    #[test]
    fn each_step_is_read_to_its_end_and_no_further() {
        check(greeting, &[5, 1, 0], Method::Nothing);
        check(greeting, &[5, 2, 0, 2], Method::Password);
        check(greeting, &[5, 1, 1], Method::Unknown);
        check(password, &[1, 2, b'm', b'e', 3, b'a', b':', b'b'], b"me:a:b".to_vec());
        check(request, &[5, 1, 0, 1, 10, 0, 0, 1, 1, 187], Wish::Tunnel("10.0.0.1:443".into()));
        check(request, &[5, 1, 0, 3, 3, b'a', b'.', b'b', 0, 80], Wish::Tunnel("a.b:80".into()));
        check(request, &[5, 2, 0, 1, 10, 0, 0, 1, 1, 187], Wish::Other(7));
        let v6 = [&[5, 1, 0, 4][..], &Ipv6Addr::LOCALHOST.octets(), &[1, 187]].concat();
        check(request, &v6, Wish::Tunnel("[::1]:443".into()));
        // A NUL ends a name for some and not for others: it stays, and the text's judge refuses it.
        check(request, &[5, 1, 0, 3, 3, b'a', 0, b'b', 0, 80], Wish::Tunnel("a\0b:80".into()));
    }

    #[test]
    fn what_is_malformed_is_refused() {
        assert_eq!(greeting(&[4, 1]), Reading::Malformed);
        assert_eq!(password(&[5]), Reading::Malformed);
        assert_eq!(password(&[1, 1, b':', 1, b'b']), Reading::Malformed);
        assert_eq!(request(&[5, 1, 1]), Reading::Malformed);
        assert_eq!(request(&[5, 9]), Reading::Malformed);
        assert_eq!(request(&[5, 1, 0, 3, 1, 0xff, 0, 80]), Reading::Malformed);
        assert_eq!(request(&[5, 1, 0, 9]), Reading::Complete(Wish::Other(8), 4));
    }
}
