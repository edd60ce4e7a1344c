//! Reads the PROXY protocol, by which a configured balancer says who is really calling.
//!
//! Promises: versions 1 and 2, exactly; a balancer that leaves it out, or says something malformed, is refused, so that no
//! client can pass for the balancer. Pure. Start reading at [`read`].
//!
//! <https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt>

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// The longest line of version 1, CRLF included.
const MOST_LINE: usize = 107;

/// The most bytes of version 2 behind its head: addresses and a few extensions.
const MOST_BLOCK: usize = 2048;

/// The most bytes that a preface has.
pub const MOST_BYTES: usize = 16 + MOST_BLOCK;

/// What the bytes so far amount to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// More is to come.
    Incomplete,
    /// The preface is `length` bytes long.
    Complete {
        /// Who calls; `None` when the balancer speaks for itself (health checks).
        source: Option<SocketAddr>,
        /// How long it is.
        length: usize,
    },
    /// No preface.
    Malformed,
}

/// Reads the first bytes of a connection from a balancer.
pub fn read(bytes: &[u8]) -> Reading {
    let common = bytes.len().min(SIGNATURE.len());
    if bytes[..common] == SIGNATURE[..common] {
        return binary(bytes);
    }
    let common = bytes.len().min(6);
    if bytes[..common] != b"PROXY "[..common] {
        return Reading::Malformed;
    }
    let start = &bytes[..bytes.len().min(MOST_LINE)];
    match start.iter().position(|byte| *byte == b'\n') {
        Some(end) => {
            line(&start[..end]).map_or(Reading::Malformed, |source| Reading::Complete { source, length: end + 1 })
        }
        None if bytes.len() < MOST_LINE => Reading::Incomplete,
        None => Reading::Malformed,
    }
}

/// `PROXY TCP4 source destination source-port destination-port CR`.
fn line(line: &[u8]) -> Option<Option<SocketAddr>> {
    let text = std::str::from_utf8(line.strip_suffix(b"\r")?).ok()?;
    let mut words = text.split(' ').skip(1);
    let is_v4 = match words.next()? {
        "TCP4" => true,
        "TCP6" => false,
        // The rest of an UNKNOWN line is to be ignored.
        "UNKNOWN" => return Some(None),
        _ => return None,
    };
    let source: IpAddr = words.next()?.parse().ok()?;
    let destination: IpAddr = words.next()?.parse().ok()?;
    let (port, _other) = (port(words.next()?)?, port(words.next()?)?);
    let fits = source.is_ipv4() == is_v4 && destination.is_ipv4() == is_v4 && words.next().is_none();
    fits.then_some(Some(SocketAddr::new(source, port)))
}

fn port(text: &str) -> Option<u16> {
    let canonical = !text.starts_with(['+', '0']) || text == "0";
    text.parse().ok().filter(|_| canonical)
}

fn binary(bytes: &[u8]) -> Reading {
    let Some((head, rest)) = bytes.split_at_checked(16) else { return Reading::Incomplete };
    let block = usize::from(u16::from_be_bytes([head[14], head[15]]));
    if block > MOST_BLOCK {
        return Reading::Malformed;
    }
    let Some(block) = rest.get(..block) else {
        // What cannot become right is not waited for.
        return if head[12] >> 4 == 2 { Reading::Incomplete } else { Reading::Malformed };
    };
    let source = match (head[12], head[13]) {
        // LOCAL: the balancer itself.
        (0x20, _) => Some(None),
        (0x21, 0x11) => v4(block).map(Some),
        (0x21, 0x21) => v6(block).map(Some),
        // PROXY of something that is no TCP connection tells us nobody's address.
        (0x21, 0x00) => Some(None),
        _ => None,
    };
    source.map_or(Reading::Malformed, |source| Reading::Complete { source, length: 16 + block.len() })
}

fn v4(block: &[u8]) -> Option<SocketAddr> {
    let (address, rest) = block.split_first_chunk::<4>()?;
    let port = rest.get(4..8)?.first_chunk::<2>()?;
    Some(SocketAddr::new(Ipv4Addr::from(*address).into(), u16::from_be_bytes(*port)))
}

fn v6(block: &[u8]) -> Option<SocketAddr> {
    let (address, rest) = block.split_first_chunk::<16>()?;
    let port = rest.get(16..20)?.first_chunk::<2>()?;
    Some(SocketAddr::new(Ipv6Addr::from(*address).into(), u16::from_be_bytes(*port)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v2(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
        let length = (block.len() as u16).to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, block].concat()
    }

    #[test]
    fn the_caller_is_named_and_the_rest_is_left() {
        let block6 = [&Ipv6Addr::LOCALHOST.octets()[..], &[0; 16], &[0, 7, 0, 8]].concat();
        let rows: &[(Vec<u8>, Option<&str>)] = &[
            (b"PROXY TCP4 10.1.2.3 10.0.0.1 5000 4750\r\n".to_vec(), Some("10.1.2.3:5000")),
            (b"PROXY TCP6 fd00::1 fd00::2 5000 4750\r\n".to_vec(), Some("[fd00::1]:5000")),
            (b"PROXY UNKNOWN whatever\r\n".to_vec(), None),
            (v2(0x21, 0x11, &[10, 1, 2, 3, 10, 0, 0, 1, 0x13, 0x88, 0, 1]), Some("10.1.2.3:5000")),
            (v2(0x21, 0x11, &[10, 1, 2, 3, 10, 0, 0, 1, 0x13, 0x88, 0, 1, 3, 0, 1, 9]), Some("10.1.2.3:5000")),
            (v2(0x21, 0x21, &block6), Some("[::1]:7")),
            (v2(0x20, 0x00, &[]), None),
        ];
        for (bytes, source) in rows {
            for end in 0..bytes.len() {
                assert_eq!(read(&bytes[..end]), Reading::Incomplete, "{end} bytes of {bytes:02x?}");
            }
            let want = Reading::Complete { source: source.map(|text| text.parse().unwrap()), length: bytes.len() };
            assert_eq!(read(&[bytes, &b"GET /"[..]].concat()), want);
        }
    }

    #[test]
    fn what_is_malformed_is_refused() {
        let rows: &[Vec<u8>] = &[
            b"GET http://a/ HTTP/1.1\r\n".to_vec(),
            b"PROXY TCP4 10.1.2.3 10.0.0.1 5000 4750\n".to_vec(),
            b"PROXY TCP4 fd00::1 fd00::2 5000 4750\r\n".to_vec(),
            b"PROXY TCP4 10.1.2.3 10.0.0.1 05000 4750\r\n".to_vec(),
            b"PROXY TCP4 10.1.2.3 10.0.0.1 5000 99999\r\n".to_vec(),
            b"PROXY TCP4 10.1.2.3 10.0.0.1 5000 4750 x\r\n".to_vec(),
            [b"PROXY UNKNOWN ".to_vec(), vec![b'x'; 200]].concat(),
            v2(0x31, 0x11, &[0; 12]),
            v2(0x21, 0x11, &[0; 8]),
            v2(0x21, 0x12, &[0; 12]),
            v2(0x21, 0x11, &[0; 4000]),
        ];
        for bytes in rows {
            assert_eq!(read(bytes), Reading::Malformed, "{bytes:02x?}");
        }
    }
}
