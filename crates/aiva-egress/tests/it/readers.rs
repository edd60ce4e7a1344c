//! The readers of bytes against arbitrary input, and against another reader.

use aiva_egress::proxy::body::{Body, Chunks};
use aiva_egress::proxy::head::{self, Form, Framing, Request, Response};
use aiva_egress::proxy::preface;
use aiva_egress::tunnel::hello;
use aiva_egress::tunnel::sniff::{self, Speaker};
use proptest::prelude::*;

/// Bytes that look like a head more often than chance would have it.
fn nearly_a_head(first: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let field = prop_oneof![
        prop::sample::select(
            &[
                "Host: a.example\r\n",
                "Content-Length: 5\r\n",
                "Content-Length: 05\r\n",
                "content-length:5\r\n",
                "Transfer-Encoding: chunked\r\n",
                "transfer-encoding: CHUNKED\r\n",
                "Connection: close, X\r\n",
                "Expect: 100-continue\r\n",
                "X:\r\n",
                "X: \t a\t b \r\n",
                "X : a\r\n",
                " X: a\r\n",
                "X: a\n",
                "\r",
            ][..]
        )
        .prop_map(|text| text.as_bytes().to_vec()),
        "[!-~]{1,6}: [ -~]{0,8}\r\n".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..6),
    ];
    (prop::sample::select(first), prop::collection::vec(field, 0..6))
        .prop_map(|(first, fields)| [first.as_bytes().to_vec(), fields.concat(), b"\r\n".to_vec()].concat())
}

const REQUESTS: &[&str] = &[
    "GET http://a.example/ HTTP/1.1\r\n",
    "POST http://a.example/x?y HTTP/1.1\r\n",
    "POST http://a.example HTTP/1.0\r\n",
    "CONNECT a.example:443 HTTP/1.1\r\n",
];

const ANSWERS: &[&str] =
    &["HTTP/1.1 200 OK\r\n", "HTTP/1.0 404 \r\n", "HTTP/1.1 304 Not Modified\r\n", "HTTP/1.1 200\r\n"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    /// What we accept, another reader accepts and reads alike.
    #[test]
    fn requests_are_read_as_others_read_them(bytes in nearly_a_head(REQUESTS)) {
        let Ok(Some(end)) = head::end(&bytes, 0) else { return Ok(()) };
        let Ok(ours) = Request::read(&bytes[..end]) else { return Ok(()) };
        let mut fields = [httparse::EMPTY_HEADER; head::MOST_FIELDS];
        let mut theirs = httparse::Request::new(&mut fields);
        prop_assert_eq!(theirs.parse(&bytes), Ok(httparse::Status::Complete(end)));
        prop_assert_eq!(theirs.method, Some(ours.method));
        let (Form::Absolute(target) | Form::Connect(target)) = ours.form;
        prop_assert_eq!(theirs.path, Some(target));
        prop_assert_eq!(theirs.headers.len(), ours.fields.len());
        for (their, our) in theirs.headers.iter().zip(&ours.fields) {
            prop_assert_eq!(their.name.as_bytes(), our.name);
            // They keep white space at the end.
            prop_assert_eq!(their.value.trim_ascii_end(), our.value);
        }
    }

    #[test]
    fn answers_are_read_as_others_read_them(bytes in nearly_a_head(ANSWERS)) {
        let Ok(Some(end)) = head::end(&bytes, 0) else { return Ok(()) };
        let Ok(ours) = Response::read(&bytes[..end], "GET") else { return Ok(()) };
        let mut fields = [httparse::EMPTY_HEADER; head::MOST_FIELDS];
        let mut theirs = httparse::Response::new(&mut fields);
        prop_assert_eq!(theirs.parse(&bytes), Ok(httparse::Status::Complete(end)));
        prop_assert_eq!(theirs.code, Some(ours.status));
        prop_assert_eq!(theirs.headers.len(), ours.fields.len());
    }

    /// Where a message ends does not depend on how it arrives.
    #[test]
    fn arrival_changes_nothing(bytes in nearly_a_head(REQUESTS), cut in 0usize..200) {
        let whole = head::end(&bytes, 0);
        let cut = cut.min(bytes.len());
        match head::end(&bytes[..cut], 0) {
            Ok(None) => prop_assert_eq!(head::end(&bytes, cut), whole),
            early => prop_assert_eq!(early, whole),
        }
    }

    /// A body of chunks comes out the same in whatever pieces, and what comes out can be read again.
    #[test]
    fn chunks_do_not_depend_on_arrival(
        parts in prop::collection::vec(prop_oneof![
            prop::sample::select(&["5\r\nhello\r\n", "1;a=b\r\nx\r\n", "0\r\n\r\n", "0\r\nA: b\r\n\r\n", "3 \r\n", "\r\n", "g", "\n"][..])
                .prop_map(|text| text.as_bytes().to_vec()),
            prop::collection::vec(any::<u8>(), 0..4),
        ], 0..6),
        step in 1usize..9,
    ) {
        let pass = |bytes: &[u8], step: usize| {
            let mut body = Body::new(Framing::Chunked, Chunks::Keep);
            let (mut out, mut rest) = (Vec::new(), bytes.to_vec());
            while !rest.is_empty() && !body.is_done() {
                let size = step.min(rest.len());
                let settled = body.filter(&mut rest[..size])?;
                assert!(settled.kept <= settled.taken && settled.taken <= size);
                out.extend_from_slice(&rest[..settled.kept]);
                rest.drain(..settled.taken);
            }
            body.close().map(|()| (out, rest))
        };
        let bytes = parts.concat();
        let whole = pass(&bytes, usize::MAX);
        prop_assert_eq!(&pass(&bytes, step), &whole);
        if let Ok((out, _)) = whole {
            prop_assert_eq!(pass(&out, step), Ok((out, Vec::new())));
        }
    }

    /// Nothing panics, and more bytes never take back a verdict.
    #[test]
    fn first_bytes_can_be_anything(bytes in prop::collection::vec(any::<u8>(), 0..80), tls in any::<bool>()) {
        let bytes = if tls { [&[0x16, 3, 1][..], &bytes].concat() } else { bytes };
        let mut verdict = None;
        for end in 0..=bytes.len() {
            if let Some(known) = verdict {
                prop_assert_eq!(sniff::first(Speaker::Client, &bytes[..end]), Some(known));
            }
            verdict = sniff::first(Speaker::Client, &bytes[..end]);
            let _any = (hello::read(&bytes[..end]), preface::read(&bytes[..end]), sniff::first(Speaker::Server, &bytes[..end]));
        }
    }
}
