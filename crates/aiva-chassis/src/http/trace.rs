//! W3C trace context (Level 1, version 00): read from the caller, continued here, handed on.
//!
//! A malformed header is treated as absent, as the standard asks; it is never an error.

use http::{HeaderMap, HeaderValue};

use super::context::{TRACEPARENT, random};

/// Where a request stands in its trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    /// The whole trace.
    pub trace_id: [u8; 16],
    /// Our part of it.
    pub span_id: [u8; 8],
    /// The part that called us.
    pub parent_id: Option<[u8; 8]>,
    /// Whether the caller records the trace.
    pub sampled: bool,
}

impl TraceContext {
    /// Continues the caller's trace, or starts one.
    pub fn continue_from(headers: &HeaderMap) -> Self {
        let mut sent = headers.get_all(TRACEPARENT).iter();
        let parent = match (sent.next(), sent.next()) {
            (Some(value), None) => parse(value.as_bytes()),
            _ => None,
        };
        let span_id = fresh();
        match parent {
            Some((trace_id, parent_id, sampled)) => Self { trace_id, span_id, parent_id: Some(parent_id), sampled },
            None => Self { trace_id: fresh(), span_id, parent_id: None, sampled: false },
        }
    }

    /// The header that hands the trace on, with our span as the parent.
    pub fn to_value(&self) -> HeaderValue {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        write_hex(&self.trace_id, &mut text[3..35]);
        write_hex(&self.span_id, &mut text[36..52]);
        text[54] = if self.sampled { b'1' } else { b'0' };
        HeaderValue::from_bytes(&text).expect("hex and dashes")
    }

    /// The trace id in hex.
    pub fn trace_hex(&self) -> [u8; 32] {
        let mut text = [0; 32];
        write_hex(&self.trace_id, &mut text);
        text
    }
}

/// Random, and never all zero, which would mean *none*.
fn fresh<const N: usize>() -> [u8; N] {
    let mut id = random();
    if id == [0; N] {
        id[N - 1] = 1;
    }
    id
}

fn parse(text: &[u8]) -> Option<([u8; 16], [u8; 8], bool)> {
    let (head, rest) = text.split_at_checked(55)?;
    let [version] = unhex(&head[0..2])?;
    let fits = match version {
        0xff => false,
        0 => rest.is_empty(),
        _ => rest.is_empty() || rest[0] == b'-', // a later version may append
    };
    if !fits || head[2] != b'-' || head[35] != b'-' || head[52] != b'-' {
        return None;
    }
    let (trace, parent, [flags]) = (unhex::<16>(&head[3..35])?, unhex::<8>(&head[36..52])?, unhex(&head[53..55])?);
    (trace != [0; 16] && parent != [0; 8]).then_some((trace, parent, flags & 1 == 1))
}

/// Lower-case hex only, as the standard says.
fn unhex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut out = [0; N];
    for (byte, pair) in out.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(out)
}

fn write_hex(bytes: &[u8], text: &mut [u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (byte, pair) in bytes.iter().zip(text.chunks_exact_mut(2)) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(values: &[&str]) -> TraceContext {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(TRACEPARENT, HeaderValue::from_str(value).unwrap());
        }
        TraceContext::continue_from(&headers)
    }

    #[test]
    fn a_sound_parent_is_continued_with_a_span_of_our_own() {
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let ours = sent(&[parent]);
        assert!(ours.sampled && ours.parent_id.is_some());
        let out = ours.to_value().to_str().unwrap().to_owned();
        assert!(out.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-") && out.ends_with("-01"), "{out}");
        assert!(!out.contains("00f067aa0ba902b7"));
        let unsampled = sent(&["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"]);
        assert!(unsampled.to_value().to_str().unwrap().ends_with("-00"));
        assert!(sent(&["cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-later"]).parent_id.is_some());
    }

    #[test]
    fn what_is_malformed_starts_a_new_trace() {
        for values in [
            &[][..],
            &[""],
            &["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7"],
            &["00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"], // upper case
            &["00-00000000000000000000000000000000-00f067aa0ba902b7-01"],
            &["00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"],
            &["ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
            &["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more"],
            &["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"; 2], // which of them?
        ] {
            assert_eq!(sent(values).parent_id, None, "{values:?}");
        }
    }
}
