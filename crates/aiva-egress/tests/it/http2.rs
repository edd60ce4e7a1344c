//! Clients that speak HTTP/2 to the proxy: tunnels as streams, refusals that disturb no other, and floods.

use std::net::Ipv4Addr;
use std::sync::Arc;

use aiva_egress::proxy::Settings;
use aiva_egress::proxy::judge::Bounds;
use aiva_outbound::policy::Policy;
use aiva_outbound::resolve::{Fixed, Resolver};
use bytes::Bytes;
use h2::client::{SendRequest, handshake};
use h2::{Reason, RecvStream, SendStream};
use http::{Method, Request, Response, StatusCode, Version};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use crate::hostile::Silent;
use crate::stage::{Origin, PATIENCE, Stage};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

async fn stage(origin: &Origin) -> Stage {
    let names = Fixed::new([
        ("a.example.com", Ipv4Addr::new(93, 184, 216, 34).into()),
        ("inside.example.com", Ipv4Addr::new(10, 0, 0, 1).into()),
    ]);
    stage_with(Arc::new(names), origin).await
}

async fn stage_with(resolver: Arc<dyn Resolver>, origin: &Origin) -> Stage {
    Stage::start(resolver, Policy::public(), Settings::default(), Bounds::default(), origin.address).await
}

/// Sends back what it gets, then the end.
async fn echo(mut stream: TcpStream) {
    let (mut from, mut to) = stream.split();
    if tokio::io::copy(&mut from, &mut to).await.is_ok() {
        drop(to.shutdown().await);
    }
}

type Connection = JoinHandle<Result<(), h2::Error>>;

async fn client(stage: &Stage) -> (SendRequest<Bytes>, Connection) {
    let stream = stage.client().await.stream;
    let (client, connection) = timeout(PATIENCE, handshake(stream)).await.unwrap().unwrap();
    (client, tokio::spawn(connection))
}

fn connect(authority: &str) -> Request<()> {
    let uri = http::Uri::builder().authority(authority).build().unwrap();
    Request::builder().method(Method::CONNECT).version(Version::HTTP_2).uri(uri).body(()).unwrap()
}

async fn ask(client: &SendRequest<Bytes>, request: Request<()>) -> (Response<RecvStream>, SendStream<Bytes>) {
    let mut client = client.clone().ready().await.unwrap();
    let (answer, to) = client.send_request(request, false).unwrap();
    (timeout(PATIENCE, answer).await.expect("the proxy answers").unwrap(), to)
}

/// Everything that comes on a stream.
async fn all(mut from: RecvStream) -> Result<Vec<u8>, h2::Error> {
    let mut bytes = Vec::new();
    while let Some(piece) = timeout(PATIENCE, from.data()).await.expect("something comes, or the end") {
        let piece = piece?;
        from.flow_control().release_capacity(piece.len())?;
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// Sends all of it as the proxy takes it, and the end.
async fn send(mut to: SendStream<Bytes>, mut bytes: Bytes) {
    while !bytes.is_empty() {
        to.reserve_capacity(bytes.len());
        let room = std::future::poll_fn(|context| to.poll_capacity(context));
        let room = timeout(PATIENCE, room).await.expect("the proxy takes more").unwrap().unwrap();
        to.send_data(bytes.split_to(room.min(bytes.len())), false).unwrap();
    }
    to.send_data(Bytes::new(), true).unwrap();
}

#[tokio::test]
async fn one_connection_carries_many_tunnels_both_ways() {
    let origin = Origin::start(echo).await;
    let stage = stage(&origin).await;
    let (client, _connection) = client(&stage).await;
    let mut tunnels = JoinSet::new();
    for index in 0..20_u8 {
        let client = client.clone();
        tunnels.spawn(async move {
            let (answer, to) = ask(&client, connect("a.example.com:443")).await;
            assert_eq!(answer.status(), StatusCode::OK);
            // More than any window holds: both directions must move together.
            let bytes = Bytes::from(vec![index; 300_000]);
            let ((), back) = tokio::join!(send(to, bytes.clone()), all(answer.into_body()));
            assert!(back.unwrap() == bytes, "tunnel {index} has its own bytes");
        });
    }
    while let Some(done) = timeout(PATIENCE, tunnels.join_next()).await.expect("all tunnels end") {
        done.unwrap();
    }
    assert_eq!(stage.dialled().len(), 20);
}

#[tokio::test]
async fn a_refusal_is_said_on_its_stream_and_disturbs_no_other() {
    let origin = Origin::start(echo).await;
    let stage = stage(&origin).await;
    let (client, _connection) = client(&stage).await;
    let (open, mut to) = ask(&client, connect("a.example.com:443")).await;
    assert_eq!(open.status(), StatusCode::OK);
    // RFC 8441 is not offered: its streams would be reset.
    assert!(!client.is_extended_connect_protocol_enabled());
    let get = Request::builder().version(Version::HTTP_2).uri("http://a.example.com/x").body(()).unwrap();
    for (request, status, reason) in [
        (connect("inside.example.com:443"), 403, "address-internal"),
        (connect("169.254.169.254:80"), 403, "address-metadata"),
        (connect("a.example.com:25"), 403, "port-not-allowed"),
        (connect("gone.example.com:443"), 502, "dns"),
        (connect("u@a.example.com:443"), 400, "not-url"),
        (get, 400, "http2-request"),
    ] {
        let (answer, _to) = ask(&client, request).await;
        assert_eq!(answer.status(), status, "{reason}");
        let decision = answer.headers()["aiva-decision"].to_str().unwrap().to_owned();
        assert!(decision.contains(&format!("reason={reason}")), "{decision}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        let problem: serde_json::Value = serde_json::from_slice(&all(answer.into_body()).await.unwrap()).unwrap();
        assert_eq!(problem["reason"], reason);
    }
    to.send_data(Bytes::from_static(b"still here"), true).unwrap();
    assert_eq!(all(open.into_body()).await.unwrap(), b"still here");
}

#[tokio::test]
async fn an_origin_that_breaks_is_an_error_of_its_stream() {
    let origin = Origin::start(|mut stream| async move {
        // Not before it was asked something: a connection that breaks at once is one that could not be made.
        drop(stream.read_u8().await);
        stream.set_zero_linger().unwrap();
    })
    .await;
    let stage = stage(&origin).await;
    let (client, _connection) = client(&stage).await;
    let (answer, mut to) = ask(&client, connect("a.example.com:443")).await;
    to.send_data(Bytes::from_static(b"?"), false).unwrap();
    let error = all(answer.into_body()).await.unwrap_err();
    assert_eq!(error.reason(), Some(Reason::CONNECT_ERROR));
    // The connection goes on.
    assert_eq!(ask(&client, connect("inside.example.com:443")).await.0.status(), 403);
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_a_bounded_part() {
    // Says more than the sockets hold, and tells how much of it was taken.
    let (said, mut saying) = tokio::sync::watch::channel(0_usize);
    let said = Arc::new(said);
    let origin = Origin::start(move |mut stream| {
        let said = Arc::clone(&said);
        async move {
            let piece = vec![0; 64 << 10];
            for _ in 0..4000 {
                if stream.write_all(&piece).await.is_err() {
                    return;
                }
                said.send_modify(|bytes| *bytes += piece.len());
            }
        }
    })
    .await;
    let stage = stage(&origin).await;
    let (client, _connection) = client(&stage).await;
    let (answer, _to) = ask(&client, connect("a.example.com:443")).await;
    // The client gives no more room than its first window; the rest waits in the sockets of the origin's side.
    while timeout(std::time::Duration::from_millis(300), saying.changed()).await.is_ok_and(|told| told.is_ok()) {}
    assert!(*saying.borrow() < 160 << 20, "the origin is held back");
    // Another stream has its way all the same.
    assert_eq!(ask(&client, connect("inside.example.com:443")).await.0.status(), 403);
    drop(answer);
}

/// What the proxy says to a connection that sends these bytes, until it hangs up.
async fn hears(stage: &Stage, bytes: Vec<u8>) -> Vec<u8> {
    let (mut from, mut to) = stage.client().await.stream.into_split();
    // A proxy that hangs up reads no more.
    let sending = tokio::spawn(async move {
        drop(to.write_all(&bytes).await);
        to
    });
    let mut heard = Vec::new();
    // Cut off is an end as well.
    let _end = timeout(PATIENCE, from.read_to_end(&mut heard)).await.expect("the proxy hangs up");
    drop(sending.await);
    heard
}

/// The error code of the last GOAWAY.
fn goaway(mut heard: &[u8]) -> Option<u32> {
    let mut code = None;
    while let Some((header, rest)) = heard.split_first_chunk::<9>() {
        let length = usize::from(header[0]) << 16 | usize::from(header[1]) << 8 | usize::from(header[2]);
        let Some(body) = rest.get(..length) else { break };
        if header[3] == 7 {
            code = body.get(4..8).map(|code| u32::from_be_bytes(code.try_into().unwrap()));
        }
        heard = &rest[length..];
    }
    code
}

/// A frame of this type, with these flags, on this stream.
fn frame(kind: u8, flags: u8, stream: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), body].concat()
}

/// CONNECT a.example.com:443, in HPACK literals.
fn headers() -> Vec<u8> {
    let mut block = vec![0x02, 7];
    block.extend(b"CONNECT");
    block.extend([0x01, 17]);
    block.extend(b"a.example.com:443");
    block
}

#[tokio::test]
async fn floods_are_cut_off_and_others_are_served() {
    let origin = Origin::start(echo).await;
    let stage = stage(&origin).await;
    let (bystander, _connection) = client(&stage).await;
    let settings = || frame(4, 0, 0, &[]);
    let begun = |stream: u32| [frame(1, 4, stream, &headers()), frame(3, 0, stream, &8_u32.to_be_bytes())].concat();
    let many = |count: u32, one: &dyn Fn(u32) -> Vec<u8>| (0..count).flat_map(one).collect::<Vec<u8>>();
    let endless = many(2000, &|_| frame(9, 0, 1, &[0x40, 1, b'x', 1, b'y']));
    for (name, bytes) in [
        ("PING", many(1000, &|_| frame(6, 0, 0, &[0; 8]))),
        ("SETTINGS", many(1000, &|_| settings())),
        ("PRIORITY", many(1000, &|index| frame(2, 0, 2 * index + 1, &[0, 0, 0, 0, 1]))),
        ("rapid reset", many(1000, &|index| begun(2 * index + 1))),
        ("CONTINUATION", [frame(1, 0, 1, &headers()), endless].concat()),
    ] {
        let heard = hears(&stage, [PREFACE, &settings(), &bytes].concat()).await;
        assert_eq!(goaway(&heard), Some(11), "{name}: ENHANCE_YOUR_CALM");
        assert_eq!(ask(&bystander, connect("a.example.com:443")).await.0.status(), 200, "{name}");
    }
}

#[tokio::test]
async fn whoever_leaves_again_and_again_before_an_answer_is_cut_off() {
    let silent = Arc::new(Silent::default());
    let mut waiting = silent.waiting();
    let (origin, _) = Origin::keeping().await;
    let stage = stage_with(silent, &origin).await;
    let (client, connection) = client(&stage).await;
    let mut begun = 0;
    while begun < 1000 {
        let Ok(mut client) = client.clone().ready().await else { break };
        let Ok((_answer, mut to)) = client.send_request(connect("a.example.com:443"), false) else { break };
        begun += 1;
        // Each has cost a lookup, which ends with it.
        let looked_up = timeout(PATIENCE, waiting.wait_for(|count| *count == 1));
        if tokio::select! { looked = looked_up => looked.is_err(), () = closed(&connection) => true } {
            break;
        }
        to.send_reset(Reason::CANCEL);
        timeout(PATIENCE, waiting.wait_for(|count| *count == 0)).await.expect("nobody waits any more").unwrap();
    }
    assert!((64..1000).contains(&begun), "{begun}");
    let error = timeout(PATIENCE, connection).await.expect("the proxy hangs up").unwrap().unwrap_err();
    assert_eq!(error.reason(), Some(Reason::ENHANCE_YOUR_CALM));
}

async fn closed(connection: &Connection) {
    while !connection.is_finished() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_preface_counts_only_at_the_start() {
    let (origin, _) = Origin::keeping().await;
    let stage = stage(&origin).await;
    let mut client = stage.client().await;
    client.ask("http://a.example.com/").await;
    assert_eq!(client.answer().await.unwrap().status, 200);
    client.send(PREFACE).await;
    assert_eq!(client.answer().await.unwrap().status, 400);
}

#[tokio::test]
async fn a_stop_lets_tunnels_end_and_ends_what_is_idle() {
    let origin = Origin::start(echo).await;
    let stage = stage(&origin).await;
    let (idle, goodbye) = client(&stage).await;
    let (busy, _connection) = client(&stage).await;
    let (open, mut to) = ask(&busy, connect("a.example.com:443")).await;
    assert_eq!(ask(&idle, connect("inside.example.com:443")).await.0.status(), 403);
    stage.stop();
    timeout(PATIENCE, goodbye).await.expect("an idle connection ends").unwrap().unwrap();
    to.send_data(Bytes::from_static(b"last words"), true).unwrap();
    assert_eq!(all(open.into_body()).await.unwrap(), b"last words");
}
