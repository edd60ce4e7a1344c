//! The client against real sockets on loopback: what is checked is what is connected to.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aiva_outbound::client::{Client, Error, Limits, Tls, Upstream};
use aiva_outbound::policy::{Exception, Names, Policy, Ports, Reason};
use aiva_outbound::resolve::Fixed;
use http::header::AUTHORIZATION;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Answers each request head with what `answer` makes of it; counts connections.
async fn origin(answer: impl Fn(&str) -> String + Send + Sync + 'static) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((LOOPBACK, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let (counted, answer) = (Arc::clone(&connections), Arc::new(answer));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(serve(stream, Arc::clone(&answer)));
        }
    });
    (address, connections)
}

async fn serve<A: Fn(&str) -> String>(mut stream: TcpStream, answer: Arc<A>) {
    let mut head = Vec::new();
    while let Ok(byte) = stream.read_u8().await {
        head.push(byte);
        if head.ends_with(b"\r\n\r\n") {
            let text = answer(&String::from_utf8_lossy(&head));
            if stream.write_all(text.as_bytes()).await.is_err() {
                return;
            }
            head.clear();
        }
    }
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn to(location: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n")
}

/// Any port, and the names of the test may be on loopback.
fn policy() -> Policy {
    let mut policy = Policy::public();
    policy.ports = Ports::Any;
    for name in ["origin.example", "other.example"] {
        policy.exceptions.push(Exception::host(name, Names::new(name).unwrap()));
    }
    policy
}

fn client(policy: Policy) -> Client {
    let names = Fixed::new([("origin.example", LOOPBACK), ("other.example", LOOPBACK), ("inside.example", LOOPBACK)]);
    Client::builder(policy).resolver(Arc::new(names)).build()
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let (address, connections) = origin(|_| ok("hello")).await;
    let client = client(policy());
    for _ in 0..3 {
        let response = client.get(format!("http://origin.example:{}/", address.port())).send().await.unwrap();
        assert_eq!(response.bytes(100).await.unwrap(), b"hello");
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_name_that_points_inside_is_refused_before_any_connection() {
    let (address, connections) = origin(|_| ok("secret")).await;
    for host in ["inside.example", "127.0.0.1", "[::ffff:127.0.0.1]", "localhost", "2130706433"] {
        let url = format!("http://{host}:{}/", address.port());
        let error = client(policy()).get(&url).send().await.err().unwrap();
        assert!(error.refusal().is_some(), "{url}: {error}");
        assert!(!error.is_transient(), "{url}");
    }
    assert_eq!(connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_redirect_is_judged_like_a_first_request() {
    let (address, _) =
        origin(|head| if head.starts_with("GET /in ") { to("http://127.0.0.1/") } else { to("/loop") }).await;
    let rows = [("/in", Reason::AddressInternal), ("/loop", Reason::Redirects)];
    for (path, want) in rows {
        let url = format!("http://origin.example:{}{path}", address.port());
        let error = client(policy()).get(url).send().await.err().unwrap();
        assert_eq!(error.refusal(), Some(want), "{error}");
    }
}

#[tokio::test]
async fn a_secret_stays_with_its_origin() {
    let (address, _) = origin(|head| {
        let port = head.split("origin.example:").nth(1).and_then(|rest| rest.split("\r\n").next()).unwrap_or("0");
        match head {
            head if head.contains("other.example") => {
                ok(if head.contains("authorization") { "leaked" } else { "clean" })
            }
            head if head.starts_with("GET /same ") => to("/here"),
            head if head.starts_with("GET /here ") => ok(if head.contains("authorization") { "kept" } else { "lost" }),
            _ => to(&format!("http://other.example:{port}/")),
        }
    })
    .await;
    for (path, want) in [("/other", "clean"), ("/same", "kept")] {
        let url = format!("http://origin.example:{}{path}", address.port());
        let response = client(policy()).get(url).header(AUTHORIZATION, "Bearer x").send().await.unwrap();
        assert_eq!(response.bytes(100).await.unwrap(), want.as_bytes(), "{path}");
    }
}

#[tokio::test]
async fn an_answer_has_bounds() {
    let (address, _) = origin(|head| {
        if head.starts_with("GET /large ") {
            ok(&"x".repeat(5_000))
        } else {
            // Says nothing of its length and never ends.
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n".to_owned()
        }
    })
    .await;
    let limits = Limits { idle: Duration::from_millis(50), ..Limits::default() };
    let names = Fixed::new([("origin.example", LOOPBACK)]);
    let client = Client::builder(policy()).resolver(Arc::new(names)).limits(limits).build();
    let get = |path: &str| client.get(format!("http://origin.example:{}{path}", address.port())).send();
    let error = get("/large").await.unwrap().bytes(4_999).await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { limit: 4_999 }), "{error}");
    let error = get("/stuck").await.unwrap().bytes(1_000).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }) && error.is_transient(), "{error}");
}

#[tokio::test]
async fn a_body_read_whole_ends_with_its_request() {
    // One part, and then nothing: the bound between two parts is far away.
    let (address, _) = origin(|_| "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello".to_owned()).await;
    let get = client(policy()).get(format!("http://origin.example:{}/", address.port()));
    let error = get.timeout(Duration::from_millis(300)).send().await.unwrap().bytes(100).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { stage: "reading the answer", .. }), "{error}");
    // As long as the clock can count, and longer.
    let get = client(policy()).get(format!("http://origin.example:{}/", address.port()));
    assert!(get.timeout(Duration::MAX).send().await.is_ok());
}

#[tokio::test]
async fn the_next_checked_address_is_tried_but_not_every_one() {
    let (address, connections) = origin(|_| ok("hello")).await;
    let get = |silent: u8| {
        let mut rows: Vec<(&str, IpAddr)> =
            (2..2 + silent).map(|last| ("origin.example", IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)))).collect();
        rows.push(("origin.example", LOOPBACK));
        let client = Client::builder(policy()).resolver(Arc::new(Fixed::new(rows))).build();
        client.get(format!("http://origin.example:{}/", address.port())).send()
    };
    assert_eq!(get(7).await.unwrap().address, LOOPBACK);
    let error = get(200).await.err().unwrap();
    assert!(matches!(error, Error::Connect { .. }), "{error}");
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn no_message_tells_a_secret() {
    let (address, _) =
        origin(|head| if head.contains("/in") { to("http://127.0.0.1/hidden") } else { to("ftp:/hidden") }).await;
    let port = address.port();
    let rows = [
        "https://user:hidden@exa mple.com/".to_owned(),
        "https://user:hid/hidden@example.com:x/".to_owned(),
        "http://exa mple.com/hidden?hidden#hidden".to_owned(),
        "http://exa%6dple.com\\hidden".to_owned(),
        "mailto:hidden@example.com".to_owned(),
        "http://hidden:hidden@127.0.0.1/hidden".to_owned(),
        "http://inside.example/hidden?token=hidden".to_owned(),
        "http://origin.example:1/hidden".to_owned(),
        format!("http://origin.example:{port}/in/hidden"),
        format!("http://origin.example:{port}/out/hidden"),
    ];
    for url in rows {
        let error = client(policy()).get(&url).send().await.err().unwrap();
        assert!(!format!("{error} {error:?}").contains("hid"), "{url}: {error:?}");
    }
    let target = aiva_outbound::Target::parse("https://u:hidden@example.com/hidden").unwrap();
    assert!(!format!("{target:?}").contains("hidden"));
}

#[tokio::test]
async fn nobody_listening_is_a_transient_fault() {
    let listener = TcpListener::bind((LOOPBACK, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = client(policy()).get(format!("http://origin.example:{port}/")).send().await.err().unwrap();
    assert!(matches!(error, Error::Connect { .. }) && error.is_transient(), "{error}");
}

#[tokio::test]
async fn a_certificate_must_be_trusted_and_of_that_name() {
    let key = rcgen::generate_simple_self_signed(["origin.example".to_owned()]).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![key.cert.der().clone()],
            rustls::pki_types::PrivateKeyDer::try_from(key.signing_key.serialize_der()).unwrap(),
        )
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind((LOOPBACK, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut head = [0; 4096];
                if stream.read(&mut head).await.is_ok() {
                    let _gone = stream.write_all(ok("encrypted").as_bytes()).await;
                }
            });
        }
    });
    let trusting = |tls: Tls| {
        let names = Fixed::new([("origin.example", LOOPBACK), ("other.example", LOOPBACK)]);
        Client::builder(policy()).resolver(Arc::new(names)).tls(tls).build()
    };
    let tls = Tls::none().with_pem(key.cert.pem().as_bytes()).unwrap();
    let get = |client: Client, host: &str| client.get(format!("https://{host}:{port}/")).send();
    let good = get(trusting(tls.clone()), "origin.example").await.unwrap();
    assert_eq!(good.bytes(100).await.unwrap(), b"encrypted");
    for (tls, host) in [(tls, "other.example"), (Tls::system(), "origin.example")] {
        let error = get(trusting(tls), host).await.err().unwrap();
        assert!(matches!(error, Error::Tls { .. }) && !error.is_transient(), "{host}: {error}");
    }
}

#[tokio::test]
async fn a_proxy_is_given_the_checked_address() {
    let (asked, mut first_line) = tokio::sync::mpsc::channel(4);
    let listener = TcpListener::bind((LOOPBACK, 0)).await.unwrap();
    let proxy = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = [0; 4096];
        let length = stream.read(&mut head).await.unwrap();
        asked.send(String::from_utf8_lossy(&head[..length]).into_owned()).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").await.unwrap();
        let length = stream.read(&mut head).await.unwrap();
        asked.send(String::from_utf8_lossy(&head[..length]).into_owned()).await.unwrap();
        stream.write_all(ok("through").as_bytes()).await.unwrap();
    });
    let upstream =
        Upstream { address: "127.0.0.1".to_owned(), port: proxy.port(), credentials: Some("u:p".to_owned()) };
    let names = Fixed::new([("public.example", IpAddr::V4(Ipv4Addr::new(93, 184, 215, 14)))]);
    let client = Client::builder(Policy::public()).resolver(Arc::new(names)).upstream(upstream).build();
    let response = client.get("http://public.example/x").send().await.unwrap();
    assert_eq!(response.bytes(100).await.unwrap(), b"through");
    let connect = first_line.recv().await.unwrap();
    assert!(connect.starts_with("CONNECT 93.184.215.14:80 HTTP/1.1\r\n"), "{connect}");
    assert!(connect.contains("Proxy-Authorization: Basic dTpw\r\n"), "{connect}");
    let get = first_line.recv().await.unwrap();
    assert!(get.starts_with("GET /x HTTP/1.1\r\n") && get.to_lowercase().contains("host: public.example\r\n"), "{get}");
}

#[tokio::test]
async fn an_answer_is_taken_within_its_caps() {
    let (address, _) = origin(|head| match head {
        head if head.starts_with("GET /moved ") => to("/page"),
        head if head.starts_with("GET /page ") => typed("Text/HTML; charset=utf-8", "0123456789"),
        head if head.starts_with("GET /long ") => {
            "HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ntransfer-encoding: chunked\r\n\r\n4\r\n0123\r\nf\r\n0123456789abcde\r\n0\r\n\r\n".to_owned()
        }
        head if head.starts_with("GET /none ") => ok("?"),
        _ => typed("image/svg+xml-not", &"x".repeat(17)),
    })
    .await;
    let heard = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&heard);
    let names = Fixed::new([("origin.example", LOOPBACK)]);
    let client = Client::builder(policy())
        .resolver(Arc::new(names))
        .max_body(16)
        .max_redirects(1)
        .content_types(["text/html", "image/*"])
        .observer(Arc::new(move |_, verdict| {
            counted.fetch_add(usize::from(verdict.is_allowed()), Ordering::SeqCst);
        }))
        .build();
    let get = |path: &str| client.get(format!("http://origin.example:{}{path}", address.port())).send();
    assert_eq!(get("/moved").await.unwrap().bytes(100).await.unwrap(), b"0123456789");
    assert_eq!(heard.load(Ordering::SeqCst), 2, "of each hop");
    assert!(matches!(get("/none").await.err().unwrap(), Error::ContentType { got } if got.is_empty()));
    assert!(matches!(get("/large").await.err().unwrap(), Error::TooLarge { limit: 16 }));
    let mut long = get("/long").await.unwrap();
    assert_eq!(long.chunk().await.unwrap().unwrap(), "0123");
    let error = loop {
        match long.chunk().await {
            Ok(part) => assert!(part.is_some(), "it ended before its cap"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::TooLarge { limit: 16 }), "{error}");
}

fn typed(kind: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}
