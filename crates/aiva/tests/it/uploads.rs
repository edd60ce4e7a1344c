//! How uploads travel: packed, as large as what they unpack to, again where the server is busy, plain where it is old.

use std::io::{BufRead as _, Read as _, Write as _};

use http::header::AUTHORIZATION;
use serde_json::{Value, json};

use crate::program::World;
use crate::server::Server;

/// What gzip makes of so many blanks.
fn bomb(length: u64) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::copy(&mut std::io::repeat(b' ').take(length), &mut packed).unwrap();
    packed.finish().unwrap()
}

#[tokio::test]
async fn a_body_is_as_large_as_what_it_unpacks_to() {
    let world = World::new();
    let server = Server::start(&world);
    let (upload, other) = ("/v1/services/ledger/uploads", "/v1/scans");
    for (path, coding, body, status, code) in [
        (upload, "gzip", bomb((1 << 20) + 1), 400, "body_not_json"), // it fits, and blanks are no document
        (other, "gzip", bomb(1 << 20), 400, "body_not_json"),
        (other, "gzip", bomb((1 << 20) + 1), 413, "body_too_large"),
        (upload, "gzip", b"{}".to_vec(), 400, "body_not_gzip"),
        (upload, "br", b"{}".to_vec(), 415, "unsupported_coding"),
    ] {
        let request = server.client.post(format!("{}{path}", server.url));
        let request = request.header(AUTHORIZATION, format!("Bearer {}", server.token));
        let request = request.header(http::header::CONTENT_TYPE, "application/json");
        let request = request.header(http::header::CONTENT_ENCODING, coding).body(body);
        let response = request.send().await.unwrap();
        let accepts =
            response.headers.get(http::header::ACCEPT_ENCODING).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!((response.status.as_u16(), accepts), (status, (status == 415).then(|| "gzip".to_owned())), "{code}");
        let told: Value = serde_json::from_slice(&response.bytes(1 << 20).await.unwrap()).unwrap();
        assert_eq!(told["code"], code);
    }
}

/// What a server was sent: whether it was packed, its key and its bytes.
type Sent = (bool, String, Vec<u8>);

/// A server that gives these answers, and what it was sent for each of them.
fn told_so(answers: Vec<String>) -> (String, std::thread::JoinHandle<Vec<Sent>>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = std::thread::spawn(move || {
        let answer = |answer: String| {
            let (stream, _) = listener.accept().unwrap();
            let mut request = std::io::BufReader::new(stream);
            let (mut packed, mut key, mut length) = (false, String::new(), 0);
            loop {
                let mut line = String::new();
                request.read_line(&mut line).unwrap();
                let Some((name, value)) = line.trim_end().split_once(": ") else {
                    if line.trim_end().is_empty() {
                        break;
                    }
                    continue;
                };
                match name.to_ascii_lowercase().as_str() {
                    "content-encoding" => packed = value == "gzip",
                    "idempotency-key" => key = value.to_owned(),
                    "content-length" => length = value.parse().unwrap(),
                    _ => {}
                }
            }
            let mut body = vec![0; length];
            request.read_exact(&mut body).unwrap();
            request.into_inner().write_all(answer.as_bytes()).unwrap();
            (packed, key, body)
        };
        answers.into_iter().map(answer).collect()
    });
    (url, serving)
}

#[test]
fn an_upload_waits_for_a_busy_server_and_is_sent_plain_to_an_old_one() {
    let world = World::new().with_advisories();
    world.write("ci/Cargo.lock", "version = 4\n\n[[package]]\nname = \"rustls\"\nversion = \"0.21.10\"\n");
    let answer = |status: &str, body: &Value| {
        let (body, more) = (body.to_string(), "Content-Type: application/json\r\nConnection: close\r\nRetry-After: 0");
        format!("HTTP/1.1 {status}\r\n{more}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    };
    let refused = answer("400 Bad Request", &json!({}));
    let busy = answer("503 Service Unavailable", &json!({}));
    let scan = json!({
        "id": "01900000-0000-7000-8000-000000000001", "service": "pay", "guard": "sca", "state": "completed", "phase": "done",
        "paths": [], "requested_by": "upload", "requested_at": "2026-11-21T12:00:00Z", "complete": true,
        "progress": {"done": 0, "total": 0, "packages": 0, "findings": 0}
    });
    let (url, serving) = told_so(vec![busy.clone(), refused, busy, answer("201 Created", &scan)]);
    let args = ["scan", "ci", "--service", "pay", "--upload", &url, "--fail-on", "none"];
    let run = world.aiva_with(&args, &[("AIVA_TOKEN", "x")]);
    assert_eq!(run.code(), 0, "{}", run.err());
    assert!(run.err().contains("the server is busy") && run.err().contains("uploaded as scan"), "{}", run.err());
    let sent = serving.join().unwrap();
    assert_eq!(sent.iter().map(|one| one.0).collect::<Vec<_>>(), [true, true, false, false]);
    assert!(sent.iter().all(|one| one.1 == sent[0].1 && !one.1.is_empty()), "one key, so that it is taken in once");
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(&*sent[0].2).read_to_end(&mut plain).unwrap();
    assert_eq!((&sent[2].2, sent[3].2 == plain), (&plain, true));
}
