// What each fuzz target feeds, and what must hold. Shared with the replay test (`tests/it/fuzz_corpus.rs`), so that no
// target exists without its corpus being replayed.

/// The targets' names.
pub const TARGETS: [&str; 10] =
    ["head", "chunks", "hello", "preface", "socks", "credentials", "certificate", "frames", "token", "acl"];

/// Feeds bytes to the reader of a target.
pub fn feed(target: &str, bytes: &[u8]) {
    match target {
        "head" => head(bytes),
        "chunks" => chunks(bytes),
        "hello" => hello(bytes),
        "preface" => preface(bytes),
        "socks" => socks(bytes),
        "credentials" => credentials(bytes),
        "certificate" => certificate(bytes),
        "frames" => frames(bytes),
        "token" => token(bytes),
        "acl" => acl(bytes),
        other => panic!("{other} is no target"),
    }
}

fn head(bytes: &[u8]) {
    use aiva_egress::proxy::head::{self, Request, Response};
    let Ok(Some(end)) = head::end(bytes, 0) else { return };
    assert!(end <= bytes.len() && bytes[..end].ends_with(b"\r\n"));
    if let Ok(request) = Request::read(&bytes[..end]) {
        for field in request.forwarded() {
            assert!(!field.name.is_empty() && !field.value.contains(&b'\r') && !field.value.contains(&b'\n'));
        }
    }
    if let Ok(response) = Response::read(&bytes[..end], "GET") {
        assert!((100..600).contains(&response.status));
    }
}

fn chunks(bytes: &[u8]) {
    use aiva_egress::proxy::body::{Body, Chunks};
    use aiva_egress::proxy::head::Framing;
    for chunks in [Chunks::Keep, Chunks::Open] {
        let mut body = Body::new(Framing::Chunked, chunks);
        let mut copy = bytes.to_vec();
        if let Ok(settled) = body.filter(&mut copy) {
            assert!(settled.kept <= settled.taken && settled.taken <= bytes.len());
            assert!(body.is_done() || settled.taken == bytes.len());
        }
    }
}

fn hello(bytes: &[u8]) {
    use aiva_egress::tunnel::hello::{Reading, read};
    if let Reading::Complete(hello) = read(bytes) {
        assert!(hello.name.is_none_or(|name| name.is_ascii() && name.len() <= 255));
    }
}

fn preface(bytes: &[u8]) {
    use aiva_egress::proxy::preface::{Reading, read};
    if let Reading::Complete { length, .. } = read(bytes) {
        assert!(length <= bytes.len());
    }
}

fn socks(bytes: &[u8]) {
    use aiva_egress::proxy::socks::{Reading, greeting, password, request};
    let lengths = [
        match greeting(bytes) {
            Reading::Complete(_, length) => length,
            Reading::Incomplete | Reading::Malformed => 0,
        },
        match password(bytes) {
            Reading::Complete(_, length) => length,
            Reading::Incomplete | Reading::Malformed => 0,
        },
        match request(bytes) {
            Reading::Complete(_, length) => length,
            Reading::Incomplete | Reading::Malformed => 0,
        },
    ];
    assert!(lengths.iter().all(|length| *length <= bytes.len()));
}

fn credentials(bytes: &[u8]) {
    use aiva_egress::caller::{Callers, Who};
    use aiva_egress::proxy::judge::Peer;
    let peer = Peer::default();
    // Where nobody has a password, nothing is right, and nothing is taken for no credentials at all.
    assert!(matches!(Callers::default().who(&peer, Some(bytes)), Who::Wrong));
}

fn certificate(bytes: &[u8]) {
    use aiva_egress::caller::{Certificate, Outdated, Revoked};
    use std::time::SystemTime;
    let certificate = Certificate::read(bytes);
    assert!(certificate.dns_names.iter().all(|name| !name.bytes().any(|byte| byte.is_ascii_uppercase())));
    let _read = Revoked::read([bytes], Outdated::Deny).map(|revoked| revoked.standing(&certificate, SystemTime::UNIX_EPOCH));
}

fn frames(bytes: &[u8]) {
    use aiva_egress::proxy::http2::frames::Frames;
    let whole = Frames::default().see(bytes);
    assert!(whole as usize <= bytes.len() / 9, "every frame has a header");
    // However the bytes are cut, they say the same.
    for size in [1, 7, 9] {
        let mut frames = Frames::default();
        assert_eq!(bytes.chunks(size).map(|chunk| frames.see(chunk)).sum::<u32>(), whole);
    }
}

fn token(bytes: &[u8]) {
    use aiva_chassis::secret::Secret;
    use aiva_egress::ports::{BadToken, Tokens as _};
    use aiva_egress::token::Signer;
    let signer = Signer::with_key(&Secret::new("nobody who fuzzes knows this key of ours".to_owned()));
    assert!(matches!(signer.read(bytes, jiff::Timestamp::UNIX_EPOCH), Err(BadToken::Invalid)), "nobody else can sign");
}

fn acl(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(import) = aiva_egress::smokescreen::import(text) {
        let written = import.toml();
        assert!(written.parse::<toml_edit::DocumentMut>().is_ok(), "names are quoted: {written}");
    }
}
