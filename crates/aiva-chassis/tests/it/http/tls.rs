//! TLS: ALPN decides the protocol, and HSTS appears.

use std::sync::Arc;

use aiva_chassis::http::{Listener, Routes, TlsFiles, on};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;

use super::{Answer, Server, stack};

#[tokio::test]
async fn tls_is_served_with_alpn_and_hsts() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let files = TlsFiles { certificate: dir.path().join("cert.pem"), key: dir.path().join("key.pem") };
    assert!(files.acceptor().is_err(), "files that are not there");
    std::fs::write(&files.certificate, made.cert.pem()).unwrap();
    std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();

    let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap().tls(files.acceptor().unwrap());
    let server = Server::run(listener, stack(), Routes::new().route("GET", "/a", on("GET", || async { "a" })));

    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let connect = async |alpn: &[u8]| {
        let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots.clone())
            .with_no_client_auth();
        config.alpn_protocols = vec![alpn.to_vec()];
        let name = "localhost".try_into().unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, server.connect().await).await.unwrap()
    };
    let mut stream = connect(b"http/1.1").await;
    stream.write_all(b"GET /a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut bytes = Vec::new();
    let _no_close_notify = stream.read_to_end(&mut bytes).await;
    let answer = Answer::parse(&bytes);
    assert_eq!((answer.status, answer.body.as_str()), (200, "a"));
    assert_eq!(answer.header("strict-transport-security"), "max-age=31536000; includeSubDomains");

    let stream = connect(b"h2").await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
}
