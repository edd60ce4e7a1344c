//! Reads the ClientHello that opens a TLS tunnel: which name it asks for, and whether it hides another.
//!
//! Promises: fragments over several records and trickled bytes change nothing; what a TLS library would refuse is refused;
//! no length in the bytes is believed before it is checked. Pure, and it understands no more of TLS than it must.
//!
//! Start reading at [`read`]. RFC 8446 sections 4.1.2 and 5.1, RFC 6066 section 3, RFC 7301, RFC 9849.

/// More than this is no ClientHello that anybody sends; post-quantum key shares take about 2 KiB.
pub const MOST_BYTES: usize = 16 * 1024;

/// How many records it may be spread over.
const MOST_RECORDS: usize = 1024;

/// What the client says first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hello {
    /// The name it asks for (SNI): lower case, without a trailing dot.
    pub name: Option<String>,
    /// What it wants to speak inside (ALPN).
    pub protocols: Vec<Vec<u8>>,
    /// Whether it carries an encrypted ClientHello: [`Hello::name`] may then be a front. A browser sends one to every host
    /// (GREASE), and nobody on the way can tell the difference.
    pub ech: bool,
}

/// What the bytes so far amount to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// More is to come.
    Incomplete,
    /// All of it is there.
    Complete(Hello),
    /// No TLS library would go on.
    Malformed,
}

/// Reads the first bytes of a tunnel, all that there are so far.
pub fn read(bytes: &[u8]) -> Reading {
    match message(bytes) {
        Ok(Some(message)) => hello(&message).map_or(Reading::Malformed, Reading::Complete),
        Ok(None) if bytes.len() < MOST_BYTES => Reading::Incomplete,
        Ok(None) | Err(Malformed) => Reading::Malformed,
    }
}

struct Malformed;

/// The first handshake message, put together from its records; `None` until all of it is there.
fn message(mut bytes: &[u8]) -> Result<Option<Vec<u8>>, Malformed> {
    let mut message = Vec::new();
    for _ in 0..MOST_RECORDS {
        // Judge the record's head by what is there of it.
        for (byte, good) in bytes.iter().zip([0x16, 0x03]) {
            if *byte != good {
                return Err(Malformed);
            }
        }
        let Some((head, rest)) = bytes.split_at_checked(5) else { return Ok(None) };
        let length = usize::from(u16::from_be_bytes([head[3], head[4]]));
        if length == 0 || length > 1 << 14 || head[2] > 4 {
            return Err(Malformed);
        }
        message.extend_from_slice(&rest[..length.min(rest.len())]);
        match message.as_slice() {
            [1, a, b, c, body @ ..] => {
                let whole = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
                if whole > MOST_BYTES {
                    return Err(Malformed);
                }
                if body.len() >= whole {
                    message.truncate(4 + whole);
                    return Ok(Some(message.split_off(4)));
                }
            }
            [] | [1, ..] => {}
            // Some other handshake message.
            _ => return Err(Malformed),
        }
        match rest.get(length..) {
            Some(next) => bytes = next,
            None => return Ok(None),
        }
    }
    Err(Malformed)
}

/// Takes bytes from the front; `None` where there are too few.
struct Input<'b>(&'b [u8]);

impl<'b> Input<'b> {
    fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn short(&mut self) -> Option<usize> {
        self.take(1).map(|bytes| usize::from(bytes[0]))
    }

    fn number(&mut self) -> Option<usize> {
        self.take(2).map(|bytes| usize::from(u16::from_be_bytes([bytes[0], bytes[1]])))
    }

    /// A vector with a length of one byte in front.
    fn short_vector(&mut self) -> Option<&'b [u8]> {
        let length = self.short()?;
        self.take(length)
    }

    /// A vector with a length of two bytes in front.
    fn vector(&mut self) -> Option<&'b [u8]> {
        let length = self.number()?;
        self.take(length)
    }
}

fn hello(body: &[u8]) -> Option<Hello> {
    let mut input = Input(body);
    let (version, _random) = (input.number()?, input.take(32)?);
    let (session, ciphers, compressions) = (input.short_vector()?, input.vector()?, input.short_vector()?);
    if version >> 8 != 3 || session.len() > 32 || ciphers.len() < 2 || ciphers.len() % 2 != 0 || compressions.is_empty()
    {
        return None;
    }
    let mut hello = Hello::default();
    if input.0.is_empty() {
        return Some(hello);
    }
    let mut extensions = Input(input.vector()?);
    if !input.0.is_empty() {
        return None;
    }
    let mut seen = Vec::new();
    while !extensions.0.is_empty() {
        let (kind, data) = (extensions.number()?, extensions.vector()?);
        // Two of one kind are forbidden (RFC 8446 section 4.2), and two readers would take different ones.
        if seen.contains(&kind) {
            return None;
        }
        seen.push(kind);
        match kind {
            0 => hello.name = Some(server_name(data)?),
            16 => hello.protocols = protocols(data)?,
            0xfe0d => hello.ech = true,
            _ => {}
        }
    }
    Some(hello)
}

fn server_name(data: &[u8]) -> Option<String> {
    let mut input = Input(data);
    let mut names = Input(input.vector()?);
    let (kind, name) = (names.short()?, names.vector()?);
    if !input.0.is_empty() || !names.0.is_empty() || kind != 0 || name.is_empty() || name.len() > 255 {
        return None;
    }
    if !name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_')) {
        return None;
    }
    let name = std::str::from_utf8(name).ok()?.to_ascii_lowercase();
    Some(name.strip_suffix('.').unwrap_or(&name).to_owned())
}

fn protocols(data: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut input = Input(data);
    let mut list = Input(input.vector()?);
    let mut protocols = Vec::new();
    while !list.0.is_empty() {
        protocols.push(list.short_vector().filter(|name| !name.is_empty())?.to_vec());
    }
    input.0.is_empty().then_some(protocols)
}

/// Writes a ClientHello with this name and these further extensions, in records of at most so many bytes: what the
/// self-test and the tests say first in a tunnel.
pub fn sample(name: Option<&str>, extensions: &[(u16, &[u8])], record: usize) -> Vec<u8> {
    let sized = |bytes: &[u8]| [&u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes()[..], bytes].concat();
    let extension = |kind: u16, data: &[u8]| [&kind.to_be_bytes()[..], &sized(data)].concat();
    let mut list = Vec::new();
    if let Some(name) = name {
        list.extend(extension(0, &sized(&[&[0][..], &sized(name.as_bytes())].concat())));
    }
    for (kind, data) in extensions {
        list.extend(extension(*kind, data));
    }
    let body = [&[3, 3][..], &[7; 32], &[0], &[0, 2, 0x13, 0x01], &[1, 0], &sized(&list)].concat();
    let message = [&[1, 0][..], &sized(&body)].concat();
    message.chunks(record).flat_map(|piece| [&[0x16, 3, 1][..], &sized(piece)].concat()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_found_in_whatever_pieces() {
        let alpn: &[u8] = &[0, 12, 2, b'h', b'2', 8, b'h', b't', b't', b'p', b'/', b'1', b'.', b'1'];
        for record in [1, 3, 7, 100, 5000] {
            let bytes = sample(Some("EXAMPLE.com."), &[(16, alpn), (0xfe0d, &[0, 1])], record);
            for end in 0..bytes.len() {
                assert_eq!(read(&bytes[..end]), Reading::Incomplete, "{end} bytes in records of {record}");
            }
            let want = Hello {
                name: Some("example.com".into()),
                protocols: vec![b"h2".to_vec(), b"http/1.1".to_vec()],
                ech: true,
            };
            assert_eq!(read(&bytes), Reading::Complete(want));
        }
        assert_eq!(read(&sample(None, &[], 5000)), Reading::Complete(Hello::default()));
    }

    #[test]
    fn what_no_library_accepts_is_malformed() {
        let twice = sample(Some("a.example"), &[(0, &[0, 4, 0, 0, 1, b'b'])], 5000);
        let two_names: &[u8] = &[0, 8, 0, 0, 1, b'a', 0, 0, 1, b'b'];
        let mut short = sample(Some("a.example"), &[], 5000);
        short[8] -= 1; // the message ends within its extensions
        let rows: &[Vec<u8>] = &[
            b"GET / HTTP/1.1\r\n".to_vec(),
            vec![0x16, 0x02],
            vec![0x16, 3, 1, 0, 0],
            vec![0x16, 3, 1, 0xff, 0xff],
            vec![0x16, 3, 1, 0, 4, 2, 0, 0, 0],
            vec![0x16, 3, 1, 0, 4, 1, 1, 0, 0],
            twice,
            sample(None, &[(0, two_names)], 5000),
            sample(Some("a b"), &[], 5000),
            sample(Some("a\0b"), &[], 5000),
            sample(None, &[(16, &[0, 2, 5, b'h'])], 5000),
            short,
        ];
        for bytes in rows {
            assert_eq!(read(bytes), Reading::Malformed, "{bytes:02x?}");
        }
    }
}
